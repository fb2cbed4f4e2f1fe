//! One message for several topics and providers.

use super::{Error, PubSub, Topics, provider::Provider};
use crate::{Message, Properties, PublishError, Qos, ReasonCode, Receipt, Status};
use dunlin_drive::dunlin;
use std::{
    borrow::Cow,
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

/// A message that is published when it is awaited, at QoS 1 unless told otherwise.
#[must_use = "it is published when it is awaited"]
pub struct Publish<'a> {
    pubsub: &'a PubSub,
    topics: Vec<String>,
    payload: Result<Cow<'a, [u8]>, Error>,
    provider: Option<&'a str>,
    qos: Qos,
    retained: bool,
    properties: Properties<'a>,
}

impl<'a> Publish<'a> {
    pub(super) fn new(
        pubsub: &'a PubSub,
        topics: impl Topics,
        payload: Result<Cow<'a, [u8]>, Error>,
    ) -> Self {
        Self {
            pubsub,
            topics: topics.into_topics(),
            payload,
            provider: None,
            qos: Qos::AtLeastOnce,
            retained: false,
            properties: Properties::NONE,
        }
    }

    /// To this provider only.
    pub fn provider(self, id: &'a str) -> Self {
        Self { provider: Some(id), ..self }
    }

    /// At this QoS.
    pub fn qos(self, qos: Qos) -> Self {
        Self { qos, ..self }
    }

    /// To be kept for new subscribers, in place of what was kept before.
    pub fn retained(self) -> Self {
        Self { retained: true, ..self }
    }

    /// What else there is to say of it; only for providers of MQTT 5.0.
    pub fn properties(self, properties: Properties<'a>) -> Self {
        Self { properties, ..self }
    }

    async fn run(self) -> Result<Report, Error> {
        if self.topics.is_empty() {
            return Err(Error::NoTopic);
        }
        let providers = self.pubsub.chosen(self.provider)?;
        let Self { topics, payload, qos, retained, properties, .. } = self;
        let payload = payload?;
        // All are handed over before the first is waited for: one that is away holds up no other.
        let mut pending = Vec::with_capacity(providers.len() * topics.len());
        for provider in &providers {
            for topic in &topics {
                let message = Message::new(topic, &payload, qos).with_properties(properties);
                let message = if retained { message.retained() } else { message };
                pending.push((provider, topic, message, provider.hand_over(&message)));
            }
        }
        let mut results = Vec::with_capacity(pending.len());
        for (provider, topic, message, handed_over) in pending {
            let result = match handed_over {
                HandedOver::Accepted(receipt) => receipt.await,
                HandedOver::Later => provider.client.publish(&message).await,
                HandedOver::Refused(error) => Err(error),
            };
            let provider = Arc::clone(&provider.link.id);
            results.push(Published { provider, topic: topic.clone(), result });
        }
        Ok(Report { results })
    }
}

/// What a provider has said at once.
enum HandedOver {
    Accepted(Receipt),
    /// There is no room just now, but the server takes what there is.
    Later,
    Refused(PublishError),
}

impl Provider {
    fn hand_over(&self, message: &Message<'_>) -> HandedOver {
        use dunlin::PublishError::{InflightFull, OutboxFull};
        match self.client.enqueue(message) {
            Ok(receipt) => HandedOver::Accepted(receipt),
            Err(PublishError::Rejected(OutboxFull | InflightFull))
                if self.client.status() == Status::Connected =>
            {
                HandedOver::Later
            }
            Err(error) => HandedOver::Refused(error),
        }
    }
}

impl<'a> IntoFuture for Publish<'a> {
    type Output = Result<Report, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Publish<'_> {
    /// Without the payload, which may be a secret or a megabyte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("topics", &self.topics)
            .field("provider", &self.provider)
            .field("qos", &self.qos)
            .field("retained", &self.retained)
            .finish_non_exhaustive()
    }
}

/// What became of a message at one provider, for one topic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Published {
    /// The provider.
    pub provider: Arc<str>,
    /// The topic.
    pub topic: String,
    /// The server's answer, or why there is none.
    pub result: Result<ReasonCode, PublishError>,
}

/// What became of a message at each provider, for each topic.
#[derive(Clone, Debug)]
#[must_use = "a message may not have been taken"]
pub struct Report {
    results: Vec<Published>,
}

impl Report {
    /// Each provider in turn, with each topic in the order they were given.
    pub fn results(&self) -> &[Published] {
        &self.results
    }

    /// Whether all have taken it; otherwise the first that has not.
    pub fn into_result(self) -> Result<(), PublishError> {
        self.results.into_iter().try_for_each(|published| published.result.map(|_| ()))
    }
}

impl IntoIterator for Report {
    type Item = Published;
    type IntoIter = std::vec::IntoIter<Published>;

    fn into_iter(self) -> Self::IntoIter {
        self.results.into_iter()
    }
}
