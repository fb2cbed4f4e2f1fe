//! What happened to the connection, for whoever listens.

use crate::{Error, shared::Shared};
use core::future::poll_fn;
use core::task::{Context, Poll};
use dunlin_drive::{
    dunlin::{KeepAlive, Resumption},
    pubsub::{Change, ConnectionState, StateMonitor},
};
use embassy_sync::{blocking_mutex::raw::RawMutex, waitqueue::MultiWakerRegistration};
use embedded_io_async::ErrorKind;

/// How many events wait for a slow listener; older ones are dropped.
pub const EVENTS_MAX: usize = 4;

/// How many states wait for a slow listener; older ones are dropped.
pub const STATES_MAX: usize = 8;

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
    /// The server is late to answer a PINGREQ, or has answered after all.
    KeepAlive(KeepAlive),
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
            Self::Connected(_) | Self::KeepAlive(_) => Status::Connected,
            Self::Disconnected { .. } => Status::Disconnected,
            Self::Closed(_) => Status::Closed,
        }
    }
}

/// The last of what has happened, numbered.
struct Last<T, const LEN: usize> {
    kept: [Option<T>; LEN],
    /// The number of the next one.
    next: u32,
}

impl<T: Copy, const LEN: usize> Last<T, LEN> {
    const fn new() -> Self {
        Self { kept: [None; LEN], next: 0 }
    }

    fn push(&mut self, newest: T) {
        let mut newest = Some(newest);
        for place in self.kept.iter_mut().rev() {
            newest = core::mem::replace(place, newest);
        }
        self.next = self.next.wrapping_add(1);
    }

    /// The one with this number, or the oldest one kept, and the number behind it.
    fn since(&self, wanted: u32) -> Option<(T, u32)> {
        let behind = self.next.wrapping_sub(wanted);
        let kept = usize::try_from(behind).unwrap_or(LEN).min(LEN);
        let found = self.kept.get(LEN.saturating_sub(kept)).copied().flatten()?;
        let behind = u32::try_from(kept).unwrap_or_default().saturating_sub(1);
        Some((found, self.next.wrapping_sub(behind)))
    }
}

/// What has happened to the connection, and how it is.
pub(crate) struct Log {
    events: Last<Event, EVENTS_MAX>,
    states: Last<ConnectionState, STATES_MAX>,
    status: Status,
    monitor: StateMonitor,
    /// The program wants no connection any more.
    leaving: bool,
    listeners: MultiWakerRegistration<LISTENERS>,
}

impl Log {
    pub(crate) const fn new() -> Self {
        Self {
            events: Last::new(),
            states: Last::new(),
            status: Status::Closed,
            monitor: StateMonitor::new(),
            leaving: false,
            listeners: MultiWakerRegistration::new(),
        }
    }

    pub(crate) const fn status(&self) -> Status {
        self.status
    }

    pub(crate) const fn state(&self) -> ConnectionState {
        self.monitor.state()
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.status = event.status();
        self.events.push(event);
        match event {
            // It is to end: a connection is made for what was accepted before.
            Event::Connecting if self.leaving => {}
            Event::Connecting => self.handle(Change::OpeningConnection),
            Event::Connected(_) => {
                Change::CONNECTED.into_iter().for_each(|change| self.handle(change))
            }
            Event::KeepAlive(keep_alive) => self.handle(keep_alive.into()),
            Event::Disconnected { error, .. } => {
                if has_no_network(error) {
                    self.handle(Change::Offline);
                }
                self.handle(Change::Closed);
            }
            Event::Closed(_) => {
                self.leaving = false;
                self.handle(Change::ConnectionFailed);
            }
        }
        self.listeners.wake();
    }

    /// Something has happened that is no event of the connection's.
    pub(crate) fn handle(&mut self, change: Change) {
        if let Some(state) = self.monitor.handle(change) {
            self.states.push(state);
            self.listeners.wake();
        }
    }

    /// The program wants no connection any more.
    pub(crate) fn handle_leaving(&mut self) {
        self.leaving = true;
        self.handle(Change::ClosingConnection);
    }

    fn poll_event(&mut self, wanted: u32, cx: &mut Context<'_>) -> Poll<(Event, u32)> {
        self.wait_for(self.events.since(wanted), cx)
    }

    fn poll_state(&mut self, wanted: u32, cx: &mut Context<'_>) -> Poll<(ConnectionState, u32)> {
        self.wait_for(self.states.since(wanted), cx)
    }

    fn wait_for<T>(&mut self, found: Option<T>, cx: &mut Context<'_>) -> Poll<T> {
        found.map_or_else(
            || {
                self.listeners.register(cx.waker());
                Poll::Pending
            },
            Poll::Ready,
        )
    }
}

/// Whether not even the first router could be reached.
const fn has_no_network(error: Error) -> bool {
    matches!(error, Error::Connect(ErrorKind::NotConnected))
}

/// What happens to a client's connection, from [`Client::events`](crate::Client::events) on.
pub struct Events<'r, M: RawMutex, const N: usize> {
    shared: &'r Shared<'r, M, N>,
    next: u32,
}

impl<'r, M: RawMutex, const N: usize> Events<'r, M, N> {
    pub(crate) fn new(shared: &'r Shared<'r, M, N>) -> Self {
        Self { shared, next: shared.with(|state| state.desk.log.events.next) }
    }

    /// The next event; a listener that is more than [`EVENTS_MAX`] behind misses the oldest.
    pub async fn next(&mut self) -> Event {
        let (event, next) =
            poll_fn(|cx| self.shared.with(|state| state.desk.log.poll_event(self.next, cx))).await;
        self.next = next;
        event
    }
}

#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize> defmt::Format for Events<'_, M, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Events {{ next: {=u32} }}", self.next);
    }
}

/// The states of a connection, first the one it is in.
pub struct Watch<'r, M: RawMutex, const N: usize> {
    shared: &'r Shared<'r, M, N>,
    /// Gone when it was told.
    first: Option<ConnectionState>,
    next: u32,
}

impl<'r, M: RawMutex, const N: usize> Watch<'r, M, N> {
    pub(crate) fn new(shared: &'r Shared<'r, M, N>) -> Self {
        let (first, next) =
            shared.with(|state| (state.desk.log.state(), state.desk.log.states.next));
        Self { shared, first: Some(first), next }
    }

    /// The next state; a listener that is more than [`STATES_MAX`] behind misses the oldest.
    pub async fn next(&mut self) -> ConnectionState {
        if let Some(first) = self.first.take() {
            return first;
        }
        let (state, next) =
            poll_fn(|cx| self.shared.with(|state| state.desk.log.poll_state(self.next, cx))).await;
        self.next = next;
        state
    }
}

#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize> defmt::Format for Watch<'_, M, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Watch {{ next: {=u32} }}", self.next);
    }
}
