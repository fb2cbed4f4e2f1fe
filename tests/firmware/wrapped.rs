//! TLS on behalf of a broker that has none: who it is, an intermediate of a root of its own says.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A server of TLS in front of another one.
#[derive(Debug)]
pub(crate) struct Wrapped {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its root, in DER.
    pub(crate) root: Vec<u8>,
    admitted: Arc<AtomicUsize>,
}

impl Wrapped {
    /// Passes what comes by TLS on to `broker`, with a certificate for `name`.
    pub(crate) async fn listen(broker: SocketAddr, name: &str) -> Self {
        let (root, config) = certify(name);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let admitted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&admitted);
        tokio::spawn(async move {
            while let Ok((bare, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut tls = acceptor.accept(bare).await?;
                    count.fetch_add(1, Ordering::Relaxed);
                    let mut stream = TcpStream::connect(broker).await?;
                    // Its end, however it comes, is for the board to see.
                    copy_bidirectional(&mut tls, &mut stream).await
                });
            }
        });
        Self { address, root, admitted }
    }

    /// How many clients have finished a handshake.
    pub(crate) fn admitted(&self) -> usize {
        self.admitted.load(Ordering::Relaxed)
    }
}

/// A root in DER, and a server with a certificate for `name` two steps below it.
fn certify(name: &str) -> (Vec<u8>, ServerConfig) {
    let key = || KeyPair::generate().expect("a key pair");
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(ca.clone(), key()).expect("a root");
    let middle = CertifiedIssuer::signed_by(ca, key(), &root).expect("an intermediate");
    let mut leaf = CertificateParams::new([name.to_owned()]).expect("a name");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf_key = key();
    let leaf = leaf.signed_by(&leaf_key, &middle).expect("a certificate");
    let private = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that ring has suites for")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone(), middle.der().clone()], private.into())
        .expect("a certificate with its key");
    (root.der().to_vec(), config)
}
