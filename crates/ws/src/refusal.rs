//! An answer that is not 101.

use core::fmt;

/// The status of an HTTP response (RFC 9110 §15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status(u16);

impl Status {
    pub(crate) const SWITCHING_PROTOCOLS: Self = Self(101);

    /// The status in the three digits of a status line; at least 100.
    pub(crate) fn from_digits(digits: [u8; 3]) -> Option<Self> {
        let mut status: u16 = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            status = status.saturating_mul(10).saturating_add(u16::from(digit.wrapping_sub(b'0')));
        }
        (status >= 100).then_some(Self(status))
    }

    /// The status as a number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether an answer with this status is followed by another one (RFC 9110 §15.2).
    pub(crate) const fn is_informational(self) -> bool {
        self.0 < 200 && self.0 != Self::SWITCHING_PROTOCOLS.0
    }

    /// Whether a response with this status never has a body (RFC 9110 §6.4.1).
    pub(crate) const fn is_bodiless(self) -> bool {
        matches!(self.0, 204 | 304)
    }

    /// Whether the same request may well succeed later: timeouts, rate limits, trouble at the
    /// server.
    pub const fn is_retryable(self) -> bool {
        // RFC 9110 §15: one that nobody knows means what 500 does.
        matches!(self.0, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was kept of a refusal: the status line, the fields that explain it, the body's first bytes.
///
/// A view over the stream of the inbox that was handed to [`Upgrade::poll`](crate::Upgrade::poll),
/// after it returned [`UpgradeError::Refused`](crate::UpgradeError::Refused). The fields are
/// `date`, `content-type`, `location`, `retry-after`, `sec-websocket-version`, `www-authenticate`,
/// `x-amzn-errortype` and `x-amzn-requestid`; all others have been dropped.
#[derive(Clone, Copy)]
pub struct Refusal<'a> {
    status: Status,
    fields: &'a [u8],
    body: &'a [u8],
}

impl<'a> Refusal<'a> {
    /// The refusal at the front of `stream`, or `None` where there is none.
    pub fn parse(stream: &'a [u8]) -> Option<Self> {
        let (line, rest) = split_line(stream)?;
        let status = status_line(line)?.status;
        let (mut fields, mut body): (_, &[u8]) = (rest, &[]);
        let mut at = rest;
        // The blank line is missing where the memory was too short for the head.
        while let Some((line, behind)) = split_line(at) {
            if line.is_empty() {
                body = behind;
                fields = rest.get(..rest.len().saturating_sub(at.len())).unwrap_or_default();
                break;
            }
            at = behind;
        }
        Some(Self { status, fields, body })
    }

    /// The status of the answer.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The value of a field that was kept, its name in any case; the first where there are more.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.fields;
        while let Some((line, behind)) = split_line(rest) {
            if let Some((here, value)) = crate::head::field(line)
                && here.eq_ignore_ascii_case(name.as_bytes())
            {
                return core::str::from_utf8(value).ok();
            }
            rest = behind;
        }
        None
    }

    /// The first bytes of the body, without the framing of chunks.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// Shows the status only: servers repeat what was sent to them, and answers may be secrets.
impl fmt::Debug for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Shows the status only, as `Debug` does.
#[cfg(feature = "defmt")]
impl defmt::Format for Refusal<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Refusal {{ {} }}", self.status);
    }
}

/// What a status line says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusLine {
    /// Whether it is HTTP/1.1, the least that can switch protocols (§4.1).
    pub(crate) current: bool,
    pub(crate) status: Status,
}

impl StatusLine {
    /// Whether the answer switches protocols.
    pub(crate) const fn is_switch(&self) -> bool {
        self.status.0 == Status::SWITCHING_PROTOCOLS.0
    }
}

/// Reads a status line; a reason phrase may be missing, and its blank too (RFC 9112 §4).
pub(crate) fn status_line(line: &[u8]) -> Option<StatusLine> {
    let line = line.strip_prefix(b"HTTP/1.")?;
    let [minor @ (b'0' | b'1'), b' ', a, b, c, reason @ ..] = line else { return None };
    if !matches!(reason, [] | [b' ', ..]) {
        return None;
    }
    Some(StatusLine { current: *minor == b'1', status: Status::from_digits([*a, *b, *c])? })
}

/// The first line and what stands behind its CRLF.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(end.saturating_add(1))?;
    let [line @ .., b'\r', b'\n'] = line else { return None };
    Some((line, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_taken_apart() {
        let stream = b"HTTP/1.1 403 Forbidden\r\ndate: now\r\nDate: then\r\n\r\nbody: x\r\nbody";
        let refusal = Refusal::parse(stream).unwrap();
        assert_eq!(refusal.status().get(), 403);
        assert_eq!(refusal.field("DATE"), Some("now"));
        assert_eq!(refusal.field("body"), None);
        assert_eq!(refusal.field("dat"), None);
        assert_eq!(refusal.body(), b"body: x\r\nbody");
        assert_eq!(std::format!("{refusal:?}"), "Refusal { status: Status(403), .. }");
    }

    #[test]
    fn refusal_that_was_cut_keeps_its_fields_and_has_no_body() {
        let refusal = Refusal::parse(b"HTTP/1.0 503\r\nretry-after: 5\r\ndat").unwrap();
        assert_eq!(refusal.field("retry-after"), Some("5"));
        assert_eq!(refusal.body(), b"");
        assert!(refusal.status().is_retryable());
        for stream in [&b""[..], b"HTTP/1.1 403", b"HTTP/1.1 40 \r\n", b"\x10\x05\r\n"] {
            assert!(Refusal::parse(stream).is_none(), "{stream:x?}");
        }
    }

    #[test]
    fn status_line_is_read_strictly() {
        let good = ["HTTP/1.1 101 Switching Protocols", "HTTP/1.1 101 ", "HTTP/1.1 101"];
        for line in good {
            let line = status_line(line.as_bytes()).unwrap();
            assert!(line.current && line.status == Status::SWITCHING_PROTOCOLS);
        }
        assert!(!status_line(b"HTTP/1.0 503 x").unwrap().current);
        for line in [
            "HTTP/1.2 101 x",
            "HTTP/2 101 x",
            "http/1.1 101 x",
            "HTTP/1.1  101 x",
            "HTTP/1.1 1010",
            "HTTP/1.1 10",
            "HTTP/1.1 099 x",
            "HTTP/1.1\t101 x",
            " HTTP/1.1 101 x",
            "HTTP/1.1 101x",
            "HTTP/1.1 +10 x",
            "HTTP/1.1",
            "",
        ] {
            assert!(status_line(line.as_bytes()).is_none(), "{line:?}");
        }
    }

    #[test]
    fn status_is_retryable_when_the_trouble_may_pass() {
        for (status, expected) in
            [(*b"429", true), (*b"503", true), (*b"521", true), (*b"403", false), (*b"501", false)]
        {
            assert_eq!(Status::from_digits(status).unwrap().is_retryable(), expected);
        }
    }
}
