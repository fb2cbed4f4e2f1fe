//! The handshake.

use crate::{Fault, Identity, Verifier};
use embedded_io_async::{Read, Write};
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, SignatureScheme, TlsConfig, TlsConnection,
    TlsContext, TlsError, TlsVerifier,
};
use p256::ecdsa::{DerSignature, signature::SignerMut};
use rand_core::CryptoRngCore;

/// Memory for one record that is received, in bytes: with it, any server can be read (RFC 8446 §5.2).
///
/// Less is enough for a server that is known to send short ones, its certificates included: a longer one
/// ends the connection with [`TlsError::InsufficientSpace`].
pub const RECORD_READ_MAX: usize = 16_640;

/// Memory for one record that is sent, at least, in bytes: a ClientHello must fit.
pub const RECORD_WRITE_MIN: usize = 512;

/// What a handshake begins with.
#[derive(Debug)]
pub struct Opening<'o, 'v> {
    /// The server's host name, to be sent and to be proved.
    pub host: &'o str,
    /// Protocols to choose from (RFC 7301), as `x-amzn-mqtt-ca`; none are offered when empty.
    pub alpn: &'o [&'o [u8]],
    /// What the server has to prove.
    pub verifier: &'o mut Verifier<'v, Aes128GcmSha256>,
    /// What the client proves if it is asked.
    pub identity: Option<&'o Identity<'o>>,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Opening<'_, '_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Opening {{ host: {=str} }}", self.host);
    }
}

/// Makes the handshake over `stream`, and refuses a server that has not proved who it is.
///
/// Dropped before its end, the stream is of no use any more. What is read from the connection must not be
/// dropped halfway either: pin a read, and keep it.
pub async fn open<'m, S: Read + Write + 'm>(
    stream: S,
    record_read: &'m mut [u8],
    record_write: &'m mut [u8],
    rng: impl CryptoRngCore,
    opening: Opening<'_, '_>,
) -> Result<TlsConnection<'m, S, Aes128GcmSha256>, Fault> {
    let Opening { host, alpn, verifier, identity } = opening;
    if host.is_empty() {
        return Err(Fault::Host);
    }
    if record_write.len() < RECORD_WRITE_MIN {
        return Err(Fault::Tls(TlsError::InsufficientSpace));
    }
    let config = TlsConfig::new().with_server_name(host);
    let config = if alpn.is_empty() { config } else { config.with_alpn(alpn) };
    let mut provider = Provider { rng, verifier, identity };
    // Also where the protocol does not ask for it: whatever was proved before does not count.
    TlsVerifier::set_hostname_verification(provider.verifier, host).map_err(|_| Fault::Host)?;
    let mut connection = TlsConnection::new(stream, record_read, record_write);
    let opened = connection.open(TlsContext::new(&config, &mut provider)).await;
    match (opened, provider.verifier.outcome()) {
        (Ok(()), proved) => proved.map(|()| connection),
        (Err(error), Ok(()) | Err(Fault::NoProof)) => Err(Fault::Tls(error)),
        (Err(_), Err(fault)) => Err(fault),
    }
}

/// What `embedded-tls` asks for during a handshake.
struct Provider<'p, 'v, R> {
    rng: R,
    verifier: &'p mut Verifier<'v, Aes128GcmSha256>,
    identity: Option<&'p Identity<'p>>,
}

impl<R: CryptoRngCore> CryptoProvider for Provider<'_, '_, R> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = DerSignature;

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.rng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut *self.verifier)
    }

    fn signer(&mut self) -> Result<(impl SignerMut<DerSignature>, SignatureScheme), TlsError> {
        let identity = self.identity.ok_or(TlsError::InvalidPrivateKey)?;
        Ok((identity.key.clone(), SignatureScheme::EcdsaSecp256r1Sha256))
    }

    fn client_cert(&mut self) -> Option<Certificate<impl AsRef<[u8]>>> {
        self.identity.map(|identity| Certificate::X509(identity.certificate))
    }
}
