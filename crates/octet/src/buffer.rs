//! Memory that a caller lends or gives.

use core::fmt::Debug;

/// What is kept in [`Places`]: it has a value that stands for nothing.
pub trait Entry: Copy + Debug {
    /// What stands where nothing has been put.
    const EMPTY: Self;
}

impl<T: Copy + Debug> Entry for Option<T> {
    const EMPTY: Self = None;
}

/// Places for entries of one kind, up to a number: all there from the start, as `[T; N]` has them, or
/// made when they are first used.
pub trait Places<T: Entry>: Debug {
    /// Nothing but [`Entry::EMPTY`].
    const EMPTY: Self;

    /// The places that have been made; all others are empty.
    fn made(&self) -> &[T];

    /// The same, for writing.
    fn made_mut(&mut self) -> &mut [T];

    /// The place `at`, which is made if it is not there; `None` where it is one too many.
    fn reach(&mut self, at: usize) -> Option<&mut T>;
}

impl<T: Entry, const N: usize> Places<T> for [T; N] {
    const EMPTY: Self = [T::EMPTY; N];

    fn made(&self) -> &[T] {
        self
    }

    fn made_mut(&mut self) -> &mut [T] {
        self
    }

    fn reach(&mut self, at: usize) -> Option<&mut T> {
        self.get_mut(at)
    }
}

/// Contiguous memory of the caller's: `&mut [u8]`, `[u8; N]`, `Vec<u8>`, or a type of its own that
/// can grow.
pub trait Buffer {
    /// Where up to `N` entries are kept beside the bytes: `[T; N]`, unless they are to grow, too.
    type Places<T: Entry, const N: usize>: Places<T>;

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
    type Places<E: Entry, const N: usize> = [E; N];

    fn bytes(&self) -> &[u8] {
        self.as_ref()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.as_mut()
    }
}
