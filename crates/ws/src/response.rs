//! The answer to an upgrade, read line by line (§4.1, RFC 9112).

use crate::body::{Body, Piece};
use crate::head::{BadLine, FIELDS_MAX, Lines, field, has_token};
use crate::refusal::{StatusLine, status_line};
use crate::{Status, UpgradeError, key};

/// How many 1xx answers may come before the real one.
pub const INFORMATIONAL_MAX: u8 = 8;

/// What was asked for, as far as the answer depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) subprotocol: &'a str,
    pub(crate) key: [u8; 24],
}

/// What to do with the raw bytes of an inbox.
pub(crate) enum Step {
    /// Nothing before more bytes come.
    More,
    /// So many bytes are of no further use.
    Skip(usize),
    /// So many bytes join the stream: they explain a refusal.
    Keep(usize),
    /// The upgrade is done; frames follow.
    Switched,
}

/// Reads answers.
///
/// ```text
///    ┌── 1xx: drop its head ──┐
///    ▼                        │
///  Status ── status line ──▶ Fields ── 101, and all of it right ──▶ Switched
///                             └─────── anything else ──▶ Body ────▶ Failed(Refused)
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Response {
    stage: Stage,
    lines: Lines,
    /// Answers, and fields of the one that is being read.
    answers: u8,
    fields: u8,
    seen: Seen,
    /// How many bytes of a body are kept.
    room: u16,
}

#[derive(Clone, Debug)]
enum Stage {
    Status,
    Fields(StatusLine),
    Body(Status, Body),
    Switched,
    Failed(UpgradeError),
}

/// What the fields of a head have said so far.
#[derive(Clone, Copy, Debug)]
struct Seen {
    upgrade: bool,
    connection: bool,
    accept: bool,
    subprotocol: bool,
    chunked: Option<bool>,
    length: Option<u32>,
}

impl Seen {
    const NOTHING: Self = Self {
        upgrade: false,
        connection: false,
        accept: false,
        subprotocol: false,
        chunked: None,
        length: None,
    };
}

/// The fields that matter; all others are skipped.
#[derive(Clone, Copy)]
enum Known {
    Upgrade,
    Connection,
    Accept,
    Subprotocol,
    Extensions,
    Length,
    Encoding,
    Explains,
}

/// Their names, in the order of [`MEANINGS`] and behind them those that explain a refusal. One string:
/// a table of strings would cost twice as much flash.
const KNOWN: &[u8] = b"upgrade connection sec-websocket-accept sec-websocket-protocol \
    sec-websocket-extensions content-length transfer-encoding \
    content-type date location retry-after sec-websocket-version www-authenticate \
    x-amzn-errortype x-amzn-requestid";

const MEANINGS: [Known; 7] = [
    Known::Upgrade,
    Known::Connection,
    Known::Accept,
    Known::Subprotocol,
    Known::Extensions,
    Known::Length,
    Known::Encoding,
];

/// What a field means, if it matters; a name is a token, and has no blank in it.
fn meaning(name: &[u8]) -> Option<Known> {
    let names = KNOWN.split(|byte| *byte == b' ');
    let meanings = MEANINGS.iter().chain(core::iter::repeat(&Known::Explains));
    let mut known = names.zip(meanings);
    known.find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, meaning)| *meaning)
}

impl Response {
    /// Keeps `room` bytes of the body of an answer that is not 101.
    pub(crate) const fn keeping(room: u16) -> Self {
        let (stage, lines, seen) = (Stage::Status, Lines::new(), Seen::NOTHING);
        Self { stage, lines, answers: 0, fields: 0, seen, room }
    }

    /// Looks at the front of `raw`; the caller does what the answer says, and calls again.
    pub(crate) fn step(&mut self, raw: &[u8], offer: &Offer<'_>) -> Result<Step, UpgradeError> {
        match &mut self.stage {
            Stage::Switched => return Ok(Step::Switched),
            Stage::Failed(error) => return Err(*error),
            Stage::Body(status, body) => {
                return match body.next(raw) {
                    Piece::More => Ok(Step::More),
                    Piece::Framing(len) => Ok(Step::Skip(len)),
                    Piece::Content(len) => Ok(Step::Keep(len)),
                    Piece::End => Err(UpgradeError::Refused(*status)),
                };
            }
            Stage::Status => check_first(raw)?,
            Stage::Fields(_) => {}
        }
        match self.lines.next(raw) {
            Ok(None) => Ok(Step::More),
            Ok(Some(line)) => self.on_line(line, offer),
            Err(BadLine::TooLong) => Err(UpgradeError::HeadTooLong),
            Err(BadLine::Byte) if matches!(self.stage, Stage::Status) => {
                Err(UpgradeError::StatusLine)
            }
            Err(BadLine::Byte) => Err(UpgradeError::Field),
        }
    }

    /// Stays at `error` from now on.
    pub(crate) fn fail(&mut self, error: UpgradeError) {
        self.stage = Stage::Failed(error);
    }

    /// The status of a refusal whose head is complete, and its body.
    pub(crate) const fn body_of(&self) -> Option<(Status, &Body)> {
        match &self.stage {
            Stage::Body(status, body) => Some((*status, body)),
            _ => None,
        }
    }

    /// The status of a refusal, as soon as its first line has been read.
    pub(crate) const fn refused(&self) -> Option<Status> {
        match &self.stage {
            Stage::Fields(line) if !line.is_switch() && !line.status.is_informational() => {
                Some(line.status)
            }
            Stage::Body(status, _) => Some(*status),
            _ => None,
        }
    }

    /// Whether not one byte has come.
    pub(crate) const fn is_silent(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many bytes of heads have been looked at.
    #[cfg(test)]
    pub(crate) const fn examined(&self) -> usize {
        self.lines.total()
    }

    fn on_line(&mut self, line: &[u8], offer: &Offer<'_>) -> Result<Step, UpgradeError> {
        let taken = line.len().saturating_add(2);
        let explains = match &self.stage {
            Stage::Fields(head) if line.is_empty() => {
                let head = *head;
                self.on_head(head, offer)?
            }
            Stage::Fields(head) => {
                let head = *head;
                self.on_field(line, head, offer)?
            }
            _ => self.on_status_line(line)?,
        };
        Ok(if explains { Step::Keep(taken) } else { Step::Skip(taken) })
    }

    /// Whether the status line belongs to a refusal, like the answers of the next two.
    fn on_status_line(&mut self, line: &[u8]) -> Result<bool, UpgradeError> {
        let head = status_line(line).ok_or(UpgradeError::StatusLine)?;
        // An HTTP/1.0 server knows neither 1xx nor 101 (RFC 9110 §15.2).
        if !head.current && head.status.get() < 200 {
            return Err(UpgradeError::StatusLine);
        }
        self.answers = self.answers.saturating_add(1);
        if self.answers > INFORMATIONAL_MAX && head.status.is_informational() {
            return Err(UpgradeError::HeadTooLong);
        }
        self.stage = Stage::Fields(head);
        self.fields = 0;
        Ok(self.refused().is_some())
    }

    fn on_field(
        &mut self,
        line: &[u8],
        head: StatusLine,
        offer: &Offer<'_>,
    ) -> Result<bool, UpgradeError> {
        let (name, value) = field(line).ok_or(UpgradeError::Field)?;
        self.fields = self.fields.saturating_add(1);
        if self.fields > FIELDS_MAX {
            return Err(UpgradeError::HeadTooLong);
        }
        let Some(known) = meaning(name) else { return Ok(false) };
        if head.is_switch() {
            self.seen.on_switch(known, value, offer)?;
        } else if self.refused().is_some() {
            self.seen.on_refusal(known, value)?;
            return Ok(matches!(known, Known::Explains));
        }
        Ok(false)
    }

    fn on_head(&mut self, head: StatusLine, offer: &Offer<'_>) -> Result<bool, UpgradeError> {
        if head.is_switch() {
            self.seen.check(offer)?;
            self.stage = Stage::Switched;
            return Ok(false);
        }
        if head.status.is_informational() {
            self.stage = Stage::Status;
            return Ok(false);
        }
        // RFC 9112 §6.3: chunks come before a length; with neither, the connection's end decides.
        let body = match (self.seen.chunked, self.seen.length) {
            _ if head.status.is_bodiless() => Body::of_length(0, self.room),
            (Some(true), _) => Body::chunked(self.room),
            (None, Some(length)) => Body::of_length(length, self.room),
            _ => Body::until_close(self.room),
        };
        self.stage = Stage::Body(head.status, body);
        Ok(true)
    }
}

impl Seen {
    /// What must have been there (§4.1); a subprotocol only if one was offered.
    const fn check(&self, offer: &Offer<'_>) -> Result<(), UpgradeError> {
        if !self.upgrade {
            Err(UpgradeError::Upgrade)
        } else if !self.connection {
            Err(UpgradeError::Connection)
        } else if !self.accept {
            Err(UpgradeError::Accept)
        } else if !self.subprotocol && !offer.subprotocol.is_empty() {
            Err(UpgradeError::Subprotocol)
        } else {
            Ok(())
        }
    }

    /// A field of a 101 (§4.1); what frames a body means nothing here (RFC 9110 §8.6).
    fn on_switch(
        &mut self,
        known: Known,
        value: &[u8],
        offer: &Offer<'_>,
    ) -> Result<(), UpgradeError> {
        match known {
            Known::Upgrade => {
                let right = value.eq_ignore_ascii_case(b"websocket");
                once(&mut self.upgrade, right, UpgradeError::Upgrade)
            }
            Known::Connection => {
                self.connection |= has_token(value, b"upgrade");
                Ok(())
            }
            Known::Accept => {
                let right = value == key::accept(&offer.key);
                once(&mut self.accept, right, UpgradeError::Accept)
            }
            Known::Subprotocol => {
                let right = !value.is_empty() && value == offer.subprotocol.as_bytes();
                once(&mut self.subprotocol, right, UpgradeError::Subprotocol)
            }
            // None is ever offered; an empty list names none.
            Known::Extensions if !value.is_empty() => Err(UpgradeError::Extension),
            _ => Ok(()),
        }
    }

    /// A field of a refusal that says where its body ends (RFC 9112 §6).
    fn on_refusal(&mut self, known: Known, value: &[u8]) -> Result<(), UpgradeError> {
        match known {
            Known::Length => {
                let length = decimal(value).ok_or(UpgradeError::Field)?;
                if self.length.is_some_and(|before| before != length) {
                    return Err(UpgradeError::Field);
                }
                self.length = Some(length);
            }
            Known::Encoding => {
                let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                self.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// A field that must come exactly once, with the right value.
#[inline(never)]
fn once(seen: &mut bool, right: bool, error: UpgradeError) -> Result<(), UpgradeError> {
    if *seen || !right {
        return Err(error);
    }
    *seen = true;
    Ok(())
}

/// A number of digits only; what is too large to count is as good as endless.
fn decimal(digits: &[u8]) -> Option<u32> {
    let mut number: u32 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = u32::from(digit.wrapping_sub(b'0'));
        number = number.saturating_mul(10).saturating_add(digit);
    }
    (!digits.is_empty()).then_some(number)
}

/// Tells at the first byte that the peer speaks another protocol.
fn check_first(raw: &[u8]) -> Result<(), UpgradeError> {
    match raw {
        // TLS record types alert and handshake (RFC 8446 §5.1).
        [0x15 | 0x16, ..] => Err(UpgradeError::Tls),
        [] | [b'H', ..] => Ok(()),
        _ => Err(UpgradeError::NotHttp),
    }
}
