//! Packets as they come: any bytes.

use crate::{Connack, Connect, Packet, PacketType, Properties, ReasonCode, Version};

/// Whatever decodes, in either version, lies inside its input, can be read through, encodes back to
/// the same bytes, or to the form of the version that says the same, and is incomplete wherever it is
/// cut.
///
/// # Panics
/// When it does not.
pub fn packets(data: &[u8]) {
    for version in [Version::V3, Version::V5] {
        let Ok(Some((packet, len))) = Packet::decode_front(version, data) else { continue };
        let bytes = data.get(..len).unwrap_or_default();
        let shortest = unsupported(version, &packet, bytes)
            .or_else(|| if version == Version::V5 { shortest(bytes) } else { None });
        let mut same = Same {
            expected: shortest
                .as_ref()
                .map_or(bytes, |(short, len)| short.get(..*len).unwrap_or_default()),
        };
        dunlin_octet::Text::write(&packet.with(version), &mut same);
        read_through(packet.properties());
        if let Packet::Connect(Connect { will: Some(will), .. }) = packet {
            read_through(will.head.properties);
        }
        assert!(same.expected.is_empty(), "{packet:?} encodes to fewer bytes than it came in");
        check_cuts(version, bytes);
    }
}

/// A packet of which something is missing is no packet yet, and never an error.
fn check_cuts(version: Version, packet: &[u8]) {
    for cut in (0..packet.len()).filter(|cut| cut.min(&packet.len().abs_diff(*cut)) <= &CUTS) {
        let decoded = Packet::decode_front(version, packet.get(..cut).unwrap_or_default());
        assert_eq!(decoded, Ok(None), "cut at {cut}: {packet:x?}");
    }
}

/// So many bytes at either end of a packet are where it is cut: the rest is payload, or all of it.
const CUTS: usize = 512;

/// What is read one by one is all that there is.
fn read_through(properties: Properties<'_>) {
    let len = properties.iter().map(|property| dunlin_octet::Count::of(&property));
    assert_eq!(len.fold(0, usize::saturating_add), properties.len());
}

/// The shortest form of an acknowledgement or a DISCONNECT of MQTT 5.0 that leaves out nothing that it
/// says: without a property length of zero, and then without a reason of zero (MQTT 5.0 §3.4.2.1,
/// §3.14.2.1). No other packet has two forms.
fn shortest(bytes: &[u8]) -> Option<([u8; 6], usize)> {
    let [first, body_len, body @ ..] = bytes else { return None };
    let front = match PacketType::from_first(*first)? {
        PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => 2,
        PacketType::Disconnect => 0,
        _ => return None,
    };
    let (id, rest) = body.split_at_checked(front)?;
    let rest = match rest {
        [0] | [0, 0] => &[],
        [reason, 0] => core::slice::from_ref(reason),
        _ => return None,
    };
    let mut memory = [0; 6];
    let mut writer = dunlin_octet::Writer::new(&mut memory);
    let shorter = u8::try_from(front.saturating_add(rest.len())).unwrap_or(*body_len);
    for part in [&[*first, shorter], id, rest] {
        dunlin_octet::Sink::put(&mut writer, part);
    }
    let len = writer.len();
    Some((memory, len))
}

/// The refusal of a server that does not speak this version, in the form of this version: it may have
/// come in that of the other one.
fn unsupported(version: Version, packet: &Packet<'_>, bytes: &[u8]) -> Option<([u8; 6], usize)> {
    let Packet::Connack(Connack { reason, .. }) = packet else { return None };
    match (version, bytes) {
        _ if *reason != ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => None,
        (Version::V3, [0x20, 2, _, 1]) => None,
        (Version::V3, _) => Some(([0x20, 2, 0, 1, 0, 0], 4)),
        (Version::V5, [0x20, 2, 0, 1]) => Some(([0x20, 3, 0, 0x84, 0, 0], 5)),
        (Version::V5, _) => None,
    }
}

/// A sink that has seen the bytes before.
struct Same<'a> {
    expected: &'a [u8],
}

impl dunlin_octet::Sink for Same<'_> {
    fn put(&mut self, bytes: &[u8]) {
        match self.expected.split_at_checked(bytes.len()) {
            Some((front, rest)) if front == bytes => self.expected = rest,
            _ => assert_eq!(self.expected, bytes, "encoded otherwise than decoded"),
        }
    }
}
