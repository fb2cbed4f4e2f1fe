//! Messages that come before the program has subscribed.

use super::Waiting;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// How long the messages of a kept session wait for the first subscriptions.
const EARLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Messages that a kept session had stored, and that came before the program could subscribe.
///
/// Like those in a queue, they are acknowledged when they are taken.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// At most as many as a queue holds, and what can be owed.
    pub(super) waiting: VecDeque<Waiting>,
    /// Set once in a client's life.
    until: Option<Instant>,
}

impl Early {
    pub(super) fn is_open(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// From the first call on, for a while.
    pub(super) fn open(&mut self) {
        self.until.get_or_insert_with(|| Instant::now() + EARLY_TIMEOUT);
    }

    /// Takes out those whose topic is wanted.
    pub(super) fn take(&mut self, mut wanted: impl FnMut(&str) -> bool) -> VecDeque<Waiting> {
        let (taken, left) =
            self.waiting.drain(..).partition(|waiting| wanted(waiting.message.topic()));
        self.waiting = left;
        taken
    }
}
