//! MQTT 5.0 packets: both ways, every cut, and what is refused.

use super::*;
use crate::{
    Message, PACKET_BODY_MAX, PacketId, Property, Qos, ReasonCode, RetainHandling, STRING_MAX,
    Subscription, SubscriptionId, Will,
};
use core::num::{NonZeroU16, NonZeroU32};
use dunlin_octet::{Count, Writer};
use std::{string::String, vec, vec::Vec};

mod layout;
mod refused;

const V5: Version = Version::V5;

fn bytes(text: &impl Text) -> Vec<u8> {
    let mut memory = vec![0; Count::of(text)];
    text.write(&mut Writer::new(&mut memory));
    memory
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn decode(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Malformed> {
    Packet::decode_front(V5, bytes)
}

/// A packet of these parts, with its length.
fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut memory = [0; 5];
    let mut header = Writer::new(&mut memory);
    crate::header::put_header(&mut header, first, body.len());
    [header.written(), &body].concat()
}

/// All that a CONNACK can have.
fn granted() -> [Property<'static>; 18] {
    [
        Property::SessionExpiryInterval(u32::MAX),
        Property::AssignedClientIdentifier("named"),
        Property::ServerKeepAlive(9),
        Property::AuthenticationMethod("SCRAM-SHA-256"),
        Property::AuthenticationData(&[0, 255]),
        Property::ResponseInformation("answers/"),
        Property::ServerReference("other:8883"),
        Property::ReasonString("because"),
        Property::ReceiveMaximum(NonZeroU16::MAX),
        Property::TopicAliasMaximum(3),
        Property::MaximumQos(Qos::AtLeastOnce),
        Property::RetainAvailable(true),
        Property::MaximumPacketSize(NonZeroU32::MIN),
        Property::WildcardSubscriptionAvailable(false),
        Property::SubscriptionIdentifierAvailable(true),
        Property::SharedSubscriptionAvailable(false),
        Property::UserProperty(("twice", "")),
        Property::UserProperty(("twice", "")),
    ]
}

fn will_properties() -> [Property<'static>; 6] {
    [
        Property::WillDelayInterval(60),
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(3_600),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answers/7"),
        Property::CorrelationData(&[1, 2, 3]),
    ]
}

fn wishes() -> [Subscription<'static>; 3] {
    [
        Subscription::new("a/#", Qos::ExactlyOnce),
        Subscription { no_local: true, ..Subscription::new("b", Qos::AtMostOnce) },
        Subscription {
            retain_as_published: true,
            retain_handling: RetainHandling::DoNotSend,
            ..Subscription::new("$share/group/+", Qos::AtLeastOnce)
        },
    ]
}

/// Calls `each` with packets of every type, with and without properties.
fn for_every_packet(mut each: impl FnMut(&Packet<'_>)) {
    let (granted, will_list, wishes) = (granted(), will_properties(), wishes());
    let of = Properties::new;
    let reason = of(&granted[7..8]);
    let subscription = [Property::SubscriptionIdentifier(SubscriptionId::new(1 << 20).unwrap())];
    let aliased = [Property::TopicAlias(NonZeroU16::MIN), subscription[0], subscription[0]];
    let will = Will::new("w", b"gone", Qos::ExactlyOnce).retained();
    let connects = [
        Connect { version: V5, clean_session: false, ..Connect::new("") },
        Connect {
            version: V5,
            keep_alive_s: 45,
            user_name: Some("user"),
            password: Some(&[0, 1]),
            will: Some(will.with_properties(of(&will_list))),
            properties: of(&granted[3..5]),
            ..Connect::new("client")
        },
        Connect { version: V5, password: Some(&[0xff]), will: Some(will), ..Connect::new("c") },
        Connect { user_name: Some("3.1.1"), will: Some(will), ..Connect::new("c") },
    ];
    connects.iter().for_each(|connect| each(&Packet::Connect(*connect)));
    let yes =
        Connack { session_present: true, reason: ReasonCode::SUCCESS, properties: of(&granted) };
    each(&Packet::Connack(yes));
    let no = ReasonCode::BAD_AUTHENTICATION_METHOD;
    each(&Packet::Connack(Connack { session_present: false, reason: no, properties: of(&[]) }));
    for (message, packet_id) in [
        (Message::new("t", b"", Qos::AtMostOnce), None),
        (Message::new("t", &[7; 300], Qos::AtLeastOnce).retained(), Some(id(1))),
        (Message::new("", b"x", Qos::ExactlyOnce).with_properties(of(&aliased)), Some(id(9))),
        (Message::new("t/1", b"x", Qos::AtMostOnce).with_properties(of(&will_list[1..])), None),
    ] {
        each(&Packet::Publish(Publish { message, duplicate: packet_id.is_some(), packet_id }));
    }
    for kind in [AckKind::Puback, AckKind::Pubrec, AckKind::Pubrel, AckKind::Pubcomp] {
        let ack = Ack::new(kind, id(0xffff));
        let refused = match kind {
            AckKind::Puback | AckKind::Pubrec => ReasonCode::QUOTA_EXCEEDED,
            _ => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
        };
        each(&Packet::Ack(ack));
        each(&Packet::Ack(Ack { reason: refused, ..ack }));
        each(&Packet::Ack(Ack { properties: reason, ..ack }));
        each(&Packet::Ack(Ack { reason: refused, properties: reason, ..ack }));
    }
    for properties in [of(&[]), of(&subscription)] {
        each(&Packet::Subscribe(Subscribe::new(id(3), &wishes).with_properties(properties)));
    }
    for properties in [of(&[]), of(&granted[16..])] {
        let unsubscribe = Unsubscribe::new(id(4), &["a", "$share/g/b"]);
        each(&Packet::Unsubscribe(unsubscribe.with_properties(properties)));
    }
    for properties in [of(&[]), reason] {
        each(&Packet::Suback(Suback { properties, ..Suback::new(id(5), &[0, 1, 2, 0x80, 0xa2]) }));
        each(&Packet::Unsuback(Unsuback { properties, ..Unsuback::new(id(6), &[0, 0x11]) }));
        for reason in [ReasonCode::SUCCESS, ReasonCode::SERVER_MOVED] {
            each(&Packet::Disconnect(Disconnect { reason, properties }));
        }
    }
    let (reason, properties) = (ReasonCode::CONTINUE_AUTHENTICATION, of(&granted[3..5]));
    each(&Packet::Auth(Auth { reason, properties }));
    each(&Packet::Auth(Auth { reason: ReasonCode::SUCCESS, properties: of(&[]) }));
    each(&Packet::Pingreq);
    each(&Packet::Pingresp);
}

/// [MQTT-1.5.5-1] [MQTT-2.2.2-1]
#[test]
fn every_packet_round_trips_and_no_cut_of_it_is_a_packet() {
    let mut types = Vec::new();
    for_every_packet(|packet| {
        let whole = bytes(&packet.with(V5));
        assert_eq!(decode(&whole), Ok(Some((*packet, whole.len()))), "{whole:x?}");
        let (again, _) = decode(&whole).unwrap().unwrap();
        assert_eq!(bytes(&again.with(V5)), whole, "as it came");
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), Ok(None), "{packet:?} cut at {cut}");
        }
        crate::fuzzing::packets(&whole);
        types.push(whole[0] >> 4);
    });
    types.dedup();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types, (1..=15).collect::<Vec<u8>>());
}

/// A body that is shorter than it was is another packet or none, and never one that says the same.
#[test]
fn every_packet_whose_length_cuts_it_short_is_refused_or_says_less() {
    for_every_packet(|packet| {
        let whole = bytes(&packet.with(V5));
        let (header, header_len) = FixedHeader::decode(V5, &whole).unwrap().unwrap();
        let body = &whole[header_len..];
        for cut in 0..body.len() {
            let shorter = Packet::decode(V5, header, &body[..cut]);
            assert_ne!(shorter, Ok(*packet), "{packet:?} cut at {cut}");
            if let Packet::Connect(_) | Packet::Connack(_) | Packet::Auth(_) = packet {
                let none = cut == 0 && matches!(packet, Packet::Auth(_));
                assert!(shorter.is_err() || none, "{packet:?} cut at {cut}");
            }
        }
    });
}

/// What MQTT 3.1.1 has no place for is left out, and nothing else.
#[test]
fn every_packet_in_the_older_version_says_what_that_can_say() {
    for_every_packet(|packet| {
        if let Packet::Auth(_) = packet {
            let auth = bytes(&packet.with(Version::V3));
            assert_eq!(Packet::decode_front(Version::V3, &auth), Err(Malformed::Type));
            return;
        }
        let old = bytes(&packet.with(Version::V3));
        // A topic alias stands for no topic there.
        if matches!(packet, Packet::Publish(it) if it.message.head.topic.is_empty()) {
            assert_eq!(Packet::decode_front(Version::V3, &old), Err(Malformed::Topic));
            return;
        }
        let (decoded, len) = Packet::decode_front(Version::V3, &old).unwrap().unwrap();
        assert_eq!(len, old.len());
        if !matches!(decoded, Packet::Connect(_)) {
            assert!(decoded.properties().is_empty());
        }
        assert_eq!(bytes(&decoded.with(Version::V3)), old);
    });
}

/// MQTT 5.0 §3.4.2.1, §3.14.2.1, §3.15.2.1.
#[test]
fn short_forms_are_read_and_written() {
    for first in [0x40, 0x50, 0x62, 0x70] {
        for form in [&[0, 7][..], &[0, 7, 0], &[0, 7, 0, 0]] {
            let long = packet(first, &[form]);
            let (decoded, _) = decode(&long).unwrap().unwrap();
            let Packet::Ack(ack) = decoded else { panic!("{decoded:?}") };
            assert_eq!((ack.packet_id, ack.reason), (id(7), ReasonCode::SUCCESS));
            assert_eq!(bytes(&decoded.with(V5)), [first, 2, 0, 7]);
            assert_eq!(ack.encode(), [first, 2, 0, 7]);
            crate::fuzzing::packets(&long);
        }
    }
    for (form, shortest) in [
        (&[0x40, 4, 0, 7, 0x10, 0][..], &[0x40, 3, 0, 7, 0x10][..]),
        (&[0xe0, 0], &[0xe0, 0]),
        (&[0xe0, 1, 0], &[0xe0, 0]),
        (&[0xe0, 2, 0, 0], &[0xe0, 0]),
        (&[0xe0, 2, 4, 0], &[0xe0, 1, 4]),
        (&[0xf0, 0], &[0xf0, 0]),
    ] {
        let (decoded, len) = decode(form).unwrap().unwrap();
        assert_eq!(len, form.len());
        assert_eq!(bytes(&decoded.with(V5)), shortest);
        crate::fuzzing::packets(form);
    }
}

/// A string of 65,535 bytes goes both ways, one of 65,536 is refused before it is written (T-08).
#[test]
fn string_as_long_as_can_be_round_trips_and_a_longer_one_is_refused() {
    let long = String::from_utf8(vec![b'a'; STRING_MAX + 1]).unwrap();
    let just = &long[1..];
    type Make = for<'a> fn(&'a str) -> Property<'a>;
    let makers: [(PacketType, Make); 4] = [
        (PacketType::Connack, |text| Property::ReasonString(text)),
        (PacketType::Publish, |text| Property::CorrelationData(text.as_bytes())),
        (PacketType::Puback, |text| Property::UserProperty((text, ""))),
        (PacketType::Puback, |text| Property::UserProperty(("", text))),
    ];
    for (packet_type, make) in makers {
        assert_eq!(Properties::new(&[make(just)]).check(packet_type), Ok(()));
        assert_eq!(Properties::new(&[make(&long)]).check(packet_type), Err(Malformed::Length));
    }
    let list = [Property::UserProperty((just, just))];
    let ack = Ack { properties: Properties::new(&list), ..Ack::new(AckKind::Puback, id(1)) };
    let whole = bytes(&ack.with(V5));
    assert_eq!(decode(&whole), Ok(Some((Packet::Ack(ack), whole.len()))));
    let connect = |text| Connect { version: V5, user_name: Some(text), ..Connect::new("c") };
    assert_eq!(connect(just).check(), Ok(()));
    assert_eq!(connect(&long).check(), Err(Malformed::Length));
    let topic = Message::new(just, b"", Qos::AtMostOnce);
    let publish = Publish { message: topic, duplicate: false, packet_id: None };
    let whole = bytes(&publish.with(V5));
    assert_eq!(decode(&whole), Ok(Some((Packet::Publish(publish), whole.len()))));
}

/// No packet has more than 268,435,455 bytes of properties (T-08).
#[test]
fn properties_longer_than_a_packet_are_refused() {
    let just = String::from_utf8(vec![b'a'; STRING_MAX]).unwrap();
    let pair = Property::UserProperty((&just, &just));
    let fit = PACKET_BODY_MAX / (2 * STRING_MAX + 5);
    let list = vec![pair; fit + 1];
    assert_eq!(Properties::new(&list[..fit]).check(PacketType::Publish), Ok(()));
    assert_eq!(Properties::new(&list).check(PacketType::Publish), Err(Malformed::Length));
}

/// [MQTT-3.1.2-2], v3.1.1: [MQTT-3.1.2-2]
#[test]
fn connect_says_itself_which_version_it_is() {
    let connect = |level| packet(0x10, &[b"\0\x04MQTT", &[level, 2, 0, 0], b"\0\x01c"]);
    let five = |version| {
        let bytes = packet(0x10, &[b"\0\x04MQTT\x05\x02\0\0\0", b"\0\x01c"]);
        Packet::decode_front(version, &bytes).map(|it| {
            it.map(|(packet, _)| match packet {
                Packet::Connect(connect) => connect.version,
                other => panic!("{other:?}"),
            })
        })
    };
    for version in [Version::V3, V5] {
        assert_eq!(five(version), Ok(Some(V5)));
        let (bytes, older) = (connect(4), Connect::new("c"));
        let decoded = Packet::decode_front(version, &bytes);
        assert_eq!(decoded, Ok(Some((Packet::Connect(older), bytes.len()))));
        for level in [0, 3, 6, 0x84, 255] {
            let decoded = Packet::decode_front(version, &connect(level)).unwrap_err();
            assert_eq!(decoded, Malformed::Version);
            assert_eq!(decoded.reason(), ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
            assert_eq!(decoded.reason().to_connack(), 1);
        }
    }
}

/// v3.1.1: [MQTT-3.1.2-22] [MQTT-3.1.3-7]
///
/// They hold for 3.1.1 alone.
#[test]
fn connect_that_only_one_version_can_say_is_checked_for_it() {
    let list = [Property::SessionExpiryInterval(1)];
    let properties = Properties::new(&list);
    let delayed = Will::new("w", b"", Qos::AtMostOnce).with_properties(properties);
    for (connect, old, new) in [
        (Connect { password: Some(b"x"), ..Connect::new("c") }, Err(Malformed::Value), Ok(())),
        (Connect { clean_session: false, ..Connect::new("") }, Err(Malformed::Value), Ok(())),
        (Connect { properties, ..Connect::new("c") }, Err(Malformed::Property), Ok(())),
        (
            Connect { will: Some(delayed), ..Connect::new("c") },
            Err(Malformed::Property),
            Err(Malformed::Property),
        ),
    ] {
        assert_eq!(connect.check(), old, "{connect:?}");
        assert_eq!(Connect { version: V5, ..connect }.check(), new, "{connect:?}");
    }
}

/// A secret must not reach a log through the text of a packet (T-29).
#[test]
fn authentication_data_is_not_in_the_text_of_a_packet() {
    let list = [Property::AuthenticationMethod("m"), Property::AuthenticationData(&[0xa5])];
    let auth = Auth { reason: ReasonCode::RE_AUTHENTICATE, properties: Properties::new(&list) };
    let text = std::format!("{auth:?}");
    assert!(text.contains("AuthenticationMethod") && !text.contains("165"), "{text}");
}
