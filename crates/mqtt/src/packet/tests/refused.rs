//! What a packet of MQTT 5.0 must not be.

use super::*;

/// Each place of properties: a packet up to them and the rest of it, so that any block fits between.
const PLACES: [(&str, u8, &[u8], &[u8]); 15] = [
    ("will", 0x10, b"\0\x04MQTT\x05\x06\0\0\0\0\x01c", b"\0\x01w\0\0"),
    ("CONNECT", 0x10, b"\0\x04MQTT\x05\x02\0\0", b"\0\x01c"),
    ("CONNACK", 0x20, b"\0\0", b""),
    ("PUBLISH", 0x30, b"\0\x01t", b""),
    ("PUBACK", 0x40, b"\0\x01\0", b""),
    ("PUBREC", 0x50, b"\0\x01\0", b""),
    ("PUBREL", 0x62, b"\0\x01\0", b""),
    ("PUBCOMP", 0x70, b"\0\x01\0", b""),
    ("SUBSCRIBE", 0x82, b"\0\x01", b"\0\x01t\x01"),
    ("SUBACK", 0x90, b"\0\x01", b"\0"),
    ("UNSUBSCRIBE", 0xa2, b"\0\x01", b"\0\x01t"),
    ("UNSUBACK", 0xb0, b"\0\x01", b"\0"),
    ("PINGREQ", 0xc0, b"", b""),
    ("DISCONNECT", 0xe0, b"\0", b""),
    ("AUTH", 0xf0, b"\x18", b""),
];

/// Every property once, and where the standard's table (MQTT 5.0 §2.2.2.2) has it: a letter for each of
/// [`PLACES`] in their order.
const TABLE: [(&[u8], &str); 27] = [
    (b"\x01\x01", "w--p-----------"),
    (b"\x02\0\0\0\0", "w--p-----------"),
    (b"\x03\0\x01c", "w--p-----------"),
    (b"\x08\0\x01r", "w--p-----------"),
    (b"\x09\0\x01\xff", "w--p-----------"),
    (b"\x0b\x01", "---p----s------"),
    (b"\x11\0\0\0\0", "-cc----------d-"),
    (b"\x12\0\x01i", "--c------------"),
    (b"\x13\0\0", "--c------------"),
    (b"\x15\0\x01m", "-cc-----------a"),
    (b"\x16\0\x01d", "-cc-----------a"),
    (b"\x17\x01", "-c-------------"),
    (b"\x18\0\0\0\0", "w--------------"),
    (b"\x19\0", "-c-------------"),
    (b"\x1a\0\0", "--c------------"),
    (b"\x1c\0\0", "--c----------d-"),
    (b"\x1f\0\x01!", "--c-aaaa-s-u-da"),
    (b"\x21\0\x01", "-cc------------"),
    (b"\x22\0\0", "-cc------------"),
    (b"\x23\0\x01", "---p-----------"),
    (b"\x24\x01", "--c------------"),
    (b"\x25\0", "--c------------"),
    (b"\x26\0\x01k\0\x01v", "wccpaaaasuuu-da"),
    (b"\x27\0\0\0\x01", "-cc------------"),
    (b"\x28\x01", "--c------------"),
    (b"\x29\x01", "--c------------"),
    (b"\x2a\x01", "--c------------"),
];

const METHOD: &[u8] = b"\x15\0\x01m";

/// The properties as the place needs them: AUTH has a method always, CONNECT with data.
fn needed(place: &str, property: &[u8]) -> Vec<u8> {
    let method = match (place, property[0]) {
        ("AUTH", id) => id != 0x15,
        ("CONNECT", 0x16) => true,
        _ => false,
    };
    [if method { METHOD } else { b"" }, property].concat()
}

fn block(properties: &[u8]) -> Vec<u8> {
    let mut memory = [0; 4];
    let mut len = Writer::new(&mut memory);
    crate::header::put_varint(&mut len, properties.len());
    [len.written(), properties].concat()
}

/// What comes of these properties at the place.
fn outcome(place: usize, properties: &[u8]) -> Result<(), Malformed> {
    let (_, first, front, rest) = PLACES[place];
    let whole = packet(first, &[front, &block(properties), rest]);
    match decode(&whole) {
        Ok(Some((_, len))) if len == whole.len() => Ok(()),
        Ok(other) => panic!("{other:?}"),
        Err(malformed) => Err(malformed),
    }
}

/// MQTT 5.0 §2.2.2.2, table 2-4.
#[test]
fn each_property_is_allowed_or_refused_in_each_place_as_in_the_standard() {
    for (property, places) in TABLE {
        for (at, letter) in places.bytes().enumerate() {
            let name = PLACES[at].0;
            let expected = match (name, letter) {
                ("PINGREQ", _) => Err(Malformed::Length),
                (_, b'-') => Err(Malformed::Property),
                _ => Ok(()),
            };
            let properties = needed(name, property);
            assert_eq!(outcome(at, &properties), expected, "{:#x} in {name}", property[0]);
        }
    }
    assert_eq!(Malformed::Property.reason(), ReasonCode::MALFORMED_PACKET);
}

#[test]
fn each_identifier_that_is_not_in_the_table_is_refused_everywhere() {
    for id in 0..=255_u8 {
        if TABLE.iter().any(|(property, _)| property[0] == id) {
            continue;
        }
        for at in 0..PLACES.len() {
            let expected = if at == 12 { Malformed::Length } else { Malformed::Property };
            assert_eq!(outcome(at, &[id, 0, 0, 0, 0, 0]), Err(expected), "{id:#x}");
        }
    }
}

/// A list that is to be sent is checked by the same table.
#[test]
fn properties_to_send_are_allowed_where_those_that_come_are() {
    for (property, places) in TABLE {
        let came = Property::take(property[0], &mut dunlin_octet::Reader::new(&property[1..]));
        let property = came.unwrap();
        for (at, letter) in places.bytes().enumerate().filter(|(at, _)| *at != 12) {
            let list = [property, Property::AuthenticationMethod("m")];
            let method = matches!((PLACES[at].0, property.id()), ("AUTH", 0..=0x14 | 0x16..) | ("CONNECT", 0x16));
            let properties = Properties::new(if method { &list } else { &list[..1] });
            let checked = match at {
                0 => properties.check_will(),
                _ => properties.check(PacketType::from_first(PLACES[at].1).unwrap()),
            };
            assert_eq!(checked.is_ok(), letter != b'-', "{property:?} in {}", PLACES[at].0);
        }
    }
}

/// MQTT 5.0 §3.1.2.11, §3.2.2.3, §3.3.2.3, §3.8.2.1: once, but for user properties, and subscription
/// identifiers in PUBLISH.
#[test]
fn property_that_stands_twice_is_a_protocol_error() {
    for (property, places) in TABLE {
        for (at, letter) in places.bytes().enumerate().filter(|(_, letter)| *letter != b'-') {
            let name = PLACES[at].0;
            let twice = [needed(name, property), property.to_vec()].concat();
            let repeatable = property[0] == 0x26 || (property[0] == 0x0b && letter == b'p');
            let expected = if repeatable { Ok(()) } else { Err(Malformed::Repeated) };
            assert_eq!(outcome(at, &twice), expected, "{:#x} in {name}", property[0]);
        }
    }
    assert_eq!(Malformed::Repeated.reason(), ReasonCode::PROTOCOL_ERROR);
}

/// Each block of one property, cut at every byte, with the length that it then has.
#[test]
fn property_cut_at_any_byte_is_malformed() {
    for (property, places) in TABLE {
        for (at, _) in places.bytes().enumerate().filter(|(_, letter)| *letter != b'-') {
            for cut in 1..property.len() {
                let name = PLACES[at].0;
                let refused = outcome(at, &needed(name, &property[..cut])).unwrap_err();
                assert_eq!(refused, Malformed::Length, "{:#x} in {name} at {cut}", property[0]);
            }
        }
    }
}

/// A property length that is 0, exact, one more, and far more than the packet (T-05).
#[test]
fn property_length_that_disagrees_with_the_packet_is_refused() {
    for (at, (name, first, front, rest)) in PLACES.into_iter().enumerate() {
        if name == "PINGREQ" {
            continue;
        }
        let properties = needed(name, b"\x26\0\x01k\0\x01v");
        assert_eq!(outcome(at, &properties), Ok(()), "{name}");
        let empty = if name == "AUTH" { Err(Malformed::NoMethod) } else { Ok(()) };
        assert_eq!(outcome(at, b""), empty, "{name}");
        let ends = rest.is_empty();
        let longer = [
            (properties.len() + 1, vec![properties.len() as u8 + 1]),
            (127, vec![127]),
            (PACKET_BODY_MAX, vec![0xff, 0xff, 0xff, 0x7f]),
        ];
        for (len, varint) in longer {
            let whole = packet(first, &[front, &varint, &properties, rest]);
            let refused = decode(&whole).unwrap_err();
            // One byte more may be there, but is no property.
            let expected = matches!(refused, Malformed::Length)
                || (!ends && len == properties.len() + 1 && refused == Malformed::Property);
            assert!(expected, "{name}, {len}: {refused:?}");
        }
        // A length of zero in front of properties: they become something else, or are left over.
        let zero = packet(first, &[front, &[0], &properties, rest]);
        let decoded = decode(&zero);
        let is_payload = matches!(decoded, Ok(Some((Packet::Publish(_), _))));
        assert!(decoded.is_err() || is_payload, "{name}: {decoded:?}");
    }
}

/// [MQTT-1.5.5-1]
///
/// Four bytes at most (T-01).
#[test]
fn varint_of_five_bytes_or_longer_than_needed_is_refused_in_properties() {
    for (name, first, front, rest) in PLACES {
        if name == "PINGREQ" {
            continue;
        }
        for varint in
            [&[0x80, 0x00][..], &[0x80, 0x80, 0x80, 0x00], &[0x80; 4], &[0xff, 0xff, 0xff, 0xff, 1]]
        {
            let whole = packet(first, &[front, varint, rest]);
            let refused = decode(&whole);
            assert_eq!(refused, Err(Malformed::Length), "{name} {varint:x?}");
        }
    }
    for (value, expected) in [
        (&[1][..], Ok(())),
        (&[0xff, 0xff, 0xff, 0x7f], Ok(())),
        (&[0], Err(Malformed::Range)),
        (&[0x81, 0x00], Err(Malformed::Length)),
        (&[0xff, 0xff, 0xff, 0xff], Err(Malformed::Length)),
        (&[0xff, 0xff, 0xff, 0xff, 1], Err(Malformed::Length)),
    ] {
        for at in [3, 8] {
            assert_eq!(outcome(at, &[&[0x0b], value].concat()), expected, "{value:x?}");
        }
    }
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT-3.3.2-7] [MQTT-3.3.2-8] [MQTT-3.3.2-14]
///
/// MQTT 5.0 §3.1.2.11, §3.2.2.3, §3.3.2.3.
#[test]
fn property_with_a_value_that_it_must_not_have_is_refused() {
    for (at, property, expected) in [
        (1, &b"\x21\0\0"[..], Malformed::Range),
        (2, b"\x21\0\0", Malformed::Range),
        (1, b"\x27\0\0\0\0", Malformed::Range),
        (2, b"\x27\0\0\0\0", Malformed::Range),
        (3, b"\x23\0\0", Malformed::Range),
        (1, b"\x17\x02", Malformed::Range),
        (1, b"\x19\xff", Malformed::Range),
        (0, b"\x01\x02", Malformed::Range),
        (3, b"\x01\x02", Malformed::Range),
        (2, b"\x24\x02", Malformed::Range),
        (2, b"\x24\x03", Malformed::Range),
        (2, b"\x25\x02", Malformed::Range),
        (2, b"\x28\x02", Malformed::Range),
        (2, b"\x29\x02", Malformed::Range),
        (2, b"\x2a\x02", Malformed::Range),
        (3, b"\x08\0\x01#", Malformed::Topic),
        (0, b"\x08\0\x03a/+", Malformed::Topic),
        (3, b"\x08\0\0", Malformed::Topic),
        (3, b"\x03\0\x01\xff", Malformed::Utf8),
        (3, b"\x03\0\x03\xed\xa0\x80", Malformed::Utf8),
        (3, b"\x03\0\x02\xc0\x80", Malformed::Utf8),
        (3, b"\x03\0\x01\0", Malformed::Utf8),
        (4, b"\x26\0\x01\0\0\0", Malformed::Utf8),
        (4, b"\x26\0\0\0\x01\xff", Malformed::Utf8),
        (1, b"\x16\0\x01d", Malformed::NoMethod),
        (14, b"\x16\0\x01d", Malformed::NoMethod),
    ] {
        assert_eq!(outcome(at, property), Err(expected), "{property:x?} in {}", PLACES[at].0);
    }
    for protocol in [Malformed::Range, Malformed::NoMethod, Malformed::NoTopic] {
        assert_eq!(protocol.reason(), ReasonCode::PROTOCOL_ERROR);
    }
    for malformed in [Malformed::Topic, Malformed::Utf8, Malformed::Length, Malformed::Flags] {
        assert_eq!(malformed.reason(), ReasonCode::MALFORMED_PACKET);
    }
}

/// The codes of each packet, from the tables of its chapter (MQTT 5.0 §3.2.2.2 to §3.15.2.1).
type Reasons = (u8, &'static [u8], &'static [u8], &'static [u8]);

const REASONS: [Reasons; 9] = [
    (
        0x20,
        b"\0",
        b"\0",
        &[
            0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95,
            0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
        ],
    ),
    (0x40, b"\0\x01", b"", &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (0x50, b"\0\x01", b"", &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    (0x62, b"\0\x01", b"", &[0, 0x92]),
    (0x70, b"\0\x01", b"", &[0, 0x92]),
    (0x90, b"\0\x01\0", b"", &[0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]),
    (0xb0, b"\0\x01\0", b"", &[0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]),
    (
        0xe0,
        b"",
        b"",
        &[
            0, 4, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93,
            0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1,
            0xa2,
        ],
    ),
    (0xf0, b"", b"\x04\x15\0\x01m", &[0, 0x18, 0x19]),
];

/// [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.8.4-7]
/// [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1]
#[test]
fn each_packet_takes_its_own_reasons_and_no_others() {
    for (first, front, rest, legal) in REASONS {
        for code in 0..=255 {
            let whole = packet(first, &[front, &[code], rest]);
            let decoded = decode(&whole).map(|it| it.map(|(_, len)| len));
            let len = Ok(Some(whole.len()));
            let expected = if legal.contains(&code) { len } else { Err(Malformed::Value) };
            assert_eq!(decoded, expected, "{code:#x} in {first:#x}");
            assert_eq!(ReasonCode::new(code).meaning().is_empty(), !is_named(code), "{code:#x}");
        }
    }
}

/// [MQTT-3.1.2-2], v3.1.1: [MQTT-3.1.2-2]
#[test]
fn connack_of_a_server_that_speaks_the_other_version_alone_is_a_refusal() {
    let reason = |version, whole: &[u8]| {
        crate::fuzzing::packets(whole);
        Packet::decode_front(version, whole).map(|it| match it.unwrap().0 {
            Packet::Connack(connack) => connack.reason,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(reason(V5, &[0x20, 2, 0, 1]), Ok(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION));
    for whole in [[0x20, 2, 0, 0], [0x20, 2, 0, 2], [0x20, 2, 1, 1]] {
        assert!(reason(V5, &whole).is_err(), "{whole:x?}");
    }
    assert_eq!(reason(V5, &[0x20, 3, 0, 1, 0]), Err(Malformed::Value));
    let words = [0x20, 7, 0, 0x84, 4, 0x1f, 0, 1, b'5'];
    let long = [&[0x20, 0x81, 1, 0, 0x84][..], &[0; 127]].concat();
    for whole in [&[0x20, 3, 0, 0x84, 0][..], &[0x20, 2, 0, 0x84], &words, &long] {
        let expected = Ok(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
        assert_eq!(reason(Version::V3, whole), expected, "{whole:x?}");
    }
    assert_eq!(reason(Version::V3, &[0x20, 3, 0, 0x87, 0]), Err(Malformed::Length));
    assert_eq!(reason(Version::V3, &[0x20, 3, 0, 1, 0]), Err(Malformed::Length));
}

fn is_named(code: u8) -> bool {
    // The keep alive of MQTT 5.0 and the rest: every named code stands in some packet.
    REASONS.iter().any(|(.., legal)| legal.contains(&code))
}

/// [MQTT-3.8.3-2] [MQTT-3.8.3-3] [MQTT-3.8.3-4] [MQTT-3.8.3-5] [MQTT-3.10.3-2]
/// v3.1.1: [MQTT-3.8.3-3] [MQTT-3.10.3-2]
#[test]
fn subscription_options_are_those_of_the_standard() {
    for options in 0..=255_u8 {
        for filter in ["t", "$share/g/t"] {
            let len = [0, filter.len() as u8];
            let whole = packet(0x82, &[&[0, 1, 0], &len, filter.as_bytes(), &[options]]);
            let decoded = decode(&whole);
            let expected = match options {
                0x40.. => Some(Malformed::Flags),
                _ if options & 3 == 3 => Some(Malformed::Flags),
                0x30.. => Some(Malformed::Options),
                _ if options & 4 != 0 && filter.len() > 1 => Some(Malformed::Options),
                _ => None,
            };
            assert_eq!(decoded.err(), expected, "{options:#x} for {filter}");
            crate::fuzzing::packets(&whole);
        }
    }
    for first in [0x82, 0xa2] {
        assert_eq!(decode(&[first, 3, 0, 1, 0]), Err(Malformed::NoFilter));
        assert_eq!(Packet::decode_front(Version::V3, &[first, 2, 0, 1]), Err(Malformed::Length));
    }
    assert_eq!(Malformed::NoFilter.reason(), ReasonCode::PROTOCOL_ERROR);
    assert_eq!(Malformed::Options.reason(), ReasonCode::PROTOCOL_ERROR);
    assert_eq!(Subscribe::new(id(1), &[]).check(), Err(Malformed::NoFilter));
    assert_eq!(Unsubscribe::new(id(1), &[]).check(), Err(Malformed::NoFilter));
    assert_eq!(Unsubscribe::new(id(1), &["a#"]).check(), Err(Malformed::Topic));
    let wish = Subscription { no_local: true, ..Subscription::new("$share/g/t", Qos::AtMostOnce) };
    assert_eq!(Subscribe::new(id(1), &[wish]).check(), Err(Malformed::Options));
    assert_eq!(Subscribe::new(id(1), &wishes()).check(), Ok(()));
}

/// [MQTT-3.3.1-2] [MQTT-3.3.1-4] [MQTT-3.3.2-2]
///
/// MQTT 5.0 §3.3.2.1.
#[test]
fn publish_without_a_topic_needs_an_alias() {
    for (body, expected) in [
        (&b"\0\0\x03\x23\0\x01"[..], None),
        (b"\0\0\0", Some(Malformed::NoTopic)),
        (b"\0\0\x02\x01\x01", Some(Malformed::NoTopic)),
        (b"\0\x01#\x03\x23\0\x01", Some(Malformed::Topic)),
        (b"\0\x01\0\0", Some(Malformed::Utf8)),
        (b"\0\x01t", Some(Malformed::Length)),
    ] {
        assert_eq!(decode(&packet(0x30, &[body])).err(), expected, "{body:x?}");
    }
    assert_eq!(decode(b"\x32\x06\0\x01t\0\0\0"), Err(Malformed::PacketId));
    assert_eq!(decode(&[0x38]), Err(Malformed::Flags));
    assert_eq!(decode(&[0x36]), Err(Malformed::Flags));
    assert_eq!(Packet::decode_front(Version::V3, b"\x30\x02\0\0"), Err(Malformed::Topic));
}

/// [MQTT-2.1.3-1] [MQTT-3.1.2-1] [MQTT-3.1.2-3] [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.2.2-1]
/// [MQTT-3.15.1-1]
#[test]
fn packet_with_reserved_bits_or_bytes_behind_it_is_malformed() {
    let connect = |flags| packet(0x10, &[b"\0\x04MQTT\x05", &[flags], b"\0\0\0\0\x01c"]);
    for (flags, expected) in [(1, true), (0x08, true), (0x20, true), (0x1c, true), (2, false)] {
        let expected = expected.then_some(Malformed::Flags);
        assert_eq!(decode(&connect(flags)).err(), expected, "{flags:#x}");
    }
    let odd = packet(0x10, &[b"\0\x06MQIsdp\x05\x02\0\0\0\0\x01c"]);
    assert_eq!(decode(&odd), Err(Malformed::Value));
    for flag in 1..8 {
        assert_eq!(decode(&[0x20, 3, 1 << flag, 0, 0]), Err(Malformed::Flags));
    }
    for bytes in [
        &[0x20, 4, 0, 0, 0, 0][..],
        &[0x40, 5, 0, 1, 0, 0, 0],
        &[0xc0, 1, 0],
        &[0xd0, 1, 0],
        &[0xe0, 3, 0, 0, 0],
        &[0xf0, 1, 0x18],
        &[0x20, 2, 0, 0],
    ] {
        assert_eq!(decode(bytes), Err(Malformed::Length), "{bytes:x?}");
    }
    assert_eq!(decode(&[0xf0, 2, 0x18, 0]), Err(Malformed::NoMethod));
    for first in [0xf1, 0xe1, 0x60, 0x80, 0xa0, 0xb8] {
        assert_eq!(decode(&[first]), Err(Malformed::Flags));
    }
    for first in [0x40, 0x50, 0x62, 0x70, 0x90, 0xb0] {
        assert_eq!(decode(&[first, 4, 0, 0, 0, 0]), Err(Malformed::PacketId));
    }
}

/// 3.1.1 is as strict as ever: what only MQTT 5.0 has is refused.
#[test]
fn packet_of_the_newer_version_is_malformed_in_the_older() {
    for (bytes, expected) in [
        (&[0x20, 3, 0, 0, 0][..], Malformed::Length),
        (&[0x40, 3, 0, 1, 0], Malformed::Length),
        (&[0x62, 4, 0, 1, 0, 0], Malformed::Length),
        (&[0xe0, 1, 0], Malformed::Length),
        (&[0xb0, 3, 0, 1, 0], Malformed::Length),
        (&[0xb0, 4, 0, 1, 0, 0], Malformed::Length),
        (&[0xf0, 0], Malformed::Type),
        (&[0x90, 3, 0, 1, 0x87], Malformed::Value),
        (b"\x82\x06\0\x01\0\x01t\x04", Malformed::Flags),
    ] {
        assert_eq!(Packet::decode_front(Version::V3, bytes), Err(expected), "{bytes:x?}");
    }
}

/// Random bytes behind good beginnings: whatever decodes encodes back.
#[test]
fn packets_entry_point_holds_for_random_properties() {
    let seed: u64 = 0x9e37_79b9_7f4a_7c15;
    std::println!("seed {seed:#x}");
    let mut state = seed;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let mut decoded = 0;
    for _ in 0..100_000 {
        let (_, first, front, rest) = PLACES[random(PLACES.len())];
        let mut properties = Vec::new();
        for _ in 0..random(4) {
            properties.extend_from_slice(TABLE[random(TABLE.len())].0);
        }
        let mut whole = packet(first, &[front, &block(&properties), rest]);
        if random(2) == 0 {
            let at = random(whole.len());
            whole[at] = random(256) as u8;
        }
        decoded += usize::from(matches!(decode(&whole), Ok(Some(_))));
        crate::fuzzing::packets(&whole);
    }
    assert!(decoded > 10_000, "{decoded}");
}
