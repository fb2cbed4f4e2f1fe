//! One client among others, and how its connection is.

use super::{ConnectionState, DRAIN_TIMEOUT, Drained, states::Listeners};
use crate::{Client, ConnectError, Error, Event};
use dunlin_drive::pubsub::{Change, StateMonitor};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    sync::{broadcast, watch},
    time::timeout,
};

#[derive(Debug)]
pub(super) struct Provider {
    pub(super) client: Client,
    pub(super) link: Arc<Link>,
}

/// What is known of a provider's connection; outlives the provider in its subscriptions.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: Arc<str>,
    monitor: Mutex<StateMonitor>,
    state: watch::Sender<ConnectionState>,
    listeners: Listeners,
    removed: AtomicBool,
}

impl Provider {
    pub(super) fn new(id: Arc<str>, client: Client, listeners: Listeners) -> Self {
        let monitor = StateMonitor::new();
        listeners.tell(&id, monitor.state());
        let state = watch::channel(monitor.state()).0;
        let monitor = Mutex::new(monitor);
        let removed = AtomicBool::new(false);
        Self { client, link: Arc::new(Link { id, monitor, state, listeners, removed }) }
    }

    /// From now on it is on its way out.
    pub(super) fn leave(self: Arc<Self>) -> Leaving {
        self.link.removed.store(true, Ordering::Release);
        self.link.handle(Change::ClosingConnection);
        Leaving(self)
    }
}

/// A provider that goes; dropped, it closes, even if there are subscriptions that keep its client.
pub(super) struct Leaving(Arc<Provider>);

impl Leaving {
    /// Says all that there is to say, and good-bye.
    pub(super) async fn finish(self) -> Drained {
        let Provider { client, link } = &*self.0;
        let drained = timeout(DRAIN_TIMEOUT, client.drain()).await;
        client.close().await;
        // Whoever has awaited the removal sees it.
        link.handle(Change::Closed);
        if matches!(drained, Ok(Ok(()))) { Drained::All } else { Drained::Cut }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.client.shared().close();
    }
}

impl Link {
    /// Something has happened: whoever watches is told, if it makes a difference.
    pub(super) fn handle(&self, change: Change) {
        let mut monitor = self.monitor.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = monitor.handle(change) {
            // Under the lock, so that all see the same order.
            self.state.send_replace(state);
            self.listeners.tell(&self.id, state);
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    pub(super) fn state(&self) -> ConnectionState {
        *self.state.borrow()
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    fn handle_event(&self, event: &Event) {
        match event {
            // It is said once, by whoever removes the provider.
            Event::Connecting if self.is_removed() => {}
            Event::Connecting => self.handle(Change::OpeningConnection),
            Event::Connected(_) => {
                Change::CONNECTED.into_iter().for_each(|change| self.handle(change))
            }
            Event::KeepAlive(keep_alive) => self.handle((*keep_alive).into()),
            Event::Disconnected { error, .. } => {
                if has_no_network(error) {
                    self.handle(Change::Offline);
                }
                self.handle(Change::Closed);
            }
            Event::Closed(_) if self.is_removed() => self.handle(Change::Closed),
            Event::Closed(_) => self.handle(Change::ConnectionFailed),
            _ => {}
        }
    }
}

/// Whether not even the first router could be reached.
fn has_no_network(error: &Error) -> bool {
    matches!(error, Error::Connect(error) if matches!(**error, ConnectError::Unreachable { .. }))
}

/// Follows a client until its end.
pub(super) async fn follow(link: Arc<Link>, mut events: broadcast::Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(event) => link.handle_event(&event),
            // The next event says how things are.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io, time::Duration};

    #[test]
    fn host_that_no_route_leads_to_is_taken_for_a_network_that_is_gone() {
        let (peer, retry_in) = ("broker:1".to_owned(), Duration::ZERO);
        let source = io::ErrorKind::NetworkUnreachable.into();
        let unreachable = ConnectError::Unreachable { peer, source };
        for (error, expected) in [
            (Error::Connect(Arc::new(unreachable)), "ConnectionDisruptedPendingNetwork"),
            (Error::Closed, "ConnectionDisrupted"),
        ] {
            let monitor = StateMonitor::new();
            let link = Link {
                id: "p".into(),
                state: watch::channel(monitor.state()).0,
                monitor: Mutex::new(monitor),
                listeners: Listeners::default(),
                removed: AtomicBool::new(false),
            };
            link.handle_event(&Event::Connecting);
            link.handle_event(&Event::Disconnected { error, retry_in });
            assert_eq!(link.state().to_string(), expected);
        }
    }
}
