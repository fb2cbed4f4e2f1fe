//! `dunlin doctor`: each step with its verdict, and the exit code of the first that fails.

use super::{SECRET, mosquitto};
use std::net::Ipv4Addr;
use std::sync::Arc;
use support::aws_iot::{Access, Attempt, Authorizer, AwsIot, Document, Key, Quirks};
use support::mosquitto::Mosquitto;
use support::process::{Command, Output, dunlin};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

const STEPS: [&str; 8] =
    ["name", "tcp", "tls", "clock", "upgrade", "connack", "subscribe", "publish"];

async fn doctor(url: &str, args: &[&str]) -> Output {
    dunlin().await.args(["doctor", "--url", url]).args(args).run().await
}

/// The verdict of each step, in their order, and all that was said.
fn verdicts(output: &Output) -> (Vec<String>, String) {
    assert_eq!(output.stderr, "", "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let verdict = |step: &&str| {
        let mut lines = text.lines().map(|line| line.split_whitespace());
        let words = lines.find(|words| words.clone().nth(1) == Some(*step));
        words.and_then(|mut words| words.next().map(str::to_owned)).unwrap_or_default()
    };
    (STEPS.iter().map(verdict).collect(), text)
}

/// All went well up to `step`, which has failed; nothing behind it was tried.
#[track_caller]
fn assert_failed_at(output: &Output, step: &str, code: i32, words: &str) {
    output.expect_code(code);
    let (verdicts, text) = verdicts(output);
    let at = STEPS.iter().position(|other| *other == step).unwrap();
    assert_eq!(verdicts[at], "FAILED", "{text}");
    assert!(!verdicts[..at].iter().any(|verdict| verdict == "FAILED"), "{text}");
    assert!(verdicts[at + 1..].iter().all(|verdict| verdict == "-"), "{text}");
    let line = text.lines().find(|line| line.starts_with("FAILED")).unwrap();
    assert!(line.contains(words) && line.contains(": "), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

#[tokio::test]
async fn broker_in_good_health_passes_every_step() {
    let broker = mosquitto().await;
    let expected = [
        (broker.ws_url(), ["ok", "ok", "-", "-", "ok", "ok", "ok", "ok"]),
        (broker.tcp_url(), ["ok", "ok", "-", "-", "-", "ok", "ok", "ok"]),
    ];
    for (url, mut expected) in expected {
        let output = doctor(&url, &["-V", "5", "-t", "health/check"]).await;
        output.expect_code(0);
        let (verdicts, text) = verdicts(&output);
        // Not every WebSocket server tells the time when it is asked for nothing.
        if verdicts[3] == "ok" {
            expected[3] = "ok";
        }
        assert_eq!(verdicts, expected, "{text}");
        assert!(text.contains("127.0.0.1") && text.contains("health/check is granted"), "{text}");
    }
}

/// The step that is not there is said to be so also when a later one fails.
#[tokio::test]
async fn server_that_hangs_up_upon_connect_without_websocket_has_passed_no_upgrade() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    let output = doctor(&url, &[]).await;
    server.abort();
    assert_failed_at(&output, "connack", 4, "CONNECT was not answered");
    assert_eq!(verdicts(&output).0[4], "-", "{output:?}");
}

#[tokio::test]
async fn step_that_fails_on_the_way_is_named() {
    let url = "ws://no-such-host.invalid/mqtt?token=s3cr3t-s3cr3t";
    assert_failed_at(&doctor(url, &[]).await, "name", 3, "no-such-host.invalid");
    let mut broker = mosquitto().await;
    broker.kill().await;
    let gone = doctor(&broker.ws_url(), &[]).await;
    assert_failed_at(&gone, "tcp", 3, "refused the connection");
    let broker = mosquitto().await;
    let wrong = doctor(&format!("ws://{}/mqtt", broker.tcp_addr()), &[]).await;
    assert_failed_at(&wrong, "upgrade", wrong.code.unwrap(), "");
}

async fn gateway(quirks: Quirks) -> (Mosquitto, AwsIot) {
    let broker = mosquitto().await;
    let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
    (broker, gateway)
}

/// With the key in the environment.
fn signed(command: Command, key: &Key) -> Command {
    command
        .args(["--aws-region", "us-east-1"])
        .env("AWS_ACCESS_KEY_ID", &key.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &key.secret_access_key)
        .env("AWS_SESSION_TOKEN", key.session_token.as_deref().unwrap_or_default())
}

async fn doctor_of(gateway: &AwsIot, key: &Key, args: &[&str]) -> Output {
    let url = format!("wss://localhost:{}/mqtt", gateway.port());
    let ca = gateway.ca_file().to_str().unwrap();
    let command = dunlin().await.args(["doctor", "--url", &url, "--ca", ca]).args(args);
    signed(command, key).run().await
}

#[tokio::test]
async fn aws_iot_in_good_health_passes_every_step_also_with_a_clock_that_is_off() {
    for (clock_offset_s, clock) in [(0, "ok"), (3_600, "WARNING")] {
        let (_broker, gateway) = gateway(Quirks { clock_offset_s, ..Quirks::default() }).await;
        let output = doctor_of(&gateway, &Key::temporary(), &[]).await;
        output.expect_code(0);
        let (verdicts, text) = verdicts(&output);
        assert_eq!(verdicts, ["ok", "ok", "ok", clock, "ok", "ok", "ok", "ok"], "{text}");
        assert_eq!(text.contains("behind the server's: set it"), clock == "WARNING", "{text}");
    }
}

#[tokio::test]
async fn what_aws_iot_refuses_is_named_with_its_cause() {
    let (_broker, gateway) = gateway(Quirks::default()).await;
    let wrong = Key { secret_access_key: SECRET.to_owned(), ..Key::permanent() };
    let refused = doctor_of(&gateway, &wrong, &[]).await;
    assert_failed_at(&refused, "upgrade", 4, "secret access key");
    let allowed =
        |action: &str| format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"*"}}"#);
    for (actions, step, words) in [
        (&["iot:Publish"][..], "connack", "iot:Connect"),
        (&["iot:Connect", "iot:Publish"], "subscribe", "iot:Subscribe"),
        (&["iot:Connect", "iot:Subscribe", "iot:Receive"], "publish", "iot:Publish"),
    ] {
        let statements: Vec<_> = actions.iter().map(|action| allowed(action)).collect();
        let policy =
            format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        gateway.change(|quirks| quirks.access = Access::Policy(Document::new(&policy)));
        let dropped = doctor_of(&gateway, &Key::temporary(), &[]).await;
        assert_failed_at(&dropped, step, 4, words);
    }
    let stranger = AwsIot::start(_broker.tcp_addr(), Quirks::default()).await;
    let url = format!("wss://localhost:{}/mqtt", gateway.port());
    let ca = stranger.ca_file().to_str().unwrap();
    assert_failed_at(&doctor(&url, &["--ca", ca]).await, "tls", 3, "unknown CA");
}

#[tokio::test]
async fn server_that_demands_a_certificate_of_the_client_is_named_with_what_to_pass() {
    for versions in [&[&TLS13][..], &[&TLS12]] {
        let (port, ca) = demanding(versions).await;
        let url = format!("wss://localhost:{port}/mqtt");
        let output = doctor(&url, &["--ca", ca.path().to_str().unwrap()]).await;
        let words = "it demands a certificate of the client: pass one and its key (--cert FILE";
        assert_failed_at(&output, "tls", 3, words);
    }
}

/// A server whose handshakes end where the client shows no certificate; its port and its CA's file.
async fn demanding(versions: &[&'static SupportedProtocolVersion]) -> (u16, NamedTempFile) {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(["localhost".into()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(&file, certificate.pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let asked = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(asked.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // Until the client, too, has hung up: what it sent must not wipe out the alert.
            let mut answered = match acceptor.accept(socket).into_fallible().await {
                Ok(stream) => stream.into_inner().0,
                Err((_, socket)) => socket,
            };
            let mut rest = Vec::new();
            let _ = answered.read_to_end(&mut rest).await;
        }
    });
    (port, file)
}

#[tokio::test]
async fn authorizer_and_certificate_let_in() {
    let authorizer = Authorizer {
        name: "Gate".to_owned(),
        token_key: "Ticket".to_owned(),
        token: "12+34/=".to_owned(),
        signature: Some("c2lnbmF0dXJl+/==".to_owned()),
        user: None,
    };
    let quirks = Quirks { authorizer: Some(authorizer), ..Quirks::default() };
    let (_broker, gateway) = gateway(quirks).await;
    let ca = gateway.ca_file().to_str().unwrap();
    let message = ["-t", "a", "-m", "b", "-q", "1", "--ca", ca];
    let authorizer = [
        "--authorizer",
        "Gate",
        "--authorizer-token",
        "Ticket=12+34/=",
        "--authorizer-signature",
        "c2lnbmF0dXJl+/==",
    ];
    let web = format!("wss://localhost:{}/mqtt", gateway.port());
    let by_name = format!("mqtts://localhost:{}", gateway.port());
    let by_alpn = [&authorizer[..], &["--alpn", "mqtt"]].concat();
    let certificate = gateway.client_certificate();
    let file = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        file
    };
    let (cert, key) = (file(&certificate.chain_pem), file(&certificate.key_pem));
    let shown = ["--cert", cert.path().to_str().unwrap(), "--key", key.path().to_str().unwrap()];
    let certified = format!("mqtts://localhost:{}", gateway.mqtts_port());
    let shown_on_443 = [&shown[..], &["--alpn", "x-amzn-mqtt-ca"]].concat();
    for (url, args, attempt) in [
        (&web, &authorizer[..], Some(Attempt::Authorized)),
        // Judged with CONNECT, and no upgrade.
        (&by_name, &by_alpn, None),
        (&certified, &shown, Some(Attempt::Certified)),
        (&by_name, &shown_on_443, Some(Attempt::Certified)),
    ] {
        let before = gateway.attempts().len();
        let command = dunlin().await.args(["pub", "--url", url]).args(message).args(args);
        let output = command.run().await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{url} {args:?}");
        if let Some(attempt) = attempt {
            assert_eq!(gateway.attempted(before + 1).await[before], attempt, "{url}");
        }
    }
    let refused = dunlin().await.args(["pub", "--url", &certified]).args(message);
    assert_ne!(refused.run().await.code, Some(0), "without a certificate");
}
