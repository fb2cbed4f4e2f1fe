//! Our packets of MQTT 5.0 as mqtt-proto's.

use super::older::{filter, pid, qos, qos_pid, topic};
use dunlin_mqtt::{
    Ack, AckKind, Connack, Connect, Packet, Properties, Publish, RetainHandling, Subscription, Will,
};
use mqtt_proto::Protocol;
use mqtt_proto::v5::{self, Packet as Theirs, UserProperty};

const SAME: &str = "what we accept they can say";

/// One of theirs that is a reason and its properties, behind what else there is.
macro_rules! reasoned {
    ($packet:ident, $codes:ident, $properties:ident, $ours:expr $(, $field:ident: $value:expr)*) => {
        v5::$packet {
            $($field: $value,)*
            reason_code: v5::$codes::from_u8($ours.reason.value()).expect(SAME),
            properties: v5::$properties {
                reason_string: $ours.properties.reason_string().map(Into::into),
                user_properties: user_properties($ours.properties),
            },
        }
        .into()
    };
}

/// One of theirs that is a list of reasons.
macro_rules! listed {
    ($packet:ident, $codes:ident, $properties:ident, $ours:expr) => {
        v5::$packet {
            pid: pid($ours.packet_id),
            topics: $ours
                .reasons
                .iter()
                .map(|code| v5::$codes::from_u8(code.value()).expect(SAME))
                .collect(),
            properties: v5::$properties {
                reason_string: $ours.properties.reason_string().map(Into::into),
                user_properties: user_properties($ours.properties),
            },
        }
        .into()
    };
}

pub(super) fn packet(packet: &Packet<'_>) -> Theirs {
    match packet {
        Packet::Connect(it) => connect(it).into(),
        Packet::Connack(it) => connack(it).into(),
        Packet::Publish(it) => publish(it).into(),
        Packet::Ack(it) => ack(it),
        Packet::Subscribe(it) => {
            let properties = v5::SubscribeProperties {
                subscription_id: subscription_id(it.properties),
                user_properties: user_properties(it.properties),
            };
            let topics = it.subscriptions().map(|wish| (filter(wish.filter), options(&wish)));
            v5::Subscribe { pid: pid(it.packet_id), properties, topics: topics.collect() }.into()
        }
        Packet::Suback(it) => listed!(Suback, SubscribeReasonCode, SubackProperties, it),
        Packet::Unsubscribe(it) => v5::Unsubscribe {
            pid: pid(it.packet_id),
            properties: v5::UnsubscribeProperties {
                user_properties: user_properties(it.properties),
            },
            topics: it.filters().map(filter).collect(),
        }
        .into(),
        Packet::Unsuback(it) => listed!(Unsuback, UnsubscribeReasonCode, UnsubackProperties, it),
        Packet::Pingreq => Theirs::Pingreq,
        Packet::Pingresp => Theirs::Pingresp,
        Packet::Disconnect(it) => v5::Disconnect {
            reason_code: v5::DisconnectReasonCode::from_u8(it.reason.value()).expect(SAME),
            properties: v5::DisconnectProperties {
                session_expiry_interval: it.properties.session_expiry_interval_s(),
                reason_string: it.properties.reason_string().map(Into::into),
                user_properties: user_properties(it.properties),
                server_reference: it.properties.server_reference().map(Into::into),
            },
        }
        .into(),
        Packet::Auth(it) => v5::Auth {
            reason_code: v5::AuthReasonCode::from_u8(it.reason.value()).expect(SAME),
            properties: v5::AuthProperties {
                auth_method: it.properties.authentication_method().map(Into::into),
                auth_data: it.properties.authentication_data().map(|data| data.to_vec().into()),
                reason_string: it.properties.reason_string().map(Into::into),
                user_properties: user_properties(it.properties),
            },
        }
        .into(),
    }
}

fn connect(connect: &Connect<'_>) -> v5::Connect {
    let it = &connect.properties;
    v5::Connect {
        protocol: Protocol::V500,
        clean_start: connect.clean_session,
        keep_alive: connect.keep_alive_s,
        client_id: connect.client_id.into(),
        last_will: connect.will.map(|will| last_will(&will)),
        username: connect.user_name.map(Into::into),
        password: connect.password.map(|password| password.to_vec().into()),
        properties: v5::ConnectProperties {
            session_expiry_interval: it.session_expiry_interval_s(),
            receive_max: it.receive_maximum().map(Into::into),
            max_packet_size: it.maximum_packet_size().map(Into::into),
            topic_alias_max: it.topic_alias_maximum(),
            request_response_info: it.request_response_information(),
            request_problem_info: it.request_problem_information(),
            user_properties: user_properties(*it),
            auth_method: it.authentication_method().map(Into::into),
            auth_data: it.authentication_data().map(|data| data.to_vec().into()),
        },
    }
}

fn last_will(will: &Will<'_>) -> v5::LastWill {
    let it = &will.head.properties;
    v5::LastWill {
        qos: qos(will.head.qos),
        retain: will.head.retain,
        topic_name: topic(will.head.topic),
        payload: will.payload.to_vec().into(),
        properties: v5::WillProperties {
            delay_interval: it.will_delay_interval_s(),
            payload_is_utf8: it.payload_format_indicator(),
            message_expiry_interval: it.message_expiry_interval_s(),
            content_type: it.content_type().map(Into::into),
            response_topic: it.response_topic().map(topic),
            correlation_data: it.correlation_data().map(|data| data.to_vec().into()),
            user_properties: user_properties(*it),
        },
    }
}

fn connack(connack: &Connack<'_>) -> v5::Connack {
    let it = &connack.properties;
    v5::Connack {
        session_present: connack.session_present,
        reason_code: v5::ConnectReasonCode::from_u8(connack.reason.value()).expect(SAME),
        properties: v5::ConnackProperties {
            session_expiry_interval: it.session_expiry_interval_s(),
            receive_max: it.receive_maximum().map(Into::into),
            max_qos: it.maximum_qos().map(qos),
            retain_available: it.retain_available(),
            max_packet_size: it.maximum_packet_size().map(Into::into),
            assigned_client_id: it.assigned_client_identifier().map(Into::into),
            topic_alias_max: it.topic_alias_maximum(),
            reason_string: it.reason_string().map(Into::into),
            user_properties: user_properties(*it),
            wildcard_subscription_available: it.wildcard_subscription_available(),
            subscription_id_available: it.subscription_identifier_available(),
            shared_subscription_available: it.shared_subscription_available(),
            server_keep_alive: it.server_keep_alive_s(),
            response_info: it.response_information().map(Into::into),
            server_reference: it.server_reference().map(Into::into),
            auth_method: it.authentication_method().map(Into::into),
            auth_data: it.authentication_data().map(|data| data.to_vec().into()),
        },
    }
}

fn publish(publish: &Publish<'_>) -> v5::Publish {
    let Publish { message, duplicate, packet_id } = publish;
    let it = &message.head.properties;
    v5::Publish {
        dup: *duplicate,
        retain: message.head.retain,
        qos_pid: qos_pid(message.head.qos, *packet_id),
        topic_name: topic(message.head.topic),
        payload: message.payload.to_vec().into(),
        properties: v5::PublishProperties {
            payload_is_utf8: it.payload_format_indicator(),
            message_expiry_interval: it.message_expiry_interval_s(),
            topic_alias: it.topic_alias().map(Into::into),
            response_topic: it.response_topic().map(topic),
            correlation_data: it.correlation_data().map(|data| data.to_vec().into()),
            user_properties: user_properties(*it),
            subscription_id: subscription_id(*it),
            content_type: it.content_type().map(Into::into),
        },
    }
}

fn ack(ack: &Ack<'_>) -> Theirs {
    let pid = pid(ack.packet_id);
    match ack.kind {
        AckKind::Puback => reasoned!(Puback, PubackReasonCode, PubackProperties, ack, pid: pid),
        AckKind::Pubrec => reasoned!(Pubrec, PubrecReasonCode, PubrecProperties, ack, pid: pid),
        AckKind::Pubrel => reasoned!(Pubrel, PubrelReasonCode, PubrelProperties, ack, pid: pid),
        AckKind::Pubcomp => {
            reasoned!(Pubcomp, PubcompReasonCode, PubcompProperties, ack, pid: pid)
        }
    }
}

fn options(wish: &Subscription<'_>) -> v5::SubscriptionOptions {
    v5::SubscriptionOptions {
        max_qos: qos(wish.qos),
        no_local: wish.no_local,
        retain_as_published: wish.retain_as_published,
        retain_handling: match wish.retain_handling {
            RetainHandling::Send => v5::RetainHandling::SendAtSubscribe,
            RetainHandling::SendIfNew => v5::RetainHandling::SendAtSubscribeIfNotExist,
            RetainHandling::DoNotSend => v5::RetainHandling::DoNotSend,
        },
    }
}

/// The only one: where there are more, they do not get as far.
fn subscription_id(properties: Properties<'_>) -> Option<v5::VarByteInt> {
    let id = properties.subscription_identifiers().next()?;
    Some(v5::VarByteInt::try_from(id.value()).expect(SAME))
}

fn user_properties(properties: Properties<'_>) -> Vec<UserProperty> {
    let pairs = properties.user_properties();
    pairs.map(|(name, value)| UserProperty { name: name.into(), value: value.into() }).collect()
}
