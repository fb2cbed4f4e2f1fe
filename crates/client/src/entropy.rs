//! Where randomness comes from.

/// A source of bytes that nobody can foresee (RFC 6455 §10.3).
///
/// Any `FnMut(&mut [u8])` is one. A host draws from its operating system, firmware from its hardware
/// generator; a constant defeats masking, and is for tests alone.
pub trait Entropy {
    /// Overwrites all of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}
