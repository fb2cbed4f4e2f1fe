//! Properties of messages with memory of their own, for what outlives a call.

use dunlin_drive::dunlin::{Property, Qos};

/// What MQTT 5.0 lets a client say of a message (§3.3.2.3); MQTT 3.1.1 has no place for it.
///
/// A program that publishes at once can do without: [`Message::with_properties`] borrows.
///
/// [`Message::with_properties`]: dunlin_drive::dunlin::Message::with_properties
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageProperties {
    /// Whether the payload is UTF-8 text; nothing is said when absent.
    pub payload_is_text: Option<bool>,
    /// For how long the message is of use, in seconds; for ever when absent.
    pub expiry_s: Option<u32>,
    /// What the payload is, in words that the programs have agreed on.
    pub content_type: Option<String>,
    /// The topic that an answer is to be published to.
    pub response_topic: Option<String>,
    /// Tells the asker which question an answer belongs to.
    pub correlation_data: Option<Vec<u8>>,
    /// Names and values that the program made up, in order.
    pub user_properties: Vec<(String, String)>,
}

impl MessageProperties {
    /// The same as a list, for [`Properties::new`](dunlin_drive::dunlin::Properties::new).
    pub fn list(&self) -> Vec<Property<'_>> {
        let own = [
            self.payload_is_text.map(Property::PayloadFormatIndicator),
            self.expiry_s.map(Property::MessageExpiryInterval),
            self.content_type.as_deref().map(Property::ContentType),
            self.response_topic.as_deref().map(Property::ResponseTopic),
            self.correlation_data.as_deref().map(Property::CorrelationData),
        ];
        own.into_iter().flatten().chain(user_properties(&self.user_properties)).collect()
    }
}

/// Pairs as properties.
pub(crate) fn user_properties(
    pairs: &[(String, String)],
) -> impl Iterator<Item = Property<'_>> + use<'_> {
    pairs.iter().map(|(name, value)| Property::UserProperty((name, value)))
}

/// The message that the server publishes when it loses the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Will {
    /// The topic it is published to.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// The QoS it is published with.
    pub qos: Qos,
    /// Whether the server keeps it for later subscribers.
    pub retain: bool,
    /// How long the server waits for the client to come back, in seconds; only in MQTT 5.0.
    pub delay_s: u32,
    /// What else is said of it; only in MQTT 5.0.
    pub properties: MessageProperties,
}

impl Will {
    /// The properties in front of the will in CONNECT.
    pub(crate) fn list(&self) -> Vec<Property<'_>> {
        let delay = (self.delay_s > 0).then_some(Property::WillDelayInterval(self.delay_s));
        delay.into_iter().chain(self.properties.list()).collect()
    }
}
