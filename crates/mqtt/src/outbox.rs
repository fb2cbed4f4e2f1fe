//! Packets that the server has not acknowledged yet, encoded once and in order.

use crate::{PacketType, Qos, publish::DUP};
use dunlin_octet::{Buffer, Reader, Writer};

/// What stands before each packet: its length, its token, its identifier, its flags.
pub(crate) const ENTRY_HEADER: usize = 12;

/// Longest outbox, in bytes: places are kept in 31 bits.
pub(crate) const OUTBOX_MAX: usize = 0x7fff_ffff;

/// All of the packet has gone out, on this connection or an earlier one.
const SENT: u8 = 1;
/// The packet is no longer needed; its place is taken back when it is the oldest.
const DEAD: u8 = 2;
/// PUBREC has come: the message is not sent again, but kept until PUBCOMP, for a server that forgets.
const RELEASED: u8 = 4;

/// The packet does not fit now, or never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Now,
    Ever,
}

/// One packet's bookkeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) len: usize,
    pub(crate) token: u32,
    /// Zero for a message of QoS 0.
    pub(crate) id: u16,
    flags: u8,
}

impl Entry {
    pub(crate) const fn is_dead(self) -> bool {
        self.flags & DEAD != 0
    }

    /// Whether PUBREC has come for it.
    pub(crate) const fn is_released(self) -> bool {
        self.flags & RELEASED != 0
    }

    /// Whether it is not to be sent, now or at a reconnect.
    const fn is_skipped(self) -> bool {
        self.flags & (DEAD | RELEASED) != 0
    }

    /// Whether the server may have it.
    pub(crate) const fn is_sent(self) -> bool {
        self.flags & SENT != 0
    }
}

/// A ring of packets in the caller's memory.
///
/// ```text
///   0      tail    head      end     capacity          wrapped
///   │ newer │ free  │ older  │ unused │
///
///   0      head             tail     capacity          not wrapped
///   │ free  │ older … newer  │  free  │
/// ```
///
/// A packet is never split, so that it can be lent out whole. Entries from `cursor` on have not been
/// sent over this connection; `sending` means that the one at the cursor is half out, and stays.
#[derive(Debug)]
pub(crate) struct Outbox<B> {
    memory: B,
    head: usize,
    tail: usize,
    end: usize,
    wrapped: bool,
    count: usize,
    cursor: usize,
    unsent: usize,
    sending: bool,
}

impl<B: Buffer> Outbox<B> {
    pub(crate) const fn new(memory: B) -> Self {
        Self {
            memory,
            head: 0,
            tail: 0,
            end: 0,
            wrapped: false,
            count: 0,
            cursor: 0,
            unsent: 0,
            sending: false,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes a place for a packet of `len` bytes; says where, and whether older packets were moved.
    pub(crate) fn place(&mut self, len: usize) -> Result<(usize, bool), NoRoom> {
        let need = len.checked_add(ENTRY_HEADER).ok_or(NoRoom::Ever)?;
        if let Some(at) = self.find(need) {
            return Ok((at, false));
        }
        let moved = self.wrapped;
        self.grow(need)?;
        self.find(need).map(|at| (at, moved)).ok_or(NoRoom::Now)
    }

    /// Fills the place found by [`Outbox::place`]: the newest packet, to be sent after all others.
    pub(crate) fn push(&mut self, at: usize, len: usize, token: u32, id: u16) -> &mut [u8] {
        let need = len.saturating_add(ENTRY_HEADER);
        if self.count == 0 {
            self.rewind_to_front();
        } else if at == 0 && self.tail != 0 {
            self.end = self.tail;
            self.wrapped = true;
        }
        if self.unsent == 0 {
            self.cursor = at;
        }
        self.tail = at.saturating_add(need);
        self.count = self.count.saturating_add(1);
        self.unsent = self.unsent.saturating_add(1);
        self.set_entry(at, Entry { len, token, id, flags: 0 });
        self.packet_mut(at, len)
    }

    /// The bookkeeping of the packet at `at`.
    pub(crate) fn entry(&self, at: usize) -> Entry {
        let mut header = Reader::new(self.memory.bytes().get(at..).unwrap_or_default());
        let len = header.u32().and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        let token = header.u32().unwrap_or(0);
        let id = header.u16().unwrap_or(0);
        let flags = header.u8().unwrap_or(DEAD);
        Entry { len, token, id, flags }
    }

    /// The packet at `at`.
    pub(crate) fn packet(&self, at: usize) -> &[u8] {
        let start = at.saturating_add(ENTRY_HEADER);
        let end = start.saturating_add(self.entry(at).len);
        self.memory.bytes().get(start..end).unwrap_or_default()
    }

    /// The next packet to send, if there is one; it stays until [`Outbox::finish`] or [`Outbox::rewind`].
    pub(crate) fn current(&mut self) -> Option<&[u8]> {
        while self.unsent > 0 {
            let entry = self.entry(self.cursor);
            if self.sending || !entry.is_skipped() {
                if !self.sending {
                    self.mark_duplicate(entry);
                }
                self.sending = true;
                return Some(self.packet(self.cursor));
            }
            self.step(entry);
        }
        None
    }

    /// The current packet has gone out whole.
    pub(crate) fn finish(&mut self) -> Option<Entry> {
        if !self.sending {
            return None;
        }
        let entry = self.entry(self.cursor);
        let dead = if entry.id == 0 { DEAD } else { 0 };
        self.set_entry(self.cursor, Entry { flags: entry.flags | SENT | dead, ..entry });
        self.sending = false;
        self.step(entry);
        self.reclaim();
        Some(entry)
    }

    /// A new connection: everything is to be sent again, from the oldest on.
    pub(crate) fn rewind(&mut self) {
        self.sending = false;
        self.cursor = self.head;
        self.unsent = self.count;
        self.reclaim();
    }

    /// The server knows nothing of what was sent: all packets are new ones.
    pub(crate) fn forget_sent(&mut self) {
        self.rewind();
        let mut at = self.head;
        for _ in 0..self.count {
            let entry = self.entry(at);
            self.set_entry(at, Entry { flags: entry.flags & !(SENT | RELEASED), ..entry });
            if let [first, ..] = self.packet_mut(at, entry.len)
                && is_publish(*first)
            {
                *first &= !DUP;
            }
            at = self.after(at, entry);
        }
    }

    /// PUBREC has come for the message at `at`.
    pub(crate) fn hold(&mut self, at: usize) {
        let entry = self.entry(at);
        self.set_entry(at, Entry { flags: entry.flags | RELEASED, ..entry });
    }

    /// The packet at `at` is no longer needed.
    pub(crate) fn release(&mut self, at: usize) {
        let entry = self.entry(at);
        self.set_entry(at, Entry { flags: entry.flags | DEAD, ..entry });
        self.reclaim();
    }

    /// Calls `visit` with the place and the bookkeeping of each packet that is still needed.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize, Entry)) {
        let mut at = self.head;
        for _ in 0..self.count {
            let entry = self.entry(at);
            if !entry.is_dead() {
                visit(at, entry);
            }
            at = self.after(at, entry);
        }
    }

    /// A free place of `need` bytes, without growing.
    fn find(&self, need: usize) -> Option<usize> {
        let capacity = self.memory.bytes().len().min(OUTBOX_MAX);
        if self.count == 0 {
            return (need <= capacity).then_some(0);
        }
        if self.wrapped {
            let free = self.head.saturating_sub(self.tail);
            return (need <= free).then_some(self.tail);
        }
        if need <= capacity.saturating_sub(self.tail) {
            return Some(self.tail);
        }
        (need <= self.head).then_some(0)
    }

    /// Makes the memory longer, and the ring straight.
    fn grow(&mut self, need: usize) -> Result<(), NoRoom> {
        let limit = self.memory.limit().min(OUTBOX_MAX);
        if need > limit {
            return Err(NoRoom::Ever);
        }
        let (older_end, newer) = if self.wrapped { (self.end, self.tail) } else { (self.tail, 0) };
        let straight = older_end.saturating_add(newer);
        let wanted = straight.checked_add(need).ok_or(NoRoom::Ever)?;
        // Twice the memory each time, so that the copies add up to a constant per byte.
        let roomy = self.memory.bytes().len().saturating_mul(2).clamp(wanted, limit.max(wanted));
        if wanted > limit || !self.memory.grow(roomy) {
            return Err(NoRoom::Now);
        }
        if self.wrapped {
            self.straighten();
        }
        Ok(())
    }

    /// Moves the newer packets from the front to behind the older ones.
    fn straighten(&mut self) {
        let Some((front, back)) = self.memory.bytes_mut().split_at_mut_checked(self.end) else {
            return;
        };
        dunlin_octet::copy(front.get(..self.tail).unwrap_or_default(), back);
        if self.cursor < self.head || (self.cursor == self.head && self.unsent < self.count) {
            self.cursor = self.cursor.saturating_add(self.end);
        }
        self.tail = self.tail.saturating_add(self.end);
        self.wrapped = false;
    }

    /// A message that has been sent before is sent with DUP (v3.1.1: [MQTT-3.3.1-1]).
    fn mark_duplicate(&mut self, entry: Entry) {
        if entry.flags & SENT == 0 {
            return;
        }
        if let [first, ..] = self.packet_mut(self.cursor, entry.len)
            && is_publish(*first)
        {
            *first |= DUP;
        }
    }

    /// Moves the cursor behind the packet that it stands at.
    fn step(&mut self, entry: Entry) {
        self.cursor = self.after(self.cursor, entry);
        self.unsent = self.unsent.saturating_sub(1);
    }

    /// Takes back the places of the oldest packets that are no longer needed.
    fn reclaim(&mut self) {
        while self.count > 0 {
            let entry = self.entry(self.head);
            let first_unsent = self.unsent == self.count;
            if !entry.is_dead() || (self.sending && first_unsent) {
                return;
            }
            if first_unsent {
                self.step(entry);
            }
            let next = self.after(self.head, entry);
            self.wrapped &= next != 0;
            self.head = next;
            self.count = self.count.saturating_sub(1);
        }
        self.rewind_to_front();
    }

    const fn rewind_to_front(&mut self) {
        self.head = 0;
        self.tail = 0;
        self.cursor = 0;
        self.unsent = 0;
        self.wrapped = false;
    }

    /// Where the packet behind the one at `at` begins.
    const fn after(&self, at: usize, entry: Entry) -> usize {
        let next = at.saturating_add(ENTRY_HEADER).saturating_add(entry.len);
        if self.wrapped && next == self.end { 0 } else { next }
    }

    fn set_entry(&mut self, at: usize, entry: Entry) {
        let memory = self.memory.bytes_mut().get_mut(at..).unwrap_or_default();
        let mut header = Writer::new(memory);
        let len = u32::try_from(entry.len).unwrap_or(u32::MAX);
        // A place always has room for its header: `find` has seen to it.
        let _ = header
            .put_u32(len)
            .and_then(|()| header.put_u32(entry.token))
            .and_then(|()| header.put_u16(entry.id))
            .and_then(|()| header.put_u8(entry.flags));
    }

    fn packet_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        let start = at.saturating_add(ENTRY_HEADER);
        let end = start.saturating_add(len);
        self.memory.bytes_mut().get_mut(start..end).unwrap_or_default()
    }
}

/// Whether a first byte is that of a PUBLISH above QoS 0.
const fn is_publish(first: u8) -> bool {
    first >> 4 == PacketType::Publish.first() >> 4 && first & 0x06 != Qos::AtMostOnce.bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::VecDeque, vec, vec::Vec};

    fn push<B: Buffer>(outbox: &mut Outbox<B>, packet: &[u8], token: u32, id: u16) -> usize {
        let (at, _) = outbox.place(packet.len()).unwrap();
        outbox.push(at, packet.len(), token, id).copy_from_slice(packet);
        at
    }

    #[test]
    fn packets_leave_in_the_order_they_came() {
        let mut outbox = Outbox::new([0; 64]);
        let first = push(&mut outbox, b"\x32one", 1, 1);
        push(&mut outbox, b"\x30two", 2, 0);
        assert_eq!(outbox.current(), Some(&b"\x32one"[..]));
        assert_eq!(outbox.current(), Some(&b"\x32one"[..]), "asking again changes nothing");
        assert_eq!(outbox.finish().unwrap().id, 1);
        assert_eq!(outbox.current(), Some(&b"\x30two"[..]));
        outbox.finish();
        assert_eq!(outbox.current(), None);
        assert!(!outbox.is_empty(), "one waits for its acknowledgement");
        outbox.release(first);
        assert!(outbox.is_empty());
    }

    #[test]
    fn packet_half_out_stays_until_it_has_gone() {
        let mut outbox = Outbox::new([0; 64]);
        let at = push(&mut outbox, b"\x32one", 1, 1);
        outbox.current();
        outbox.release(at);
        assert_eq!(outbox.current(), Some(&b"\x32one"[..]));
        outbox.finish();
        assert!(outbox.is_empty());
    }

    /// v3.1.1: [MQTT-3.3.1-1] [MQTT-4.6.0-1]
    #[test]
    fn packets_sent_before_go_again_as_duplicates_in_their_order() {
        let mut outbox = Outbox::new([0; 128]);
        push(&mut outbox, b"\x32one", 1, 1);
        push(&mut outbox, b"\x82sub", 2, 2);
        push(&mut outbox, b"\x32two", 3, 3);
        for _ in 0..2 {
            outbox.current();
            outbox.finish();
        }
        outbox.current();
        outbox.rewind();
        assert_eq!(outbox.current(), Some(&b"\x3aone"[..]));
        outbox.finish();
        assert_eq!(outbox.current(), Some(&b"\x82sub"[..]));
        outbox.finish();
        assert_eq!(outbox.current(), Some(&b"\x32two"[..]), "it never went out whole");
        outbox.forget_sent();
        assert_eq!(outbox.current(), Some(&b"\x32one"[..]), "the server has no session");
    }

    #[test]
    fn ring_that_is_full_says_whether_waiting_helps() {
        let mut outbox = Outbox::new([0; 40]);
        push(&mut outbox, &[0x32; 10], 1, 1);
        assert_eq!(outbox.place(10), Err(NoRoom::Now));
        assert_eq!(outbox.place(29), Err(NoRoom::Ever));
        assert_eq!(outbox.place(usize::MAX), Err(NoRoom::Ever));
    }

    /// Every mix of pushes, sends, releases in any order and reconnects keeps order and content.
    #[test]
    fn ring_equals_a_queue_under_random_use() {
        for seed in 1..200u32 {
            let mut random = Lcg(seed);
            let growing = seed % 2 == 0;
            let mut outbox =
                Outbox::new(Grows { memory: vec![0; 100], limit: if growing { 700 } else { 100 } });
            let mut model: VecDeque<(u16, Vec<u8>, bool)> = VecDeque::new();
            let mut id = 0u16;
            for _ in 0..400 {
                match random.next(4) {
                    0 | 1 => {
                        let packet = vec![0x82; random.next(30) as usize + 1];
                        if let Ok((at, _)) = outbox.place(packet.len()) {
                            id += 1;
                            outbox.push(at, packet.len(), 0, id).copy_from_slice(&packet);
                            model.push_back((id, packet, false));
                        }
                    }
                    2 => {
                        let expected = model.iter_mut().find(|entry| !entry.2);
                        assert_eq!(
                            outbox.current(),
                            expected.as_ref().map(|entry| &entry.1[..]),
                            "seed {seed}"
                        );
                        if let Some(entry) = expected {
                            assert_eq!(outbox.finish().unwrap().id, entry.0);
                            entry.2 = true;
                        }
                    }
                    _ if random.next(10) == 0 => {
                        outbox.rewind();
                        model.iter_mut().for_each(|entry| entry.2 = false);
                    }
                    _ => {
                        let mut places = Vec::new();
                        outbox.for_each(|at, entry| places.push((at, entry.id)));
                        let ids: Vec<_> = model.iter().map(|entry| entry.0).collect();
                        assert_eq!(places.iter().map(|place| place.1).collect::<Vec<_>>(), ids);
                        if !places.is_empty() {
                            let (at, id) = places[random.next(places.len() as u32) as usize];
                            outbox.release(at);
                            model.retain(|entry| entry.0 != id);
                        }
                    }
                }
            }
        }
    }

    struct Grows {
        memory: Vec<u8>,
        limit: usize,
    }

    impl Buffer for Grows {
        fn bytes(&self) -> &[u8] {
            &self.memory
        }
        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut self.memory
        }
        fn limit(&self) -> usize {
            self.limit
        }
        fn grow(&mut self, len: usize) -> bool {
            if len > self.limit {
                return false;
            }
            self.memory.resize(len.max(self.memory.len()), 0);
            true
        }
    }

    struct Lcg(u32);

    impl Lcg {
        fn next(&mut self, below: u32) -> u32 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 8) % below
        }
    }
}
