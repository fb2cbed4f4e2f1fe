//! Answers that are none of a WebSocket server: cases 14 to 18.

use crate::script::{GOOD, error, refusal};
use dunlin::ws::{REFUSAL_BODY_KEPT, UpgradeError};

/// RFC 9112 §6
///
/// The connection ends behind each, or the body says itself that it is complete.
#[test]
fn case_14_error_bodies_in_every_framing() {
    for (fields, body, kept) in [
        // By length: exact, short, with more behind it, none at all.
        ("Content-Length: 3\r\n", "abc", "abc"),
        ("Content-Length: 9\r\n", "abc", "abc"),
        ("Content-Length: 3\r\n", "abcHTTP/1.1 200 OK", "abc"),
        ("Content-Length: 0\r\n", "", ""),
        ("Content-Length: 3\r\nContent-Length: 3\r\n", "abc", "abc"),
        ("Content-Length: 18446744073709551616\r\n", "abc", "abc"),
        // Chunked: extensions, trailers, capitals, zeros in front, a size that overflows or is none.
        ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("Transfer-Encoding: chunked\r\n", "1;a=\"b\"\r\na\r\n2\r\nbc\r\n0\r\nT: x\r\n\r\n", "abc"),
        ("Transfer-Encoding: Chunked\r\n", "00A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\nabc", "abc"),
        ("Transfer-Encoding: chunked\r\n", "x\r\nabc", ""),
        ("Transfer-Encoding: chunked\r\n", "3\r\nab", "ab"),
        // Until the end, and where both are said, which is an attack elsewhere: chunks count.
        ("", "abc", "abc"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc"),
    ] {
        let seen = refusal(format!("HTTP/1.1 500 Oops\r\n{fields}\r\n{body}"));
        assert_eq!((seen.status, seen.body.as_str()), (500, kept), "{fields:?} {body:?}");
    }
    for length in ["+5", "-5", "5, 5", "0x5", "", "5\r\nContent-Length: 6", "five"] {
        let script = format!("HTTP/1.1 500 x\r\nContent-Length: {length}\r\n\r\nabcde");
        assert_eq!(error(script), UpgradeError::Field, "{length:?}");
    }
    let long = "x".repeat(usize::from(REFUSAL_BODY_KEPT) * 3);
    let chunks = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    for (fields, body) in [
        (format!("Content-Length: {}\r\n", long.len()), &long),
        (String::new(), &long),
        ("Transfer-Encoding: chunked\r\n".to_owned(), &chunks),
    ] {
        let seen = refusal(format!("HTTP/1.1 500 x\r\n{fields}\r\n{body}"));
        assert_eq!(seen.body, long[..usize::from(REFUSAL_BODY_KEPT)], "{fields:?}");
    }
}

/// What AWS IoT Core says to a signature that it does not take.
#[test]
fn case_15_forbidden_by_aws() {
    let script = "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\n\
        content-length: 24\r\ndate: Tue, 02 Jan 2024 03:04:05 GMT\r\n\
        x-amzn-RequestId: 7f0c\r\nconnection: keep-alive\r\n\
        x-amzn-ErrorType: ForbiddenException:\r\n\r\n{\"message\":\"Forbidden\"}\n";
    let seen = refusal(script);
    assert_eq!(seen.status, 403);
    assert_eq!(seen.field("x-amzn-ErrorType"), Some("ForbiddenException:"));
    assert_eq!(seen.field("x-amzn-RequestId"), Some("7f0c"));
    assert_eq!(seen.field("date"), Some("Tue, 02 Jan 2024 03:04:05 GMT"));
    assert_eq!(seen.body, "{\"message\":\"Forbidden\"}\n");
}

/// RFC 9110 §15
///
/// A redirect is an answer like the others: nobody follows it unasked.
#[test]
fn case_16_redirects_and_other_refusals() {
    for (line, status, name, value) in [
        ("HTTP/1.1 301 Moved Permanently", 301, "Location", "https://other.test/mqtt"),
        ("HTTP/1.1 302 Found", 302, "location", "/elsewhere"),
        ("HTTP/1.1 307", 307, "LOCATION", "wss://other.test/"),
        ("HTTP/1.1 401 Unauthorized", 401, "WWW-Authenticate", "Basic realm=\"x\""),
        ("HTTP/1.1 407 Proxy Authentication Required", 407, "Date", "now"),
        ("HTTP/1.1 426 Upgrade Required", 426, "Sec-WebSocket-Version", "13, 8, 7"),
        ("HTTP/1.0 503 Service Unavailable", 503, "Retry-After", "120"),
        ("HTTP/1.1 200 OK", 200, "Content-Type", "text/html"),
    ] {
        let seen = refusal(format!("{line}\r\nX: y\r\n{name}: {value}\r\n\r\n<html>"));
        assert_eq!((seen.status, seen.field(name)), (status, Some(value)), "{line}");
        assert_eq!(seen.body, "<html>");
    }
}

/// RFC 6455 §4.1
#[test]
fn case_17_end_before_or_inside_the_head() {
    assert_eq!(error(""), UpgradeError::NoResponse);
    for cut in 1..GOOD.len() {
        // Half of the mark stands for itself, and is as good as any cut.
        assert_eq!(error(&GOOD[..cut]), UpgradeError::Truncated, "{cut} bytes");
    }
    for script in ["HTTP/1.1 403 Forb", "HTTP/1.1 403 x\r\nDate: x\r\n", "HTTP/1.1 100 x\r\n\r\n"] {
        assert_eq!(error(script), UpgradeError::Truncated, "{script:?}");
    }
}

/// RFC 8446 §5.1
#[test]
fn case_18_reply_in_another_protocol() {
    for (script, expected) in [
        (&b"\x15\x03\x03\x00\x02\x02\x28"[..], UpgradeError::Tls),
        (b"\x16\x03\x03\x00\x7a", UpgradeError::Tls),
        (b"\x20\x02\x00\x00", UpgradeError::NotHttp),
        (b"\x82\x04\x20\x02\x00\x00", UpgradeError::NotHttp),
        (b"SSH-2.0-OpenSSH\r\n", UpgradeError::NotHttp),
        (b"\0", UpgradeError::NotHttp),
        (b"HELLO\r\n", UpgradeError::StatusLine),
    ] {
        assert_eq!(error(script), expected, "{script:x?}");
    }
}
