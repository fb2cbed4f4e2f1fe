//! One contiguous receive buffer.

use crate::{Buffer, copy, mask, shift};

/// A receive buffer that holds, in this order, stream bytes that are ready, a gap, and raw bytes that
/// have not been looked at.
///
/// ```text
///   0        start        end     raw          filled        capacity
///   │ consumed │  stream   │  gap  │    raw     │    spare     │
/// ```
///
/// Raw bytes come in behind, by [`Inbox::spare`] and [`Inbox::commit`] or by [`Inbox::receive`]. A
/// framing layer drops headers from their front with [`Inbox::skip`] and lets payload join the stream
/// with [`Inbox::accept`]; payload moves only when stream bytes are waiting before a gap. A transport
/// without framing accepts all of it. The consumer drops from the front with [`Inbox::consume`].
///
/// Each byte is moved at most twice: once over a gap, and once when the buffer is compacted, which
/// happens only when its end has been reached.
#[derive(Debug)]
pub struct Inbox<B> {
    buffer: B,
    start: usize,
    end: usize,
    raw: usize,
    filled: usize,
}

impl<B: Buffer> Inbox<B> {
    /// An empty inbox over all of `buffer`.
    pub const fn new(buffer: B) -> Self {
        Self { buffer, start: 0, end: 0, raw: 0, filled: 0 }
    }

    /// Room for bytes from the transport; empty only when the whole buffer is in use.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.filled == self.buffer.bytes().len() {
            self.compact();
        }
        self.buffer.bytes_mut().get_mut(self.filled..).unwrap_or_default()
    }

    /// Says that the first `len` bytes of [`Inbox::spare`] have been filled.
    pub fn commit(&mut self, len: usize) {
        self.filled = self.filled.saturating_add(len).min(self.buffer.bytes().len());
    }

    /// Copies from the front of `bytes` as much as there is room for; returns how much that was.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let len = copy(bytes, self.spare());
        self.commit(len);
        len
    }

    /// How long the buffer is.
    pub fn capacity(&self) -> usize {
        self.buffer.bytes().len()
    }

    /// How long the buffer can become.
    pub fn limit(&self) -> usize {
        self.buffer.limit()
    }

    /// Whether bytes are held that nobody has taken.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end && self.raw == self.filled
    }

    /// Tries to make the buffer at least `len` bytes long.
    pub fn grow(&mut self, len: usize) -> bool {
        self.buffer.grow(len)
    }

    /// Bytes that no layer has looked at yet.
    pub fn raw(&self) -> &[u8] {
        self.buffer.bytes().get(self.raw..self.filled).unwrap_or_default()
    }

    /// The same, for unmasking in place.
    pub fn raw_mut(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut().get_mut(self.raw..self.filled).unwrap_or_default()
    }

    /// Drops up to `len` raw bytes.
    pub fn skip(&mut self, len: usize) {
        self.raw = self.raw.saturating_add(len).min(self.filled);
        self.rewind();
    }

    /// Lets up to `len` raw bytes join the stream.
    pub fn accept(&mut self, len: usize) {
        let len = len.min(self.filled.saturating_sub(self.raw));
        if self.start == self.end {
            self.start = self.raw;
            self.end = self.raw;
        } else if self.end < self.raw {
            shift(self.buffer.bytes_mut(), self.raw, self.end, len);
        }
        self.end = self.end.saturating_add(len);
        self.raw = self.raw.saturating_add(len);
        self.rewind();
    }

    /// Drops up to `skipped` raw bytes, and lets up to `len` behind them join the stream.
    pub fn accept_behind(&mut self, skipped: usize, len: usize) {
        self.raw = self.raw.saturating_add(skipped).min(self.filled);
        self.accept(len);
    }

    /// Unmasks up to `len` raw bytes that stand at `phase` in a payload, and lets them join the stream.
    pub fn accept_masked(&mut self, len: usize, key: [u8; 4], phase: usize) {
        let raw = self.raw_mut();
        let len = len.min(raw.len());
        mask(raw.get_mut(..len).unwrap_or_default(), key, phase);
        self.accept(len);
    }

    /// Bytes of the stream, ready for the consumer.
    pub fn stream(&self) -> &[u8] {
        self.buffer.bytes().get(self.start..self.end).unwrap_or_default()
    }

    /// Drops up to `len` bytes from the front of the stream.
    pub fn consume(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
        self.rewind();
    }

    /// Starts at the front again when nothing is held, which costs nothing.
    fn rewind(&mut self) {
        if self.start == self.end && self.raw == self.filled {
            (self.start, self.end, self.raw, self.filled) = (0, 0, 0, 0);
        }
    }

    /// Moves what is held to the front, and closes the gap.
    fn compact(&mut self) {
        let (stream, raw) =
            (self.end.saturating_sub(self.start), self.filled.saturating_sub(self.raw));
        let memory = self.buffer.bytes_mut();
        shift(memory, self.start, 0, stream);
        shift(memory, self.raw, stream, raw);
        self.start = 0;
        self.end = stream;
        self.raw = stream;
        self.filled = stream.saturating_add(raw);
    }
}

/// How much is in it, not what.
#[cfg(feature = "defmt")]
impl<B> defmt::Format for Inbox<B> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Inbox {{ stream: {=usize}, raw: {=usize} }}",
            self.end.saturating_sub(self.start),
            self.filled.saturating_sub(self.raw)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_of_one_frame_does_not_move() {
        let mut inbox = Inbox::new([0; 16]);
        assert_eq!(inbox.receive(b"HHabcdHHef"), 10);
        inbox.skip(2);
        inbox.accept(4);
        let place = inbox.stream().as_ptr();
        assert_eq!(inbox.stream(), b"abcd");
        inbox.consume(4);
        inbox.skip(2);
        inbox.accept(2);
        assert_eq!(inbox.stream(), b"ef");
        assert_eq!(inbox.stream().as_ptr(), place.wrapping_add(6));
    }

    #[test]
    fn payload_over_frames_is_contiguous() {
        let mut inbox = Inbox::new([0; 10]);
        inbox.receive(b"HHabHHcdHH");
        inbox.skip(2);
        inbox.accept(2);
        inbox.skip(2);
        inbox.accept(2);
        inbox.skip(2);
        assert_eq!(inbox.stream(), b"abcd");
        assert_eq!(inbox.raw(), b"");
        assert_eq!(inbox.spare().len(), 6);
        inbox.receive(b"ef");
        inbox.accept(9);
        assert_eq!(inbox.stream(), b"abcdef");
    }

    #[test]
    fn payload_behind_a_header_joins_as_if_the_header_was_skipped_first() {
        let mut inbox = Inbox::new([0; 10]);
        inbox.receive(b"HHabHHcdH");
        inbox.accept_behind(2, 2);
        assert_eq!((inbox.stream(), inbox.raw()), (&b"ab"[..], &b"HHcdH"[..]));
        inbox.accept_behind(2, 2);
        assert_eq!((inbox.stream(), inbox.raw()), (&b"abcd"[..], &b"H"[..]));
        inbox.accept_behind(2, 2);
        assert_eq!((inbox.stream(), inbox.raw()), (&b"abcd"[..], &b""[..]));
        inbox.consume(4);
        assert_eq!(inbox.spare().len(), 10);
    }

    #[test]
    fn masked_payload_is_unmasked_on_the_way() {
        let mut inbox = Inbox::new([0; 8]);
        inbox.receive(&[0x7f, 0x9f, 0x4d]);
        inbox.accept_masked(3, [0x37, 0xfa, 0x21, 0x3d], 0);
        inbox.receive(&[0x51, 0x58, 1]);
        inbox.accept_masked(2, [0x37, 0xfa, 0x21, 0x3d], 3);
        assert_eq!(inbox.stream(), b"Hello");
        assert_eq!(inbox.raw(), [1]);
    }

    #[test]
    fn full_buffer_has_no_spare_until_something_is_consumed() {
        let mut inbox = Inbox::new([0; 4]);
        assert_eq!(inbox.receive(b"abcdef"), 4);
        inbox.accept(4);
        assert!(inbox.spare().is_empty());
        inbox.consume(3);
        assert_eq!(inbox.spare().len(), 3);
        assert_eq!(inbox.stream(), b"d");
    }

    #[test]
    fn lengths_out_of_bounds_are_cut() {
        let mut inbox = Inbox::new([0; 4]);
        inbox.commit(usize::MAX);
        inbox.skip(1);
        inbox.accept(usize::MAX);
        assert_eq!(inbox.stream().len(), 3);
        inbox.consume(usize::MAX);
        assert_eq!(inbox.spare().len(), 4);
    }
}
