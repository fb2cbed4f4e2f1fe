//! MQTT over WebSocket, or over a bare stream, as a state machine without I/O.
//!
//! [`Session`] is what outlives connections; [`Connection`] is one transport's life. Both work on the
//! caller's memory: no socket, no clock, no heap, no randomness of their own. Bytes from the transport
//! go in by [`Connection::spare`] and [`Connection::commit`] or by [`Connection::receive`]; events come
//! out of [`Connection::poll`]; bytes for the transport come out of [`Connection::poll_transmit`]; and
//! [`Connection::next_deadline`] says when to call [`Connection::handle_timeout`]. Spurious calls are
//! harmless.
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

mod connection;
mod entropy;
mod error;
mod opening;
mod timers;
mod transmit;

pub use connection::{Connection, RECEIVE_MIN};
pub use dunlin_mqtt as mqtt;
pub use dunlin_mqtt::{
    AckMode, AckToken, Config, Connect, Event, Head, Message, PublishError, Qos, ReasonCode,
    Reasons, Resumption, Session, SubscribeError, Subscription, Token, Will,
};
pub use dunlin_octet as octet;
pub use dunlin_octet::Buffer;
pub use dunlin_ws as ws;
pub use entropy::Entropy;
pub use error::{Closed, Error, Malformed, Misbehaved, OpenError, Refused, Stage};
pub use opening::{Opening, Transport};
pub use timers::{CLOSE_TIMEOUT_MS, Instant, PING_TIMEOUT_MAX_MS};
pub use transmit::TRANSMIT_MIN;
