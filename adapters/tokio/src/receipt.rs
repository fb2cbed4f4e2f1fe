//! What an accepted message will have come to.

use crate::{Error, PublishError, shared::Outcome};
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::sync::{oneshot, watch};

/// The promise of an acknowledgement: a future, or something to drop.
#[derive(Debug)]
pub struct Receipt {
    outcome: oneshot::Receiver<Outcome>,
    /// What has come out while the store was waited for.
    early: Option<Outcome>,
    /// How many messages the store has then, and how many it has.
    recorded: Option<(u64, watch::Receiver<u64>)>,
}

impl Receipt {
    pub(crate) const fn new(
        outcome: oneshot::Receiver<Outcome>,
        recorded: Option<(u64, watch::Receiver<u64>)>,
    ) -> Self {
        Self { outcome, early: None, recorded }
    }

    /// Waits until the message is safe in the store ([`Options::store`](crate::Options::store)): from
    /// then on it will arrive, even if this program goes down.
    ///
    /// Ready at once without a store, and with QoS 0, which is never recorded. An error means that the
    /// client has ended before, and that the message may be lost.
    pub async fn recorded(&mut self) -> Result<(), PublishError> {
        let Some((number, recorded)) = &mut self.recorded else { return Ok(()) };
        {
            let mut safe = pin!(recorded.wait_for(|recorded| *recorded >= *number));
            poll_fn(|cx| {
                if self.early.is_none()
                    && let Poll::Ready(outcome) = Pin::new(&mut self.outcome).poll(cx)
                {
                    self.early = Some(outcome.unwrap_or_else(|_| Err(gone())));
                }
                // What has been acknowledged was recorded before.
                let over = self.early.is_some();
                if safe.as_mut().poll(cx).is_ready() || over {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
        let lost = |error: &PublishError| {
            let (number, recorded) = self.recorded.as_ref()?;
            (*recorded.borrow() < *number).then(|| error.clone())
        };
        match self.early.as_ref().and_then(|outcome| outcome.as_ref().err()).and_then(lost) {
            Some(error) => Err(error),
            None => {
                self.recorded = None;
                Ok(())
            }
        }
    }
}

impl Future for Receipt {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.early.take() {
            return Poll::Ready(outcome);
        }
        Pin::new(&mut self.outcome).poll(cx).map(|outcome| outcome.unwrap_or_else(|_| Err(gone())))
    }
}

/// The task is gone, and with it the runtime.
const fn gone() -> PublishError {
    PublishError::Closed(Error::Closed)
}
