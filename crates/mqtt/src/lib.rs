//! MQTT control packets as bytes and values, and the client's session.
//!
//! Pure functions over slices and one state machine over the caller's memory: no I/O, no heap, no
//! clock, and no knowledge of WebSocket. Citations in brackets are normative statements of MQTT 5.0;
//! in a line, those behind `v3.1.1:` are of MQTT 3.1.1.
#![no_std]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::disallowed_methods,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core,
        reason = "a test may panic"
    )
)]

#[cfg(test)]
extern crate std;

mod ack;
mod aliases;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod encode;
mod error;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod header;
mod limits;
#[cfg_attr(not(feature = "qos2"), path = "line/absent.rs")]
mod line;
mod message;
mod outbox;
mod owed;
mod packet;
mod properties;
mod publish;
mod reason;
#[cfg_attr(not(feature = "qos2"), path = "received/absent.rs")]
mod received;
mod record;
mod session;
mod share;
mod slots;
mod suback;
mod subscribe;
mod text;
mod topic;
mod types;

pub use ack::{Ack, AckKind};
pub use aliases::{Aliases, OUTGOING_ALIASES_MAX, Parts};
pub use auth::Auth;
pub use connack::Connack;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use error::{
    AckError, Error, Malformed, Misbehaved, PublishError, SendError, SubscribeError, TopicError,
};
pub use event::{AckMode, AckToken, Config, Event, Oversize, Resumption, Token};
pub use header::{FixedHeader, PACKET_BODY_MAX, PacketType};
pub use limits::Limits;
pub use message::{Head, Message};
pub use packet::Packet;
pub use properties::{Iter as PropertiesIter, Properties, Property};
pub use publish::Publish;
pub use reason::ReasonCode;
pub use record::{FORMAT, RECORD_OVERHEAD, RECORD_PREFIX, Records, RestoreError, TooShort};
pub use session::{Delivery, EXACTLY_ONCE_MAX, Piece, Session, Wanted};
pub use share::SharedFilter;
pub use suback::{Reasons, Suback, Unsuback};
pub use subscribe::{RetainHandling, Subscribe, Subscription, Unsubscribe};
pub use text::STRING_MAX;
pub use topic::{check_filter, check_topic, matches};
pub use types::{PacketId, Qos, SubscriptionId, Version};

/// Everything that a program may want in its log.
#[cfg(feature = "defmt")]
const _: () = {
    const fn is_shown<T: defmt::Format>() {}
    is_shown::<Config>();
    is_shown::<Event<'_>>();
    is_shown::<Packet<'_>>();
    is_shown::<Piece<'_>>();
    is_shown::<Limits>();
    is_shown::<Records<'_>>();
    is_shown::<PropertiesIter<'_>>();
    is_shown::<Delivery>();
};
