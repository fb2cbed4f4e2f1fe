//! How fast a client may publish and connect.

use dunlin::Instant;

/// How many messages AWS IoT Core takes from one connection in a second.
pub const PUBLISHES_PER_S: u32 = 100;
/// How many bytes it takes from one connection in a second.
pub const PUBLISHED_BYTES_PER_S: u32 = 512 << 10;
/// How long one client identifier waits between two CONNECTs at least, in milliseconds.
pub const CONNECT_INTERVAL_MS: u64 = 1_000;

/// Milliseconds in a second.
const SECOND_MS: u32 = 1_000;

/// Keeps publishing below a rate of messages and of bytes.
///
/// Two token buckets whose burst and whose refill in a second add up to the limit, so that no second,
/// wherever it begins, has more.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limiter {
    messages: Bucket,
    bytes: Bucket,
}

impl Limiter {
    /// As much as AWS IoT Core takes from one connection.
    pub const fn new() -> Self {
        Self::with_limits(PUBLISHES_PER_S, PUBLISHED_BYTES_PER_S)
    }

    /// So many messages and bytes in a second, for a quota that was raised or is shared.
    pub const fn with_limits(messages_per_s: u32, bytes_per_s: u32) -> Self {
        Self {
            messages: Bucket::new(messages_per_s, messages_per_s / 10),
            // The largest payload fits into a burst.
            bytes: Bucket::new(bytes_per_s, bytes_per_s / 4),
        }
    }

    /// Takes a message of `len` bytes, or says how many milliseconds to wait before asking again.
    ///
    /// Ask with a clock that does not go back. A message longer than a burst goes alone.
    pub fn take(&mut self, now: Instant, len: usize) -> Result<(), u64> {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        self.messages.refill(now);
        self.bytes.refill(now);
        match self.messages.wait_ms(1).max(self.bytes.wait_ms(len)) {
            0 => {
                self.messages.take(1);
                self.bytes.take(len);
                Ok(())
            }
            wait_ms => Err(wait_ms),
        }
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

/// A token bucket, in thousandths of a token.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Bucket {
    burst: i64,
    /// Per second in tokens is per millisecond in thousandths.
    refill: u32,
    /// Below zero after what was longer than a burst.
    level: i64,
    at: Instant,
}

impl Bucket {
    /// At least one token in a burst and one in a second.
    const fn new(per_s: u32, burst: u32) -> Self {
        let burst = if burst == 0 { 1 } else { burst };
        let refill = match per_s.saturating_sub(burst) {
            0 => 1,
            refill => refill,
        };
        let burst = thousandths(burst);
        Self { burst, refill, level: burst, at: Instant::from_millis(0) }
    }

    fn refill(&mut self, now: Instant) {
        let elapsed_ms = i64::try_from(now.since(self.at)).unwrap_or(i64::MAX);
        let gained = elapsed_ms.saturating_mul(i64::from(self.refill));
        self.level = self.level.saturating_add(gained).min(self.burst);
        self.at = now.max(self.at);
    }

    /// How long until there is room for `tokens`, or for a whole burst if they are more.
    fn wait_ms(&self, tokens: u32) -> u64 {
        let needed = thousandths(tokens).min(self.burst);
        let missing = u64::try_from(needed.saturating_sub(self.level)).unwrap_or(0);
        missing.div_ceil(u64::from(self.refill.max(1)))
    }

    const fn take(&mut self, tokens: u32) {
        self.level = self.level.saturating_sub(thousandths(tokens));
    }
}

#[expect(clippy::as_conversions, reason = "a wider type, in a const function")]
const fn thousandths(tokens: u32) -> i64 {
    (tokens as i64).saturating_mul(SECOND_MS as i64)
}

/// Keeps the clients of one process from connecting too fast: one client identifier once a second, and
/// all of them together `N` times.
///
/// Identifiers are told apart by 64 bits of them: that two share a turn is rare, and harmless.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConnectTurns<const N: usize> {
    /// When each may connect again.
    turns: [Option<Turn>; N],
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Turn {
    client: u64,
    over: Instant,
}

impl<const N: usize> ConnectTurns<N> {
    /// Nobody has connected yet.
    pub const fn new() -> Self {
        Self { turns: [None; N] }
    }

    /// Keeps a turn for `client_id`: says after how many milliseconds it may connect.
    ///
    /// Call it once for each CONNECT that will be sent, and send it after that time; what asks in
    /// between waits behind it.
    pub fn reserve(&mut self, now: Instant, client_id: &str) -> u64 {
        let client = fnv(client_id.as_bytes());
        let own = |turn: &Option<Turn>| turn.is_some_and(|turn| turn.client == client);
        let free_at = |turn: &Option<Turn>| turn.map_or(now, |turn| turn.over.max(now));
        let place = match self.turns.iter().position(own) {
            Some(at) => self.turns.get_mut(at),
            None => self.turns.iter_mut().min_by_key(|turn| free_at(turn)),
        };
        let Some(turn) = place else { return 0 };
        let begin = free_at(turn);
        *turn = Some(Turn { client, over: begin.after(CONNECT_INTERVAL_MS) });
        begin.since(now)
    }
}

impl<const N: usize> Default for ConnectTurns<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Fowler, Noll and Vo's hash FNV-1a of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{println, vec::Vec};

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// As fast as it lets: when each of the messages goes, in milliseconds.
    fn times(limiter: &mut Limiter, lens: impl Iterator<Item = usize>) -> Vec<(u64, usize)> {
        let mut now = 1_000_000;
        lens.map(|len| {
            while let Err(wait_ms) = limiter.take(at(now), len) {
                assert!(wait_ms > 0);
                now += wait_ms;
            }
            (now, len)
        })
        .collect()
    }

    /// The most messages, and the most bytes, in any second.
    fn worst(times: &[(u64, usize)]) -> (usize, usize) {
        let second =
            |from: u64| times.iter().filter(move |(t, _)| (from..from + 1_000).contains(t));
        let starts = || times.iter().map(|(t, _)| *t);
        let messages = starts().map(|from| second(from).count()).max().unwrap();
        let bytes = starts().map(|from| second(from).map(|(_, len)| len).sum()).max().unwrap();
        (messages, bytes)
    }

    #[test]
    fn no_second_has_more_messages_than_the_limit_and_nearly_all_are_used() {
        let times = times(&mut Limiter::new(), (0..1_000).map(|_| 10));
        assert!(worst(&times).0 <= 100, "{:?}", worst(&times));
        let took_ms = times.last().unwrap().0 - times[0].0;
        assert!((10_000..=11_500).contains(&took_ms), "{took_ms}");
    }

    #[test]
    fn no_second_has_more_bytes_than_the_limit() {
        for len in [128 << 10, 100_000, 8 << 10] {
            let times = times(&mut Limiter::new(), (0..40).map(|_| len));
            println!("{len}: {:?}", worst(&times));
            assert!(worst(&times).1 <= 512 << 10, "{len}: {:?}", worst(&times));
        }
    }

    #[test]
    fn message_longer_than_a_burst_goes_and_is_paid_for_afterwards() {
        let mut limiter = Limiter::with_limits(10, 1_000);
        assert_eq!(limiter.take(at(0), 1_000), Ok(()));
        // 250 of the burst, 750 in a second: 750 are owed, and the burst is wanted whole again.
        assert_eq!(limiter.take(at(0), 250), Err(1_334));
        assert_eq!(limiter.take(at(1_333), 250), Err(1));
        assert_eq!(limiter.take(at(1_334), 250), Ok(()));
        assert!(limiter.take(at(1_334), usize::MAX).is_err(), "no overflow");
    }

    #[test]
    fn clock_that_goes_back_and_a_limit_of_nothing_are_harmless() {
        let mut limiter = Limiter::with_limits(0, 0);
        assert_eq!(limiter.take(at(5_000), 1), Ok(()));
        assert_eq!(limiter.take(at(10), 1), Err(1_000));
        assert_eq!(limiter.take(at(6_000), 1), Ok(()));
    }

    #[test]
    fn one_client_connects_once_a_second_and_others_beside_it() {
        let mut limiter = ConnectTurns::<4>::new();
        assert_eq!(limiter.reserve(at(0), "a"), 0);
        assert_eq!(limiter.reserve(at(0), "b"), 0);
        assert_eq!(limiter.reserve(at(400), "a"), 600);
        assert_eq!(limiter.reserve(at(400), "a"), 1_600, "behind the one that waits");
        assert_eq!(limiter.reserve(at(1_000), "b"), 0);
        assert_eq!(limiter.reserve(at(9_000), "a"), 0);
    }

    #[test]
    fn clients_without_a_place_wait_for_one() {
        let mut limiter = ConnectTurns::<2>::new();
        let waits: Vec<_> =
            ["a", "b", "c", "d", "e"].iter().map(|id| limiter.reserve(at(0), id)).collect();
        assert_eq!(waits, [0, 0, 1_000, 1_000, 2_000]);
        assert_eq!(ConnectTurns::<0>::new().reserve(at(0), "a"), 0);
    }
}
