//! Whom to trust, and the TLS handshake: rustls with ring, TLS 1.2 and 1.3.
//!
//! There is no way to switch verification off or to leave the name unchecked.

use core::error::Error;
use core::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::connect_error::ConnectError;
use crate::url::Url;

/// Largest CA file that is read: many times what a system trusts as a whole (about 250 KB).
const CA_FILE_MAX: u64 = 16 * 1024 * 1024;

/// Longest ALPN protocol name (RFC 7301 §3.1).
const ALPN_NAME_MAX: usize = 255;

/// How to do TLS: which CAs to trust, as whom to appear, and which protocols to offer.
///
/// Make it once and keep it over reconnects: clones share one store of session tickets, so that a
/// reconnect resumes its TLS session (RFC 8446 §2.2). The default trusts what the platform trusts.
#[derive(Clone, Default)]
pub struct TlsOptions {
    /// Empty until the first handshake when the platform's CAs are meant: loading them is slow, and
    /// a URL without TLS has no use for them.
    config: Arc<OnceLock<Arc<ClientConfig>>>,
    alpn: Vec<Vec<u8>>,
    /// Waits for the platform's configuration, too.
    client: Option<Arc<dyn ResolvesClientCert>>,
}

impl TlsOptions {
    /// Trusts the CAs that the platform trusts; they are loaded at the first handshake.
    ///
    /// Where these are files, `SSL_CERT_FILE` and `SSL_CERT_DIR` say which.
    pub fn platform() -> Self {
        Self::default()
    }

    /// Trusts the CAs in a PEM file, and no others: the platform's are left out.
    ///
    /// Reads the file now, blocking.
    pub fn ca_file(path: impl AsRef<Path>) -> Result<Self, TlsOptionsError> {
        let path = path.as_ref();
        let file = |source| TlsOptionsError::File { path: path.into(), source };
        let mut pem = Vec::new();
        let read = File::open(path).map_err(file)?.take(CA_FILE_MAX).read_to_end(&mut pem);
        if u64::try_from(read.map_err(file)?) == Ok(CA_FILE_MAX) {
            return Err(file(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large")));
        }
        Self::ca_pem(&pem)
    }

    /// Trusts the CAs in a PEM text, and no others: the platform's are left out.
    pub fn ca_pem(pem: &[u8]) -> Result<Self, TlsOptionsError> {
        let roots = roots_of(pem)?;
        let builder = builder().map_err(|source| TlsOptionsError::Provider { source })?;
        Ok(Self::config(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }

    /// Does as a configuration of rustls 0.23 says: for keys in hardware, pinning and the like.
    pub fn config(config: Arc<ClientConfig>) -> Self {
        let alpn = config.alpn_protocols.clone();
        Self { config: Arc::new(OnceLock::from(config)), alpn, client: None }
    }

    /// Shows this certificate to a server that asks for one, and proves it with its key.
    ///
    /// `chain` is a PEM text with the client's certificate first and then those that lead to the
    /// CA, `key` one with the private key. AWS IoT wants it for mqtts.
    pub fn with_client_certificate(
        self,
        chain: &[u8],
        key: &[u8],
    ) -> Result<Self, TlsOptionsError> {
        let client = client_certificate(chain, key)
            .map_err(|source| TlsOptionsError::ClientCertificate { source })?;
        Ok(Self { client: Some(client), ..self }.rebuilt())
    }

    /// Offers these protocols, best first, in place of any offered before (RFC 7301).
    ///
    /// Brokers rarely ask for it; AWS IoT does on port 443 without WebSocket.
    pub fn with_alpn(self, protocols: &[&str]) -> Result<Self, TlsOptionsError> {
        if protocols.iter().any(|name| name.is_empty() || name.len() > ALPN_NAME_MAX) {
            return Err(TlsOptionsError::Alpn);
        }
        let alpn: Vec<Vec<u8>> = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self { alpn, ..self }.rebuilt())
    }

    /// Whether a server that asks for a certificate gets one.
    pub(crate) fn shows_certificate(&self) -> bool {
        let has_one = |config: &Arc<ClientConfig>| config.client_auth_cert_resolver.has_certs();
        self.client.is_some() || self.config.get().is_some_and(has_one)
    }

    /// Whether any protocol is offered.
    #[cfg(feature = "aws")]
    pub(crate) const fn offers_alpn(&self) -> bool {
        !self.alpn.is_empty()
    }

    /// After a change; the configuration that is there may be another's as well.
    fn rebuilt(self) -> Self {
        let config = match self.config.get() {
            Some(built) => OnceLock::from(self.with_wishes(ClientConfig::clone(built))),
            None => OnceLock::new(),
        };
        Self { config: Arc::new(config), ..self }
    }

    fn with_wishes(&self, mut config: ClientConfig) -> Arc<ClientConfig> {
        config.alpn_protocols.clone_from(&self.alpn);
        if let Some(client) = &self.client {
            config.client_auth_cert_resolver = Arc::clone(client);
        }
        Arc::new(config)
    }

    /// The configuration, built at the first call that succeeds.
    async fn ready(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let loaded = spawn_blocking(platform_config).await.map_err(io::Error::other)??;
        Ok(Arc::clone(self.config.get_or_init(|| self.with_wishes(loaded))))
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions").field("alpn", &self.alpn).finish_non_exhaustive()
    }
}

/// Options that cannot work. Whoever chose them is at fault; nothing has been sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsOptionsError {
    /// The CA file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text starts like PEM and does not end like it.
    Pem {
        /// What the parser said.
        source: io::Error,
    },
    /// The text holds no certificate.
    NoCertificate,
    /// A certificate in the text is malformed.
    Certificate {
        /// What rustls said.
        source: io::Error,
    },
    /// The client's certificate or key is missing, damaged, or not a pair.
    ClientCertificate {
        /// What rustls said.
        source: io::Error,
    },
    /// An ALPN name is empty or longer than 255 bytes.
    Alpn,
    /// The provider of cryptography has no TLS version in common with rustls.
    Provider {
        /// What rustls said.
        source: io::Error,
    },
}

impl fmt::Display for TlsOptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => {
                let path = path.display();
                write!(f, "cannot read the CA file {path} ({source}): check path and permissions")
            }
            Self::Pem { .. } => f.write_str("the CA's PEM text is damaged: copy it again, whole"),
            Self::NoCertificate => f.write_str(
                "the CA's PEM text holds no certificate: it must have a BEGIN CERTIFICATE line \
                 (convert DER with `openssl x509 -inform der`)",
            ),
            Self::Certificate { .. } => {
                f.write_str("a certificate in the CA's PEM text is malformed: export it again")
            }
            Self::ClientCertificate { source } => write!(
                f,
                "the client's certificate or key cannot be used ({source}): both must be whole PEM \
                 texts, and the key that of the first certificate"
            ),
            Self::Alpn => f.write_str("an ALPN name must have 1 to 255 bytes: shorten or drop it"),
            Self::Provider { .. } => {
                f.write_str("TLS cannot be set up with this build's cryptography: rebuild Dunlin")
            }
        }
    }
}

impl Error for TlsOptionsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File { source, .. }
            | Self::Pem { source }
            | Self::Certificate { source }
            | Self::ClientCertificate { source }
            | Self::Provider { source } => Some(source),
            Self::NoCertificate | Self::Alpn => None,
        }
    }
}

/// Runs the client's side of a handshake; the name to prove is the URL's host, and so is the SNI.
///
/// Has no deadline of its own: drop it when the time is up.
pub(crate) async fn handshake(
    stream: TcpStream,
    url: &Url,
    options: &TlsOptions,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let config = options.ready().await.map_err(|source| ConnectError::PlatformRoots { source })?;
    let name = url.server_name().clone();
    let handshake = TlsConnector::from(config).connect(name, stream);
    handshake.await.map_err(|source| ConnectError::tls(url, options, source))
}

fn builder() -> io::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)
}

fn client_certificate(chain: &[u8], key: &[u8]) -> io::Result<Arc<dyn ResolvesClientCert>> {
    // What the parser says quotes the text, which may be the key's.
    let unreadable = |error| match error {
        pem::Error::NoItemsFound => io::Error::new(io::ErrorKind::NotFound, "it is not there"),
        _ => io::Error::new(io::ErrorKind::InvalidData, "it is damaged"),
    };
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(unreadable)?;
    if chain.is_empty() {
        return Err(unreadable(pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(unreadable)?;
    let provider = rustls::crypto::ring::default_provider();
    let certified = CertifiedKey::from_der(chain, key, &provider)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

fn roots_of(pem: &[u8]) -> Result<RootCertStore, TlsOptionsError> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate
            .map_err(|error| TlsOptionsError::Pem { source: io::Error::other(error) })?;
        let added = roots.add(certificate);
        added.map_err(|error| TlsOptionsError::Certificate { source: invalid(error) })?;
    }
    if roots.is_empty() { Err(TlsOptionsError::NoCertificate) } else { Ok(roots) }
}

/// Trust in the CA files of the system.
///
/// This is all that rustls-platform-verifier does here, less its log of the peer's certificates.
#[cfg(not(any(target_vendor = "apple", windows, target_os = "android")))]
fn platform_config() -> io::Result<ClientConfig> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system's store may hold relics that cannot be parsed; one of them must not cost the rest.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let none = || io::Error::new(io::ErrorKind::NotFound, "no CA certificate was found");
        return Err(found.errors.into_iter().next().map_or_else(none, io::Error::other));
    }
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// Trust as the system itself decides it.
#[cfg(any(target_vendor = "apple", windows, target_os = "android"))]
fn platform_config() -> io::Result<ClientConfig> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let builder = builder()?.with_platform_verifier().map_err(io::Error::other)?;
    Ok(builder.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ca_pem() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new([]).unwrap();
        parameters.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn ca_pem_becomes_the_only_roots() {
        let text = format!("comment\n{}{}", ca_pem(), ca_pem());
        assert_eq!(roots_of(text.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn ca_pem_without_a_certificate_is_refused() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for text in ["", "no PEM at all\n", key.as_str(), "\0\0\0"] {
            let error = TlsOptions::ca_pem(text.as_bytes()).unwrap_err();
            assert!(matches!(error, TlsOptionsError::NoCertificate), "{text:?}: {error:?}");
        }
    }

    #[test]
    fn ca_pem_damaged_is_refused() {
        let whole = ca_pem();
        let (_, without_begin) = whole.split_once('\n').unwrap();
        let without_end = whole.split("-----END").next().unwrap();
        let error = TlsOptions::ca_pem(without_end.as_bytes()).unwrap_err();
        assert!(matches!(error, TlsOptionsError::Pem { .. }), "{error:?}");
        let error = TlsOptions::ca_pem(without_begin.as_bytes()).unwrap_err();
        assert!(matches!(error, TlsOptionsError::NoCertificate), "{error:?}");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in [garbage.to_owned(), format!("{whole}{garbage}")] {
            let error = TlsOptions::ca_pem(text.as_bytes()).unwrap_err();
            assert!(matches!(error, TlsOptionsError::Certificate { .. }), "{error:?}");
            assert!(error.source().is_some());
        }
    }

    #[test]
    fn ca_file_missing_is_refused_with_its_path() {
        let error = TlsOptions::ca_file("no/such/ca.pem").unwrap_err();
        assert!(matches!(error, TlsOptionsError::File { .. }), "{error:?}");
        assert!(error.to_string().contains("no/such/ca.pem"));
    }

    /// An endless file ends at the limit.
    #[cfg(unix)]
    #[test]
    fn ca_file_without_end_is_refused() {
        let error = TlsOptions::ca_file("/dev/zero").unwrap_err();
        assert!(matches!(error, TlsOptionsError::File { .. }), "{error:?}");
    }

    #[test]
    fn alpn_empty_or_too_long_is_refused() {
        let longest = "a".repeat(255);
        let options = TlsOptions::platform().with_alpn(&["mqtt", &longest]).unwrap();
        assert_eq!(options.alpn, [b"mqtt".to_vec(), longest.clone().into_bytes()]);
        for name in [String::new(), longest + "a"] {
            let error = TlsOptions::platform().with_alpn(&["mqtt", &name]).unwrap_err();
            assert!(matches!(error, TlsOptionsError::Alpn));
        }
    }

    #[tokio::test]
    async fn alpn_changes_a_configuration_that_is_built() {
        let options = TlsOptions::ca_pem(ca_pem().as_bytes()).unwrap();
        let before = options.ready().await.unwrap();
        let changed = options.clone().with_alpn(&["mqtt"]).unwrap().ready().await.unwrap();
        assert_eq!(changed.alpn_protocols, [b"mqtt"]);
        assert!(before.alpn_protocols.is_empty());
    }

    /// A machine without any CA has no such configuration.
    #[tokio::test]
    async fn alpn_goes_into_the_configuration_of_the_platform() {
        match TlsOptions::platform().with_alpn(&["mqtt"]).unwrap().ready().await {
            Ok(config) => assert_eq!(config.alpn_protocols, [b"mqtt"]),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
        }
    }

    #[tokio::test]
    async fn configuration_is_built_once_and_shared_by_clones() {
        let options = TlsOptions::ca_pem(ca_pem().as_bytes()).unwrap();
        let clone = options.clone();
        let (first, second) = (options.ready().await.unwrap(), clone.ready().await.unwrap());
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn client_certificate_must_fit_its_key() {
        let signed = || {
            let key = rcgen::KeyPair::generate().unwrap();
            let parameters = rcgen::CertificateParams::new([]).unwrap();
            (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
        };
        let ((chain, key), (_, other)) = (signed(), signed());
        let with = |chain: &str, key: &str| {
            TlsOptions::platform().with_client_certificate(chain.as_bytes(), key.as_bytes())
        };
        with(&chain, &key).unwrap();
        let half = key.split("-----END").next().unwrap();
        let secret = key.lines().nth(1).unwrap();
        for (chain, key) in
            [(&*chain, &*other), (&chain, ""), ("", &key), (&chain, half), (&chain, secret)]
        {
            let error = with(chain, key).unwrap_err();
            assert!(matches!(error, TlsOptionsError::ClientCertificate { .. }), "{error:?}");
            assert!(!format!("{error:?} {error}").contains(secret));
        }
    }

    #[test]
    fn options_error_displayed_is_one_line_of_advice() {
        let io = || io::Error::other("cause");
        for error in [
            TlsOptionsError::File { path: "ca.pem".into(), source: io() },
            TlsOptionsError::Pem { source: io() },
            TlsOptionsError::NoCertificate,
            TlsOptionsError::Certificate { source: io() },
            TlsOptionsError::ClientCertificate { source: io() },
            TlsOptionsError::Alpn,
            TlsOptionsError::Provider { source: io() },
        ] {
            let text = error.to_string();
            assert!(text.contains(": ") && !text.contains('\n') && !text.contains("  "), "{text}");
        }
    }
}
