//! Messages whose payload the program supplies while they go out.

use super::{Current, Phase, Session, Wanted};
use crate::{
    Head, PacketId, PublishError, Qos, Token,
    ack::Answer,
    outbox::Entry,
    publish::{body_len, put_head},
    session::command::Kept,
};
use dunlin_octet::{Buffer, Writer};

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// Accepts a message whose payload of `len` bytes is not kept, but supplied while it goes out: the
    /// outbox takes the head, and room for `window` bytes.
    ///
    /// When it is its turn, [`Session::wanted`] asks for the payload, and does so from its front again
    /// after a reconnect, until the message is acknowledged. It is one packet: nothing else goes out, no
    /// acknowledgement and no ping either, while a part of it is out and the next is not supplied.
    pub fn publish_stream(
        &mut self,
        head: &Head<'_>,
        len: usize,
        window: usize,
    ) -> Result<Token, PublishError> {
        if len == 0 {
            return self.publish_with(head, 0, |_| {});
        }
        self.check_head(head)?;
        let version = self.version();
        let acknowledged = head.qos != Qos::AtMostOnce;
        let kept = Kept::Window(window.clamp(1, len), len);
        let body_len = body_len(version, head, len);
        let (id, token, place) = self.enqueue(body_len, kept, acknowledged)?;
        put_head(&mut Writer::new(place), version, head, false, id, len);
        Ok(token)
    }

    /// The payload that is to be supplied before anything else can go out; to be asked after every
    /// [`Session::poll_piece`], and with it after every `Connection::poll_transmit`.
    pub fn wanted(&self) -> Option<Wanted> {
        let (token, offset, room) = self.outbox.wanted()?;
        Some(Wanted { token: Token(token), offset, room })
    }

    /// Copies from the front of `bytes`, which stand at `wanted.offset` in the payload, as many as there
    /// is room for; returns how many, and none unless just these are wanted.
    pub fn supply(&mut self, wanted: Wanted, bytes: &[u8]) -> usize {
        let fits = |now: Wanted| (now.token, now.offset) == (wanted.token, wanted.offset);
        if self.wanted().is_some_and(fits) { self.outbox.supply(bytes) } else { 0 }
    }

    /// Drops a message whose payload can no longer be supplied; says whether there was such a one.
    ///
    /// If a part of it is out, the connection ends, for the packet cannot be ended otherwise. A message of
    /// QoS 2 that went out whole before may have arrived: the rest of its exchange goes on, and
    /// [`Event::Acknowledged`](crate::Event::Acknowledged) ends it.
    pub fn abandon(&mut self, token: Token) -> bool {
        let Some((at, entry)) = self.outbox.find_streamed(token.0) else { return false };
        let lent = matches!(self.current, Current::Outbox) && self.outbox.take_back(at);
        if lent {
            self.current = Current::Nothing;
            self.cut_off = true;
        }
        if entry.is_dead() {
            return true;
        }
        if lent || entry.is_waiting() {
            self.drop_abandoned(at, entry);
        } else {
            // All of it is out: only when it would go out again it is dropped.
            self.outbox.abandon(at);
        }
        true
    }

    /// Whether a message was abandoned of which a part may be out: then nothing can follow it, and the
    /// connection must end. Asking makes it forgotten.
    pub const fn take_cut_off(&mut self) -> bool {
        core::mem::replace(&mut self.cut_off, false)
    }

    /// The same, without making it forgotten.
    pub(super) const fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// A new connection: no message has begun, and what was abandoned does not go out again.
    pub(super) fn reset_long(&mut self) {
        self.begun = None;
        self.cut_off = false;
        let lost = |entry: Entry| entry.is_abandoned() && !entry.is_released();
        while let Some((at, entry)) = self.outbox.find_entry(lost) {
            self.drop_abandoned(at, entry);
        }
    }

    /// The server knows nothing of what was sent: what was abandoned is over.
    pub(super) fn forget_abandoned(&mut self) {
        while let Some((at, entry)) = self.outbox.find_entry(Entry::is_abandoned) {
            self.drop_entry(at, entry);
        }
    }

    fn drop_abandoned(&mut self, at: usize, entry: Entry) {
        let first = self.outbox.packet(at).first().copied().unwrap_or(0);
        let exactly_once = first & 0x06 == Qos::ExactlyOnce.bits() << 1;
        let Some(id) = PacketId::new(entry.id).filter(|_| exactly_once && entry.is_sent()) else {
            return self.drop_entry(at, entry);
        };
        // The server may have it, and takes another message under its identifier for a repetition
        // until it is told to let go.
        self.outbox.abandon(at);
        self.outbox.hold(at, self.stamp, false);
        if self.phase == Phase::Open {
            self.released.push_once(Answer::new(id, true));
            if !entry.is_gone() {
                self.unfinished = self.unfinished.saturating_add(1);
            }
        }
    }
}
