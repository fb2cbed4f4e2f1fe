//! How far the clock of this machine is off.

use crate::{UnixTime, parse_http_date};

/// AWS refuses what was signed further from its own time than this, in seconds ("Troubleshoot AWS
/// Signature Version 4", AWS IAM User Guide).
pub const CLOCK_TOLERANCE_S: u64 = 300;
/// A clock that is further off is corrected, in seconds: well within what is refused, because the
/// refusal was under way, too.
pub const CLOCK_CORRECTED_S: u64 = 120;

/// The difference between the right time and that of this machine's clock.
///
/// Sign with [`ClockOffset::correct`] of what the clock says. When a signed request is refused, hand the
/// Date of the refusal to [`ClockOffset::learn_from_date`], and try once more at once if it says so: a
/// device without a clock connects on its second attempt. Whoever has a better source, such as
/// [`Sntp`](crate::Sntp), sets it by [`ClockOffset::set`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClockOffset {
    ahead_s: i64,
}

impl ClockOffset {
    /// The clock is right.
    pub const fn new() -> Self {
        Self { ahead_s: 0 }
    }

    /// How far the clock is ahead, in seconds; negative while it is behind.
    pub const fn ahead_s(&self) -> i64 {
        self.ahead_s
    }

    /// What time it is, when the clock says `clock`.
    pub fn correct(&self, clock: UnixTime) -> UnixTime {
        let seconds = clock.as_secs();
        let ahead = self.ahead_s.unsigned_abs();
        UnixTime::from_secs(if self.ahead_s < 0 {
            seconds.saturating_add(ahead)
        } else {
            seconds.saturating_sub(ahead)
        })
    }

    /// It is `right`, and the clock says `clock`.
    pub fn set(&mut self, clock: UnixTime, right: UnixTime) {
        self.ahead_s = ahead_s(clock, right);
    }

    /// A server that has just refused a signature says that it is `date`, and the clock says `clock`.
    ///
    /// Says whether the corrected time was so far off that it has been set, and another attempt may
    /// succeed. Allow one such attempt for each connection: a server may say whatever it likes.
    pub fn learn(&mut self, clock: UnixTime, date: UnixTime) -> bool {
        let off_s = self.correct(clock).as_secs().abs_diff(date.as_secs());
        let is_off = off_s > CLOCK_CORRECTED_S;
        if is_off {
            self.set(clock, date);
        }
        is_off
    }

    /// The same with the value of a Date header, which may be unreadable or missing.
    pub fn learn_from_date(&mut self, clock: UnixTime, date: Option<&str>) -> bool {
        date.and_then(parse_http_date).is_some_and(|date| self.learn(clock, date))
    }
}

/// How far `clock` is ahead of `right`, in seconds.
pub fn ahead_s(clock: UnixTime, right: UnixTime) -> i64 {
    let (clock, right) = (clock.as_secs(), right.as_secs());
    let apart = i64::try_from(clock.abs_diff(right)).unwrap_or(i64::MAX);
    if clock >= right { apart } else { apart.saturating_neg() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_700_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    #[test]
    fn clock_within_the_bound_is_left_alone_and_beyond_it_corrected() {
        for clock in [NOON - CLOCK_CORRECTED_S, NOON, NOON + CLOCK_CORRECTED_S] {
            let mut offset = ClockOffset::new();
            assert!(!offset.learn(at(clock), at(NOON)), "{clock}");
            assert_eq!(offset, ClockOffset::new());
        }
        for clock in [0, NOON - CLOCK_CORRECTED_S - 1, NOON + CLOCK_CORRECTED_S + 1, 2 * NOON] {
            let mut offset = ClockOffset::new();
            assert!(offset.learn(at(clock), at(NOON)), "{clock}");
            assert_eq!(offset.correct(at(clock + 7)), at(NOON + 7), "{clock}");
            assert!(!offset.learn(at(clock + 7), at(NOON + 7)), "it is right by now");
        }
    }

    #[test]
    fn clock_that_was_learned_wrongly_is_learned_again() {
        let mut offset = ClockOffset::new();
        assert!(offset.learn(at(NOON), at(NOON / 2)));
        assert!(offset.learn_from_date(at(NOON), Some("Tue, 14 Nov 2023 22:13:20 GMT")));
        assert_eq!(offset.correct(at(NOON)), at(NOON));
        assert!(!offset.learn_from_date(at(0), Some("yesterday")));
        assert!(!offset.learn_from_date(at(0), None));
    }

    #[test]
    fn program_with_a_better_clock_sets_it_however_little_it_is_off() {
        let mut offset = ClockOffset::new();
        offset.set(at(NOON), at(NOON + 1));
        assert_eq!((offset.ahead_s(), offset.correct(at(NOON))), (-1, at(NOON + 1)));
        offset.set(at(u64::MAX), at(0));
        assert_eq!(offset.ahead_s(), i64::MAX);
        offset.set(at(0), at(u64::MAX));
        assert_eq!(offset.correct(at(u64::MAX)), at(u64::MAX));
    }
}
