//! A CA of its own, and the gateway's certificate under it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// What the gateway shows, and what its clients need to trust it.
pub(super) struct Certificates {
    pub(super) ca_pem: String,
    pub(super) server: Arc<ServerConfig>,
}

impl Certificates {
    /// Makes both anew, with every field that strict clients look for (RFC 5280 §4.2.1).
    pub(super) fn new() -> Self {
        let mut params = named("Dunlin test CA", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, key()).expect("a CA");

        let mut params = named("localhost", &["localhost", "127.0.0.1"]);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf_key = key();
        let leaf = params.signed_by(&leaf_key, &ca).expect("a certificate");

        let private = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], private.into())
            .expect("a certificate with its key");
        Self { ca_pem: ca.pem(), server: Arc::new(server) }
    }
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
