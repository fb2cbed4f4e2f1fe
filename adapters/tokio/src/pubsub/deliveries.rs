//! What comes for one subscription from several providers.

use super::{Error, provider::Link};
use crate::{Properties, Qos, Received, SubscribeError, Subscription};
use futures_core::Stream;
use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A message, and where it has come from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The provider.
    pub provider: Arc<str>,
    /// The message.
    pub message: Received,
}

impl Delivery {
    /// The topic that it was published to.
    pub fn topic(&self) -> &str {
        self.message.topic()
    }

    /// The payload: any bytes, also none.
    pub fn payload(&self) -> &[u8] {
        self.message.payload()
    }

    /// The QoS it came with.
    pub const fn qos(&self) -> Qos {
        self.message.qos
    }

    /// Whether the server had kept it for new subscribers.
    pub const fn is_retained(&self) -> bool {
        self.message.retained
    }

    /// What else its publisher said of it; nothing in MQTT 3.1.1.
    pub fn properties(&self) -> Properties<'_> {
        self.message.properties()
    }

    /// The payload as a value; an error if it is not JSON, or not of this type.
    #[cfg(feature = "json")]
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.payload())
    }
}

/// A provider delivers no more to a subscription; others may.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The provider was removed.
    Removed {
        /// Its name.
        provider: Arc<str>,
    },
    /// The provider refuses the subscription, or has ended by itself.
    Failed {
        /// Its name.
        provider: Arc<str>,
        /// Why.
        error: SubscribeError,
    },
}

impl Ended {
    fn new(link: &Link, error: SubscribeError) -> Self {
        let provider = Arc::clone(&link.id);
        match error {
            SubscribeError::Closed(_) if link.is_removed() => Self::Removed { provider },
            error => Self::Failed { provider, error },
        }
    }

    /// The provider that delivers no more.
    pub const fn provider(&self) -> &Arc<str> {
        match self {
            Self::Removed { provider } | Self::Failed { provider, .. } => provider,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed { provider } => write!(f, "provider {provider} was removed"),
            Self::Failed { provider, error } => write!(f, "provider {provider}: {error}"),
        }
    }
}

impl std::error::Error for Ended {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Removed { .. } => None,
            Self::Failed { error, .. } => Some(error),
        }
    }
}

/// What one provider has for a subscription.
#[derive(Debug)]
pub(super) struct Part {
    link: Arc<Link>,
    /// Gone when it has ended.
    subscription: Option<Subscription>,
    /// Its end, to be told.
    refused: Option<SubscribeError>,
    answered: bool,
    /// How many messages it had lost when it ended.
    lost: u64,
}

impl Part {
    pub(super) const fn new(link: Arc<Link>, subscription: Subscription) -> Self {
        let subscription = Some(subscription);
        Self { link, subscription, refused: None, answered: false, lost: 0 }
    }

    pub(super) const fn refused(link: Arc<Link>, error: SubscribeError) -> Self {
        Self { link, subscription: None, refused: Some(error), answered: true, lost: 0 }
    }

    pub(super) const fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    fn end(&mut self) {
        self.lost = self.lost();
        self.subscription = None;
    }

    fn lost(&self) -> u64 {
        self.subscription.as_ref().map_or(self.lost, Subscription::lost)
    }

    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(subscription) = self.subscription.as_mut().filter(|_| !self.answered) {
            match subscription.poll_granted(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.end();
                    self.refused = Some(error);
                }
            }
        }
        self.answered = true;
        Poll::Ready(())
    }

    /// `None` when there is no more to come.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Delivery, Ended>>> {
        if let Some(error) = self.refused.take() {
            return Poll::Ready(Some(Err(Ended::new(&self.link, error))));
        }
        let Some(subscription) = &mut self.subscription else { return Poll::Ready(None) };
        let next = match Pin::new(subscription).poll_next(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(next) => next,
        };
        Poll::Ready(match next {
            Some(Ok(message)) => {
                Some(Ok(Delivery { provider: Arc::clone(&self.link.id), message }))
            }
            Some(Err(error)) => {
                self.end();
                Some(Err(Ended::new(&self.link, error)))
            }
            None => {
                self.end();
                None
            }
        })
    }
}

/// What comes for one subscription; dropping it unsubscribes, unless others want the same.
///
/// A provider's end is told once, as an error; the stream goes on with the others, and is over with the
/// last of them.
#[derive(Debug)]
pub struct Deliveries {
    parts: Vec<Part>,
    /// Whose turn it is, so that a busy provider does not hide another.
    turn: usize,
}

impl Deliveries {
    pub(super) const fn new(parts: Vec<Part>) -> Self {
        Self { parts, turn: 0 }
    }

    /// Waits until each provider has answered; an error if none has granted anything.
    pub(super) async fn answered(mut self) -> Result<Self, Error> {
        poll_fn(|cx| {
            let pending = self
                .parts
                .iter_mut()
                .filter_map(|part| part.poll_answered(cx).is_pending().then_some(()));
            if pending.count() == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if let [first, rest @ ..] = &mut *self.parts
            && rest.iter().all(Part::is_refused)
            && let Some(error) = first.refused.take()
        {
            return Err(Error::Subscribe { provider: Arc::clone(&first.link.id), error });
        }
        Ok(self)
    }

    /// The next message; an error, once, for each provider that delivers no more; then `None`.
    pub async fn next(&mut self) -> Option<Result<Delivery, Ended>> {
        poll_fn(|cx| self.poll_delivery(cx)).await
    }

    /// Which QoS each provider that still delivers has granted, in the order of the topics; nothing as
    /// long as it has not answered.
    pub fn granted(&self) -> Vec<(Arc<str>, Vec<Qos>)> {
        let live = self.parts.iter().filter_map(|part| Some((part, part.subscription.as_ref()?)));
        live.map(|(part, subscription)| {
            (Arc::clone(&part.link.id), subscription.granted().to_vec())
        })
        .collect()
    }

    /// How many messages were dropped because the queue was full.
    pub fn lost(&self) -> u64 {
        self.parts.iter().map(Part::lost).sum()
    }

    /// Ends it, and waits for the providers' answers.
    pub async fn unsubscribe(self) -> Result<(), SubscribeError> {
        for subscription in self.parts.into_iter().filter_map(|part| part.subscription) {
            subscription.unsubscribe().await?;
        }
        Ok(())
    }

    fn poll_delivery(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Delivery, Ended>>> {
        let mut over = true;
        let count = self.parts.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            match self.parts[at].poll_next(cx) {
                Poll::Ready(Some(next)) => {
                    self.turn = (at + 1) % count;
                    return Poll::Ready(Some(next));
                }
                Poll::Ready(None) => {}
                Poll::Pending => over = false,
            }
        }
        if over { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl Stream for Deliveries {
    type Item = Result<Delivery, Ended>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_delivery(cx)
    }
}
