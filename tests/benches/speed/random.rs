//! A source of mask keys that costs next to nothing.

/// xorshift64*: what comes out is foreseeable, and so good for benchmarks alone.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) const fn key(&mut self) -> [u8; 4] {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let [a, b, c, d, ..] = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
        [a, b, c, d]
    }

    /// The same, for memory of any length.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(4) {
            let key = self.key();
            chunk.copy_from_slice(&key[..chunk.len()]);
        }
    }
}
