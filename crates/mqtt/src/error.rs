//! What can go wrong, by who is at fault.

use crate::ReasonCode;
use core::fmt;

/// Bytes that are not the packet they claim to be. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Misbehaved {
    /// What to tell the peer before hanging up (MQTT 5.0 §4.13).
    pub const fn reason(self) -> ReasonCode {
        match self {
            Self::PacketTooLarge => ReasonCode::PACKET_TOO_LARGE,
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
        })
    }
}

impl core::error::Error for Misbehaved {}

/// Why a packet ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are not the packet they claim to be.
    Malformed(Malformed),
    /// A valid packet that must not be sent now.
    Misbehaved(Misbehaved),
    /// CONNACK says no.
    Refused(ReasonCode),
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
        }
    }
}

impl core::error::Error for Error {}

/// What is wrong with a topic name or a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 65,535 bytes",
            Self::Nul => "it contains U+0000",
            Self::Wildcard => "'+' and '#' may only stand in a filter, alone in a level, '#' last",
        })
    }
}

impl core::error::Error for TopicError {}

/// Why a message was not accepted; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// The topic name is not one.
    Topic(TopicError),
    /// The server does not take this QoS ([`Config::qos_max`](crate::Config::qos_max)).
    Qos,
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
#[non_exhaustive]
pub enum AckError {
    /// The connection that the message came over is gone, or it was acknowledged already; the server
    /// sends the message again if it still must.
    Stale,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message no longer waits for an acknowledgement")
    }
}

impl core::error::Error for AckError {}
