//! Text and bytes that are streamed instead of stored.

use crate::copy;

/// Takes bytes as they are made: a hash, a counter, a window of an output buffer.
pub trait Sink {
    /// Takes all of `bytes`; a sink that has no room drops the rest and knows it.
    fn put(&mut self, bytes: &[u8]);
}

/// Something that can be written out as often as needed, the same bytes each time.
///
/// A request target of 3 KiB goes through an output buffer of 256 bytes by writing it once per
/// buffer, each time through a [`Window`] that stands further on.
pub trait Text {
    /// Puts all of it into `sink`.
    fn write(&self, sink: &mut dyn Sink);
}

impl Text for str {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(self.as_bytes());
    }
}

impl Text for [u8] {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(self);
    }
}

impl<T: Text + ?Sized> Text for &T {
    fn write(&self, sink: &mut dyn Sink) {
        (**self).write(sink);
    }
}

/// Counts bytes and keeps none.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Count {
    total: usize,
}

impl Count {
    /// How many bytes `text` has.
    pub fn of(text: &(impl Text + ?Sized)) -> usize {
        let mut count = Self::default();
        text.write(&mut count);
        count.total
    }
}

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len());
    }
}

/// Lets the first `skip` bytes go by and keeps those that follow, as long as there is room.
#[derive(Debug)]
pub struct Window<'a> {
    skip: usize,
    memory: &'a mut [u8],
    filled: usize,
    overflowed: bool,
}

impl<'a> Window<'a> {
    /// A window onto the bytes from `skip` on.
    pub const fn new(memory: &'a mut [u8], skip: usize) -> Self {
        Self { skip, memory, filled: 0, overflowed: false }
    }

    /// How many bytes have been kept.
    pub const fn filled(&self) -> usize {
        self.filled
    }

    /// Whether bytes came that had no room.
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }
}

impl Sink for Window<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let Some(wanted) = bytes.get(self.skip..) else {
            self.skip = self.skip.saturating_sub(bytes.len());
            return;
        };
        self.skip = 0;
        let place = self.memory.get_mut(self.filled..).unwrap_or_default();
        let kept = copy(wanted, place);
        self.filled = self.filled.saturating_add(kept);
        self.overflowed |= kept < wanted.len();
    }
}

/// How much is in it, not what.
#[cfg(feature = "defmt")]
impl defmt::Format for Window<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Window {{ skip: {=usize}, filled: {=usize}, overflowed: {=bool} }}",
            self.skip,
            self.filled,
            self.overflowed
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pieces;

    impl Text for Pieces {
        fn write(&self, sink: &mut dyn Sink) {
            for piece in ["GET ", "", "/mqtt", " HTTP/1.1"] {
                sink.put(piece.as_bytes());
            }
        }
    }

    #[test]
    fn windows_of_every_size_add_up_to_the_whole_text() {
        let whole = b"GET /mqtt HTTP/1.1";
        assert_eq!(Count::of(&Pieces), whole.len());
        for size in 1..=whole.len() + 1 {
            let mut seen = std::vec::Vec::new();
            loop {
                let mut memory = std::vec![0; size];
                let mut window = Window::new(&mut memory, seen.len());
                Pieces.write(&mut window);
                let (filled, more) = (window.filled(), window.overflowed());
                seen.extend_from_slice(&memory[..filled]);
                if !more {
                    break;
                }
            }
            assert_eq!(seen, whole, "windows of {size} bytes");
        }
    }
}
