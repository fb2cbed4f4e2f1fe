//! How long to wait before connecting again.

use dunlin::{Closed, Entropy, Error, Instant};

/// The least wait after a server's DISCONNECT, in milliseconds, whatever else was asked for.
///
/// The server is there and wants to be left alone. "AWS IoT Device Advisor test cases" ask for it, too.
pub const DISCONNECTED_WAIT_MS: u64 = 1_000;

/// How long to wait before connecting again, from one end of a connection to the next.
///
/// Unless it says otherwise, with decorrelated jitter: each wait is drawn between the least and three times
/// the last one, so that ten thousand clients of a restarted server do not come back together.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Backoff {
    policy: Policy,
    last_ms: u64,
    connected: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Policy {
    Jitter { least_ms: u64, most_ms: u64, stable_ms: u64 },
    Steps { first_ms: u64, then_ms: u64 },
}

impl Backoff {
    /// As Amplify's PubSub does it: after 5 s, and then every 60 s until it succeeds, without jitter.
    ///
    /// For programs that must behave like theirs; all clients of a restarted server come back together.
    pub const AMPLIFY_COMPAT: Self = Self::steps(5_000, 60_000);

    /// Waits between `least_ms` and `most_ms` milliseconds; a connection that stood for `stable_ms`
    /// starts over from the least.
    ///
    /// A public server should have a second at least: AWS IoT Core wants it after each disconnect.
    pub const fn new(least_ms: u64, most_ms: u64, stable_ms: u64) -> Self {
        let policy = Policy::Jitter { least_ms, most_ms, stable_ms };
        Self { policy, last_ms: least_ms, connected: None }
    }

    /// Always waits `ms` milliseconds, or [`DISCONNECTED_WAIT_MS`] where that is due; for tests.
    pub const fn constant(ms: u64) -> Self {
        Self::steps(ms, ms)
    }

    const fn steps(first_ms: u64, then_ms: u64) -> Self {
        Self { policy: Policy::Steps { first_ms, then_ms }, last_ms: 0, connected: None }
    }

    /// The server has accepted a connection.
    pub const fn handle_connected(&mut self, now: Instant) {
        self.connected = Some(now);
    }

    /// The connection has ended with `error`, or with none did not come about: how long to wait before
    /// this server is asked again, in milliseconds.
    pub fn handle_ended(
        &mut self,
        now: Instant,
        error: Option<Error>,
        entropy: &mut dyn Entropy,
    ) -> u64 {
        let connected = self.connected.take();
        self.last_ms = match self.policy {
            Policy::Jitter { least_ms, most_ms, stable_ms } => {
                let stood = connected.map_or(0, |since| now.since(since));
                let last_ms = if stood >= stable_ms && stood > 0 { least_ms } else { self.last_ms };
                draw(last_ms, least_ms, entropy).min(most_ms)
            }
            Policy::Steps { first_ms, .. } if connected.is_some() || self.last_ms == 0 => first_ms,
            Policy::Steps { then_ms, .. } => then_ms,
        };
        match error {
            Some(Error::Closed(Closed::Disconnected(_))) => self.last_ms.max(DISCONNECTED_WAIT_MS),
            _ => self.last_ms,
        }
    }
}

/// A wait between the least and three times the last one.
fn draw(last_ms: u64, least_ms: u64, entropy: &mut dyn Entropy) -> u64 {
    let span = last_ms.saturating_mul(3).saturating_sub(least_ms).saturating_add(1);
    let mut random = [0; 8];
    entropy.fill(&mut random);
    least_ms.saturating_add(u64::from_le_bytes(random).checked_rem(span).unwrap_or(0))
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
    use dunlin::{ReasonCode, Stage};
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
        let mut waits: Vec<_> =
            (0..6).map(|_| backoff.handle_ended(at(0), None, &mut random)).collect();
        backoff.handle_connected(at(100));
        waits.push(backoff.handle_ended(at(100 + stood_s), None, &mut random));
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

    #[test]
    fn waits_of_amplify_are_five_seconds_and_then_a_minute_without_jitter() {
        for seed in [1, 2] {
            let mut random = random(seed);
            let mut backoff = Backoff::AMPLIFY_COMPAT;
            backoff.handle_connected(at(0));
            let mut wait = || backoff.handle_ended(at(10), None, &mut random);
            assert_eq!([wait(), wait(), wait()], [5_000, 60_000, 60_000]);
            backoff.handle_connected(at(100));
            let mut wait = || backoff.handle_ended(at(101), None, &mut random);
            assert_eq!([wait(), wait()], [5_000, 60_000]);
        }
        let mut backoff = Backoff::AMPLIFY_COMPAT;
        assert_eq!(
            backoff.handle_ended(at(0), None, &mut random(1)),
            5_000,
            "the first of all fails"
        );
    }

    #[test]
    fn default_waits_a_second_at_least_after_a_connection_that_stood() {
        for seed in 1..=SEEDS {
            let mut random = random(seed);
            let mut backoff = Backoff::default();
            for hour in 0..4 {
                backoff.handle_connected(at(hour * 3_600));
                let wait = backoff.handle_ended(at((hour + 1) * 3_600), None, &mut random);
                assert!((1_000..=3_000).contains(&wait), "seed {seed}: {wait} ms");
            }
        }
    }

    #[test]
    fn constant_waits_never_change() {
        let (mut backoff, mut random) = (Backoff::constant(7), random(1));
        for s in 0..5 {
            backoff.handle_connected(at(s));
            assert_eq!(backoff.handle_ended(at(s), None, &mut random), 7);
            assert_eq!(backoff.handle_ended(at(s), None, &mut random), 7);
        }
    }

    /// A server that has said DISCONNECT is left alone for a second, and one that is gone is not.
    #[test]
    fn wait_after_a_disconnect_is_a_second_at_least_whatever_the_policy() {
        let said = Error::Closed(Closed::Disconnected(ReasonCode::SERVER_BUSY));
        let gone = Error::Closed(Closed::Eof(Stage::Open));
        let mut random = random(1);
        for (backoff, waits) in [
            (Backoff::constant(0), [1_000, 0]),
            (Backoff::constant(999), [1_000, 999]),
            (Backoff::constant(1_001), [1_001, 1_001]),
            (Backoff::new(5, 5, 60_000), [1_000, 5]),
            (Backoff::AMPLIFY_COMPAT, [5_000, 5_000]),
        ] {
            for (error, wait) in [said, gone].into_iter().zip(waits) {
                let mut backoff = backoff;
                backoff.handle_connected(at(0));
                assert_eq!(backoff.handle_ended(at(9), Some(error), &mut random), wait, "{error}");
            }
        }
    }
}
