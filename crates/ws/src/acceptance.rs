//! The server's side of the upgrade (§4.2).

use crate::head::{BadLine, FIELDS_MAX, Lines, field, has_token};
use crate::key;
use crate::upgrade::has_room;
use core::fmt;
use dunlin_octet::{Buffer, Inbox, Sink, Window};

/// Reads a client's request and answers it, then makes way for a [`Deframer`](crate::Deframer).
///
/// The smallest server that is still strict: one subprotocol, no extension, no redirect.
#[derive(Clone, Debug)]
pub struct Acceptance<'a> {
    subprotocol: &'a str,
    stage: Stage,
    lines: Lines,
    fields: u8,
    seen: Seen,
    sent: usize,
}

/// Why a request is no upgrade. The peer is at fault; the answer says so to it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RequestError {
    /// The connection ended inside the request.
    Truncated,
    /// The request line is not `GET`, a path, `HTTP/1.1`.
    RequestLine,
    /// A header field is malformed, or has a byte that no head has.
    Field,
    /// The request does not fit the memory, or the limits of a head.
    TooLong,
    /// `Host` is missing, or there are two.
    Host,
    /// `Upgrade` does not name `websocket`.
    Upgrade,
    /// `Connection` does not say `upgrade`.
    Connection,
    /// `Sec-WebSocket-Key` is not 16 bytes in base64, once.
    Key,
    /// `Sec-WebSocket-Version` is not 13, once.
    Version,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    RequestLine,
    Fields,
    Accepted,
    Failed(RequestError),
}

/// What the fields have said so far.
#[derive(Clone, Copy, Debug)]
struct Seen {
    host: bool,
    upgrade: bool,
    connection: bool,
    version: bool,
    subprotocol: bool,
    key: Option<[u8; 24]>,
}

impl<'a> Acceptance<'a> {
    /// Agrees to `subprotocol` where a client offers it, and to none where it does not.
    pub const fn new(subprotocol: &'a str) -> Self {
        let seen = Seen {
            host: false,
            upgrade: false,
            connection: false,
            version: false,
            subprotocol: false,
            key: None,
        };
        let (stage, lines) = (Stage::RequestLine, Lines::new());
        Self { subprotocol, stage, lines, fields: 0, seen, sent: 0 }
    }

    /// Reads what there is of the request, from an inbox whose stream is empty.
    ///
    /// `true` once the request is complete and right: `inbox.stream()` is its head then, which the
    /// caller looks at and consumes, and `inbox.raw()` are frame bytes. After an error, every call
    /// returns the same error. Either way the answer waits in [`Acceptance::poll_transmit`].
    pub fn poll<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> Result<bool, RequestError> {
        loop {
            match self.step(inbox.raw()) {
                Ok(Some(0)) => return Ok(true),
                Ok(Some(len)) => inbox.accept(len),
                Ok(None) if has_room(inbox) => return Ok(false),
                Ok(None) => return Err(self.fail(RequestError::TooLong)),
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// Writes the next bytes of the answer into `out`; zero before the request has been read, and
    /// when all of the answer has been handed out.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> usize {
        let mut window = Window::new(out, self.sent);
        self.write(&mut window);
        self.sent = self.sent.saturating_add(window.filled());
        window.filled()
    }

    /// Says that no more bytes will come; returns why there is no upgrade.
    pub fn handle_eof(&mut self) -> RequestError {
        self.fail(RequestError::Truncated)
    }

    /// Whether the subprotocol was offered, so that it is agreed on.
    pub const fn is_agreed(&self) -> bool {
        self.seen.subprotocol
    }

    /// How many bytes at the front of `raw` are a line that has been read; zero at the end of it
    /// all.
    fn step(&mut self, raw: &[u8]) -> Result<Option<usize>, RequestError> {
        match self.stage {
            Stage::Accepted => return Ok(Some(0)),
            Stage::Failed(error) => return Err(error),
            Stage::RequestLine | Stage::Fields => {}
        }
        let line = match self.lines.next(raw) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(BadLine::TooLong) => return Err(RequestError::TooLong),
            Err(BadLine::Byte) => return Err(RequestError::Field),
        };
        match self.stage {
            Stage::RequestLine => {
                target_of(line).ok_or(RequestError::RequestLine)?;
                self.stage = Stage::Fields;
            }
            _ if line.is_empty() => {
                self.seen.check()?;
                self.stage = Stage::Accepted;
            }
            _ => {
                let (name, value) = field(line).ok_or(RequestError::Field)?;
                self.fields = self.fields.saturating_add(1);
                if self.fields > FIELDS_MAX {
                    return Err(RequestError::TooLong);
                }
                self.seen.on_field(name, value, self.subprotocol)?;
            }
        }
        Ok(Some(line.len().saturating_add(2)))
    }

    /// Stays at the first error.
    const fn fail(&mut self, error: RequestError) -> RequestError {
        if let Stage::Failed(before) = self.stage {
            return before;
        }
        self.stage = Stage::Failed(error);
        error
    }

    fn write(&self, sink: &mut dyn Sink) {
        match (self.stage, &self.seen.key) {
            (Stage::Accepted, Some(key)) => {
                sink.put(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n");
                sink.put(b"Connection: Upgrade\r\nSec-WebSocket-Accept: ");
                sink.put(&key::accept(key));
                if self.seen.subprotocol {
                    sink.put(b"\r\nSec-WebSocket-Protocol: ");
                    sink.put(self.subprotocol.as_bytes());
                }
                sink.put(b"\r\n\r\n");
            }
            (Stage::Failed(error), _) => {
                sink.put(b"HTTP/1.1 ");
                sink.put(match error {
                    RequestError::Version => b"426 Upgrade Required\r\nSec-WebSocket-Version: 13",
                    RequestError::TooLong => b"431 Request Header Fields Too Large",
                    _ => b"400 Bad Request",
                });
                sink.put(b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            }
            _ => {}
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Acceptance<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Acceptance {{ subprotocol: {=str}, sent: {=usize} }}",
            self.subprotocol,
            self.sent
        );
    }
}

impl Seen {
    fn on_field(&mut self, name: &[u8], value: &[u8], own: &str) -> Result<(), RequestError> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("host") {
            once(&mut self.host, true, RequestError::Host)
        } else if is("sec-websocket-version") {
            once(&mut self.version, value == b"13", RequestError::Version)
        } else if is("sec-websocket-key") {
            let key = <&[u8; 24]>::try_from(value).ok().filter(|key| is_key(key));
            let right = self.key.is_none() && key.is_some();
            self.key = key.copied();
            if right { Ok(()) } else { Err(RequestError::Key) }
        } else {
            self.upgrade |= is("upgrade") && has_token(value, b"websocket");
            self.connection |= is("connection") && has_token(value, b"upgrade");
            // Subprotocols are compared in their own case (§4.1).
            let mut offers = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            self.subprotocol |= is("sec-websocket-protocol")
                && !own.is_empty()
                && offers.any(|offer| offer == own.as_bytes());
            Ok(())
        }
    }

    /// §4.2.1: what must have been there.
    fn check(&self) -> Result<(), RequestError> {
        for (seen, error) in [
            (self.host, RequestError::Host),
            (self.upgrade, RequestError::Upgrade),
            (self.connection, RequestError::Connection),
            (self.version, RequestError::Version),
            (self.key.is_some(), RequestError::Key),
        ] {
            if !seen {
                return Err(error);
            }
        }
        Ok(())
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the connection ended inside the client's request",
            Self::RequestLine => "the client's request is not a GET of a path over HTTP/1.1",
            Self::Field => "a header field of the client's request is malformed",
            Self::TooLong => "the client's request is too long",
            Self::Host => "the client's request does not have one Host field",
            Self::Upgrade => "the client's Upgrade field does not name websocket",
            Self::Connection => "the client's Connection field does not say upgrade",
            Self::Key => "the client's Sec-WebSocket-Key is not 16 bytes in base64",
            Self::Version => "the client's Sec-WebSocket-Version is not 13",
        })
    }
}

impl core::error::Error for RequestError {}

/// The path and query in a request line (RFC 9112 §3).
fn target_of(line: &[u8]) -> Option<&[u8]> {
    let target = line.strip_prefix(b"GET ")?.strip_suffix(b" HTTP/1.1")?;
    let valid = target.starts_with(b"/") && target.iter().all(|byte| matches!(byte, b'!'..=b'~'));
    valid.then_some(target)
}

/// Whether a key is 16 bytes in base64, whatever its last two unused bits are (§4.2.1).
fn is_key(key: &[u8; 24]) -> bool {
    let symbol = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    matches!(key, [symbols @ .., b'=', b'='] if symbols.iter().all(symbol))
}

/// A field that must come exactly once, with the right value.
fn once(seen: &mut bool, right: bool, error: RequestError) -> Result<(), RequestError> {
    if *seen || !right {
        return Err(error);
    }
    *seen = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, Upgrade};
    use std::string::String;
    use std::vec::Vec;

    const GOOD: &str = "GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, mqtt\r\n\r\n";

    const TWO_KEYS: &str = "Host: h\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

    fn answer(acceptance: &mut Acceptance<'_>, room: usize) -> String {
        let (mut text, mut out) = (Vec::new(), std::vec![0; room]);
        loop {
            let len = acceptance.poll_transmit(&mut out);
            text.extend_from_slice(&out[..len]);
            if len == 0 {
                return String::from_utf8(text).unwrap();
            }
        }
    }

    fn outcome(request: &str) -> (Result<bool, RequestError>, String) {
        let mut whole = Inbox::new(std::vec![0; 32 * 1024]);
        whole.receive(request.as_bytes());
        let mut acceptance = Acceptance::new("mqtt");
        let result = acceptance.poll(&mut whole);
        for cut in 0..request.len().min(400) {
            let mut inbox = Inbox::new(std::vec![0; 32 * 1024]);
            let mut again = Acceptance::new("mqtt");
            inbox.receive(&request.as_bytes()[..cut]);
            let _ = again.poll(&mut inbox);
            inbox.receive(&request.as_bytes()[cut..]);
            assert_eq!(again.poll(&mut inbox), result, "cut at {cut}");
            assert_eq!(inbox.raw(), whole.raw());
        }
        let text = answer(&mut acceptance, 7);
        (result, text)
    }

    #[test]
    fn request_of_a_client_is_accepted() {
        let (result, text) = outcome(GOOD);
        assert_eq!(result, Ok(true));
        assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{text}");
        assert!(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(text.ends_with("\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"), "{text}");
    }

    #[test]
    fn request_that_offers_another_subprotocol_is_accepted_with_none() {
        let (result, text) = outcome(&GOOD.replace("chat, mqtt", "MQTT, mqttv3.1"));
        assert_eq!(result, Ok(true));
        assert!(!text.contains("Protocol:"), "{text}");
    }

    #[test]
    fn request_that_is_no_upgrade_is_refused_with_its_reason() {
        for (from, to, error, status) in [
            ("GET", "POST", RequestError::RequestLine, "400"),
            ("/mqtt", "mqtt", RequestError::RequestLine, "400"),
            ("HTTP/1.1", "HTTP/1.0", RequestError::RequestLine, "400"),
            ("Host: h\r\n", "", RequestError::Host, "400"),
            ("Host: h", "Host: h\r\nHost: i", RequestError::Host, "400"),
            ("WebSocket\r", "h2c\r", RequestError::Upgrade, "400"),
            (", Upgrade", "", RequestError::Connection, "400"),
            ("ZQ==", "ZQ=", RequestError::Key, "400"),
            ("dGhl", "dG-l", RequestError::Key, "400"),
            ("Host: h", TWO_KEYS, RequestError::Key, "400"),
            (": 13", ": 8", RequestError::Version, "426"),
            ("Sec-WebSocket-Version: 13\r\n", "", RequestError::Version, "426"),
            ("Host:", "Host :", RequestError::Field, "400"),
            ("Host:", "Ho\rst:", RequestError::Field, "400"),
        ] {
            let (result, text) = outcome(&GOOD.replace(from, to));
            assert_eq!(result, Err(error), "{from} to {to}");
            assert!(text.starts_with(&std::format!("HTTP/1.1 {status} ")), "{text}");
            assert_eq!(text.contains("Sec-WebSocket-Version: 13"), status == "426");
        }
    }

    #[test]
    fn request_without_end_is_refused() {
        let long = std::format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000));
        assert_eq!(outcome(&long).0, Err(RequestError::TooLong));
        let many = GOOD.replace("\r\n\r\n", &("\r\na: b".repeat(200) + "\r\n\r\n"));
        assert_eq!(outcome(&many).0, Err(RequestError::TooLong));
        let mut inbox = Inbox::new([0; 16]);
        inbox.receive(GOOD.as_bytes());
        let mut small = Acceptance::new("mqtt");
        assert_eq!(small.poll(&mut inbox), Err(RequestError::TooLong));
        assert_eq!(small.handle_eof(), RequestError::TooLong);
        assert!(answer(&mut small, 1).starts_with("HTTP/1.1 431 "));
        assert_eq!(Acceptance::new("mqtt").handle_eof(), RequestError::Truncated);
    }

    #[test]
    fn upgrade_between_both_ends_switches_protocols() {
        let request = Request::new("localhost:8080", &"/mqtt?a=b", &[]).unwrap();
        let mut client = Upgrade::new(request, "mqtt", [7; 16]);
        let mut server = Acceptance::new("mqtt");
        let (mut up, mut down) = (Inbox::new([0; 512]), Inbox::new([0; 512]));
        let mut out = [0; 11];
        loop {
            let len = client.poll_transmit(&mut out);
            if len == 0 {
                break;
            }
            assert_eq!(server.poll(&mut up), Ok(false));
            up.receive(&out[..len]);
        }
        assert_eq!(server.poll(&mut up), Ok(true));
        assert!(server.is_agreed() && up.raw().is_empty());
        assert!(up.stream().starts_with(b"GET /mqtt?a=b HTTP/1.1\r\nHost: localhost:8080\r\n"));
        let text = answer(&mut server, 64);
        down.receive(text.as_bytes());
        assert_eq!(client.poll(&mut down), Ok(true));
    }
}
