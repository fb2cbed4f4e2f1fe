//! Memory whose place does not depend on the allocator's mood.

const PAGE: usize = 4096;
/// Where in a page the two sides of a copy begin: far from each other, for a processor takes equal
/// places in two pages for the same place, and copies at a quarter of its speed.
pub(crate) const FROM: usize = 0;
pub(crate) const TO: usize = PAGE / 2;

/// Bytes that begin at a chosen place in a page.
pub(crate) struct Memory {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Memory {
    pub(crate) fn new(len: usize, place: usize) -> Self {
        let bytes = vec![7; len + 2 * PAGE];
        let start = bytes.as_ptr().align_offset(PAGE) + place;
        Self { bytes, start, len }
    }

    pub(crate) fn get(&self) -> &[u8] {
        &self.bytes[self.start..][..self.len]
    }

    pub(crate) fn get_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..self.len]
    }
}
