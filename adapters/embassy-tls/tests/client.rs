//! A client of `dunlin-embassy` over TLS, to the end and back: sockets of the host, rustls as the peer.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_embassy::dunlin::{Config, Connect, Message, Qos, Transport};
use dunlin_embassy::{Connector, Error, Event, Fixed, Resources, Talk};
use dunlin_embassy_tls::{RECORD_READ_MAX, TlsConnector, TlsMemory};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

type Memory = Resources<'static, NoopRawMutex, 2_048, 512, 1_024, 4_096>;

/// 2026-11-23.
const NOW: u64 = 1_795_392_000;

/// Sockets of the host.
struct Sockets(SocketAddr);

impl Connector for Sockets {
    type Error = std::io::Error;

    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, std::io::Error> {
        let (reader, writer) = TcpStream::connect(self.0).await?.into_split();
        Ok(talk.talk(&mut FromTokio::new(reader), &mut FromTokio::new(writer)).await)
    }
}

/// A root in DER, and a server below it for `broker.example`.
fn pki() -> (Vec<u8>, ServerConfig) {
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&root_key).unwrap().der().to_vec();
    let leaf = CertificateParams::new(["broker.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(params, root_key)).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (root, config)
}

/// A broker with one client, which gets what it publishes; ends when the client has said good-bye.
async fn serve(listener: &TcpListener, config: &Arc<ServerConfig>) {
    let (socket, _) = listener.accept().await.unwrap();
    let mut tls = TlsAcceptor::from(Arc::clone(config)).accept(socket).await.unwrap();
    loop {
        let mut head = [0; 2];
        tls.read_exact(&mut head).await.unwrap();
        let mut body = vec![0; usize::from(head[1])];
        tls.read_exact(&mut body).await.unwrap();
        match head[0] >> 4 {
            1 => tls.write_all(&[0x20, 2, 0, 0]).await.unwrap(),
            8 => tls.write_all(&[0x90, 3, body[0], body[1], 1]).await.unwrap(),
            3 => {
                let id = usize::from(body[1]) + 2;
                let puback = [0x40, 2, body[id], body[id + 1]];
                tls.write_all(&[&head[..], &body, &puback].concat()).await.unwrap();
            }
            4 => {}
            10 => tls.write_all(&[0xb0, 2, body[0], body[1]]).await.unwrap(),
            14 => break,
            other => panic!("a packet of type {other}"),
        }
    }
    // TLS ends in order, too.
    assert_eq!(tls.read(&mut [0]).await.unwrap(), 0);
}

fn random(bytes: &mut [u8]) {
    ring::default_provider().secure_random.fill(bytes).unwrap();
}

type Connecting<'t> = TlsConnector<'t, Sockets, fn(&mut [u8]), fn() -> Option<u64>>;

/// What connects to `listener`, and believes `anchors`.
fn connector<'t>(listener: &TcpListener, anchors: &'t [&'t [u8]]) -> Connecting<'t> {
    let [read, write, leaf] = [RECORD_READ_MAX, 4_096, 2_048].map(|len| Vec::leak(vec![0; len]));
    TlsConnector {
        below: Sockets(listener.local_addr().unwrap()),
        host: "broker.example",
        anchors,
        alpn: &[],
        identity: None,
        random,
        clock: || Some(NOW),
        memory: TlsMemory { read, write, leaf },
    }
}

#[tokio::test]
async fn client_speaks_over_tls_and_comes_back_after_a_close() {
    let (root, config) = pki();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let anchors = [&root[..]];
    let mut connector = connector(&listener, &anchors);
    let memory: &'static mut Memory = Box::leak(Box::new(Memory::new()));
    let (client, mut runner) = memory.client(Config::new());
    let mut access = Fixed { transport: Transport::Stream, connect: Connect::new("device") };
    for life in 0..2_u8 {
        let talk = async {
            let mut messages = client.subscribe("t", Qos::AtLeastOnce).await.unwrap();
            let payload = [life; 100];
            client.publish(&Message::new("t", &payload, Qos::AtLeastOnce)).await.unwrap();
            let mut buffer = [0; 256];
            assert_eq!(messages.next(&mut buffer).await.unwrap().payload(), payload);
            client.drain().await.unwrap();
            client.close();
        };
        let mut entropy = random;
        let run = runner.run(&mut connector, &mut access, &mut entropy);
        let all = async { tokio::join!(run, talk, serve(&listener, &config)).0 };
        let ended = timeout(Duration::from_secs(30), all).await.expect("a life ends");
        assert!(matches!(ended, Error::Closed), "{ended:?}");
    }
}

#[tokio::test]
async fn server_that_is_not_believed_is_a_failed_connection() {
    let (_, config) = pki();
    let (other, _) = pki();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let anchors = [&other[..]];
    let mut connector = connector(&listener, &anchors);
    let memory: &'static mut Memory = Box::leak(Box::new(Memory::new()));
    let (client, mut runner) = memory.client(Config::new());
    let mut access = Fixed { transport: Transport::Stream, connect: Connect::new("device") };
    let mut events = client.events();
    let watch = async {
        loop {
            if let Event::Disconnected { error, .. } = events.next().await {
                client.close();
                return error;
            }
        }
    };
    let refuse = async {
        let (socket, _) = listener.accept().await.unwrap();
        assert!(TlsAcceptor::from(Arc::clone(&config)).accept(socket).await.is_err());
    };
    let mut entropy = random;
    let run = runner.run(&mut connector, &mut access, &mut entropy);
    let all = async { tokio::join!(run, watch, refuse).1 };
    let error = timeout(Duration::from_secs(30), all).await.expect("a refusal is quick");
    let refused = embedded_io_async::ErrorKind::PermissionDenied;
    assert!(matches!(error, Error::Connect(kind) if kind == refused), "{error:?}");
}

/// Reads until the server says good-bye.
struct Hear;

impl Talk for Hear {
    type Output = ();

    async fn talk<R: Read, W: Write<Error = R::Error>>(self, reader: &mut R, _: &mut W) {
        // However it is told, it is the end.
        while let Ok(1..) = reader.read(&mut [0; 64]).await {}
    }
}

#[tokio::test]
async fn server_that_says_good_bye_first_gets_no_record_it_cannot_read() {
    let (root, config) = pki();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let anchors = [&root[..]];
    let mut connector = connector(&listener, &anchors);
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut tls = TlsAcceptor::from(config).accept(socket).await.unwrap();
        tls.shutdown().await.unwrap();
        tls.read(&mut [0]).await
    };
    let both = async { tokio::join!(connector.carry(Hear), serve) };
    let (heard, read) = timeout(Duration::from_secs(30), both).await.expect("a good-bye ends");
    heard.unwrap();
    // rustls says so of a transport that ends without a good-bye, and `InvalidData` of a bad record.
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}
