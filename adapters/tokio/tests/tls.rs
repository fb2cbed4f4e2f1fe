//! TLS against real loopback servers: whom the adapter trusts, whom it refuses, and how soon.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "tls/client_certificates.rs"]
mod client_certificates;
#[path = "tls/configurations.rs"]
mod configurations;

use core::error::Error;
use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use dunlin_tokio::transport::{ReadHalf, WriteHalf, connect};
use dunlin_tokio::{ConnectError, Network, Stage, TlsFault, TlsOptions, Url};
use embedded_io_async::{Read, Write};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};
use tokio::time::Instant;

/// More than any of these connections needs, even on a busy machine.
const AMPLE: Duration = Duration::from_secs(30);

/// What a peer gets that must run into its deadline.
const SHORT: Duration = Duration::from_millis(300);

/// How long after its deadline a refusal may come, on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

/// The records of a close_notify alert in the clear (RFC 8446 §6.1).
const CLOSE_NOTIFY: [u8; 7] = [21, 3, 3, 0, 2, 1, 0];

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        Self::named("Dunlin's test CA")
    }

    fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    fn options(&self) -> TlsOptions {
        TlsOptions::ca_pem(self.pem.as_bytes()).unwrap()
    }

    /// A server with a certificate for `names`, changed by `edit`.
    fn server(&self, names: &[&str], edit: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        edit(&mut parameters);
        server_config(&parameters.signed_by(&key, &self.issuer).unwrap(), &key)
    }
}

fn ring() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

fn server_config(certificate: &rcgen::Certificate, key: &KeyPair) -> ServerConfig {
    ServerConfig::builder_with_provider(ring())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private(key))
        .unwrap()
}

/// Answers one connection after the other on a thread, as `answer` says; gives the port.
fn listen(mut answer: impl FnMut(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            answer(socket);
        }
    });
    port
}

/// Echoes what comes inside TLS; tells of every handshake whether it was a resumption.
fn echo(config: ServerConfig) -> (u16, Receiver<HandshakeKind>) {
    let config = Arc::new(config);
    let (kinds, received) = channel();
    let port = listen(move |mut socket| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        let mut buf = [0; 4096];
        // The client's refusal of the certificate ends the loop.
        while let Ok(1..) =
            stream.read(&mut buf).and_then(|n| stream.write_all(&buf[..n]).map(|()| n))
        {
            let _ = kinds.send(stream.conn.handshake_kind().unwrap());
        }
    });
    (port, received)
}

/// Drops what the peer sends until it hangs up.
fn drain(mut socket: TcpStream) {
    let mut buf = [0; 4096];
    while let Ok(1..) = socket.read(&mut buf) {}
}

/// Runs a server's handshake, but sends no more than `limit` bytes of it; then `end`s.
fn handshake_until(
    mut socket: TcpStream,
    config: &Arc<ServerConfig>,
    limit: usize,
    end: impl FnOnce(TcpStream),
) {
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut sent = 0;
    loop {
        while tls.wants_write() {
            let mut flight = Vec::new();
            tls.write_tls(&mut flight).unwrap();
            let part = flight.len().min(limit - sent);
            if socket.write_all(&flight[..part]).is_err() {
                return;
            }
            sent += part;
            if sent == limit {
                return end(socket);
            }
        }
        if !tls.is_handshaking() {
            return drain(socket);
        }
        if !matches!(tls.read_tls(&mut socket), Ok(1..)) || tls.process_new_packets().is_err() {
            return;
        }
    }
}

async fn open(
    host: &str,
    port: u16,
    options: &TlsOptions,
    budget: Duration,
) -> Result<(ReadHalf, WriteHalf), ConnectError> {
    let url: Url = format!("mqtts://{host}:{port}").parse().unwrap();
    let started = Instant::now();
    let result = connect(&url, options, &Network::default(), started + budget).await;
    assert!(started.elapsed() < budget + SLACK, "late: {:?}", started.elapsed());
    result
}

/// The fault for which the server at `port` is refused.
async fn fault(host: &str, port: u16, options: &TlsOptions) -> TlsFault {
    let error = open(host, port, options, AMPLE).await.expect_err("a refusal");
    assert!(error.source().is_some());
    let text = error.to_string();
    match error {
        ConnectError::Tls { fault, peer, .. } => {
            assert_eq!(peer, format!("{host}:{port}"));
            assert!(text.contains(&peer) && !text.contains('\n'), "{text}");
            fault
        }
        error => panic!("no fault of TLS: {error:?}"),
    }
}

async fn assert_times_out(port: u16, options: &TlsOptions) {
    let started = Instant::now();
    let error = open("localhost", port, options, SHORT).await.expect_err("a refusal");
    assert!(matches!(error, ConnectError::TimedOut { stage: Stage::Tls, .. }), "{error:?}");
    assert!(started.elapsed() >= SHORT, "early: {:?}", started.elapsed());
}

async fn assert_echoes(read: &mut ReadHalf, write: &mut WriteHalf, bytes: &[u8]) {
    let mut back = vec![0; bytes.len()];
    let (written, got) = tokio::join!(write.write_all(bytes), read.read_exact(&mut back));
    written.unwrap();
    got.unwrap();
    assert!(back == bytes, "the echo differs");
}

#[tokio::test]
async fn server_of_the_right_ca_is_trusted() {
    let ca = Authority::new();
    let (port, _) = echo(ca.server(&["localhost"], |_| {}));
    let (mut read, mut write) = open("localhost", port, &ca.options(), AMPLE).await.unwrap();
    assert_echoes(&mut read, &mut write, b"ping").await;
    write.shutdown().await.unwrap();
    assert_eq!(read.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn ip_address_in_the_certificate_is_trusted() {
    let ca = Authority::new();
    let (port, _) = echo(ca.server(&["127.0.0.1"], |_| {}));
    let (mut read, mut write) = open("127.0.0.1", port, &ca.options(), AMPLE).await.unwrap();
    assert_echoes(&mut read, &mut write, b"ping").await;
}

#[tokio::test]
async fn ca_file_trusts_as_its_text_does() {
    let ca = Authority::new();
    let path = std::env::temp_dir().join(format!("dunlin-ca-{}.pem", std::process::id()));
    std::fs::write(&path, format!("{}{}", Authority::new().pem, ca.pem)).unwrap();
    let options = TlsOptions::ca_file(&path);
    std::fs::remove_file(&path).unwrap();
    let (port, _) = echo(ca.server(&["localhost"], |_| {}));
    open("localhost", port, &options.unwrap(), AMPLE).await.unwrap();
}

#[tokio::test]
async fn wrong_ca_is_refused() {
    let (port, _) = echo(Authority::new().server(&["localhost"], |_| {}));
    // The second has the right CA's name and another key.
    for ca in [Authority::named("Somebody else's CA"), Authority::new()] {
        assert_eq!(fault("localhost", port, &ca.options()).await, TlsFault::UnknownCa);
    }
}

/// The platform trusts no CA made up here; a machine without any CA says so instead.
#[tokio::test]
async fn unknown_ca_is_refused_by_the_platform() {
    let (port, _) = echo(Authority::new().server(&["localhost"], |_| {}));
    match open("localhost", port, &TlsOptions::platform(), AMPLE).await {
        Err(ConnectError::Tls { fault, .. }) => assert_eq!(fault, TlsFault::UnknownCa),
        Err(ConnectError::PlatformRoots { source }) => {
            assert_eq!(source.kind(), ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn self_signed_certificate_is_refused() {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(["localhost".into()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let (port, _) = echo(server_config(&certificate, &key));
    let options = Authority::new().options();
    assert_eq!(fault("localhost", port, &options).await, TlsFault::UnknownCa);
}

/// What `openssl req -x509` makes: a CA's certificate, which is not a server's even if trusted.
#[tokio::test]
async fn ca_certificate_of_a_server_is_refused() {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(["localhost".into()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&key).unwrap();
    let options = TlsOptions::ca_pem(certificate.pem().as_bytes()).unwrap();
    let (port, _) = echo(server_config(&certificate, &key));
    assert_eq!(fault("localhost", port, &options).await, TlsFault::Certificate);
    // It says how to make one that can be used.
    assert!(TlsFault::Certificate.to_string().contains("basicConstraints=critical,CA:FALSE"));
    parameters.is_ca = IsCa::ExplicitNoCa;
    let certificate = parameters.self_signed(&key).unwrap();
    let options = TlsOptions::ca_pem(certificate.pem().as_bytes()).unwrap();
    let (port, _) = echo(server_config(&certificate, &key));
    open("localhost", port, &options, AMPLE).await.expect("it is trusted");
}

#[tokio::test]
async fn wrong_name_is_refused() {
    let ca = Authority::new();
    for names in [&["example.com"][..], &["xlocalhost"], &["localhost.example"], &["*.localhost"]] {
        let (port, _) = echo(ca.server(names, |_| {}));
        assert_eq!(fault("localhost", port, &ca.options()).await, TlsFault::WrongName, "{names:?}");
    }
}

#[tokio::test]
async fn ip_address_missing_in_the_certificate_is_refused() {
    let ca = Authority::new();
    for names in [&["localhost"][..], &["127.0.0.2"], &["::1"]] {
        let (port, _) = echo(ca.server(names, |_| {}));
        assert_eq!(fault("127.0.0.1", port, &ca.options()).await, TlsFault::WrongName, "{names:?}");
    }
}

#[tokio::test]
async fn expired_certificate_is_refused() {
    let ca = Authority::new();
    let (port, _) = echo(ca.server(&["localhost"], |parameters| {
        parameters.not_before = date_time_ymd(2001, 1, 1);
        parameters.not_after = date_time_ymd(2002, 1, 1);
    }));
    assert_eq!(fault("localhost", port, &ca.options()).await, TlsFault::Expired);
}

#[tokio::test]
async fn certificate_of_the_future_is_refused() {
    let ca = Authority::new();
    let (port, _) = echo(ca.server(&["localhost"], |parameters| {
        parameters.not_before = date_time_ymd(4000, 1, 1);
    }));
    assert_eq!(fault("localhost", port, &ca.options()).await, TlsFault::NotYetValid);
}

#[tokio::test]
async fn server_without_tls_is_refused() {
    for reply in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.9\r\n", &[0; 64]] {
        let port = listen(move |mut socket| {
            let _ = socket.write_all(reply);
            drain(socket);
        });
        let options = Authority::new().options();
        assert_eq!(fault("localhost", port, &options).await, TlsFault::NotTls, "{reply:?}");
    }
}

#[tokio::test]
async fn protocol_unknown_to_the_server_is_refused() {
    let ca = Authority::new();
    let mut config = ca.server(&["localhost"], |_| {});
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    let (port, _) = echo(config);
    let offer = |name| ca.options().with_alpn(&[name]).unwrap();
    assert_eq!(fault("localhost", port, &offer("h2")).await, TlsFault::Refused);
    open("localhost", port, &offer("mqtt"), AMPLE).await.unwrap();
}

/// Every byte of the first records, then steps that fall on every part of the flight.
#[tokio::test]
async fn eof_inside_the_handshake_is_refused() {
    let ca = Authority::new();
    let config = Arc::new(ca.server(&["localhost"], |_| {}));
    let options = ca.options();
    let mut refusals = 0;
    let mut limit = 0;
    loop {
        assert!(limit < 8192, "the handshake never ends");
        let config = Arc::clone(&config);
        let port = listen(move |socket| {
            handshake_until(socket, &config, limit, |socket| {
                let _ = socket.shutdown(Shutdown::Write);
                drain(socket);
            });
        });
        match open("localhost", port, &options, AMPLE).await {
            Ok(_) => break,
            Err(ConnectError::Tls { fault, .. }) => assert_eq!(fault, TlsFault::Closed, "{limit}"),
            Err(error) => panic!("{limit}: {error:?}"),
        }
        refusals += 1;
        limit += if limit < 160 { 1 } else { 13 };
    }
    assert!(refusals > 170, "{refusals}");
}

/// RUSTSEC-2024-0336: a close_notify inside the handshake once made rustls spin.
#[tokio::test]
async fn close_notify_inside_the_handshake_does_not_spin() {
    let options = Authority::new().options();
    let port = listen(|mut socket| {
        let _ = socket.write_all(&CLOSE_NOTIFY);
        let _ = socket.shutdown(Shutdown::Write);
        drain(socket);
    });
    assert_eq!(fault("localhost", port, &options).await, TlsFault::Closed);
    let port = listen(|mut socket| {
        let _ = socket.write_all(&CLOSE_NOTIFY);
        drain(socket);
    });
    // The timer fires: nothing keeps the task busy.
    assert_times_out(port, &options).await;
}

#[tokio::test]
async fn silent_server_times_out() {
    let ca = Authority::new();
    assert_times_out(listen(drain), &ca.options()).await;
    // And one that falls silent in the middle of its flight.
    let config = Arc::new(ca.server(&["localhost"], |_| {}));
    let port = listen(move |socket| handshake_until(socket, &config, 200, drain));
    assert_times_out(port, &ca.options()).await;
}

/// The handshake has a time of its own: a deadline that is far off does not wait for it.
#[tokio::test]
async fn handshake_that_takes_longer_than_a_stage_times_out() {
    let url: Url = format!("mqtts://localhost:{}", listen(drain)).parse().unwrap();
    let network = Network::default().stage_timeout(SHORT);
    let started = Instant::now();
    let options = Authority::new().options();
    let error = connect(&url, &options, &network, started + AMPLE).await.expect_err("a refusal");
    assert!(matches!(error, ConnectError::TimedOut { stage: Stage::Tls, .. }), "{error:?}");
    assert!((SHORT..SHORT + SLACK).contains(&started.elapsed()), "{:?}", started.elapsed());
}

/// SlowITe (CVE-2020-13849): a byte now and then wins no time.
#[tokio::test]
async fn trickling_server_times_out() {
    let port = listen(|mut socket| {
        // A handshake record of 16 KiB that never ends; the client's hanging up ends the loop.
        let record = [22, 3, 3, 0x40, 0, 2, 0, 0x3F, 0xFC].into_iter().chain(core::iter::repeat(0));
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        for byte in record {
            let open = match socket.read(&mut [0; 4096]) {
                Ok(read) => read > 0,
                Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            };
            if !open || socket.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    assert_times_out(port, &Authority::new().options()).await;
}

#[tokio::test]
async fn reconnect_resumes_the_tls_session() {
    let ca = Authority::new();
    let (port, kinds) = echo(ca.server(&["localhost"], |_| {}));
    let options = ca.options();
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        // A clone stands for what a client keeps over its reconnects.
        let (mut read, mut write) = open("localhost", port, &options.clone(), AMPLE).await.unwrap();
        assert_echoes(&mut read, &mut write, b"1").await;
        assert_eq!(kinds.recv().unwrap(), expected);
    }
}

#[tokio::test]
async fn halves_carry_a_mebibyte_both_ways_in_one_task() {
    let ca = Authority::new();
    let (port, _) = echo(ca.server(&["localhost"], |_| {}));
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    let (mut read, mut write) = open("localhost", port, &ca.options(), AMPLE).await.unwrap();
    assert_echoes(&mut read, &mut write, &bytes).await;

    let port = listen(|socket| {
        let (mut from, mut to) = (&socket, &socket);
        let _ = std::io::copy(&mut from, &mut to);
    });
    let url: Url = format!("mqtt://localhost:{port}").parse().unwrap();
    let (mut read, mut write) =
        connect(&url, &TlsOptions::platform(), &Network::default(), Instant::now() + AMPLE)
            .await
            .unwrap();
    assert_echoes(&mut read, &mut write, &bytes).await;
    write.shutdown().await.unwrap();
    assert_eq!(read.read(&mut [0; 8]).await.unwrap(), 0);
}

/// Nothing that `write_all` has reported as written stays behind in TLS's own buffer.
#[tokio::test]
async fn write_all_ends_when_the_socket_has_it_all() {
    const CHUNK: [u8; 4096] = [0; 4096];
    let ca = Authority::new();
    let config = Arc::new(ca.server(&["localhost"], |_| {}));
    let (tell, told) = channel();
    let port = listen(move |mut socket| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        tls.complete_io(&mut socket).unwrap();
        let mut left: usize = told.recv().unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        while left > 0 {
            left = left.saturating_sub(stream.read(&mut [0; 4096]).unwrap());
        }
        stream.write_all(b"x").unwrap();
        drain(socket);
    });
    let (mut read, mut write) = open("localhost", port, &ca.options(), AMPLE).await.unwrap();
    let mut written = 0;
    // Until the socket is full; then the writer is left alone.
    loop {
        tokio::select! {
            biased;
            result = write.write_all(&CHUNK) => result.unwrap(),
            () = core::future::ready(()) => break,
        }
        written += CHUNK.len();
        // Tokio calls a socket unready when a task has used it too often in one turn.
        tokio::task::yield_now().await;
    }
    tell.send(written).unwrap();
    let mut byte = [0];
    let got = tokio::time::timeout(AMPLE, read.read(&mut byte)).await;
    assert_eq!((got.expect("the rest is stuck").unwrap(), byte), (1, *b"x"), "{written} bytes");
}

/// A peer that does not read blocks the writer, and only the writer.
#[tokio::test]
async fn read_goes_on_while_a_write_is_stuck() {
    let ca = Authority::new();
    let config = Arc::new(ca.server(&["localhost"], |_| {}));
    let (done, hold) = channel::<()>();
    let port = listen(move |mut socket| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        // Reading one byte of the stuck write runs the handshake to its end.
        stream.read_exact(&mut [0]).unwrap();
        stream.write_all(b"x").unwrap();
        let _ = hold.recv();
    });
    let (mut read, mut write) = open("localhost", port, &ca.options(), AMPLE).await.unwrap();
    // More than the buffers of both sockets hold.
    let bytes = vec![0; 64 << 20];
    let mut byte = [0];
    tokio::select! {
        biased;
        written = write.write_all(&bytes) => panic!("nobody reads: {written:?}"),
        got = read.read(&mut byte) => assert_eq!((got.unwrap(), byte), (1, *b"x")),
    }
    drop(done);
}

/// What was sent before a peer's death arrives; then the end, without an error.
#[tokio::test]
async fn eof_without_close_notify_is_the_end() {
    let ca = Authority::new();
    let config = Arc::new(ca.server(&["localhost"], |_| {}));
    let port = listen(move |mut socket| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        stream.write_all(b"last words").unwrap();
        stream.flush().unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        drain(socket);
    });
    let (mut read, _write) = open("localhost", port, &ca.options(), AMPLE).await.unwrap();
    let mut words = [0; 10];
    read.read_exact(&mut words).await.unwrap();
    assert_eq!(&words, b"last words");
    for _ in 0..3 {
        assert_eq!(read.read(&mut words).await.unwrap(), 0);
    }
}

/// What a spawned task needs; the compiler is the judge.
#[test]
fn halves_and_futures_are_send() {
    fn send<T: Send>(_: &T) {}
    fn connecting(url: &Url, tls: &TlsOptions, network: &Network) {
        send(&connect(url, tls, network, Instant::now()));
    }
    fn moving(read: &mut ReadHalf, write: &mut WriteHalf) {
        send(read);
        send(write);
        let mut buf = [0];
        send(&read.read(&mut buf));
        send(&write.write_all(b""));
    }
    let _ = (connecting, moving);
}
