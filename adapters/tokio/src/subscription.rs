//! The messages of one subscription, as a stream.

use crate::{
    Error, Received, SubscribeError,
    client::Guard,
    router::{Id, Waiting},
    shared::State,
};
use dunlin_drive::dunlin::{Qos, ReasonCode};
use futures_core::Stream;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The messages of one subscription; dropping it unsubscribes.
///
/// A message of QoS 1 is acknowledged when it is taken, so that none is lost with the queue. After a
/// reconnect the subscription is made again by itself. It keeps its client alive.
///
/// Where filters of one client overlap, a server may send a message once for each of them (MQTT 5.0
/// §3.3.4), as some do and others do not: then it comes as often in each stream that it fits.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) guard: Arc<Guard>,
    pub(crate) id: Id,
    granted: Vec<Qos>,
    /// How many messages it had lost when it ended.
    lost: u64,
    is_kept: bool,
}

impl Subscription {
    pub(crate) const fn new(guard: Arc<Guard>, id: Id) -> Self {
        Self { guard, id, granted: Vec::new(), lost: 0, is_kept: false }
    }

    /// Waits until the server has answered for each filter.
    pub(crate) async fn granted_by_server(mut self) -> Result<Self, SubscribeError> {
        poll_fn(|cx| self.poll_granted(cx)).await?;
        Ok(self)
    }

    /// Ready when the server has answered for each filter, or the subscription has come to its end.
    pub(crate) fn poll_granted(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SubscribeError>> {
        let granted = self.guard.shared.lock().desk.router.poll_granted(self.id, cx);
        granted.map_ok(|granted| self.granted = granted)
    }

    /// The QoS that the server granted at first, in the order of the filters.
    pub fn granted(&self) -> &[Qos] {
        &self.granted
    }

    /// The same, but dropping it does not unsubscribe: for a program that ends, whose session the server
    /// keeps for the next one.
    ///
    /// What has come and was not taken is not acknowledged, so that the server sends it again.
    #[must_use]
    pub fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }

    /// The next message; an error, once, when the subscription has ended; then `None`.
    pub async fn next(&mut self) -> Option<Result<Received, SubscribeError>> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Ends it, and waits for the server's answer for each filter, in their order.
    ///
    /// It is success for a filter that another subscription still wants, and from a server of MQTT 3.1.1 always.
    pub async fn unsubscribe(self) -> Result<Vec<ReasonCode>, SubscribeError> {
        let answers = {
            let mut state = self.guard.shared.lock();
            let state = &mut *state;
            let answers = state.desk.router.remove(self.id, &mut state.session);
            if let Some(error) = &state.desk.ended {
                return Err(SubscribeError::Closed(error.clone()));
            }
            state.wake_driver();
            answers
        };
        let mut reasons = Vec::with_capacity(answers.len());
        for answer in answers {
            let reason = answer.await.map_err(|_| {
                let ended = self.guard.shared.lock().desk.ended.clone();
                SubscribeError::Closed(ended.unwrap_or(Error::Closed))
            })?;
            reasons.push(reason);
        }
        Ok(reasons)
    }

    /// How many messages were dropped because the queue was full.
    pub fn lost(&self) -> u64 {
        self.lost + self.guard.shared.lock().desk.router.lost(self.id)
    }

    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Received, SubscribeError>>> {
        self.poll_taken(cx, |waiting, state| {
            state.desk.router.let_go(waiting.ack, &mut state.session);
            waiting.message
        })
    }

    /// The next message and what it owes the server, as `take` has them.
    pub(crate) fn poll_taken<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(Waiting, &mut State) -> T,
    ) -> Poll<Option<Result<T, SubscribeError>>> {
        let mut state = self.guard.shared.lock();
        let state = &mut *state;
        let next = state.desk.router.poll_next(self.id, cx);
        if let Poll::Ready(Some(Err(_))) = next {
            // The end is told once; after it the stream is over.
            self.lost = state.desk.router.lost(self.id);
            state.desk.router.remove(self.id, &mut state.session);
        }
        let next = next.map_ok(|waiting| take(waiting, state));
        if next.is_ready() {
            // There may be an acknowledgement to send, or room for the next message.
            state.wake_driver();
        }
        next
    }
}

impl Stream for Subscription {
    type Item = Result<Received, SubscribeError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let mut state = self.guard.shared.lock();
        let state = &mut *state;
        let _nobody_waits = state.desk.router.remove(self.id, &mut state.session);
        state.wake_driver();
    }
}
