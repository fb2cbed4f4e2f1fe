//! The packets that are a packet identifier and, in MQTT 5.0, a reason.

use crate::{
    Malformed, PacketId, PacketType, Properties, ReasonCode, Version, encode::text,
    header::put_header, properties::Place,
};
use dunlin_octet::{Reader, Sink, Text};

/// What an acknowledgement says (MQTT 3.1.1 §3.4 to §3.7, MQTT 5.0 §3.4 to §3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(missing_docs, reason = "the names are the standard's own")]
pub enum AckKind {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

impl AckKind {
    /// The packet type of these acknowledgements.
    pub const fn packet_type(self) -> PacketType {
        match self {
            Self::Puback => PacketType::Puback,
            Self::Pubrec => PacketType::Pubrec,
            Self::Pubrel => PacketType::Pubrel,
            Self::Pubcomp => PacketType::Pubcomp,
        }
    }
}

/// An acknowledgement: PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ack<'a> {
    /// Which of them.
    pub kind: AckKind,
    /// The exchange that it belongs to ([MQTT-2.2.1-5], v3.1.1: [MQTT-2.3.1-6]).
    pub packet_id: PacketId,
    /// Yes, or why not; always yes in MQTT 3.1.1.
    pub reason: ReasonCode,
    /// What MQTT 5.0 adds.
    pub properties: Properties<'a>,
}

/// An answer in the second half of QoS 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) packet_id: PacketId,
    /// Success, or that no exchange has this identifier.
    pub(crate) reason: ReasonCode,
}

impl Answer {
    /// An answer to an exchange that is known, or is not (MQTT 5.0 §4.13.2).
    pub(crate) const fn new(packet_id: PacketId, known: bool) -> Self {
        let reason = match known {
            true => ReasonCode::SUCCESS,
            false => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
        };
        Self { packet_id, reason }
    }
}

impl<'a> Ack<'a> {
    /// An acknowledgement that says yes and nothing else.
    pub const fn new(kind: AckKind, packet_id: PacketId) -> Self {
        Self { kind, packet_id, reason: ReasonCode::SUCCESS, properties: Properties::NONE }
    }

    /// Reads the body of an acknowledgement; in MQTT 5.0 the end of it may be left out (§3.4.2.1).
    pub fn decode(version: Version, kind: AckKind, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        if body.is_empty() {
            return Ok(Self::new(kind, packet_id));
        }
        if version.in_build() == Version::V3 {
            return Err(Malformed::Length);
        }
        let (reason, properties) = take_reason(kind.packet_type(), &mut body)?;
        Ok(Self { kind, packet_id, reason, properties })
    }

    /// The whole packet as far as both versions have it: without a reason and properties.
    pub const fn encode(self) -> [u8; 4] {
        let [high, low] = self.packet_id.value().to_be_bytes();
        [self.kind.packet_type().first(), 2, high, low]
    }

    /// The whole packet, in the shortest form.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        match version.in_build() {
            Version::V3 => sink.put(&self.encode()),
            Version::V5 => {
                let packet_id = self.packet_id.value().to_be_bytes();
                let first = self.kind.packet_type().first();
                put_reason(sink, first, &packet_id, self.reason, &self.properties);
            }
        }
    }
}

/// Takes a packet identifier, which is never zero (v3.1.1: [MQTT-2.3.1-1]).
pub(crate) fn take_packet_id(body: &mut Reader<'_>) -> Result<PacketId, Malformed> {
    PacketId::new(body.u16().ok_or(Malformed::Length)?).ok_or(Malformed::PacketId)
}

/// Takes a reason and properties to the end of the packet; those left out are success and none.
pub(crate) fn take_reason<'a>(
    packet_type: PacketType,
    body: &mut Reader<'a>,
) -> Result<(ReasonCode, Properties<'a>), Malformed> {
    let Some(code) = body.u8() else { return Ok((ReasonCode::SUCCESS, Properties::NONE)) };
    let reason = ReasonCode::new(code).standing_in(packet_type).ok_or(Malformed::Value)?;
    if body.is_empty() {
        return Ok((reason, Properties::NONE));
    }
    let properties = Properties::take(Place::of(packet_type), body)?;
    if body.is_empty() { Ok((reason, properties)) } else { Err(Malformed::Length) }
}

/// Puts a packet that ends with a reason and properties, of which what says nothing is left out.
pub(crate) fn put_reason(
    sink: &mut dyn Sink,
    first: u8,
    front: &[u8],
    reason: ReasonCode,
    properties: &Properties<'_>,
) {
    let rest = match (reason, properties.is_empty()) {
        (ReasonCode::SUCCESS, true) => 0,
        (_, true) => 1,
        (_, false) => properties.block_len(Version::V5).saturating_add(1),
    };
    put_header(sink, first, front.len().saturating_add(rest));
    sink.put(front);
    if rest > 0 {
        sink.put(&[reason.value()]);
    }
    if rest > 1 {
        properties.put(Version::V5, sink);
    }
}

/// A packet without a body: PINGREQ, PINGRESP, DISCONNECT of MQTT 3.1.1.
pub(crate) const fn bare(packet_type: PacketType) -> [u8; 2] {
    [packet_type.first(), 0]
}

/// Refuses a body where there is none.
pub(crate) const fn check_bare(body: &[u8]) -> Result<(), Malformed> {
    if body.is_empty() { Ok(()) } else { Err(Malformed::Length) }
}
