//! SUBACK and UNSUBACK (MQTT 3.1.1 §3.9, §3.11, MQTT 5.0 §3.9, §3.11).

use crate::{
    Malformed, PacketId, PacketType, Properties, ReasonCode, Version, ack::take_packet_id,
    encode::text, header::put_header, properties::Place,
};
use dunlin_octet::{Reader, Sink, Text};

/// The server's answer to SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Suback<'a> {
    /// The exchange.
    pub packet_id: PacketId,
    /// One answer for each filter, in their order (v3.1.1: [MQTT-3.9.3-1]).
    pub reasons: Reasons<'a>,
    /// What MQTT 5.0 adds.
    pub properties: Properties<'a>,
}

impl<'a> Suback<'a> {
    /// Reads the body of a SUBACK.
    pub fn decode(version: Version, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        let place = Place::of(PacketType::Suback);
        let properties = Properties::take_in(version, place, &mut body)?;
        let codes = body.rest();
        // v3.1.1: [MQTT-3.9.3-2] All other codes are reserved.
        let legal = match version.in_build() {
            Version::V3 => codes.iter().all(|code| matches!(code, 0..=2 | 0x80)),
            Version::V5 => are_legal(codes, PacketType::Suback),
        };
        if !legal {
            return Err(Malformed::Value);
        }
        Ok(Self { packet_id, reasons: Reasons { codes }, properties })
    }

    /// An answer to the exchange `packet_id`, one code a filter, without properties.
    pub const fn new(packet_id: PacketId, codes: &'a [u8]) -> Self {
        Self { packet_id, reasons: Reasons { codes }, properties: Properties::NONE }
    }

    /// The whole packet; MQTT 3.1.1 knows one refusal, 0x80, which stands for all.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        let codes = self.reasons.codes;
        put_front(sink, PacketType::Suback, version, self.packet_id, &self.properties, codes.len());
        match version.in_build() {
            Version::V3 => codes.iter().for_each(|code| sink.put(&[(*code).min(0x80)])),
            Version::V5 => sink.put(codes),
        }
    }
}

/// The server's answer to UNSUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unsuback<'a> {
    /// The exchange.
    pub packet_id: PacketId,
    /// One answer for each filter, in their order ([MQTT-3.11.3-1]); none in MQTT 3.1.1, where it
    /// is always yes.
    pub reasons: Reasons<'a>,
    /// What MQTT 5.0 adds.
    pub properties: Properties<'a>,
}

impl<'a> Unsuback<'a> {
    /// Reads the body of an UNSUBACK.
    pub fn decode(version: Version, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        let place = Place::of(PacketType::Unsuback);
        let properties = Properties::take_in(version, place, &mut body)?;
        let codes = body.rest();
        match version.in_build() {
            Version::V3 if !codes.is_empty() => Err(Malformed::Length),
            // [MQTT-3.11.3-2]
            Version::V5 if !are_legal(codes, PacketType::Unsuback) => Err(Malformed::Value),
            _ => Ok(Self { packet_id, reasons: Reasons { codes }, properties }),
        }
    }

    /// An answer to the exchange `packet_id`, one code a filter, without properties.
    pub const fn new(packet_id: PacketId, codes: &'a [u8]) -> Self {
        Self { packet_id, reasons: Reasons { codes }, properties: Properties::NONE }
    }

    /// The whole packet; MQTT 3.1.1 has no place for reasons.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        let codes = match version.in_build() {
            Version::V3 => &[],
            Version::V5 => self.reasons.codes,
        };
        let packet_type = PacketType::Unsuback;
        put_front(sink, packet_type, version, self.packet_id, &self.properties, codes.len());
        sink.put(codes);
    }
}

/// The answers to a SUBSCRIBE or UNSUBSCRIBE, in the order of its filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reasons<'a> {
    codes: &'a [u8],
}

impl<'a> Reasons<'a> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Each answer: the granted QoS, success, or the refusal.
    pub fn iter(&self) -> impl Iterator<Item = ReasonCode> + use<'a> {
        self.codes.iter().map(|code| ReasonCode::new(*code))
    }
}

fn are_legal(codes: &[u8], packet_type: PacketType) -> bool {
    codes.iter().all(|code| ReasonCode::new(*code).may_stand_in(packet_type))
}

/// Puts what stands in front of a list of `len` bytes.
pub(crate) fn put_front(
    sink: &mut dyn Sink,
    packet_type: PacketType,
    version: Version,
    packet_id: PacketId,
    properties: &Properties<'_>,
    len: usize,
) {
    let front = properties.block_len(version).saturating_add(2);
    put_header(sink, packet_type.first(), front.saturating_add(len));
    sink.put(&packet_id.value().to_be_bytes());
    properties.put(version, sink);
}
