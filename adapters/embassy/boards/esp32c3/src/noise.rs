//! Randomness for Mbed TLS.

use core::convert::Infallible;
use esp_hal::rng::Rng;
use rand_core::{TryCryptoRng, TryRng};
use shared::mbed::Tls;
use static_cell::StaticCell;

/// The chip's random numbers while the radio is on, which makes them fit for keys.
struct Noise(Rng);

impl TryRng for Noise {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Noise {}

/// Starts Mbed TLS, once the radio is on; `None` if that has been done before.
pub(crate) fn start_tls(rng: Rng) -> Option<Tls<'static>> {
    static NOISE: StaticCell<Noise> = StaticCell::new();
    Tls::new(NOISE.try_init(Noise(rng))?).ok()
}
