//! How a provider goes.

use crate::{Client, Event, Status};
use dunlin_drive::dunlin::ReasonCode;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::{Duration, Instant, WithTimeout as _};

/// How long a provider that is removed may take for what it has accepted.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a provider that was removed had said all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Drained {
    /// Everything that it had accepted was written and, above QoS 0, acknowledged.
    All,
    /// Its time was over before, or it had ended by itself; messages may be lost.
    Cut,
}

/// When a provider that is removed now must have said all.
pub(super) fn deadline() -> Instant {
    Instant::now().saturating_add(DRAIN_TIMEOUT)
}

/// A provider that goes; dropped, it closes.
pub(super) struct Leaving<'r, M: RawMutex, const N: usize>(Client<'r, M, N>);

impl<'r, M: RawMutex, const N: usize> Leaving<'r, M, N> {
    pub(super) fn new(client: Client<'r, M, N>) -> Self {
        client.shared.with(|state| {
            if state.desk.log.status() != Status::Closed {
                state.desk.log.handle_leaving();
            }
        });
        Self(client)
    }

    /// Waits until all is said, if somebody says it.
    pub(super) async fn drained(&self, deadline: Instant) -> Drained {
        let Self(client) = self;
        if client.status() != Status::Closed {
            let _in_time = client.drain().with_deadline(deadline).await;
        }
        let is_idle = client.shared.with(|state| state.session.is_idle());
        if is_idle { Drained::All } else { Drained::Cut }
    }
}

impl<M: RawMutex, const N: usize> Drop for Leaving<'_, M, N> {
    fn drop(&mut self) {
        self.0.shared.with(|state| {
            // Without a runner, the next one would be ended.
            if state.desk.log.status() != Status::Closed {
                state.desk.closing = true;
                state.session.disconnect(ReasonCode::SUCCESS);
                state.driver.wake();
            }
            state.desk.filters.end_all();
        });
    }
}

/// Ready when the runner has ended, which keeps its good-bye short.
pub(super) async fn ended<M: RawMutex, const N: usize>(client: Client<'_, M, N>) {
    let mut events = client.events();
    // It may be running again already.
    while client.status() != Status::Closed && !matches!(events.next().await, Event::Closed(_)) {}
}
