//! What a server takes (MQTT 5.0 §3.2.2.3).

use crate::{
    FixedHeader, Head, PacketType, Properties, Publish, Qos, ReasonCode, Subscribe, Subscription,
    Version,
};

/// What the server takes on a connection, as CONNACK says; everything, where it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// How many messages above QoS 0 may be under way to the server.
    pub receive_maximum: u16,
    /// The longest packet, in bytes.
    pub maximum_packet_size: u32,
    /// The highest QoS of a message.
    pub maximum_qos: Qos,
    /// The highest topic alias.
    pub topic_alias_maximum: u16,
    /// Whether messages can be kept for later subscribers.
    pub retain_available: bool,
    /// Whether a filter may have wildcards.
    pub wildcard_subscription_available: bool,
    /// Whether subscriptions may have identifiers.
    pub subscription_identifier_available: bool,
    /// Whether subscriptions may be shared.
    pub shared_subscription_available: bool,
}

impl Limits {
    /// A server that says nothing takes everything, but no topic aliases.
    pub const NONE: Self = Self {
        receive_maximum: u16::MAX,
        maximum_packet_size: u32::MAX,
        maximum_qos: Qos::ExactlyOnce,
        topic_alias_maximum: 0,
        retain_available: true,
        wildcard_subscription_available: true,
        subscription_identifier_available: true,
        shared_subscription_available: true,
    };

    pub(crate) fn of(connack: &Properties<'_>) -> Self {
        let none = Self::NONE;
        if !Version::V5.is_in_build() {
            return none;
        }
        let available = |property: Option<bool>| property.unwrap_or(true);
        Self {
            receive_maximum: connack.receive_maximum().map_or(none.receive_maximum, |it| it.get()),
            maximum_packet_size: connack
                .maximum_packet_size()
                .map_or(none.maximum_packet_size, |it| it.get()),
            maximum_qos: connack.maximum_qos().unwrap_or(none.maximum_qos),
            topic_alias_maximum: connack.topic_alias_maximum().unwrap_or(0),
            retain_available: available(connack.retain_available()),
            wildcard_subscription_available: available(connack.wildcard_subscription_available()),
            subscription_identifier_available: available(
                connack.subscription_identifier_available(),
            ),
            shared_subscription_available: available(connack.shared_subscription_available()),
        }
    }

    /// Whether a packet of `len` bytes may be sent ([MQTT-3.2.2-15]).
    pub(crate) fn check_len(&self, len: usize) -> Result<(), ReasonCode> {
        if !Version::V5.is_in_build() {
            return Ok(());
        }
        let fits = u32::try_from(len).is_ok_and(|len| len <= self.maximum_packet_size);
        if fits { Ok(()) } else { Err(ReasonCode::PACKET_TOO_LARGE) }
    }

    /// Whether a message may be sent ([MQTT-3.2.2-11], [MQTT-3.2.2-14]).
    pub(crate) fn check_message(&self, head: &Head<'_>) -> Result<(), ReasonCode> {
        if !Version::V5.is_in_build() {
            return Ok(());
        }
        if head.qos > self.maximum_qos {
            return Err(ReasonCode::QOS_NOT_SUPPORTED);
        }
        if head.retain && !self.retain_available {
            return Err(ReasonCode::RETAIN_NOT_SUPPORTED);
        }
        Ok(())
    }

    /// Whether these may be subscribed to ([MQTT-3.2.2-21], MQTT 5.0 §3.2.2.3.12 and §3.2.2.3.13).
    pub(crate) fn check_subscriptions<'a>(
        &self,
        mut wishes: impl Iterator<Item = Subscription<'a>>,
        properties: &Properties<'_>,
    ) -> Result<(), ReasonCode> {
        if !Version::V5.is_in_build() {
            return Ok(());
        }
        let identified = properties.subscription_identifiers().next().is_some();
        if identified && !self.subscription_identifier_available {
            return Err(ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED);
        }
        let refused = wishes.find_map(|wish| {
            if wish.is_shared() && !self.shared_subscription_available {
                return Some(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED);
            }
            let wild = wish.filter.contains(['+', '#']);
            (wild && !self.wildcard_subscription_available)
                .then_some(ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED)
        });
        refused.map_or(Ok(()), Err)
    }

    /// Whether a packet that was encoded before the limits were known may be sent; of the payload of a
    /// PUBLISH, any part may be there.
    pub(crate) fn check_packet(&self, version: Version, packet: &[u8]) -> Result<(), ReasonCode> {
        if !Version::V5.is_in_build() {
            return Ok(());
        }
        let Ok(Some((header, header_len))) = FixedHeader::decode(version, packet) else {
            return Ok(());
        };
        self.check_len(header_len.saturating_add(header.remaining))?;
        if !matches!(header.packet_type, PacketType::Publish | PacketType::Subscribe) {
            return Ok(());
        }
        let body = packet.get(header_len..).unwrap_or_default();
        if header.packet_type == PacketType::Subscribe {
            return Subscribe::decode(version, body).map_or(Ok(()), |subscribe| {
                self.check_subscriptions(subscribe.subscriptions(), &subscribe.properties)
            });
        }
        Publish::decode(version, header.flags, body)
            .map_or(Ok(()), |publish| self.check_message(&publish.message.head))
    }
}
