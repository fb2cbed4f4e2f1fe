//! What is kept beside a packet in the outbox.

use super::ENTRY_HEADER;

/// All of the packet has gone out, on this connection or an earlier one.
pub(super) const SENT: u16 = 1;
/// The packet is no longer needed; its place is taken back when it is the oldest.
pub(super) const DEAD: u16 = 1 << 1;
/// PUBREC has come: the message is not sent again, but kept until PUBCOMP, for a server that forgets.
pub(super) const RELEASED: u16 = 1 << 2;
/// All of the packet has gone out on this connection.
pub(super) const GONE: u16 = 1 << 3;
/// The packet is to go out once more on this connection.
pub(super) const AGAIN: u16 = 1 << 4;
/// The packet does not go out in its turn: it waits until it is asked for, and dies with the connection.
pub(super) const PARKED: u16 = 1 << 5;
/// PUBREC said that nobody has subscribed to the message.
pub(super) const UNMATCHED: u16 = 1 << 6;
/// Only the front of the packet is kept, and room for a part of its payload.
pub(super) const STREAMED: u16 = 1 << 7;
/// The payload of such a packet cannot be supplied again.
pub(super) const ABANDONED: u16 = 1 << 8;
/// The store does not have the packet.
pub(super) const NEW: u16 = 1 << 9;
/// The store does not know that PUBREC has come.
pub(super) const HELD_UNRECORDED: u16 = 1 << 10;
/// Where the stamp begins, which says when the packet went out.
const STAMP_SHIFT: u32 = 12;
/// How many stamps there are; they come again and again.
pub(crate) const STAMPS: u16 = 16;

/// One packet's bookkeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) len: usize,
    pub(crate) token: u32,
    /// Zero for what is not acknowledged.
    pub(crate) id: u16,
    pub(super) flags: u16,
}

impl Entry {
    /// What stands in front of a packet, in the order of the smallest machines: it is read all the time,
    /// and never leaves this one.
    pub(super) fn from_bytes(bytes: &[u8; ENTRY_HEADER]) -> Self {
        let [l0, l1, l2, l3, t0, t1, t2, t3, i0, i1, f0, f1] = *bytes;
        Self {
            len: usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(0),
            token: u32::from_le_bytes([t0, t1, t2, t3]),
            id: u16::from_le_bytes([i0, i1]),
            flags: u16::from_le_bytes([f0, f1]),
        }
    }

    /// What [`Entry::from_bytes`] reads.
    pub(super) fn to_bytes(self) -> [u8; ENTRY_HEADER] {
        let [l0, l1, l2, l3] = u32::try_from(self.len).unwrap_or(u32::MAX).to_le_bytes();
        let [t0, t1, t2, t3] = self.token.to_le_bytes();
        let ([i0, i1], [f0, f1]) = (self.id.to_le_bytes(), self.flags.to_le_bytes());
        [l0, l1, l2, l3, t0, t1, t2, t3, i0, i1, f0, f1]
    }

    pub(crate) const fn is_dead(self) -> bool {
        self.flags & DEAD != 0
    }

    /// Whether PUBREC has come for it.
    pub(crate) const fn is_released(self) -> bool {
        cfg!(feature = "qos2") && self.flags & RELEASED != 0
    }

    /// Whether PUBREC said that nobody has subscribed to it.
    pub(crate) const fn is_unmatched(self) -> bool {
        cfg!(feature = "qos2") && self.flags & UNMATCHED != 0
    }

    /// Whether it is to go out in its turn.
    pub(crate) const fn is_waiting(self) -> bool {
        self.flags & (DEAD | RELEASED | PARKED) == 0 && self.flags & (GONE | AGAIN) != GONE
    }

    /// Whether its payload is supplied while it goes out.
    pub(crate) const fn is_streamed(self) -> bool {
        cfg!(feature = "oversize") && self.flags & STREAMED != 0
    }

    /// Whether its payload cannot be supplied again.
    pub(crate) const fn is_abandoned(self) -> bool {
        cfg!(feature = "oversize") && self.flags & ABANDONED != 0
    }

    /// Whether it is parked.
    pub(crate) const fn is_parked(self) -> bool {
        self.flags & PARKED != 0
    }

    /// Whether the server may have it.
    pub(crate) const fn is_sent(self) -> bool {
        self.flags & SENT != 0
    }

    /// Whether the store does not have it.
    pub(crate) const fn is_new(self) -> bool {
        self.flags & NEW != 0
    }

    /// Whether the store does not know that PUBREC has come.
    pub(crate) const fn is_held_unrecorded(self) -> bool {
        cfg!(feature = "qos2") && self.flags & HELD_UNRECORDED != 0
    }

    /// Whether it went out on this connection.
    pub(crate) const fn is_gone(self) -> bool {
        self.flags & GONE != 0
    }

    /// Whether it went out on this connection at least `age` stamps ago, and has no answer.
    pub(super) const fn is_overdue(self, stamp: u16, age: u16) -> bool {
        let went = self.flags >> STAMP_SHIFT;
        let waits =
            self.flags & (DEAD | PARKED | AGAIN) == 0 && self.flags & (GONE | RELEASED) != 0;
        let lost = self.is_abandoned() && !self.is_released();
        waits && !lost && self.id != 0 && stamp.wrapping_sub(went) & STAMPS.wrapping_sub(1) >= age
    }

    pub(super) const fn with(self, flags: u16) -> Self {
        Self { flags: self.flags | flags, ..self }
    }

    pub(super) const fn without(self, flags: u16) -> Self {
        Self { flags: self.flags & !flags, ..self }
    }

    pub(super) const fn stamped(self, stamp: u16) -> Self {
        let flags = self.flags & !(u16::MAX << STAMP_SHIFT);
        Self { flags: flags | stamp << STAMP_SHIFT, ..self }
    }
}
