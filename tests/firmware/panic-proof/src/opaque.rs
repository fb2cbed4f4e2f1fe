//! Values that the optimiser knows nothing of.

use core::hint::black_box;

static BYTES: [u8; 16] = [0; 16];
static NUMBER: usize = 0;

/// Some bytes, of a length that is not known.
pub fn bytes() -> &'static [u8] {
    black_box(&BYTES[..])
}

/// Some text, of a length that is not known.
pub fn text() -> &'static str {
    black_box("text")
}

/// Some number.
pub fn number() -> usize {
    *black_box(&NUMBER)
}

/// Memory of a length that is not known.
pub fn memory(array: &mut [u8]) -> &mut [u8] {
    black_box(array)
}

/// Keeps `value`, and so all that it took to make it.
pub fn keep<T>(value: T) {
    black_box(value);
}

/// Writes `value` out as a person would read it.
pub fn show(value: &dyn core::fmt::Display) {
    struct Lengths(usize);
    impl core::fmt::Write for Lengths {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            self.0 = self.0.saturating_add(text.len());
            Ok(())
        }
    }
    let mut lengths = Lengths(0);
    keep(core::fmt::Write::write_fmt(&mut lengths, format_args!("{value}")));
    keep(lengths.0);
}
