//! A PUBLISH as it goes out with an alias.

use crate::{
    FixedHeader, Property, Qos, Version,
    header::{put_header, put_varint, take_varint},
};
use core::num::NonZeroU16;
use dunlin_octet::{Reader, Text, Writer};

/// By how much an alias makes a packet longer at most: the property, and a byte in each of two lengths.
pub(super) const ADDED_MAX: usize = PROPERTY_LEN + 2;

/// A topic alias on the wire: its identifier and two bytes.
const PROPERTY_LEN: usize = 3;
/// The fixed header, and the length of the topic.
const FRONT_MAX: usize = 5 + 2;
/// The packet identifier, the length of the properties, and the alias.
const MIDDLE_MAX: usize = 2 + 4 + PROPERTY_LEN;

/// A PUBLISH in four parts, to be sent behind one another: its front has been written anew, topic and
/// rest are where they were.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'p> {
    front: ([u8; FRONT_MAX], usize),
    topic: &'p [u8],
    middle: ([u8; MIDDLE_MAX], usize),
    rest: &'p [u8],
}

impl<'p> Parts<'p> {
    /// `packet` with `alias`, beside its topic or in its place; `None` for what is not a PUBLISH of
    /// MQTT 5.0.
    #[inline(never)]
    pub(super) fn new(packet: &'p [u8], alias: NonZeroU16, keeps_topic: bool) -> Option<Self> {
        let (header, len) = FixedHeader::decode(Version::V5, packet).ok()??;
        let mut body = Reader::new(packet.get(len..)?);
        let topic_len = usize::from(body.u16()?);
        let topic = body.take(topic_len)?;
        let topic = if keeps_topic { topic } else { &[] };
        let with_id = Qos::from_bits(header.flags >> 1 & 3)? != Qos::AtMostOnce;
        let packet_id = if with_id { Some(body.u16()?) } else { None };
        let properties_len = take_varint(&mut body).ok()?.saturating_add(PROPERTY_LEN);
        let rest = body.rest();

        let mut middle = [0; MIDDLE_MAX];
        let mut sink = Writer::new(&mut middle);
        if let Some(packet_id) = packet_id {
            sink.put_u16(packet_id).ok()?;
        }
        put_varint(&mut sink, properties_len);
        Property::TopicAlias(alias).write(&mut sink);
        let middle_len = sink.len();

        let remaining = [2, topic.len(), middle_len, rest.len()];
        let remaining = remaining.into_iter().fold(0, usize::saturating_add);
        let mut front = [0; FRONT_MAX];
        let mut sink = Writer::new(&mut front);
        put_header(&mut sink, *packet.first()?, remaining);
        sink.put_u16(u16::try_from(topic.len()).ok()?).ok()?;
        let front_len = sink.len();
        Some(Self { front: (front, front_len), topic, middle: (middle, middle_len), rest })
    }

    /// The parts, in order; some may be empty.
    pub fn as_slices(&self) -> [&[u8]; 4] {
        let Self { front, topic, middle, rest } = self;
        [
            front.0.get(..front.1).unwrap_or_default(),
            topic,
            middle.0.get(..middle.1).unwrap_or_default(),
            rest,
        ]
    }
}

/// Lengths only: a payload is the program's.
#[cfg(feature = "defmt")]
impl defmt::Format for Parts<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Parts {{ topic: {=usize}, rest: {=usize} }}",
            self.topic.len(),
            self.rest.len()
        );
    }
}
