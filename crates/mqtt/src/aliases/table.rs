//! Topics by number, in the caller's memory.

use core::num::NonZeroU16;
use dunlin_octet::{Buffer, Reader, Writer, shift};

/// What stands before each topic: its alias, when it was used last, its length.
const ENTRY_HEADER: usize = 8;

/// One topic and where it stands.
#[derive(Clone, Copy)]
struct Entry<'t> {
    at: usize,
    alias: u16,
    used: u32,
    topic: &'t [u8],
}

impl Entry<'_> {
    const fn end(&self) -> usize {
        self.at.saturating_add(ENTRY_HEADER).saturating_add(self.topic.len())
    }
}

/// Topics behind one another, each with its alias.
#[derive(Debug)]
pub(super) struct Table<A> {
    memory: A,
    filled: usize,
    /// Counts uses.
    now: u32,
}

impl<A> Table<A> {
    pub(super) const fn new(memory: A) -> Self {
        Self { memory, filled: 0, now: 0 }
    }
}

impl<A: Buffer> Table<A> {
    /// How long the memory can become.
    pub(super) fn limit(&self) -> usize {
        self.memory.limit()
    }

    /// The topic that `alias` stands for.
    pub(super) fn topic(&self, alias: NonZeroU16) -> Option<&str> {
        let entry = self.entries().find(|entry| entry.alias == alias.get())?;
        core::str::from_utf8(entry.topic).ok()
    }

    /// The alias of `topic`, which is used now.
    pub(super) fn find(&mut self, topic: &str) -> Option<NonZeroU16> {
        let entry = self.entries().find(|entry| entry.topic == topic.as_bytes())?;
        let (at, alias) = (entry.at, entry.alias);
        self.now = self.now.wrapping_add(1);
        let now = self.now;
        let memory = self.memory.bytes_mut().get_mut(at..).unwrap_or_default();
        let mut header = Writer::new(memory);
        // An entry that is there has room for its header.
        let _ = header.put_u16(alias).and_then(|()| header.put_u32(now));
        NonZeroU16::new(alias)
    }

    /// `alias`, which stands for nothing yet, stands for `topic`; says whether there was room.
    pub(super) fn insert(&mut self, alias: NonZeroU16, topic: &str) -> bool {
        let need = self.filled.saturating_add(ENTRY_HEADER).saturating_add(topic.len());
        let Ok(len) = u16::try_from(topic.len()) else { return false };
        if need > self.memory.bytes().len() && !self.memory.grow(need) {
            return false;
        }
        self.now = self.now.wrapping_add(1);
        let memory = self.memory.bytes_mut().get_mut(self.filled..).unwrap_or_default();
        let mut entry = Writer::new(memory);
        let put = entry
            .put_u16(alias.get())
            .and_then(|()| entry.put_u32(self.now))
            .and_then(|()| entry.put_u16(len))
            .and_then(|()| entry.put_slice(topic.as_bytes()));
        if put.is_ok() {
            self.filled = need;
        }
        put.is_ok()
    }

    /// One of the aliases 1 to `most` stands for `topic` from now on, if need be in place of those that
    /// were not used for longest; `None` when the topic is longer than the memory.
    pub(super) fn insert_instead(&mut self, topic: &str, most: u16) -> Option<NonZeroU16> {
        if ENTRY_HEADER.saturating_add(topic.len()) > self.memory.limit() {
            return None;
        }
        // Each turn inserts, or removes one of the entries.
        for _ in 0..=most {
            if let Some(alias) = self.unused(most)
                && self.insert(alias, topic)
            {
                return Some(alias);
            }
            let now = self.now;
            let oldest = self.entries().max_by_key(|entry| now.wrapping_sub(entry.used))?;
            self.remove(NonZeroU16::new(oldest.alias)?);
        }
        None
    }

    /// `alias` stands for nothing any more.
    pub(super) fn remove(&mut self, alias: NonZeroU16) {
        let Some(entry) = self.entries().find(|entry| entry.alias == alias.get()) else { return };
        let (at, end) = (entry.at, entry.end());
        let behind = self.filled.saturating_sub(end);
        shift(self.memory.bytes_mut(), end, at, behind);
        self.filled = at.saturating_add(behind);
    }

    /// The lowest alias up to `most` that stands for nothing.
    fn unused(&self, most: u16) -> Option<NonZeroU16> {
        let mut aliases = 1..=most;
        let unused = aliases.find(|alias| self.entries().all(|entry| entry.alias != *alias))?;
        NonZeroU16::new(unused)
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let filled = self.memory.bytes().get(..self.filled).unwrap_or_default();
        let mut rest = Reader::new(filled);
        core::iter::from_fn(move || {
            let at = filled.len().saturating_sub(rest.len());
            let alias = rest.u16()?;
            let used = rest.u32()?;
            let len = rest.u16()?;
            let topic = rest.take(usize::from(len))?;
            Some(Entry { at, alias, used, topic })
        })
    }
}
