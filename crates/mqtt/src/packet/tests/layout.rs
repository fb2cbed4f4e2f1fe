//! What stands where in a packet, in both versions: against bytes written out here, so that an error
//! that encoding and decoding share is seen too.

use super::*;

/// A field with its length in front.
fn field(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// No properties, where the version has any.
fn none(version: Version) -> &'static [u8] {
    match version {
        Version::V3 => &[],
        V5 => &[0],
    }
}

fn both_ways(version: Version, packet: Packet<'_>, wire: &[u8]) {
    assert_eq!(bytes(&packet.with(version)), wire, "{version:?}");
    assert_eq!(Packet::decode_front(version, wire), Ok(Some((packet, wire.len()))), "{version:?}");
}

/// [MQTT-3.1.2-1] [MQTT-3.1.2-6] [MQTT-3.1.3-1]
/// v3.1.1: [MQTT-3.1.2-1] [MQTT-3.1.2-2] [MQTT-3.1.2-9] [MQTT-3.1.3-1] [MQTT-3.1.3-3]
#[test]
fn connect_with_every_field_has_them_in_the_order_of_the_standard() {
    let connect = Connect {
        keep_alive_s: 0x1234,
        user_name: Some("user"),
        password: Some(b"pass"),
        will: Some(Will::new("w", b"gone", Qos::AtLeastOnce).retained()),
        ..Connect::new("id")
    };
    let old = b"\x10\x23\0\x04MQTT\x04\xee\x12\x34\0\x02id\0\x01w\0\x04gone\0\x04user\0\x04pass";
    both_ways(Version::V3, Packet::Connect(connect), old);
    let delay = [Property::WillDelayInterval(7)];
    let receive = [Property::ReceiveMaximum(NonZeroU16::MAX)];
    let will = Will::new("w", b"gone", Qos::AtLeastOnce).retained();
    let connect = Connect {
        version: V5,
        will: Some(will.with_properties(Properties::new(&delay))),
        properties: Properties::new(&receive),
        ..connect
    };
    let new = b"\x10\x2d\0\x04MQTT\x05\xee\x12\x34\x03\x21\xff\xff\0\x02id\
        \x05\x18\0\0\0\x07\0\x01w\0\x04gone\0\x04user\0\x04pass";
    both_ways(V5, Packet::Connect(connect), new);
    for level in [4, 5] {
        for name in ["MQTt", "mqtt", "MQIs", "NQTT"] {
            let other = [&field(name.as_bytes())[..], &[level, 2, 0, 0, 0, 1, b'c', 0]].concat();
            assert_eq!(decode(&packet(0x10, &[&other])), Err(Malformed::Value), "{name}");
        }
    }
}

/// [MQTT-3.1.2-3] [MQTT-3.1.2-6] [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-9] [MQTT-3.1.2-13]
/// [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19]
/// v3.1.1: [MQTT-3.1.2-3] [MQTT-3.1.2-9] [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-14]
/// v3.1.1: [MQTT-3.1.2-15] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.2-20] [MQTT-3.1.2-21]
/// v3.1.1: [MQTT-3.1.2-22]
#[test]
fn connect_has_just_the_fields_that_its_flags_say() {
    for (version, level) in [(Version::V3, 4), (V5, 5)] {
        for flags in 0..=255_u8 {
            let (will, user, pass) = (flags & 4 != 0, flags & 0x80 != 0, flags & 0x40 != 0);
            let head = [&b"\0\x04MQTT"[..], &[level, flags, 0, 0], none(version)].concat();
            let mut fields = vec![field(b"c")];
            if will {
                fields.push([none(version), &field(b"w")].concat());
                fields.push(field(b"gone"));
            }
            fields.extend(user.then(|| field(b"u")));
            fields.extend(pass.then(|| field(b"p")));
            let whole = |fields: &[Vec<u8>]| packet(0x10, &[&head, &fields.concat()]);
            let wire = whole(&fields);
            let legal = flags & 1 == 0
                && (will || flags & 0x38 == 0)
                && flags & 0x18 != 0x18
                && (version == V5 || user || !pass);
            if !legal {
                assert_eq!(decode(&wire), Err(Malformed::Flags), "{level} {flags:#x}");
                continue;
            }
            let (decoded, _) = decode(&wire).unwrap().unwrap();
            let Packet::Connect(connect) = decoded else { panic!("{decoded:?}") };
            assert_eq!(connect.will.is_some(), will);
            assert_eq!(connect.user_name.is_some(), user);
            assert_eq!(connect.password.is_some(), pass);
            both_ways(version, decoded, &wire);
            for count in 1..fields.len() {
                let fewer = whole(&fields[..count]);
                assert_eq!(decode(&fewer), Err(Malformed::Length), "{level} {flags:#x} {count}");
            }
            fields.push(field(b"x"));
            assert_eq!(decode(&whole(&fields)), Err(Malformed::Length), "{level} {flags:#x}");
        }
    }
}

/// [MQTT-2.2.1-2] [MQTT-3.3.2-1], v3.1.1: [MQTT-2.3.1-5] [MQTT-3.3.2-1]
#[test]
fn publish_begins_with_its_topic_and_has_an_identifier_above_qos_0_only() {
    for (version, wire) in
        [(Version::V3, &b"\x30\x06\0\x01t\0\x07x"[..]), (V5, b"\x30\x07\0\x01t\0\0\x07x")]
    {
        let message = Message::new("t", b"\0\x07x", Qos::AtMostOnce);
        both_ways(
            version,
            Packet::Publish(Publish { message, duplicate: false, packet_id: None }),
            wire,
        );
    }
    for (version, wire) in
        [(Version::V3, &b"\x3d\x06\0\x01t\0\x07x"[..]), (V5, b"\x3d\x07\0\x01t\0\x07\0x")]
    {
        let message = Message::new("t", b"x", Qos::ExactlyOnce).retained();
        let packet_id = Some(id(7));
        both_ways(version, Packet::Publish(Publish { message, duplicate: true, packet_id }), wire);
    }
}

/// [MQTT-3.8.3-3] [MQTT-3.10.3-1], v3.1.1: [MQTT-3.8.3-3] [MQTT-3.10.3-1]
#[test]
fn filters_stand_behind_one_another_with_their_options() {
    let wishes = wishes();
    let subscribe = Packet::Subscribe(Subscribe::new(id(258), &wishes));
    let new = b"\x82\x1e\x01\x02\0\0\x03a/#\x02\0\x01b\x04\0\x0e$share/group/+\x29";
    both_ways(V5, subscribe, new);
    let wishes = wishes.map(|wish| Subscription::new(wish.filter, wish.qos));
    let subscribe = Packet::Subscribe(Subscribe::new(id(258), &wishes));
    let old = b"\x82\x1d\x01\x02\0\x03a/#\x02\0\x01b\0\0\x0e$share/group/+\x01";
    both_ways(Version::V3, subscribe, old);
    let unsubscribe = Packet::Unsubscribe(Unsubscribe::new(id(258), &["a/#", "b"]));
    both_ways(V5, unsubscribe, b"\xa2\x0b\x01\x02\0\0\x03a/#\0\x01b");
    both_ways(Version::V3, unsubscribe, b"\xa2\x0a\x01\x02\0\x03a/#\0\x01b");
}

/// v3.1.1: [MQTT-3.9.3-1] [MQTT-3.9.3-2]
#[test]
fn suback_of_the_older_version_has_four_codes_and_keeps_their_order() {
    let order = [0x80, 1, 0, 2, 0];
    let suback = Packet::Suback(Suback::new(id(258), &order));
    both_ways(Version::V3, suback, b"\x90\x07\x01\x02\x80\x01\0\x02\0");
    let Packet::Suback(suback) = suback else { panic!("{suback:?}") };
    assert!(suback.reasons.iter().eq(order.map(ReasonCode::new)));
    for code in 0..=255 {
        let wire = [0x90, 4, 0, 1, 0, code];
        let refused = Packet::decode_front(Version::V3, &wire).err();
        let expected = (!order.contains(&code)).then_some(Malformed::Value);
        assert_eq!(refused, expected, "{code:#x}");
    }
}

/// [MQTT-2.2.1-4], v3.1.1: [MQTT-2.3.1-1] [MQTT-2.3.1-4]
#[test]
fn packet_identifier_of_zero_is_malformed_in_every_packet() {
    assert_eq!(PacketId::new(0), None);
    for version in [Version::V3, V5] {
        let none = none(version);
        for (first, front, rest) in [
            (0x32, &b"\0\x01t"[..], none),
            (0x34, b"\0\x01t", none),
            (0x40, b"", b""),
            (0x50, b"", b""),
            (0x62, b"", b""),
            (0x70, b"", b""),
            (0x82, b"", &[none, b"\0\x01t\0"].concat()),
            (0x90, b"", &[none, b"\0"].concat()),
            (0xa2, b"", &[none, b"\0\x01t"].concat()),
            (0xb0, b"", if version == V5 { b"\0\0" } else { b"" }),
        ] {
            let zero = packet(first, &[front, &[0, 0], rest]);
            let refused = Packet::decode_front(version, &zero);
            assert_eq!(refused, Err(Malformed::PacketId), "{first:#x} {version:?}");
            let one = packet(first, &[front, &[0, 1], rest]);
            assert!(Packet::decode_front(version, &one).is_ok(), "{first:#x} {version:?}");
        }
    }
}

/// What stands before and behind a string, in a packet with this first byte.
type Around<'a> = (u8, Vec<u8>, &'a [u8]);

/// Every string of every packet that is no property.
fn strings(version: Version) -> [Around<'static>; 6] {
    let none = none(version);
    let connect = |flags| {
        let level = if version == V5 { 5 } else { 4 };
        [&b"\0\x04MQTT"[..], &[level, flags, 0, 0], none].concat()
    };
    let rest: &[u8] = if version == V5 { b"\0payload" } else { b"payload" };
    [
        (0x10, connect(2), b""),
        (0x10, [&connect(6), &b"\0\x01c"[..], none].concat(), b"\0\0"),
        (0x10, [&connect(0x82), &b"\0\x01c"[..]].concat(), b""),
        (0x30, Vec::new(), rest),
        (0x82, [&b"\0\x01"[..], none, b"\0\x01t\0"].concat(), b"\x01"),
        (0xa2, [&b"\0\x01"[..], none, b"\0\x01t"].concat(), b""),
    ]
}

const NOT_UTF8: [&[u8]; 8] = [
    b"\xff",
    b"t\xc3",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\0",
    b"t\0t",
];

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.4-3] [MQTT-3.1.3-11] [MQTT-3.1.3-12] [MQTT-3.3.2-1]
/// [MQTT-3.8.3-1] [MQTT-3.10.3-1] [MQTT-4.7.3-2]
/// v3.1.1: [MQTT-1.5.3-1] [MQTT-1.5.3-2] [MQTT-3.1.3-4] [MQTT-3.1.3-10] [MQTT-3.1.3-11]
/// v3.1.1: [MQTT-3.3.2-1] [MQTT-3.8.3-1] [MQTT-3.10.3-1] [MQTT-4.7.3-2]
#[test]
fn string_that_is_not_utf8_or_has_nul_is_malformed_wherever_it_stands() {
    for version in [Version::V3, V5] {
        for (first, front, rest) in strings(version) {
            let with = |text: &[u8]| packet(first, &[&front, &field(text), rest]);
            for bad in NOT_UTF8 {
                let refused = with(bad);
                let refused = Packet::decode_front(version, &refused);
                assert_eq!(refused, Err(Malformed::Utf8), "{first:#x} {version:?} {bad:x?}");
            }
            // A byte order mark is a character like any other, and control characters are allowed.
            for good in ["\u{feff}", "\u{1}", "\u{d7ff}\u{e000}\u{ffff}", "\u{10ffff}"] {
                let wire = with(good.as_bytes());
                let (decoded, len) = Packet::decode_front(version, &wire).unwrap().unwrap();
                assert_eq!(len, wire.len());
                assert_eq!(bytes(&decoded.with(version)), wire, "{first:#x} {version:?} {good:?}");
            }
        }
    }
    let nul = Connect::new("c\0");
    assert_eq!(nul.check(), Err(Malformed::Utf8));
    assert_eq!(
        Connect { user_name: Some("\0"), ..Connect::new("c") }.check(),
        Err(Malformed::Utf8)
    );
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.4-3] [MQTT-1.5.7-1] [MQTT-3.3.2-13] [MQTT-3.3.2-19]
#[test]
fn string_property_that_is_not_utf8_or_has_nul_is_malformed() {
    for (first, front, before, after) in [
        (0x30, &b"\0\x01t"[..], &b"\x03"[..], &b""[..]),
        (0x30, b"\0\x01t", b"\x08", b""),
        (0x30, b"\0\x01t", b"\x26", b"\0\x01v"),
        (0x30, b"\0\x01t", b"\x26\0\x01k", b""),
        (0x20, b"\0\0", b"\x12", b""),
        (0x20, b"\0\0", b"\x15", b""),
        (0x20, b"\0\0", b"\x1a", b""),
        (0x20, b"\0\0", b"\x1c", b""),
        (0x20, b"\0\0", b"\x1f", b""),
    ] {
        let with = |text: &[u8]| {
            let block = [before, &field(text), after].concat();
            packet(first, &[front, &[block.len() as u8], &block])
        };
        for bad in NOT_UTF8 {
            let refused = with(bad);
            assert_eq!(decode(&refused), Err(Malformed::Utf8), "{before:x?} {bad:x?}");
        }
        let wire = with("\u{feff}".as_bytes());
        let (decoded, _) = decode(&wire).unwrap().unwrap();
        assert_eq!(bytes(&decoded.with(V5)), wire, "{before:x?}");
    }
    for property in [
        Property::ResponseTopic("\0"),
        Property::ContentType("\0"),
        Property::UserProperty(("\0", "")),
        Property::UserProperty(("", "\0")),
    ] {
        let refused = Properties::new(&[property]).check(PacketType::Publish);
        assert!(matches!(refused, Err(Malformed::Utf8)), "{property:?}: {refused:?}");
    }
}
