//! How long to wait before connecting again.

use dunlin::{Entropy, Instant};

/// Decorrelated jitter: each wait is drawn between the least and three times the last one, so that ten
/// thousand clients of a restarted server do not come back together.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    least_ms: u64,
    most_ms: u64,
    stable_ms: u64,
    last_ms: u64,
    connected: Option<Instant>,
}

impl Backoff {
    /// Waits between `least_ms` and `most_ms` milliseconds; a connection that stood for `stable_ms`
    /// starts over from the least.
    pub const fn new(least_ms: u64, most_ms: u64, stable_ms: u64) -> Self {
        Self { least_ms, most_ms, stable_ms, last_ms: least_ms, connected: None }
    }

    /// The server has accepted a connection.
    pub const fn handle_connected(&mut self, now: Instant) {
        self.connected = Some(now);
    }

    /// The connection has ended, or did not come about: how long to wait, in milliseconds.
    pub fn handle_ended(&mut self, now: Instant, entropy: &mut dyn Entropy) -> u64 {
        let stood = self.connected.take().map_or(0, |since| now.since(since));
        if stood >= self.stable_ms && stood > 0 {
            self.last_ms = self.least_ms;
        }
        let span = self.last_ms.saturating_mul(3).saturating_sub(self.least_ms).saturating_add(1);
        let mut random = [0; 8];
        entropy.fill(&mut random);
        let drawn = u64::from_le_bytes(random).checked_rem(span).unwrap_or(0);
        self.last_ms = self.least_ms.saturating_add(drawn).min(self.most_ms);
        self.last_ms
    }
}

/// From 1 s to 60 s, starting over after 30 s.
impl Default for Backoff {
    fn default() -> Self {
        Self::new(1_000, 60_000, 30_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{println, vec::Vec};

    const SEEDS: u64 = 500;

    fn random(seed: u64) -> impl FnMut(&mut [u8]) {
        let mut state = seed;
        move |bytes: &mut [u8]| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.copy_from_slice(&(state >> 16).to_le_bytes());
        }
    }

    fn at(s: u64) -> Instant {
        Instant::from_millis(s * 1_000)
    }

    /// Six failures, then a connection that stands for `stood_s` seconds: all the waits.
    fn waits(seed: u64, stood_s: u64) -> Vec<u64> {
        let mut random = random(seed);
        let mut backoff = Backoff::default();
        let mut waits: Vec<_> = (0..6).map(|_| backoff.handle_ended(at(0), &mut random)).collect();
        backoff.handle_connected(at(100));
        waits.push(backoff.handle_ended(at(100 + stood_s), &mut random));
        waits
    }

    fn mean(stood_s: u64, nth: usize) -> u64 {
        (1..=SEEDS).map(|seed| waits(seed, stood_s)[nth]).sum::<u64>() / SEEDS
    }

    #[test]
    fn waits_grow_within_their_bounds_and_differ_between_clients() {
        for seed in 1..=SEEDS {
            let waits = waits(seed, 0);
            println!("seed {seed}: {waits:?}");
            assert!(waits[0] <= 3_000, "the first wait is short");
            assert!(waits.iter().all(|wait| (1_000..=60_000).contains(wait)));
        }
        assert!(mean(0, 5) > 3 * mean(0, 0), "they grow faster than by a constant");
        assert_ne!(waits(1, 0), waits(2, 0));
    }

    #[test]
    fn connection_that_stood_starts_over_and_a_short_one_does_not() {
        assert!((1..=SEEDS).all(|seed| waits(seed, 30)[6] <= 3_000));
        assert!(mean(1, 6) > 3 * mean(30, 6));
    }
}
