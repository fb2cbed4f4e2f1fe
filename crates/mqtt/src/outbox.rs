//! Packets that the server has not acknowledged yet, encoded once and in order.

mod entry;
#[cfg_attr(not(feature = "oversize"), path = "outbox/flow/absent.rs")]
mod flow;
mod recorded;

use crate::{PacketType, Qos, publish::DUP};
use dunlin_octet::Buffer;
use entry::{AGAIN, DEAD, GONE, HELD_UNRECORDED, PARKED, RELEASED, SENT, UNMATCHED};
pub(crate) use entry::{Entry, STAMPS};
use flow::Flow;

/// What stands before each packet: its length, its token, its identifier, its flags with its stamp.
pub(crate) const ENTRY_HEADER: usize = 12;

/// Longest outbox, in bytes: places are kept in 31 bits.
pub(crate) const OUTBOX_MAX: usize = 0x7fff_ffff;

/// The packet does not fit now, or never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Now,
    Ever,
}

/// A place among the packets: `left` of them stand there and behind.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    at: usize,
    left: usize,
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
/// A packet is never split, so that it can be lent out whole. All that may go out stands at `cursor` or
/// behind it; no request that may go out stands between `cursor` and `ahead`.
#[derive(Debug)]
pub(crate) struct Outbox<B> {
    memory: B,
    head: usize,
    tail: usize,
    end: usize,
    wrapped: bool,
    count: usize,
    cursor: Cursor,
    ahead: Cursor,
    /// The packet that is lent out, perhaps half sent: it stays.
    sending: Option<usize>,
    /// How far it is out, if its payload is supplied meanwhile.
    flow: Option<Flow>,
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
            cursor: Cursor { at: 0, left: 0 },
            ahead: Cursor { at: 0, left: 0 },
            sending: None,
            flow: None,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[cfg(test)]
    pub(crate) fn memory_len(&self) -> usize {
        self.memory.bytes().len()
    }

    /// Whether something is to go out in its turn; to be asked when nothing was lent out.
    pub(crate) const fn has_waiting(&self) -> bool {
        self.cursor.left > 0
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
        for cursor in [&mut self.cursor, &mut self.ahead] {
            if cursor.left == 0 {
                cursor.at = at;
            }
            cursor.left = cursor.left.saturating_add(1);
        }
        self.tail = at.saturating_add(need);
        self.count = self.count.saturating_add(1);
        self.set_entry(at, Entry { len, token, id, flags: 0 });
        self.packet_mut(at, len)
    }

    /// The bookkeeping of the packet at `at`.
    pub(crate) fn entry(&self, at: usize) -> Entry {
        let header = self.memory.bytes().get(at..).and_then(<[u8]>::first_chunk);
        header.map_or(Entry { len: 0, token: 0, id: 0, flags: DEAD }, Entry::from_bytes)
    }

    /// The packet at `at`.
    pub(crate) fn packet(&self, at: usize) -> &[u8] {
        let start = at.saturating_add(ENTRY_HEADER);
        let end = start.saturating_add(self.entry(at).len);
        self.memory.bytes().get(start..end).unwrap_or_default()
    }

    /// Fills the place found by [`Outbox::place`] with a packet that waits until it is asked for by its
    /// first byte and `key`.
    pub(crate) fn park(&mut self, at: usize, len: usize, key: u32) -> &mut [u8] {
        self.push(at, len, key, 0);
        self.set_entry(at, self.entry(at).with(PARKED));
        self.packet_mut(at, len)
    }

    /// Where the packet is that was parked with `key` and begins with `first`.
    pub(crate) fn find_parked(&self, first: u8, key: u32) -> Option<usize> {
        let mut found = None;
        self.for_each(|at, entry| {
            let fits = entry.is_parked() && entry.token == key;
            if fits && self.packet(at).first() == Some(&first) {
                found = found.or(Some(at));
            }
        });
        found
    }

    /// Lends out a parked packet.
    pub(crate) const fn lend_parked(&mut self, at: usize) {
        self.sending = Some(at);
    }

    /// Lends out the next packet to send, if there is one; it stays until [`Outbox::finish`] or
    /// [`Outbox::rewind`].
    ///
    /// `waits` says of the first byte of a packet that it must wait for answers: SUBSCRIBE and UNSUBSCRIBE
    /// go ahead of it ([MQTT-3.3.4-9]).
    pub(crate) fn lend(&mut self, waits: impl Fn(u8) -> bool) -> Option<&[u8]> {
        if self.sending.is_none() {
            let at = self.next(waits)?;
            self.mark_duplicate(at);
            self.sending = Some(at);
        }
        self.lent()
    }

    /// The packet that is lent out.
    pub(crate) fn lent(&self) -> Option<&[u8]> {
        self.sending.map(|at| self.packet(at))
    }

    /// The packet that is lent out has gone out whole; returns what it was before.
    pub(crate) fn finish(&mut self, stamp: u16) -> Option<Entry> {
        let at = self.sending.take()?;
        self.flow = None;
        let entry = self.entry(at);
        let dead = if entry.id == 0 { DEAD } else { 0 };
        self.set_entry(at, entry.with(SENT | GONE | dead).without(AGAIN).stamped(stamp));
        self.reclaim();
        Some(entry)
    }

    /// A new connection: everything is to be sent again, from the oldest on, but what was parked for
    /// the last one, which dies.
    pub(crate) fn rewind(&mut self, stamp: u16) {
        self.sending = None;
        self.flow = None;
        let mut all = self.all();
        while let Some((at, entry)) = self.step(&mut all) {
            let dead = if entry.is_parked() { DEAD } else { 0 };
            self.set_entry(at, entry.with(dead).without(GONE | AGAIN).stamped(stamp));
        }
        self.go_back();
        self.reclaim();
    }

    /// The server knows nothing of what was sent: all packets are new ones.
    pub(crate) fn forget_sent(&mut self) {
        let mut all = self.all();
        while let Some((at, entry)) = self.step(&mut all) {
            let sent = SENT | RELEASED | UNMATCHED | HELD_UNRECORDED;
            self.set_entry(at, entry.without(sent));
            if let [first, ..] = self.packet_mut(at, entry.len)
                && is_publish(*first)
            {
                *first &= !DUP;
            }
        }
        self.go_back();
    }

    /// Everything that went out at least `age` stamps ago and has no answer is to go out again; calls
    /// `released` with the identifiers of messages whose PUBREL is to.
    pub(crate) fn resend(&mut self, stamp: u16, age: u16, mut released: impl FnMut(u16)) {
        let mut all = self.all();
        while let Some((at, entry)) = self.step(&mut all) {
            if entry.is_overdue(stamp, age) {
                let again = if entry.is_released() { 0 } else { AGAIN };
                if again == 0 {
                    released(entry.id);
                }
                self.set_entry(at, entry.with(again).stamped(stamp));
            }
        }
        self.go_back();
    }

    /// Whether something went out at least `age` stamps ago, and has no answer.
    pub(crate) fn is_overdue(&self, stamp: u16, age: u16) -> bool {
        let mut overdue = false;
        self.for_each(|_, entry| overdue |= entry.is_overdue(stamp, age));
        overdue
    }

    /// PUBREC has come for the message at `at`.
    pub(crate) fn hold(&mut self, at: usize, stamp: u16, unmatched: bool) {
        let unmatched = if unmatched { UNMATCHED } else { 0 };
        self.set_entry(at, self.entry(at).with(RELEASED | unmatched).stamped(stamp));
    }

    /// The packet at `at` is no longer needed.
    pub(crate) fn release(&mut self, at: usize) {
        self.set_entry(at, self.entry(at).with(DEAD));
        self.reclaim();
    }

    /// Calls `visit` with the place and the bookkeeping of each packet that is still needed.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize, Entry)) {
        let mut all = self.all();
        while let Some((at, entry)) = self.step(&mut all) {
            if !entry.is_dead() {
                visit(at, entry);
            }
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
        for cursor in [&mut self.cursor, &mut self.ahead] {
            if cursor.at < self.head || (cursor.at == self.head && cursor.left < self.count) {
                cursor.at = cursor.at.saturating_add(self.end);
            }
        }
        if let Some(at) = &mut self.sending
            && *at < self.head
        {
            *at = at.saturating_add(self.end);
        }
        self.tail = self.tail.saturating_add(self.end);
        self.wrapped = false;
    }

    /// The packet that goes next: the first that may, or a request ahead of one that waits.
    fn next(&mut self, waits: impl Fn(u8) -> bool) -> Option<usize> {
        while self.cursor.left > 0 {
            let entry = self.entry(self.cursor.at);
            if entry.is_waiting() {
                let first = self.packet(self.cursor.at).first().copied().unwrap_or(0);
                // One that goes out once more is followed already.
                let held_back = waits(first) && !entry.is_gone();
                return if held_back { self.next_request() } else { Some(self.cursor.at) };
            }
            self.cursor = self.behind(self.cursor);
        }
        None
    }

    /// The first SUBSCRIBE or UNSUBSCRIBE that has not gone out.
    fn next_request(&mut self) -> Option<usize> {
        if self.ahead.left > self.cursor.left {
            self.ahead = self.cursor;
        }
        while self.ahead.left > 0 {
            let at = self.ahead.at;
            let first = self.packet(at).first().copied();
            if self.entry(at).is_waiting() && first.is_some_and(is_request) {
                return Some(at);
            }
            self.ahead = self.behind(self.ahead);
        }
        None
    }

    /// A message that has been sent before is sent with DUP ([MQTT-3.3.1-1], the same in v3.1.1).
    fn mark_duplicate(&mut self, at: usize) {
        let entry = self.entry(at);
        if entry.is_sent()
            && let [first, ..] = self.packet_mut(at, entry.len)
            && is_publish(*first)
        {
            *first |= DUP;
        }
    }

    /// All packets, from the oldest on.
    const fn all(&self) -> Cursor {
        Cursor { at: self.head, left: self.count }
    }

    /// The packet at a cursor, which moves behind it; `None` when it has passed the newest.
    fn step(&self, cursor: &mut Cursor) -> Option<(usize, Entry)> {
        let at = cursor.at;
        cursor.left = cursor.left.checked_sub(1)?;
        let entry = self.entry(at);
        cursor.at = self.after(at, entry);
        Some((at, entry))
    }

    /// Looks for what may go out from the oldest packet on.
    const fn go_back(&mut self) {
        self.cursor = self.all();
        self.ahead = self.cursor;
    }

    /// Takes back the places of the oldest packets that are no longer needed.
    fn reclaim(&mut self) {
        while self.count > 0 {
            let entry = self.entry(self.head);
            if !entry.is_dead() || self.sending == Some(self.head) {
                return;
            }
            if self.cursor.left == self.count {
                self.cursor = self.behind(self.cursor);
            }
            if self.ahead.left == self.count {
                self.ahead = self.behind(self.ahead);
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
        self.wrapped = false;
        self.go_back();
    }

    /// The place behind the packet that a cursor stands at.
    fn behind(&self, cursor: Cursor) -> Cursor {
        let mut behind = cursor;
        self.step(&mut behind);
        behind
    }

    /// Where the packet behind the one at `at` begins.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    const fn after(&self, at: usize, entry: Entry) -> usize {
        let next = at.saturating_add(ENTRY_HEADER).saturating_add(entry.len);
        if self.wrapped && next == self.end { 0 } else { next }
    }

    fn set_entry(&mut self, at: usize, entry: Entry) {
        let header = self.memory.bytes_mut().get_mut(at..).and_then(<[u8]>::first_chunk_mut);
        // A place always has room for its header: `find` has seen to it.
        if let Some(header) = header {
            *header = entry.to_bytes();
        }
    }

    pub(crate) fn packet_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        let start = at.saturating_add(ENTRY_HEADER);
        let end = start.saturating_add(len);
        self.memory.bytes_mut().get_mut(start..end).unwrap_or_default()
    }
}

/// Whether a first byte is that of a PUBLISH above QoS 0.
const fn is_publish(first: u8) -> bool {
    first >> 4 == PacketType::Publish.first() >> 4 && first & 0x06 != Qos::AtMostOnce.bits()
}

/// Whether a first byte is that of a SUBSCRIBE or UNSUBSCRIBE.
const fn is_request(first: u8) -> bool {
    first == PacketType::Subscribe.first() || first == PacketType::Unsubscribe.first()
}

#[cfg(test)]
mod tests;
