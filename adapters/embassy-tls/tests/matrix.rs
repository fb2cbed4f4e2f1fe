//! Who is believed and who is not: handshakes over real sockets with rustls on the other side.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use dunlin_embassy_tls::{Fault, FillRng, Identity, Opening, Verifier, open};
use embedded_io_adapters::tokio_1::FromTokio;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PublicKeyData as _, SignatureAlgorithm, date_time_ymd,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, version};

/// What the client believes the time to be: 2026-11-23.
const NOW: u64 = 1_795_392_000;

const HOST: &str = "iot.example";

/// Somebody who issues certificates: its own, in DER, and what it signs with.
struct Authority {
    der: Vec<u8>,
    params: CertificateParams,
    key: KeyPair,
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn server(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap()
}

impl Authority {
    fn root(algorithm: &'static SignatureAlgorithm) -> Self {
        let (params, key) = (ca("root"), KeyPair::generate_for(algorithm).unwrap());
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, params, key }
    }

    /// Has `params` signed by this one.
    fn issues(&self, params: CertificateParams, algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let der = self.signs(&params, &key);
        Self { der, params, key }
    }

    fn signs(&self, params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(key, &issuer).unwrap().der().to_vec()
    }
}

/// What a server shows, and what the client is told to expect.
struct Case {
    chain: Vec<Vec<u8>>,
    key: KeyPair,
    anchors: Vec<Vec<u8>>,
    host: &'static str,
    clock: Option<u64>,
}

impl Case {
    fn new(leaf: Authority, above: &[&Authority], root: &Authority) -> Self {
        let above = above.iter().map(|authority| authority.der.clone());
        Self {
            chain: [leaf.der].into_iter().chain(above).collect(),
            key: leaf.key,
            anchors: vec![root.der.clone()],
            host: HOST,
            clock: Some(NOW),
        }
    }

    /// A server's certificate, edited, right below the root.
    fn edited(edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let root = Authority::root(&PKCS_ECDSA_P256_SHA256);
        let mut params = server(&[HOST]);
        edit(&mut params);
        let leaf = root.issues(params, &PKCS_ECDSA_P256_SHA256);
        Self::new(leaf, &[], &root)
    }

    /// A server's certificate below an intermediate, edited.
    fn below(edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let root = Authority::root(&PKCS_ECDSA_P256_SHA256);
        let mut params = ca("intermediate");
        edit(&mut params);
        let middle = root.issues(params, &PKCS_ECDSA_P256_SHA256);
        let leaf = middle.issues(server(&[HOST]), &PKCS_ECDSA_P256_SHA256);
        Self::new(leaf, &[&middle], &root)
    }

    fn config(&self) -> ServerConfig {
        let chain = self.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let key = ring::sign::any_supported_type(&key).unwrap();
        // As it is: rustls would refuse some of these itself.
        let shown = Shown(Arc::new(CertifiedKey::new(chain, key)));
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown))
    }

    async fn outcome(&self) -> Result<(), Fault> {
        let anchors: Vec<&[u8]> = self.anchors.iter().map(Vec::as_slice).collect();
        let mut leaf = [0; 2_048];
        let mut verifier = Verifier::new(&anchors, self.clock, &mut leaf);
        let opening =
            Opening { host: self.host, alpn: &[], verifier: &mut verifier, identity: None };
        talk(self.config(), opening).await
    }
}

#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A handshake with a server of this configuration, and an echo over it.
async fn talk(config: ServerConfig, opening: Opening<'_, '_>) -> Result<(), Fault> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        // The client's refusal is an error here.
        let Ok(mut tls) = TlsAcceptor::from(Arc::new(config)).accept(socket).await else { return };
        let mut word = [0; 4];
        if tls.read_exact(&mut word).await.is_ok() {
            tls.write_all(&word).await.unwrap();
        }
    };
    let client = async {
        let socket = TcpStream::connect(address).await.unwrap();
        let (mut read, mut write) = (vec![0; 16_640], vec![0; 4_096]);
        let random = FillRng(|bytes: &mut [u8]| {
            ring::default_provider().secure_random.fill(bytes).unwrap();
        });
        let stream = FromTokio::new(socket);
        let mut tls = open(stream, &mut read, &mut write, random, opening).await?;
        tls.write(b"ping").await.map_err(Fault::Tls)?;
        tls.flush().await.map_err(Fault::Tls)?;
        let mut word = [0; 4];
        let len = tls.read(&mut word).await.map_err(Fault::Tls)?;
        assert_eq!(&word[..len], b"ping");
        Ok(())
    };
    let both = async { tokio::join!(client, serve).0 };
    timeout(Duration::from_secs(30), both).await.expect("a handshake ends")
}

async fn believed(what: &str, case: Case) {
    let outcome = case.outcome().await;
    assert!(outcome.is_ok(), "{what}: {outcome:?}");
}

/// The fault is this one, by name.
async fn refused(what: &str, case: Case, fault: &str) {
    let outcome = case.outcome().await.expect_err(what);
    assert!(format!("{outcome:?}").starts_with(fault), "{what}: {outcome:?}, not {fault}");
}

#[tokio::test]
async fn chain_to_a_pinned_root_is_believed() {
    believed("leaf below the root", Case::edited(|_| {})).await;
    believed("an intermediate", Case::below(|_| {})).await;
    for (root, middle, leaf) in [
        (&PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P256_SHA256),
        (&PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P384_SHA384),
        (&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P256_SHA256),
    ] {
        let root = Authority::root(root);
        let middle = root.issues(ca("intermediate"), middle);
        let leaf = middle.issues(server(&[HOST]), leaf);
        believed("curves mixed", Case::new(leaf, &[&middle], &root)).await;
    }
    // One of several roots, and what does not belong to the chain beside it.
    let root = Authority::root(&PKCS_ECDSA_P256_SHA256);
    let other = Authority::root(&PKCS_ECDSA_P256_SHA256);
    let leaf = root.issues(server(&[HOST]), &PKCS_ECDSA_P256_SHA256);
    let mut case = Case::new(leaf, &[&other, &root], &other);
    case.anchors.push(root.der);
    believed("the second of two roots", case).await;
}

/// As AWS sends it: the new root, signed by an old one that nobody has to know.
#[tokio::test]
async fn cross_signed_chain_is_believed_with_the_new_root_pinned() {
    let old = Authority::root(&PKCS_ECDSA_P384_SHA384);
    let new = Authority::root(&PKCS_ECDSA_P256_SHA256);
    let crossed = Authority {
        der: old.signs(&new.params, &new.key),
        params: new.params.clone(),
        key: KeyPair::generate().unwrap(),
    };
    assert_ne!(new.key.der_bytes(), crossed.key.der_bytes());
    let middle = new.issues(ca("intermediate"), &PKCS_ECDSA_P256_SHA256);
    let leaf = middle.issues(server(&[HOST]), &PKCS_ECDSA_P256_SHA256);
    believed("new root", Case::new(leaf, &[&middle, &crossed], &new)).await;
    let leaf = middle.issues(server(&[HOST]), &PKCS_ECDSA_P256_SHA256);
    believed("old root", Case::new(leaf, &[&middle, &crossed], &old)).await;
}

#[tokio::test]
async fn chain_that_leads_nowhere_is_refused() {
    let mut case = Case::below(|_| {});
    case.chain.pop();
    refused("no intermediate", case, "UnknownIssuer").await;
    let mut case = Case::below(|_| {});
    case.anchors = vec![Authority::root(&PKCS_ECDSA_P256_SHA256).der];
    refused("another root", case, "").await;
    let mut case = Case::edited(|_| {});
    let own = server(&[HOST]).self_signed(&case.key).unwrap().der().to_vec();
    case.chain = vec![own];
    refused("self-signed", case, "UnknownIssuer").await;
    // Its signature broken at its last byte.
    let mut case = Case::edited(|_| {});
    *case.chain[0].last_mut().unwrap() ^= 1;
    refused("forged", case, "").await;
}

#[tokio::test]
async fn certificate_for_another_use_is_refused() {
    let root = Authority::root(&PKCS_ECDSA_P256_SHA256);
    let leaf = root.issues(server(&["other.example"]), &PKCS_ECDSA_P256_SHA256);
    let below = leaf.issues(server(&[HOST]), &PKCS_ECDSA_P256_SHA256);
    refused("signed by what is no CA", Case::new(below, &[&leaf], &root), "Usage").await;
    let not_a_ca = |params: &mut CertificateParams| params.is_ca = IsCa::ExplicitNoCa;
    refused("signed by CA:FALSE", Case::below(not_a_ca), "Usage").await;
    let for_clients = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    refused("clientAuth alone", Case::edited(for_clients), "Usage").await;
    let for_both = |params: &mut CertificateParams| {
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    };
    believed("clientAuth and serverAuth", Case::edited(for_both)).await;
    let is_a_ca = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    refused("a CA as a server", Case::edited(is_a_ca), "Usage").await;
    let elsewhere = |params: &mut CertificateParams| {
        let permitted = vec![GeneralSubtree::DnsName("elsewhere.example".to_owned())];
        let constraints =
            NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() };
        params.name_constraints = Some(constraints);
    };
    refused("a CA for other names", Case::below(elsewhere), "Usage").await;
    let mut params = ca("short");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = root.issues(params, &PKCS_ECDSA_P256_SHA256);
    let middle = short.issues(ca("too deep"), &PKCS_ECDSA_P256_SHA256);
    let leaf = middle.issues(server(&[HOST]), &PKCS_ECDSA_P256_SHA256);
    refused("a path too long", Case::new(leaf, &[&middle, &short], &root), "Usage").await;
}

#[tokio::test]
async fn certificate_for_another_host_is_refused() {
    for (names, host, matches) in [
        (&["iot.example"][..], "iot.example", true),
        (&["iot.example"], "IOT.Example", true),
        (&["other.example"], HOST, false),
        (&["iot.example.com"], HOST, false),
        (&["a.example", "iot.example"], HOST, true),
        (&["*.iot.example"], "a.iot.example", true),
        (&["*.iot.example"], "a.b.iot.example", false),
        (&["*.iot.example"], HOST, false),
        (&["127.0.0.1"], "127.0.0.1", true),
        (&["127.0.0.1"], "127.0.0.2", false),
        (&["iot.example"], "127.0.0.1", false),
        (&[], HOST, false),
    ] {
        let mut case = Case::edited(|params| {
            *params = server(names);
            // A name that counts for nothing.
            params.distinguished_name.push(DnType::CommonName, HOST);
        });
        case.host = host;
        let what = format!("{names:?} for {host}");
        if matches {
            believed(&what, case).await;
        } else {
            refused(&what, case, "WrongHost").await;
        }
    }
    for host in ["", "not a host", "a..b"] {
        let mut case = Case::edited(|_| {});
        case.host = host;
        refused(host, case, "Host").await;
    }
}

#[tokio::test]
async fn time_counts_where_there_is_a_clock() {
    let over = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2025, 1, 1);
    };
    let ahead = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2051, 1, 1);
    };
    refused("expired", Case::edited(over), "Expired").await;
    refused("not yet valid", Case::edited(ahead), "NotYetValid").await;
    refused("an intermediate that has expired", Case::below(over), "").await;
    for edit in [over, ahead] {
        let without_a_clock = Case { clock: None, ..Case::edited(edit) };
        believed("without a clock", without_a_clock).await;
    }
    let epoch = Case { clock: Some(0), ..Case::edited(ahead) };
    refused("a clock that was never set", epoch, "NotYetValid").await;
    // What is issued after the century's middle has its time in another form.
    let far = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2055, 1, 1);
        params.not_after = date_time_ymd(2056, 1, 1);
    };
    believed("far ahead", Case { clock: None, ..Case::edited(far) }).await;
}

#[tokio::test]
async fn server_that_has_not_the_key_is_refused() {
    let mut case = Case::edited(|_| {});
    case.key = KeyPair::generate().unwrap();
    refused("another key", case, "Certificate").await;
    let root = Authority::root(&PKCS_ECDSA_P256_SHA256);
    let leaf = root.issues(server(&[HOST]), &PKCS_ED25519);
    refused("a curve that is not spoken", Case::new(leaf, &[], &root), "Algorithm").await;
}

#[tokio::test]
async fn what_the_program_got_wrong_is_named() {
    let root = Authority::root(&PKCS_ECDSA_P256_SHA256);
    let anchors = |anchors: &[&[u8]]| {
        let mut case = Case::edited(|_| {});
        case.anchors = anchors.iter().map(|der| der.to_vec()).collect();
        case
    };
    refused("no root", anchors(&[]), "Anchors").await;
    refused("a root that is none", anchors(&[b"-----BEGIN CERTIFICATE-----"]), "Anchors").await;
    refused("five roots", anchors(&[root.der.as_slice(); 5]), "Anchors").await;
    let case = Case::edited(|_| {});
    let mut leaf = [0; 64];
    let pinned = [case.anchors[0].as_slice()];
    let mut verifier = Verifier::new(&pinned, Some(NOW), &mut leaf);
    let opening = Opening { host: HOST, alpn: &[], verifier: &mut verifier, identity: None };
    let small = talk(case.config(), opening).await;
    let len = case.chain[0].len();
    assert!(matches!(small, Err(Fault::LeafMemory(needed)) if needed == len), "{small:?}");
    assert!(matches!(verifier.outcome(), Err(Fault::LeafMemory(_))));
}

/// RFC 7301: one of those that were offered, or none.
#[tokio::test]
async fn protocol_that_is_offered_is_agreed_upon() {
    let case = Case::edited(|_| {});
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(case.config().cert_resolver);
    config.alpn_protocols = vec![b"x-amzn-mqtt-ca".to_vec()];
    let pinned = [case.anchors[0].as_slice()];
    for (alpn, works) in [(&[b"x-amzn-mqtt-ca".as_slice()][..], true), (&[b"other"], false)] {
        let mut leaf = [0; 2_048];
        let mut verifier = Verifier::new(&pinned, Some(NOW), &mut leaf);
        let opening = Opening { host: HOST, alpn, verifier: &mut verifier, identity: None };
        let outcome = talk(config.clone(), opening).await;
        assert_eq!(outcome.is_ok(), works, "{outcome:?}");
    }
}

/// Mutual TLS, as AWS IoT Core wants it on port 8883.
#[tokio::test]
async fn client_proves_who_it_is_when_it_is_asked() {
    let case = Case::edited(|_| {});
    let root = Authority::root(&PKCS_ECDSA_P256_SHA256);
    let device = root.issues(server(&["device"]), &PKCS_ECDSA_P256_SHA256);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.der)).unwrap();
    let provider = Arc::new(ring::default_provider());
    let asked = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(asked.build().unwrap())
        .with_cert_resolver(case.config().cert_resolver);
    // The scalar stands behind this in PKCS #8 (RFC 5915 §3).
    let pkcs8 = device.key.serialize_der();
    let at = pkcs8.windows(4).position(|four| four == [1, 1, 4, 32]).unwrap() + 4;
    let identity = Identity::new(&device.der, pkcs8[at..at + 32].try_into().unwrap()).unwrap();
    let stranger = Identity::new(&device.der, &[7; 32]).unwrap();
    let pinned = [case.anchors[0].as_slice()];
    for (identity, works) in [(Some(&identity), true), (Some(&stranger), false), (None, false)] {
        let mut leaf = [0; 2_048];
        let mut verifier = Verifier::new(&pinned, Some(NOW), &mut leaf);
        let opening = Opening { host: HOST, alpn: &[], verifier: &mut verifier, identity };
        let outcome = talk(config.clone(), opening).await;
        assert_eq!(outcome.is_ok(), works, "{outcome:?}");
    }
}
