//! Identifiers that come from a store.

use super::{FREE, NONE, Slot, Slots};
use crate::PacketId;
use dunlin_octet::Places;

impl<const N: usize, P: Places<Slot>> Slots<N, P> {
    /// Whether `id` is in use.
    pub(crate) fn is_used(&self, id: PacketId) -> bool {
        self.place_of(id).is_some()
    }

    /// Takes a slot for the packet at `at`, which has the identifier `id`; says whether one was free.
    pub(crate) fn claim(&mut self, id: PacketId, at: usize) -> bool {
        let home = u16::try_from(Self::home(id)).unwrap_or(NONE);
        let index = if self.take_free(home) { Some(home) } else { self.next_free() };
        let Some(index) = index else { return false };
        if index != home {
            self.guests = self.guests.saturating_add(1);
        }
        self.set(index, id.value(), at);
        true
    }

    /// An identifier has been used, and is free again.
    pub(crate) fn use_up(&mut self, id: PacketId) {
        let home = Self::home(id);
        // Where the slot is in use, it carries a newer one, or a guest.
        if self.take_free(u16::try_from(home).unwrap_or(NONE)) {
            if let Some(slot) = self.slots.reach(home) {
                slot.id = id.value();
                slot.at = FREE | u32::from(NONE);
            }
            self.append_free(home);
        }
    }

    /// Calls `visit` with the identifiers that were used last, in the order in which they come again.
    pub(crate) fn for_each_used_up(&self, mut visit: impl FnMut(PacketId)) {
        let mut index = self.oldest_free;
        for _ in 0..N {
            let Some(slot) = self.slots.made().get(usize::from(index)) else { break };
            if let Some(id) = PacketId::new(slot.id) {
                visit(id);
            }
            index = u16::try_from(slot.at & !FREE).unwrap_or(NONE);
        }
        let mut index = self.first_changed;
        for _ in 0..N {
            let Some(slot) = self.slots.made().get(usize::from(index)) else { break };
            if let Some(id) = PacketId::new(slot.id).filter(|_| slot.at == super::ENDED) {
                visit(id);
            }
            index = slot.changed;
        }
    }

    /// Takes the slot `index` out of the free ones, if it is free; those before it that were never used
    /// join them.
    fn take_free(&mut self, index: u16) -> bool {
        if usize::from(index) >= N {
            return false;
        }
        if index >= self.fresh {
            for unused in self.fresh..index {
                if let Some(slot) = self.slots.reach(usize::from(unused)) {
                    slot.at = FREE | u32::from(NONE);
                }
                self.append_free(usize::from(unused));
            }
            self.fresh = index.saturating_add(1);
            return true;
        }
        let mut before = None;
        let mut at = self.oldest_free;
        for _ in 0..N {
            let Some(slot) = self.slots.made().get(usize::from(at)) else { return false };
            let next = u16::try_from(slot.at & !FREE).unwrap_or(NONE);
            if at == index {
                self.unlink(before, next, index);
                return true;
            }
            before = Some(at);
            at = next;
        }
        false
    }

    fn unlink(&mut self, before: Option<u16>, next: u16, index: u16) {
        match before.and_then(|before| self.slots.reach(usize::from(before))) {
            Some(before) => before.at = FREE | u32::from(next),
            None => self.oldest_free = next,
        }
        if self.newest_free == index {
            self.newest_free = before.unwrap_or(NONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn id(id: u16) -> PacketId {
        PacketId::new(id).unwrap()
    }

    #[test]
    fn slots_restored_from_their_identifiers_go_on_as_the_old_ones() {
        let mut old = <Slots<5>>::new();
        let ids: Vec<_> = (0..5).map(|at| old.take(at).unwrap()).collect();
        for at in [3, 0, 4] {
            old.free(ids[at]);
        }
        old.take(9).unwrap();
        let mut new = <Slots<5>>::new();
        for (used, at) in [(2, 1), (3, 2), (9, 9)] {
            assert!(new.claim(id(used), at));
        }
        old.for_each_used_up(|id| new.use_up(id));
        for _ in 0..3 {
            assert_eq!(new.take(77), old.take(77));
        }
        assert!(new.is_full());
        assert_eq!((new.find(id(2)), new.find(id(9))), (Some(1), Some(9)));
    }

    #[test]
    fn exchanges_of_fewer_slots_find_places_among_more_and_none_is_given_twice() {
        // 1 and 8 would both be at home in the first of seven slots.
        let mut slots = <Slots<7>>::new();
        for used in [1, 8, 15, 3] {
            assert!(slots.claim(id(used), usize::from(used)), "{used}");
        }
        let mut seen: Vec<u16> = std::vec![1, 8, 15, 3];
        for _ in 0..3 {
            let id = slots.take(0).unwrap().value();
            assert!(!seen.contains(&id), "{id} is in use");
            seen.push(id);
        }
        assert!(slots.is_full() && !slots.claim(id(100), 0));
        for used in [1, 8, 15, 3] {
            assert_eq!(slots.find(id(used)), Some(usize::from(used)));
            slots.free(id(used));
            assert_eq!(slots.find(id(used)), None);
        }
        let later: Vec<_> = (0..4).map(|_| slots.take(0).unwrap().value()).collect();
        assert!(later.iter().all(|id| !seen[4..].contains(id)), "{later:?} are in use");
        assert_eq!(slots.take(0), None);
    }
}
