//! A subscription at several providers, as it is asked for.

use super::{Deliveries, Error, PubSub, deliveries::Part};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use dunlin_drive::dunlin::Qos;
use embassy_sync::blocking_mutex::raw::RawMutex;

/// A subscription that is made when it is first polled, at QoS 1 unless told otherwise.
///
/// It is ready when each provider has answered, and an error only if none has granted it: what one of
/// several refuses comes as the first [`Undelivered`](super::Undelivered) of the deliveries.
#[must_use = "it is made when it is awaited, or begun"]
pub struct Subscribe<'p, 'r, M: RawMutex, const N: usize, const PROVIDERS: usize> {
    pubsub: &'p PubSub<'r, M, N, PROVIDERS>,
    topics: &'p [&'p str],
    provider: Option<&'p str>,
    qos: Qos,
    begun: Option<Deliveries<'r, M, N, PROVIDERS>>,
}

impl<'p, 'r, M: RawMutex, const N: usize, const PROVIDERS: usize>
    Subscribe<'p, 'r, M, N, PROVIDERS>
{
    pub(super) const fn new(
        pubsub: &'p PubSub<'r, M, N, PROVIDERS>,
        topics: &'p [&'p str],
    ) -> Self {
        Self { pubsub, topics, provider: None, qos: Qos::AtLeastOnce, begun: None }
    }

    /// At this provider only.
    pub fn provider(self, id: &'p str) -> Self {
        Self { provider: Some(id), ..self }
    }

    /// With this QoS at most.
    pub fn qos(self, qos: Qos) -> Self {
        Self { qos, ..self }
    }

    /// Makes it without waiting for answers: what is refused comes as an
    /// [`Undelivered`](super::Undelivered).
    pub fn begin(self) -> Result<Deliveries<'r, M, N, PROVIDERS>, Error<'r>> {
        self.make()
    }

    fn make(&self) -> Result<Deliveries<'r, M, N, PROVIDERS>, Error<'r>> {
        if self.topics.is_empty() {
            return Err(Error::NoTopic);
        }
        let providers = self.pubsub.chosen(self.provider)?;
        let mut deliveries = Deliveries::new(providers.map(|place| {
            let provider = place?;
            let listening = provider.client.listen_to(self.topics, self.qos);
            Some(Part::new(provider.id, listening))
        }));
        match deliveries.refusal() {
            Some((provider, error)) => Err(Error::Subscribe { provider, error }),
            None => Ok(deliveries),
        }
    }
}

impl<'r, M: RawMutex, const N: usize, const PROVIDERS: usize> Future
    for Subscribe<'_, 'r, M, N, PROVIDERS>
{
    type Output = Result<Deliveries<'r, M, N, PROVIDERS>, Error<'r>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut deliveries = match this.begun.take() {
            Some(deliveries) => deliveries,
            None => this.make()?,
        };
        if deliveries.poll_answered(cx).is_pending() {
            this.begun = Some(deliveries);
            return Poll::Pending;
        }
        Poll::Ready(match deliveries.refusal() {
            Some((provider, error)) => Err(Error::Subscribe { provider, error }),
            None => Ok(deliveries),
        })
    }
}

#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize, const PROVIDERS: usize> defmt::Format
    for Subscribe<'_, '_, M, N, PROVIDERS>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Subscribe {{ provider: {}, topics: {} }}", self.provider, self.topics);
    }
}
