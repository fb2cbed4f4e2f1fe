//! A subscription at several providers, as it is asked for.

use super::{Deliveries, Error, PubSub, Topics, deliveries::Part};
use crate::{Overflow, Properties, Qos, router::Queue};
use dunlin_drive::dunlin;
use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

/// A subscription that is made when it is awaited, at QoS 1 unless told otherwise.
///
/// Awaited, it is ready when each provider has answered, and an error only if none has granted it: what
/// one of several refuses comes as the first [`Ended`](super::Ended) of the deliveries.
#[derive(Clone, Debug)]
#[must_use = "it is made when it is awaited, or begun"]
pub struct Subscribe<'a> {
    pubsub: &'a PubSub,
    topics: Vec<String>,
    provider: Option<&'a str>,
    qos: Qos,
    queue: Option<Queue>,
}

impl<'a> Subscribe<'a> {
    pub(super) fn new(pubsub: &'a PubSub, topics: impl Topics) -> Self {
        let topics = topics.into_topics();
        Self { pubsub, topics, provider: None, qos: Qos::AtLeastOnce, queue: None }
    }

    /// At this provider only.
    pub fn provider(self, id: &'a str) -> Self {
        Self { provider: Some(id), ..self }
    }

    /// With this QoS at most.
    pub fn qos(self, qos: Qos) -> Self {
        Self { qos, ..self }
    }

    /// How many messages of each provider wait to be taken, and what happens then, in place of what the
    /// provider's options say.
    pub fn queue(self, messages: usize, overflow: Overflow) -> Self {
        Self { queue: Some(Queue { max: messages.max(1), overflow }), ..self }
    }

    /// Makes it without waiting for answers: what is refused comes as an [`Ended`](super::Ended).
    pub fn begin(self) -> Result<Deliveries, Error> {
        if self.topics.is_empty() {
            return Err(Error::NoTopic);
        }
        let filters: Vec<_> =
            self.topics.iter().map(|topic| dunlin::Subscription::new(topic, self.qos)).collect();
        let mut parts = Vec::new();
        let mut refused = None;
        for provider in self.pubsub.chosen(self.provider)? {
            let begun = provider.client.begin_subscription(&filters, Properties::NONE, self.queue);
            match begun {
                Ok(subscription) => parts.push(Part::new(Arc::clone(&provider.link), subscription)),
                Err(error) => {
                    refused.get_or_insert((Arc::clone(&provider.link), error.clone()));
                    parts.push(Part::refused(Arc::clone(&provider.link), error));
                }
            }
        }
        match refused {
            Some((link, error)) if parts.iter().all(Part::is_refused) => {
                Err(Error::Subscribe { provider: Arc::clone(&link.id), error })
            }
            _ => Ok(Deliveries::new(parts)),
        }
    }
}

impl<'a> IntoFuture for Subscribe<'a> {
    type Output = Result<Deliveries, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.begin()?.answered().await })
    }
}
