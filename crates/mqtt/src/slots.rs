//! Which packet identifier stands for which packet in the outbox.

use crate::PacketId;

/// Marks a slot that is free; the other bits then name the next free one.
const FREE: u32 = 0x8000_0000;
/// No slot at all.
const NONE: u16 = u16::MAX;

/// One exchange in flight, or a free place for one.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The identifier in use, or used last; 0 when never used.
    id: u16,
    /// Where the packet stands in the outbox, or [`FREE`] with the next free slot.
    at: u32,
}

/// Finds packets by identifier in constant time.
///
/// Slot `n` uses the identifiers n + 1, n + 1 + N, n + 1 + 2 N, …, and free slots are taken in the
/// order they were freed: an identifier comes back as late as it can, and a late acknowledgement finds
/// a slot that carries another one.
#[derive(Debug)]
pub(crate) struct Slots<const N: usize> {
    slots: [Slot; N],
    /// Slots from here on have never been used.
    fresh: u16,
    oldest_free: u16,
    newest_free: u16,
    used: u16,
}

impl<const N: usize> Slots<N> {
    const SIZE_IS_LEGAL: () = assert!(N >= 1 && N < 65_535, "in flight: 1 to 65,534");

    pub(crate) const fn new() -> Self {
        let () = Self::SIZE_IS_LEGAL;
        let slots = [Slot { id: 0, at: FREE }; N];
        Self { slots, fresh: 0, oldest_free: NONE, newest_free: NONE, used: 0 }
    }

    pub(crate) const fn used(&self) -> u16 {
        self.used
    }

    pub(crate) fn is_full(&self) -> bool {
        usize::from(self.used) >= N
    }

    /// Takes a free slot for the packet at `at`.
    pub(crate) fn take(&mut self, at: usize) -> Option<PacketId> {
        let index = self.next_free()?;
        let step = u16::try_from(N).unwrap_or(u16::MAX);
        let slot = self.slots.get_mut(usize::from(index))?;
        let first = index.saturating_add(1);
        let id = match slot.id {
            0 => first,
            last => last.checked_add(step).unwrap_or(first),
        };
        *slot = Slot { id, at: u32::try_from(at).unwrap_or(u32::MAX) & !FREE };
        self.used = self.used.saturating_add(1);
        PacketId::new(id)
    }

    /// Where the packet stands that `id` identifies, if any does.
    pub(crate) fn find(&self, id: PacketId) -> Option<usize> {
        let slot = self.slots.get(Self::index(id))?;
        let found = slot.id == id.value() && slot.at & FREE == 0;
        found.then(|| usize::try_from(slot.at).ok()).flatten()
    }

    /// The packet that `id` identifies has moved.
    pub(crate) fn relocate(&mut self, id: PacketId, at: usize) {
        if let Some(slot) = self.slots.get_mut(Self::index(id)) {
            slot.at = u32::try_from(at).unwrap_or(u32::MAX) & !FREE;
        }
    }

    /// The exchange is over.
    pub(crate) fn free(&mut self, id: PacketId) {
        if self.find(id).is_none() {
            return;
        }
        let index = Self::index(id);
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.at = FREE | u32::from(NONE);
        self.used = self.used.saturating_sub(1);
        let index = u16::try_from(index).unwrap_or(NONE);
        match self.slots.get_mut(usize::from(self.newest_free)) {
            Some(newest) => newest.at = FREE | u32::from(index),
            None => self.oldest_free = index,
        }
        self.newest_free = index;
    }

    /// Slots that were never used come first, then those freed longest ago.
    fn next_free(&mut self) -> Option<u16> {
        if usize::from(self.fresh) < N {
            let index = self.fresh;
            self.fresh = self.fresh.saturating_add(1);
            return Some(index);
        }
        let index = self.oldest_free;
        let slot = self.slots.get(usize::from(index))?;
        self.oldest_free = u16::try_from(slot.at & !FREE).unwrap_or(NONE);
        if self.oldest_free == NONE {
            self.newest_free = NONE;
        }
        Some(index)
    }

    fn index(id: PacketId) -> usize {
        usize::from(id.value().wrapping_sub(1)).checked_rem(N).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// [MQTT-2.2.1-3], v3.1.1: [MQTT-2.3.1-2]
    #[test]
    fn identifiers_are_unused_and_come_back_as_late_as_they_can() {
        let mut slots = Slots::<4>::new();
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
        assert_eq!(slots.used(), 4, "freeing twice changes nothing");
    }

    /// [MQTT-2.2.1-3], v3.1.1: [MQTT-2.3.1-1] [MQTT-2.3.1-2]
    #[test]
    fn identifiers_wrap_without_zero_and_without_meeting() {
        let mut slots = Slots::<7>::new();
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
