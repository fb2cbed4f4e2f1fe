//! MQTT over WebSocket, or over a bare stream, as a state machine without I/O.
//!
//! [`Session`] is what outlives connections; [`Connection`] is one transport's life. Both work on the
//! caller's memory: no socket, no clock, no heap, no randomness of their own. Bytes from the transport
//! go in by [`Connection::spare`] and [`Connection::commit`] or by [`Connection::receive`]; events come
//! out of [`Connection::poll`]; bytes for the transport come out of [`Connection::poll_transmit`]; and
//! [`Connection::next_deadline`] says when to call [`Connection::handle_timeout`]. Spurious calls are
//! harmless.
//!
//! A loop over any byte stream, with the caller's clock and randomness:
//!
//! ```no_run
//! use dunlin::{
//!     Config, Connect, Connection, Entropy, Event, Instant, Message, Opening, Qos, Session,
//!     Subscription, Transport, ws,
//! };
//! use std::io::{Read, Write};
//!
//! fn talk(
//!     stream: &mut (impl Read + Write), // reads give up after a while, so that deadlines are kept
//!     clock: impl Fn() -> Instant,
//!     entropy: &mut dyn Entropy,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut session = Session::<_, 8>::new([0; 1024], Config::new());
//!     session.subscribe(&[Subscription::new("commands/#", Qos::AtLeastOnce)])?;
//!     session.publish(&Message::new("hello", b"world", Qos::AtLeastOnce))?;
//!
//!     let connect = Connect { keep_alive_s: 45, ..Connect::new("device") };
//!     let transport = Transport::WebSocket(ws::Request::new("broker.example", &"/mqtt", &[])?);
//!     let opening = Opening { transport, connect, deadline: clock().after(20_000) };
//!     let mut connection = Connection::open(&mut session, [0; 2048], opening, clock(), entropy)?;
//!     let mut out = [0; 1024];
//!     loop {
//!         while let Some(event) = connection.poll(&mut session, clock())? {
//!             if let Event::Message { message, .. } = event {
//!                 // Publishing while the message is held: an echo without a copy.
//!                 session.publish(&Message::new("echo", message.payload, Qos::AtMostOnce))?;
//!             }
//!         }
//!         while let Some(len) =
//!             connection.poll_transmit(&mut session, clock(), entropy, &mut out)
//!         {
//!             stream.write_all(&out[..len])?;
//!         }
//!         match stream.read(connection.spare()) {
//!             Ok(0) => return Err(connection.handle_eof().into()),
//!             Ok(len) => connection.commit(len),
//!             Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
//!             Err(error) => return Err(error.into()),
//!         }
//!         connection.handle_timeout(clock())?;
//!     }
//! }
//! ```
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

mod authenticator;
mod connection;
mod entropy;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod opening;
mod timers;
mod transmit;

pub use authenticator::{AuthenticateError, Authenticator, Denied, authenticate, re_authenticate};
pub use connection::{Connection, RECEIVE_MIN};
pub use dunlin_mqtt as mqtt;
pub use dunlin_mqtt::{
    AckMode, AckToken, Aliases, Config, Connect, Event, Head, Limits, Message, Oversize,
    Properties, Property, PublishError, Qos, ReasonCode, Reasons, Resumption, Session,
    SubscribeError, Subscription, Token, Version, Wanted, Will,
};
pub use dunlin_octet as octet;
pub use dunlin_octet::Buffer;
pub use dunlin_ws as ws;
pub use entropy::Entropy;
pub use error::{Closed, Error, Malformed, Misbehaved, OpenError, Refused, Stage};
pub use opening::{Opening, Transport};
pub use timers::{CLOSE_TIMEOUT_MS, Instant, KeepAlive, Overdue, PING_TIMEOUT_MAX_MS};
pub use transmit::TRANSMIT_MIN;

/// Everything that a program may want in its log.
#[cfg(feature = "defmt")]
const _: () = {
    const fn is_shown<T: defmt::Format>() {}
    is_shown::<Error>();
    is_shown::<Event<'_>>();
    is_shown::<Opening<'_>>();
    is_shown::<OpenError>();
    is_shown::<Instant>();
    is_shown::<Overdue>();
};
