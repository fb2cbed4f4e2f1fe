//! Messages of a fuzzed session whose payload is supplied while they go out.

use super::session::Fuzzed;
use crate::{Head, Token};
use dunlin_octet::copy;

/// The longest packet of these sessions, and more.
pub(super) const PACKET: usize = 400;

/// What the payloads are made of: no packet begins so.
const FILLER: u8 = 7;

/// How much of a payload the outbox keeps, in bytes.
const WINDOW: usize = 20;

/// A packet that has gone out.
pub(super) struct Sent {
    packet: [u8; PACKET],
    len: usize,
}

impl Sent {
    pub(super) fn bytes(&self) -> &[u8] {
        self.packet.get(..self.len).unwrap_or_default()
    }

    /// Whether its front went out before.
    pub(super) fn is_rest(&self) -> bool {
        self.bytes().first() == Some(&FILLER)
    }
}

impl Fuzzed {
    pub(super) fn publish_stream(&mut self, head: &Head<'_>, len: usize) -> bool {
        let published = self.session.publish_stream(head, len, WINDOW);
        if let Ok(token) = published {
            self.streamed = Some(token);
        }
        published.is_ok()
    }

    /// The next packet goes out, or the rest of one: each piece of it the same however often it is asked
    /// for, and nothing between them. What is wanted of its payload is supplied.
    pub(super) fn send_packet(&mut self) -> Option<Sent> {
        let mut sent = Sent { packet: [0; PACKET], len: 0 };
        // Each turn sends at least a byte.
        for _ in 0..PACKET {
            if let Some(wanted) = self.session.wanted() {
                let taken = self.session.supply(wanted, &[FILLER; PACKET]);
                assert_eq!(taken, wanted.room, "what is wanted is taken");
            }
            let Some(piece) = self.session.poll_piece() else { break };
            let (len, behind) = (piece.bytes.len(), piece.behind);
            let place = sent.packet.get_mut(sent.len..).unwrap_or_default();
            assert!(len > 0 && copy(piece.bytes, place) == len, "a piece of {len} bytes");
            sent.len = sent.len.saturating_add(len);
            assert_eq!(self.session.poll_piece().map(|piece| piece.bytes.len()), Some(len));
            self.session.handle_sent();
            if behind.is_none_or(|behind| behind == 0) {
                return Some(sent);
            }
        }
        assert_eq!(sent.len, 0, "a packet without an end");
        None
    }

    /// One piece of a streamed packet goes out.
    pub(super) fn send_piece(&mut self) {
        if self.session.poll_piece().is_some_and(|piece| piece.behind.is_some_and(|it| it > 0)) {
            self.session.handle_sent();
        }
    }

    /// A payload cannot be supplied any more: the one that is wanted now, or any.
    pub(super) fn abandon(&mut self) {
        let wanted = self.session.wanted().map(|wanted| wanted.token);
        let Some(token) = wanted.or(self.streamed.take()) else { return };
        let known = self.session.abandon(token);
        assert!(wanted.is_none_or(|_: Token| known) && self.session.wanted().is_none());
        if wanted.is_some() {
            assert_eq!(self.session.poll_piece(), None, "nothing goes into a packet");
        }
    }
}
