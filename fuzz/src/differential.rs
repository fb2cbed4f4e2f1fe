//! Our codec beside mqtt-proto's.
//!
//! What both accept must mean the same, field by field; what one alone accepts must be on the list of
//! [`known`] differences, each with what the standard says.

mod known;
mod newer;
mod older;

use dunlin_mqtt::{Packet, Version};
use mqtt_proto::v5::ErrorV5;

/// Any bytes as a packet of either version, and a packet of any values.
///
/// # Panics
/// When the two codecs differ in a way that is not known.
pub fn differential(data: &[u8]) {
    for version in [Version::V3, Version::V5] {
        compare(version, data);
    }
    dunlin_mqtt::fuzzing::value(data, compare);
}

/// A packet as mqtt-proto has it.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Theirs {
    V3(mqtt_proto::v3::Packet),
    V5(mqtt_proto::v5::Packet),
}

impl Theirs {
    /// The same packet, made of the values of ours.
    fn of(version: Version, packet: &Packet<'_>) -> Self {
        match version {
            Version::V3 => Self::V3(older::packet(packet)),
            Version::V5 => Self::V5(newer::packet(packet)),
        }
    }

    /// `None` where they want more bytes.
    fn decode(version: Version, bytes: &[u8]) -> Result<Option<Self>, ErrorV5> {
        match version {
            Version::V3 => Ok(mqtt_proto::v3::Packet::decode(bytes)?.map(Self::V3)),
            Version::V5 => Ok(mqtt_proto::v5::Packet::decode(bytes)?.map(Self::V5)),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let bytes = match self {
            Self::V3(packet) => packet.encode(),
            Self::V5(packet) => packet.encode(),
        };
        bytes.expect("what they decoded they encode").as_ref().to_vec()
    }
}

fn compare(version: Version, data: &[u8]) {
    let Some(bytes) = first_packet(data) else { return };
    let ours = Packet::decode_front(version, bytes);
    let theirs = Theirs::decode(version, bytes);
    match (ours, theirs) {
        // A CONNECT says itself which version it is; they must be asked for the right one.
        (Ok(Some((Packet::Connect(connect), _))), theirs) if connect.version != version => {
            assert!(theirs.is_err(), "{connect:?}: {theirs:?}");
        }
        (Ok(Some((packet, len))), Ok(Some(theirs))) => {
            assert_eq!(len, bytes.len(), "{bytes:x?}");
            agree(version, &packet, &theirs);
        }
        (Ok(Some((packet, _))), theirs) => {
            let known = known::refused_by_them_alone(version, &packet, &theirs);
            assert!(known, "we take {bytes:x?}: {packet:?}, they say {theirs:?}");
        }
        (Ok(None), theirs) => panic!("{bytes:x?} is no packet, they say {theirs:?}"),
        (Err(malformed), Ok(Some(theirs))) => {
            let known = known::taken_by_them_alone(version, malformed, bytes, &theirs);
            assert!(known, "{malformed}: {bytes:x?}, they take it for {theirs:?}");
        }
        (Err(_), _) => {}
    }
}

/// The bytes up to where the remaining length says, in whatever form it is written; `None` when there
/// are fewer.
fn first_packet(data: &[u8]) -> Option<&[u8]> {
    let varint = data.get(1..)?.iter().take(4);
    let end = varint.clone().position(|byte| byte & 0x80 == 0)?;
    let septets = varint.take(end + 1).enumerate();
    let remaining: usize = septets.map(|(at, byte)| usize::from(byte & 0x7f) << (7 * at)).sum();
    data.get(..2 + end + remaining)
}

/// Both accept: what they mean is the same, and each reads what the other writes.
fn agree(version: Version, packet: &Packet<'_>, theirs: &Theirs) {
    assert_eq!(&Theirs::of(version, packet), theirs);
    let mut written = Written(Vec::new());
    dunlin_octet::Text::write(&packet.with(version), &mut written);
    let again = Theirs::decode(version, &written.0);
    let same = matches!(&again, Ok(Some(again)) if again == theirs);
    assert!(same, "we write {:x?}, they read {again:?}", written.0);
    let written = theirs.encode();
    match Packet::decode_front(version, &written) {
        Ok(Some((again, len))) if len == written.len() => {
            assert_eq!(&Theirs::of(version, &again), theirs, "{written:x?}");
        }
        Err(_) if known::written_wrongly_by_them(theirs) => {}
        other => panic!("they write {written:x?}, we read {other:?}"),
    }
}

struct Written(Vec<u8>);

impl dunlin_octet::Sink for Written {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}
