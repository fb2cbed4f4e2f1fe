//! What ends a connection, by who is at fault.

use crate::{mqtt, ws};
use core::fmt;
use dunlin_mqtt::ReasonCode;
use dunlin_ws::CloseCode;

/// Why a connection has ended. After it, every call returns the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The peer sent bytes that are not what they claim to be.
    Malformed(Malformed),
    /// The peer broke the rules of the protocol.
    Misbehaved(Misbehaved),
    /// The server said no.
    Refused(Refused),
    /// The peer did not answer in time.
    TimedOut(Stage),
    /// The transport has ended.
    Closed(Closed),
}

/// Bytes that are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Malformed {
    /// The answer to the WebSocket upgrade.
    Upgrade(ws::UpgradeError),
    /// A WebSocket frame.
    Frame(ws::Malformed),
    /// An MQTT packet.
    Packet(mqtt::Malformed),
}

/// A breach of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Misbehaved {
    /// A packet that must not come now.
    Packet(mqtt::Misbehaved),
    /// A text frame, where MQTT goes in binary ones (v3.1.1: [MQTT-6.0.0-1]).
    TextFrame,
}

/// A clear no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refused {
    /// Of the HTTP server, by a status other than 101; [`Connection::refusal`](crate::Connection::refusal)
    /// has the rest.
    Upgrade(ws::Status),
    /// Of the MQTT server, by CONNACK.
    Connect(ReasonCode),
}

/// How far a connection had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Stage {
    /// The WebSocket upgrade was not answered yet.
    Upgrade,
    /// CONNECT was not answered yet.
    Connack,
    /// The connection stood; a PINGREQ was not answered.
    Pingresp,
    /// The connection stood; a packet was not acknowledged
    /// ([`Connection::with_answer_timeout`](crate::Connection::with_answer_timeout)).
    Answer,
    /// The connection stood.
    Open,
}

/// How a transport ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Closed {
    /// This side said good-bye.
    Local,
    /// The server said good-bye by DISCONNECT, for this reason;
    /// [`Connection::last_properties`](crate::Connection::last_properties) has the rest.
    Disconnected(ReasonCode),
    /// The peer sent a WebSocket Close, with a code or without.
    Peer(Option<CloseCode>),
    /// The transport ended without a word.
    Eof(Stage),
    /// This side gave up a message that was half out
    /// ([`Session::abandon`](crate::Session::abandon)).
    Abandoned,
}

impl Error {
    /// What to tell an MQTT peer (MQTT 5.0 §4.13).
    pub const fn reason(self) -> ReasonCode {
        match self {
            Self::Malformed(Malformed::Packet(error)) => error.reason(),
            Self::Misbehaved(Misbehaved::Packet(error)) => error.reason(),
            Self::Malformed(_) => ReasonCode::MALFORMED_PACKET,
            Self::Misbehaved(_) => ReasonCode::PROTOCOL_ERROR,
            Self::Refused(Refused::Connect(reason)) => reason,
            Self::Refused(_) => ReasonCode::UNSPECIFIED_ERROR,
            Self::TimedOut(_) => ReasonCode::KEEP_ALIVE_TIMEOUT,
            Self::Closed(_) => ReasonCode::SUCCESS,
        }
    }

    /// What to tell a WebSocket peer (RFC 6455 §7.4).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Malformed(Malformed::Frame(error)) => error.close_code(),
            Self::Misbehaved(Misbehaved::TextFrame) => CloseCode::UNSUPPORTED_DATA,
            Self::Misbehaved(Misbehaved::Packet(mqtt::Misbehaved::PacketTooLarge)) => {
                CloseCode::TOO_BIG
            }
            Self::Malformed(_) | Self::Misbehaved(_) => CloseCode::PROTOCOL_ERROR,
            Self::TimedOut(_) => CloseCode::GOING_AWAY,
            // RFC 6455 §5.5.1: the code that came is sent back.
            Self::Closed(Closed::Peer(Some(code))) => code,
            Self::Refused(_) | Self::Closed(_) => CloseCode::NORMAL,
        }
    }

    /// Whether connecting again, unchanged, may succeed.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Refused(Refused::Upgrade(status)) => status.is_retryable(),
            Self::Refused(Refused::Connect(reason)) => reason.is_retryable(),
            Self::Malformed(Malformed::Upgrade(error)) => {
                matches!(error, ws::UpgradeError::NoResponse | ws::UpgradeError::Truncated)
            }
            Self::Malformed(_) | Self::Misbehaved(_) => true,
            Self::Closed(Closed::Disconnected(reason)) => reason.is_retryable(),
            Self::TimedOut(_) | Self::Closed(_) => true,
        }
    }
}

impl From<ws::UpgradeError> for Error {
    fn from(error: ws::UpgradeError) -> Self {
        match error {
            ws::UpgradeError::Refused(status) => Self::Refused(Refused::Upgrade(status)),
            error => Self::Malformed(Malformed::Upgrade(error)),
        }
    }
}

impl From<ws::Malformed> for Error {
    fn from(error: ws::Malformed) -> Self {
        Self::Malformed(Malformed::Frame(error))
    }
}

impl From<mqtt::Malformed> for Error {
    fn from(error: mqtt::Malformed) -> Self {
        Self::Malformed(Malformed::Packet(error))
    }
}

impl From<mqtt::Misbehaved> for Error {
    fn from(error: mqtt::Misbehaved) -> Self {
        Self::Misbehaved(Misbehaved::Packet(error))
    }
}

impl From<mqtt::Error> for Error {
    fn from(error: mqtt::Error) -> Self {
        match error {
            mqtt::Error::Malformed(error) => error.into(),
            mqtt::Error::Misbehaved(error) => error.into(),
            mqtt::Error::Refused(reason) => Self::Refused(Refused::Connect(reason)),
            mqtt::Error::Disconnected(reason) => Self::Closed(Closed::Disconnected(reason)),
            _ => Self::Misbehaved(Misbehaved::Packet(mqtt::Misbehaved::ClientPacket)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(Malformed::Upgrade(error)) => {
                write!(f, "the answer to the WebSocket upgrade is not one: {error}")
            }
            Self::Malformed(Malformed::Frame(error)) => {
                write!(f, "malformed WebSocket frame: {error}")
            }
            Self::Malformed(Malformed::Packet(error)) => {
                write!(f, "malformed MQTT packet: {error}")
            }
            Self::Misbehaved(Misbehaved::Packet(error)) => {
                write!(f, "MQTT protocol error: {error}")
            }
            Self::Misbehaved(Misbehaved::TextFrame) => {
                f.write_str("the server sent a text frame, which is not MQTT")
            }
            Self::Refused(Refused::Upgrade(status)) => {
                write!(
                    f,
                    "the server refused the WebSocket upgrade with HTTP status {}",
                    status.get()
                )
            }
            Self::Refused(Refused::Connect(reason)) => {
                write!(f, "the server refused the connection: {reason}")
            }
            Self::TimedOut(stage) => write!(f, "no answer in time: {stage}"),
            Self::Closed(closed) => closed.fmt(f),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upgrade => "the WebSocket upgrade was not answered",
            Self::Connack => "CONNECT was not answered",
            Self::Pingresp => "PINGREQ was not answered",
            Self::Answer => "a packet was not acknowledged",
            Self::Open => "the connection stood",
        })
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed by this side"),
            Self::Abandoned => f.write_str("closed by this side: a message could not be finished"),
            Self::Disconnected(reason) => write!(f, "the server ended the connection: {reason}"),
            Self::Peer(Some(code)) => {
                write!(f, "the server closed the connection with WebSocket code {}", code.get())
            }
            Self::Peer(None) => f.write_str("the server closed the connection without a code"),
            Self::Eof(stage) => {
                write!(f, "the server ended the connection without a word: {stage}")
            }
        }
    }
}

impl core::error::Error for Error {}

/// Why a connection cannot even begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OpenError {
    /// The CONNECT cannot be sent as it is.
    Connect(mqtt::Malformed),
    /// The receive buffer is shorter than [`RECEIVE_MIN`](crate::RECEIVE_MIN).
    BufferTooSmall,
    /// The session speaks another version than the CONNECT ([`Config`](crate::Config)).
    Version,
    /// The properties of the CONNECT promise to take more messages or longer packets than session and
    /// receive buffer hold, or topic aliases, for which
    /// [`Connection::with_topic_aliases`](crate::Connection::with_topic_aliases) speaks.
    Promise,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(mqtt::Malformed::Value) => f.write_str(
                "CONNECT is not valid: a password needs a user name, and an empty client \
                 identifier a clean session",
            ),
            Self::Connect(error) => write!(f, "CONNECT is not valid: {error}"),
            Self::BufferTooSmall => f.write_str("the receive buffer is too small"),
            Self::Version => f.write_str("the session speaks another version than the CONNECT"),
            Self::Promise => f.write_str(
                "the properties of the CONNECT promise more than the memory holds: lower Receive \
                 Maximum and Maximum Packet Size, leave Topic Alias Maximum out",
            ),
        }
    }
}

impl core::error::Error for OpenError {}
