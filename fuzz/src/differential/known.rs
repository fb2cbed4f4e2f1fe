//! Where the two differ, and what the standard says: there is no other difference.

use super::Theirs;
use dunlin_mqtt::{Malformed, Packet, Properties, ReasonCode, Version};
use mqtt_proto::v3::{Packet as Older, SubscribeReturnCode};
use mqtt_proto::v5::{ErrorV5, Packet as Newer, PacketType, PropertyId, UserProperty};
use mqtt_proto::{Error, Protocol, QosPid};

type Refusal = Result<Option<Theirs>, ErrorV5>;

/// What we take and they refuse, rightly taken.
pub(super) fn refused_by_them_alone(
    version: Version,
    packet: &Packet<'_>,
    theirs: &Refusal,
) -> bool {
    let Err(error) = theirs else { return false };
    match (error, packet) {
        // MQTT 5.0 §3.3.2.3.8: a message may come for several subscriptions.
        (
            ErrorV5::DuplicatedProperty(PropertyId::SubscriptionIdentifier),
            Packet::Publish(publish),
        ) => publish.message.head.properties.subscription_identifiers().count() > 1,
        // MQTT 5.0 §3.1.3.2.3, §3.3.2.3.2: a receiver may look whether the payload is text, and need not.
        (ErrorV5::InvalidPayloadFormat, Packet::Publish(publish)) => {
            is_no_text(publish.message.head.properties, publish.message.payload)
        }
        (ErrorV5::InvalidPayloadFormat, Packet::Connect(connect)) => {
            connect.will.is_some_and(|will| is_no_text(will.head.properties, will.payload))
        }
        // MQTT 5.0 §2.4 has this reason in DISCONNECT, where §3.14.2.1 has not.
        (ErrorV5::InvalidReasonCode(PacketType::Disconnect, 0x8c), Packet::Disconnect(it)) => {
            it.reason == ReasonCode::BAD_AUTHENTICATION_METHOD
        }
        // A server that speaks the other version alone says so in that one's form.
        (_, Packet::Connack(it)) => it.reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        // MQTT 3.1.1 has no shared subscriptions: `$share` is a level like any other.
        (
            ErrorV5::Common(Error::InvalidTopicFilter(filter)),
            Packet::Subscribe(_) | Packet::Unsubscribe(_),
        ) => version == Version::V3 && filter.starts_with("$share/"),
        _ => false,
    }
}

fn is_no_text(properties: Properties<'_>, payload: &[u8]) -> bool {
    properties.payload_format_indicator() == Some(true) && core::str::from_utf8(payload).is_err()
}

/// What they take and we refuse, rightly refused for this reason.
pub(super) fn taken_by_them_alone(
    version: Version,
    malformed: Malformed,
    bytes: &[u8],
    theirs: &Theirs,
) -> bool {
    match malformed {
        // [MQTT-1.5.5-1] A length is written in the shortest form; nothing is left over behind the
        // last field (MQTT 3.1.1 §2.2.3, MQTT 5.0 §2.1.4).
        Malformed::Length => theirs.encode().len() != bytes.len(),
        Malformed::Flags => has_wrong_flags(version, bytes, theirs),
        // [MQTT-1.5.4-2], v3.1.1: [MQTT-1.5.3-2]
        Malformed::Utf8 => strings(theirs).iter().any(|text| text.contains('\0')),
        Malformed::Topic => has_wrong_topic(theirs),
        // v3.1.1: [MQTT-3.1.2-1] They speak MQTT 3.1 too, which has another name.
        Malformed::Value => {
            matches!(theirs, Theirs::V3(Older::Connect(it)) if it.protocol == Protocol::V310)
        }
        Malformed::Range => has_zero(theirs),
        // MQTT 5.0 §3.3.2.1: no topic means that of an alias.
        Malformed::NoTopic => matches!(theirs, Theirs::V5(Newer::Publish(it))
            if it.topic_name.is_empty() && it.properties.topic_alias.is_none()),
        // [MQTT-3.8.3-4]
        Malformed::Options => matches!(theirs, Theirs::V5(Newer::Subscribe(it))
            if it.topics.iter().any(|(filter, options)| filter.is_shared() && options.no_local)),
        // MQTT 5.0 §3.1.2.11.10, §3.15.2.2.2
        Malformed::NoMethod => match theirs {
            Theirs::V5(Newer::Connect(it)) => {
                it.properties.auth_method.is_none() && it.properties.auth_data.is_some()
            }
            Theirs::V5(Newer::Auth(it)) => it.properties.auth_method.is_none(),
            _ => false,
        },
        _ => false,
    }
}

/// What they read and cannot write: a refusal in SUBACK goes out as 3 in place of 0x80
/// (v3.1.1: [MQTT-3.9.3-2]).
pub(super) fn written_wrongly_by_them(theirs: &Theirs) -> bool {
    matches!(theirs, Theirs::V3(Older::Suback(it))
        if it.topics.contains(&SubscribeReturnCode::Failure))
}

fn has_wrong_flags(version: Version, bytes: &[u8], theirs: &Theirs) -> bool {
    match theirs {
        // [MQTT-3.3.1-2], the same in v3.1.1.
        Theirs::V3(Older::Publish(it)) => it.dup && it.qos_pid == QosPid::Level0,
        Theirs::V5(Newer::Publish(it)) => it.dup && it.qos_pid == QosPid::Level0,
        Theirs::V3(Older::Connect(_)) | Theirs::V5(Newer::Connect(_)) => {
            // Behind the remaining length, the protocol's name and its level.
            let end = bytes.iter().skip(1).position(|byte| byte & 0x80 == 0);
            let flags = end.and_then(|end| bytes.get(end + 9)).copied().unwrap_or_default();
            // [MQTT-3.1.2-13], v3.1.1: [MQTT-3.1.2-15] No will, nothing to be retained.
            // v3.1.1: [MQTT-3.1.2-22] No password without a user name.
            flags & 0x24 == 0x20 || version == Version::V3 && flags & 0xc0 == 0x40
        }
        _ => false,
    }
}

/// [MQTT-4.7.3-1] Topics and filters are not empty. [MQTT-4.7.1-1], [MQTT-4.7.1-2] A wildcard is alone
/// in its level. The same in v3.1.1: [MQTT-4.7.3-1], [MQTT-4.7.1-2], [MQTT-4.7.1-3].
fn has_wrong_topic(theirs: &Theirs) -> bool {
    let empty = |topic: Option<&str>| topic.is_some_and(str::is_empty);
    let wrong =
        |filter: &str| filter.split('/').any(|level| level.len() > 1 && level.contains(['+', '#']));
    match theirs {
        Theirs::V3(Older::Publish(it)) => it.topic_name.is_empty(),
        Theirs::V5(Newer::Publish(it)) => empty(it.properties.response_topic.as_deref()),
        Theirs::V3(Older::Connect(it)) => {
            empty(it.last_will.as_ref().map(|will| &*will.topic_name))
        }
        Theirs::V5(Newer::Connect(it)) => it.last_will.as_ref().is_some_and(|will| {
            will.topic_name.is_empty() || empty(will.properties.response_topic.as_deref())
        }),
        Theirs::V3(Older::Subscribe(it)) => it.topics.iter().any(|(filter, _)| wrong(filter)),
        Theirs::V5(Newer::Subscribe(it)) => it.topics.iter().any(|(filter, _)| wrong(filter)),
        Theirs::V3(Older::Unsubscribe(it)) => it.topics.iter().any(|filter| wrong(filter)),
        Theirs::V5(Newer::Unsubscribe(it)) => it.topics.iter().any(|filter| wrong(filter)),
        _ => false,
    }
}

/// Properties that must not be zero (MQTT 5.0 §3.1.2.11.3, §3.1.2.11.4, §3.2.2.3.3, §3.2.2.3.6,
/// §3.3.2.3.4, §3.3.2.3.8, §3.8.2.1.2).
fn has_zero(theirs: &Theirs) -> bool {
    let Theirs::V5(theirs) = theirs else { return false };
    match theirs {
        Newer::Connect(it) => {
            it.properties.receive_max == Some(0) || it.properties.max_packet_size == Some(0)
        }
        Newer::Connack(it) => {
            it.properties.receive_max == Some(0) || it.properties.max_packet_size == Some(0)
        }
        Newer::Publish(it) => {
            it.properties.topic_alias == Some(0)
                || it.properties.subscription_id.is_some_and(|id| id.value() == 0)
        }
        Newer::Subscribe(it) => it.properties.subscription_id.is_some_and(|id| id.value() == 0),
        _ => false,
    }
}

/// Every string that is not a topic or a filter, where they look themselves.
fn strings(theirs: &Theirs) -> Vec<&str> {
    match theirs {
        Theirs::V3(Older::Connect(it)) => [Some(&it.client_id), it.username.as_ref()]
            .into_iter()
            .flatten()
            .map(|s| &**s)
            .collect(),
        Theirs::V3(_) => Vec::new(),
        Theirs::V5(theirs) => newer_strings(theirs),
    }
}

fn newer_strings(theirs: &Newer) -> Vec<&str> {
    let (users, strings): (Vec<&UserProperty>, Vec<Option<&str>>) = match theirs {
        Newer::Connect(it) => {
            let will = it.last_will.as_ref().map(|will| &will.properties);
            let of_will = will.into_iter().flat_map(|will| &will.user_properties);
            let strings = vec![
                Some(&*it.client_id),
                it.username.as_deref(),
                it.properties.auth_method.as_deref(),
                will.and_then(|will| will.content_type.as_deref()),
            ];
            (it.properties.user_properties.iter().chain(of_will).collect(), strings)
        }
        Newer::Connack(it) => {
            let it = &it.properties;
            let strings = vec![
                it.assigned_client_id.as_deref(),
                it.reason_string.as_deref(),
                it.response_info.as_deref(),
                it.server_reference.as_deref(),
                it.auth_method.as_deref(),
            ];
            (it.user_properties.iter().collect(), strings)
        }
        Newer::Publish(it) => {
            let it = &it.properties;
            (it.user_properties.iter().collect(), vec![it.content_type.as_deref()])
        }
        Newer::Puback(it) => reason(&it.properties.user_properties, &it.properties.reason_string),
        Newer::Pubrec(it) => reason(&it.properties.user_properties, &it.properties.reason_string),
        Newer::Pubrel(it) => reason(&it.properties.user_properties, &it.properties.reason_string),
        Newer::Pubcomp(it) => reason(&it.properties.user_properties, &it.properties.reason_string),
        Newer::Suback(it) => reason(&it.properties.user_properties, &it.properties.reason_string),
        Newer::Unsuback(it) => reason(&it.properties.user_properties, &it.properties.reason_string),
        Newer::Subscribe(it) => reason(&it.properties.user_properties, &None),
        Newer::Unsubscribe(it) => reason(&it.properties.user_properties, &None),
        Newer::Disconnect(it) => {
            let it = &it.properties;
            let strings = vec![it.reason_string.as_deref(), it.server_reference.as_deref()];
            (it.user_properties.iter().collect(), strings)
        }
        Newer::Auth(it) => {
            let it = &it.properties;
            let strings = vec![it.reason_string.as_deref(), it.auth_method.as_deref()];
            (it.user_properties.iter().collect(), strings)
        }
        Newer::Pingreq | Newer::Pingresp => (Vec::new(), Vec::new()),
    };
    let pairs = users.into_iter().flat_map(|pair| [&*pair.name, &*pair.value]);
    strings.into_iter().flatten().chain(pairs).collect()
}

/// The strings of a packet that has no others.
fn reason<'a>(
    users: &'a [UserProperty],
    reason: &'a Option<std::sync::Arc<str>>,
) -> (Vec<&'a UserProperty>, Vec<Option<&'a str>>) {
    (users.iter().collect(), vec![reason.as_deref()])
}
