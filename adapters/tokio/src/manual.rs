//! Subscriptions whose messages the program acknowledges itself.

use crate::{Received, SubscribeError, Subscription, client::Guard};
use dunlin_drive::dunlin::{AckToken, ReasonCode, mqtt::AckError};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

/// The messages of one subscription, each with what it owes the server; dropping it unsubscribes.
///
/// For programs that must have done their work before the server forgets a message. Messages whose word
/// has not been given by the end of the connection come again on the next one.
#[derive(Debug)]
pub struct ManualSubscription(Subscription);

/// The word that lets the server forget a message; a message of QoS 0 needs none.
///
/// Dropped, it is not given: the message stays with the server, and counts as under way
/// ([`Options::receive_maximum`](crate::Options::receive_maximum)) until the connection has ended. Words
/// go out in the order of the messages ([MQTT-4.6.0-2]): one that is held back holds back those behind it.
/// It keeps its client alive.
#[derive(Debug)]
#[must_use = "the server keeps the message until it is told"]
pub struct Acknowledgement {
    guard: Arc<Guard>,
    ack: Option<AckToken>,
}

impl Subscription {
    /// The same, but a message is acknowledged when the program says so, and not when it is taken.
    ///
    /// To be called before anything is taken.
    #[must_use]
    pub fn manual(self) -> ManualSubscription {
        self.guard.shared.lock().desk.router.hold(self.id);
        ManualSubscription(self)
    }
}

impl ManualSubscription {
    /// The next message; an error, once, when the subscription has ended; then `None`.
    pub async fn next(&mut self) -> Option<Result<(Received, Acknowledgement), SubscribeError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The subscription itself, for what it knows and for its end.
    pub const fn subscription(&self) -> &Subscription {
        &self.0
    }

    /// Ends it, and waits for the server's answer for each filter, in their order.
    pub async fn unsubscribe(self) -> Result<Vec<ReasonCode>, SubscribeError> {
        self.0.unsubscribe().await
    }

    /// The same as [`ManualSubscription::next`], for futures made by hand.
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Received, Acknowledgement), SubscribeError>>> {
        let guard = Arc::clone(&self.0.guard);
        self.0.poll_taken(cx, |waiting, _| {
            (waiting.message, Acknowledgement { guard, ack: waiting.ack })
        })
    }
}

impl Acknowledgement {
    /// The work is done: the server may forget the message.
    ///
    /// An error says that the connection it came over is gone: the message comes again.
    pub fn accept(self) -> Result<(), AckError> {
        self.give(ReasonCode::SUCCESS)
    }

    /// The message is not taken, for this reason, 0x80 or above; it does not come again.
    ///
    /// MQTT 3.1.1 has no place for the reason, and always says yes.
    pub fn refuse(self, reason: ReasonCode) -> Result<(), AckError> {
        self.give(reason)
    }

    fn give(self, reason: ReasonCode) -> Result<(), AckError> {
        let mut state = self.guard.shared.lock();
        let state = &mut *state;
        let given = state.desk.router.release(self.ack, reason, &mut state.session);
        state.wake_driver();
        given
    }
}
