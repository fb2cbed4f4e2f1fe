//! What a session would lose in a crash, one change at a time.

use super::{Phase, Session};
use crate::{
    PacketId, Token,
    record::{RECORD_PREFIX, Record, Standing, TooShort},
    slots::Changed,
};
use dunlin_octet::{Buffer, Count, Sink, Text, Window};

/// Whether records can still be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    New,
    Restored,
    Begun,
}

/// How far a store has followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Journal {
    life: Life,
    /// The store does not know how we stand with the server.
    pub(super) standing: bool,
    /// Nor that the server has forgotten everything.
    pub(super) forgets: bool,
    /// Records have been given out that may not be safe yet.
    writing: bool,
}

impl Journal {
    pub(super) const fn new() -> Self {
        Self { life: Life::New, standing: true, forgets: false, writing: false }
    }

    pub(super) const fn handle_open(&mut self) {
        self.life = Life::Begun;
        self.standing = true;
    }

    pub(super) const fn handle_command(&mut self) {
        self.life = Life::Begun;
    }

    pub(super) const fn handle_restored(&mut self) {
        self.life = Life::Restored;
        self.standing = false;
    }

    pub(super) fn is_restored(&self) -> bool {
        self.life == Life::Restored
    }

    pub(super) fn has_begun(&self) -> bool {
        self.life == Life::Begun
    }
}

/// A change that the store has not seen.
#[derive(Clone, Copy, Debug)]
enum Change {
    Standing,
    Added(PacketId, usize),
    Released(PacketId, usize),
    Done(PacketId),
    Arrival(usize),
}

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// Writes the next change that a store has not seen to the front of `out`, as a record behind its
    /// length; says how long the two are, or `None` when there is none.
    ///
    /// Each change is written once: into [`Config::journaled`](crate::Config::journaled) sessions only.
    /// Call it until it returns `None`, or until `out` is too short (nothing is lost then), bring all of
    /// it to where it is safe in its order, and call [`Session::handle_recorded`]. `out` is never too
    /// short if it is as long as the outbox, and at least twice
    /// [`RECORD_OVERHEAD`](crate::RECORD_OVERHEAD).
    pub fn poll_record(&mut self, out: &mut [u8]) -> Result<Option<usize>, TooShort> {
        let Some(change) = self.next_change() else { return Ok(None) };
        let Some(record) = self.record_of(change) else { return Ok(None) };
        let len = put_record(&record, out)?;
        self.handle_change(change);
        self.journal.writing = true;
        Ok(Some(len))
    }

    /// Everything that [`Session::poll_record`] has written is safe: what waited for it may go out.
    pub const fn handle_recorded(&mut self) {
        self.journal.writing = false;
    }

    /// Whether a crash would lose nothing that matters; always so without a journal.
    ///
    /// While it would, [`Session::poll_packet`] begins no packet.
    pub const fn is_recorded(&self) -> bool {
        !self.config.is_journaled() || !(self.journal.writing || self.has_unrecorded())
    }

    /// Whether [`Session::poll_record`] may have something to write.
    pub const fn has_unrecorded(&self) -> bool {
        self.config.is_journaled()
            && (self.journal.standing
                || self.slots.has_changed()
                || self.received.has_unrecorded()
                || self.received.is_doubted())
    }

    /// Whether a store that this one plays has its first record.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn has_standing(&self) -> bool {
        self.journal.is_restored()
    }

    /// Whether the program has let go of a message of QoS 2.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn has_taken(&self, id: PacketId) -> bool {
        self.received.verdict(id).is_some()
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            version: self.version(),
            established: self.established,
            unanswered: self.unanswered || self.phase == Phase::Opening,
            forgets: self.journal.forgets,
            doubts: self.received.is_doubted(),
            expiry_s: self.asked.expiry_s,
            next_token: self.next_token,
        }
    }

    /// The packet at `at` is new to the store.
    pub(super) fn record_new(&mut self, id: Option<PacketId>, at: usize) {
        self.journal.handle_command();
        if let Some(id) = id.filter(|_| self.config.is_journaled()) {
            self.outbox.mark_new(at);
            self.slots.push_changed(id);
        }
    }

    /// PUBREC has come for the message at `at`, perhaps not for the first time.
    pub(super) fn record_held(&mut self, id: PacketId, at: usize) {
        let entry = self.outbox.entry(at);
        if self.config.is_journaled() && !entry.is_released() && !entry.is_streamed() {
            self.outbox.mark_held(at);
            self.slots.push_changed(id);
        }
    }

    /// Gives the slot of an exchange that is over free, once the store knows.
    pub(super) fn end(&mut self, id: PacketId) {
        if self.config.is_journaled() {
            self.slots.end(id);
            self.slots.push_changed(id);
        } else {
            self.slots.free(id);
        }
    }

    fn next_change(&mut self) -> Option<Change> {
        if !self.config.is_journaled() {
            return None;
        }
        // What the server has forgotten stands before what has happened since.
        if self.journal.standing || self.received.is_doubted() {
            return Some(Change::Standing);
        }
        // A change may have become void: the server has forgotten a PUBREC.
        for _ in 0..INFLIGHT {
            let Some((id, changed)) = self.slots.changed() else { break };
            match changed {
                Changed::Ended => return Some(Change::Done(id)),
                Changed::At(at) if self.outbox.entry(at).is_new() => {
                    return Some(Change::Added(id, at));
                }
                Changed::At(at) if self.outbox.entry(at).is_held_unrecorded() => {
                    return Some(Change::Released(id, at));
                }
                Changed::At(_) => self.slots.pop_changed(),
            }
        }
        self.received.unrecorded().map(|(place, _)| Change::Arrival(place))
    }

    fn record_of(&self, change: Change) -> Option<Record<'_>> {
        Some(match change {
            Change::Standing => Record::Standing(self.standing()),
            Change::Added(id, at) => self.added(id, at),
            Change::Released(id, at) => self.released(id, at),
            Change::Done(id) => Record::Done { id },
            Change::Arrival(_) => self.received.unrecorded()?.1,
        })
    }

    /// A payload that is supplied while it goes out does not survive: of such a message only the
    /// identifier is remembered, which comes back as late as it can.
    pub(super) fn added(&self, id: PacketId, at: usize) -> Record<'_> {
        let entry = self.outbox.entry(at);
        if entry.is_streamed() {
            return Record::Done { id };
        }
        Record::Added { id, token: Token(entry.token), packet: self.outbox.packet(at) }
    }

    pub(super) fn released(&self, id: PacketId, at: usize) -> Record<'static> {
        Record::Released { id, unmatched: self.outbox.entry(at).is_unmatched() }
    }

    fn handle_change(&mut self, change: Change) {
        match change {
            Change::Standing => {
                self.journal.standing = false;
                self.journal.forgets = false;
                self.received.handle_doubt_recorded();
            }
            Change::Added(_, at) => {
                self.outbox.handle_new_recorded(at);
                if !self.outbox.entry(at).is_held_unrecorded() {
                    self.slots.pop_changed();
                }
            }
            Change::Released(_, at) => {
                self.outbox.handle_held_recorded(at);
                self.slots.pop_changed();
            }
            Change::Done(id) => {
                self.slots.pop_changed();
                self.slots.free(id);
            }
            Change::Arrival(place) => self.received.handle_recorded(place),
        }
    }
}

/// Writes a record behind its length; says how long the two are.
fn put_record(record: &Record<'_>, out: &mut [u8]) -> Result<usize, TooShort> {
    let framed = Framed(*record);
    let needed = Count::of(&framed);
    if needed > out.len() {
        return Err(TooShort { needed });
    }
    framed.write(&mut Window::new(out, 0));
    Ok(needed)
}

/// A record behind its length.
pub(super) struct Framed<'a>(pub(super) Record<'a>);

impl Text for Framed<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let len = u32::try_from(Count::of(&self.0)).unwrap_or(u32::MAX);
        let prefix: [u8; RECORD_PREFIX] = len.to_be_bytes();
        sink.put(&prefix);
        self.0.write(sink);
    }
}
