//! The answer that switches protocols, or fails to: cases 1 to 13 and 20.

use crate::script::{GOOD, error, refusal, reply, reply_within};
use dunlin::ws::{FIELDS_MAX, HEAD_MAX, INFORMATIONAL_MAX, UpgradeError};

/// The good answer with one thing changed.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from:?}");
    GOOD.replacen(from, to, 1)
}

fn taken(script: &str) {
    let outcome = reply(script);
    assert_eq!(outcome.result, Ok(()), "{script:?}");
    assert_eq!(outcome.behind, b"");
}

/// RFC 6455 §4.1
#[test]
fn case_01_switch_split_everywhere() {
    taken(GOOD);
}

/// RFC 6455 §4.1
///
/// Nothing of what stands behind the 101 is lost, a part of a header neither.
#[test]
fn case_02_frame_bytes_behind_the_switch() {
    let behind: [&[u8]; 7] = [
        b"\x82",
        b"\x82\x04",
        b"\x82\x04\x20\x02\x00\x00",
        b"\x82\x7e\x01",
        b"\x89\x01p\x82\x01a\x82",
        b"\r\n\r\n",
        b"HTTP/1.1 101 again\r\n\r\n",
    ];
    for behind in behind {
        let outcome = reply([GOOD.as_bytes(), behind].concat());
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(outcome.behind, behind);
    }
}

/// RFC 9110 §5.1, §5.5
#[test]
fn case_03_names_and_values_in_any_case_with_blanks_around() {
    for (from, to) in [
        ("Upgrade: websocket", "UPGRADE: WEBSOCKET"),
        ("Upgrade: websocket", "upgrade:WebSocket"),
        ("Upgrade: websocket", "uPgRaDe: \t  websocket\t "),
        ("Connection: Upgrade", "cONNECTION:\tUPGRADE \t"),
        ("Sec-WebSocket-Accept: {accept}", "sec-websocket-accept:{accept}"),
        ("Sec-WebSocket-Accept: {accept}", "SEC-WEBSOCKET-ACCEPT: \t{accept} \t"),
        ("Sec-WebSocket-Protocol: mqtt", "sec-websocket-PROTOCOL:   mqtt  "),
    ] {
        taken(&with(from, to));
    }
}

/// RFC 6455 §4.1, RFC 9110 §5.6.1
#[test]
fn case_04_connection_as_a_list_and_twice() {
    for to in [
        "Connection: keep-alive, Upgrade",
        "Connection: Upgrade, keep-alive",
        "Connection: Upgrade\r\nConnection: keep-alive",
        "Connection: keep-alive\r\nConnection: Upgrade",
        "Connection: ,, upgrade ,",
    ] {
        taken(&with("Connection: Upgrade", to));
    }
}

/// RFC 6455 §4.1, §4.2.2
#[test]
fn case_05_accept_missing_twice_or_wrong() {
    let line = "Sec-WebSocket-Accept: {accept}\r\n";
    for to in [
        "",
        "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Accept: {accept}\r\n",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        "Sec-WebSocket-Accept:\r\n",
        "Sec-WebSocket-Accept: {accept}=\r\n",
        "Sec-WebSocket-Accept: x{accept}\r\n",
        "Sec-WebSocket-Accept: {accept}, {accept}\r\n",
        "Sec-WebSocket-Accept: {accept},\r\n",
        "Sec-WebSocket-Accept: \"{accept}\"\r\n",
        "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Accept: x\r\n",
    ] {
        assert_eq!(error(with(line, to)), UpgradeError::Accept, "{to:?}");
    }
    // Swapped case and cut off: of the right value, which a fixed nonce makes a fixed one.
    let right =
        crate::script::answer("Sec-WebSocket-Key: YW55IHNpeHRlZW4gYnl0ZQ==\r\n", b"{accept}");
    let right = String::from_utf8(right).unwrap();
    taken(&with("{accept}", &right));
    let swapped: String = right.chars().map(swap_case).collect();
    assert_ne!(swapped, right);
    for wrong in [&swapped[..], &right[..27], &right[1..], &right.to_lowercase()] {
        assert_eq!(error(with("{accept}", wrong)), UpgradeError::Accept, "{wrong}");
    }
}

fn swap_case(symbol: char) -> char {
    if symbol.is_ascii_lowercase() {
        symbol.to_ascii_uppercase()
    } else {
        symbol.to_ascii_lowercase()
    }
}

/// RFC 6455 §4.1
#[test]
fn case_06_upgrade_or_connection_missing_or_another() {
    for to in ["", "Upgrade: websocket, foo\r\n", "Upgrade: h2c\r\n", "Upgrade:\r\n"] {
        assert_eq!(error(with("Upgrade: websocket\r\n", to)), UpgradeError::Upgrade, "{to:?}");
    }
    let twice = "Upgrade: websocket\r\nUpgrade: websocket\r\n";
    assert_eq!(error(with("Upgrade: websocket\r\n", twice)), UpgradeError::Upgrade);
    for to in ["", "Connection: close\r\n", "Connection: websocket\r\n", "Connection:\r\n"] {
        assert_eq!(error(with("Connection: Upgrade\r\n", to)), UpgradeError::Connection, "{to:?}");
    }
}

/// RFC 9112 §4, RFC 6455 §4.1
#[test]
fn case_07_status_line_in_every_form() {
    for to in ["HTTP/1.1 101", "HTTP/1.1 101 ", "HTTP/1.1 101 OK, (really)\t!"] {
        taken(&with("HTTP/1.1 101 Switching Protocols", to));
    }
    for to in [
        "HTTP/1.0 101 x",
        "HTTP/1.2 101 x",
        "HTTP/2 101 x",
        "HTTP/1.1  101 x",
        "HTTP/1.1 101x",
        "HTTP/1.1 1010 x",
        "HTTP/1.1 10",
        "HTTP/1.1\t101 x",
        "HTTP/11 101 x",
        "HTTP/1.1 101 a\rb",
        "HTTP/1.1 101 a\0b",
        "HTTP/1.1 101 \u{e9}",
        "HTTP/1.1 101 x\nServer: y",
    ] {
        let script = with("HTTP/1.1 101 Switching Protocols", to);
        assert_eq!(error(&script), UpgradeError::StatusLine, "{to:?}");
    }
    for front in ["\r\n", "\n", " ", "http/1.1 101 x\r\n", "\u{feff}"] {
        assert_eq!(error(format!("{front}{GOOD}")), UpgradeError::NotHttp, "{front:?}");
    }
}

/// RFC 9110 §15.2
#[test]
fn case_08_informational_answers_before_the_switch() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nUpgrade: h2c\r\n\r\n";
    taken(&format!("HTTP/1.1 100 Continue\r\n\r\n{hints}HTTP/1.1 102\r\n\r\n{GOOD}"));
    let one = "HTTP/1.1 100 Continue\r\n\r\n";
    let most = one.repeat(usize::from(INFORMATIONAL_MAX));
    taken(&format!("{most}{GOOD}"));
    assert_eq!(error(format!("{most}{one}{GOOD}")), UpgradeError::HeadTooLong);
    assert_eq!(refusal(format!("{one}HTTP/1.1 404 x\r\n\r\n")).status, 404);
}

/// RFC 9112 §5.1, §5.2
#[test]
fn case_09_folded_field_and_blank_before_the_colon() {
    for field in [" folded", "\tfolded", "Name : x", "Name\t: x", ": x", "name", "Na me: x"] {
        let script = with("\r\n", &format!("\r\n{field}\r\n"));
        assert_eq!(error(script), UpgradeError::Field, "{field:?}");
    }
    let folded = with("Upgrade: websocket", "Upgrade:\r\n websocket");
    assert_eq!(error(folded), UpgradeError::Upgrade);
    for byte in ["\0", "\u{7f}", "\u{e9}", "\u{1b}", "\r", "\n"] {
        let script = with("\r\n", &format!("\r\nName: a{byte}b\r\n"));
        assert_eq!(error(script), UpgradeError::Field, "{byte:?}");
    }
}

/// RFC 9112 §2.2
///
/// Each ends in an error, in any memory; that no read is ever asked for without room is checked for all
/// replies.
#[test]
fn case_10_head_without_end() {
    let long = |len| with("\r\n", &format!("\r\nX: {}\r\n", "y".repeat(len)));
    assert_eq!(reply_within(long(500), 300).result, Err(UpgradeError::LineTooLong));
    assert_eq!(reply_within(long(500), 600).result, Ok(()));
    let endless_line = format!("HTTP/1.1 101 {}", "x".repeat(HEAD_MAX));
    assert_eq!(reply_within(&endless_line, 1000).result, Err(UpgradeError::LineTooLong));
    assert_eq!(error(&endless_line), UpgradeError::HeadTooLong);
    let field = format!("X: {}\r\n", "y".repeat(200));
    let endless_fields = format!("HTTP/1.1 101 x\r\n{}", field.repeat(HEAD_MAX / 200));
    assert_eq!(reply_within(endless_fields, 300).result, Err(UpgradeError::HeadTooLong));
    let many = with("\r\n", &format!("\r\n{}", "a:b\r\n".repeat(usize::from(FIELDS_MAX) + 1)));
    assert_eq!(reply_within(many, 300).result, Err(UpgradeError::HeadTooLong));
    let endless_hints = "HTTP/1.1 103 x\r\n\r\n".repeat(HEAD_MAX / 18 + 1);
    assert_eq!(reply_within(endless_hints, 300).result, Err(UpgradeError::HeadTooLong));
}

/// RFC 9110 §8.6, RFC 9112 §6.1
#[test]
fn case_11_switch_that_announces_a_body() {
    for field in ["Content-Length: 0", "Content-Length: 9", "Transfer-Encoding: chunked"] {
        let script = with("\r\n\r\n", &format!("\r\n{field}\r\n\r\n")) + "\u{2}\u{1}";
        let outcome = reply(&script);
        assert_eq!((outcome.result, &outcome.behind[..]), (Ok(()), &b"\x02\x01"[..]), "{field}");
    }
}

/// RFC 6455 §4.1, v3.1.1: [MQTT-6.0.0-3]
#[test]
fn case_12_subprotocol_absent_or_another() {
    let line = "Sec-WebSocket-Protocol: mqtt\r\n";
    for to in [
        "",
        "Sec-WebSocket-Protocol: MQTT\r\n",
        "Sec-WebSocket-Protocol: mqttv3.1\r\n",
        "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Protocol: mqtt\r\n",
        "Sec-WebSocket-Protocol: mqtt, mqttv3.1\r\n",
        "Sec-WebSocket-Protocol: mqtt,\r\n",
        "Sec-WebSocket-Protocol:\r\n",
    ] {
        assert_eq!(error(with(line, to)), UpgradeError::Subprotocol, "{to:?}");
    }
}

/// RFC 6455 §9.1
#[test]
fn case_13_extension_that_was_not_offered() {
    for value in ["permessage-deflate", "permessage-deflate; server_no_context_takeover", "x, y"] {
        let script = with("\r\n\r\n", &format!("\r\nSec-WebSocket-Extensions: {value}\r\n\r\n"));
        assert_eq!(error(script), UpgradeError::Extension, "{value}");
    }
}

/// RFC 6455 §4.1
///
/// What begins as the right thing, or ends as it, is another thing.
#[test]
fn case_20_comparisons_are_whole() {
    for (from, to, expected) in [
        ("Upgrade: websocket", "Upgrade: websocket2", UpgradeError::Upgrade),
        ("Upgrade: websocket", "Upgrade: websocke", UpgradeError::Upgrade),
        ("Upgrade: websocket", "Upgrade: xwebsocket", UpgradeError::Upgrade),
        ("Upgrade: websocket", "Upgrade2: websocket", UpgradeError::Upgrade),
        ("Upgrade: websocket", "XUpgrade: websocket", UpgradeError::Upgrade),
        ("Upgrade: websocket", "Upgrad: websocket", UpgradeError::Upgrade),
        ("Connection: Upgrade", "Connection: Upgrades", UpgradeError::Connection),
        ("Connection: Upgrade", "Connection: no-upgrade", UpgradeError::Connection),
        ("Connection: Upgrade", "Connections: Upgrade", UpgradeError::Connection),
        ("Sec-WebSocket-Accept:", "Sec-WebSocket-Accept2:", UpgradeError::Accept),
        ("Sec-WebSocket-Accept:", "WebSocket-Accept:", UpgradeError::Accept),
        ("Protocol: mqtt", "Protocol: mqtt5", UpgradeError::Subprotocol),
        ("Protocol: mqtt", "Protocol: mqt", UpgradeError::Subprotocol),
        ("Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocols:", UpgradeError::Subprotocol),
        ("HTTP/1.1", "HTTP/1.10", UpgradeError::StatusLine),
        ("HTTP/1.1", "HTTPS/1.1", UpgradeError::StatusLine),
    ] {
        assert_eq!(error(with(from, to)), expected, "{to:?}");
    }
    // Another field with a longer name is just another field.
    let more = "\r\nSec-WebSocket-Extensions2: x\r\nContent-Length2: +\r\n\r\n";
    taken(&with("\r\n\r\n", more));
}
