//! The small values that packets are made of.

use core::num::NonZeroU16;

/// How often a message may arrive (MQTT 3.1.1 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// Once or never; never acknowledged.
    #[default]
    AtMostOnce,
    /// Once or more often; acknowledged by PUBACK.
    AtLeastOnce,
    /// Exactly once; acknowledged in two steps.
    ExactlyOnce,
}

impl Qos {
    /// The two bits on the wire.
    pub const fn bits(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }

    /// The QoS that the two bits mean; there is none for 3 ([MQTT-3.3.1-4]).
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// Identifies one exchange in flight; never zero ([MQTT-2.3.1-1]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The identifier `id`; there is none for 0.
    pub const fn new(id: u16) -> Option<Self> {
        match NonZeroU16::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn value(self) -> u16 {
        self.0.get()
    }
}

/// Why a peer said yes or no, in the code space of MQTT 5.0 §2.4 for both versions.
///
/// The five return codes of an MQTT 3.1.1 CONNACK stand here as the reason codes that took their
/// place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReasonCode(u8);

impl ReasonCode {
    /// Success; also: normal disconnection, granted QoS 0.
    pub const SUCCESS: Self = Self(0x00);
    /// Granted QoS 1.
    pub const GRANTED_QOS_1: Self = Self(0x01);
    /// Granted QoS 2.
    pub const GRANTED_QOS_2: Self = Self(0x02);
    /// The peer does not say why.
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);
    /// Bytes that are not the packet they claim to be.
    pub const MALFORMED_PACKET: Self = Self(0x81);
    /// A packet that is not allowed here.
    pub const PROTOCOL_ERROR: Self = Self(0x82);
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
    /// The connection was silent for longer than its keep alive.
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8d);
    /// A packet is larger than the receiver takes.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);

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

    /// Whether the same request may succeed later without being changed.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::SERVER_UNAVAILABLE | Self::UNSPECIFIED_ERROR)
    }

    /// What the code means, in a few words; empty where no standard names it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SUCCESS => "success",
            Self::GRANTED_QOS_1 => "granted QoS 1",
            Self::GRANTED_QOS_2 => "granted QoS 2",
            Self::UNSPECIFIED_ERROR => "unspecified error",
            Self::MALFORMED_PACKET => "malformed packet",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::UNSUPPORTED_PROTOCOL_VERSION => "unsupported protocol version",
            Self::CLIENT_IDENTIFIER_NOT_VALID => "client identifier not valid",
            Self::BAD_USER_NAME_OR_PASSWORD => "bad user name or password",
            Self::NOT_AUTHORIZED => "not authorized",
            Self::SERVER_UNAVAILABLE => "server unavailable",
            Self::KEEP_ALIVE_TIMEOUT => "keep alive timeout",
            Self::PACKET_TOO_LARGE => "packet too large",
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
