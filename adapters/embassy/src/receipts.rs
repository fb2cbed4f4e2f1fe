//! Publishes whose end somebody waits for.

use crate::{Error, PublishError, shared::Shared};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use dunlin_drive::dunlin::{Qos, ReasonCode, Token};
use embassy_sync::{blocking_mutex::raw::RawMutex, waitqueue::WakerRegistration};

/// How a publish has ended.
pub(crate) type Outcome = Result<ReasonCode, PublishError>;

struct Entry {
    token: Token,
    qos: Qos,
    outcome: Option<Outcome>,
    /// Somebody has asked for the outcome.
    awaited: bool,
    waker: WakerRegistration,
}

impl Entry {
    fn settle(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
        self.waker.wake();
    }
}

/// Up to `N` receipts that have not been dropped.
pub(crate) struct Receipts<const N: usize> {
    entries: [Option<Entry>; N],
}

impl<const N: usize> Receipts<N> {
    pub(crate) const fn new() -> Self {
        Self { entries: [const { None }; N] }
    }

    /// Where another one finds room.
    pub(crate) fn vacancy(&self) -> Option<usize> {
        self.entries.iter().position(Option::is_none)
    }

    pub(crate) fn insert(&mut self, place: usize, token: Token, qos: Qos) {
        if let Some(entry) = self.entries.get_mut(place) {
            let waker = WakerRegistration::new();
            *entry = Some(Entry { token, qos, outcome: None, awaited: false, waker });
        }
    }

    fn remove(&mut self, place: usize) {
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = None;
        }
    }

    fn poll(&mut self, place: usize, cx: &Context<'_>) -> Poll<Outcome> {
        let Some(Some(entry)) = self.entries.get_mut(place) else { return Poll::Pending };
        match entry.outcome {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                entry.awaited = true;
                entry.waker.register(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Whether somebody waits for an outcome.
    pub(crate) fn are_awaited(&self) -> bool {
        self.entries.iter().flatten().any(|entry| entry.awaited && entry.outcome.is_none())
    }

    /// A message has come to its end; nothing happens where nobody waits for it.
    pub(crate) fn settle(&mut self, token: Token, outcome: Outcome) {
        for entry in self.entries.iter_mut().flatten().filter(|entry| entry.token == token) {
            entry.settle(outcome);
        }
    }

    /// Messages of QoS 0 up to `sent` have been written, or may be lost.
    pub(crate) fn settle_sent(&mut self, sent: Option<Token>, outcome: Outcome) {
        let Some(sent) = sent else { return };
        for entry in self.entries.iter_mut().flatten() {
            if entry.qos == Qos::AtMostOnce && entry.token.is_up_to(sent) {
                entry.settle(outcome);
            }
        }
    }

    /// The client has ended.
    pub(crate) fn end(&mut self, error: Error) {
        for entry in self.entries.iter_mut().flatten() {
            entry.settle(Err(PublishError::Closed(error)));
        }
    }
}

/// A message that was accepted; ready when the server has acknowledged it, or all bytes are written
/// (QoS 0).
///
/// Dropping it does not take the message back.
pub struct Receipt<'r, M: RawMutex, const N: usize> {
    shared: &'r Shared<'r, M, N>,
    place: usize,
}

impl<'r, M: RawMutex, const N: usize> Receipt<'r, M, N> {
    pub(crate) const fn new(shared: &'r Shared<'r, M, N>, place: usize) -> Self {
        Self { shared, place }
    }
}

impl<M: RawMutex, const N: usize> Future for Receipt<'_, M, N> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.shared.with(|state| {
            let outcome = state.desk.receipts.poll(self.place, cx);
            if outcome.is_pending() {
                state.handle_waiting();
            }
            outcome
        })
    }
}

impl<M: RawMutex, const N: usize> Drop for Receipt<'_, M, N> {
    fn drop(&mut self) {
        self.shared.with(|state| {
            state.desk.receipts.remove(self.place);
            state.desk.make_room();
        });
    }
}

#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize> defmt::Format for Receipt<'_, M, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Receipt {{ place: {=usize} }}", self.place);
    }
}
