//! Where connections go when the first place does not answer, and how often they are made.

use super::Options;
use crate::Url;
use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// How long a connection must have stood for the first endpoint to be tried first again when it is lost.
pub const ENDPOINT_STABLE: Duration = Duration::from_secs(30);

/// Spaces the connects of all clients that have a clone of it, so that a process with many of them keeps
/// below what its broker takes, and does not come back all at once.
///
/// Attempts that fail count, too. The first is made at once, and so is any after a rest.
#[derive(Clone, Debug)]
pub struct ConnectLimiter {
    interval: Duration,
    /// When the next one may be made.
    next: Arc<Mutex<Option<Instant>>>,
}

impl ConnectLimiter {
    /// So many connects in a second, evenly spaced.
    pub fn per_second(connects: NonZeroU32) -> Self {
        Self::every(Duration::from_secs(1) / connects.get())
    }

    /// One connect in each `interval`.
    pub fn every(interval: Duration) -> Self {
        Self { interval, next: Arc::default() }
    }

    /// Waits for its turn: first come, first served. A turn that is given up is lost.
    async fn turn(&self) {
        let turn = {
            // Nothing panics under this lock.
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.interval);
            turn
        };
        sleep_until(turn).await;
    }
}

impl Options {
    /// Another endpoint of the same service, for when the ones before it do not answer; in the order in
    /// which they are given.
    ///
    /// When a connect fails, the next endpoint is tried at once; when all have failed, the client waits
    /// ([`Options::backoff`]). A connection that is lost after [`ENDPOINT_STABLE`] begins again with the
    /// first one, one that is lost before goes on with the next. User name and password are those of the
    /// options, whatever this URL says; signatures are made for the host that is tried.
    #[must_use]
    pub fn or_at(mut self, url: Url) -> Self {
        self.others.push(url);
        self
    }

    /// Connects only when it is this client's turn among all that share the limiter.
    #[must_use]
    pub fn connect_limiter(self, limiter: &ConnectLimiter) -> Self {
        Self { limiter: Some(limiter.clone()), ..self }
    }

    /// Waits until it is this client's turn to connect.
    pub(crate) async fn turn(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.turn().await;
        }
    }

    /// All endpoints, the first one first.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.url).chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All at once, then one after a rest, in virtual time.
    #[tokio::test(start_paused = true)]
    async fn connects_of_all_clones_are_spaced_and_begin_at_once_after_a_rest() {
        let limiter = ConnectLimiter::per_second(NonZeroU32::new(4).unwrap());
        let start = Instant::now();
        let turns: Vec<_> = (0..5)
            .map(|_| {
                let limiter = limiter.clone();
                tokio::spawn(async move {
                    limiter.turn().await;
                    start.elapsed().as_millis()
                })
            })
            .collect();
        let mut at = Vec::new();
        for turn in turns {
            at.push(turn.await.unwrap());
        }
        assert_eq!(at, [0, 250, 500, 750, 1_000]);
        tokio::time::advance(Duration::from_secs(10)).await;
        let rested = Instant::now();
        limiter.turn().await;
        assert_eq!(rested.elapsed(), Duration::ZERO);
    }
}
