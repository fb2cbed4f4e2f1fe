//! A session's state as a whole, out and in again.

use super::{FILTERS_MAX, Session, record::Framed};
use crate::{
    Packet, PacketId, Qos, Token,
    publish::DUP,
    record::{Record, Records, RestoreError, Standing, TooShort},
};
use dunlin_octet::{Buffer, Count, Sink, Text, Window};

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// Writes all that a crash must not lose to the front of `out`; says how long it is.
    ///
    /// Records behind their lengths, as [`Session::poll_record`] writes them, and never more than one for
    /// the same thing: for [`Session::import`], and for stores, to begin anew with.
    pub fn export(&self, out: &mut [u8]) -> Result<usize, TooShort> {
        let needed = self.export_len();
        if needed > out.len() {
            return Err(TooShort { needed });
        }
        State(self).write(&mut Window::new(out, 0));
        Ok(needed)
    }

    /// How long an export is, now.
    pub fn export_len(&self) -> usize {
        Count::of(&State(self))
    }

    /// Takes over what [`Session::export`] has written, into a session that has done nothing yet.
    ///
    /// After an error the session has taken a part of it, and is to be dropped.
    pub fn import(&mut self, export: &[u8]) -> Result<(), RestoreError> {
        let mut records = Records::new(export);
        for record in records.by_ref() {
            self.restore(record)?;
        }
        if records.rest().is_empty() { Ok(()) } else { Err(RestoreError::Malformed) }
    }

    /// Takes over one record, without its length, into a session that has done nothing but that.
    ///
    /// Records come in the order in which they were written, beginning with the first one ever, or with
    /// an export. An error changes nothing. What is restored counts as recorded. Messages keep their
    /// tokens, and go out as ones that may have gone out before, unless the server has no session.
    pub fn restore(&mut self, record: &[u8]) -> Result<(), RestoreError> {
        if self.journal.has_begun() {
            return Err(RestoreError::NotFresh);
        }
        let record = Record::decode(record)?;
        match record {
            Record::Standing(standing) => return self.restore_standing(standing),
            // The first of all records says how the others are written.
            _ if !self.journal.is_restored() => return Err(RestoreError::Malformed),
            Record::Added { id, token, packet } => self.restore_added(id, token, packet)?,
            Record::Released { id, unmatched } => self.restore_released(id, unmatched)?,
            Record::Done { id } => match self.slots.find(id) {
                Some(at) => {
                    self.slots.free(id);
                    self.outbox.release(at);
                }
                None => self.slots.use_up(id),
            },
            Record::Taken { id, doubtful, digest } => self.received.restore(id, doubtful, digest),
            Record::Removed { id } => self.received.restore_removed(id),
        }
        Ok(())
    }

    fn restore_standing(&mut self, standing: Standing) -> Result<(), RestoreError> {
        if standing.version != self.version() {
            return Err(RestoreError::Version);
        }
        self.established = standing.established;
        self.unanswered = standing.unanswered;
        self.asked.expiry_s = standing.expiry_s;
        self.next_token = standing.next_token;
        if standing.forgets {
            self.outbox.forget_held();
            self.received.clear();
        }
        if standing.doubts {
            self.received.doubt();
            self.received.handle_doubt_recorded();
        }
        self.journal.handle_restored();
        Ok(())
    }

    fn restore_added(
        &mut self,
        id: PacketId,
        token: Token,
        packet: &[u8],
    ) -> Result<(), RestoreError> {
        let first = packet.first().copied().unwrap_or(0);
        let is_new = match Packet::decode_front(self.version(), packet) {
            Ok(Some((Packet::Publish(it), len))) => {
                let legal = it.message.head.check_properties(self.version()).is_ok();
                let known = it.message.head.qos.is_in_build();
                let whole = len == packet.len() && first & DUP == 0;
                it.packet_id == Some(id) && whole && legal && known
            }
            Ok(Some((Packet::Subscribe(it), len))) => {
                let few = it.subscriptions().nth(FILTERS_MAX).is_none();
                it.packet_id == id && len == packet.len() && few
            }
            Ok(Some((Packet::Unsubscribe(it), len))) => {
                let few = it.filters().nth(FILTERS_MAX).is_none();
                it.packet_id == id && len == packet.len() && few
            }
            _ => false,
        };
        if !is_new || self.slots.is_used(id) {
            return Err(RestoreError::Malformed);
        }
        if self.slots.is_full() {
            return Err(RestoreError::InflightFull);
        }
        let mut place = self.place(packet.len());
        if place.is_err() {
            self.outbox.close_gaps();
            self.relocate();
            place = self.place(packet.len());
        }
        let at = place.map_err(|_| RestoreError::OutboxFull)?;
        if !self.slots.claim(id, at) {
            return Err(RestoreError::InflightFull);
        }
        dunlin_octet::copy(packet, self.outbox.push(at, packet.len(), token.0, id.value()));
        self.outbox.mark_restored(at);
        // An export begins with the next token; records that follow each other push it on.
        if Token(self.next_token).is_up_to(token) {
            self.next_token = token.0.wrapping_add(1);
        }
        Ok(())
    }

    fn restore_released(&mut self, id: PacketId, unmatched: bool) -> Result<(), RestoreError> {
        let at = self.slots.find(id).ok_or(RestoreError::Malformed)?;
        let first = self.outbox.packet(at).first().copied().unwrap_or(0);
        if first >> 4 != 3 || first & 0x06 != Qos::ExactlyOnce.bits() << 1 {
            return Err(RestoreError::Malformed);
        }
        self.outbox.restore_held(at, unmatched);
        Ok(())
    }
}

/// All of a session that a crash must not lose.
struct State<'s, B: Buffer, const INFLIGHT: usize>(&'s Session<B, INFLIGHT>);

impl<B: Buffer, const INFLIGHT: usize> Text for State<'_, B, INFLIGHT> {
    fn write(&self, sink: &mut dyn Sink) {
        let session = self.0;
        let standing = Standing { forgets: false, doubts: false, ..session.standing() };
        Framed(Record::Standing(standing)).write(sink);
        session.outbox.for_each(|at, entry| {
            if let Some(id) = PacketId::new(entry.id) {
                Framed(session.added(id, at)).write(sink);
                if entry.is_released() && !entry.is_streamed() {
                    Framed(session.released(id, at)).write(sink);
                }
            }
        });
        session.slots.for_each_used_up(|id| Framed(Record::Done { id }).write(sink));
        session.received.for_each_taken(|record| Framed(record).write(sink));
    }
}
