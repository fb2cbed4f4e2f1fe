//! The client's side of the upgrade (§4.1).

use crate::head::is_token;
use crate::response::{Offer, Response, Step};
use crate::{HEAD_MAX, InvalidRequest, REFUSAL_BODY_KEPT, Request, Status, key};
use core::fmt;
use dunlin_octet::{Buffer, Inbox, Window};

/// Sends the request and reads the answer, then makes way for a [`Deframer`](crate::Deframer).
///
/// Nothing but the request may be sent before [`Upgrade::poll`] returns `true`.
#[derive(Clone, Debug)]
pub struct Upgrade<'a> {
    request: Request<'a>,
    offer: Offer<'a>,
    response: Response,
    sent: usize,
    all_sent: bool,
}

/// Why there is no WebSocket connection.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UpgradeError {
    /// The caller asked for something that cannot be sent; nothing was.
    Request(InvalidRequest),
    /// The connection ended before a byte of an answer; some servers answer an unknown path or
    /// subprotocol so.
    NoResponse,
    /// The connection ended inside the head of the answer.
    Truncated,
    /// The peer answered in TLS to a request without TLS.
    Tls,
    /// The peer answered in something else than HTTP.
    NotHttp,
    /// The status line is malformed, or its HTTP version cannot switch protocols.
    StatusLine,
    /// A header field is malformed: folded, a blank before the colon, a byte that no head has, a
    /// body length that is no number or two numbers.
    Field,
    /// A line of the answer does not fit the caller's memory.
    LineTooLong,
    /// The head has more than [`HEAD_MAX`] bytes or [`FIELDS_MAX`](crate::FIELDS_MAX) fields, or
    /// comes after more than [`INFORMATIONAL_MAX`](crate::INFORMATIONAL_MAX) others.
    HeadTooLong,
    /// `Upgrade` is not exactly `websocket`, once.
    Upgrade,
    /// `Connection` does not say `upgrade`.
    Connection,
    /// `Sec-WebSocket-Accept` does not answer the key that was sent, once.
    Accept,
    /// `Sec-WebSocket-Protocol` is not what was offered, once.
    Subprotocol,
    /// The server wants an extension; none was offered.
    Extension,
    /// The server answered with another status than 101; see [`Refusal`](crate::Refusal).
    Refused(Status),
}

impl<'a> Upgrade<'a> {
    /// An upgrade to the one `subprotocol`; an empty one offers none.
    ///
    /// `nonce` must be random and fresh, for it becomes the `Sec-WebSocket-Key` (§4.1). A
    /// subprotocol that is no token is never sent, and fails the first poll.
    pub fn new(request: Request<'a>, subprotocol: &'a str, nonce: [u8; 16]) -> Self {
        let offer = Offer { subprotocol, key: key::key(nonce) };
        let mut response = Response::keeping(REFUSAL_BODY_KEPT);
        let valid = subprotocol.is_empty() || is_token(subprotocol.as_bytes());
        if !valid {
            response.fail(UpgradeError::Request(InvalidRequest::Subprotocol));
        }
        Self { request, offer, response, sent: 0, all_sent: !valid }
    }

    /// Writes the next bytes of the request into `out`; zero when all of it has been handed out.
    ///
    /// Any `out` of one byte or more will do. The target is written out anew at each call, so that
    /// a larger `out` is cheaper.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> usize {
        if self.all_sent {
            return 0;
        }
        let mut window = Window::new(out, self.sent);
        self.request.write(self.offer.subprotocol, &self.offer.key, &mut window);
        self.all_sent = !window.overflowed();
        self.sent = self.sent.saturating_add(window.filled());
        window.filled()
    }

    /// Reads what there is of the answer, from an inbox whose stream is empty.
    ///
    /// `true` once the protocol has been switched: what is left in `inbox.raw()` are frame bytes,
    /// and `inbox.stream()` is still empty. `false` when more bytes are needed, for which there is
    /// room then. After [`UpgradeError::Refused`], `inbox.stream()` is what
    /// [`Refusal`](crate::Refusal) parses; after an error, every call returns the same error.
    pub fn poll<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> Result<bool, UpgradeError> {
        let result = self.advance(inbox);
        if let Err(error) = result {
            self.response.fail(error);
        }
        result
    }

    /// Says that no more bytes will come; returns why the upgrade failed.
    ///
    /// A refusal whose head is complete is a refusal, however its body was cut. For the same reason
    /// this is also the call to make when the time for the answer is over.
    pub fn handle_eof<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> UpgradeError {
        let error = match self.poll(inbox) {
            Err(error) => error,
            Ok(false) if self.response.is_silent() => UpgradeError::NoResponse,
            Ok(_) => match self.response.body_of() {
                Some((status, _)) => UpgradeError::Refused(status),
                None => UpgradeError::Truncated,
            },
        };
        self.response.fail(error);
        error
    }

    fn advance<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> Result<bool, UpgradeError> {
        // Each turn takes at least one raw byte.
        loop {
            match self.response.step(inbox.raw(), &self.offer)? {
                Step::Skip(len) => inbox.skip(len),
                Step::Keep(len) => inbox.accept(len),
                Step::Switched => return Ok(true),
                Step::More if has_room(inbox) => return Ok(false),
                // The status says more than the memory that was too short for the rest.
                Step::More => {
                    let refused = self.response.refused();
                    return Err(refused.map_or(UpgradeError::LineTooLong, UpgradeError::Refused));
                }
            }
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Upgrade<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Upgrade {{ {}, sent: {=usize} }}", self.request, self.sent);
    }
}

/// Whether bytes can still come in; memory that can grow does so, up to the longest head.
pub(crate) fn has_room<B: Buffer>(inbox: &mut Inbox<B>) -> bool {
    let capacity = inbox.capacity();
    !inbox.spare().is_empty()
        || capacity < HEAD_MAX
            && inbox.grow(capacity.saturating_mul(2).clamp(256, HEAD_MAX))
            && !inbox.spare().is_empty()
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(error) => return error.fmt(f),
            Self::Refused(status) => return write!(f, "the server refused with status {status}"),
            Self::NoResponse => "the server closed the connection without an answer",
            Self::Truncated => "the connection ended inside the server's answer",
            Self::Tls => "the server speaks TLS here, and the request was sent without",
            Self::NotHttp => "the server's answer is not HTTP",
            Self::StatusLine => "the status line of the server's answer is malformed",
            Self::Field => "a header field of the server's answer is malformed",
            Self::LineTooLong => "a line of the server's answer does not fit the receive buffer",
            Self::HeadTooLong => "the head of the server's answer is too long",
            Self::Upgrade => "the server's Upgrade field is not exactly websocket",
            Self::Connection => "the server's Connection field does not say upgrade",
            Self::Accept => "the server's Sec-WebSocket-Accept does not answer the request",
            Self::Subprotocol => "the server did not agree to the subprotocol",
            Self::Extension => "the server wants an extension that was not offered",
        })
    }
}

impl core::error::Error for UpgradeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
