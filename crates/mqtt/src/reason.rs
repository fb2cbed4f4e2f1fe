//! Reason codes (MQTT 5.0 §2.4).

use crate::PacketType;

/// Why a peer said yes or no, in the code space of MQTT 5.0 §2.4 for both versions.
///
/// The five return codes of an MQTT 3.1.1 CONNACK stand here as the reason codes that took their
/// place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReasonCode(u8);

impl ReasonCode {
    /// Success; also: normal disconnection, granted QoS 0.
    pub const SUCCESS: Self = Self(0x00);
    /// Granted QoS 1.
    pub const GRANTED_QOS_1: Self = Self(0x01);
    /// Granted QoS 2.
    pub const GRANTED_QOS_2: Self = Self(0x02);
    /// Good-bye, and the will is to be published.
    pub const DISCONNECT_WITH_WILL_MESSAGE: Self = Self(0x04);
    /// The message was accepted, and nobody has subscribed to it.
    pub const NO_MATCHING_SUBSCRIBERS: Self = Self(0x10);
    /// There was nothing to unsubscribe from.
    pub const NO_SUBSCRIPTION_EXISTED: Self = Self(0x11);
    /// Another step of the authentication is to follow.
    pub const CONTINUE_AUTHENTICATION: Self = Self(0x18);
    /// The client authenticates again.
    pub const RE_AUTHENTICATE: Self = Self(0x19);
    /// The peer does not say why.
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);
    /// Bytes that are not the packet they claim to be.
    pub const MALFORMED_PACKET: Self = Self(0x81);
    /// A packet that is not allowed here.
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    /// Valid, but not accepted by this peer.
    pub const IMPLEMENTATION_SPECIFIC_ERROR: Self = Self(0x83);
    /// The server does not speak this version.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(0x84);
    /// The server does not allow this client identifier.
    pub const CLIENT_IDENTIFIER_NOT_VALID: Self = Self(0x85);
    /// The server does not accept the user name or the password.
    pub const BAD_USER_NAME_OR_PASSWORD: Self = Self(0x86);
    /// The client may not do this.
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    /// The server is not available.
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    /// The server is busy.
    pub const SERVER_BUSY: Self = Self(0x89);
    /// The client was banned by administrative action.
    pub const BANNED: Self = Self(0x8a);
    /// The server is shutting down.
    pub const SERVER_SHUTTING_DOWN: Self = Self(0x8b);
    /// The authentication method is not supported, or not the one in use.
    pub const BAD_AUTHENTICATION_METHOD: Self = Self(0x8c);
    /// The connection was silent for longer than its keep alive.
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8d);
    /// Another connection uses the same client identifier.
    pub const SESSION_TAKEN_OVER: Self = Self(0x8e);
    /// A correct topic filter that the server does not accept.
    pub const TOPIC_FILTER_INVALID: Self = Self(0x8f);
    /// A correct topic name that the peer does not accept.
    pub const TOPIC_NAME_INVALID: Self = Self(0x90);
    /// Another exchange has this packet identifier.
    pub const PACKET_IDENTIFIER_IN_USE: Self = Self(0x91);
    /// No exchange has this packet identifier.
    pub const PACKET_IDENTIFIER_NOT_FOUND: Self = Self(0x92);
    /// More messages are under way than the receiver takes.
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    /// A topic alias is zero or above the maximum.
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    /// A packet is larger than the receiver takes.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    /// Messages come too fast.
    pub const MESSAGE_RATE_TOO_HIGH: Self = Self(0x96);
    /// A limit of the peer's has been reached.
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    /// The connection is closed by administrative action.
    pub const ADMINISTRATIVE_ACTION: Self = Self(0x98);
    /// The payload is not what its indicator says.
    pub const PAYLOAD_FORMAT_INVALID: Self = Self(0x99);
    /// The server keeps no messages.
    pub const RETAIN_NOT_SUPPORTED: Self = Self(0x9a);
    /// The server does not take this QoS.
    pub const QOS_NOT_SUPPORTED: Self = Self(0x9b);
    /// The client is to use another server for now.
    pub const USE_ANOTHER_SERVER: Self = Self(0x9c);
    /// The client is to use another server for good.
    pub const SERVER_MOVED: Self = Self(0x9d);
    /// The server does not share subscriptions.
    pub const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0x9e);
    /// Connections are made too fast.
    pub const CONNECTION_RATE_EXCEEDED: Self = Self(0x9f);
    /// The connection has lived as long as it may.
    pub const MAXIMUM_CONNECT_TIME: Self = Self(0xa0);
    /// The server does not name subscriptions.
    pub const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Self = Self(0xa1);
    /// The server does not take wildcards.
    pub const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0xa2);

    /// The code `code`, whether or not a standard names it.
    pub const fn new(code: u8) -> Self {
        Self(code)
    }

    /// The number on the wire of MQTT 5.0.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Whether this is a refusal: 0x80 and above (MQTT 5.0 §2.4).
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The reason that a 3.1.1 CONNACK return code stands for (MQTT 3.1.1 §3.2.2.3).
    pub const fn from_connack(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::SUCCESS),
            1 => Some(Self::UNSUPPORTED_PROTOCOL_VERSION),
            2 => Some(Self::CLIENT_IDENTIFIER_NOT_VALID),
            3 => Some(Self::SERVER_UNAVAILABLE),
            4 => Some(Self::BAD_USER_NAME_OR_PASSWORD),
            5 => Some(Self::NOT_AUTHORIZED),
            _ => None,
        }
    }

    /// The 3.1.1 CONNACK return code for this reason; refusals without one are "not authorized".
    pub const fn to_connack(self) -> u8 {
        match self {
            Self::UNSUPPORTED_PROTOCOL_VERSION => 1,
            Self::CLIENT_IDENTIFIER_NOT_VALID => 2,
            Self::SERVER_UNAVAILABLE => 3,
            Self::BAD_USER_NAME_OR_PASSWORD => 4,
            reason if reason.is_error() => 5,
            _ => 0,
        }
    }

    /// Whether a packet of this type may carry the code in MQTT 5.0; SUBACK and UNSUBACK carry one a
    /// filter.
    ///
    /// [MQTT-3.2.2-8], [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1],
    /// [MQTT-3.9.3-2], [MQTT-3.11.3-2], [MQTT-3.14.2-1], [MQTT-3.15.2-1].
    pub const fn may_stand_in(self, packet_type: PacketType) -> bool {
        match packet_type {
            PacketType::Connack => matches!(
                self.0,
                0 | 0x80..=0x8a | 0x8c | 0x90 | 0x95 | 0x97 | 0x99..=0x9d | 0x9f
            ),
            PacketType::Puback | PacketType::Pubrec => {
                matches!(self.0, 0 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
            }
            PacketType::Pubrel | PacketType::Pubcomp => matches!(self.0, 0 | 0x92),
            PacketType::Suback => matches!(
                self.0,
                0..=2 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91 | 0x97 | 0x9e | 0xa1 | 0xa2
            ),
            PacketType::Unsuback => matches!(self.0, 0 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91),
            // MQTT 5.0 §2.4 has 0x8c here, §3.14.2.1 has not: it is let through.
            PacketType::Disconnect => matches!(
                self.0,
                0 | 4 | 0x80..=0x83 | 0x87 | 0x89 | 0x8b..=0x90 | 0x93..=0xa2
            ),
            PacketType::Auth => matches!(self.0, 0 | 0x18 | 0x19),
            _ => false,
        }
    }

    /// This code, where a packet of this type may carry it.
    pub(crate) fn standing_in(self, packet_type: PacketType) -> Option<Self> {
        self.may_stand_in(packet_type).then_some(self)
    }

    /// Whether the same request may succeed later without being changed.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::SUCCESS
                | Self::UNSPECIFIED_ERROR
                | Self::IMPLEMENTATION_SPECIFIC_ERROR
                | Self::SERVER_UNAVAILABLE
                | Self::SERVER_BUSY
                | Self::SERVER_SHUTTING_DOWN
                | Self::KEEP_ALIVE_TIMEOUT
                | Self::RECEIVE_MAXIMUM_EXCEEDED
                | Self::MESSAGE_RATE_TOO_HIGH
                | Self::QUOTA_EXCEEDED
                | Self::ADMINISTRATIVE_ACTION
                | Self::USE_ANOTHER_SERVER
                | Self::CONNECTION_RATE_EXCEEDED
                | Self::MAXIMUM_CONNECT_TIME
        )
    }

    /// What the code means, in a few words; empty where no standard names it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SUCCESS => "success",
            Self::GRANTED_QOS_1 => "granted QoS 1",
            Self::GRANTED_QOS_2 => "granted QoS 2",
            Self::DISCONNECT_WITH_WILL_MESSAGE => "disconnect with will message",
            Self::NO_MATCHING_SUBSCRIBERS => "no matching subscribers",
            Self::NO_SUBSCRIPTION_EXISTED => "no subscription existed",
            Self::CONTINUE_AUTHENTICATION => "continue authentication",
            Self::RE_AUTHENTICATE => "re-authenticate",
            Self::UNSPECIFIED_ERROR => "unspecified error",
            Self::MALFORMED_PACKET => "malformed packet",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::IMPLEMENTATION_SPECIFIC_ERROR => "implementation specific error",
            Self::UNSUPPORTED_PROTOCOL_VERSION => "unsupported protocol version",
            Self::CLIENT_IDENTIFIER_NOT_VALID => "client identifier not valid",
            Self::BAD_USER_NAME_OR_PASSWORD => "bad user name or password",
            Self::NOT_AUTHORIZED => "not authorized",
            Self::SERVER_UNAVAILABLE => "server unavailable",
            Self::SERVER_BUSY => "server busy",
            Self::BANNED => "banned",
            Self::SERVER_SHUTTING_DOWN => "server shutting down",
            Self::BAD_AUTHENTICATION_METHOD => "bad authentication method",
            Self::KEEP_ALIVE_TIMEOUT => "keep alive timeout",
            Self::SESSION_TAKEN_OVER => "session taken over",
            Self::TOPIC_FILTER_INVALID => "topic filter invalid",
            Self::TOPIC_NAME_INVALID => "topic name invalid",
            Self::PACKET_IDENTIFIER_IN_USE => "packet identifier in use",
            Self::PACKET_IDENTIFIER_NOT_FOUND => "packet identifier not found",
            Self::RECEIVE_MAXIMUM_EXCEEDED => "receive maximum exceeded",
            Self::TOPIC_ALIAS_INVALID => "topic alias invalid",
            Self::PACKET_TOO_LARGE => "packet too large",
            Self::MESSAGE_RATE_TOO_HIGH => "message rate too high",
            Self::QUOTA_EXCEEDED => "quota exceeded",
            Self::ADMINISTRATIVE_ACTION => "administrative action",
            Self::PAYLOAD_FORMAT_INVALID => "payload format invalid",
            Self::RETAIN_NOT_SUPPORTED => "retain not supported",
            Self::QOS_NOT_SUPPORTED => "QoS not supported",
            Self::USE_ANOTHER_SERVER => "use another server",
            Self::SERVER_MOVED => "server moved",
            Self::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED => "shared subscriptions not supported",
            Self::CONNECTION_RATE_EXCEEDED => "connection rate exceeded",
            Self::MAXIMUM_CONNECT_TIME => "maximum connect time",
            Self::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED => {
                "subscription identifiers not supported"
            }
            Self::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED => "wildcard subscriptions not supported",
            _ => "",
        }
    }
}

impl core::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.meaning() {
            "" => write!(f, "reason 0x{:02x}", self.0),
            meaning => write!(f, "{meaning} (0x{:02x})", self.0),
        }
    }
}
