//! What happens to a client, counted and told to whoever watches the program.
//!
//! With the feature `tracing`, events of the target `dunlin_tokio`: losses at WARN, other changes of the
//! connection at INFO, messages at TRACE by topic, QoS and length. With the feature `metrics`, counters
//! whose names begin with `dunlin_`, for the recorder that is installed when the client begins. Both name the broker by host and port. No payload, no credentials
//! and no query of a URL are ever part of it.

use crate::{Event, Options, PublishError, Statistics, shared::Outcome};
use dunlin_drive::dunlin::Message;

/// The counts of a client, and what its watchers know it by.
pub(crate) struct Tally {
    counts: Statistics,
    /// Host and port of the broker that was asked for.
    #[cfg(feature = "tracing")]
    broker: String,
    #[cfg(feature = "metrics")]
    counters: Counters,
}

/// The counters of one broker, registered once: a look-up for each message would allocate.
#[cfg(feature = "metrics")]
struct Counters {
    connections: metrics::Counter,
    failures: metrics::Counter,
    published: metrics::Counter,
    received: metrics::Counter,
    delivered: metrics::Counter,
    uncertain: metrics::Counter,
    refused: metrics::Counter,
}

#[cfg(feature = "metrics")]
impl Counters {
    fn new(broker: &str) -> Self {
        let counter = |name: &'static str| metrics::counter!(name, "broker" => broker.to_owned());
        Self {
            connections: counter("dunlin_connections"),
            failures: counter("dunlin_failures"),
            published: counter("dunlin_messages_published"),
            received: counter("dunlin_messages_received"),
            delivered: counter("dunlin_messages_delivered"),
            uncertain: counter("dunlin_messages_uncertain"),
            refused: counter("dunlin_messages_refused"),
        }
    }
}

/// Counts one, and says so.
macro_rules! count {
    ($tally:ident, $count:ident) => {
        $tally.counts.$count += 1;
        #[cfg(feature = "metrics")]
        $tally.counters.$count.increment(1);
    };
}

impl Tally {
    pub(crate) fn new(options: &Options) -> Self {
        #[cfg(not(any(feature = "tracing", feature = "metrics")))]
        let _ = options;
        Self {
            counts: Statistics::default(),
            #[cfg(feature = "tracing")]
            broker: options.url.host_header(),
            #[cfg(feature = "metrics")]
            counters: Counters::new(&options.url.host_header()),
        }
    }

    /// What has been counted so far.
    pub(crate) const fn counts(&self) -> Statistics {
        self.counts
    }

    /// The connection has changed.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Connected(_) => {
                count!(self, connections);
            }
            Event::Disconnected { .. } => {
                count!(self, failures);
            }
            _ => {}
        }
        #[cfg(feature = "tracing")]
        self.trace(event);
    }

    #[cfg(feature = "tracing")]
    fn trace(&self, event: &Event) {
        let broker = self.broker.as_str();
        match event {
            Event::Connecting => tracing::debug!(broker, "connecting"),
            Event::Connected(resumption) => tracing::info!(broker, ?resumption, "connected"),
            Event::Disconnected { error, retry_in } => {
                tracing::warn!(broker, %error, ?retry_in, "disconnected");
            }
            Event::Closed(error) => tracing::info!(broker, %error, "closed"),
            other => tracing::info!(broker, event = ?other, "the connection has changed"),
        }
    }

    /// A message was taken for sending.
    pub(crate) fn published(&mut self, message: &Message<'_>) {
        count!(self, published);
        self.message("taken for sending", message);
    }

    /// A message has come.
    pub(crate) fn received(&mut self, message: &Message<'_>) {
        count!(self, received);
        self.message("received", message);
    }

    #[cfg(feature = "tracing")]
    fn message(&self, what: &'static str, message: &Message<'_>) {
        let (topic, qos, len) = (message.head.topic, message.head.qos, message.payload.len());
        tracing::trace!(broker = self.broker.as_str(), topic, ?qos, len, "a message was {what}");
    }

    #[cfg(not(feature = "tracing"))]
    #[expect(clippy::unused_self, reason = "the other form tells whose message it is")]
    const fn message(&self, _what: &'static str, _message: &Message<'_>) {}

    /// A message has come to its end.
    pub(crate) fn settled(&mut self, outcome: &Outcome) {
        match outcome {
            Ok(_) => {
                count!(self, delivered);
            }
            Err(PublishError::Lost(_)) => {
                count!(self, uncertain);
            }
            Err(_) => {
                count!(self, refused);
            }
        }
        #[cfg(feature = "tracing")]
        if let Err(error) = outcome {
            tracing::warn!(broker = self.broker.as_str(), %error, "a message has not arrived");
        }
    }
}
