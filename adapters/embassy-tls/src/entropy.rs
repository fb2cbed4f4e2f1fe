//! Randomness, as the firmware has it.

use rand_core::{CryptoRng, Error, RngCore};

/// A fill function as the generator that `embedded-tls` wants.
///
/// It must be fit for keys: a hardware generator, or one seeded by it.
pub struct FillRng<F>(pub F);

impl<F: FnMut(&mut [u8])> RngCore for FillRng<F> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0(bytes);
        Ok(())
    }
}

impl<F: FnMut(&mut [u8])> CryptoRng for FillRng<F> {}

impl<F> core::fmt::Debug for FillRng<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FillRng")
    }
}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for FillRng<F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "FillRng");
    }
}
