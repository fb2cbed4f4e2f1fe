//! MQTT over WebSocket on Tokio: a client handle, TLS, and reconnects.
//!
//! ```no_run
//! use dunlin_tokio::{Client, Message, Options, Qos};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(Options::parse("wss://broker.example/mqtt")?).await?;
//! let mut rooms = client.subscribe("rooms/+/temperature", Qos::AtLeastOnce).await?;
//! client.publish(&Message::new("rooms/kitchen/temperature", b"21.5", Qos::AtLeastOnce)).await?;
//! while let Some(message) = rooms.next().await {
//!     let message = message?;
//!     println!("{}: {} bytes", message.topic(), message.payload().len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! All protocol work is done by the sans-IO core, re-exported as [`dunlin`]; what is here is the clock,
//! the sockets, the lock, and owned messages.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    reason = "a host may allocate and panic; the core may not"
)]

mod authentication;
#[cfg(feature = "aws")]
pub mod aws;
pub mod blocking;
mod buffer;
mod client;
mod connect_error;
mod entropy;
mod error;
mod granted;
mod manual;
mod message;
mod options;
mod probe;
mod proxy;
pub mod pubsub;
mod receipt;
mod received;
mod recorder;
mod request;
mod router;
mod runner;
mod shared;
mod sharing;
mod statistics;
pub mod store;
mod subscription;
mod tally;
mod tcp;
mod tls;
pub mod transport;
mod url;

pub use authentication::AUTHENTICATION_STEP_MAX;
pub use client::{Client, Event};
pub use connect_error::{Attempt, ConnectError, Stage, TlsFault};
pub use dunlin_drive::{
    Backoff,
    dunlin::{
        self, AuthenticateError, Authenticator, Denied, KeepAlive, Limits, Message, Overdue,
        Properties, Property, Qos, ReasonCode, Resumption, Version,
        mqtt::{AckError, RetainHandling, SendError, SharedFilter, SubscriptionId, TopicError},
    },
};
pub use error::{Cause, Error, PublishError, SubscribeError, UpgradeRefusal};
pub use granted::Granted;
pub use manual::{Acknowledgement, ManualSubscription};
pub use message::{MessageProperties, Will};
#[cfg(feature = "aws")]
pub use options::AWS_RENEW_AFTER_DEFAULT;
pub use options::{
    ALIASED_TOPICS_DEFAULT, CONNECT_TIMEOUT_DEFAULT, ConnectLimiter, ENDPOINT_STABLE,
    KEEP_ALIVE_DEFAULT_S, Network, OUTBOX_DEFAULT, Offline, Options, Overflow, Persistence,
    QUEUE_DEFAULT, RECEIVE_DEFAULT, ServerReference, TOPIC_ALIASES_DEFAULT,
};
pub use probe::Probe;
pub use proxy::{InvalidProxy, Proxy, ProxyFault};
pub use pubsub::PubSub;
pub use receipt::Receipt;
pub use received::Received;
pub use request::{RequestError, Requests};
pub use shared::Status;
pub use sharing::SharingError;
pub use statistics::Statistics;
pub use store::StoreError;
pub use subscription::Subscription;
pub use tls::{TlsOptions, TlsOptionsError};
pub use url::{Scheme, Url, UrlError};
