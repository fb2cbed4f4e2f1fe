//! A message to several providers, and what became of it.

use super::{Error, Provider, PubSub};
use crate::{Client, PublishError, Receipt, Status};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use dunlin_drive::dunlin::{Message, Properties, Qos, ReasonCode};
use embassy_sync::blocking_mutex::raw::RawMutex;

/// A message that is handed over when it is first polled, at QoS 1 unless told otherwise.
///
/// It is ready when each provider has said what became of it, for each topic. A provider whose server
/// does not take anything just now, and which has no room left, refuses at once; the others wait for
/// room. Dropping it takes nothing back that was accepted.
#[must_use = "it is handed over when it is awaited"]
pub struct Publish<'p, 'r, M: RawMutex, const N: usize, const PROVIDERS: usize, const TOPICS: usize>
{
    pubsub: &'p PubSub<'r, M, N, PROVIDERS>,
    provider: Option<&'p str>,
    topics: [&'p str; TOPICS],
    text: Result<Text<'p>, Error<'r>>,
    under_way: Option<[Option<UnderWay<'r, M, N, TOPICS>>; PROVIDERS]>,
}

/// A message without a topic.
#[derive(Clone, Copy)]
struct Text<'p> {
    payload: &'p [u8],
    qos: Qos,
    retained: bool,
    properties: Properties<'p>,
}

impl<'p> Text<'p> {
    const fn to(self, topic: &'p str) -> Message<'p> {
        let message = Message::new(topic, self.payload, self.qos).with_properties(self.properties);
        if self.retained { message.retained() } else { message }
    }
}

/// What one provider does about a message.
struct UnderWay<'r, M: RawMutex, const N: usize, const TOPICS: usize> {
    provider: Provider<'r, M, N>,
    exchanges: [Exchange<'r, M, N>; TOPICS],
}

enum Exchange<'r, M: RawMutex, const N: usize> {
    Unsent,
    Sent(Receipt<'r, M, N>),
    Over(Outcome),
}

/// The server's answer, or why there is none.
type Outcome = Result<ReasonCode, PublishError>;

impl<'p, 'r, M: RawMutex, const N: usize, const PROVIDERS: usize, const TOPICS: usize>
    Publish<'p, 'r, M, N, PROVIDERS, TOPICS>
{
    pub(super) const fn new(
        pubsub: &'p PubSub<'r, M, N, PROVIDERS>,
        topics: [&'p str; TOPICS],
        payload: Result<&'p [u8], Error<'r>>,
    ) -> Self {
        const { assert!(TOPICS > 0, "there is no topic: give one at least") }
        let (qos, retained, properties) = (Qos::AtLeastOnce, false, Properties::NONE);
        let text = match payload {
            Ok(payload) => Ok(Text { payload, qos, retained, properties }),
            Err(error) => Err(error),
        };
        Self { pubsub, provider: None, topics, text, under_way: None }
    }

    /// To this provider only.
    pub fn provider(self, id: &'p str) -> Self {
        Self { provider: Some(id), ..self }
    }

    /// At this QoS.
    pub fn qos(self, qos: Qos) -> Self {
        self.with(|text| Text { qos, ..text })
    }

    /// To be kept for new subscribers, in place of what was kept before.
    pub fn retained(self) -> Self {
        self.with(|text| Text { retained: true, ..text })
    }

    /// What else there is to say of it; only for providers of MQTT 5.0.
    pub fn properties(self, properties: Properties<'p>) -> Self {
        self.with(|text| Text { properties, ..text })
    }

    fn with(self, change: impl FnOnce(Text<'p>) -> Text<'p>) -> Self {
        Self { text: self.text.map(change), ..self }
    }
}

impl<'p, 'r, M: RawMutex, const N: usize, const PROVIDERS: usize, const TOPICS: usize> Future
    for Publish<'p, 'r, M, N, PROVIDERS, TOPICS>
{
    type Output = Result<Report<'p, 'r, PROVIDERS, TOPICS>, Error<'r>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { pubsub, provider, topics, text, under_way } = self.get_mut();
        let text = (*text)?;
        let under_way = match under_way {
            Some(under_way) => under_way,
            none => {
                let providers = pubsub.chosen(*provider)?;
                none.insert(providers.map(|place| place.map(UnderWay::new)))
            }
        };
        let mut over = true;
        // All get it before the first is waited for: one that is away holds up no other.
        for provider in under_way.iter_mut().flatten() {
            over &= provider.poll(topics, text, cx).is_ready();
        }
        if !over {
            return Poll::Pending;
        }
        let results = under_way.each_ref().map(|place| place.as_ref().map(UnderWay::result));
        Poll::Ready(Ok(Report { topics: *topics, results }))
    }
}

/// Without the payload.
#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize, const PROVIDERS: usize, const TOPICS: usize> defmt::Format
    for Publish<'_, '_, M, N, PROVIDERS, TOPICS>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Publish {{ provider: {}, topics: {} }}", self.provider, self.topics);
    }
}

impl<'r, M: RawMutex, const N: usize, const TOPICS: usize> UnderWay<'r, M, N, TOPICS> {
    const fn new(provider: Provider<'r, M, N>) -> Self {
        Self { provider, exchanges: [const { Exchange::Unsent }; TOPICS] }
    }

    fn poll(&mut self, topics: &[&str; TOPICS], text: Text<'_>, cx: &mut Context<'_>) -> Poll<()> {
        let mut over = Poll::Ready(());
        for (exchange, topic) in self.exchanges.iter_mut().zip(topics) {
            if matches!(exchange, Exchange::Unsent) {
                *exchange = match hand_over(self.provider.client, &text.to(topic), cx) {
                    Poll::Ready(Ok(receipt)) => Exchange::Sent(receipt),
                    Poll::Ready(Err(error)) => Exchange::Over(Err(error)),
                    // Nor is there room for what stands behind.
                    Poll::Pending => return Poll::Pending,
                };
            }
            if let Exchange::Sent(receipt) = exchange {
                match Pin::new(receipt).poll(cx) {
                    Poll::Ready(outcome) => *exchange = Exchange::Over(outcome),
                    Poll::Pending => over = Poll::Pending,
                }
            }
        }
        over
    }

    /// What has come of it, now that all is over.
    fn result(&self) -> (&'r str, [Outcome; TOPICS]) {
        let unsaid = Err(PublishError::Closed(crate::Error::Closed));
        let outcome = |exchange: &Exchange<'r, M, N>| match exchange {
            Exchange::Over(outcome) => *outcome,
            Exchange::Unsent | Exchange::Sent(_) => unsaid,
        };
        (self.provider.id, self.exchanges.each_ref().map(outcome))
    }
}

/// Waits for room only where a server makes some.
fn hand_over<'r, M: RawMutex, const N: usize>(
    client: Client<'r, M, N>,
    message: &Message<'_>,
    cx: &Context<'_>,
) -> Poll<Result<Receipt<'r, M, N>, PublishError>> {
    if client.status() == Status::Connected {
        client.poll_enqueue(message, cx)
    } else {
        Poll::Ready(client.enqueue(message))
    }
}

/// What became of a message at one provider, for one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Published<'p, 'r> {
    /// The provider.
    pub provider: &'r str,
    /// The topic.
    pub topic: &'p str,
    /// The server's answer, or why there is none.
    pub result: Result<ReasonCode, PublishError>,
}

/// What became of a message at each provider, for each topic.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a message may not have been taken"]
pub struct Report<'p, 'r, const PROVIDERS: usize, const TOPICS: usize> {
    topics: [&'p str; TOPICS],
    results: [Option<(&'r str, [Outcome; TOPICS])>; PROVIDERS],
}

impl<'p, 'r, const PROVIDERS: usize, const TOPICS: usize> Report<'p, 'r, PROVIDERS, TOPICS> {
    /// Each provider in turn, with each topic in the order they were given.
    pub fn results(&self) -> impl Iterator<Item = Published<'p, 'r>> {
        self.results.iter().flatten().flat_map(|(provider, outcomes)| {
            let topics = self.topics.iter().zip(outcomes);
            topics.map(|(topic, result)| Published { provider, topic, result: *result })
        })
    }

    /// Whether all have taken it; otherwise the first that has not.
    pub fn into_result(self) -> Result<(), PublishError> {
        self.results().try_for_each(|published| published.result.map(|_| ()))
    }
}
