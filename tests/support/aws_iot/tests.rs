use super::*;

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// 2024-01-02T03:04:05Z
const GOLDEN_S: u64 = 1_704_164_645;
/// Signed by Amplify's Signer and by awscrt with the permanent key, for [`GOLDEN_S`].
const GOLDEN: &str = "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request\
    &X-Amz-Date=20240102T030405Z&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=66faa12ef25fa85ef6e921b378e8fbb6cd5b7a0dba6947bcdfa3d69c75d3a2d8";
const GOLDEN_HOST: &str = "example-ats.iot.us-east-1.amazonaws.com";
const GOLDEN_TOKEN: &str = "TOKEN/with+special=chars";
const APPENDED: &str = "&X-Amz-Security-Token=TOKEN%2Fwith%2Bspecial%3Dchars";
/// How long one answer may take on a loaded machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// A correct upgrade request, to be spoilt one part at a time.
struct Sample {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, &'static str)>,
    now_s: u64,
    token: Option<&'static str>,
}

impl Sample {
    fn golden() -> Self {
        let headers = vec![
            ("Host", GOLDEN_HOST),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Protocol", "mqtt"),
        ];
        Self { method: "GET", target: GOLDEN.to_owned(), headers, now_s: GOLDEN_S, token: None }
    }

    fn with_token() -> Self {
        let target = format!("{GOLDEN}{APPENDED}");
        Self { target, token: Some(GOLDEN_TOKEN), ..Self::golden() }
    }

    /// Changes the target; the test is wrong when it has no `from`.
    fn replace(&mut self, from: &str, to: &str) {
        assert!(self.target.contains(from), "{from}");
        self.target = self.target.replace(from, to);
    }

    /// Changes the value of a header, or removes it.
    fn header(&mut self, name: &str, value: Option<&'static str>) {
        self.headers.retain_mut(|(other, old)| match value {
            Some(value) if *other == name => {
                *old = value;
                true
            }
            _ => *other != name,
        });
    }

    /// Adds a parameter, and makes the signature another one.
    fn sign_anew(&mut self, parameters: &str, signature: &str) {
        self.replace("&X-Amz-SignedHeaders=host", parameters);
        let (unsigned, _) = self.target.split_once("&X-Amz-Signature=").unwrap();
        self.target = format!("{unsigned}&X-Amz-Signature={signature}");
    }

    fn bytes(&self) -> Vec<u8> {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let headers = headers.collect::<String>();
        format!("{} {} HTTP/1.1\r\n{headers}\r\n", self.method, self.target).into_bytes()
    }

    async fn judge(&self) -> Result<String, Judgement> {
        let key = Key { session_token: self.token.map(str::to_owned), ..Key::permanent() };
        let gate = Gate { region: "us-east-1", keys: &[key], now_s: self.now_s };
        let head = Head::read(&mut self.bytes().as_slice()).await.unwrap()?;
        gate.judge(&head).map(|key| key.access_key_id.clone())
    }
}

#[tokio::test]
async fn golden_requests_of_official_clients_are_accepted() {
    let accepted = Ok("AKIDEXAMPLE".to_owned());
    assert_eq!(Sample::golden().judge().await, accepted);
    assert_eq!(Sample::with_token().judge().await, accepted);

    // Signed alike by Amplify's Signer, awscrt and botocore.
    let mut expiring = Sample::with_token();
    expiring.sign_anew(
        "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host",
        "3f04b6a356e0e066ccd290cdf8a265b916c715151449231e678622b0778e67e1",
    );
    expiring.target += APPENDED;
    assert_eq!(expiring.judge().await, accepted);
}

/// The AWS IoT device SDK signs its Connection header too.
#[tokio::test]
async fn request_with_more_signed_headers_is_accepted() {
    let mut sample = Sample::golden();
    sample.sign_anew(
        "&X-Amz-SignedHeaders=connection%3Bhost",
        "3550b7f0680d7c8cc1217a7a4872106d1f64e300aef58bd894ae1f7fd2722e0e",
    );
    assert_eq!(sample.judge().await, Ok("AKIDEXAMPLE".to_owned()));
    sample.header("Connection", Some("upgrade"));
    assert_eq!(sample.judge().await, Err(Judgement::Signature));
    sample.header("Connection", None);
    assert_eq!(sample.judge().await, Err(Judgement::SignedHeaders));
}

#[tokio::test]
async fn request_within_the_window_is_accepted_and_beyond_it_refused() {
    for (seconds, judgement) in [
        (-301, Err(Judgement::Clock)),
        (-300, Ok("AKIDEXAMPLE".to_owned())),
        (300, Ok("AKIDEXAMPLE".to_owned())),
        (301, Err(Judgement::Clock)),
    ] {
        let now_s = GOLDEN_S.saturating_add_signed(seconds);
        assert_eq!(Sample { now_s, ..Sample::golden() }.judge().await, judgement, "{seconds}");
    }
}

#[tokio::test]
async fn request_outlives_its_expires_by_no_second() {
    let mut sample = Sample::golden();
    sample.sign_anew(
        "&X-Amz-Expires=60&X-Amz-SignedHeaders=host",
        "d849e2180341b159a6713484b31ab80c7c462a1cec176643aff1c9ec217db771",
    );
    sample.now_s += 60;
    assert_eq!(sample.judge().await, Ok("AKIDEXAMPLE".to_owned()));
    sample.now_s += 1;
    assert_eq!(sample.judge().await, Err(Judgement::Expired));
}

#[tokio::test]
async fn request_with_one_thing_wrong_is_refused_for_that_thing() {
    type Spoil = fn(&mut Sample);
    let spoils: [(Judgement, Spoil); 24] = [
        (Judgement::Malformed, |s| s.target.push_str("&X-Amz-Date=20240102T030405Z")),
        (Judgement::Malformed, |s| s.target.push_str("&lone")),
        (Judgement::Malformed, |s| s.target = "/mqtt".to_owned()),
        (Judgement::Method, |s| s.method = "POST"),
        (Judgement::Path, |s| s.replace("/mqtt", "/mqtt/")),
        (Judgement::Subprotocol, |s| s.header("Sec-WebSocket-Protocol", None)),
        (Judgement::Subprotocol, |s| s.header("Sec-WebSocket-Protocol", Some("mqttv5"))),
        (Judgement::Host, |s| s.header("Host", None)),
        (Judgement::Host, |s| s.headers.push(("host", GOLDEN_HOST))),
        (Judgement::Parameter, |s| s.replace("X-Amz-Date", "X-Amz-Time")),
        (Judgement::Parameter, |s| s.replace("66faa1", "66faa")),
        (Judgement::Algorithm, |s| s.replace("HMAC-SHA256", "HMAC-SHA1")),
        (Judgement::Credential, |s| s.replace("aws4_request", "aws5_request")),
        (Judgement::UnknownKey, |s| s.replace("AKIDEXAMPLE", "AKIDEXAMPLF")),
        (Judgement::ScopeDate, |s| s.replace("%2F20240102%2F", "%2F20240103%2F")),
        (Judgement::Region, |s| s.replace("us-east-1", "us-east-2")),
        (Judgement::Service, |s| s.replace("iotdevicegateway", "iotdata")),
        (Judgement::SignedHeaders, |s| s.replace("Headers=host", "Headers=connection")),
        (Judgement::SignedHeaders, |s| s.replace("Headers=host", "Headers=host%3Bx-none")),
        (Judgement::TokenUnexpected, |s| s.target.push_str(APPENDED)),
        (Judgement::Signature, |s| s.replace("66faa12e", "66faa12f")),
        (Judgement::Signature, |s| s.target.push_str("&X-More=1")),
        (Judgement::Signature, |s| s.header("Host", Some("localhost"))),
        (Judgement::Signature, |s| s.replace("T030405Z", "T030406Z")),
    ];
    for (judgement, spoil) in spoils {
        let mut sample = Sample::golden();
        spoil(&mut sample);
        assert_eq!(sample.judge().await, Err(judgement), "{}", sample.target);
    }
}

#[tokio::test]
async fn token_of_a_temporary_key_is_wanted_unsigned_and_unchanged() {
    let without = Sample { target: GOLDEN.to_owned(), ..Sample::with_token() };
    assert_eq!(without.judge().await, Err(Judgement::TokenMissing));

    let mut wrong = Sample::with_token();
    wrong.replace("%3Dchars", "%3Dcharz");
    assert_eq!(wrong.judge().await, Err(Judgement::TokenWrong));

    // The signature that all other services of AWS ask for.
    let mut signed = Sample { target: GOLDEN.to_owned(), ..Sample::with_token() };
    signed.sign_anew(
        &format!("{APPENDED}&X-Amz-SignedHeaders=host"),
        "1266d46772f4dc41408e4e4e9f6a2de02c94dbf1b239e93171a3ee4483443cd1",
    );
    assert_eq!(signed.judge().await, Err(Judgement::TokenSigned));

    let mut neither = Sample::with_token();
    neither.replace("66faa12e", "66faa12f");
    assert_eq!(neither.judge().await, Err(Judgement::Signature));
}

/// Takes connections, tells of each, and says nothing.
async fn silent_broker() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (send, seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            send.send(stream).unwrap();
        }
    });
    (address, seen)
}

/// A gateway whose clock stands where the golden requests were signed.
async fn golden_gateway(broker: SocketAddr, quirks: Quirks) -> AwsIot {
    let clock_offset_s = i64::try_from(GOLDEN_S).unwrap() - i64::try_from(clock::now_s()).unwrap();
    AwsIot::start(broker, Quirks { clock_offset_s, ..quirks }).await
}

async fn connect(gateway: &AwsIot) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(gateway.ca_file()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.port())).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

async fn read_until(stream: &mut TlsStream<TcpStream>, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = async {
        while !bytes.ends_with(end) {
            bytes.push(stream.read_u8().await.unwrap());
        }
    };
    timeout(ANSWER_LIMIT, read).await.expect("an answer");
    bytes
}

async fn wait_for_end(stream: &mut TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    // An end without a closing alert is an end all the same.
    timeout(ANSWER_LIMIT, stream.read_to_end(&mut rest)).await.expect("an end").ok();
}

#[tokio::test]
async fn accepted_upgrade_is_answered_as_aws_answers_and_carries_mqtt() {
    let (broker, mut seen) = silent_broker().await;
    let gateway = golden_gateway(broker, Quirks::default()).await;
    let mut stream = connect(&gateway).await;
    let connect = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c";
    // A masked frame (RFC 6455 §5.2) behind the request; a mask of zeros changes nothing.
    let frame = [&[0x82, 0x80 | connect.len() as u8, 0, 0, 0, 0], &connect[..]].concat();
    stream.write_all(&[&Sample::golden().bytes()[..], &frame].concat()).await.unwrap();
    let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n").await).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\ncontent-length: 0\r\n"),
        "{head}"
    );
    // The example of RFC 6455 §1.3.
    assert!(head.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    assert!(head.contains("\r\nsec-websocket-protocol: mqtt\r\n"), "{head}");

    let mut broker = seen.recv().await.unwrap();
    let mut bytes = vec![0; connect.len()];
    timeout(ANSWER_LIMIT, broker.read_exact(&mut bytes)).await.unwrap().unwrap();
    let expected = [&connect[..10], &[0xff, 0xff], &connect[12..]].concat();
    assert_eq!(bytes, expected, "the broker keeps out of the keep alive");
    broker.write_all(&[0x20, 2, 0, 0]).await.unwrap();
    read_until(&mut stream, &[0x82, 4, 0x20, 2, 0, 0]).await;
    let access_key_id = "AKIDEXAMPLE".to_owned();
    assert_eq!(gateway.attempts(), [Attempt::Accepted { access_key_id, session_token: None }]);
}

#[tokio::test]
async fn refused_upgrade_is_answered_as_aws_answers() {
    let (broker, mut seen) = silent_broker().await;
    let gateway = golden_gateway(broker, Quirks::default()).await;
    let mut stream = connect(&gateway).await;
    let mut sample = Sample::golden();
    sample.replace("66faa12e", "66faa12f");
    stream.write_all(&sample.bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(ANSWER_LIMIT, stream.read_to_string(&mut answer)).await.unwrap().unwrap();

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
    assert!(head.contains("\r\nx-amzn-ErrorType: ForbiddenException:"), "{head}");
    assert!(head.contains("\r\nx-amzn-RequestId: "), "{head}");
    assert!(head.contains("\r\ndate: Tue, 02 Jan 2024 03:0"), "{head}");
    assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(body["message"].is_string() && body["traceId"].is_string(), "{body}");
    assert_eq!(gateway.attempts(), [Attempt::Refused(Judgement::Signature)]);
    assert!(seen.try_recv().is_err(), "the broker saw a refused request");
}

#[tokio::test]
async fn signature_that_has_expired_is_answered_with_the_status_that_was_set() {
    let (broker, _seen) = silent_broker().await;
    let gateway = golden_gateway(broker, Quirks { expired_status: 426, ..Quirks::default() }).await;
    let mut sample = Sample::golden();
    sample.sign_anew(
        "&X-Amz-Expires=60&X-Amz-SignedHeaders=host",
        "d849e2180341b159a6713484b31ab80c7c462a1cec176643aff1c9ec217db771",
    );
    gateway.change(|quirks| quirks.clock_offset_s += 61);
    let mut stream = connect(&gateway).await;
    stream.write_all(&sample.bytes()).await.unwrap();
    let head = read_until(&mut stream, b"\r\n\r\n").await;
    assert!(head.starts_with(b"HTTP/1.1 426 Upgrade Required\r\n"), "{head:?}");
    assert_eq!(gateway.attempts(), [Attempt::Refused(Judgement::Expired)]);
}

#[tokio::test]
async fn gateway_cuts_a_connection_when_its_time_is_over() {
    let (broker, _seen) = silent_broker().await;
    let cut_after = Some(Duration::from_millis(50));
    let gateway = golden_gateway(broker, Quirks { cut_after, ..Quirks::default() }).await;
    let mut stream = connect(&gateway).await;
    stream.write_all(&Sample::golden().bytes()).await.unwrap();
    wait_for_end(&mut stream).await;
    assert_eq!(gateway.breaches(), [Breach::Cut]);
}

#[tokio::test]
async fn gateway_that_is_dropped_ends_its_connections_and_removes_its_file() {
    let (broker, _seen) = silent_broker().await;
    let gateway = golden_gateway(broker, Quirks::default()).await;
    let mut stream = connect(&gateway).await;
    stream.write_all(&Sample::golden().bytes()).await.unwrap();
    read_until(&mut stream, b"\r\n\r\n").await;
    let ca_file = gateway.ca_file().to_owned();
    assert_eq!(std::fs::read_to_string(&ca_file).unwrap(), gateway.ca_pem());
    drop(gateway);
    assert!(!ca_file.exists());
    wait_for_end(&mut stream).await;
}
