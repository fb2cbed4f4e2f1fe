//! Our packets of MQTT 3.1.1 as mqtt-proto's.

use dunlin_mqtt::{Ack, AckKind, Connect, Packet, PacketId, Publish, Qos};
use mqtt_proto::v3::{
    Connack, Connect as TheirConnect, ConnectReturnCode, LastWill, Packet as Theirs,
    Publish as TheirPublish, Suback, Subscribe, SubscribeReturnCode, Unsubscribe,
};
use mqtt_proto::{Pid, Protocol, QoS, QosPid, TopicFilter, TopicName};

const SAME: &str = "what we accept they can say";

pub(super) fn packet(packet: &Packet<'_>) -> Theirs {
    match packet {
        Packet::Connect(it) => connect(it).into(),
        Packet::Connack(it) => {
            let code = ConnectReturnCode::from_u8(it.reason.to_connack()).expect(SAME);
            Connack::new(it.session_present, code).into()
        }
        Packet::Publish(it) => {
            let Publish { message, duplicate, packet_id } = it;
            let qos_pid = qos_pid(message.head.qos, *packet_id);
            let payload = message.payload.to_vec().into();
            let publish = TheirPublish::new(qos_pid, topic(message.head.topic), payload);
            TheirPublish { dup: *duplicate, retain: message.head.retain, ..publish }.into()
        }
        Packet::Ack(Ack { kind, packet_id, .. }) => match kind {
            AckKind::Puback => Theirs::Puback(pid(*packet_id)),
            AckKind::Pubrec => Theirs::Pubrec(pid(*packet_id)),
            AckKind::Pubrel => Theirs::Pubrel(pid(*packet_id)),
            AckKind::Pubcomp => Theirs::Pubcomp(pid(*packet_id)),
        },
        Packet::Subscribe(it) => {
            let wishes = it.subscriptions().map(|wish| (filter(wish.filter), qos(wish.qos)));
            Subscribe::new(pid(it.packet_id), wishes.collect()).into()
        }
        Packet::Suback(it) => {
            let codes = it.reasons.iter().map(|code| SubscribeReturnCode::from_u8(code.value()));
            Suback::new(pid(it.packet_id), codes.map(|code| code.expect(SAME)).collect()).into()
        }
        Packet::Unsubscribe(it) => {
            Unsubscribe::new(pid(it.packet_id), it.filters().map(filter).collect()).into()
        }
        Packet::Unsuback(it) => Theirs::Unsuback(pid(it.packet_id)),
        Packet::Pingreq => Theirs::Pingreq,
        Packet::Pingresp => Theirs::Pingresp,
        Packet::Disconnect(_) => Theirs::Disconnect,
        Packet::Auth(auth) => panic!("MQTT 3.1.1 has no {auth:?}"),
    }
}

fn connect(connect: &Connect<'_>) -> TheirConnect {
    TheirConnect {
        protocol: Protocol::V311,
        clean_session: connect.clean_session,
        keep_alive: connect.keep_alive_s,
        client_id: connect.client_id.into(),
        last_will: connect.will.map(|will| LastWill {
            qos: qos(will.head.qos),
            retain: will.head.retain,
            topic_name: topic(will.head.topic),
            message: will.payload.to_vec().into(),
        }),
        username: connect.user_name.map(Into::into),
        password: connect.password.map(|password| password.to_vec().into()),
    }
}

pub(super) fn pid(packet_id: PacketId) -> Pid {
    Pid::try_from(packet_id.value()).expect(SAME)
}

pub(super) fn qos(qos: Qos) -> QoS {
    QoS::from_u8(qos.bits()).expect(SAME)
}

pub(super) fn qos_pid(qos: Qos, packet_id: Option<PacketId>) -> QosPid {
    match (qos, packet_id) {
        (Qos::AtMostOnce, None) => QosPid::Level0,
        (Qos::AtLeastOnce, Some(packet_id)) => QosPid::Level1(pid(packet_id)),
        (Qos::ExactlyOnce, Some(packet_id)) => QosPid::Level2(pid(packet_id)),
        other => panic!("{other:?}"),
    }
}

pub(super) fn topic(topic: &str) -> TopicName {
    TopicName::try_from(topic).expect(SAME)
}

pub(super) fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).expect(SAME)
}
