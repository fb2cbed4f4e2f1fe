//! What must end a connection: the error, and what is said before hanging up, to the byte.

use super::states::last_words;
use super::*;
use mqtt::{Malformed as M, Misbehaved as W};

const V3: &[Version] = &[Version::V3];
const V5: &[Version] = &[Version::V5];
const BOTH: &[Version] = &[Version::V3, Version::V5];

/// A packet, in which versions it is wrong, how, and the reason that MQTT 5.0 gives.
type Case = (&'static [Version], &'static [u8], M, u8);

/// Fixed headers, lengths, identifiers.
const FRAMING: &[Case] = &[
    (BOTH, &[0x30, 0x80, 0x80, 0x80, 0x80], M::Length, 0x81),
    (BOTH, &[0xd0, 0x80, 0], M::Length, 0x81),
    (BOTH, &[0x40, 0x82, 0, 0, 1], M::Length, 0x81),
    (BOTH, &[0x41, 2, 0, 1], M::Flags, 0x81),
    (BOTH, &[0x52, 2, 0, 1], M::Flags, 0x81),
    (BOTH, &[0x60, 2, 0, 1], M::Flags, 0x81),
    (BOTH, &[0x72, 2, 0, 1], M::Flags, 0x81),
    (BOTH, &[0x92, 3, 0, 1, 0], M::Flags, 0x81),
    (BOTH, &[0xb2, 2, 0, 1], M::Flags, 0x81),
    (BOTH, &[0xd1, 0], M::Flags, 0x81),
    (V5, &[0xe1, 0], M::Flags, 0x81),
    (V5, &[0xf1, 0], M::Flags, 0x81),
    (BOTH, &[0x38, 4, 0, 1, b't', 0], M::Flags, 0x81),
    (BOTH, &[0x36, 6, 0, 1, b't', 0, 1, 0], M::Flags, 0x81),
    (BOTH, &[0x3e, 6, 0, 1, b't', 0, 1, 0], M::Flags, 0x81),
    (BOTH, &[0x32, 6, 0, 1, b't', 0, 0, 0], M::PacketId, 0x82),
    (BOTH, &[0x34, 6, 0, 1, b't', 0, 0, 0], M::PacketId, 0x82),
    (BOTH, &[0x40, 2, 0, 0], M::PacketId, 0x82),
    (BOTH, &[0x50, 2, 0, 0], M::PacketId, 0x82),
    (BOTH, &[0x62, 2, 0, 0], M::PacketId, 0x82),
    (BOTH, &[0x70, 2, 0, 0], M::PacketId, 0x82),
    (BOTH, &[0x90, 4, 0, 0, 0, 0], M::PacketId, 0x82),
    (V3, &[0xb0, 2, 0, 0], M::PacketId, 0x82),
    (V5, &[0xb0, 4, 0, 0, 0, 0], M::PacketId, 0x82),
    (BOTH, &[0x40, 1, 0], M::Length, 0x81),
    (BOTH, &[0x90, 1, 0], M::Length, 0x81),
    (BOTH, &[0xd0, 1, 0], M::Length, 0x81),
];

/// Topics (T-03), and what stands behind acknowledgements.
const BODIES: &[Case] = &[
    (BOTH, &[0x30, 3, 0, 5, b't'], M::Length, 0x81),
    (BOTH, &[0x30, 1, 0], M::Length, 0x81),
    (BOTH, &[0x32, 3, 0, 1, b't'], M::Length, 0x81),
    (V3, &[0x30, 2, 0, 0], M::Topic, 0x81),
    (V5, &[0x30, 3, 0, 0, 0], M::NoTopic, 0x82),
    (BOTH, &[0x30, 4, 0, 1, b'+', 0], M::Topic, 0x81),
    (BOTH, &[0x30, 6, 0, 3, b'a', b'/', b'#', 0], M::Topic, 0x81),
    (BOTH, &[0x30, 4, 0, 1, 0, 0], M::Utf8, 0x81),
    (BOTH, &[0x30, 6, 0, 3, 0xed, 0xa0, 0x80, 0], M::Utf8, 0x81),
    (BOTH, &[0x30, 5, 0, 2, 0xc0, 0x80, 0], M::Utf8, 0x81),
    (BOTH, &[0x30, 4, 0, 1, 0xff, 0], M::Utf8, 0x81),
    (V3, &[0x40, 3, 0, 1, 0], M::Length, 0x81),
    (V3, &[0x50, 3, 0, 1, 0], M::Length, 0x81),
    (V3, &[0x62, 3, 0, 1, 0], M::Length, 0x81),
    (V3, &[0x70, 3, 0, 1, 0], M::Length, 0x81),
    (V3, &[0xb0, 3, 0, 1, 0], M::Length, 0x81),
    (V3, &[0x90, 3, 0, 1, 3], M::Value, 0x81),
    (V5, &[0x90, 4, 0, 1, 0, 3], M::Value, 0x81),
    (V5, &[0xb0, 4, 0, 1, 0, 1], M::Value, 0x81),
    (V5, &[0x40, 3, 0, 1, 0x92], M::Value, 0x81),
    (V5, &[0x50, 3, 0, 1, 1], M::Value, 0x81),
    (V5, &[0x62, 3, 0, 1, 0x10], M::Value, 0x81),
    (V5, &[0x70, 3, 0, 1, 0x80], M::Value, 0x81),
    (V5, &[0xe0, 1, 0x18], M::Value, 0x81),
    (V5, &[0xf0, 1, 0x18], M::Length, 0x81),
    (V5, &[0xf0, 2, 1, 0], M::Value, 0x81),
    (V5, &[0xf0, 2, 0x18, 0], M::NoMethod, 0x82),
];

/// Properties (T-05, and integers of T-01).
const PROPERTIES: &[Case] = &[
    (V5, &[0x30, 4, 0, 1, b't', 1], M::Length, 0x81),
    (V5, &[0x30, 4, 0, 1, b't', 0x7f], M::Length, 0x81),
    (V5, &[0x30, 8, 0, 1, b't', 0x80, 0x80, 0x80, 0x80, 1], M::Length, 0x81),
    (V5, &[0x30, 5, 0, 1, b't', 0x80, 0], M::Length, 0x81),
    (V5, &[0x40, 4, 0, 1, 0, 1], M::Length, 0x81),
    (V5, &[0x40, 5, 0, 1, 0, 0, 0], M::Length, 0x81),
    (V5, &[0x62, 4, 0, 1, 0, 9], M::Length, 0x81),
    (V5, &[0x90, 3, 0, 1, 9], M::Length, 0x81),
    (V5, &[0xb0, 2, 0, 1], M::Length, 0x81),
    (V5, &[0xe0, 2, 0, 1], M::Length, 0x81),
    (V5, &[0x30, 8, 0, 1, b't', 4, 1, 0, 1, 0], M::Repeated, 0x82),
    (V5, b"\x40\x0c\0\x01\0\x08\x1f\0\x01a\x1f\0\x01b", M::Repeated, 0x82),
    (V5, &[0x30, 9, 0, 1, b't', 5, 0x11, 0, 0, 0, 0], M::Property, 0x81),
    (V5, &[0x30, 6, 0, 1, b't', 2, 0x04, 0], M::Property, 0x81),
    (V5, &[0x40, 7, 0, 1, 0, 3, 0x23, 0, 1], M::Property, 0x81),
    (V5, &[0x30, 7, 0, 1, b't', 3, 0x23, 0, 0], M::Range, 0x82),
    (V5, &[0x30, 6, 0, 1, b't', 2, 0x0b, 0], M::Range, 0x82),
    (V5, &[0x30, 6, 0, 1, b't', 2, 0x01, 2], M::Range, 0x82),
    (V5, &[0x30, 10, 0, 1, b't', 6, 0x0b, 0x80, 0x80, 0x80, 0x80, 1], M::Length, 0x81),
    (V5, &[0x30, 7, 0, 1, b't', 3, 0x0b, 0x81, 0], M::Length, 0x81),
    (V5, b"\x30\x08\0\x01t\x04\x08\0\x01#", M::Topic, 0x81),
    (V5, b"\x40\x08\0\x01\0\x04\x1f\0\x01\xff", M::Utf8, 0x81),
];

/// CONNACK, where it is waited for.
const CONNACKS: &[Case] = &[
    (BOTH, &[0x21, 3, 0, 0, 0], M::Flags, 0x81),
    (V3, &[0x20, 2, 2, 0], M::Flags, 0x81),
    (V3, &[0x20, 2, 0x80, 0], M::Flags, 0x81),
    (V5, &[0x20, 3, 3, 0, 0], M::Flags, 0x81),
    (BOTH, &[0x20, 1, 0], M::Length, 0x81),
    (V3, &[0x20, 3, 0, 0, 0], M::Length, 0x81),
    (V5, &[0x20, 2, 0, 0], M::Length, 0x81),
    (V5, &[0x20, 4, 0, 0, 0, 0], M::Length, 0x81),
    (V3, &[0x20, 2, 0, 6], M::Value, 0x81),
    (V5, &[0x20, 3, 0, 1, 0], M::Value, 0x81),
    (V5, &[0x20, 3, 0, 0x8e, 0], M::Value, 0x81),
    (V5, &[0x20, 6, 0, 0, 3, 0x21, 0, 0], M::Range, 0x82),
    (V5, &[0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 0], M::Range, 0x82),
    (V5, &[0x20, 5, 0, 0, 2, 0x24, 2], M::Range, 0x82),
    (V5, &[0x20, 5, 0, 0, 2, 0x25, 2], M::Range, 0x82),
    (V5, &[0x20, 6, 0, 0, 3, 0x23, 0, 1], M::Property, 0x81),
    (V5, &[0x20, 9, 0, 0, 6, 0x21, 0, 1, 0x21, 0, 1], M::Repeated, 0x82),
];

/// How far a connection has come: on both transports, in each version.
fn states(version: Version, framed: bool) -> [Client<Vec<u8>>; 3] {
    let mut awaiting = client(framed, Config::new().version(version));
    awaiting.upgrade();
    let mut leaving = in_flight(framed, version);
    leaving.session.disconnect(ReasonCode::SUCCESS);
    [awaiting, in_flight(framed, version), leaving]
}

fn check(case: &Case, clients: impl Fn(Version, bool) -> Vec<Client<Vec<u8>>>) {
    let (versions, packet, malformed, reason) = *case;
    for version in versions {
        for framed in [true, false] {
            for mut client in clients(*version, framed) {
                client.give(packet);
                let last = last_words(framed, *version, Some(reason), 1002);
                let error = Error::from(malformed);
                assert_eq!(client.poll(), Err(error), "{version:?} {packet:02x?}");
                client.assert_ends(error, &last);
            }
        }
    }
}

/// [MQTT-2.1.3-1] [MQTT-3.3.1-4] [MQTT-1.5.5-1], v3.1.1: [MQTT-2.2.2-2] [MQTT-4.8.0-1]
#[test]
fn malformed_packet_ends_the_connection_in_every_state() {
    for case in [FRAMING, BODIES, PROPERTIES].concat() {
        check(&case, |version, framed| states(version, framed).into());
    }
}

/// [MQTT-3.2.2-1], v3.1.1: [MQTT-4.8.0-1]
#[test]
fn malformed_connack_ends_the_connection() {
    for case in CONNACKS {
        check(case, |version, framed| {
            let [awaiting, ..] = states(version, framed);
            vec![awaiting]
        });
    }
}

/// T-04: what is wrong is wrong however it is cut, and stays so.
#[test]
fn malformed_packet_in_pieces_is_as_wrong_as_whole() {
    for (versions, packet, malformed, _) in [FRAMING, BODIES, PROPERTIES].concat() {
        for cut in 1..packet.len() {
            let mut client = in_flight(true, versions[0]);
            client.give(&packet[..cut]);
            let error = Error::from(malformed);
            match client.poll() {
                Ok(None) => client.give(&packet[cut..]),
                other => assert_eq!(other, Err(error), "{packet:02x?} cut at {cut}"),
            }
            assert_eq!(client.poll(), Err(error), "{packet:02x?} cut at {cut}");
        }
    }
}

/// T-03: every length of a topic in every length of a packet.
#[test]
fn topic_longer_than_its_packet_is_malformed() {
    for version in [Version::V3, Version::V5] {
        for topic in 0..70u8 {
            for remaining in 0..70u8 {
                let mut packet = vec![0x30, remaining, 0, topic];
                packet.resize(4 + usize::from(topic), b't');
                packet.resize(2 + usize::from(remaining).max(2), 0);
                packet.truncate(2 + usize::from(remaining));
                let mut client = in_flight(false, version);
                client.give(&packet);
                let properties = u8::from(version == Version::V5);
                let fits = topic > 0 && remaining >= 2 + topic + properties;
                assert_eq!(client.poll().is_ok(), fits, "{version:?} {topic} in {remaining}");
            }
        }
    }
}

/// [MQTT-3.8.4-6] [MQTT-3.11.3-1], v3.1.1: [MQTT-3.8.4-6]
///
/// T-22, to the last byte.
#[test]
fn answers_for_another_number_of_filters_end_the_connection() {
    for version in [Version::V3, Version::V5] {
        for framed in [true, false] {
            for count in [0, 1, 3] {
                let mut client = open(framed, Config::new().version(version));
                let wish = |filter| crate::Subscription::new(filter, Qos::AtMostOnce);
                client.session.subscribe(&[wish("a"), wish("b")]).unwrap();
                client.sent();
                let properties = usize::from(version == Version::V5);
                let mut packet = vec![0x90, 2 + properties as u8 + count, 0, 1];
                packet.resize(4 + properties + usize::from(count), 0);
                client.give(&packet);
                let last = last_words(framed, version, Some(0x82), 1002);
                client.assert_ends(W::SubackCount.into(), &last);
            }
        }
    }
}

/// [MQTT-3.3.4-7]
///
/// T-25: identifiers of QoS 2 without end are cut off at the Receive Maximum.
#[test]
fn messages_without_end_are_cut_off_at_the_receive_maximum() {
    for framed in [true, false] {
        let mut client = open(framed, Config::new().version(Version::V5));
        for id in 1..=2 {
            client.give(&[0x34, 6, 0, 1, b't', 0, id, 0]);
            assert_eq!(client.events().len(), 1);
            assert!(client.sent().ends_with(&[0x50, 2, 0, id]));
        }
        client.give(&[0x34, 6, 0, 1, b't', 0, 3, 0]);
        client.assert_ends(
            W::ReceiveMaximum.into(),
            &last_words(framed, Version::V5, Some(0x93), 1002),
        );
    }
}

/// [MQTT-3.1.2-24]
#[test]
fn packet_above_the_promised_size_ends_the_connection_at_its_header() {
    let promise: &[Property<'_>] = &[Property::MaximumPacketSize(NonZeroU32::new(100).unwrap())];
    let promise: &'static [Property<'static>] = std::boxed::Box::leak(promise.to_vec().into());
    for (properties, room) in [(&[][..], 512), (promise, 100)] {
        for framed in [true, false] {
            let begin = |remaining: usize| {
                let config = Config::new().version(Version::V5);
                let mut client = asking(framed, config, vec![0; 512], properties).unwrap();
                client.upgrade();
                client.give(accepted(Version::V5));
                client.events();
                client.give(&match remaining {
                    0..=127 => vec![0x30, remaining as u8],
                    _ => vec![0x30, 0x80 | (remaining % 128) as u8, (remaining / 128) as u8],
                });
                client
            };
            let header = if room > 129 { 3 } else { 2 };
            assert_eq!(begin(room - header).poll(), Ok(None));
            let last = last_words(framed, Version::V5, Some(0x95), 1009);
            begin(room - header + 1).assert_ends(W::PacketTooLarge.into(), &last);
        }
    }
}

/// [MQTT-6.0.0-1]
///
/// T-07: a text frame.
#[test]
fn text_frame_ends_the_connection_with_1003_in_mqtt_5_too() {
    let mut client = open(true, Config::new().version(Version::V5));
    client.give_raw(&frame(0x81, CONNACK));
    let last = last_words(true, Version::V5, Some(0x82), 1003);
    client.assert_ends(Error::Misbehaved(Misbehaved::TextFrame), &last);
}

/// [MQTT-6.0.0-2], v3.1.1: [MQTT-6.0.0-2]
///
/// T-07: packets in many frames, many packets in a frame.
#[test]
fn packets_and_frames_need_not_end_together() {
    for version in [Version::V3, Version::V5] {
        let mut client = open(true, Config::new().version(version).manual_acks());
        let one: &[u8] = match version {
            Version::V3 => b"\x30\x04\0\x01tx",
            Version::V5 => b"\x30\x05\0\x01t\0x",
        };
        let all = one.repeat(3);
        for size in 1..=all.len() {
            let mut events = Vec::new();
            for piece in all.chunks(size) {
                client.give(piece);
                events.extend(client.events());
            }
            assert_eq!(events, ["Message([120])"; 3], "{version:?} {size}");
        }
    }
}

/// What looks odd and is right.
#[test]
fn short_and_empty_forms_are_accepted() {
    for (packet, outcome) in [
        (&[0x40, 2, 0, 1][..], 1),
        (&[0x40, 3, 0, 1, 0x10], 1),
        (&[0x40, 4, 0, 1, 0, 0], 1),
        (&[0x62, 3, 0, 1, 0x92], 0),
        (&[0x62, 4, 0, 1, 0, 0], 0),
        (&[0x70, 3, 0, 9, 0x92], 0),
        (&[0x30, 5, 0, 1, b't', 0, 0xff], 1),
    ] {
        let mut client = in_flight(true, Version::V5);
        client.give(packet);
        assert_eq!(client.events().len(), outcome, "{packet:02x?}");
    }
}
