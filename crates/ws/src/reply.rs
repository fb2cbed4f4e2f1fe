//! The answer to a plain HTTP/1.1 request: one that asks for no upgrade.

use crate::response::{Offer, Response, Step};
use crate::upgrade::has_room;
use crate::{Status, UpgradeError};
use core::fmt;
use dunlin_octet::{Buffer, Inbox};

/// Longest body of an answer, in bytes: services answer such requests with a few KiB.
pub const REPLY_BODY_MAX: u16 = 32 * 1024;

/// A plain request offers nothing.
const NO_OFFER: Offer<'_> = Offer { subprotocol: "", key: [0; 24] };

/// Reads one answer: its status, the fields that explain it, and all of its body.
///
/// One for each request. The body may be framed by its length, in chunks, or end with the
/// connection (RFC 9112 §6.3); 1xx answers before it are skipped, at most
/// [`INFORMATIONAL_MAX`](crate::INFORMATIONAL_MAX). What was kept is what
/// [`Refusal`](crate::Refusal) parses, whatever the status.
#[derive(Clone, Debug)]
pub struct Reply {
    response: Response,
    outcome: Option<Result<Status, ReplyError>>,
}

/// Bytes that are no complete answer. The peer or the way to it is at fault.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReplyError {
    /// The connection ended before a byte of an answer.
    NoResponse,
    /// The connection ended inside the answer.
    Truncated,
    /// The peer answered in TLS to a request without TLS.
    Tls,
    /// The peer answered in something else than HTTP.
    NotHttp,
    /// The head or the framing of the body breaks the standard, or the peer switches protocols.
    Malformed,
    /// It does not fit the caller's memory, or one of [`HEAD_MAX`](crate::HEAD_MAX),
    /// [`FIELDS_MAX`](crate::FIELDS_MAX) and [`REPLY_BODY_MAX`].
    TooLong,
}

impl Reply {
    /// An answer of which nothing has come.
    pub const fn new() -> Self {
        Self { response: Response::keeping(REPLY_BODY_MAX), outcome: None }
    }

    /// Reads what there is, into an inbox whose stream was empty at first.
    ///
    /// `Some` once all of it is there: `inbox.stream()` is what [`Refusal`](crate::Refusal) parses.
    /// `None` when more bytes are needed, for which there is room then. Later calls return the same.
    pub fn poll<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> Result<Option<Status>, ReplyError> {
        if self.outcome.is_none() {
            self.outcome = self.advance(inbox);
        }
        self.outcome.transpose()
    }

    /// Says that no more bytes will come; returns the status if that is how the answer ends.
    pub fn handle_eof<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> Result<Status, ReplyError> {
        if let Some(status) = self.poll(inbox)? {
            return Ok(status);
        }
        let outcome = match self.response.body_of() {
            Some((status, body)) if body.ends_with_connection() => Ok(status),
            None if self.response.is_silent() => Err(ReplyError::NoResponse),
            _ => Err(ReplyError::Truncated),
        };
        self.outcome = Some(outcome);
        outcome
    }

    fn advance<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> Option<Result<Status, ReplyError>> {
        // Each turn takes at least one raw byte.
        loop {
            match self.response.step(inbox.raw(), &NO_OFFER) {
                Ok(Step::Skip(len)) => inbox.skip(len),
                Ok(Step::Keep(len)) => inbox.accept(len),
                Ok(Step::Switched) => return Some(Err(ReplyError::Malformed)),
                Ok(Step::More) if has_room(inbox) => return None,
                Ok(Step::More) => return Some(Err(ReplyError::TooLong)),
                Err(UpgradeError::Refused(status)) => return Some(self.on_end(status)),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    /// Nothing more is read of the body.
    fn on_end(&self, status: Status) -> Result<Status, ReplyError> {
        match self.response.body_of() {
            Some((_, body)) if body.is_whole() => Ok(status),
            Some((_, body)) if body.is_broken() => Err(ReplyError::Malformed),
            _ => Err(ReplyError::TooLong),
        }
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Reply {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Reply {{ outcome: {} }}", self.outcome);
    }
}

impl From<UpgradeError> for ReplyError {
    fn from(error: UpgradeError) -> Self {
        match error {
            UpgradeError::NoResponse => Self::NoResponse,
            UpgradeError::Truncated => Self::Truncated,
            UpgradeError::Tls => Self::Tls,
            UpgradeError::NotHttp => Self::NotHttp,
            UpgradeError::HeadTooLong | UpgradeError::LineTooLong => Self::TooLong,
            _ => Self::Malformed,
        }
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoResponse => "the server closed the connection without an answer",
            Self::Truncated => "the connection ended inside the server's answer",
            Self::Tls => "the server speaks TLS here, and the request was sent without",
            Self::NotHttp => "the server's answer is not HTTP",
            Self::Malformed => "the server's answer is malformed",
            Self::TooLong => "the server's answer is too long",
        })
    }
}

impl core::error::Error for ReplyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;
    use std::string::{String, ToString};

    type Outcome = Result<(u16, String), ReplyError>;

    /// What comes of `raw` in pieces of `step` bytes, and then of the connection's end.
    fn read(raw: &[u8], step: usize) -> Outcome {
        let mut inbox = Inbox::new([0; 256]);
        let mut reply = Reply::new();
        for piece in raw.chunks(step) {
            assert_eq!(inbox.receive(piece), piece.len());
            if let Some(status) = reply.poll(&mut inbox)? {
                assert_eq!(reply.handle_eof(&mut inbox), Ok(status));
                break;
            }
        }
        let status = reply.handle_eof(&mut inbox)?;
        let kept = Refusal::parse(inbox.stream()).unwrap();
        assert_eq!(kept.status(), status);
        let date = kept.field("date").unwrap_or_default().to_string();
        Ok((status.get(), date + "|" + core::str::from_utf8(kept.body()).unwrap()))
    }

    fn check(raw: &str, expected: Result<(u16, &str), ReplyError>) {
        for step in 1..=raw.len().max(1) {
            let outcome = read(raw.as_bytes(), step);
            let outcome = outcome.as_ref().map(|(status, kept)| (*status, kept.as_str()));
            assert_eq!(outcome, expected.as_ref().map(|kept| *kept), "{raw:?} by {step}");
        }
    }

    /// RFC 9112 §6.3
    #[test]
    fn reply_of_every_framing_is_read_whole() {
        for (raw, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: d\r\n\r\n{}", "d|{}"),
            ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", "|"),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", "|to the end"),
            ("HTTP/1.0 200 OK\r\n\r\n", "|"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n",
                "|abcd",
            ),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", "|x"),
        ] {
            check(raw, Ok((200, expected)));
        }
        check("HTTP/1.1 204 No\r\nx: y\r\n\r\n", Ok((204, "|")));
        check("HTTP/1.1 403 No\r\ncontent-length: 3\r\n\r\nwhy", Ok((403, "|why")));
    }

    #[test]
    fn reply_that_is_cut_or_broken_is_an_error_that_says_so() {
        for (raw, expected) in [
            ("", ReplyError::NoResponse),
            ("HTTP/1.1 200 OK\r\ncont", ReplyError::Truncated),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", ReplyError::Truncated),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab", ReplyError::Truncated),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx", ReplyError::Malformed),
            ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", ReplyError::Malformed),
            ("HTTP/1.1 101 Switching\r\n\r\n", ReplyError::Malformed),
            ("SSH-2.0", ReplyError::NotHttp),
            ("\x15\x03\x03", ReplyError::Tls),
        ] {
            check(raw, Err(expected));
        }
    }

    #[test]
    fn reply_longer_than_the_memory_or_the_limit_is_too_long() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 40000\r\n\r\n";
        let body = "x".repeat(40_000);
        for capacity in [16, 64, 300, 36_000, 60_000] {
            let mut inbox = Inbox::new(std::vec![0; capacity]);
            let mut reply = Reply::new();
            let mut rest = [head.as_bytes(), body.as_bytes()].concat();
            let error = loop {
                let taken = inbox.receive(&rest);
                rest.drain(..taken);
                match reply.poll(&mut inbox) {
                    Ok(None) => assert!(taken > 0),
                    Ok(Some(_)) => panic!("{capacity} bytes are enough"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, ReplyError::TooLong);
            assert_eq!(reply.poll(&mut inbox), Err(ReplyError::TooLong));
        }
    }
}
