//! What can go wrong, by who is at fault.

use crate::ReasonCode;
use core::fmt;

/// Bytes that are not the packet they claim to be. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Malformed {
    /// A length field disagrees with the bytes that follow, or is written in a longer form than needed.
    Length,
    /// Reserved flag bits are set, or both QoS bits are.
    Flags,
    /// The packet type is reserved, or not sent by this side.
    Type,
    /// A string is not UTF-8, or contains U+0000.
    Utf8,
    /// A topic or filter is empty, or has wildcards where none may be.
    Topic,
    /// A packet identifier is zero.
    PacketId,
    /// A protocol name, return code or reason code that the standard does not have here.
    Value,
    /// CONNECT asks for a protocol level that is not spoken here ([MQTT-3.1.2-2]).
    Version,
    /// A property that the standard does not have, or not in this packet (MQTT 5.0 §2.2.2.2).
    Property,
    /// A property stands twice where it may stand once.
    Repeated,
    /// A property has a value that it must not have, such as a Receive Maximum of zero.
    Range,
    /// A PUBLISH has neither a topic name nor a topic alias (MQTT 5.0 §3.3.2.1).
    NoTopic,
    /// A SUBSCRIBE or UNSUBSCRIBE has no filter ([MQTT-3.8.3-2], [MQTT-3.10.3-2]).
    NoFilter,
    /// A Retain Handling of 3, or No Local with a shared subscription ([MQTT-3.8.3-4]).
    Options,
    /// There is no Authentication Method where there must be one (MQTT 5.0 §3.1.2.11.10, §3.15.2.2.2).
    NoMethod,
}

impl Malformed {
    /// What to tell the peer before hanging up (MQTT 5.0 §4.13).
    pub const fn reason(self) -> ReasonCode {
        match self {
            Self::PacketId
            | Self::Repeated
            | Self::Range
            | Self::NoTopic
            | Self::NoFilter
            | Self::Options
            | Self::NoMethod => ReasonCode::PROTOCOL_ERROR,
            Self::Version => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            _ => ReasonCode::MALFORMED_PACKET,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a length field disagrees with the bytes that follow",
            Self::Flags => "reserved flag bits are set",
            Self::Type => "the packet type is not one that may be sent here",
            Self::Utf8 => "a string is not valid UTF-8 or contains U+0000",
            Self::Topic => "a topic is empty or has wildcards",
            Self::PacketId => "a packet identifier is zero",
            Self::Value => "a field has a value that the standard does not have",
            Self::Version => "the protocol level is not one that is spoken here",
            Self::Property => "a property is unknown or does not belong in this packet",
            Self::Repeated => "a property stands twice",
            Self::Range => "a property has a value that it must not have",
            Self::NoTopic => "there is neither a topic nor a topic alias",
            Self::NoFilter => "there is no topic filter",
            Self::Options => "the options of a subscription contradict one another",
            Self::NoMethod => "there is no authentication method",
        })
    }
}

impl core::error::Error for Malformed {}

/// A valid packet that the peer must not send now. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Misbehaved {
    /// Something else came first where CONNACK must come (v3.1.1: [MQTT-3.2.0-1]).
    BeforeConnack,
    /// A second CONNACK came.
    SecondConnack,
    /// A session is said to be present although a clean one was asked for, or it was refused
    /// (v3.1.1: [MQTT-3.2.2-1], [MQTT-3.2.2-4]).
    SessionPresent,
    /// A packet came that only clients send.
    ClientPacket,
    /// An acknowledgement does not fit the exchange that its identifier names.
    Acknowledgement,
    /// SUBACK has fewer or more reasons than SUBSCRIBE had filters (v3.1.1: [MQTT-3.8.4-6]).
    SubackCount,
    /// A packet is larger than the receive buffer can become.
    PacketTooLarge,
    /// More messages are under way than were announced to be taken ([MQTT-4.9.0-2]).
    ReceiveMaximum,
    /// A topic alias stands for nothing (MQTT 5.0 §3.3.2.3.4).
    UnknownAlias,
    /// A topic alias is above the announced maximum ([MQTT-3.1.2-26], [MQTT-3.1.2-27]), or there is no
    /// memory for its topic.
    TopicAlias,
    /// A reason string or user properties came although none were asked for ([MQTT-3.1.2-29]).
    ProblemInformation,
    /// An AUTH came that nobody asked for, or another method ([MQTT-4.12.0-5], [MQTT-4.12.0-6]).
    Authentication,
    /// A packet of QoS 2 came in a build without it: the server has kept a session of another.
    ExactlyOnce,
}

impl Misbehaved {
    /// What to tell the peer before hanging up (MQTT 5.0 §4.13).
    pub const fn reason(self) -> ReasonCode {
        match self {
            Self::PacketTooLarge => ReasonCode::PACKET_TOO_LARGE,
            Self::ReceiveMaximum => ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            Self::TopicAlias => ReasonCode::TOPIC_ALIAS_INVALID,
            // A server alone may say that it has no QoS 2 (MQTT 5.0 §3.14.2.1).
            Self::ExactlyOnce => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
            _ => ReasonCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Misbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeConnack => "another packet came before CONNACK",
            Self::SecondConnack => "a second CONNACK came",
            Self::SessionPresent => "CONNACK says that a session is present, which cannot be",
            Self::ClientPacket => "a packet came that only clients send",
            Self::Acknowledgement => "an acknowledgement does not fit the exchange that it names",
            Self::SubackCount => "SUBACK does not answer each filter once",
            Self::PacketTooLarge => "a packet is larger than the receive buffer",
            Self::ReceiveMaximum => "more messages are under way than the Receive Maximum allows",
            Self::UnknownAlias => "a topic alias stands for no topic",
            Self::TopicAlias => "a topic alias is above the announced maximum",
            Self::ProblemInformation => "a reason string or user properties came unasked",
            Self::Authentication => "an authentication step does not fit the one under way",
            Self::ExactlyOnce => "a packet of QoS 2 came, which this program was built without",
        })
    }
}

impl core::error::Error for Misbehaved {}

/// Why a packet ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are not the packet they claim to be.
    Malformed(Malformed),
    /// A valid packet that must not be sent now.
    Misbehaved(Misbehaved),
    /// CONNACK says no.
    Refused(ReasonCode),
    /// The server has said good-bye by DISCONNECT.
    Disconnected(ReasonCode),
}

impl From<Malformed> for Error {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

impl From<Misbehaved> for Error {
    fn from(error: Misbehaved) -> Self {
        Self::Misbehaved(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "malformed packet: {error}"),
            Self::Misbehaved(error) => write!(f, "protocol error: {error}"),
            Self::Refused(reason) => write!(f, "connection refused: {reason}"),
            Self::Disconnected(reason) => write!(f, "the server disconnected: {reason}"),
        }
    }
}

impl core::error::Error for Error {}

/// What is wrong with a topic name or a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TopicError {
    /// It has no characters (v3.1.1: [MQTT-4.7.3-1]).
    Empty,
    /// It is longer than 65,535 bytes (v3.1.1: [MQTT-4.7.3-3]).
    TooLong,
    /// It contains U+0000 (v3.1.1: [MQTT-4.7.3-2]).
    Nul,
    /// A topic name has a wildcard ([MQTT-3.3.2-2]), or a filter has one beside other characters of a
    /// level or before its end (v3.1.1: [MQTT-4.7.1-2], [MQTT-4.7.1-3]).
    Wildcard,
    /// The filter of a shared subscription is not `$share/name/filter` ([MQTT-4.8.2-1],
    /// [MQTT-4.8.2-2]).
    Share,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 65,535 bytes",
            Self::Nul => "it contains U+0000",
            Self::Wildcard => "'+' and '#' may only stand in a filter, alone in a level, '#' last",
            Self::Share => {
                "a shared subscription is $share/name/filter, its name without wildcards"
            }
        })
    }
}

impl core::error::Error for TopicError {}

/// Why a message was not accepted; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PublishError {
    /// The topic name is not one.
    Topic(TopicError),
    /// The server does not take this QoS ([`Config::qos_max`](crate::Config::qos_max)).
    Qos,
    /// The server has said in CONNACK that it does not take this ([`Session::limits`](crate::Session::limits)).
    Limit(ReasonCode),
    /// The properties are not those of a PUBLISH by a client, or the version has none.
    Properties(Malformed),
    /// The packet is larger than MQTT or the outbox can hold.
    TooLarge,
    /// The outbox has no room until something is acknowledged or sent.
    OutboxFull,
    /// As many exchanges are in flight as the session can follow.
    InflightFull,
    /// The session is disconnecting and takes nothing more.
    Disconnecting,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(error) => write!(f, "not a topic name: {error}"),
            Self::Qos => f.write_str("the server does not take this QoS: publish with a lower one"),
            Self::Limit(reason) => write!(f, "the server does not take it: {reason}"),
            Self::Properties(error) => write!(f, "properties that cannot be sent: {error}"),
            Self::TooLarge => f.write_str("the message is larger than the outbox can hold"),
            Self::OutboxFull => f.write_str("the outbox is full: wait for an acknowledgement"),
            Self::InflightFull => {
                f.write_str("too many exchanges in flight: wait for an acknowledgement")
            }
            Self::Disconnecting => f.write_str("the session is disconnecting"),
        }
    }
}

impl core::error::Error for PublishError {}

/// Why a SUBSCRIBE or UNSUBSCRIBE was not accepted; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SubscribeError {
    /// There is no filter at all (v3.1.1: [MQTT-3.8.3-3], [MQTT-3.10.3-2]).
    NoFilter,
    /// There are more filters than one packet may carry here.
    TooManyFilters,
    /// A filter is not one.
    Filter(TopicError),
    /// The server does not take this QoS ([`Config::qos_max`](crate::Config::qos_max)).
    Qos,
    /// The server has said in CONNACK that it does not take this ([`Session::limits`](crate::Session::limits)).
    Limit(ReasonCode),
    /// Options contradict one another, or the version does not have them.
    Options,
    /// The properties are not those of the packet, or the version has none.
    Properties(Malformed),
    /// The packet is larger than MQTT or the outbox can hold.
    TooLarge,
    /// The outbox has no room until something is acknowledged or sent.
    OutboxFull,
    /// As many exchanges are in flight as the session can follow.
    InflightFull,
    /// The session is disconnecting and takes nothing more.
    Disconnecting,
}

impl From<PublishError> for SubscribeError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Topic(error) => Self::Filter(error),
            PublishError::Qos => Self::Qos,
            PublishError::Limit(reason) => Self::Limit(reason),
            PublishError::Properties(error) => Self::Properties(error),
            PublishError::TooLarge => Self::TooLarge,
            PublishError::OutboxFull => Self::OutboxFull,
            PublishError::InflightFull => Self::InflightFull,
            PublishError::Disconnecting => Self::Disconnecting,
        }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFilter => f.write_str("no filter given"),
            Self::TooManyFilters => f.write_str("too many filters for one packet: split them"),
            Self::Filter(error) => write!(f, "not a topic filter: {error}"),
            Self::Qos => {
                f.write_str("the server does not take this QoS: subscribe with a lower one")
            }
            Self::Limit(reason) => write!(f, "the server does not take it: {reason}"),
            Self::Options => f.write_str(
                "the options contradict one another (no local with a shared subscription), or need \
                 MQTT 5.0",
            ),
            Self::Properties(error) => write!(f, "properties that cannot be sent: {error}"),
            Self::TooLarge => f.write_str("the filters are larger than the outbox can hold"),
            Self::OutboxFull => f.write_str("the outbox is full: wait for an acknowledgement"),
            Self::InflightFull => {
                f.write_str("too many exchanges in flight: wait for an acknowledgement")
            }
            Self::Disconnecting => f.write_str("the session is disconnecting"),
        }
    }
}

impl core::error::Error for SubscribeError {}

/// Why an acknowledgement was not accepted; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AckError {
    /// The connection that the message came over is gone, or it was acknowledged already; the server
    /// sends the message again if it still must.
    Stale,
    /// The reason is not one that PUBACK and PUBREC may carry ([MQTT-3.4.2-1], [MQTT-3.5.2-1]).
    Reason,
    /// The properties are not those of an acknowledgement, too large for the server, or the version has
    /// none.
    Properties,
    /// The outbox has no room for the properties.
    OutboxFull,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "the message no longer waits for an acknowledgement",
            Self::Reason => "the reason is not one that an acknowledgement may carry",
            Self::Properties => "the properties cannot be sent with an acknowledgement",
            Self::OutboxFull => {
                "the outbox has no room for the properties: acknowledge without them"
            }
        })
    }
}

impl core::error::Error for AckError {}

/// Why a DISCONNECT with properties, or a step of an authentication, was not accepted; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendError {
    /// There is no connection, or no authentication, that it could belong to; or the version is 3.1.1.
    NotNow,
    /// The reason or the properties are not those of the packet.
    Properties(Malformed),
    /// It is larger than the server takes.
    TooLarge,
    /// The outbox has no room for it.
    OutboxFull,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNow => f.write_str("it does not belong to what the connection does now"),
            Self::Properties(error) => write!(f, "it cannot be sent: {error}"),
            Self::TooLarge => f.write_str("it is larger than the server takes"),
            Self::OutboxFull => f.write_str("the outbox has no room for it"),
        }
    }
}

impl core::error::Error for SendError {}
