//! Who the server is.

use crate::{Fault, curves, curves::Ecdsa, validity::not_before};
use core::{fmt, time::Duration};
use embedded_tls::{
    CertificateEntryRef, CertificateRef, CertificateVerifyRef, TlsCipherSuite, TlsError,
    TlsVerifier,
};
use heapless::{String, Vec};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use sha2::Digest as _;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// How many roots can be pinned.
pub const ANCHORS_MAX: usize = 4;

/// How many certificates a server may send beside its own.
pub const CHAIN_MAX: usize = 8;

/// Bytes of a host name (RFC 1035 §2.3.4).
pub const HOST_MAX: usize = 253;

/// In front of what a server signs (RFC 8446 §4.4.3).
const SIGNED_FIRST: [u8; 98] = *b"                                                                TLS 1.3, server CertificateVerify\0";

/// Bytes of the longest hash of a cipher suite.
const HASH_MAX: usize = 48;

/// Believes a server that proves to be the one asked for: with a path of certificates for servers from
/// a pinned root to its own, for this host and this time, and with a signature of this very handshake.
///
/// Nothing is believed by default: without a host it refuses.
pub struct Verifier<'a, Suite: TlsCipherSuite> {
    anchors: &'a [&'a [u8]],
    unix_time_s: Option<u64>,
    host: Option<String<HOST_MAX>>,
    leaf: &'a mut [u8],
    leaf_len: usize,
    transcript: Option<Suite::Hash>,
    outcome: Result<(), Fault>,
}

impl<'a, Suite: TlsCipherSuite> Verifier<'a, Suite> {
    /// Pins the roots `anchors`, certificates in DER; `leaf` holds the server's own certificate until it
    /// has signed, 1 to 2 KiB.
    ///
    /// Without a clock (`None`), certificates are looked at as of the day on which the server's own was
    /// issued: one that has expired is taken then. Learn the time over that connection, and connect again.
    pub fn new(anchors: &'a [&'a [u8]], unix_time_s: Option<u64>, leaf: &'a mut [u8]) -> Self {
        Self {
            anchors,
            unix_time_s,
            host: None,
            leaf,
            leaf_len: 0,
            transcript: None,
            outcome: Err(Fault::NoProof),
        }
    }

    /// Whether the server of the last handshake has proved who it is; why not, otherwise.
    ///
    /// To be asked after a handshake, also a successful one: a server that sends no certificate is not
    /// found out by the protocol.
    pub const fn outcome(&self) -> Result<(), Fault> {
        self.outcome
    }

    /// The certificates lead to a root, and are for this host; returns the server's own.
    fn check<'c>(&self, sent: &CertificateRef<'c>) -> Result<&'c [u8], Fault> {
        let mut certificates = sent.entries.iter().map(|entry| match entry {
            CertificateEntryRef::X509(der) => Ok(*der),
            CertificateEntryRef::RawPublicKey(_) => Err(Fault::Certificate),
        });
        let leaf = certificates.next().unwrap_or(Err(Fault::NoProof))?;
        let mut chain = Vec::<_, CHAIN_MAX>::new();
        for der in certificates {
            chain.push(CertificateDer::from(der?)).map_err(|_| Fault::Certificate)?;
        }
        let mut roots = Vec::<_, ANCHORS_MAX>::new();
        for der in self.anchors {
            roots.push(CertificateDer::from(*der)).map_err(|_| Fault::Anchors)?;
        }
        let mut anchors = Vec::<TrustAnchor<'_>, ANCHORS_MAX>::new();
        for root in &roots {
            let anchor = anchor_from_trusted_cert(root).map_err(|_| Fault::Anchors)?;
            anchors.push(anchor).map_err(|_| Fault::Anchors)?;
        }
        if anchors.is_empty() {
            return Err(Fault::Anchors);
        }
        let host = self.host.as_deref().ok_or(Fault::Host)?;
        let name = ServerName::try_from(host).map_err(|_| Fault::Host)?;
        let time = self.unix_time_s.or_else(|| not_before(leaf)).ok_or(Fault::Certificate)?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(time));
        let der = CertificateDer::from(leaf);
        let entity = EndEntityCert::try_from(&der)?;
        entity.verify_for_usage(
            curves::ALL,
            &anchors,
            &chain,
            time,
            KeyUsage::server_auth(),
            None,
            None,
        )?;
        entity.verify_is_valid_for_subject_name(&name)?;
        Ok(leaf)
    }

    fn keep(&mut self, leaf: &[u8]) -> Result<(), Fault> {
        let memory = self.leaf.get_mut(..leaf.len()).ok_or(Fault::LeafMemory(leaf.len()))?;
        memory.iter_mut().zip(leaf).for_each(|(to, from)| *to = *from);
        self.leaf_len = leaf.len();
        Ok(())
    }

    /// The signature is by the key of the certificate, over everything said so far.
    fn prove(&mut self, verify: &CertificateVerifyRef<'_>) -> Result<(), Fault> {
        let transcript = self.transcript.take().ok_or(Fault::NoProof)?;
        let leaf = self.leaf.get(..self.leaf_len).ok_or(Fault::NoProof)?;
        let mut signed = Vec::<u8, { SIGNED_FIRST.len() + HASH_MAX }>::new();
        let hash = transcript.finalize();
        let fits = signed.extend_from_slice(&SIGNED_FIRST);
        fits.and_then(|()| signed.extend_from_slice(&hash)).map_err(|_| Fault::Certificate)?;
        let scheme = verify.signature_scheme.as_u16();
        let algorithm = Ecdsa::of_scheme(scheme).ok_or(Fault::Algorithm)?;
        let der = CertificateDer::from(leaf);
        let entity = EndEntityCert::try_from(&der)?;
        entity.verify_signature(&algorithm, &signed, verify.signature)?;
        Ok(())
    }
}

impl<Suite: TlsCipherSuite> TlsVerifier<Suite> for Verifier<'_, Suite> {
    fn set_hostname_verification(&mut self, host: &str) -> Result<(), TlsError> {
        self.outcome = Err(Fault::NoProof);
        self.transcript = None;
        let host = ServerName::try_from(host).ok().and(String::try_from(host).ok());
        self.host = host;
        match self.host {
            Some(_) => Ok(()),
            None => {
                self.outcome = Err(Fault::Host);
                Err(TlsError::InsufficientSpace)
            }
        }
    }

    fn verify_certificate(
        &mut self,
        transcript: &Suite::Hash,
        sent: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        // Until the signature: a second certificate makes the first one count for nothing.
        self.outcome = Err(Fault::NoProof);
        self.transcript = None;
        let checked = self.check(&sent).and_then(|leaf| self.keep(leaf));
        match checked {
            Ok(()) => {
                self.transcript = Some(transcript.clone());
                Ok(())
            }
            Err(fault) => {
                self.outcome = Err(fault);
                Err(TlsError::InvalidCertificate)
            }
        }
    }

    fn verify_signature(&mut self, verify: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        self.outcome = self.prove(&verify);
        self.outcome.map_err(|_| TlsError::InvalidSignature)
    }
}

impl<Suite: TlsCipherSuite> fmt::Debug for Verifier<'_, Suite> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("host", &self.host)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<Suite: TlsCipherSuite> defmt::Format for Verifier<'_, Suite> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Verifier {{ host: {}, outcome: {} }}",
            self.host.as_deref(),
            self.outcome
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_tls::{Aes128GcmSha256, SignatureScheme};

    /// A server that leaves out its certificate, or the signature, or the host's name was never given.
    #[test]
    fn server_that_proves_nothing_is_not_believed() {
        let mut leaf = [0; 8];
        let mut verifier = Verifier::<Aes128GcmSha256>::new(&[], Some(0), &mut leaf);
        assert!(matches!(verifier.outcome(), Err(Fault::NoProof)));
        let transcript = sha2::Sha256::new();
        let sent = CertificateRef::with_context(&[]);
        assert!(verifier.verify_certificate(&transcript, sent).is_err());
        assert!(matches!(verifier.outcome(), Err(Fault::NoProof)));
        let mut sent = CertificateRef::with_context(&[]);
        sent.add(CertificateEntryRef::RawPublicKey(&[1])).unwrap();
        assert!(verifier.verify_certificate(&transcript, sent).is_err());
        assert!(matches!(verifier.outcome(), Err(Fault::Certificate)));
        let signature_scheme = SignatureScheme::EcdsaSecp256r1Sha256;
        let verify = CertificateVerifyRef { signature_scheme, signature: &[0; 70] };
        assert!(verifier.verify_signature(verify).is_err());
        assert!(matches!(verifier.outcome(), Err(Fault::NoProof)));
        assert!(verifier.set_hostname_verification(&"a".repeat(254)).is_err());
        assert!(matches!(verifier.outcome(), Err(Fault::Host)));
    }
}
