//! What connections to AWS IoT Core need: a turn, a clock, and a guess at why they ended.

use super::{Attempt, race};
use crate::{Error, Event, UpgradeRefusal, aws::connect_wait};
use dunlin_aws::{Cause, Seen, diagnose};
use dunlin_drive::dunlin::{self, ws};
use std::time::Duration;

impl Attempt<'_> {
    /// Waits until `client_id` may connect again; an error is the end of the client.
    pub(super) async fn wait_for_turn(&self, client_id: &str) -> Result<(), ()> {
        if self.options.iot.is_none() {
            return Ok(());
        }
        let wait = connect_wait(client_id);
        if wait.is_zero() {
            return Ok(());
        }
        race(tokio::time::sleep(wait), self.shared.closing.notified()).await
    }

    /// Learns from a refused signature what time it is; says whether another attempt may succeed.
    pub(super) fn correct_clock(&self, error: &Error) -> bool {
        let (Some(mode), Error::Upgrade(refusal)) = (&self.options.iot, error) else {
            return false;
        };
        let is_off = refusal.signed && mode.clock.learn(refusal.date.as_deref());
        if is_off {
            let ahead_s = mode.clock.ahead_s();
            self.shared.lock().desk.announce(Event::ClockCorrected { ahead_s });
        }
        is_off
    }

    /// The likely cause of an end.
    ///
    /// Ask before those that wait are told of it.
    pub(super) fn cause(&self, error: dunlin::Error) -> Option<Cause> {
        let access = Some(self.options.access()?);
        let state = self.shared.lock();
        let stood = state.desk.connected().map_or(Duration::ZERO, |since| since.elapsed());
        diagnose(&Seen {
            access,
            subscribing_ms: state.desk.router.is_asking().then_some(0),
            publishing_ms: state.desk.publishing().map(ms),
            stood_ms: ms(stood),
            short_lives: self.short_lives,
            ..Seen::new(error)
        })
    }

    /// A refused upgrade, with its likely cause; credentials that may be that are doubted.
    pub(super) fn refusal(&self, error: dunlin::Error, refusal: &ws::Refusal<'_>) -> Error {
        let mut refused = UpgradeRefusal::new(refusal, self.options);
        if let Some(access) = self.options.access() {
            refused.cause = diagnose(&Seen {
                access: Some(access),
                error_type: refused.error_type.as_deref(),
                clock_ahead_s: refused.clock_ahead_s,
                ..Seen::new(error)
            });
        }
        let is_theirs =
            matches!(refused.cause, Some(Cause::Signature | Cause::UnknownKey | Cause::Expired));
        if let Some(signing) = self.options.aws.as_ref().filter(|_| is_theirs) {
            signing.doubt();
        }
        Error::Upgrade(Box::new(refused))
    }

    /// How many connections in a row were too short for an accident, this one included.
    pub(super) fn short_lives_with_this(&self) -> u32 {
        let stood = self.shared.lock().desk.connected().map(|since| since.elapsed());
        short_lives(self.short_lives, stood)
    }
}

/// How many connections in a row were too short, when one ends that stood for so long, if it came about.
fn short_lives(before: u32, stood: Option<Duration>) -> u32 {
    match stood {
        Some(stood) if Seen::is_short_life(ms(stood)) => before.saturating_add(1),
        Some(_) => 0,
        None => before,
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lives_are_counted_until_a_connection_stands_for_a_minute() {
        let [short, long] = [59_999, 60_000].map(Duration::from_millis);
        assert_eq!(short_lives(0, Some(short)), 1);
        assert_eq!(short_lives(1, Some(Duration::ZERO)), 2);
        assert_eq!(short_lives(7, None), 7, "what did not come about tells nothing");
        assert_eq!(short_lives(7, Some(long)), 0);
        assert_eq!(short_lives(u32::MAX, Some(short)), u32::MAX);
    }
}
