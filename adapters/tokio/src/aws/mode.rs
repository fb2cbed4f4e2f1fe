//! What a client keeps to that speaks with AWS IoT Core.

use crate::{PublishError, aws::Clock};
use core::time::Duration;
use dunlin_aws::{ConnectTurns, Guard, Limiter};
use dunlin_drive::dunlin::{self, Message};
use std::sync::{LazyLock, Mutex, PoisonError};
use tokio::time::Instant;

/// How many clients of one process connect to AWS IoT Core in a second at most.
const CONNECTS_PER_S: usize = 100;

/// What options say of AWS IoT Core.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mode {
    pub(crate) clock: Clock,
    /// How fast to publish at most.
    pub(crate) limiter: Option<Limiter>,
}

/// What judges each message of a client.
#[derive(Clone, Copy)]
pub(crate) struct Judge {
    limiter: Option<Limiter>,
    start: Instant,
}

impl Judge {
    pub(crate) fn new(mode: &Mode) -> Self {
        Self { limiter: mode.limiter, start: Instant::now() }
    }

    /// What to put in its place when `message` has been taken.
    pub(crate) fn admit(mut self, message: &Message<'_>) -> Result<Self, PublishError> {
        Guard.check_message(message).map_err(PublishError::Aws)?;
        if let Some(limiter) = &mut self.limiter {
            let now = since(self.start);
            let len = message.head.topic.len().saturating_add(message.payload.len());
            limiter.take(now, len).map_err(|wait_ms| PublishError::TooFast {
                retry_in: Duration::from_millis(wait_ms),
            })?;
        }
        Ok(self)
    }
}

/// How long `client_id` has to wait for its turn to connect, among all clients of this process.
pub(crate) fn connect_wait(client_id: &str) -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    static TURNS: Mutex<ConnectTurns<CONNECTS_PER_S>> = Mutex::new(ConnectTurns::new());
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    Duration::from_millis(turns.reserve(since(*START), client_id))
}

fn since(start: Instant) -> dunlin::Instant {
    let ms = start.elapsed().as_millis();
    dunlin::Instant::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_id_waits_a_second_for_its_next_turn() {
        assert_eq!(connect_wait("a client of this test alone"), Duration::ZERO);
        let wait = connect_wait("a client of this test alone");
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }
}
