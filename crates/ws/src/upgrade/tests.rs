use super::*;
use crate::{FIELDS_MAX, Field, INFORMATIONAL_MAX, REFUSAL_BODY_KEPT, Refusal};
use core::sync::atomic::{AtomicUsize, Ordering};
use dunlin_octet::{Sink, Text};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn upgrade() -> Upgrade<'static> {
    let request = Request::new("server.example.com", &"/chat", &[]).unwrap();
    Upgrade::new(request, "mqtt", *b"the sample nonce")
}

/// Outcome, stream and raw bytes after `parts`, in a memory of `room` bytes; then the end.
type Outcome = (Result<(), UpgradeError>, Vec<u8>, Vec<u8>);

fn read(parts: &[&[u8]], room: usize) -> Outcome {
    let mut inbox = Inbox::new(std::vec![0; room]);
    let mut upgrade = upgrade();
    let mut result = Ok(false);
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() && result == Ok(false) {
            let len = inbox.receive(rest);
            assert!(len > 0, "no room after Ok(false)");
            rest = &rest[len..];
            result = upgrade.poll(&mut inbox);
            assert_eq!(upgrade.poll(&mut inbox), result, "the same again");
        }
        // Frame bytes that come later wait behind the others.
        inbox.receive(rest);
    }
    let examined = upgrade.response.examined();
    assert!(examined <= parts.iter().map(|part| part.len()).sum(), "each byte once");
    let outcome = match result {
        Ok(true) => Ok(()),
        Ok(false) => Err(upgrade.handle_eof(&mut inbox)),
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        assert_eq!(upgrade.poll(&mut inbox), Err(error), "poisoned");
        assert_eq!(upgrade.handle_eof(&mut inbox), error);
    }
    (outcome, inbox.stream().to_vec(), inbox.raw().to_vec())
}

/// The same outcome for every way of splitting in two and byte by byte.
fn every_cut(response: impl AsRef<[u8]>) -> Outcome {
    let bytes = response.as_ref();
    let room = bytes.len() + 1;
    let whole = read(&[bytes], room);
    let raw = |outcome: &Outcome| if outcome.0.is_ok() { outcome.2.clone() } else { Vec::new() };
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let splits = (0..=bytes.len()).map(|cut| bytes.split_at(cut)).map(|(a, b)| std::vec![a, b]);
    for parts in splits.chain([single]) {
        let outcome = read(&parts, room);
        assert_eq!(outcome.0, whole.0, "{} parts, first {}", parts.len(), parts[0].len());
        assert_eq!(outcome.1, whole.1);
        assert_eq!(raw(&outcome), raw(&whole));
    }
    whole
}

fn result(response: impl AsRef<[u8]>) -> Result<(), UpgradeError> {
    every_cut(response).0
}

fn refused(status: &[u8; 3]) -> Result<(), UpgradeError> {
    Err(UpgradeError::Refused(Status::from_digits(*status).unwrap()))
}

/// The status and the body that a refusal leaves behind.
fn refusal(response: impl AsRef<[u8]>) -> (u16, String) {
    let (outcome, stream, _) = every_cut(response);
    let refusal = Refusal::parse(&stream).unwrap();
    assert_eq!(outcome, Err(UpgradeError::Refused(refusal.status())));
    (refusal.status().get(), String::from_utf8_lossy(refusal.body()).into_owned())
}

fn sent(upgrade: &mut Upgrade<'_>, room: usize) -> String {
    let (mut text, mut out) = (Vec::new(), std::vec![0; room]);
    loop {
        let len = upgrade.poll_transmit(&mut out);
        text.extend_from_slice(&out[..len]);
        if len == 0 {
            return String::from_utf8(text).unwrap();
        }
    }
}

/// §1.3 and §4.1; also with a path of 4 KB.
#[test]
fn request_is_the_same_in_windows_of_any_size() {
    let expected = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
    for room in 1..=expected.len() + 1 {
        assert_eq!(sent(&mut upgrade(), room), expected, "windows of {room}");
    }
    let target = format!("/mqtt?{}", "x".repeat(4096));
    let fields = [Field { name: "Authorization", value: "Basic dTpw" }];
    let target = target.as_str();
    let request = Request::new("[::1]:8080", &target, &fields).unwrap();
    let text = sent(&mut Upgrade::new(request, "", [0; 16]), 100);
    assert!(text.starts_with(&format!("GET {target} HTTP/1.1\r\nHost: [::1]:8080\r\n")));
    assert!(text.ends_with("Version: 13\r\nAuthorization: Basic dTpw\r\n\r\n"), "{text}");
}

/// A target may be costly to write, for it may be signed while it is written.
#[test]
fn request_writes_its_target_once_to_check_it_and_once_a_window() {
    struct Counted(AtomicUsize);
    impl Text for Counted {
        fn write(&self, sink: &mut dyn Sink) {
            self.0.fetch_add(1, Ordering::Relaxed);
            sink.put(b"/mqtt");
        }
    }
    let target = Counted(AtomicUsize::new(0));
    let mut upgrade = Upgrade::new(Request::new("h", &target, &[]).unwrap(), "mqtt", [0; 16]);
    assert_eq!(sent(&mut upgrade, 100).len(), 174);
    assert_eq!(upgrade.poll_transmit(&mut [0; 100]), 0);
    assert_eq!(target.0.into_inner(), 1 + 2);
}

#[test]
fn subprotocol_that_is_no_token_is_never_sent() {
    for subprotocol in ["mqtt\r\nX: y", "mqtt, chat", "mqtt ", "mqtté"] {
        let request = Request::new("h", &"/", &[]).unwrap();
        let mut upgrade = Upgrade::new(request, subprotocol, [0; 16]);
        assert_eq!(sent(&mut upgrade, 64), "");
        let error = UpgradeError::Request(InvalidRequest::Subprotocol);
        assert_eq!(upgrade.poll(&mut Inbox::new([0; 64])), Err(error));
    }
}

/// Every split; frame bytes in the same read stay for the next layer.
#[test]
fn switch_leaves_the_bytes_behind_it() {
    for behind in ["", "\u{2}", "\u{2}\u{3}abc", "\r\n\r\n", "HTTP/1.1 101\r\n\r\n"] {
        let (outcome, stream, raw) = every_cut(format!("{GOOD}{behind}"));
        assert_eq!((outcome, stream.len(), raw), (Ok(()), 0, behind.as_bytes().to_vec()));
    }
}

#[test]
fn switch_in_any_legal_spelling_is_taken() {
    for (from, to) in [
        ("Upgrade: websocket", "uPGRADE:WebSocket"),
        ("Upgrade: websocket", "UPGRADE: \t WEBSOCKET \t "),
        ("Sec-WebSocket-Accept", "sec-websocket-accept"),
        ("Connection: Upgrade", "connection: keep-alive, Upgrade"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"),
        ("Connection: Upgrade", "Connection: Upgrade\r\nConnection: keep-alive"),
        ("Connection: Upgrade", "Connection: ,upgrade,,"),
        (" Switching Protocols", ""),
        (" Switching Protocols", " "),
        ("Switching Protocols", "Yes, \t(whatever): 101"),
        ("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
        ("\r\n\r\n", "\r\nContent-Length: 17\r\ncontent-length: +5\r\n\r\n"),
        ("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions:\r\n\r\n"),
        ("\r\n\r\n", "\r\nServer: x\r\nDate: y\r\nEmpty:\r\nSec-WebSocket-Version: 13\r\n\r\n"),
    ] {
        assert_eq!(result(GOOD.replace(from, to)), Ok(()), "{from:?} to {to:?}");
    }
}

/// Whole values, each once.
#[test]
fn switch_with_a_wrong_or_missing_field_is_an_error() {
    use UpgradeError as E;
    let accept_line = format!("Sec-WebSocket-Accept: {ACCEPT}\r\n");
    let swapped = ACCEPT.replace('s', "S");
    for (from, to, error) in [
        (accept_line.as_str(), "", E::Accept),
        (accept_line.as_str(), &accept_line.repeat(2), E::Accept),
        (ACCEPT, "", E::Accept),
        (ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", E::Accept),
        (ACCEPT, &swapped, E::Accept),
        (ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", E::Accept),
        (ACCEPT, &format!("{ACCEPT}="), E::Accept),
        (ACCEPT, &format!("{ACCEPT}, x"), E::Accept),
        (ACCEPT, &format!("\"{ACCEPT}\""), E::Accept),
        (ACCEPT, "dGhlIHNhbXBsZSBub25jZQ==", E::Accept),
        ("Upgrade: websocket\r\n", "", E::Upgrade),
        ("Upgrade: websocket", "Upgrade: websocket, foo", E::Upgrade),
        ("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket", E::Upgrade),
        ("Upgrade: websocket", "Upgrade: websocket/13", E::Upgrade),
        ("Upgrade: websocket", "Upgrade: websocke", E::Upgrade),
        ("Connection: Upgrade\r\n", "", E::Connection),
        ("Connection: Upgrade", "Connection: keep-alive", E::Connection),
        ("Connection: Upgrade", "Connection: Upgraded", E::Connection),
        ("Sec-WebSocket-Protocol: mqtt\r\n", "", E::Subprotocol),
        (": mqtt", ": MQTT", E::Subprotocol),
        (": mqtt", ": mqttv3.1", E::Subprotocol),
        (": mqtt", ":", E::Subprotocol),
        (": mqtt", ": mqtt, mqtt", E::Subprotocol),
        (": mqtt", ": mqtt\r\nSec-WebSocket-Protocol: mqtt", E::Subprotocol),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", E::Extension),
        ("\r\n\r\n", "\r\nsec-websocket-extensions: x\r\n\r\n", E::Extension),
    ] {
        assert_eq!(result(GOOD.replace(from, to)), Err(error), "{from:?} to {to:?}");
    }
}

#[test]
fn subprotocol_that_was_not_offered_is_an_error() {
    for (response, expected) in [
        (GOOD.to_string(), Err(UpgradeError::Subprotocol)),
        (GOOD.replace("Sec-WebSocket-Protocol: mqtt\r\n", ""), Ok(true)),
        (GOOD.replace(": mqtt", ":"), Err(UpgradeError::Subprotocol)),
    ] {
        let request = Request::new("h", &"/", &[]).unwrap();
        let mut upgrade = Upgrade::new(request, "", *b"the sample nonce");
        let mut inbox = Inbox::new([0; 512]);
        inbox.receive(response.as_bytes());
        assert_eq!(upgrade.poll(&mut inbox), expected);
    }
}

#[test]
fn status_line_of_another_form_is_an_error() {
    for (from, to) in [
        ("HTTP/1.1", "HTTP/1.0"),
        ("HTTP/1.1", "HTTP/1.2"),
        ("HTTP/1.1", "HTTP/2"),
        ("HTTP/1.1 ", "HTTP/1.1  "),
        ("101 ", "10 "),
        ("101 ", "1010 "),
        ("101 ", "+101 "),
        ("Switching", "Swit\rching"),
        ("Switching", "Swit\0ching"),
        ("Switching", "é"),
        ("Protocols\r\n", "Protocols\n"),
        ("Protocols\r\n", "Protocols\r\r\n"),
    ] {
        let response = GOOD.replacen(from, to, 1);
        assert_eq!(result(&response), Err(UpgradeError::StatusLine), "{response:?}");
    }
    for first in ["http/1.1 101 x\r\n\r\n", "\r\nHTTP/1.1 101 x\r\n", " HTTP/1.1 101 x\r\n"] {
        assert_eq!(result(first), Err(UpgradeError::NotHttp), "{first:?}");
    }
}

#[test]
fn field_of_another_form_is_an_error() {
    for to in [
        "\r\n folded: x\r\n",
        "\r\n\tfolded\r\n",
        "\r\nName : x\r\n",
        "\r\nName\t: x\r\n",
        "\r\n: x\r\n",
        "\r\nname\r\n",
        "\r\nNa me: x\r\n",
        "\nName: x\r\n",
        "\r\nName: x\n\r\n",
        "\r\nName: a\rb\r\n",
        "\r\nName: a\0b\r\n",
        "\r\nName: é\r\n",
        "\r\nNamé: x\r\n",
        "\r\nName: \u{7f}\r\n",
        "\r\nName: \u{1b}\r\n",
        "\r\r\n",
    ] {
        let response = GOOD.replacen("\r\n", to, 1);
        let expected = match to.as_bytes() {
            [b'\n', ..] | [b'\r', b'\r', ..] => UpgradeError::StatusLine,
            _ => UpgradeError::Field,
        };
        assert_eq!(result(&response), Err(expected), "{to:?}");
    }
}

#[test]
fn informational_answers_are_skipped_up_to_a_limit() {
    let some = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nUpgrade: x\r\n\
        Sec-WebSocket-Accept: y\r\nDate: z\r\n\r\nHTTP/1.1 102\r\n\r\n";
    assert_eq!(result(format!("{some}{GOOD}")), Ok(()));
    assert_eq!(refusal(format!("{some}HTTP/1.1 404 x\r\n\r\n")), (404, String::new()));
    let one = "HTTP/1.1 100 Continue\r\n\r\n";
    let most = one.repeat(usize::from(INFORMATIONAL_MAX));
    assert_eq!(result(format!("{most}{GOOD}")), Ok(()));
    assert_eq!(result(format!("{most}{one}{GOOD}")), Err(UpgradeError::HeadTooLong));
    let hints = format!("HTTP/1.1 103 x\r\n{}\r\n", "a: b\r\n".repeat(usize::from(FIELDS_MAX)));
    assert_eq!(read(&[hints.as_bytes(), hints.as_bytes(), GOOD.as_bytes()], 2000).0, Ok(()));
    let old = "HTTP/1.0 100 Continue\r\n\r\n";
    assert_eq!(result(format!("{old}{GOOD}")), Err(UpgradeError::StatusLine));
    // A field of an earlier answer does not count for the real one.
    let early = GOOD.replace("101", "103");
    let late = GOOD.replace(&format!("Sec-WebSocket-Accept: {ACCEPT}\r\n"), "");
    assert_eq!(result(format!("{early}{late}")), Err(UpgradeError::Accept));
}

/// Each is an error, and the memory never runs out of room without one.
#[test]
fn head_that_is_too_large_is_an_error() {
    let bytes = |text: String| text.into_bytes();
    let long_line = bytes(GOOD.replacen("\r\n", &format!("\r\nX: {}\r\n", "y".repeat(500)), 1));
    assert_eq!(read(&[&long_line], 300).0, Err(UpgradeError::LineTooLong));
    assert_eq!(read(&[&long_line], 600).0, Ok(()));
    let long_status = bytes(format!("HTTP/1.1 101 {}", "x".repeat(500)));
    assert_eq!(read(&[&long_status], 300).0, Err(UpgradeError::LineTooLong));
    let large = bytes(GOOD.replacen("\r\n", &format!("\r\nX: {}\r\n", "y".repeat(65536)), 1));
    assert_eq!(read(&[&large], 100_000).0, Err(UpgradeError::HeadTooLong));
    let many = bytes(GOOD.replacen("\r\n", &("\r\na: b".repeat(1000) + "\r\n"), 1));
    assert_eq!(read(&[&many], 100_000).0, Err(UpgradeError::HeadTooLong));
    let most = usize::from(FIELDS_MAX) - 4;
    let fine = bytes(GOOD.replacen("\r\n", &("\r\na: b".repeat(most) + "\r\n"), 1));
    assert_eq!(read(&[&fine], 100).0, Ok(()));
    let hints = "HTTP/1.1 103 x\r\n".to_string() + &format!("a: {}\r\n", "b".repeat(90)).repeat(30);
    let hints = bytes((hints + "\r\n").repeat(8) + GOOD);
    assert_eq!(read(&[&hints], 1000).0, Err(UpgradeError::HeadTooLong));
}

/// Whole in a memory of its longest line, with an answer of any status.
#[test]
fn memory_of_the_longest_line_is_enough_and_less_is_an_error() {
    let longest = GOOD.split_inclusive('\n').map(str::len).max().unwrap();
    let (outcome, stream, raw) = read(&[GOOD.as_bytes(), b"\x82\x00"], longest);
    assert_eq!((outcome, stream.len(), raw.as_slice()), (Ok(()), 0, &b"\x82\x00"[..]));
    assert_eq!(read(&[GOOD.as_bytes()], longest - 1).0, Err(UpgradeError::LineTooLong));
    let mut nothing = Inbox::new([0; 0]);
    assert_eq!(upgrade().poll(&mut nothing), Err(UpgradeError::LineTooLong));
}

/// Memory that can grow does, as far as heads may.
#[test]
fn memory_that_grows_takes_a_line_of_any_legal_length() {
    struct Growing(Vec<u8>);
    impl Buffer for Growing {
        type Places<T: dunlin_octet::Entry, const N: usize> = [T; N];

        fn bytes(&self) -> &[u8] {
            &self.0
        }
        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
        fn grow(&mut self, len: usize) -> bool {
            self.0.resize(self.0.len().max(len), 0);
            true
        }
    }
    for (len, expected) in [(5000, Ok(true)), (70_000, Err(UpgradeError::HeadTooLong))] {
        let response = GOOD.replacen("\r\n", &format!("\r\nX: {}\r\n", "y".repeat(len)), 1);
        let mut inbox = Inbox::new(Growing(Vec::new()));
        let (mut upgrade, mut rest) = (upgrade(), response.as_bytes());
        let mut outcome = upgrade.poll(&mut inbox);
        while outcome == Ok(false) {
            let len = inbox.receive(rest);
            assert!(len > 0);
            rest = &rest[len..];
            outcome = upgrade.poll(&mut inbox);
        }
        assert_eq!(outcome, expected);
        assert!(inbox.capacity() <= HEAD_MAX);
    }
}

#[test]
fn refusal_keeps_the_first_bytes_of_its_body() {
    let head = "HTTP/1.1 500 x\r\n";
    for (fields, body, expected) in [
        ("Content-Length: 3\r\n", "abc", "abc"),
        ("Content-Length: 3\r\n", "abcdef", "abc"),
        ("Content-Length: 5\r\n", "abc", "abc"),
        ("Content-Length: 0\r\n", "abc", ""),
        ("Content-Length: 3\r\nContent-Length: 3\r\n", "abcd", "abc"),
        ("Content-Length: 99999999999999999999\r\n", "abc", "abc"),
        ("", "abc", "abc"),
        ("", "", ""),
        ("Transfer-Encoding: chunked\r\n", "1;x=y\r\na\r\n2\r\nbc\r\n0\r\nT: x\r\n\r\n", "abc"),
        ("Transfer-Encoding: gzip, Chunked\r\n", "1\r\na\r\n0\r\n\r\n", "a"),
        ("Transfer-Encoding: gzip\r\n", "1\r\na", "1\r\na"),
        ("Transfer-Encoding: gzip\r\nContent-Length: 1\r\n", "abc", "abc"),
        ("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nabc", "abc"),
        ("Transfer-Encoding: chunked\r\n", "zz", ""),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "1\r\na\r\n0\r\n\r\n", "a"),
    ] {
        let seen = refusal(format!("{head}{fields}\r\n{body}"));
        assert_eq!(seen, (500, expected.to_string()), "{fields:?} {body:?}");
    }
    let long = "x".repeat(3000);
    let kept = "x".repeat(usize::from(REFUSAL_BODY_KEPT));
    let by_length = format!("{head}Content-Length: 3000\r\n\r\n{long}");
    assert_eq!(refusal(by_length), (500, kept.clone()));
    assert_eq!(refusal(format!("{head}\r\n{long}")), (500, kept));
    assert_eq!(refusal("HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\nabc"), (204, String::new()));
    assert_eq!(refusal("HTTP/1.1 304 x\r\n\r\nabc"), (304, String::new()));
}

#[test]
fn refusal_with_a_body_length_that_is_none_is_an_error() {
    for length in ["+5", "-1", "5, 5", "5 ", "0x5", "", "5\r\nContent-Length: 6"] {
        let response = format!("HTTP/1.1 500 x\r\nContent-Length: {length}\r\n\r\nabcde");
        let expected = if length == "5 " { refused(b"500") } else { Err(UpgradeError::Field) };
        assert_eq!(result(response), expected, "{length:?}");
    }
}

/// What a refusal of AWS IoT Core looks like.
#[test]
fn refusal_explains_itself() {
    let response = "HTTP/1.1 403 Forbidden\r\ncontent-length: 23\r\nserver: x\r\n\
        date: Tue, 02 Jan 2024 03:04:05 GMT\r\nconnection: keep-alive\r\n\
        x-amzn-RequestId: 7f0c\r\nx-amzn-ErrorType: ForbiddenException:\r\n\
        content-type: application/json\r\n\r\n{\"message\":\"Forbidden\"}\r\n";
    let (outcome, stream, _) = every_cut(response);
    assert_eq!(outcome, refused(b"403"));
    let refusal = Refusal::parse(&stream).unwrap();
    assert_eq!(refusal.field("date"), Some("Tue, 02 Jan 2024 03:04:05 GMT"));
    assert_eq!(refusal.field("X-Amzn-ErrorType"), Some("ForbiddenException:"));
    assert_eq!(refusal.field("x-amzn-requestid"), Some("7f0c"));
    assert_eq!((refusal.field("server"), refusal.field("connection")), (None, None));
    assert_eq!(refusal.body(), b"{\"message\":\"Forbidden\"}");
}

#[test]
fn refusal_of_any_status_keeps_what_a_caller_needs() {
    for (status, line, name, value) in [
        (*b"301", "HTTP/1.1 301 x", "Location", "https://h/"),
        (*b"302", "HTTP/1.1 302", "Location", "/x"),
        (*b"307", "HTTP/1.1 307 x", "location", "wss://h/"),
        (*b"401", "HTTP/1.1 401 x", "WWW-Authenticate", "Basic realm=\"x\""),
        (*b"407", "HTTP/1.1 407 x", "Date", "x"),
        (*b"426", "HTTP/1.1 426 x", "Sec-WebSocket-Version", "13, 8"),
        (*b"503", "HTTP/1.0 503 x", "Retry-After", "120"),
        (*b"200", "HTTP/1.1 200 OK", "Content-Type", "text/html"),
        (*b"999", "HTTP/1.1 999 x", "Date", ""),
    ] {
        let response = format!("{line}\r\nA: b\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n");
        let (outcome, stream, _) = every_cut(response);
        assert_eq!(outcome, refused(&status));
        assert_eq!(Refusal::parse(&stream).unwrap().field(name), Some(value));
    }
}

/// A refusal that the memory has no room for is still a refusal.
#[test]
fn refusal_in_a_small_memory_keeps_what_fits() {
    let fields = "Date: now\r\nX-Other: zzzzzzzzzz\r\nLocation: /a/long/way\r\n";
    let response = format!("HTTP/1.1 403 Forbidden\r\n{fields}\r\n0123456789");
    for room in 24..=response.len() + 1 {
        let parts: Vec<&[u8]> = response.as_bytes().chunks(7).collect();
        for parts in [&parts[..], &[response.as_bytes()]] {
            let (outcome, stream, _) = read(parts, room);
            assert_eq!(outcome, refused(b"403"), "{room} bytes");
            let refusal = Refusal::parse(&stream).unwrap();
            assert!(b"0123456789".starts_with(refusal.body()));
        }
    }
    assert_eq!(read(&[response.as_bytes()], 23).0, Err(UpgradeError::LineTooLong));
}

/// The end at every byte.
#[test]
fn end_of_the_transport_at_any_byte_is_an_error() {
    assert_eq!(result(""), Err(UpgradeError::NoResponse));
    for cut in 1..GOOD.len() {
        assert_eq!(read(&[&GOOD.as_bytes()[..cut]], 512).0, Err(UpgradeError::Truncated));
    }
    let refusal = "HTTP/1.1 403 x\r\nContent-Length: 5\r\n\r\nabcde";
    let head = refusal.find("abcde").unwrap();
    for cut in 1..refusal.len() {
        let expected = if cut < head { Err(UpgradeError::Truncated) } else { refused(b"403") };
        assert_eq!(read(&[&refusal.as_bytes()[..cut]], 512).0, expected, "cut at {cut}");
    }
    let informational = "HTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(result(informational), Err(UpgradeError::Truncated));
}

/// Told apart at the first byte.
#[test]
fn reply_in_another_protocol_is_told_at_its_first_byte() {
    for (reply, error) in [
        (&b"\x15\x03\x03\x00\x02\x02\x28"[..], UpgradeError::Tls),
        (b"\x16\x03\x01", UpgradeError::Tls),
        (b"\x20\x02\x00\x00", UpgradeError::NotHttp),
        (b"SSH-2.0-x\r\n", UpgradeError::NotHttp),
        (b"\0", UpgradeError::NotHttp),
        (b"\r\n", UpgradeError::NotHttp),
    ] {
        assert_eq!(result(reply), Err(error));
        assert_eq!(read(&[&reply[..1]], 64).0, Err(error));
    }
    assert_eq!(result("HELO\r\n"), Err(UpgradeError::StatusLine));
}

/// A head that comes byte by byte costs as much as one that comes at once.
#[test]
fn head_that_trickles_in_is_read_in_linear_time() {
    let filler = "\r\nA: ".to_string() + &"b".repeat(8000) + "\r\n";
    let response = GOOD.replacen("\r\n", &filler, 1);
    let mut inbox = Inbox::new(std::vec![0; 10_000]);
    let mut upgrade = upgrade();
    for byte in response.as_bytes() {
        assert_eq!(inbox.receive(&[*byte]), 1);
        upgrade.poll(&mut inbox).unwrap();
    }
    assert_eq!(upgrade.poll(&mut inbox), Ok(true));
    assert_eq!(upgrade.response.examined(), response.len());
}
