//! The fixed header: packet type, flags, remaining length (MQTT 3.1.1 §2.2).

use crate::{Malformed, Version};
use dunlin_octet::{Reader, Sink};

/// Longest packet body that the remaining length can say, in bytes (MQTT 3.1.1 §2.2.3).
pub const PACKET_BODY_MAX: usize = 268_435_455;

/// Most bytes that the remaining length takes (MQTT 3.1.1 §2.2.3).
pub(crate) const VARINT_MAX: usize = 4;

/// The kinds of control packet (MQTT 3.1.1 §2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(missing_docs, reason = "the names are the standard's own")]
pub enum PacketType {
    // With its number: the compiler makes nothing of the matches below but a shift.
    Connect = 1,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
    /// Only in MQTT 5.0.
    Auth,
}

impl PacketType {
    /// The type in the upper half of the first byte; 0 is reserved, and so is 15 ([`Self::Auth`]) in
    /// MQTT 3.1.1.
    pub const fn from_first(first: u8) -> Option<Self> {
        Some(match first >> 4 {
            1 => Self::Connect,
            2 => Self::Connack,
            3 => Self::Publish,
            4 => Self::Puback,
            5 => Self::Pubrec,
            6 => Self::Pubrel,
            7 => Self::Pubcomp,
            8 => Self::Subscribe,
            9 => Self::Suback,
            10 => Self::Unsubscribe,
            11 => Self::Unsuback,
            12 => Self::Pingreq,
            13 => Self::Pingresp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// The first byte of a packet of this type, with the flags that the standard fixes for it.
    pub const fn first(self) -> u8 {
        let flags = match self {
            Self::Pubrel | Self::Subscribe | Self::Unsubscribe => 0x02,
            _ => 0,
        };
        self.number() << 4 | flags
    }

    /// The number on the wire.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Connect => 1,
            Self::Connack => 2,
            Self::Publish => 3,
            Self::Puback => 4,
            Self::Pubrec => 5,
            Self::Pubrel => 6,
            Self::Pubcomp => 7,
            Self::Subscribe => 8,
            Self::Suback => 9,
            Self::Unsubscribe => 10,
            Self::Unsuback => 11,
            Self::Pingreq => 12,
            Self::Pingresp => 13,
            Self::Disconnect => 14,
            Self::Auth => 15,
        }
    }
}

/// What stands in front of every packet.
// In this order, an error in place of a header lies over `flags`, which is of its size. Over the
// first byte of `remaining` it made the compiler move that number in two parts through each `?`:
// eight nanoseconds a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
pub struct FixedHeader {
    /// The packet's type.
    pub packet_type: PacketType,
    /// The four flag bits: free in PUBLISH, checked against the standard in all others.
    pub flags: u8,
    /// How many bytes follow the fixed header.
    pub remaining: usize,
}

impl FixedHeader {
    /// Reads the header at the front of `bytes`, and how long it is; `None` when more bytes are needed.
    ///
    /// A wrong flag, a reserved type, a length of five bytes or in a longer form than needed is refused
    /// with the first byte that shows it.
    // Part of its callers, which then need not move what it returns. Small machines would rather have
    // it once.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn decode(version: Version, bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let [first, rest @ ..] = bytes else { return Ok(None) };
        let packet_type = match first {
            // The commonest packet by far, ahead of the table.
            0x30..=0x3f => PacketType::Publish,
            _ => PacketType::from_first(*first).ok_or(Malformed::Type)?,
        };
        if packet_type == PacketType::Auth && version.in_build() == Version::V3 {
            return Err(Malformed::Type);
        }
        let flags = first & 0x0f;
        // [MQTT-2.1.3-1], v3.1.1: [MQTT-2.2.2-1], [MQTT-2.2.2-2] Reserved flags have fixed values.
        let legal = match packet_type {
            PacketType::Publish => crate::publish::flags_are_legal(flags),
            other => other.first() == *first,
        };
        if !legal {
            return Err(Malformed::Flags);
        }
        let Some((remaining, len)) = varint(rest)? else { return Ok(None) };
        Ok(Some((Self { packet_type, flags, remaining }, len.saturating_add(1))))
    }

    /// How long this header is on the wire.
    pub const fn encoded_len(remaining: usize) -> usize {
        match remaining {
            0..=127 => 2,
            128..=16_383 => 3,
            16_384..=2_097_151 => 4,
            _ => 5,
        }
    }
}

/// Reads a variable byte integer, and how long it is.
#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    // Nearly all packets are shorter than 128 bytes, and nearly all others than 16 KiB: to a small machine
    // the others are not worth the flash.
    match bytes {
        [low @ 0..=0x7f, ..] => Ok(Some((usize::from(*low), 1))),
        [low, high @ 1..=0x7f, ..] if cfg!(target_pointer_width = "64") => {
            Ok(Some((usize::from(low & 0x7f) | usize::from(*high) << 7, 2)))
        }
        _ => long_varint(bytes),
    }
}

/// The same for one of any length.
#[inline(never)]
fn long_varint(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(VARINT_MAX).enumerate() {
        value |= usize::from(byte & 0x7f) << at.saturating_mul(7).min(21);
        if byte & 0x80 == 0 {
            // A last byte of zero says nothing: the same number has a shorter form.
            let minimal = *byte != 0 || at == 0;
            return if minimal {
                Ok(Some((value, at.saturating_add(1))))
            } else {
                Err(Malformed::Length)
            };
        }
    }
    if bytes.len() < VARINT_MAX { Ok(None) } else { Err(Malformed::Length) }
}

/// Puts a first byte and a remaining length of at most [`PACKET_BODY_MAX`].
// Byte by byte: an array that is made byte by byte and then copied as a whole waits for all of them.
pub(crate) fn put_header(sink: &mut (impl Sink + ?Sized), first: u8, remaining: usize) {
    sink.put(&[first]);
    put_varint(sink, remaining);
}

/// Takes a variable byte integer in its shortest form (MQTT 5.0 §1.5.5, [MQTT-1.5.5-1]).
pub(crate) fn take_varint(body: &mut Reader<'_>) -> Result<usize, Malformed> {
    let (value, len) = varint(body.rest())?.ok_or(Malformed::Length)?;
    body.take(len);
    Ok(value)
}

/// Puts a variable byte integer of at most [`PACKET_BODY_MAX`].
pub(crate) fn put_varint(sink: &mut (impl Sink + ?Sized), value: usize) {
    let mut rest = value;
    for _ in 0..VARINT_MAX {
        let [.., low] = (rest & 0x7f).to_be_bytes();
        rest >>= 7;
        sink.put(&[if rest == 0 { low } else { low | 0x80 }]);
        if rest == 0 {
            return;
        }
    }
}

/// How long a variable byte integer is on the wire.
pub(crate) const fn varint_len(value: usize) -> usize {
    FixedHeader::encoded_len(value).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode;
    use dunlin_octet::Writer;

    fn encoded(first: u8, remaining: usize) -> std::vec::Vec<u8> {
        let mut memory = [0; 5];
        let mut writer = Writer::new(&mut memory);
        put_header(&mut writer, first, remaining);
        writer.written().to_vec()
    }

    /// MQTT 3.1.1 §2.2.3, table 2.4.
    #[test]
    fn remaining_length_at_each_border_round_trips() {
        for (remaining, len) in [
            (0, 2),
            (127, 2),
            (128, 3),
            (16_383, 3),
            (16_384, 4),
            (2_097_151, 4),
            (2_097_152, 5),
            (PACKET_BODY_MAX, 5),
        ] {
            let bytes = encoded(0x30, remaining);
            assert_eq!(bytes.len(), len);
            assert_eq!(FixedHeader::encoded_len(remaining), len);
            let (header, used) = FixedHeader::decode(Version::V3, &bytes).unwrap().unwrap();
            assert_eq!((header.remaining, used), (remaining, len));
            for cut in 0..len {
                assert_eq!(FixedHeader::decode(Version::V3, &bytes[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn remaining_length_of_five_bytes_is_malformed_at_the_fourth() {
        let bytes = [0x30, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(FixedHeader::decode(Version::V3, &bytes[..4]), Ok(None));
        for cut in 5..=bytes.len() {
            assert_eq!(FixedHeader::decode(Version::V3, &bytes[..cut]), Err(Malformed::Length));
        }
    }

    #[test]
    fn remaining_length_in_a_longer_form_than_needed_is_malformed() {
        assert_eq!(FixedHeader::decode(Version::V3, &[0x30, 0x80, 0x00]), Err(Malformed::Length));
        assert_eq!(
            FixedHeader::decode(Version::V3, &[0x30, 0xff, 0x80, 0x00]),
            Err(Malformed::Length)
        );
    }

    /// What a packet of MQTT 3.1.1 may begin with, from the tables of both standards: PUBLISH without
    /// QoS 3 and without DUP at QoS 0, and each other type with its own flags.
    const FIRST: [u8; 23] = [
        0x10, 0x20, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3a, 0x3b, 0x3c, 0x3d, 0x40, 0x50, 0x62,
        0x70, 0x82, 0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0,
    ];

    /// [MQTT-2.1.3-1] [MQTT-3.1.2-12] [MQTT-3.3.1-2] [MQTT-3.3.1-4] [MQTT-3.6.1-1] [MQTT-3.8.1-1]
    /// [MQTT-3.10.1-1] [MQTT-3.14.1-1] [MQTT-3.15.1-1]
    /// v3.1.1: [MQTT-2.2.2-1] [MQTT-2.2.2-2] [MQTT-3.3.1-2] [MQTT-3.3.1-4] [MQTT-3.6.1-1]
    /// v3.1.1: [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1]
    #[test]
    fn reserved_flags_and_types_are_malformed_at_the_first_byte() {
        for first in 0..=0xffu8 {
            let malformed = match first {
                0..=0x0f => Err(Malformed::Type),
                _ => Err(Malformed::Flags),
            };
            let legal = FIRST.contains(&first);
            let old = match first {
                0xf0..=0xff => Err(Malformed::Type),
                _ if legal => Ok(None),
                _ => malformed,
            };
            let new = if legal || first == 0xf0 { Ok(None) } else { malformed };
            assert_eq!(FixedHeader::decode(Version::V3, &[first]), old, "{first:#x}");
            assert_eq!(FixedHeader::decode(Version::V5, &[first]), new, "{first:#x}");
            let kind = PacketType::from_first(first);
            let fixed = kind.filter(|kind| *kind != PacketType::Publish && new.is_ok());
            assert!(fixed.is_none_or(|kind| kind.first() == first), "{first:#x}");
        }
        assert_eq!(Malformed::Flags.reason(), ReasonCode::MALFORMED_PACKET);
    }
}
