//! Any control packet of either side.

use crate::{
    Ack, AckKind, Auth, Connack, Connect, Disconnect, FixedHeader, Malformed, PacketType,
    Properties, Publish, Suback, Subscribe, Unsuback, Unsubscribe, Version, ack, encode::text,
    header::varint, publish::flags_are_legal,
};
use dunlin_octet::{Sink, Text};

/// A control packet whose strings and payload lie in the bytes that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(missing_docs, reason = "the names are the standard's own")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Connack(Connack<'a>),
    Publish(Publish<'a>),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack(Ack<'a>),
    Subscribe(Subscribe<'a>),
    Suback(Suback<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Unsuback(Unsuback<'a>),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Reads the packet that `header` announces; `body` is exactly what follows the header.
    ///
    /// A CONNECT says itself which version it is, whatever `version` says.
    pub fn decode(
        version: Version,
        header: FixedHeader,
        body: &'a [u8],
    ) -> Result<Self, Malformed> {
        match header.packet_type {
            PacketType::Connect => Connect::decode(body).map(Self::Connect),
            PacketType::Subscribe => Subscribe::decode(version, body).map(Self::Subscribe),
            PacketType::Unsubscribe => Unsubscribe::decode(version, body).map(Self::Unsubscribe),
            PacketType::Pingreq => ack::check_bare(body).map(|()| Self::Pingreq),
            _ => Self::decode_from_server(version, header, body),
        }
    }

    /// The same for a client, which needs no decoder for what only clients send: that is of the wrong
    /// [type](Malformed::Type).
    pub fn decode_from_server(
        version: Version,
        header: FixedHeader,
        body: &'a [u8],
    ) -> Result<Self, Malformed> {
        let ack = |kind| Ack::decode(version, kind, body).map(Self::Ack);
        match header.packet_type {
            PacketType::Connack => Connack::decode(version, body).map(Self::Connack),
            PacketType::Publish if flags_are_legal(header.flags) => {
                Publish::decode_body(version, header.flags, body).map(Self::Publish)
            }
            PacketType::Publish => Err(Malformed::Flags),
            PacketType::Puback => ack(AckKind::Puback),
            PacketType::Pubrec => ack(AckKind::Pubrec),
            PacketType::Pubrel => ack(AckKind::Pubrel),
            PacketType::Pubcomp => ack(AckKind::Pubcomp),
            PacketType::Suback => Suback::decode(version, body).map(Self::Suback),
            PacketType::Unsuback => Unsuback::decode(version, body).map(Self::Unsuback),
            PacketType::Pingresp => ack::check_bare(body).map(|()| Self::Pingresp),
            PacketType::Disconnect => Disconnect::decode(version, body).map(Self::Disconnect),
            PacketType::Auth => Auth::decode(body).map(Self::Auth),
            PacketType::Connect
            | PacketType::Subscribe
            | PacketType::Unsubscribe
            | PacketType::Pingreq => Err(Malformed::Type),
        }
    }

    /// Reads the packet at the front of `bytes`, and how long it is; `None` when more bytes are needed.
    #[inline]
    pub fn decode_front(
        version: Version,
        bytes: &'a [u8],
    ) -> Result<Option<(Self, usize)>, Malformed> {
        // The commonest packet by far goes straight to its place.
        match bytes {
            [first @ 0x30..=0x3f, rest @ ..] => Self::publish_front(version, *first, rest),
            _ => Self::other_front(version, bytes),
        }
    }

    /// The same for a PUBLISH, of which the first byte has been taken.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn publish_front(
        version: Version,
        first: u8,
        rest: &'a [u8],
    ) -> Result<Option<(Self, usize)>, Malformed> {
        let flags = first & 0x0f;
        if !flags_are_legal(flags) {
            return Err(Malformed::Flags);
        }
        let Some((remaining, len)) = varint(rest)? else { return Ok(None) };
        let Some(body) = rest.get(len..len.saturating_add(remaining)) else { return Ok(None) };
        let publish = Publish::decode_body(version, flags, body)?;
        Ok(Some((Self::Publish(publish), len.saturating_add(remaining).saturating_add(1))))
    }

    /// The same for any other packet.
    #[inline(never)]
    fn other_front(version: Version, bytes: &'a [u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some((header, header_len)) = FixedHeader::decode(version, bytes)? else {
            return Ok(None);
        };
        let len = header_len.saturating_add(header.remaining);
        let Some(body) = bytes.get(header_len..len) else { return Ok(None) };
        Ok(Some((Self::decode(version, header, body)?, len)))
    }

    /// Which packet it is.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::Connack(_) => PacketType::Connack,
            Self::Publish(_) => PacketType::Publish,
            Self::Ack(packet) => packet.kind.packet_type(),
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Suback(_) => PacketType::Suback,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::Unsuback(_) => PacketType::Unsuback,
            Self::Pingreq => PacketType::Pingreq,
            Self::Pingresp => PacketType::Pingresp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// What MQTT 5.0 adds to the packet; a will has its own.
    pub const fn properties(&self) -> Properties<'a> {
        match self {
            Self::Connect(packet) => packet.properties,
            Self::Connack(packet) => packet.properties,
            Self::Publish(packet) => packet.message.head.properties,
            Self::Ack(packet) => packet.properties,
            Self::Subscribe(packet) => packet.properties,
            Self::Suback(packet) => packet.properties,
            Self::Unsubscribe(packet) => packet.properties,
            Self::Unsuback(packet) => packet.properties,
            Self::Pingreq | Self::Pingresp => Properties::NONE,
            Self::Disconnect(packet) => packet.properties,
            Self::Auth(packet) => packet.properties,
        }
    }

    /// The whole packet as this version writes it; CONNECT has its own.
    ///
    /// What the version has no place for is left out. AUTH is the same in both, though MQTT 3.1.1 has
    /// none.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    #[inline]
    fn put(&self, version: Version, sink: &mut dyn Sink) {
        match self {
            Self::Publish(packet) => packet.put(version, sink),
            _ => self.put_any(version, sink),
        }
    }

    /// The same, apart from the caller, which may take a PUBLISH into itself.
    #[inline(never)]
    fn put_any(&self, version: Version, sink: &mut dyn Sink) {
        match self {
            Self::Connect(packet) => packet.write(sink),
            Self::Connack(packet) => packet.put(version, sink),
            Self::Publish(packet) => packet.put(version, sink),
            Self::Ack(packet) => packet.put(version, sink),
            Self::Subscribe(packet) => packet.put(version, sink),
            Self::Suback(packet) => packet.put(version, sink),
            Self::Unsubscribe(packet) => packet.put(version, sink),
            Self::Unsuback(packet) => packet.put(version, sink),
            Self::Pingreq => sink.put(&ack::bare(PacketType::Pingreq)),
            Self::Pingresp => sink.put(&ack::bare(PacketType::Pingresp)),
            Self::Disconnect(packet) => packet.put(version, sink),
            Self::Auth(packet) => packet.write(sink),
        }
    }
}

#[cfg(test)]
mod tests;
