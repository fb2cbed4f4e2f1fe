//! Bad input and bad servers: each has its exit code and one line, without secrets.

use std::net::SocketAddr;

use super::{SECRET, assert_failed, mosquitto, publish};
use support::aws_iot::{AwsIot, Key, Quirks};
use support::mosquitto::Mosquitto;
use support::process::{Output, dunlin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// `pub` and `sub` with a password, at a place where it cannot succeed.
async fn both(url: &str, args: &[&str]) -> [Output; 2] {
    let secret = ["-u", "ann", "-P", SECRET];
    let publish = publish(url, &["-t", "a", "-m", SECRET]).await.args(secret).args(args);
    let subscribe = dunlin().await.args(["sub", "--url", url, "-t", "a"]).args(secret).args(args);
    [publish.run().await, subscribe.run().await]
}

#[tokio::test]
async fn unknown_host_is_named() {
    for scheme in ["ws", "wss", "mqtt", "mqtts"] {
        for output in both(&format!("{scheme}://no-such-host.invalid"), &[]).await {
            assert_failed(&output, 3, "cannot find the host no-such-host.invalid");
        }
    }
}

#[tokio::test]
async fn wrong_port_is_named() {
    let mut broker = mosquitto().await;
    broker.kill().await;
    let (url, address) = (broker.ws_url(), broker.ws_addr());
    for output in both(&format!("{url}?token={SECRET}"), &[]).await {
        assert_failed(&output, 3, &format!("{address} refused the connection"));
    }
}

#[tokio::test]
async fn wrong_listener_is_told_apart() {
    let broker = mosquitto().await;
    // WebSocket where plain MQTT is spoken, and the other way round.
    for url in [format!("ws://{}", broker.tcp_addr()), format!("mqtt://{}", broker.ws_addr())] {
        for output in both(&url, &[]).await {
            assert!(matches!(output.code, Some(3 | 4)), "{output:?}");
            assert_failed(&output, output.code.unwrap(), "");
        }
    }
}

#[tokio::test]
async fn wrong_ca_is_refused_and_the_right_one_is_not() {
    let (broker, gateway) = gateway().await;
    let url = format!("wss://localhost:{}/mqtt", gateway.port());
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&other, ca_pem()).unwrap();
    for output in both(&url, &["--ca", other.path().to_str().unwrap()]).await {
        assert_failed(&output, 3, "unknown CA");
    }
    for output in both(&url, &["--ca", "no/such/ca.pem"]).await {
        assert_failed(&output, 6, "no/such/ca.pem");
    }
    std::fs::write(&other, "no certificate").unwrap();
    for output in both(&url, &["--ca", other.path().to_str().unwrap()]).await {
        assert_failed(&output, 6, "holds no certificate");
    }
    let ca = gateway.ca_file().to_str().unwrap();
    let Key { access_key_id, secret_access_key, .. } = Key::permanent();
    let right = publish(&url, &["-t", "a", "-n", "-q", "1", "--ca", ca]).await;
    let right = right.args(["--aws-region", "us-east-1"]);
    let right = right.env("AWS_ACCESS_KEY_ID", &access_key_id);
    let right = right.env("AWS_SECRET_ACCESS_KEY", &secret_access_key);
    assert_eq!(right.run().await.text(), "");
    drop(broker);
}

/// T-20, as in CVE-2021-40828: a CA of one's own stands in place of the system's, not beside them.
#[tokio::test]
async fn ca_of_ones_own_replaces_those_of_the_system() {
    let (broker, gateway) = gateway().await;
    let url = format!("wss://localhost:{}/mqtt", gateway.port());
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&other, ca_pem()).unwrap();
    let other = other.path().to_str().unwrap();
    let system = ("SSL_CERT_FILE", gateway.ca_file().to_str().unwrap());
    let signed = ["-t", "a", "-n", "-q", "1", "--aws-region", "us-east-1"];
    let Key { access_key_id, secret_access_key, .. } = Key::permanent();
    for (args, trusted) in [(&[][..], true), (&["--ca", other], false)] {
        let command = publish(&url, &signed).await.args(args).env(system.0, system.1);
        let command = command.env("AWS_ACCESS_KEY_ID", &access_key_id);
        let output = command.env("AWS_SECRET_ACCESS_KEY", &secret_access_key).run().await;
        if trusted {
            assert_eq!(output.text(), "");
        } else {
            assert_failed(&output, 3, "unknown CA");
        }
    }
    drop(broker);
}

#[tokio::test]
async fn bad_url_is_a_usage_error() {
    for (url, words) in [
        (format!("ws://ann:{SECRET}@"), "no host"),
        ("wss:///mqtt".to_owned(), "no host"),
        (format!("http://ann:{SECRET}@h/mqtt"), "write ws://"),
        (format!("https://h/{SECRET}"), "write wss://"),
        (format!("{SECRET}://h"), "scheme is unknown"),
        (SECRET.to_owned(), "no scheme"),
        (format!("ws://h:{SECRET}"), "port"),
    ] {
        for output in both(&url, &[]).await {
            assert_failed(&output, 2, words);
        }
    }
}

#[tokio::test]
async fn bad_topic_is_a_usage_error() {
    let long = "t".repeat(65_536);
    let just = "t".repeat(65_535);
    let broker = mosquitto().await;
    for topic in ["a/+", "#", "", &long] {
        let output = publish(&broker.ws_url(), &["-t", topic, "-n"]).await.run().await;
        assert_failed(&output, 2, "-t is not a topic to publish to");
    }
    for filter in ["a/#/b", "a+", "", &long] {
        let args = ["sub", "--url", &broker.ws_url(), "-t", filter];
        assert_failed(&dunlin().await.args(args).run().await, 2, "-t is not a topic filter");
    }
    let output = publish(&broker.tcp_url(), &["-t", &just, "-n", "-q", "1"]).await.run().await;
    assert_eq!(output.text(), "");
}

/// Before anything is connected: AWS IoT answers QoS 2 with nothing at all.
#[tokio::test]
async fn qos_2_with_aws_is_a_usage_error() {
    let url = format!("wss://no-such-host.invalid/mqtt?token={SECRET}");
    for output in both(&url, &["--aws-region", "us-east-1", "-q", "2"]).await {
        assert_failed(&output, 2, "-q takes 0 or 1 here, since AWS IoT has no QoS 2: dunlin ");
    }
    let will = ["--aws-region", "us-east-1", "--will-topic", "a", "--will-qos", "2"];
    for output in both(&url, &will).await {
        assert_failed(&output, 2, "--will-qos takes 0 or 1 here, since AWS IoT has no QoS 2: ");
    }
}

#[tokio::test]
async fn missing_file_is_named() {
    let output = publish("ws://h", &["-t", "a", "-f", "no/such/file"]).await.run().await;
    assert_failed(&output, 6, "cannot read -f no/such/file");
}

#[tokio::test]
async fn wrong_arguments_show_the_usage_and_no_value() {
    for args in [&["pub", SECRET][..], &["sub", "-t", "a", SECRET], &[SECRET], &["demo", SECRET]] {
        assert_failed(&dunlin().await.args(args).run().await, 2, "dunlin ");
    }
    let output = dunlin().await.args(["pub", "--colour"]).run().await;
    assert_failed(&output, 2, "there is no option --colour: dunlin pub --url URL -t TOPIC");
}

/// A server that echoes the request, secrets included, as error pages do.
#[tokio::test]
async fn http_server_is_told_apart_and_what_it_repeats_hidden() {
    for (status, words) in [
        ("404 Not Found", "HTTP 404: check the URL's path"),
        ("403 Forbidden", "HTTP 403: check the credentials"),
        ("302 Found", "HTTP 302: it points to http://elsewhere/mqtt"),
        ("200 OK", "HTTP 200"),
        ("503 Service Unavailable", "HTTP 503: it is overloaded"),
    ] {
        let address = http_server(status).await;
        for output in both(&format!("ws://{address}/mqtt?token={SECRET}"), &[]).await {
            assert_failed(&output, 4, words);
            assert!(output.stderr.contains("GET /mqtt?***"), "{output:?}");
        }
    }
}

/// Neither the secret key, nor the session token, nor the signature.
#[tokio::test]
async fn signed_request_leaves_no_secret_in_the_refusal() {
    let address = http_server("403 Forbidden").await;
    let output = publish(&format!("ws://{address}/mqtt"), &["-t", "a", "-n"])
        .await
        .args(["--aws-region", "us-east-1"])
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", SECRET)
        .run()
        .await;
    assert_failed(&output, 4, "HTTP 403: the signature was not accepted");
    assert!(!output.stderr.contains("X-Amz"), "{output:?}");
    let output = publish("wss://h", &["-t", "a", "-n", "--aws-region", "us-east-1"]).await;
    assert_failed(&output.run().await, 6, "AWS_ACCESS_KEY_ID is not set");
    let output = publish("wss://mqtt.example.com", &["-t", "a", "-n", "--aws"]).await.run().await;
    assert_failed(&output, 2, "mqtt.example.com does not tell its region");
}

/// SUBACK with 0x80 (MQTT 3.1.1 §3.9.3) for the second filter.
#[tokio::test]
async fn refused_subscription_is_named() {
    let address = mqtt_server(|packet| match packet[0] >> 4 {
        CONNECT => Some(CONNACK.to_vec()),
        SUBSCRIBE => Some(vec![0x90, 4, packet[2], packet[3], 1, 0x80]),
        _ => None,
    })
    .await;
    let args = ["sub", "--url", &format!("mqtt://{address}"), "-t", "mine", "-t", "theirs"];
    let output = dunlin().await.args(args).run().await;
    assert_failed(&output, 4, "refused the subscription to theirs");
}

/// What AWS IoT Core does with an identity that has no policy, or one that does not allow a topic.
#[tokio::test]
async fn server_that_hangs_up_without_a_word_is_explained() {
    let address = mqtt_server(|_| None).await;
    for output in both(&format!("mqtt://{address}"), &[]).await {
        assert_failed(&output, 4, "policy");
    }
    let address = mqtt_server(|packet| (packet[0] >> 4 == CONNECT).then(|| CONNACK.to_vec())).await;
    let args = ["-t", "forbidden", "-m", SECRET, "-q", "1"];
    let mut last = publish(&format!("mqtt://{address}"), &args).await.run().await;
    // Before it stands that the connection was lost for the first time.
    last.stderr = last.stderr.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert_failed(&last, 5, "not acknowledged, and the connection was lost 4 times: ");
    assert!(last.stderr.contains("policy"), "{last:?}");
}

#[tokio::test]
async fn server_that_speaks_nonsense_is_an_error() {
    let address = mqtt_server(|_| Some(b"SSH-2.0-nonsense\r\n".to_vec())).await;
    for output in both(&format!("mqtt://{address}"), &[]).await {
        assert_failed(&output, 3, "MQTT");
    }
}

const CONNECT: u8 = 1;
const SUBSCRIBE: u8 = 8;
/// Accepted, without a session (MQTT 3.1.1 §3.2).
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// Answers each packet as `answer` says, and hangs up when it says nothing.
async fn mqtt_server(answer: fn(&[u8]) -> Option<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut packet = vec![0; 2];
            while stream.read_exact(&mut packet[..2]).await.is_ok() {
                // All of them here are shorter than 128 bytes.
                packet.resize(2 + usize::from(packet[1]), 0);
                stream.read_exact(&mut packet[2..]).await.unwrap();
                let Some(answer) = answer(&packet) else { break };
                stream.write_all(&answer).await.unwrap();
            }
        }
    });
    address
}

async fn gateway() -> (Mosquitto, AwsIot) {
    let broker = mosquitto().await;
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
    (broker, gateway)
}

/// The certificate of a CA that nobody has used.
fn ca_pem() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new([]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.self_signed(&key).unwrap().pem()
}

/// Answers each request with `status`, and repeats it in a header and in the body.
async fn http_server(status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            let line = request.lines().next().unwrap();
            let target = line.split(' ').nth(1).unwrap();
            let length = line.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nLocation: http://elsewhere{target}\r\n\
                 Content-Length: {length}\r\n\r\n{line}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}
