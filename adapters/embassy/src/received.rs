//! Messages as a subscription hands them over.

use crate::queue::{Meta, read};
use dunlin_drive::dunlin::{Message, Properties, Qos, Version};

/// A message, or a piece of a long one, in the buffer that [`Subscription::next`](crate::Subscription::next)
/// was given.
///
/// With [`Oversize::Stream`](dunlin_drive::dunlin::Oversize::Stream), a message that is longer than
/// the receive buffer comes in pieces: the first has the topic and no payload, the others have no topic.
/// When a connection is lost between them, or there is no room for one, the rest does not come; after a
/// lost connection a message above QoS 0 begins anew, with another first piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Received<'b> {
    message: Message<'b>,
    /// Whether it may have come before.
    pub duplicate: bool,
    /// Where in the whole payload this piece stands, in bytes.
    pub offset: usize,
    /// How long the whole payload is, in bytes.
    pub len: usize,
}

impl<'b> Received<'b> {
    pub(crate) fn new(bytes: &'b [u8], meta: Meta, version: Version) -> Self {
        let message = read(bytes, meta, version);
        Self { message, duplicate: meta.duplicate, offset: meta.offset, len: meta.len }
    }

    /// The topic it was published to; empty with all pieces but the first.
    pub const fn topic(&self) -> &'b str {
        self.message.head.topic
    }

    /// The payload, or a piece of it.
    pub const fn payload(&self) -> &'b [u8] {
        self.message.payload
    }

    /// The QoS it came with.
    pub const fn qos(&self) -> Qos {
        self.message.head.qos
    }

    /// Whether the server had kept it for new subscribers.
    pub const fn is_retained(&self) -> bool {
        self.message.head.retain
    }

    /// What else its publisher said of it; nothing in MQTT 3.1.1.
    pub const fn properties(&self) -> Properties<'b> {
        self.message.head.properties
    }

    /// Whether nothing of the message is to come.
    pub const fn is_last(&self) -> bool {
        self.offset.saturating_add(self.message.payload.len()) >= self.len
    }
}
