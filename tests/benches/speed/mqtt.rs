//! MQTT packets into values and back, and the session that keeps them.

use crate::group::{Group, OURS};
use bytes::{Bytes, BytesMut};
use dunlin_mqtt::{
    Ack, AckKind, Config, Message, Packet, PacketId, Properties, Property, Publish, Qos, Session,
    Version, matches,
};
use dunlin_octet::{Text, Writer};
use rumqttc::{mqttbytes, v5};
use std::hint::black_box;

const TOPIC: &str = "devices/seven/telemetry";
const LENGTHS: &[(usize, &str)] = &[(64, "64 B"), (1 << 10, "1 KiB")];
const MQTTRS: &str = "mqttrs 0.4";
const RUMQTTC: &str = "rumqttc 0.25 (owned)";
/// It borrows as ours does, and leaves U+0000 and wildcards in a topic to its user.
const MQTTRS_MAX: f64 = 1.0;
/// It makes values of its own.
const RUMQTTC_MAX: f64 = 1.0 / 3.0;
/// The same to encode, where both copy the topic and the payload, and of a long one little else is left;
/// what makes the difference are its two allocations.
const RUMQTTC_ENCODE_MAX: f64 = 1.0 / 2.0;

/// What a service says beside a message.
const PROPERTIES: &[Property<'_>] = &[
    Property::MessageExpiryInterval(3_600),
    Property::ContentType("application/json"),
    Property::UserProperty(("trace", "4bf92f3577b34da6")),
];

pub(crate) fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for (len, label) in LENGTHS {
        groups.push(decode(*len, label));
        groups.push(encode(*len, label));
        groups.push(decode_five(*len, label, &[]));
        groups.push(decode_five(*len, label, PROPERTIES));
        groups.push(session(*len, label));
    }
    groups.push(filter());
    groups
}

fn publish(payload: &[u8]) -> Publish<'_> {
    let message = Message::new(TOPIC, payload, Qos::AtLeastOnce);
    Publish { message, duplicate: false, packet_id: PacketId::new(7) }
}

fn encoded(version: Version, publish: &Publish<'_>) -> Vec<u8> {
    let mut memory = vec![0; publish.message.payload.len() + 128];
    let mut out = Writer::new(&mut memory);
    publish.with(version).write(&mut out);
    out.written().to_vec()
}

fn decode(len: usize, label: &str) -> Group {
    let bytes = encoded(Version::V3, &publish(&vec![7; len]));
    let (ours, mqttrs, rumqttc) = (bytes.clone(), bytes.clone(), Bytes::from(bytes));
    Group::new(format!("mqtt: decode PUBLISH, QoS 1, {label}"))
        .case(OURS, move || {
            let decoded = Packet::decode_front(Version::V3, black_box(&ours));
            assert!(matches!(black_box(&decoded), Ok(Some((Packet::Publish(_), _)))));
        })
        .peer(MQTTRS, MQTTRS_MAX, move || {
            let decoded = mqttrs::decode_slice(black_box(&mqttrs));
            assert!(matches!(black_box(&decoded), Ok(Some(mqttrs::Packet::Publish(_)))));
        })
        .peer(RUMQTTC, RUMQTTC_MAX, move || {
            let header = mqttbytes::check(black_box(&rumqttc).iter(), usize::MAX).unwrap();
            let decoded = mqttbytes::v4::Publish::read(header, rumqttc.clone());
            assert!(black_box(&decoded).is_ok());
        })
        .counted()
}

fn decode_five(len: usize, label: &str, properties: &'static [Property<'_>]) -> Group {
    let payload = vec![7; len];
    let mut publish = publish(&payload);
    publish.message = publish.message.with_properties(Properties::new(properties));
    let ours = encoded(Version::V5, &publish);
    let rumqttc = Bytes::from(ours.clone());
    let count = properties.len();
    let group = Group::new(format!("mqtt 5: decode PUBLISH, {count} properties, {label}"));
    let group = group.counted().case(OURS, move || {
        let decoded = Packet::decode_front(Version::V5, black_box(&ours));
        assert!(matches!(black_box(&decoded), Ok(Some((Packet::Publish(_), _)))));
    });
    let theirs = move || {
        let header = v5::mqttbytes::v5::check(black_box(&rumqttc).iter(), None).unwrap();
        let decoded = v5::mqttbytes::v5::Publish::read(header, rumqttc.clone());
        assert!(black_box(&decoded).is_ok());
    };
    // Strings are most of the time then, and looking at them is the same work for both.
    let most = if properties.is_empty() { RUMQTTC_MAX } else { 1.0 };
    group.peer(RUMQTTC, most, theirs)
}

fn encode(len: usize, label: &str) -> Group {
    let payload = vec![7; len];
    let (owned, mut out) = (payload.clone(), BytesMut::with_capacity(len + 64));
    let rumqttc = move || {
        out.clear();
        black_box(&owned_publish(&owned)).write(&mut out).unwrap();
        black_box(&out);
    };
    let (packet, mut out) = (owned_publish(&payload), BytesMut::with_capacity(len + 64));
    let rumqttc_made_before = move || {
        out.clear();
        black_box(&packet).write(&mut out).unwrap();
        black_box(&out);
    };
    let (theirs, mut memory) = (payload.clone(), vec![0; len + 64]);
    let mqttrs = move || {
        let packet = mqttrs::Packet::Publish(mqttrs::Publish {
            dup: false,
            qospid: mqttrs::QosPid::AtLeastOnce(mqttrs::Pid::new()),
            retain: false,
            topic_name: TOPIC,
            payload: &theirs,
        });
        mqttrs::encode_slice(black_box(&packet), &mut memory).unwrap();
        black_box(&memory);
    };
    let mut memory = vec![0; len + 64];
    let ours = move || {
        let packet = Packet::Publish(publish(&payload));
        black_box(&packet).with(Version::V3).write(&mut Writer::new(&mut memory));
        black_box(&memory);
    };
    Group::new(format!("mqtt: encode PUBLISH, QoS 1, {label}"))
        .case(OURS, ours)
        .peer(MQTTRS, MQTTRS_MAX, mqttrs)
        .peer(RUMQTTC, RUMQTTC_ENCODE_MAX, rumqttc)
        // Two copies are left, of the topic and of the payload.
        .case("rumqttc, packet made", rumqttc_made_before)
        .counted()
}

/// From the same topic and payload as ours, as its client does for every message.
fn owned_publish(payload: &[u8]) -> mqttbytes::v4::Publish {
    let mut packet = mqttbytes::v4::Publish::new(TOPIC, rumqttc::QoS::AtLeastOnce, payload);
    packet.pkid = 7;
    packet
}

/// No peer has the same cut: encoding into the outbox, lending the packet out, and letting go of it.
fn session(len: usize, label: &str) -> Group {
    let payload = vec![7; len];
    let mut session = Session::<_, 8>::new(vec![0; 1 << 14], Config::new());
    session.handle_open(&dunlin_mqtt::Connect::new("c"));
    let (connack, _) = Packet::decode_front(Version::V3, &[0x20, 2, 0, 0]).unwrap().unwrap();
    session.handle_packet(&connack).unwrap();
    let mut turn = move || {
        let message = Message::new(TOPIC, black_box(&payload), Qos::AtLeastOnce);
        session.publish(&message).unwrap();
        let packet = session.poll_packet().unwrap();
        let id = PacketId::new(u16::from_be_bytes(id_in(packet))).unwrap();
        session.handle_sent();
        let ack = Packet::Ack(Ack::new(AckKind::Puback, id));
        black_box(session.handle_packet(black_box(&ack)).unwrap().unwrap());
    };
    turn();
    Group::new(format!("mqtt: publish, send, PUBACK, {label}")).case(OURS, turn).counted()
}

/// The packet identifier of a PUBLISH to [`TOPIC`].
fn id_in(packet: &[u8]) -> [u8; 2] {
    let header = if packet[1] < 0x80 { 2 } else { 3 };
    let at = header + 2 + TOPIC.len();
    [packet[at], packet[at + 1]]
}

fn filter() -> Group {
    Group::new("mqtt: match a topic with a filter")
        .case(OURS, || {
            black_box(matches(black_box("devices/+/telemetry/#"), black_box(TOPIC)));
        })
        .case("rumqttc 0.25", || {
            black_box(mqttbytes::matches(black_box(TOPIC), black_box("devices/+/telemetry/#")));
        })
        .counted()
}
