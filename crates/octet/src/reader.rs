//! A cursor that takes values off the front of a slice.

/// Takes big-endian integers and slices off the front of borrowed bytes.
///
/// `None` means that fewer bytes are left than were asked for; the cursor has not moved then.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the first byte of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been taken yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes have not been taken yet.
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether every byte has been taken.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes one byte.
    pub const fn u8(&mut self) -> Option<u8> {
        let [first, rest @ ..] = self.rest else { return None };
        self.rest = rest;
        Some(*first)
    }

    /// Takes a 16-bit integer, most significant byte first.
    pub const fn u16(&mut self) -> Option<u16> {
        let [a, b, rest @ ..] = self.rest else { return None };
        self.rest = rest;
        Some(u16::from_be_bytes([*a, *b]))
    }

    /// Takes a 32-bit integer, most significant byte first.
    pub const fn u32(&mut self) -> Option<u32> {
        let [a, b, c, d, rest @ ..] = self.rest else { return None };
        self.rest = rest;
        Some(u32::from_be_bytes([*a, *b, *c, *d]))
    }

    /// Takes a 64-bit integer, most significant byte first.
    pub const fn u64(&mut self) -> Option<u64> {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.rest else { return None };
        self.rest = rest;
        Some(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
    }

    /// Takes `len` bytes.
    pub const fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else { return None };
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_takes_integers_most_significant_byte_first() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(reader.u8(), Some(1));
        assert_eq!(reader.u16(), Some(0x0203));
        assert_eq!(reader.u32(), Some(0x0405_0607));
        assert_eq!(reader.u64(), Some(0x0809_0a0b_0c0d_0e0f));
        assert_eq!(reader.rest(), [16]);
    }

    #[test]
    fn reader_that_is_too_short_does_not_move() {
        let mut reader = Reader::new(&[1]);
        assert_eq!(reader.u16(), None);
        assert_eq!(reader.u32(), None);
        assert_eq!(reader.u64(), None);
        assert_eq!(reader.take(2), None);
        assert_eq!(reader.take(1), Some(&[1][..]));
        assert_eq!(reader.u8(), None);
        assert!(reader.is_empty());
    }
}
