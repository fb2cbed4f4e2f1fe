//! Configurations of the program's own, chains, and the older TLS.

use super::*;
use rustls::ClientConfig;
use rustls::RootCertStore;

/// A configuration of the program's own decides, and stays as it is when more is wished for.
#[tokio::test]
async fn configuration_of_the_caller_decides_whom_to_trust() {
    let (ca, other) = (Authority::new(), Authority::named("Somebody else's CA"));
    let config = |authority: &Authority| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(ring());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    };
    let mut server = ca.server(&["localhost"], |_| {});
    server.alpn_protocols = vec![b"mqtt".to_vec()];
    let (port, _) = echo(server);
    let own = config(&ca);
    let options = TlsOptions::config(Arc::clone(&own));
    let wishes = options.clone().with_alpn(&["mqtt"]).unwrap();
    for options in [options, wishes] {
        let (mut read, mut write) = open("localhost", port, &options, AMPLE).await.unwrap();
        assert_echoes(&mut read, &mut write, b"ping").await;
    }
    assert!(own.alpn_protocols.is_empty(), "the caller's own is not touched");
    let stranger = TlsOptions::config(config(&other));
    assert_eq!(fault("localhost", port, &stranger).await, TlsFault::UnknownCa);
}

/// What lies between a CA and a server, the server has to send.
#[tokio::test]
async fn certificate_of_an_intermediate_ca_needs_its_chain() {
    let ca = Authority::new();
    let middle_key = KeyPair::generate().unwrap();
    let mut middle = CertificateParams::new([]).unwrap();
    middle.distinguished_name.push(DnType::CommonName, "Between");
    middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let middle_certificate = middle.signed_by(&middle_key, &ca.issuer).unwrap();
    let issuer = Issuer::new(middle, middle_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".into()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let server = |chain: Vec<CertificateDer<'static>>| {
        let builder = ServerConfig::builder_with_provider(ring());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        builder.with_no_client_auth().with_single_cert(chain, private(&key)).unwrap()
    };
    let whole = vec![leaf.der().clone(), middle_certificate.der().clone()];
    let (port, _) = echo(server(whole));
    open("localhost", port, &ca.options(), AMPLE).await.unwrap();
    let (port, _) = echo(server(vec![leaf.der().clone()]));
    assert_eq!(fault("localhost", port, &ca.options()).await, TlsFault::UnknownCa);
}

#[tokio::test]
async fn server_of_tls_1_2_is_spoken_with() {
    let ca = Authority::new();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".into()]).unwrap();
    let leaf = leaf.signed_by(&key, &ca.issuer).unwrap();
    let builder = ServerConfig::builder_with_provider(ring());
    let config = builder.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
    let config = config.with_no_client_auth();
    let config = config.with_single_cert(vec![leaf.der().clone()], private(&key)).unwrap();
    let (port, _) = echo(config);
    let (mut read, mut write) = open("localhost", port, &ca.options(), AMPLE).await.unwrap();
    assert_echoes(&mut read, &mut write, b"ping").await;
    drop((read, write));
    let stranger = Authority::named("Somebody else's CA");
    assert_eq!(fault("localhost", port, &stranger.options()).await, TlsFault::UnknownCa);
}
