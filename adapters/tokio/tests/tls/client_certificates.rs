//! Servers that want to know who the client is.

use super::{AMPLE, Authority, assert_echoes, echo, open, private, ring};
use dunlin_tokio::{Client, ConnectError, Error, Options, TlsFault, TlsOptions};
use embedded_io_async::Read;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

/// A server that demands a certificate of its own CA, and takes its own for one.
struct Demanding {
    port: u16,
    chain: String,
    key: String,
}

impl Demanding {
    fn start(ca: &Authority, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let root = CertificateDer::from_pem_slice(ca.pem.as_bytes()).unwrap();
        let mut trusted = RootCertStore::empty();
        trusted.add(root).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(trusted.into(), ring());
        let (certificate, key) = pair(ca);
        let mut config = ServerConfig::builder_with_provider(ring())
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![certificate.der().clone()], private(&key))
            .unwrap();
        config.alpn_protocols = vec![b"mqtt".to_vec()];
        let (chain, key) = (certificate.pem(), key.serialize_pem());
        Self { port: echo(config).0, chain, key }
    }
}

/// A certificate for this host, and its key.
fn pair(ca: &Authority) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(["localhost".into()]).unwrap();
    (parameters.signed_by(&key, &ca.issuer).unwrap(), key)
}

#[tokio::test]
async fn client_certificate_opens_a_server_that_demands_one() {
    let ca = Authority::new();
    let server = Demanding::start(&ca, &[&TLS13, &TLS12]);
    let shown = |options: TlsOptions| {
        let (chain, key) = (server.chain.as_bytes(), server.key.as_bytes());
        options.with_client_certificate(chain, key).unwrap()
    };
    let offer = |options: TlsOptions| options.with_alpn(&["mqtt"]).unwrap();
    for options in [offer(shown(ca.options())), shown(offer(ca.options()))] {
        let (mut read, mut write) = open("localhost", server.port, &options, AMPLE).await.unwrap();
        assert_echoes(&mut read, &mut write, b"ping").await;
    }
}

/// With TLS 1.3 a server judges the certificate when the client's handshake is over already.
#[tokio::test]
async fn refusal_comes_behind_the_handshake_in_tls_1_3() {
    let ca = Authority::new();
    let server = Demanding::start(&ca, &[&TLS13]);
    let opened = open("localhost", server.port, &ca.options(), AMPLE).await;
    let (mut read, _write) = opened.unwrap();
    let error = read.read(&mut [0; 8]).await.expect_err("an alert").to_string();
    assert!(error.contains("CertificateRequired"), "{error}");
}

/// Whenever the server says it: inside the handshake, or when it is over here.
#[tokio::test]
async fn client_certificate_that_is_missing_or_strange_is_told_with_the_next_step() {
    let (ca, stranger) = (Authority::new(), Authority::named("Somebody else's CA"));
    let (chain, key) = pair(&stranger);
    let (chain, key) = (chain.pem(), key.serialize_pem());
    let strange = ca.options().with_client_certificate(chain.as_bytes(), key.as_bytes()).unwrap();
    for version in [&TLS12, &TLS13] {
        let port = Demanding::start(&ca, &[version]).port;
        for (tls, expected, words) in [
            (ca.options(), TlsFault::NoClientCertificate, "--cert FILE --key FILE"),
            (strange.clone(), TlsFault::ClientCertificate, "trusts the CA it comes from"),
        ] {
            for scheme in ["mqtts", "wss"] {
                let options = Options::parse(&format!("{scheme}://localhost:{port}")).unwrap();
                let options = options.tls(tls.clone());
                let probed = options.probe().await.expect_err("a refusal");
                let connected = Client::connect(options).await.expect_err("a refusal");
                let Error::Connect(connected) = connected else { panic!("{connected:?}") };
                for error in [&probed, &*connected] {
                    let text = error.to_string();
                    let ConnectError::Tls { fault, .. } = error else { panic!("{error:?}") };
                    assert_eq!(*fault, expected, "{version:?} {scheme}");
                    assert!(text.contains(words) && !text.contains('\n'), "{text}");
                }
            }
        }
    }
}
