//! MQTT over WebSocket on Embassy: a handle that tasks share, reconnects, no heap.
//!
//! All memory of a client lies in its [`Resources`]. [`Runner::run`] keeps it connected, in a task of
//! its own, over whatever a [`Connector`] makes: TCP of embassy-net (feature `net`), TLS over it, a
//! UART. Any task publishes and subscribes with a [`Client`]. What to decide on the way to a whole
//! program, [`guide`] tells.
//!
//! ```
//! use dunlin_embassy::{Client, Connector, Fixed, Resources, Runner};
//! use dunlin_embassy::dunlin::{Config, Connect, Message, Qos, Transport, ws};
//! use embassy_sync::blocking_mutex::raw::NoopRawMutex;
//!
//! type Memory = Resources<'static, NoopRawMutex, 1024, 512, 1024, 2048>;
//!
//! async fn keep_connected(
//!     mut runner: Runner<'static, NoopRawMutex, 8>,
//!     mut connector: impl Connector,
//!     mut random: impl FnMut(&mut [u8]),
//! ) -> Result<(), ws::InvalidRequest> {
//!     let transport = Transport::WebSocket(ws::Request::new("broker.example", &"/mqtt", &[])?);
//!     let connect = Connect { keep_alive_s: 45, ..Connect::new("device") };
//!     let why = runner.run(&mut connector, &mut Fixed { transport, connect }, &mut random).await;
//!     let _ = why; // closed, or sent away for good
//!     Ok(())
//! }
//!
//! async fn obey(client: Client<'static, NoopRawMutex, 8>) -> Option<()> {
//!     let mut commands = client.subscribe("commands/#", Qos::AtLeastOnce).await.ok()?;
//!     let mut buffer = [0; 1024];
//!     while let Ok(command) = commands.next(&mut buffer).await {
//!         let answer = Message::new("answers", command.payload(), Qos::AtLeastOnce);
//!         client.publish(&answer).await.ok()?;
//!     }
//!     Some(())
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

mod client;
mod connector;
mod error;
mod events;
mod filters;
#[doc = include_str!("guide.md")]
pub mod guide {}
#[cfg(feature = "net")]
mod net;
pub mod pubsub;
mod queue;
mod receipts;
mod received;
mod resources;
mod runner;
mod shared;
mod subscription;

pub use client::Client;
pub use connector::{Connector, Line, Talk};
#[cfg(feature = "aws")]
pub use dunlin_drive::pubsub::aws;
pub use dunlin_drive::pubsub::{Fixed, Provider, Unavailable};
pub use dunlin_drive::{Backoff, dunlin};
pub use error::{Error, PublishError, SubscribeError};
pub use events::{EVENTS_MAX, Event, Events, Status};
#[cfg(feature = "net")]
pub use net::{TcpConnector, TcpError};
pub use pubsub::PubSub;
pub use receipts::Receipt;
pub use received::Received;
pub use resources::Resources;
pub use runner::{CONNECT_TIMEOUT_DEFAULT, Runner};
pub use subscription::Subscription;

/// How many filters a client can subscribe to at a time.
pub const SUBSCRIPTIONS_MAX: usize = 8;

/// Everything that a program may want in its log.
#[cfg(feature = "defmt")]
const _: () = {
    const fn is_shown<T: defmt::Format>() {}
    is_shown::<Error>();
    is_shown::<Event>();
    is_shown::<Fixed<'_>>();
    is_shown::<PublishError>();
    is_shown::<Received<'_>>();
    is_shown::<Status>();
    is_shown::<SubscribeError>();
    is_shown::<pubsub::ConnectionState>();
    is_shown::<pubsub::Delivery<'_, '_>>();
    is_shown::<pubsub::Drained>();
    is_shown::<pubsub::Error<'_>>();
    is_shown::<pubsub::Published<'_, '_>>();
    is_shown::<pubsub::Reachability>();
    is_shown::<pubsub::Undelivered<'_>>();
};
