//! What comes for one subscription from several providers.

use crate::{Received, SubscribeError, Subscription, queue::Meta};
use core::{
    fmt,
    future::poll_fn,
    task::{Context, Poll, ready},
};
use dunlin_drive::dunlin::{Properties, Qos, Version};
use embassy_sync::blocking_mutex::raw::RawMutex;

/// A message, and where it has come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Delivery<'r, 'b> {
    /// The provider.
    pub provider: &'r str,
    /// The message, or a piece of a long one.
    pub message: Received<'b>,
}

impl<'b> Delivery<'_, 'b> {
    /// The topic that it was published to; empty with all pieces of a long message but the first.
    pub const fn topic(&self) -> &'b str {
        self.message.topic()
    }

    /// The payload, or a piece of it: any bytes, also none.
    pub const fn payload(&self) -> &'b [u8] {
        self.message.payload()
    }

    /// The QoS it came with.
    pub const fn qos(&self) -> Qos {
        self.message.qos()
    }

    /// Whether the server had kept it for new subscribers.
    pub const fn is_retained(&self) -> bool {
        self.message.is_retained()
    }

    /// What else its publisher said of it; nothing in MQTT 3.1.1.
    pub const fn properties(&self) -> Properties<'b> {
        self.message.properties()
    }
}

/// Why there is no message; unless it needs a longer buffer, the provider delivers no more, and others
/// may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Undelivered<'r> {
    /// The next message needs a longer buffer; it waits.
    TooShort {
        /// How long the buffer must be, in bytes.
        needed: usize,
    },
    /// The provider was removed.
    Removed {
        /// Its name.
        provider: &'r str,
    },
    /// The provider refuses the subscription, or has ended by itself.
    Failed {
        /// Its name.
        provider: &'r str,
        /// Why.
        error: SubscribeError,
    },
}

impl<'r> Undelivered<'r> {
    const fn new(provider: &'r str, error: SubscribeError) -> Self {
        match error {
            SubscribeError::TooShort { needed } => Self::TooShort { needed },
            SubscribeError::Removed => Self::Removed { provider },
            error => Self::Failed { provider, error },
        }
    }
}

impl fmt::Display for Undelivered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { needed } => write!(f, "the message needs {needed} bytes"),
            Self::Removed { provider } => write!(f, "provider {provider} was removed"),
            Self::Failed { provider, error } => write!(f, "provider {provider}: {error}"),
        }
    }
}

impl core::error::Error for Undelivered<'_> {}

/// What one provider has for a subscription.
pub(super) struct Part<'r, M: RawMutex, const N: usize> {
    provider: &'r str,
    source: Source<'r, M, N>,
    /// How many messages it had lost when it ended.
    lost: u32,
}

enum Source<'r, M: RawMutex, const N: usize> {
    Live(Subscription<'r, M, N>),
    /// Its end is to be told.
    Refused(SubscribeError),
    Ended,
}

/// A message in the buffer, not read yet.
type Taken<'r> = (&'r str, (Meta, usize, Version));

impl<'r, M: RawMutex, const N: usize> Part<'r, M, N> {
    pub(super) fn new(
        provider: &'r str,
        listening: Result<Subscription<'r, M, N>, SubscribeError>,
    ) -> Self {
        Self { provider, source: listening.map_or_else(Source::Refused, Source::Live), lost: 0 }
    }

    const fn refusal(&self) -> Option<SubscribeError> {
        match self.source {
            Source::Refused(error) => Some(error),
            _ => None,
        }
    }

    fn end(&mut self, with: Source<'r, M, N>) {
        self.lost = self.lost();
        self.source = with;
    }

    fn lost(&self) -> u32 {
        match &self.source {
            Source::Live(subscription) => subscription.lost(),
            _ => self.lost,
        }
    }

    fn poll_answered(&mut self, cx: &Context<'_>) -> Poll<()> {
        if let Source::Live(subscription) = &self.source
            && let Err(error) = ready!(subscription.poll_granted(cx))
        {
            self.end(Source::Refused(error));
        }
        Poll::Ready(())
    }

    /// `None` when there is no more to come.
    fn poll_next(
        &mut self,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Option<Result<Taken<'r>, Undelivered<'r>>>> {
        let error = match &mut self.source {
            Source::Ended => return Poll::Ready(None),
            Source::Refused(error) => *error,
            Source::Live(subscription) => match ready!(subscription.poll_next(cx, buffer)) {
                Ok(taken) => return Poll::Ready(Some(Ok((self.provider, taken)))),
                Err(error) => error,
            },
        };
        if !matches!(error, SubscribeError::TooShort { .. }) {
            self.end(Source::Ended);
        }
        Poll::Ready(Some(Err(Undelivered::new(self.provider, error))))
    }
}

/// What comes for one subscription; dropping it unsubscribes, unless others want the same.
///
/// A message that belongs to several of its topics comes once from each provider. As with a
/// [`Subscription`], messages that nobody takes keep their provider from being read: take what comes.
pub struct Deliveries<'r, M: RawMutex, const N: usize, const PROVIDERS: usize> {
    parts: [Option<Part<'r, M, N>>; PROVIDERS],
    /// Whose turn it is, so that a busy provider does not hide another.
    turn: usize,
}

impl<'r, M: RawMutex, const N: usize, const PROVIDERS: usize> Deliveries<'r, M, N, PROVIDERS> {
    pub(super) const fn new(parts: [Option<Part<'r, M, N>>; PROVIDERS]) -> Self {
        Self { parts, turn: 0 }
    }

    /// Why the first provider refuses, if all of them do.
    pub(super) fn refusal(&mut self) -> Option<(&'r str, SubscribeError)> {
        let mut refusals = self.parts.iter().flatten().map(|part| (part.provider, part.refusal()));
        let (provider, first) = refusals.next()?;
        if refusals.any(|(_, refusal)| refusal.is_none()) {
            return None;
        }
        Some((provider, first?))
    }

    /// Ready when each provider has answered.
    pub(super) fn poll_answered(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut answered = Poll::Ready(());
        for part in self.parts.iter_mut().flatten() {
            if part.poll_answered(cx).is_pending() {
                answered = Poll::Pending;
            }
        }
        answered
    }

    /// The next message, in `buffer`; an error, once, for each provider that delivers no more; then
    /// `None`.
    ///
    /// `buffer` must hold its packet: as long as the longest receive buffer it takes any.
    pub async fn next<'b>(
        &mut self,
        buffer: &'b mut [u8],
    ) -> Option<Result<Delivery<'r, 'b>, Undelivered<'r>>> {
        let next = poll_fn(|cx| self.poll_next(cx, buffer)).await?;
        Some(next.map(|(provider, (meta, len, version))| {
            let bytes = buffer.get(..len).unwrap_or_default();
            Delivery { provider, message: Received::new(bytes, meta, version) }
        }))
    }

    fn poll_next(
        &mut self,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Option<Result<Taken<'r>, Undelivered<'r>>>> {
        let mut over = Poll::Ready(None);
        for step in 0..PROVIDERS {
            let place = self.turn.wrapping_add(step).checked_rem(PROVIDERS).unwrap_or_default();
            let Some(Some(part)) = self.parts.get_mut(place) else { continue };
            match part.poll_next(cx, buffer) {
                Poll::Ready(None) => {}
                Poll::Pending => over = Poll::Pending,
                next => {
                    self.turn = place.saturating_add(1);
                    return next;
                }
            }
        }
        over
    }

    /// How many messages found no room, as [`Subscription::lost`] counts them.
    pub fn lost(&self) -> u32 {
        let parts = self.parts.iter().flatten();
        parts.fold(0, |lost, part| lost.saturating_add(part.lost()))
    }
}

/// What they have lost; takes the locks of the clients for a moment.
#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize, const PROVIDERS: usize> defmt::Format
    for Deliveries<'_, M, N, PROVIDERS>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Deliveries {{ lost: {=u32} }}", self.lost());
    }
}
