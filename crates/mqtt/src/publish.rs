//! PUBLISH (MQTT 3.1.1 §3.3, MQTT 5.0 §3.3).

use crate::{
    Head, Malformed, Message, PacketId, PacketType, Properties, Qos, Version,
    ack::take_packet_id,
    encode::text,
    header::{VARINT_MAX, put_header, varint},
    properties::Place,
    text::{as_utf8, field_len, has_nul, put_field, take_binary},
    topic::is_plain,
};
use dunlin_octet::{Reader, Sink, Text};

/// The DUP flag, in the first byte (MQTT 3.1.1 §3.3.1.1).
pub(crate) const DUP: u8 = 0x08;

/// A message on its way.
// In this order, the packet identifier does not begin at a multiple of four: there the compiler reads
// it together with what follows, and waits until both have been written apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
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
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn decode(version: Version, flags: u8, body: &'a [u8]) -> Result<Self, Malformed> {
        if flags_are_legal(flags) {
            Self::decode_body(version, flags, body)
        } else {
            Err(Malformed::Flags)
        }
    }

    /// The same for flags that have been found legal.
    // Part of its callers, so that it writes the message to where it stays: moving a fresh one costs
    // more than decoding it. Small machines would rather have it once.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn decode_body(
        version: Version,
        flags: u8,
        body: &'a [u8],
    ) -> Result<Self, Malformed> {
        let qos = Qos::from_bits(flags >> 1 & 3).ok_or(Malformed::Flags)?;
        let mut body = Reader::new(body);
        let topic = take_binary(&mut body)?;
        let by_alias = topic.is_empty();
        // [MQTT-3.3.2-2] No wildcards in the topic name of a PUBLISH. [MQTT-4.7.3-1] Never empty.
        if (by_alias && version.in_build() == Version::V3) || !is_plain(topic) {
            return Err(unfit(topic));
        }
        let topic = as_utf8(topic)?;
        let packet_id = match qos {
            Qos::AtMostOnce => None,
            _ => Some(take_packet_id(&mut body)?),
        };
        let (wire, payload): (&[u8], _) = match (version.in_build(), body.rest()) {
            (Version::V3, payload) => (&[], payload),
            // None, as most messages have; the topic is not empty then.
            (Version::V5, [0, payload @ ..]) if !by_alias => (&[], payload),
            (Version::V5, rest) => take_properties(by_alias, rest)?,
        };
        let properties = Properties::checked(wire);
        let head = Head { topic, qos, retain: flags & 1 != 0, properties };
        let message = Message { head, payload };
        Ok(Self { message, duplicate: flags & DUP != 0, packet_id })
    }

    /// How much of the body, at its front, is not the payload, as far as `body` tells, which may be only
    /// the front: where it is shorter than that, more bytes are needed to know.
    pub fn head_len(version: Version, flags: u8, body: &[u8]) -> usize {
        let Some(topic_len) = Reader::new(body).u16() else { return 2 };
        let packet_id = if flags & 0b0110 == 0 { 0 } else { 2 };
        let fields = usize::from(topic_len).saturating_add(2).saturating_add(packet_id);
        if version.in_build() == Version::V3 {
            return fields;
        }
        let rest = body.get(fields..).unwrap_or_default();
        let block = match varint(rest) {
            Ok(Some((len, width))) => len.saturating_add(width),
            Ok(None) => rest.len().saturating_add(1),
            // What is there is enough for `decode` to refuse it.
            Err(_) => rest.len().min(VARINT_MAX),
        };
        fields.saturating_add(block)
    }

    /// The whole packet.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        let Message { head, payload } = &self.message;
        put_head(sink, version, head, self.duplicate, self.packet_id, payload.len());
        sink.put(payload);
    }
}

/// What is wrong with a topic that is empty, or has U+0000 or a wildcard in it.
#[cold]
fn unfit(topic: &[u8]) -> Malformed {
    match as_utf8(topic) {
        // v3.1.1: [MQTT-1.5.3-2] No string has U+0000 in it.
        Ok(topic) if has_nul(topic.as_bytes()) => Malformed::Utf8,
        Ok(_) => Malformed::Topic,
        Err(malformed) => malformed,
    }
}

/// Takes the properties, which must have an alias where there is no topic (MQTT 5.0 §3.3.2.1).
#[inline(never)]
fn take_properties(by_alias: bool, rest: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut rest = Reader::new(rest);
    let wire = Properties::take_wire(Place::of(PacketType::Publish), &mut rest)?;
    if by_alias && Properties::checked(wire).topic_alias().is_none() {
        return Err(Malformed::NoTopic);
    }
    Ok((wire, rest.rest()))
}

/// Whether a PUBLISH may have these flags: no QoS 3 (v3.1.1: [MQTT-3.3.1-4]), no DUP with QoS 0
/// (v3.1.1: [MQTT-3.3.1-2]).
pub(crate) const fn flags_are_legal(flags: u8) -> bool {
    // A bit for each of the 16.
    0b0011_1100_0011_1111_u16 >> (flags & 0x0f) & 1 != 0
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
#[cfg_attr(target_pointer_width = "64", inline)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FixedHeader, Property};
    use dunlin_octet::{Count, Window};

    #[test]
    fn length_of_the_front_asks_for_more_until_it_is_there() {
        let long = std::string::String::from_utf8(std::vec![b'x'; 300]).unwrap();
        let list = [Property::ContentType(&long)];
        for version in [Version::V3, Version::V5] {
            for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
                for properties in [Properties::NONE, Properties::new(&list)] {
                    let message = Message::new("a/b", b"payload", qos).with_properties(properties);
                    let packet_id = PacketId::new(1).filter(|_| qos != Qos::AtMostOnce);
                    let publish = Publish { message, duplicate: false, packet_id };
                    let text = publish.with(version);
                    let mut bytes = std::vec![0; Count::of(&text)];
                    text.write(&mut Window::new(&mut bytes, 0));
                    let (header, at) = FixedHeader::decode(version, &bytes).unwrap().unwrap();
                    let (body, flags) = (&bytes[at..], header.flags);
                    let front = body.len() - b"payload".len();
                    for cut in 0..=body.len() {
                        let known = Publish::head_len(version, flags, &body[..cut]);
                        assert_eq!(known > cut, cut < front, "{known} of {cut}");
                        assert!(known <= front && (cut < front || known == front));
                    }
                    let head = Publish::decode(version, flags, &body[..front]).unwrap();
                    assert_eq!(head.packet_id, packet_id);
                    assert_eq!((head.message.head.topic, head.message.payload), ("a/b", &[][..]));
                }
            }
        }
        let bad = [0, 1, b't', 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Publish::head_len(Version::V5, 0, &bad), 7);
        assert_eq!(Publish::decode(Version::V5, 0, &bad[..7]), Err(Malformed::Length));
    }
}
