//! The properties that there are (MQTT 5.0 §2.2.2.2).

use super::{Properties, field::Field};
use crate::{Malformed, PacketType, Qos, SubscriptionId, check_topic};
use core::{
    fmt,
    num::{NonZeroU16, NonZeroU32},
};
use dunlin_octet::{Reader, Sink, Text};

pub(super) const USER_PROPERTY: u8 = 0x26;
pub(super) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
pub(super) const AUTHENTICATION_METHOD: u8 = 0x15;
pub(super) const AUTHENTICATION_DATA: u8 = 0x16;

/// The will in CONNECT has properties of its own.
pub(super) const WILL: u16 = 1;
const CONNECT: u16 = bit(PacketType::Connect);
const CONNACK: u16 = bit(PacketType::Connack);
const PUBLISH: u16 = bit(PacketType::Publish);
const SUBSCRIBE: u16 = bit(PacketType::Subscribe);
const DISCONNECT: u16 = bit(PacketType::Disconnect);
const AUTH: u16 = bit(PacketType::Auth);
/// PUBACK, PUBREC, PUBREL, PUBCOMP.
const ACKS: u16 = bit(PacketType::Puback)
    | bit(PacketType::Pubrec)
    | bit(PacketType::Pubrel)
    | bit(PacketType::Pubcomp);
const SUBACKS: u16 = bit(PacketType::Suback) | bit(PacketType::Unsuback);
const REASON: u16 = CONNACK | ACKS | SUBACKS | DISCONNECT | AUTH;
const ANY: u16 = REASON | WILL | CONNECT | PUBLISH | SUBSCRIBE | bit(PacketType::Unsubscribe);

/// The bit of a packet type: its number on the wire.
pub(super) const fn bit(packet_type: PacketType) -> u16 {
    1_u16.wrapping_shl(u32::from_be_bytes([0, 0, 0, packet_type.number()]))
}

/// One table for everything that is known of a property: its identifier, its type, where it may
/// stand, and the finder for it.
macro_rules! properties {
    ($($(#[doc = $doc:literal])+ $id:literal $name:ident($type:ty) $finder:ident in $places:expr;)+) => {
        /// A property of a packet, by the standard's name.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum Property<'a> {
            $($(#[doc = $doc])+ $name($type),)+
            /// Names a subscription; in PUBLISH, one that the message comes for.
            SubscriptionIdentifier(SubscriptionId),
            /// A name and a value that the program made up; may stand more than once.
            UserProperty((&'a str, &'a str)),
        }

        impl<'a> Property<'a> {
            /// The identifier on the wire.
            pub const fn id(&self) -> u8 {
                match self {
                    $(Self::$name(_) => $id,)+
                    Self::SubscriptionIdentifier(_) => SUBSCRIPTION_IDENTIFIER,
                    Self::UserProperty(_) => USER_PROPERTY,
                }
            }

            /// Takes the value of the property `id`.
            pub(crate) fn take(id: u8, body: &mut Reader<'a>) -> Result<Self, Malformed> {
                let property = match id {
                    $($id => Self::$name(Field::take(body)?),)+
                    SUBSCRIPTION_IDENTIFIER => Self::SubscriptionIdentifier(Field::take(body)?),
                    USER_PROPERTY => Self::UserProperty(Field::take(body)?),
                    _ => return Err(Malformed::Property),
                };
                property.check_meaning()?;
                Ok(property)
            }

            /// Puts the identifier and the value.
            pub(super) fn put(&self, sink: &mut (impl Sink + ?Sized)) {
                sink.put(&[self.id()]);
                match self {
                    $(Self::$name(value) => value.put(sink),)+
                    Self::SubscriptionIdentifier(id) => id.put(sink),
                    Self::UserProperty(pair) => pair.put(sink),
                }
            }

            /// Whether the value can be put.
            pub(super) fn check(&self) -> Result<(), Malformed> {
                match self {
                    $(Self::$name(value) => value.check()?,)+
                    Self::SubscriptionIdentifier(id) => id.check()?,
                    Self::UserProperty(pair) => pair.check()?,
                }
                self.check_meaning()
            }
        }

        /// Where the property `id` may stand: nowhere, if there is none.
        pub(super) const fn places(id: u8) -> u16 {
            match id {
                $($id => $places,)+
                SUBSCRIPTION_IDENTIFIER => PUBLISH | SUBSCRIBE,
                USER_PROPERTY => ANY,
                _ => 0,
            }
        }

        impl fmt::Debug for Property<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    // It may be as good as a password.
                    _ if self.id() == AUTHENTICATION_DATA => {
                        f.write_str("AuthenticationData(..)")
                    }
                    $(Self::$name(value) => f.debug_tuple(stringify!($name)).field(value).finish(),)+
                    Self::SubscriptionIdentifier(id) => {
                        f.debug_tuple("SubscriptionIdentifier").field(id).finish()
                    }
                    Self::UserProperty(pair) => f.debug_tuple("UserProperty").field(pair).finish(),
                }
            }
        }

        #[cfg(feature = "defmt")]
        impl defmt::Format for Property<'_> {
            fn format(&self, f: defmt::Formatter<'_>) {
                match self {
                    // It may be as good as a password.
                    _ if self.id() == AUTHENTICATION_DATA => {
                        defmt::write!(f, "AuthenticationData(..)");
                    }
                    $(Self::$name(value) => {
                        defmt::write!(f, "{=str}({})", stringify!($name), value);
                    })+
                    Self::SubscriptionIdentifier(id) => {
                        defmt::write!(f, "SubscriptionIdentifier({})", id);
                    }
                    Self::UserProperty(pair) => defmt::write!(f, "UserProperty({})", pair),
                }
            }
        }

        impl<'a> Properties<'a> {
            $($(#[doc = $doc])+
            pub fn $finder(&self) -> Option<$type> {
                self.iter().find_map(|property| match property {
                    Property::$name(value) => Some(value),
                    _ => None,
                })
            })+
        }
    };
}

properties! {
    /// Whether the payload is UTF-8 text.
    0x01 PayloadFormatIndicator(bool) payload_format_indicator in PUBLISH | WILL;
    /// For how long the message is of use, in seconds.
    0x02 MessageExpiryInterval(u32) message_expiry_interval_s in PUBLISH | WILL;
    /// What the payload is, in words that the programs have agreed on.
    0x03 ContentType(&'a str) content_type in PUBLISH | WILL;
    /// The topic name that an answer is to be published to.
    0x08 ResponseTopic(&'a str) response_topic in PUBLISH | WILL;
    /// Tells the asker which question an answer belongs to.
    0x09 CorrelationData(&'a [u8]) correlation_data in PUBLISH | WILL;
    /// For how long the session outlives the connection, in seconds.
    0x11 SessionExpiryInterval(u32) session_expiry_interval_s in CONNECT | CONNACK | DISCONNECT;
    /// The client identifier that the server has chosen.
    0x12 AssignedClientIdentifier(&'a str) assigned_client_identifier in CONNACK;
    /// The keep alive that holds in place of the client's, in seconds.
    0x13 ServerKeepAlive(u16) server_keep_alive_s in CONNACK;
    /// The name of the authentication method.
    0x15 AuthenticationMethod(&'a str) authentication_method in CONNECT | CONNACK | AUTH;
    /// One step of the authentication.
    0x16 AuthenticationData(&'a [u8]) authentication_data in CONNECT | CONNACK | AUTH;
    /// Whether reason strings and user properties are wanted wherever something fails.
    0x17 RequestProblemInformation(bool) request_problem_information in CONNECT;
    /// How long the server waits with the will, in seconds.
    0x18 WillDelayInterval(u32) will_delay_interval_s in WILL;
    /// Whether the server is asked for response information.
    0x19 RequestResponseInformation(bool) request_response_information in CONNECT;
    /// What the client can make response topics of.
    0x1a ResponseInformation(&'a str) response_information in CONNACK;
    /// The other server to be used.
    0x1c ServerReference(&'a str) server_reference in CONNACK | DISCONNECT;
    /// Why, for people to read.
    0x1f ReasonString(&'a str) reason_string in REASON;
    /// How many messages above QoS 0 may be under way to this peer.
    0x21 ReceiveMaximum(NonZeroU16) receive_maximum in CONNECT | CONNACK;
    /// The highest topic alias that this peer takes.
    0x22 TopicAliasMaximum(u16) topic_alias_maximum in CONNECT | CONNACK;
    /// A number that stands for the topic name.
    0x23 TopicAlias(NonZeroU16) topic_alias in PUBLISH;
    /// The highest QoS that the server takes.
    0x24 MaximumQos(Qos) maximum_qos in CONNACK;
    /// Whether the server keeps messages.
    0x25 RetainAvailable(bool) retain_available in CONNACK;
    /// The longest packet that this peer takes, in bytes.
    0x27 MaximumPacketSize(NonZeroU32) maximum_packet_size in CONNECT | CONNACK;
    /// Whether the server takes wildcards in filters.
    0x28 WildcardSubscriptionAvailable(bool) wildcard_subscription_available in CONNACK;
    /// Whether the server takes subscription identifiers.
    0x29 SubscriptionIdentifierAvailable(bool) subscription_identifier_available in CONNACK;
    /// Whether the server takes shared subscriptions.
    0x2a SharedSubscriptionAvailable(bool) shared_subscription_available in CONNACK;
}

impl Property<'_> {
    /// What the type does not say.
    fn check_meaning(&self) -> Result<(), Malformed> {
        match self {
            // [MQTT-3.3.2-14] No wildcards in a response topic. [MQTT-4.7.3-1] Never empty.
            Self::ResponseTopic(topic) => check_topic(topic).map_err(|_| Malformed::Topic),
            _ => Ok(()),
        }
    }
}

impl Text for Property<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.put(sink);
    }
}
