//! What the client itself must not send: case 19.

use dunlin::octet::{Text, Window};
use dunlin::ws::{Field, InvalidRequest, Request, Upgrade};
use dunlin_tokio::Url;
use dunlin_tokio::aws::{Signing, UnixTime};

fn checked(host: &str, target: &str, name: &str, value: &str) -> Result<String, InvalidRequest> {
    let fields = [Field { name, value }];
    let request = Request::new(host, &target, &fields)?;
    let mut bytes = sent(Upgrade::new(request, "mqtt", [7; 16]), 1);
    for room in [2, 131, 256, 10_000] {
        assert_eq!(sent(Upgrade::new(request, "mqtt", [7; 16]), room), bytes, "{room} at a time");
    }
    assert_eq!(bytes.split_off(bytes.len() - 4), b"\r\n\r\n");
    Ok(String::from_utf8(bytes).unwrap())
}

/// The request in pieces of at most `room` bytes.
fn sent(mut upgrade: Upgrade<'_>, room: usize) -> Vec<u8> {
    let (mut bytes, mut out) = (Vec::new(), vec![0; room]);
    while let len @ 1.. = upgrade.poll_transmit(&mut out) {
        bytes.extend_from_slice(&out[..len]);
    }
    bytes
}

/// RFC 9112 §2.2, §3.2; RFC 6455 §4.1
#[test]
fn case_19_caller_cannot_break_the_request() {
    for bad in ["\r", "\n", "\0", "\r\nX: y\r\n", "\r\n\r\nGET / HTTP/1.1", "\u{e9}"] {
        let spoilt = |good: &str| format!("{good}{bad}{good}");
        assert_eq!(checked(&spoilt("h"), "/", "n", "v"), Err(InvalidRequest::Host));
        assert_eq!(checked("h", &spoilt("/"), "n", "v"), Err(InvalidRequest::Target));
        assert_eq!(checked("h", "/", &spoilt("n"), "v"), Err(InvalidRequest::FieldName));
        assert_eq!(checked("h", "/", "n", &spoilt("v")), Err(InvalidRequest::FieldValue));
    }
    let long = format!("/mqtt?x={}", "y".repeat(4096));
    let request = checked("[2001:db8::1]:8080", &long, "Authorization", "Basic dTpw").unwrap();
    let mut lines = request.lines();
    assert_eq!(lines.next(), Some(&*format!("GET {long} HTTP/1.1")));
    assert_eq!(lines.next(), Some("Host: [2001:db8::1]:8080"));
    assert_eq!(lines.next_back(), Some("Authorization: Basic dTpw"));
    assert_eq!(request.lines().count(), 8);
    for (url, host) in [
        ("ws://[::1]:80/mqtt", "[::1]"),
        ("ws://[::1]:8080/mqtt", "[::1]:8080"),
        ("ws://broker.test", "broker.test"),
        ("ws://broker.test:443/", "broker.test:443"),
        ("wss://broker.test:443/", "broker.test"),
        ("wss://broker.test:80/", "broker.test:80"),
    ] {
        assert_eq!(url.parse::<Url>().unwrap().host_header(), host, "{url}");
    }
}

/// RFC 6455 §4.1
///
/// A signature of more than 3 KB goes through 256 bytes of memory: it is written as it is made.
#[test]
fn case_19_signed_target_is_streamed() {
    let token = "T0ken+/=".repeat(375);
    let signing = Signing::new("AKIDEXAMPLE", "secret", Some(token), "us-east-1");
    let signed = signing.presign("h", "/mqtt", UnixTime::from_secs(1_700_000_000), None).unwrap();
    let request = Request::new("h", &signed, &[]).unwrap();
    let bytes = sent(Upgrade::new(request, "mqtt", [7; 16]), 256);
    let text = String::from_utf8(bytes).unwrap();
    let line = text.lines().next().unwrap();
    let mut whole = [0; 8192];
    let mut window = Window::new(&mut whole, 0);
    signed.write(&mut window);
    let len = window.filled();
    let target = std::str::from_utf8(&whole[..len]).unwrap();
    assert_eq!(line, format!("GET {target} HTTP/1.1"));
    assert!(line.len() > 3_000, "{}", line.len());
}
