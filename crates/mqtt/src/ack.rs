//! The packets that are nothing but a packet identifier.

use crate::{FixedHeader, Malformed, PacketId, PacketType};
use dunlin_octet::{Reader, Sink, Text};

/// What an acknowledgement says (MQTT 3.1.1 §3.4 to §3.7, §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's own")]
pub enum AckKind {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Unsuback,
}

impl AckKind {
    const fn packet_type(self) -> PacketType {
        match self {
            Self::Puback => PacketType::Puback,
            Self::Pubrec => PacketType::Pubrec,
            Self::Pubrel => PacketType::Pubrel,
            Self::Pubcomp => PacketType::Pubcomp,
            Self::Unsuback => PacketType::Unsuback,
        }
    }
}

/// An acknowledgement: PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Which of them.
    pub kind: AckKind,
    /// The exchange that it belongs to ([MQTT-2.3.1-6], [MQTT-2.3.1-7]).
    pub packet_id: PacketId,
}

impl Ack {
    /// Reads the body of an acknowledgement.
    pub fn decode(kind: AckKind, body: &[u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        if body.is_empty() { Ok(Self { kind, packet_id }) } else { Err(Malformed::Length) }
    }

    /// The whole packet.
    pub const fn encode(self) -> [u8; 4] {
        let [high, low] = self.packet_id.value().to_be_bytes();
        [self.kind.packet_type().first(), 2, high, low]
    }
}

impl Text for Ack {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(&self.encode());
    }
}

/// Takes a packet identifier, which is never zero ([MQTT-2.3.1-1]).
pub(crate) fn take_packet_id(body: &mut Reader<'_>) -> Result<PacketId, Malformed> {
    PacketId::new(body.u16().ok_or(Malformed::Length)?).ok_or(Malformed::PacketId)
}

/// A packet without a body: PINGREQ, PINGRESP, DISCONNECT.
pub(crate) const fn bare(packet_type: PacketType) -> [u8; 2] {
    [packet_type.first(), 0]
}

/// Refuses a body where there is none.
pub(crate) fn check_bare(header: FixedHeader) -> Result<(), Malformed> {
    if header.remaining == 0 { Ok(()) } else { Err(Malformed::Length) }
}
