//! Application messages.

use crate::{Malformed, PacketType, Properties, Property, Qos, Version};

/// Everything of an application message but its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Head<'a> {
    /// The topic name it is published to; empty where the properties of a PUBLISH have a topic alias.
    pub topic: &'a str,
    /// How often it may arrive.
    pub qos: Qos,
    /// Whether the server keeps it for later subscribers (sent), or had kept it (received).
    pub retain: bool,
    /// What MQTT 5.0 adds; MQTT 3.1.1 has no place for it.
    pub properties: Properties<'a>,
}

impl Head<'_> {
    /// Whether the program may give these properties: topic aliases are the connection's, and only
    /// servers name subscriptions ([MQTT-3.3.4-6]).
    pub(crate) fn check_properties(&self, version: Version) -> Result<(), Malformed> {
        if self.properties.is_empty() {
            return Ok(());
        }
        let foreign = |property: Property<'_>| {
            matches!(property, Property::TopicAlias(_) | Property::SubscriptionIdentifier(_))
        };
        if version.in_build() == Version::V3 || self.properties.iter().any(foreign) {
            return Err(Malformed::Property);
        }
        self.properties.check(PacketType::Publish)
    }
}

/// An application message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Message<'a> {
    /// Everything but the payload.
    pub head: Head<'a>,
    /// The payload: any bytes, also none.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// A message that is not retained.
    pub const fn new(topic: &'a str, payload: &'a [u8], qos: Qos) -> Self {
        Self { head: Head { topic, qos, retain: false, properties: Properties::NONE }, payload }
    }

    /// The same message, to be kept by the server for later subscribers.
    #[must_use]
    pub const fn retained(self) -> Self {
        Self { head: Head { retain: true, ..self.head }, ..self }
    }

    /// The same message with these properties.
    #[must_use]
    pub const fn with_properties(self, properties: Properties<'a>) -> Self {
        Self { head: Head { properties, ..self.head }, ..self }
    }
}
