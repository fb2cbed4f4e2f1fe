//! Which packet identifier stands for which packet in the outbox.

mod restored;

use crate::PacketId;
use dunlin_octet::{Entry, Places};

/// Marks a slot that is free; the other bits then name the next free one.
const FREE: u32 = 0x8000_0000;
/// Marks a slot whose exchange is over, which the store does not know yet; no packet stands there.
const ENDED: u32 = 0x7fff_ffff;
/// No slot at all.
const NONE: u16 = u16::MAX;
/// Stands where the next slot with a change would, in a slot without one.
const UNCHANGED: u16 = u16::MAX - 1;

/// One exchange in flight, or a free place for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// The identifier in use, or used last; 0 when never used.
    id: u16,
    /// The next slot with a change that the store has not seen.
    changed: u16,
    /// Where the packet stands in the outbox, [`ENDED`], or [`FREE`] with the next free slot.
    at: u32,
}

impl Entry for Slot {
    const EMPTY: Self = Self { id: 0, changed: UNCHANGED, at: FREE };
}

/// A slot with a change that the store has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The packet stands here in the outbox, and its entry says what has changed.
    At(usize),
    /// The exchange is over.
    Ended,
}

/// Finds packets by identifier in constant time.
///
/// Slot `n` uses the identifiers n + 1, n + 1 + N, n + 1 + 2 N, …, and free slots are taken in the
/// order they were freed: an identifier comes back as late as it can, and a late acknowledgement finds
/// a slot that carries another one. Only what was restored from a session with another `N` may stand
/// elsewhere, as a guest.
#[derive(Debug)]
pub(crate) struct Slots<const N: usize, P = [Slot; N]> {
    slots: P,
    /// Slots from here on have never been used.
    fresh: u16,
    oldest_free: u16,
    newest_free: u16,
    used: u16,
    /// Slots that are only kept until the store knows of their end.
    ended: u16,
    first_changed: u16,
    last_changed: u16,
    /// Exchanges whose identifier is another slot's.
    guests: u16,
}

impl<const N: usize, P: Places<Slot>> Slots<N, P> {
    const SIZE_IS_LEGAL: () = assert!(N >= 1 && N < 65_535, "in flight: 1 to 65,534");

    pub(crate) const fn new() -> Self {
        let () = Self::SIZE_IS_LEGAL;
        Self {
            slots: P::EMPTY,
            fresh: 0,
            oldest_free: NONE,
            newest_free: NONE,
            used: 0,
            ended: 0,
            first_changed: NONE,
            last_changed: NONE,
            guests: 0,
        }
    }

    /// How many exchanges wait for an answer.
    pub(crate) const fn in_flight(&self) -> u16 {
        self.used.saturating_sub(self.ended)
    }

    pub(crate) fn is_full(&self) -> bool {
        usize::from(self.used) >= N
    }

    /// Takes a free slot for the packet at `at`.
    pub(crate) fn take(&mut self, at: usize) -> Option<PacketId> {
        let index = self.next_free()?;
        let mut id = self.following(index);
        for _ in 0..self.guests {
            if PacketId::new(id).and_then(|id| self.place_of(id)).is_none() {
                break;
            }
            self.set_id(index, id);
            id = self.following(index);
        }
        self.set(index, id, at);
        PacketId::new(id)
    }

    /// Where the packet stands that `id` identifies, if any does.
    pub(crate) fn find(&self, id: PacketId) -> Option<usize> {
        let slot = self.slots.made().get(self.place_of(id)?)?;
        if slot.at == ENDED { None } else { usize::try_from(slot.at).ok() }
    }

    /// The packet that `id` identifies has moved.
    pub(crate) fn relocate(&mut self, id: PacketId, at: usize) {
        let place = self.place_of(id);
        if let Some(slot) = place.and_then(|place| self.slots.reach(place)) {
            slot.at = place_bits(at);
        }
    }

    /// The exchange is over.
    pub(crate) fn free(&mut self, id: PacketId) {
        let Some(index) = self.place_of(id) else { return };
        let is_guest = index != Self::home(id);
        let Some(slot) = self.slots.reach(index) else { return };
        if slot.at == ENDED {
            self.ended = self.ended.saturating_sub(1);
        }
        slot.at = FREE | u32::from(NONE);
        self.used = self.used.saturating_sub(1);
        if is_guest {
            slot.id = Self::own_id_behind(index, id);
            self.guests = self.guests.saturating_sub(1);
        }
        self.append_free(index);
    }

    /// The exchange is over, which the store has to learn before its slot is free.
    pub(crate) fn end(&mut self, id: PacketId) {
        let place = self.place_of(id);
        if let Some(slot) = place.and_then(|place| self.slots.reach(place))
            && slot.at != ENDED
        {
            slot.at = ENDED;
            self.ended = self.ended.saturating_add(1);
        }
    }

    /// The exchange has a change that the store has not seen.
    pub(crate) fn push_changed(&mut self, id: PacketId) {
        let Some(place) = self.place_of(id) else { return };
        let Some(slot) = self.slots.reach(place) else { return };
        if slot.changed != UNCHANGED {
            return;
        }
        slot.changed = NONE;
        let index = u16::try_from(place).unwrap_or(NONE);
        match self.slots.reach(usize::from(self.last_changed)) {
            Some(last) => last.changed = index,
            None => self.first_changed = index,
        }
        self.last_changed = index;
    }

    /// The exchange that has had changes for longest.
    pub(crate) fn changed(&self) -> Option<(PacketId, Changed)> {
        let slot = self.slots.made().get(usize::from(self.first_changed))?;
        let changed = if slot.at == ENDED {
            Changed::Ended
        } else {
            Changed::At(usize::try_from(slot.at).ok()?)
        };
        Some((PacketId::new(slot.id)?, changed))
    }

    /// The store has seen all changes of that exchange.
    pub(crate) fn pop_changed(&mut self) {
        let Some(slot) = self.slots.reach(usize::from(self.first_changed)) else { return };
        self.first_changed = core::mem::replace(&mut slot.changed, UNCHANGED);
        if self.first_changed == NONE {
            self.last_changed = NONE;
        }
    }

    pub(crate) const fn has_changed(&self) -> bool {
        self.first_changed != NONE
    }

    /// Slots that were never used come first, then those freed longest ago.
    fn next_free(&mut self) -> Option<u16> {
        if usize::from(self.fresh) < N {
            let index = self.fresh;
            self.fresh = self.fresh.saturating_add(1);
            return Some(index);
        }
        let index = self.oldest_free;
        let slot = self.slots.made().get(usize::from(index))?;
        self.oldest_free = u16::try_from(slot.at & !FREE).unwrap_or(NONE);
        if self.oldest_free == NONE {
            self.newest_free = NONE;
        }
        Some(index)
    }

    fn append_free(&mut self, index: usize) {
        let index = u16::try_from(index).unwrap_or(NONE);
        match self.slots.reach(usize::from(self.newest_free)) {
            Some(newest) => newest.at = FREE | u32::from(index),
            None => self.oldest_free = index,
        }
        self.newest_free = index;
    }

    /// The identifier that a slot uses next.
    fn following(&self, index: u16) -> u16 {
        let step = u16::try_from(N).unwrap_or(u16::MAX);
        let first = index.saturating_add(1);
        match self.slots.made().get(usize::from(index)).map_or(0, |slot| slot.id) {
            0 => first,
            last => last.checked_add(step).unwrap_or(first),
        }
    }

    fn set_id(&mut self, index: u16, id: u16) {
        if let Some(slot) = self.slots.reach(usize::from(index)) {
            slot.id = id;
        }
    }

    fn set(&mut self, index: u16, id: u16, at: usize) {
        if let Some(slot) = self.slots.reach(usize::from(index)) {
            *slot = Slot { id, changed: UNCHANGED, at: place_bits(at) };
            self.used = self.used.saturating_add(1);
        }
    }

    /// The slot in use that carries `id`.
    fn place_of(&self, id: PacketId) -> Option<usize> {
        let carries = |slot: &Slot| slot.id == id.value() && slot.at & FREE == 0;
        let home = Self::home(id);
        if self.slots.made().get(home).is_some_and(carries) {
            return Some(home);
        }
        if self.guests == 0 { None } else { self.slots.made().iter().position(carries) }
    }

    /// The slot that `id` belongs to.
    fn home(id: PacketId) -> usize {
        usize::from(id.value().wrapping_sub(1)).checked_rem(N).unwrap_or(0)
    }

    /// The first identifier of the slot's own that is not before that of a guest.
    fn own_id_behind(index: usize, guest: PacketId) -> u16 {
        let ahead = index.saturating_add(N).saturating_sub(Self::home(guest));
        let ahead = ahead.checked_rem(N).unwrap_or(0);
        u16::try_from(ahead).ok().and_then(|ahead| guest.value().checked_add(ahead)).unwrap_or(0)
    }
}

fn place_bits(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX) & !FREE
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// [MQTT-2.2.1-3], v3.1.1: [MQTT-2.3.1-2]
    #[test]
    fn identifiers_are_unused_and_come_back_as_late_as_they_can() {
        let mut slots = <Slots<4>>::new();
        let ids: Vec<_> = (0..4).map(|at| slots.take(at).unwrap()).collect();
        assert_eq!(ids.iter().map(|id| id.value()).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(slots.is_full());
        assert_eq!(slots.take(9), None);
        slots.free(ids[2]);
        slots.free(ids[0]);
        assert_eq!(slots.find(ids[2]), None, "a late acknowledgement finds nothing");
        assert_eq!(slots.take(10).unwrap().value(), 7);
        assert_eq!(slots.take(11).unwrap().value(), 5);
        assert_eq!(slots.find(ids[2]), None, "nor when the slot is used again");
        assert_eq!(slots.find(PacketId::new(7).unwrap()), Some(10));
        assert_eq!(slots.find(ids[1]), Some(1));
        slots.free(ids[2]);
        assert_eq!(slots.in_flight(), 4, "freeing twice changes nothing");
    }

    /// [MQTT-2.2.1-3], v3.1.1: [MQTT-2.3.1-1] [MQTT-2.3.1-2]
    #[test]
    fn identifiers_wrap_without_zero_and_without_meeting() {
        let mut slots = <Slots<7>>::new();
        let held = slots.take(0).unwrap();
        for round in 0..100_000 {
            let id = slots.take(round).unwrap();
            assert_ne!(id, held);
            assert_eq!(slots.find(id), Some(round));
            slots.free(id);
        }
        assert_eq!(slots.find(held), Some(0));
    }
}
