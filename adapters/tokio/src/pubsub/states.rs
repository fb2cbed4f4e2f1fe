//! The states of all providers, as they come.

use super::{ConnectionState, provider::Link};
use futures_core::Stream;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// How many states wait for a listener; one that is further behind is let go.
pub const STATES_MAX: usize = 1_024;

/// A provider's connection has come into another state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateChange {
    /// The provider.
    pub provider: Arc<str>,
    /// The state that it is in now.
    pub state: ConnectionState,
}

/// The states of all providers, in order; it ends when [`STATES_MAX`] of them wait to be taken.
#[derive(Debug)]
pub struct States {
    changes: mpsc::Receiver<StateChange>,
}

impl States {
    /// The next one.
    pub async fn next(&mut self) -> Option<StateChange> {
        poll_fn(|cx| self.changes.poll_recv(cx)).await
    }
}

impl Stream for States {
    type Item = StateChange;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StateChange>> {
        self.changes.poll_recv(cx)
    }
}

/// All who listen.
#[derive(Clone, Debug, Default)]
pub(super) struct Listeners(Arc<Mutex<Vec<mpsc::Sender<StateChange>>>>);

impl Listeners {
    /// One more, who hears of `links` as they are now at first.
    pub(super) fn listen<'l>(&self, links: impl Iterator<Item = &'l Link>) -> States {
        let (sender, changes) = mpsc::channel(STATES_MAX);
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for link in links {
            let change = StateChange { provider: Arc::clone(&link.id), state: link.state() };
            // Fewer providers than there is room.
            let _full = sender.try_send(change);
        }
        listeners.push(sender);
        States { changes }
    }

    pub(super) fn tell(&self, provider: &Arc<str>, state: ConnectionState) {
        let change = StateChange { provider: Arc::clone(provider), state };
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.try_send(change.clone()).is_ok());
    }
}
