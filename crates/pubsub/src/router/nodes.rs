//! Where filters end, and what leads there: a table of hashes.

use super::{LEVELS_MAX, NONE, is_exact};

/// Where filters end, or what leads there.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Node {
    /// Of the levels up to here, or of a whole filter without wildcards.
    pub(super) hash: u64,
    /// The first of the routes that end here.
    pub(super) first: u32,
    /// How many filters lead on from here.
    pub(super) through: u32,
}

impl Node {
    /// Memory for one.
    pub const EMPTY: Self = Self { hash: 0, first: NONE, through: 0 };

    const fn is_empty(&self) -> bool {
        self.first == NONE && self.through == 0
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// What lies above all first levels.
pub(super) const ROOT: u64 = 0x243f_6a88_85a3_08d3;

/// What filters without wildcards are hashed with.
const EXACT: u64 = 0x1319_8a2e_0370_7344;

/// An odd number whose bits follow no rule: 2⁶⁴ divided by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The node of a whole topic, or of a filter without wildcards.
pub(super) fn exact(topic: &str) -> u64 {
    mix(EXACT, topic.as_bytes())
}

/// The node that `level` leads to from the node `parent`.
pub(super) fn child(parent: u64, level: &[u8]) -> u64 {
    mix(parent, level)
}

/// Not to be kept, and not safe against somebody who chooses filters: those are the program's own.
fn mix(seed: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut tail = [0; 8];
    for (to, from) in tail.iter_mut().zip(rest) {
        *to = *from;
    }
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let mut hash = seed ^ len.wrapping_mul(FACTOR);
    for word in words.iter().chain([&tail]) {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    }
    hash.wrapping_mul(FACTOR)
}

/// An open table, probed in order; an entry stands where its hash says, or behind others that do.
#[derive(Debug)]
pub(super) struct Nodes<N> {
    memory: N,
    taken: usize,
}

impl<N> Nodes<N> {
    pub(super) const fn new(memory: N) -> Self {
        Self { memory, taken: 0 }
    }

    pub(super) fn into_memory(self) -> N {
        self.memory
    }

    pub(super) const fn len(&self) -> usize {
        self.taken
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.taken == 0
    }
}

impl<N: AsRef<[Node]> + AsMut<[Node]>> Nodes<N> {
    /// Whether so many more leave an eighth free, and one at least.
    pub(super) fn has_room_for(&self, more: usize) -> bool {
        let len = self.memory.as_ref().len();
        let most = len.saturating_sub((len >> 3).max(1));
        self.taken.saturating_add(more) <= most
    }

    pub(super) fn lend(&self) -> &[Node] {
        self.memory.as_ref()
    }

    /// A filter ends with the route `at`, in front of the one that is returned.
    pub(super) fn put(&mut self, filter: &str, at: u32) -> u32 {
        let end = trail(filter, |hash| {
            if let Some(node) = self.seat(hash) {
                node.through = node.through.saturating_add(1);
            }
        });
        self.seat(end).map_or(NONE, |node| core::mem::replace(&mut node.first, at))
    }

    /// A filter is no longer there; `first` is the route that its node begins with now, if that has
    /// changed. Returns the first of those that are left.
    pub(super) fn take(&mut self, filter: &str, first: Option<u32>) -> u32 {
        let end = trail(filter, |hash| {
            self.change(hash, |node| node.through = node.through.saturating_sub(1));
        });
        let mut left = NONE;
        self.change(end, |node| {
            node.first = first.unwrap_or(node.first);
            left = node.first;
        });
        left
    }

    /// Takes over all of another table's; there must be room.
    pub(super) fn adopt(&mut self, nodes: &[Node]) {
        for node in nodes.iter().filter(|node| !node.is_empty()) {
            if let Some(seat) = self.seat(node.hash) {
                *seat = *node;
            }
        }
    }

    /// The node of `hash`, which may be a new one and is then to be filled; there must be room.
    fn seat(&mut self, hash: u64) -> Option<&mut Node> {
        let memory = self.memory.as_mut();
        let len = memory.len();
        let mut at = home(hash, len);
        while memory.get(at).is_some_and(|node| !node.is_empty() && node.hash != hash) {
            at = next(at, len);
        }
        let node = memory.get_mut(at)?;
        if node.is_empty() {
            node.hash = hash;
            self.taken = self.taken.saturating_add(1);
        }
        Some(node)
    }

    /// Changes the node of `hash`, and gives it back if nothing needs it any more.
    fn change(&mut self, hash: u64, f: impl FnOnce(&mut Node)) {
        let memory = self.memory.as_mut();
        let Some(mut gap) = position(memory, hash) else { return };
        let Some(node) = memory.get_mut(gap) else { return };
        f(node);
        if !node.is_empty() {
            return;
        }
        self.taken = self.taken.saturating_sub(1);
        // What stands behind moves up, unless that would bring it before its place.
        let len = memory.len();
        let mut at = next(gap, len);
        while let Some(node) = memory.get(at).copied().filter(|node| !node.is_empty()) {
            if distance(home(node.hash, len), at, len) >= distance(gap, at, len) {
                replace(memory, gap, node);
                replace(memory, at, Node::EMPTY);
                gap = at;
            }
            at = next(at, len);
        }
    }
}

fn replace(memory: &mut [Node], at: usize, node: Node) {
    if let Some(place) = memory.get_mut(at) {
        *place = node;
    }
}

/// Calls `each` for every node on the way, and returns the one at the end.
fn trail(filter: &str, mut each: impl FnMut(u64)) -> u64 {
    if is_exact(filter) {
        return exact(filter);
    }
    let mut levels = filter.as_bytes().split(|byte| *byte == b'/').take(LEVELS_MAX).peekable();
    let mut hash = ROOT;
    while let Some(level) = levels.next() {
        hash = child(hash, level);
        if levels.peek().is_some() {
            each(hash);
        }
    }
    hash
}

/// The node of `hash`.
pub(super) fn find(memory: &[Node], hash: u64) -> Option<&Node> {
    memory.get(position(memory, hash)?)
}

/// Where the node of `hash` is; as one place is always empty, the search ends.
fn position(memory: &[Node], hash: u64) -> Option<usize> {
    let mut at = home(hash, memory.len());
    loop {
        let node = memory.get(at).filter(|node| !node.is_empty())?;
        if node.hash == hash {
            return Some(at);
        }
        at = next(at, memory.len());
    }
}

/// The place of `hash` among `len`: its upper half, stretched.
fn home(hash: u64, len: usize) -> usize {
    let len = u64::try_from(len).unwrap_or(u64::MAX) & u64::from(u32::MAX);
    usize::try_from((hash >> 32).wrapping_mul(len) >> 32).unwrap_or(usize::MAX)
}

const fn next(at: usize, len: usize) -> usize {
    let next = at.saturating_add(1);
    if next < len { next } else { 0 }
}

/// How far `to` is behind `from`, around the end.
const fn distance(from: usize, to: usize, len: usize) -> usize {
    if to >= from { to.saturating_sub(from) } else { to.saturating_add(len).saturating_sub(from) }
}
