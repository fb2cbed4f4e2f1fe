//! Which changes of the packets a store has not seen.

use super::{
    Outbox,
    entry::{HELD_UNRECORDED, NEW, RELEASED, SENT, UNMATCHED},
};
use dunlin_octet::{Buffer, shift};

impl<B: Buffer> Outbox<B> {
    /// The store does not have the packet at `at`.
    pub(crate) fn mark_new(&mut self, at: usize) {
        self.set_entry(at, self.entry(at).with(NEW));
    }

    /// The store does not know that PUBREC has come for the message at `at`.
    pub(crate) fn mark_held(&mut self, at: usize) {
        self.set_entry(at, self.entry(at).with(HELD_UNRECORDED));
    }

    /// The store has the packet at `at`.
    pub(crate) fn handle_new_recorded(&mut self, at: usize) {
        self.set_entry(at, self.entry(at).without(NEW));
    }

    /// The store knows that PUBREC has come for the message at `at`.
    pub(crate) fn handle_held_recorded(&mut self, at: usize) {
        self.set_entry(at, self.entry(at).without(HELD_UNRECORDED));
    }

    /// The packet at `at` comes from a store: it may have gone out before.
    pub(crate) fn mark_restored(&mut self, at: usize) {
        self.set_entry(at, self.entry(at).with(SENT));
    }

    /// No PUBREC has come, as the store says.
    pub(crate) fn forget_held(&mut self) {
        let mut all = self.all();
        while let Some((at, entry)) = self.step(&mut all) {
            self.set_entry(at, entry.without(RELEASED | UNMATCHED));
        }
    }

    /// PUBREC has come for the message at `at`, as the store says.
    pub(crate) fn restore_held(&mut self, at: usize, unmatched: bool) {
        let unmatched = if unmatched { UNMATCHED } else { 0 };
        self.set_entry(at, self.entry(at).with(RELEASED | unmatched));
    }

    /// Moves all packets to the front, without gaps; nothing must be lent out.
    ///
    /// What fitted once, in another order of coming and going, fits again.
    pub(crate) fn close_gaps(&mut self) {
        let (from, count) = (self.head, self.count);
        let capacity = self.memory.bytes().len();
        let older = if self.wrapped { self.end } else { self.tail }.saturating_sub(from);
        self.turn(from);
        let (mut at, mut to, mut kept) = (0, 0, 0_usize);
        for nth in 0..count {
            if self.wrapped && nth > 0 && at == older {
                at = capacity.saturating_sub(from);
            }
            let entry = self.entry(at);
            let len = entry.len.saturating_add(super::ENTRY_HEADER);
            if !entry.is_dead() {
                shift(self.memory.bytes_mut(), at, to, len);
                to = to.saturating_add(len);
                kept = kept.saturating_add(1);
            }
            at = at.saturating_add(len);
        }
        (self.head, self.tail, self.wrapped, self.count) = (0, to, false, kept);
        self.go_back();
    }

    /// Turns the memory, so that what stands at `from` stands at the front.
    fn turn(&mut self, from: usize) {
        let memory = self.memory.bytes_mut();
        if let Some((front, back)) = memory.split_at_mut_checked(from) {
            front.reverse();
            back.reverse();
            memory.reverse();
        }
    }
}
