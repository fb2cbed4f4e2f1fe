//! Messages that have come.

use dunlin_drive::dunlin::{Message, Qos};
use std::{fmt, sync::Arc};

/// A message with its own memory; clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// Topic and payload, one behind the other.
    bytes: Arc<[u8]>,
    topic_len: usize,
    /// The QoS it came with.
    pub qos: Qos,
    /// Whether the server had kept it for new subscribers.
    pub retained: bool,
    /// Whether it may have come before.
    pub duplicate: bool,
}

impl Received {
    /// One allocation, whatever the sizes.
    pub(crate) fn new(message: &Message<'_>, duplicate: bool) -> Self {
        let (topic, payload) = (message.head.topic.as_bytes(), message.payload);
        Self {
            bytes: topic.iter().chain(payload).copied().collect(),
            topic_len: topic.len(),
            qos: message.head.qos,
            retained: message.head.retain,
            duplicate,
        }
    }

    /// The topic that it was published to.
    pub fn topic(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.topic_len]).unwrap_or_default()
    }

    /// The payload: any bytes, also none.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.topic_len..]
    }
}

/// Without the payload, which may be a secret or a megabyte.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("topic", &self.topic())
            .field("payload_len", &self.payload().len())
            .field("qos", &self.qos)
            .field("retained", &self.retained)
            .field("duplicate", &self.duplicate)
            .finish()
    }
}
