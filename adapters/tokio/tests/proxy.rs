//! Proxies on loopback, well-behaved and hostile: the way they open, and how soon they are given up.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use dunlin_tokio::transport::{ReadHalf, WriteHalf, connect};
use dunlin_tokio::{
    Client, ConnectError, Error, Network, Options, ProxyFault, Stage, TlsFault, TlsOptions, Url,
};
use embedded_io_async::{Read, Write};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};
use tokio::time::Instant;

/// More than any of these connections needs, even on a busy machine.
const AMPLE: Duration = Duration::from_secs(30);

/// What a proxy gets that must run into its deadline.
const SHORT: Duration = Duration::from_millis(400);

/// How long after its deadline an error may come, on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

/// How often a trickling proxy sends a byte.
const TRICKLE: Duration = Duration::from_millis(5);

const SECRET: &str = "s3cr3t-of-ann";

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

/// A broker that says back what it hears.
fn echo() -> u16 {
    listen(|mut socket| {
        let mut back = socket.try_clone().unwrap();
        let _ = std::io::copy(&mut socket, &mut back);
    })
}

/// Drops what the peer sends until it hangs up.
fn drain(mut socket: TcpStream) {
    let mut buf = [0; 4096];
    while let Ok(1..) = socket.read(&mut buf) {}
}

/// Carries bytes both ways until one side ends.
fn splice(client: TcpStream, broker: TcpStream) {
    let pump = |mut from: TcpStream, mut to: TcpStream| {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    let (from, to) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
    thread::spawn(move || pump(from, to));
    pump(broker, client);
}

fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(socket.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn read<const LEN: usize>(socket: &mut TcpStream) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    socket.read_exact(&mut bytes).unwrap();
    bytes
}

/// An HTTP proxy that leads every name to 127.0.0.1; tells the heads of the requests.
fn http_proxy(answer: &'static [u8]) -> (u16, Receiver<String>) {
    let (heads, received) = channel();
    let port = listen(move |mut client| {
        let head = read_head(&mut client);
        let target = head.split(' ').nth(1).unwrap().to_owned();
        heads.send(head).unwrap();
        let port = target.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
        client.write_all(answer).unwrap();
        splice(client, TcpStream::connect(("127.0.0.1", port)).unwrap());
    });
    (port, received)
}

/// What a SOCKS5 proxy has seen: the methods offered, the login, kind and bytes of the address.
type Seen = (Vec<u8>, Option<(String, String)>, u8, Vec<u8>);

/// A SOCKS5 proxy that leads every name to 127.0.0.1 and answers with an address of `bound`.
fn socks_proxy(login: bool, bound: &'static [u8]) -> (u16, Receiver<Seen>) {
    let (seen, received) = channel();
    let port = listen(move |mut client| {
        let [version, count] = read(&mut client);
        assert_eq!(version, 5);
        let mut methods = vec![0; usize::from(count)];
        client.read_exact(&mut methods).unwrap();
        let text = |client: &mut TcpStream| {
            let [len] = read(client);
            let mut text = vec![0; usize::from(len)];
            client.read_exact(&mut text).unwrap();
            text
        };
        let credentials = login.then(|| {
            client.write_all(&[5, 2]).unwrap();
            assert_eq!(read(&mut client), [1]);
            let pair = [text(&mut client), text(&mut client)].map(String::from_utf8);
            client.write_all(&[1, 0]).unwrap();
            let [user_name, password] = pair.map(Result::unwrap);
            (user_name, password)
        });
        if !login {
            client.write_all(&[5, 0]).unwrap();
        }
        let [version, command, _, kind] = read(&mut client);
        assert_eq!((version, command), (5, 1));
        let address = match kind {
            1 => read::<4>(&mut client).to_vec(),
            4 => read::<16>(&mut client).to_vec(),
            _ => text(&mut client),
        };
        let port = u16::from_be_bytes(read(&mut client));
        seen.send((methods, credentials, kind, address)).unwrap();
        let mut reply = vec![5, 0, 0];
        reply.extend_from_slice(bound);
        client.write_all(&reply).unwrap();
        splice(client, TcpStream::connect(("127.0.0.1", port)).unwrap());
    });
    (port, received)
}

async fn open(
    url: &str,
    proxy: &str,
    tls: &TlsOptions,
    budget: Duration,
) -> Result<(ReadHalf, WriteHalf), ConnectError> {
    let url: Url = url.parse().unwrap();
    let network = Network::default().proxy(proxy.parse().unwrap());
    let started = Instant::now();
    let result = connect(&url, tls, &network, started + budget).await;
    assert!(started.elapsed() < budget + SLACK, "late: {:?}", started.elapsed());
    if let Err(error) = &result {
        let text = format!("{error} {error:?}");
        assert!(!text.contains(SECRET) && !error.to_string().contains('\n'), "{text}");
    }
    result
}

async fn assert_echoes(halves: (ReadHalf, WriteHalf)) {
    let (mut read, mut write) = halves;
    let mut back = [0; 4];
    let (written, got) = tokio::join!(write.write_all(b"ping"), read.read_exact(&mut back));
    written.unwrap();
    got.unwrap();
    assert_eq!(&back, b"ping");
}

/// The fault of a proxy on `port`; the broker behind it is never reached.
async fn fault(scheme: &str, port: u16) -> ProxyFault {
    let proxy = format!("{scheme}://ann:{SECRET}@127.0.0.1:{port}");
    let error = open("mqtt://broker.invalid", &proxy, &TlsOptions::platform(), AMPLE).await;
    match error.expect_err("a refusal") {
        ConnectError::Proxy { proxy, peer, fault, .. } => {
            assert_eq!(proxy, format!("127.0.0.1:{port}"));
            assert_eq!(peer, "broker.invalid:1883");
            fault
        }
        error => panic!("no fault of the proxy's: {error:?}"),
    }
}

/// A proxy that sends `answer` at once, and then hangs up or stays.
fn answering(answer: Vec<u8>, stays: bool) -> u16 {
    listen(move |mut client| {
        let _ = client.write_all(&answer);
        if stays {
            drain(client);
        } else {
            let _ = client.shutdown(Shutdown::Write);
            drain(client);
        }
    })
}

#[tokio::test]
async fn http_proxy_opens_the_way_for_every_scheme_in_the_clear() {
    let (port, heads) = http_proxy(b"HTTP/1.1 200 OK\r\nVia: test\r\n\r\n");
    let broker = echo();
    for scheme in ["ws", "mqtt"] {
        // No resolver knows the name: only the proxy does.
        let url = format!("{scheme}://broker.invalid:{broker}");
        let proxy = format!("http://ann:{SECRET}@127.0.0.1:{port}");
        let halves = open(&url, &proxy, &TlsOptions::platform(), AMPLE).await.unwrap();
        assert_echoes(halves).await;
        let head = heads.recv_timeout(AMPLE).unwrap();
        let start = format!("CONNECT broker.invalid:{broker} HTTP/1.1\r\n");
        assert!(head.starts_with(&start) && head.contains("\r\nProxy-Authorization: Basic "));
    }
}

/// RFC 9110 §15.2
#[tokio::test]
async fn interim_answers_of_an_http_proxy_are_skipped() {
    let (port, _heads) = http_proxy(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\r\n\r\n");
    let url = format!("mqtt://broker.invalid:{}", echo());
    let proxy = format!("127.0.0.1:{port}");
    assert_echoes(open(&url, &proxy, &TlsOptions::platform(), AMPLE).await.unwrap()).await;
}

/// RFC 1928 §4 to §6, RFC 1929 §2
#[tokio::test]
async fn socks_proxy_opens_the_way() {
    let broker = echo();
    let v4: &[u8] = &[1, 10, 0, 0, 1, 0, 80];
    let v6: &[u8] = &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80];
    let name: &[u8] = b"\x03\x04abcd\x00\x50";
    for (scheme, host, login, bound, kind) in [
        ("socks5h", "broker.invalid", true, v4, 3),
        ("socks5h", "broker.invalid", false, v6, 3),
        ("socks5h", "127.0.0.1", false, name, 1),
        ("socks5h", "[::1]", false, v4, 4),
        ("socks5", "127.0.0.1", true, name, 1),
    ] {
        let (port, seen) = socks_proxy(login, bound);
        let user_info = if login { format!("ann:{SECRET}@") } else { String::new() };
        let proxy = format!("{scheme}://{user_info}127.0.0.1:{port}");
        let url = format!("mqtt://{host}:{broker}");
        assert_echoes(open(&url, &proxy, &TlsOptions::platform(), AMPLE).await.unwrap()).await;
        let (methods, credentials, seen_kind, address) = seen.recv_timeout(AMPLE).unwrap();
        assert_eq!(methods, if login { vec![0, 2] } else { vec![0] });
        assert_eq!(credentials, login.then(|| ("ann".into(), SECRET.into())));
        assert_eq!(seen_kind, kind);
        assert!(kind != 3 || address == host.as_bytes());
    }
}

/// `localhost` has an address here, and the proxy sees nothing else.
#[tokio::test]
async fn socks5_resolves_the_name_here() {
    let (port, seen) = socks_proxy(false, &[1, 0, 0, 0, 0, 0, 0]);
    let url = format!("mqtt://localhost:{}", echo());
    let proxy = format!("socks5://127.0.0.1:{port}");
    assert_echoes(open(&url, &proxy, &TlsOptions::platform(), AMPLE).await.unwrap()).await;
    assert!(matches!(seen.recv_timeout(AMPLE).unwrap().2, 1 | 4));
}

/// The name to prove is the broker's, not the proxy's.
#[tokio::test]
async fn tls_goes_through_the_tunnel() {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(["broker.invalid".into()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let config = Arc::new(config);
    let broker = listen(move |mut socket| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        let mut buf = [0; 64];
        while let Ok(len @ 1..) = stream.read(&mut buf) {
            let _ = stream.write_all(&buf[..len]);
        }
    });
    let tls = TlsOptions::ca_pem(certificate.pem().as_bytes()).unwrap();
    let (http, _heads) = http_proxy(b"HTTP/1.1 200 OK\r\n\r\n");
    let (socks, _seen) = socks_proxy(false, &[1, 0, 0, 0, 0, 0, 0]);
    for proxy in [format!("http://127.0.0.1:{http}"), format!("socks5h://127.0.0.1:{socks}")] {
        for scheme in ["wss", "mqtts"] {
            let url = format!("{scheme}://broker.invalid:{broker}");
            assert_echoes(open(&url, &proxy, &tls, AMPLE).await.unwrap()).await;
        }
        let url = format!("mqtts://other.invalid:{broker}");
        let error = open(&url, &proxy, &tls, AMPLE).await.expect_err("another name");
        let wrong = matches!(error, ConnectError::Tls { fault: TlsFault::WrongName, .. });
        assert!(wrong, "{error:?}");
    }
}

#[tokio::test]
async fn refusal_of_an_http_proxy_has_its_status() {
    for (head, status) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\nbody", 407),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n", 403),
        ("HTTP/1.0 503\r\n\r\n", 503),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", 302),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", 101),
    ] {
        let found = fault("http", answering(head.into(), true)).await;
        assert_eq!(found, ProxyFault::Status(status));
        assert!(found.to_string().contains(&status.to_string()));
    }
}

#[tokio::test]
async fn answer_of_another_protocol_is_refused_by_both() {
    for answer in ["SSH-2.0-x\r\n", "\x05\x00", "HTTP/2 200\r\n\r\n", "\0", "+OK\r\n"] {
        assert_eq!(fault("http", answering(answer.into(), true)).await, ProxyFault::Malformed);
    }
    for answer in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"\x04\x00", b"\x05\x01", b"\x00\x5a"] {
        let found = fault("socks5h", answering(answer.into(), true)).await;
        assert_eq!(found, ProxyFault::Malformed, "{answer:?}");
    }
}

/// Whoever speaks before the broker does is not the broker.
#[tokio::test]
async fn bytes_behind_the_answer_are_refused() {
    let answer = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 ";
    assert_eq!(fault("http", answering(answer.to_vec(), true)).await, ProxyFault::Malformed);
}

#[tokio::test]
async fn refusal_of_a_socks_proxy_has_its_code() {
    for (answer, wanted) in [
        (&b"\x05\xff"[..], ProxyFault::Method),
        (b"\x05\x02\x01\x01", ProxyFault::Credentials),
        (b"\x05\x02\x04\x00", ProxyFault::Malformed),
        (b"\x05\x00\x04\x00", ProxyFault::Malformed),
        (b"\x05\x00\x05\x02", ProxyFault::Reply(2)),
        (b"\x05\x02\x01\x00\x05\x05\x00\x01", ProxyFault::Reply(5)),
        (b"\x05\x00\x05\x00\x01\x01", ProxyFault::Malformed),
        (b"\x05\x00\x05\x00\x00\x07", ProxyFault::Malformed),
    ] {
        let found = fault("socks5h", answering(answer.into(), true)).await;
        assert_eq!(found, wanted, "{answer:?}");
    }
}

/// At every byte of a good answer.
#[tokio::test]
async fn proxy_that_hangs_up_is_told_apart() {
    let http = b"HTTP/1.1 200 OK\r\n\r\n";
    let socks = b"\x05\x02\x01\x00\x05\x00\x00\x03\x01x\x00\x50";
    for (scheme, answer) in [("http", &http[..]), ("socks5h", socks)] {
        for end in 0..answer.len() {
            let found = fault(scheme, answering(answer[..end].to_vec(), false)).await;
            assert_eq!(found, ProxyFault::Closed, "{scheme} at {end}");
        }
    }
}

#[tokio::test]
async fn endless_head_is_refused() {
    let port = listen(|mut client| {
        let mut sent = client.write_all(b"HTTP/1.1 200 OK\r\n");
        while sent.is_ok() {
            sent = client.write_all(b"X-Field: value\r\n");
        }
    });
    assert_eq!(fault("http", port).await, ProxyFault::TooLong);
    let port = listen(|mut client| {
        let mut sent = Ok(());
        while sent.is_ok() {
            sent = client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    });
    let url = "mqtt://broker.invalid";
    let proxy = format!("127.0.0.1:{port}");
    let error = open(url, &proxy, &TlsOptions::platform(), AMPLE).await.expect_err("no end");
    let too_long = matches!(error, ConnectError::Proxy { fault: ProxyFault::TooLong, .. });
    assert!(too_long, "{error:?}");
}

#[tokio::test]
async fn silent_or_trickling_proxy_times_out() {
    for (scheme, answer) in [
        ("http", &b""[..]),
        ("socks5", b""),
        ("http", b"HTTP/1."),
        ("socks5h", b"\x05\x00\x05\x00\x00\x03\xff"),
    ] {
        let (alive, ended) = channel::<()>();
        let port = listen(move |mut client| {
            let Ok(()) = client.write_all(answer) else { return };
            let digits = client.try_clone().unwrap();
            // A byte now and then wins no time.
            while !answer.is_empty()
                && ended.recv_timeout(TRICKLE) == Err(RecvTimeoutError::Timeout)
                && (&digits).write_all(if answer[0] == 5 { b"\0" } else { b"1" }).is_ok()
            {
            }
            drain(client);
        });
        let url = "mqtt://127.0.0.1";
        let proxy = format!("{scheme}://ann:{SECRET}@127.0.0.1:{port}");
        let error = open(url, &proxy, &TlsOptions::platform(), SHORT).await.expect_err("too late");
        drop(alive);
        let stage = matches!(error, ConnectError::TimedOut { stage: Stage::Proxy, .. });
        assert!(stage, "{scheme} {answer:?}: {error:?}");
        assert!(error.to_string().contains(&format!("the proxy 127.0.0.1:{port}")), "{error}");
    }
}

/// The exchange has a time of its own: a deadline that is far off does not wait for it.
#[tokio::test]
async fn proxy_that_takes_longer_than_a_stage_times_out() {
    for scheme in ["http", "socks5h"] {
        let url: Url = "mqtt://broker.invalid".parse().unwrap();
        let proxy = format!("{scheme}://127.0.0.1:{}", listen(drain)).parse().unwrap();
        let network = Network::default().proxy(proxy).stage_timeout(SHORT);
        let started = Instant::now();
        let tls = TlsOptions::platform();
        let error = connect(&url, &tls, &network, started + AMPLE).await.expect_err("too late");
        let stage = matches!(error, ConnectError::TimedOut { stage: Stage::Proxy, .. });
        assert!(stage, "{scheme}: {error:?}");
        assert!((SHORT..SHORT + SLACK).contains(&started.elapsed()), "{:?}", started.elapsed());
    }
}

/// The whole client: what a person sees has no secret in it.
#[tokio::test]
async fn client_behind_a_refusing_proxy_says_what_to_do() {
    let port = answering(b"HTTP/1.1 407 No\r\n\r\n".to_vec(), true);
    let proxy = format!("http://ann:{SECRET}@127.0.0.1:{port}").parse().unwrap();
    let options = Options::parse("wss://broker.invalid").unwrap().proxy(proxy);
    assert!(!format!("{options:?}").contains(SECRET));
    let error = Client::connect(options).await.expect_err("a refusal");
    assert!(matches!(error, Error::Connect(_)) && !error.is_retryable(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("broker.invalid:443") && text.contains("HTTP 407"), "{text}");
    assert!(text.contains("http://user:password@host:port"), "{text}");
    assert!(!format!("{text} {error:?}").contains(SECRET), "{text}");
}

#[tokio::test]
async fn proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let proxy = format!("http://127.0.0.1:{port}");
    let tls = TlsOptions::platform();
    let error = open("mqtt://broker.invalid", &proxy, &tls, AMPLE).await.expect_err("a refusal");
    assert!(matches!(error, ConnectError::Proxy { fault: ProxyFault::Away, .. }), "{error:?}");
    // The address alone would be taken for the broker's.
    assert!(
        error.to_string().contains(&format!("through the proxy 127.0.0.1:{port}: ")),
        "{error}"
    );
}
