//! What a client asks for, and the bytes that ask for it (§4.1).

use crate::head::is_token;
use core::fmt;
use dunlin_octet::{Sink, Text};

/// A header field of the caller's own, such as an authorisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Field<'a> {
    /// A token, in any case (RFC 9110 §5.6.2).
    pub name: &'a str,
    /// Printable ASCII, with blanks only inside.
    pub value: &'a str,
}

/// Where to and with which extra fields; checked, so that no request ever has a line too many.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    host: &'a str,
    target: &'a (dyn Text + Sync),
    fields: &'a [Field<'a>],
}

/// What a request must not hold. The caller is at fault; nothing has been sent.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum InvalidRequest {
    /// The host is empty, or has a byte that no host and port have.
    Host,
    /// The target does not begin with `/`, or has a blank, a `#`, a control or a non-ASCII byte.
    Target,
    /// The name of a field is no token.
    FieldName,
    /// The value of a field has a control or a non-ASCII byte, or a blank at an end.
    FieldValue,
    /// A field that the upgrade itself sets, or that announces a body.
    FieldReserved,
    /// The subprotocol is no token.
    Subprotocol,
}

impl<'a> Request<'a> {
    /// Checks the parts of a request; the target is written out once for it.
    ///
    /// `host` is what goes into the `Host` field: a name, an IPv4 address or an IPv6 address in
    /// brackets, and the port where it is not the default one (§4.1). `target` is path and query;
    /// it is streamed and never stored.
    pub fn new(
        host: &'a str,
        target: &'a (dyn Text + Sync),
        fields: &'a [Field<'a>],
    ) -> Result<Self, InvalidRequest> {
        if host.is_empty() || !host.bytes().all(is_host_byte) {
            return Err(InvalidRequest::Host);
        }
        let mut check = TargetCheck { started: false, valid: true };
        target.write(&mut check);
        if !check.started || !check.valid {
            return Err(InvalidRequest::Target);
        }
        for field in fields {
            check_field(field)?;
        }
        Ok(Self { host, target, fields })
    }

    /// Writes the request out; an empty `subprotocol` offers none.
    pub(crate) fn write(&self, subprotocol: &str, key: &[u8; 24], sink: &mut dyn Sink) {
        sink.put(b"GET ");
        self.target.write(sink);
        sink.put(b" HTTP/1.1\r\nHost: ");
        sink.put(self.host.as_bytes());
        sink.put(b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
        sink.put(key);
        sink.put(b"\r\nSec-WebSocket-Version: 13\r\n");
        if !subprotocol.is_empty() {
            put_field("Sec-WebSocket-Protocol", subprotocol, sink);
        }
        for field in self.fields {
            put_field(field.name, field.value, sink);
        }
        sink.put(b"\r\n");
    }
}

impl fmt::Debug for Request<'_> {
    /// Neither target nor values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Neither target nor values, which may be secrets.
#[cfg(feature = "defmt")]
impl defmt::Format for Request<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Request {{ host: {=str} }}", self.host);
    }
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the host is empty or has a byte that no host has",
            Self::Target => {
                "the path must begin with / and be printable ASCII without blanks and #"
            }
            Self::FieldName => "the name of a header field is no token",
            Self::FieldValue => "the value of a header field is not printable ASCII",
            Self::FieldReserved => "a header field is one that the upgrade sets itself",
            Self::Subprotocol => "the subprotocol is no token",
        })
    }
}

impl core::error::Error for InvalidRequest {}

fn put_field(name: &str, value: &str, sink: &mut dyn Sink) {
    sink.put(name.as_bytes());
    sink.put(b": ");
    sink.put(value.as_bytes());
    sink.put(b"\r\n");
}

/// Names, addresses, brackets, a port (RFC 3986 §3.2.2, without its rarely used delimiters).
const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']' | b'%')
}

/// Looks at a target while it is written.
struct TargetCheck {
    started: bool,
    valid: bool,
}

impl Sink for TargetCheck {
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let fits = matches!(byte, b'!'..=b'~') && *byte != b'#';
            self.valid &= fits && (self.started || *byte == b'/');
            self.started = true;
        }
    }
}

fn check_field(field: &Field<'_>) -> Result<(), InvalidRequest> {
    /// Host, Upgrade and Connection are part of every upgrade (§4.1); a body would be read as
    /// frames.
    const RESERVED: [&[u8]; 5] =
        [b"host", b"upgrade", b"connection", b"content-length", b"transfer-encoding"];
    const PREFIX: usize = 14;
    let (name, value) = (field.name.as_bytes(), field.value.as_bytes());
    if !is_token(name) {
        return Err(InvalidRequest::FieldName);
    }
    let family = name.get(..PREFIX).unwrap_or_default();
    if family.eq_ignore_ascii_case(b"sec-websocket-")
        || RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
    {
        return Err(InvalidRequest::FieldReserved);
    }
    let printable = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if printable && value.trim_ascii().len() == value.len() {
        Ok(())
    } else {
        Err(InvalidRequest::FieldValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, target: &str, name: &str, value: &str) -> Result<(), InvalidRequest> {
        Request::new(host, &target, &[Field { name, value }]).map(|_| ())
    }

    #[test]
    fn request_with_a_line_break_anywhere_is_refused() {
        for bad in ["\r", "\n", "\0", "\r\nX: y", "\u{7f}", "é", "\u{1b}"] {
            let spoilt = |good: &str| std::format!("{good}{bad}{good}");
            assert_eq!(request(&spoilt("h"), "/", "n", "v"), Err(InvalidRequest::Host));
            assert_eq!(request("h", &spoilt("/"), "n", "v"), Err(InvalidRequest::Target));
            assert_eq!(request("h", "/", &spoilt("n"), "v"), Err(InvalidRequest::FieldName));
            assert_eq!(request("h", "/", "n", &spoilt("v")), Err(InvalidRequest::FieldValue));
        }
    }

    #[test]
    fn request_with_a_part_of_the_wrong_form_is_refused() {
        for host in ["", "a b", "a/b", "user@host", "a?b", "a#b", "a,b", "a\tb"] {
            assert_eq!(request(host, "/", "n", "v"), Err(InvalidRequest::Host), "{host:?}");
        }
        for target in ["", "mqtt", "/a b", "?x", "*", "http://h/", "/a#b", "/\t"] {
            assert_eq!(request("h", target, "n", "v"), Err(InvalidRequest::Target), "{target:?}");
        }
        for name in ["", "a b", "a:", "(", "a\"", "a/b", " a", "a "] {
            assert_eq!(request("h", "/", name, "v"), Err(InvalidRequest::FieldName), "{name:?}");
        }
        for value in [" v", "v ", "\tv"] {
            assert_eq!(request("h", "/", "n", value), Err(InvalidRequest::FieldValue));
        }
    }

    #[test]
    fn request_with_a_field_of_the_upgrade_is_refused() {
        for name in [
            "Host",
            "UPGRADE",
            "connection",
            "Sec-WebSocket-Key",
            "sec-websocket-extensions",
            "SEC-WEBSOCKET-PROTOCOL",
            "Sec-WebSocket-",
            "Content-Length",
            "Transfer-Encoding",
        ] {
            assert_eq!(request("h", "/", name, "v"), Err(InvalidRequest::FieldReserved), "{name}");
        }
        for name in
            ["Sec-WebSocket", "Hos", "Hosts", "Authorization", "x-amz-customauthorizer-name"]
        {
            assert_eq!(request("h", "/", name, "Basic dTpw"), Ok(()), "{name}");
        }
    }

    #[test]
    fn request_to_any_kind_of_host_is_fine() {
        for host in ["localhost", "example.com:8443", "[::1]:9001", "10.0.0.1", "broker_1"] {
            assert_eq!(request(host, "/mqtt?a=b%20c&d", "n", ""), Ok(()), "{host}");
        }
    }

    #[test]
    fn request_in_debug_output_shows_no_secret() {
        let request = Request::new("host", &"/mqtt?secret", &[]).unwrap();
        let shown = std::format!("{request:?}");
        assert!(shown.contains("host") && !shown.contains("secret"), "{shown}");
    }
}
