//! Memory that a caller lends or gives.

/// Contiguous memory of the caller's: `&mut [u8]`, `[u8; N]`, `Vec<u8>`, or a type of its own that
/// can grow.
pub trait Buffer {
    /// All of the memory, as it is now.
    fn bytes(&self) -> &[u8];

    /// All of the memory, for writing.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// How long it is or can become.
    fn limit(&self) -> usize {
        self.bytes().len()
    }

    /// Tries to become at least `len` bytes long, keeping what is there; refuses by default.
    ///
    /// After `true`, [`Buffer::bytes`] is `len` bytes long or longer. After `false`, nothing changed.
    fn grow(&mut self, len: usize) -> bool {
        len <= self.bytes().len()
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Buffer for T {
    fn bytes(&self) -> &[u8] {
        self.as_ref()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.as_mut()
    }
}
