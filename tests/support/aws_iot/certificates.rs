//! A CA of its own, and the certificates under it: the gateway's, and a client's.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::quirks::{Certificate, TlsVersions};

/// The ALPN names by which AWS IoT Core tells on port 443 what is meant ("Device communication
/// protocols", AWS IoT developer guide): X.509, a custom authorizer, and HTTP.
pub(super) const ALPN_X509: &[u8] = b"x-amzn-mqtt-ca";
pub(super) const ALPN_AUTHORIZER: &[u8] = b"mqtt";
const ALPN_HTTP: &[u8] = b"http/1.1";
/// So many names make a certificate longer than a TLS record of 16 KiB (RFC 8446 §5.1).
const NAMES_OF_A_LARGE_ONE: usize = 700;

/// What the gateway shows, and what its clients need to trust it, or to be trusted.
pub(super) struct Certificates {
    pub(super) ca_pem: String,
    pub(super) client: ClientCertificate,
    pub(super) server: Arc<ServerConfig>,
}

/// A certificate under the gateway's CA, with its key.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate as PEM.
    pub chain_pem: String,
    /// The private key as PEM.
    pub key_pem: String,
}

impl Certificates {
    /// Makes all anew, with every field that strict clients look for (RFC 5280 §4.2.1).
    pub(super) fn new(kind: Certificate, tls: TlsVersions) -> Self {
        let mut params = named("Dunlin test CA", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, key()).expect("a CA");

        let leaf_key = key();
        let leaf = leaf(kind).signed_by(&leaf_key, &ca).expect("a certificate");
        let client_key = key();
        let mut params = named("A device", &[]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = params.signed_by(&client_key, &ca).expect("a certificate");
        let client =
            ClientCertificate { chain_pem: client.pem(), key_pem: client_key.serialize_pem() };

        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).expect("a CA's certificate");
        let private = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(tls))
            .expect("versions that ring has suites for")
            .with_client_cert_verifier(verifier(roots, provider))
            .with_single_cert(vec![leaf.der().clone()], private.into())
            .expect("a certificate with its key");
        server.alpn_protocols = [ALPN_X509, ALPN_AUTHORIZER, ALPN_HTTP].map(<[u8]>::to_vec).into();
        Self { ca_pem: ca.pem(), client, server: Arc::new(server) }
    }
}

fn versions(tls: TlsVersions) -> Vec<&'static SupportedProtocolVersion> {
    match tls {
        TlsVersions::Both => vec![&TLS13, &TLS12],
        TlsVersions::Tls12 => vec![&TLS12],
    }
}

/// Asks for a certificate, and lets those through that have none.
fn verifier(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Arc<dyn tokio_rustls::rustls::server::danger::ClientCertVerifier> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .expect("a CA")
}

fn leaf(kind: Certificate) -> CertificateParams {
    let mut params = match kind {
        Certificate::Right | Certificate::Expired => {
            named("localhost", &["localhost", "127.0.0.1"])
        }
        Certificate::WrongName => named("elsewhere.example", &["elsewhere.example"]),
        Certificate::Large => {
            let many =
                (0..NAMES_OF_A_LARGE_ONE).map(|number| format!("name-{number}.large.example"));
            let names: Vec<String> = ["localhost".to_owned()].into_iter().chain(many).collect();
            named("localhost", &names.iter().map(String::as_str).collect::<Vec<_>>())
        }
    };
    if kind == Certificate::Expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key pair")
}

fn named(common_name: &str, alternatives: &[&str]) -> CertificateParams {
    let alternatives: Vec<String> = alternatives.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(alternatives).expect("names");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
