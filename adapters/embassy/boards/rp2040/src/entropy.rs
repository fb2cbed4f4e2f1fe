//! Randomness from an oscillator.

use embassy_rp::clocks::RoscRng;
use sha2::{Digest, Sha256};

/// Raw bytes of which 32 good ones are made.
///
/// The ring oscillator's bits are biased, and depend on one another ("RP2040 Datasheet", §2.17.5): so
/// many of them are hashed that one good bit of sixteen is enough.
const RAW_LEN: usize = 512;

/// Overwrites all of `bytes` with randomness that is fit for keys.
pub(crate) fn fill(bytes: &mut [u8]) {
    for block in bytes.chunks_mut(32) {
        let mut raw = [0; RAW_LEN];
        RoscRng.fill_bytes(&mut raw);
        for (byte, good) in block.iter_mut().zip(Sha256::digest(raw)) {
            *byte = good;
        }
    }
}
