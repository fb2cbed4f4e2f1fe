//! UTF-8, checked as it comes.

/// How many bytes are looked at in one step.
const WORD: usize = size_of::<usize>();

/// A validator that may be fed in pieces, and fails at the first byte that cannot be right (RFC
/// 3629).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Utf8 {
    /// How many continuation bytes are still missing.
    missing: u8,
    /// The range of the next one; only the first behind a lead byte can be narrower than 80..=BF.
    low: u8,
    high: u8,
}

impl Utf8 {
    pub(crate) const fn new() -> Self {
        Self { missing: 0, low: 0x80, high: 0xbf }
    }

    /// Whether no character is cut in two.
    pub(crate) const fn is_complete(self) -> bool {
        self.missing == 0
    }

    /// Takes the next bytes; `false` as soon as no continuation could make them UTF-8.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        loop {
            // Most text is ASCII: a word at a time.
            while self.missing == 0
                && let Some((word, behind)) = rest.split_first_chunk()
                && usize::from_ne_bytes(*word) & const { usize::from_ne_bytes([0x80; WORD]) } == 0
            {
                rest = behind;
            }
            let [byte, behind @ ..] = rest else { return true };
            if !self.push_byte(*byte) {
                return false;
            }
            rest = behind;
        }
    }

    const fn push_byte(&mut self, byte: u8) -> bool {
        if self.missing > 0 {
            let fits = self.low <= byte && byte <= self.high;
            (self.missing, self.low, self.high) = (self.missing.saturating_sub(1), 0x80, 0xbf);
            return fits;
        }
        self.missing = match byte {
            0x00..=0x7f => 0,
            0xc2..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf4 => 3,
            _ => return false,
        };
        // E0 and F0 must not encode what fits fewer bytes, ED no surrogate, F4 at most U+10FFFF.
        match byte {
            0xe0 => self.low = 0xa0,
            0xed => self.high = 0x9f,
            0xf0 => self.low = 0x90,
            0xf4 => self.high = 0x8f,
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: &[u8], cut: usize) -> bool {
        let mut utf8 = Utf8::new();
        utf8.push(&bytes[..cut]) && utf8.push(&bytes[cut..]) && utf8.is_complete()
    }

    #[test]
    fn utf8_of_every_lead_and_second_byte_agrees_with_the_standard_library() {
        for lead in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                for tail in [&b""[..], &[0x80], &[0x80, 0xbf], &[0x80, 0xbf, b'a'], b"abcdefghij"] {
                    let mut text = std::vec![lead, second];
                    text.extend_from_slice(tail);
                    let expected = core::str::from_utf8(&text).is_ok();
                    for cut in 0..=text.len() {
                        assert_eq!(verdict(&text, cut), expected, "{text:x?} cut at {cut}");
                    }
                }
            }
        }
    }

    #[test]
    fn utf8_with_a_bad_byte_fails_at_that_byte() {
        let mut utf8 = Utf8::new();
        assert!(utf8.push(b"abcdefghi\xf4"));
        assert!(!utf8.push(b"\x90"));
    }

    #[test]
    fn utf8_behind_a_long_run_of_ascii_is_still_checked() {
        for at in 0..40 {
            let mut text = [b'x'; 40];
            text[at] = 0xff;
            assert!(!Utf8::new().push(&text), "at {at}");
        }
    }
}
