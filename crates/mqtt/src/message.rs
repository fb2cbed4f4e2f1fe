//! Application messages.

use crate::{Properties, Qos};

/// Everything of an application message but its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// An application message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
