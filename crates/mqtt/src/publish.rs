//! PUBLISH (MQTT 3.1.1 §3.3, MQTT 5.0 §3.3).

use crate::{
    Head, Malformed, Message, PacketId, PacketType, Properties, Qos, TopicError, Version,
    ack::take_packet_id,
    check_topic,
    encode::text,
    header::put_header,
    properties::Place,
    text::{field_len, put_field, take_utf8},
};
use dunlin_octet::{Reader, Sink, Text};

/// The DUP flag, in the first byte (MQTT 3.1.1 §3.3.1.1).
pub(crate) const DUP: u8 = 0x08;

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The message itself.
    pub message: Message<'a>,
    /// Whether it may have been delivered before.
    pub duplicate: bool,
    /// The exchange; there is one exactly where QoS is above 0 (v3.1.1: [MQTT-2.3.1-5]).
    pub packet_id: Option<PacketId>,
}

impl<'a> Publish<'a> {
    /// Reads the body of a PUBLISH with the flags of its fixed header.
    #[inline]
    pub fn decode(version: Version, flags: u8, body: &'a [u8]) -> Result<Self, Malformed> {
        if !flags_are_legal(flags) {
            return Err(Malformed::Flags);
        }
        let qos = Qos::from_bits(flags >> 1 & 3).ok_or(Malformed::Flags)?;
        let mut body = Reader::new(body);
        let topic = take_utf8(&mut body)?;
        // [MQTT-3.3.2-2] No wildcards in the topic name of a PUBLISH. [MQTT-4.7.3-1] Never empty.
        let by_alias = match check_topic(topic) {
            Ok(()) => false,
            Err(TopicError::Empty) if version == Version::V5 => true,
            // v3.1.1: [MQTT-1.5.3-2] No string has U+0000 in it.
            Err(TopicError::Nul) => return Err(Malformed::Utf8),
            Err(_) => return Err(Malformed::Topic),
        };
        let packet_id = match qos {
            Qos::AtMostOnce => None,
            _ => Some(take_packet_id(&mut body)?),
        };
        let properties = match version {
            Version::V3 => Properties::NONE,
            Version::V5 => take_properties(by_alias, &mut body)?,
        };
        let head = Head { topic, qos, retain: flags & 1 != 0, properties };
        let message = Message { head, payload: body.rest() };
        Ok(Self { message, duplicate: flags & DUP != 0, packet_id })
    }

    /// The whole packet.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        let Message { head, payload } = &self.message;
        put_head(sink, version, head, self.duplicate, self.packet_id, payload.len());
        sink.put(payload);
    }
}

/// Takes the properties, which must have an alias where there is no topic (MQTT 5.0 §3.3.2.1).
#[inline(never)]
fn take_properties<'a>(by_alias: bool, body: &mut Reader<'a>) -> Result<Properties<'a>, Malformed> {
    let properties = Properties::take(Place::of(PacketType::Publish), body)?;
    if by_alias && properties.topic_alias().is_none() {
        return Err(Malformed::NoTopic);
    }
    Ok(properties)
}

/// Whether a PUBLISH may have these flags: no QoS 3 (v3.1.1: [MQTT-3.3.1-4]), no DUP with QoS 0
/// (v3.1.1: [MQTT-3.3.1-2]).
pub(crate) const fn flags_are_legal(flags: u8) -> bool {
    flags & 0b0110 != 0b0110 && flags & 0b1110 != DUP
}

/// How many bytes follow the fixed header of a PUBLISH; saturates where MQTT has long ended.
pub(crate) fn body_len(version: Version, head: &Head<'_>, payload_len: usize) -> usize {
    let packet_id: usize = if head.qos == Qos::AtMostOnce { 0 } else { 2 };
    field_len(head.topic.as_bytes())
        .saturating_add(packet_id)
        .saturating_add(head.properties.block_len(version))
        .saturating_add(payload_len)
}

/// Puts all of a PUBLISH but its payload.
pub(crate) fn put_head(
    sink: &mut (impl Sink + ?Sized),
    version: Version,
    head: &Head<'_>,
    duplicate: bool,
    packet_id: Option<PacketId>,
    payload_len: usize,
) {
    let dup = if duplicate { DUP } else { 0 };
    let first = PacketType::Publish.first() | dup | head.qos.bits() << 1 | u8::from(head.retain);
    put_header(sink, first, body_len(version, head, payload_len));
    put_field(sink, head.topic.as_bytes());
    if let Some(packet_id) = packet_id {
        sink.put(&packet_id.value().to_be_bytes());
    }
    head.properties.put(version, sink);
}
