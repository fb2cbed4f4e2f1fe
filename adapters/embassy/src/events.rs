//! What happened to the connection, for whoever listens.

use crate::{Error, shared::Shared};
use core::future::poll_fn;
use core::task::{Context, Poll};
use dunlin_drive::dunlin::Resumption;
use embassy_sync::{blocking_mutex::raw::RawMutex, waitqueue::MultiWakerRegistration};

/// How many events wait for a slow listener; older ones are dropped.
pub const EVENTS_MAX: usize = 4;

/// How many listeners are woken singly; with more of them, some are woken without an event.
const LISTENERS: usize = 4;

/// Whether a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Status {
    /// A connection is being made.
    Connecting,
    /// The server has accepted.
    Connected,
    /// The connection is lost; another will be made.
    Disconnected,
    /// The runner does not run.
    Closed,
}

/// Something that happened to a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// A connection is being made.
    Connecting,
    /// The server has accepted; says what it knew of this client.
    Connected(Resumption),
    /// The connection is lost, or did not come about.
    Disconnected {
        /// Why.
        error: Error,
        /// When the next one will be made, in milliseconds.
        retry_in_ms: u64,
    },
    /// The runner has ended: the client was closed, the runner's task was dropped, or the server has said
    /// good-bye for a reason that does not go away by itself, such as another client with its identifier.
    Closed(Error),
}

impl Event {
    const fn status(self) -> Status {
        match self {
            Self::Connecting => Status::Connecting,
            Self::Connected(_) => Status::Connected,
            Self::Disconnected { .. } => Status::Disconnected,
            Self::Closed(_) => Status::Closed,
        }
    }
}

/// The last events, numbered.
pub(crate) struct Log {
    last: [Option<Event>; EVENTS_MAX],
    /// The number of the next one.
    next: u32,
    status: Status,
    listeners: MultiWakerRegistration<LISTENERS>,
}

impl Log {
    pub(crate) const fn new() -> Self {
        Self {
            last: [None; EVENTS_MAX],
            next: 0,
            status: Status::Closed,
            listeners: MultiWakerRegistration::new(),
        }
    }

    pub(crate) const fn status(&self) -> Status {
        self.status
    }

    pub(crate) const fn next(&self) -> u32 {
        self.next
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.status = event.status();
        let [_, a, b, c] = self.last;
        self.last = [a, b, c, Some(event)];
        self.next = self.next.wrapping_add(1);
        self.listeners.wake();
    }

    /// The event with this number, or the oldest one kept, and the number behind it.
    fn poll(&mut self, wanted: u32, cx: &mut Context<'_>) -> Poll<(Event, u32)> {
        let behind = self.next.wrapping_sub(wanted);
        let kept = usize::try_from(behind).unwrap_or(EVENTS_MAX).min(EVENTS_MAX);
        let place = EVENTS_MAX.saturating_sub(kept);
        match self.last.get(place).copied().flatten() {
            Some(event) => {
                let behind = u32::try_from(kept).unwrap_or_default().saturating_sub(1);
                Poll::Ready((event, self.next.wrapping_sub(behind)))
            }
            None => {
                self.listeners.register(cx.waker());
                Poll::Pending
            }
        }
    }
}

/// What happens to a client's connection, from [`Client::events`](crate::Client::events) on.
pub struct Events<'r, M: RawMutex, const N: usize> {
    shared: &'r Shared<'r, M, N>,
    next: u32,
}

impl<'r, M: RawMutex, const N: usize> Events<'r, M, N> {
    pub(crate) fn new(shared: &'r Shared<'r, M, N>) -> Self {
        Self { shared, next: shared.with(|state| state.desk.log.next()) }
    }

    /// The next event; a listener that is more than [`EVENTS_MAX`] behind misses the oldest.
    pub async fn next(&mut self) -> Event {
        let (event, next) =
            poll_fn(|cx| self.shared.with(|state| state.desk.log.poll(self.next, cx))).await;
        self.next = next;
        event
    }
}
