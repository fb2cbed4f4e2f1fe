//! What a person should do next when a connection has ended.

use dunlin_drive::dunlin::{
    Closed, Error as E, Misbehaved, OpenError, PublishError, ReasonCode, Refused, Stage,
    SubscribeError,
    mqtt::{self, Malformed},
    ws::CloseCode,
};

/// Words behind the error; empty where it says enough.
pub(super) const fn of(error: &E) -> &'static str {
    match error {
        E::Refused(Refused::Connect(reason)) => refused(*reason),
        E::Closed(Closed::Disconnected(reason)) => disconnected(*reason),
        E::Closed(Closed::Peer(Some(CloseCode::POLICY))) => {
            "check what the broker allows this client"
        }
        E::Closed(Closed::Eof(Stage::Upgrade)) => {
            "check that the port speaks WebSocket, and the URL's path"
        }
        E::Closed(Closed::Eof(Stage::Connack) | Closed::Peer(_)) => {
            "the broker may not allow this client identifier, user or policy, or not speak this \
             version of MQTT; on AWS IoT, check that the identity has an IAM role and an attached \
             IoT policy with iot:Connect"
        }
        E::Closed(Closed::Eof(_)) => {
            "the network or the broker went away, another client may use the same client \
             identifier, or the broker may not allow the last publish or subscribe; on AWS IoT, \
             check the IoT policy"
        }
        E::TimedOut(Stage::Upgrade) => BROKER,
        E::TimedOut(Stage::Connack) => {
            "check that the URL's scheme, host and port are those of an MQTT broker, and that it \
             speaks this version of MQTT"
        }
        E::TimedOut(_) => "the network or the broker is gone",
        E::Misbehaved(Misbehaved::Packet(mqtt::Misbehaved::PacketTooLarge)) => {
            "allow larger packets (Options::receive)"
        }
        E::Misbehaved(_) | E::Malformed(_) => BROKER,
        _ => "",
    }
}

/// The peer speaks something else. The scheme comes first: `mqtt` where there is a WebSocket, or the
/// other way round, is how it mostly comes about.
const BROKER: &str = "check that the URL's scheme, host, port and path are those of an MQTT broker";

/// Words behind a CONNECT that cannot be sent.
pub(super) const fn of_open(error: &OpenError) -> &'static str {
    match error {
        OpenError::Connect(Malformed::Property) => PROPERTY,
        _ => "",
    }
}

/// Words behind an upgrade request that cannot be signed.
#[cfg(feature = "aws")]
pub(super) const fn of_sign(error: crate::aws::InvalidInput) -> &'static str {
    use crate::aws::InvalidInput as I;
    match error {
        I::Path => ": what is signed is a wss:// URL with a path like /mqtt and without a query",
        I::Region => ": one looks like us-east-1",
        I::AccessKeyId | I::SecretAccessKey | I::SessionToken => {
            ": copy it again, whole and without blanks"
        }
        I::Time => ": set the clock (Options::aws_clock)",
        _ => "",
    }
}

/// Words behind a message that cannot be sent.
pub(super) const fn of_publish(error: &PublishError) -> &'static str {
    match error {
        PublishError::Properties(Malformed::Property) => PROPERTY,
        _ => "",
    }
}

/// Words behind a subscription that cannot be asked for.
pub(super) const fn of_subscribe(error: &SubscribeError) -> &'static str {
    match error {
        SubscribeError::Properties(Malformed::Property) => PROPERTY,
        _ => "",
    }
}

/// MQTT 3.1.1, which has no properties, is spoken unless told otherwise.
const PROPERTY: &str = ": only MQTT 5 has properties (Options::version), each its own packets";

/// The answer to CONNECT was no.
const fn refused(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::BAD_USER_NAME_OR_PASSWORD => "check user name and password",
        ReasonCode::NOT_AUTHORIZED => {
            "check user name, password and what the broker allows this client"
        }
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => "choose another client identifier",
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => {
            "the broker does not speak this version: of MQTT 3.1.1 and 5, take the other one"
        }
        ReasonCode::SERVER_UNAVAILABLE => "try again later",
        ReasonCode::BANNED => "ask who runs the broker",
        ReasonCode::BAD_AUTHENTICATION_METHOD => {
            "the broker wants to authenticate in a way that is not spoken here"
        }
        ReasonCode::TOPIC_NAME_INVALID => "the broker does not accept the will's topic",
        ReasonCode::QOS_NOT_SUPPORTED => "publish the will with a lower QoS",
        ReasonCode::RETAIN_NOT_SUPPORTED => "the broker keeps no messages: the will must not ask",
        reason => either(reason),
    }
}

/// The server has said good-bye.
const fn disconnected(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::SESSION_TAKEN_OVER => {
            "another client uses this client identifier: each needs its own"
        }
        ReasonCode::NOT_AUTHORIZED => {
            "check what the broker allows this client, and whether its credentials have expired"
        }
        ReasonCode::KEEP_ALIVE_TIMEOUT => "the network is slow, or this machine was asleep",
        ReasonCode::ADMINISTRATIVE_ACTION => "somebody has ended it by hand",
        ReasonCode::TOPIC_FILTER_INVALID | ReasonCode::TOPIC_NAME_INVALID => {
            "check the topics that were published or subscribed to last"
        }
        ReasonCode::RETAIN_NOT_SUPPORTED => "publish without the retain flag",
        ReasonCode::QOS_NOT_SUPPORTED => "publish with a lower QoS",
        ReasonCode::PAYLOAD_FORMAT_INVALID => "a payload that was said to be text is not UTF-8",
        ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED => "subscribe without $share",
        ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED => "subscribe without wildcards",
        ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED => "subscribe without identifiers",
        ReasonCode::MAXIMUM_CONNECT_TIME => "connect again",
        reason => either(reason),
    }
}

/// What both packets may say.
const fn either(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::SERVER_BUSY | ReasonCode::SERVER_SHUTTING_DOWN => "try again later",
        ReasonCode::PACKET_TOO_LARGE => "send smaller messages",
        ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::MESSAGE_RATE_TOO_HIGH
        | ReasonCode::CONNECTION_RATE_EXCEEDED => "the broker's limits are reached: go slower",
        ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED => {
            "use the server that it refers to (Options::server_reference)"
        }
        ReasonCode::MALFORMED_PACKET | ReasonCode::PROTOCOL_ERROR => {
            "one of both sides is wrong about MQTT: please report it"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the broker was not said to be AWS IoT Core, it may be all the same.
    #[test]
    fn end_without_a_reason_says_what_to_look_at() {
        for (error, words) in [
            (E::Closed(Closed::Eof(Stage::Upgrade)), &["WebSocket", "path"][..]),
            (
                E::Closed(Closed::Eof(Stage::Connack)),
                &["client identifier", "on AWS IoT", "IAM role", "IoT policy", "iot:Connect"],
            ),
            (E::Closed(Closed::Peer(None)), &["client identifier", "on AWS IoT", "IAM role"]),
            (
                E::Closed(Closed::Eof(Stage::Open)),
                &["network", "same client identifier", "publish or subscribe", "IoT policy"],
            ),
            (E::TimedOut(Stage::Upgrade), &["scheme", "host", "port"]),
            (E::TimedOut(Stage::Connack), &["version of MQTT"]),
        ] {
            let advice = of(&error);
            for word in words {
                assert!(advice.contains(word), "{error:?}: {advice}");
            }
        }
    }
}
