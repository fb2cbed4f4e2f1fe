//! MQTT packets into values and back, and the session that keeps them.

use crate::group::{Group, OURS, Target};
use bytes::{Bytes, BytesMut};
use dunlin_mqtt::{
    Ack, AckKind, Config, Message, Packet, PacketId, Publish, Qos, Session, Version, matches,
};
use dunlin_octet::{Text, Writer};
use rumqttc::mqttbytes;
use std::hint::black_box;

const TOPIC: &str = "devices/seven/telemetry";
const LENGTHS: &[(usize, &str)] = &[(64, "64 B"), (1 << 10, "1 KiB")];
const MQTTRS: &str = "mqttrs 0.4";
const RUMQTTC: &str = "rumqttc 0.25 (owned)";

pub(crate) fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for (len, label) in LENGTHS {
        groups.push(decode(*len, label));
        groups.push(encode(*len, label));
        groups.push(session(*len, label));
    }
    groups.push(filter());
    groups
}

fn publish(payload: &[u8]) -> Publish<'_> {
    let message = Message::new(TOPIC, payload, Qos::AtLeastOnce);
    Publish { message, duplicate: false, packet_id: PacketId::new(7) }
}

fn encoded(payload: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; payload.len() + 64];
    let mut out = Writer::new(&mut memory);
    publish(payload).with(Version::V3).write(&mut out);
    out.written().to_vec()
}

fn decode(len: usize, label: &str) -> Group {
    let bytes = encoded(&vec![7; len]);
    let (ours, mqttrs, rumqttc) = (bytes.clone(), bytes.clone(), Bytes::from(bytes));
    Group::new(format!("mqtt: decode PUBLISH, QoS 1, {label}"))
        .case(OURS, move || {
            let decoded = Packet::decode_front(Version::V3, black_box(&ours));
            assert!(matches!(black_box(&decoded), Ok(Some((Packet::Publish(_), _)))));
        })
        .case(MQTTRS, move || {
            let decoded = mqttrs::decode_slice(black_box(&mqttrs));
            assert!(matches!(black_box(&decoded), Ok(Some(mqttrs::Packet::Publish(_)))));
        })
        .case(RUMQTTC, move || {
            let header = mqttbytes::check(black_box(&rumqttc).iter(), usize::MAX).unwrap();
            let decoded = mqttbytes::v4::Publish::read(header, rumqttc.clone());
            assert!(black_box(&decoded).is_ok());
        })
        .target(Target::OfPeer(1.0))
        .counted()
}

fn encode(len: usize, label: &str) -> Group {
    let payload = vec![7; len];
    let mut packet = mqttbytes::v4::Publish::new(TOPIC, rumqttc::QoS::AtLeastOnce, payload.clone());
    packet.pkid = 7;
    let mut out = BytesMut::with_capacity(len + 64);
    let rumqttc = move || {
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
        .case(MQTTRS, mqttrs)
        .case(RUMQTTC, rumqttc)
        .target(Target::OfPeer(1.0))
        .counted()
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
