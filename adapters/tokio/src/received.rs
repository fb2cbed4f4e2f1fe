//! Messages that have come.

use dunlin_drive::dunlin::{
    Message, Properties, Qos, Version,
    mqtt::{FixedHeader, Publish},
    octet::{Count, Text as _, Writer},
};
use std::{fmt, ops::Range, sync::Arc};

/// A message with its own memory; clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// The message as a PUBLISH of MQTT 5.0, whatever it came as.
    packet: Arc<[u8]>,
    topic: Range<usize>,
    payload_at: usize,
    /// The QoS it came with.
    pub qos: Qos,
    /// Whether the server had kept it for new subscribers, or, where the subscription keeps the flag as
    /// it was published, whether it is to be kept.
    pub retained: bool,
    /// Whether it may have come before.
    pub duplicate: bool,
}

impl Received {
    /// One allocation, whatever the sizes.
    pub(crate) fn new(message: &Message<'_>, duplicate: bool) -> Self {
        let head = dunlin_drive::dunlin::Head { qos: Qos::AtMostOnce, ..message.head };
        let message_only = Message { head, payload: message.payload };
        let publish = Publish { message: message_only, duplicate: false, packet_id: None };
        let text = publish.with(Version::V5);
        let mut packet: Arc<[u8]> = std::iter::repeat_n(0, Count::of(&text)).collect();
        if let Some(bytes) = Arc::get_mut(&mut packet) {
            text.write(&mut Writer::new(bytes));
        }
        // Behind the topic's length.
        let topic_at = body_at(&packet) + 2;
        Self {
            topic: topic_at..topic_at + message.head.topic.len(),
            payload_at: packet.len() - message.payload.len(),
            packet,
            qos: message.head.qos,
            retained: message.head.retain,
            duplicate,
        }
    }

    /// The topic that it was published to.
    pub fn topic(&self) -> &str {
        std::str::from_utf8(&self.packet[self.topic.clone()]).unwrap_or_default()
    }

    /// The payload: any bytes, also none.
    pub fn payload(&self) -> &[u8] {
        &self.packet[self.payload_at..]
    }

    /// What else its publisher said of it, and for which subscriptions it came; nothing in MQTT 3.1.1.
    pub fn properties(&self) -> Properties<'_> {
        let body = self.packet.get(body_at(&self.packet)..).unwrap_or_default();
        let publish = Publish::decode(Version::V5, 0, body);
        publish.map_or(Properties::NONE, |publish| publish.message.head.properties)
    }
}

/// Where the fixed header ends.
fn body_at(packet: &[u8]) -> usize {
    match FixedHeader::decode(Version::V5, packet) {
        Ok(Some((_, len))) => len,
        _ => 0,
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
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_drive::dunlin::Property;

    #[test]
    fn message_of_any_length_is_taken_apart_as_it_was() {
        let list = [
            Property::ContentType("text/plain"),
            Property::CorrelationData(&[0xff, 0]),
            Property::UserProperty(("name", "value")),
            Property::UserProperty(("name", "")),
        ];
        // Around the places where the length of the packet takes one more byte.
        for len in [0, 1, 50, 70, 126, 127, 128, 16_350, 16_383, 16_384, 2_097_151, 2_097_152] {
            for properties in [Properties::NONE, Properties::new(&list)] {
                let payload = vec![7; len];
                let message = Message::new("a/ü", &payload, Qos::ExactlyOnce);
                let received = Received::new(&message.with_properties(properties).retained(), true);
                assert_eq!((received.topic(), received.payload()), ("a/ü", &payload[..]));
                assert_eq!(received.properties(), properties);
                assert_eq!(received.qos, Qos::ExactlyOnce);
                assert!(received.retained && received.duplicate);
            }
        }
    }
}
