//! Any control packet of either side.

use crate::{
    Ack, AckKind, Connack, Connect, FixedHeader, Malformed, PacketType, Publish, Suback, Subscribe,
    Unsubscribe, ack,
};
use dunlin_octet::{Sink, Text};

/// A control packet whose strings and payload lie in the bytes that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's own")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Connack(Connack),
    Publish(Publish<'a>),
    /// PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK.
    Ack(Ack),
    Subscribe(Subscribe<'a>),
    Suback(Suback<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Pingreq,
    Pingresp,
    Disconnect,
}

impl<'a> Packet<'a> {
    /// Reads the packet that `header` announces; `body` is exactly what follows the header.
    pub fn decode(header: FixedHeader, body: &'a [u8]) -> Result<Self, Malformed> {
        let ack = |kind| Ack::decode(kind, body).map(Self::Ack);
        match header.packet_type {
            PacketType::Connect => Connect::decode(body).map(Self::Connect),
            PacketType::Connack => Connack::decode(body).map(Self::Connack),
            PacketType::Publish => Publish::decode(header.flags, body).map(Self::Publish),
            PacketType::Puback => ack(AckKind::Puback),
            PacketType::Pubrec => ack(AckKind::Pubrec),
            PacketType::Pubrel => ack(AckKind::Pubrel),
            PacketType::Pubcomp => ack(AckKind::Pubcomp),
            PacketType::Subscribe => Subscribe::decode(body).map(Self::Subscribe),
            PacketType::Suback => Suback::decode(body).map(Self::Suback),
            PacketType::Unsubscribe => Unsubscribe::decode(body).map(Self::Unsubscribe),
            PacketType::Unsuback => ack(AckKind::Unsuback),
            PacketType::Pingreq => ack::check_bare(header).map(|()| Self::Pingreq),
            PacketType::Pingresp => ack::check_bare(header).map(|()| Self::Pingresp),
            PacketType::Disconnect => ack::check_bare(header).map(|()| Self::Disconnect),
        }
    }

    /// Reads the packet at the front of `bytes`, and how long it is; `None` when more bytes are needed.
    pub fn decode_front(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, Malformed> {
        // Looked at where it lies: `?` would move it twice, which takes longer than decoding it.
        let decoded = FixedHeader::decode(bytes);
        let (header, header_len) = match &decoded {
            Ok(Some((header, len))) => (*header, *len),
            Ok(None) => return Ok(None),
            Err(malformed) => return Err(*malformed),
        };
        let len = header_len.saturating_add(header.remaining);
        let Some(body) = bytes.get(header_len..len) else { return Ok(None) };
        // The commonest packet by far goes straight to its place.
        if header.packet_type == PacketType::Publish {
            let publish = Publish::decode(header.flags, body)?;
            return Ok(Some((Self::Publish(publish), len)));
        }
        Ok(Some((Self::decode(header, body)?, len)))
    }
}

impl Text for Packet<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        match self {
            Self::Connect(packet) => packet.write(sink),
            Self::Connack(packet) => packet.write(sink),
            Self::Publish(packet) => packet.write(sink),
            Self::Ack(packet) => packet.write(sink),
            Self::Subscribe(packet) => packet.write(sink),
            Self::Suback(packet) => packet.write(sink),
            Self::Unsubscribe(packet) => packet.write(sink),
            Self::Pingreq => sink.put(&ack::bare(PacketType::Pingreq)),
            Self::Pingresp => sink.put(&ack::bare(PacketType::Pingresp)),
            Self::Disconnect => sink.put(&ack::bare(PacketType::Disconnect)),
        }
    }
}
