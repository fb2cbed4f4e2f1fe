//! AWS IoT Core, as exchanges and rules: no I/O, no heap, no clock.
//!
//! [`Access`] says how to get in, [`Guard`] what not to send, [`Limiter`] how fast, [`ClockOffset`] what
//! time it is when a signature was refused for its time, and [`diagnose`] why a connection ended of
//! which AWS says nothing.
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

mod access;
mod authorizer;
mod cause;
mod clock;
pub mod cognito;
mod date;
mod denied;
mod endpoint;
mod exchange;
mod expiring;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod guard;
pub mod iot_credentials;
pub mod json;
mod limiter;
pub mod policies;
mod rule;
mod sntp;
mod topic;

pub use access::{Access, Proof, UPGRADE_PATH, signed_target};
pub use authorizer::{
    AUTHORIZER_NAME_MAX, Authorizer, AuthorizerTarget, AuthorizerUserName, InvalidAuthorizer,
};
pub use cause::{ANSWER_MAX_MS, Cause, Handshake, Seen, diagnose};
pub use clock::{CLOCK_CORRECTED_S, CLOCK_TOLERANCE_S, ClockOffset, ahead_s};
pub use date::parse_http_date;
pub use denied::{Denied, MESSAGE_SHOWN_MAX};
pub use dunlin_sigv4 as sigv4;
pub use dunlin_sigv4::UnixTime;
pub use endpoint::{Endpoint, Partition, Service};
pub use exchange::{Answer, AnswerError, Reply, ReplyError, ServiceHost};
pub use expiring::{Expiring, Issued, Lifetime, REFRESH_MARGIN_S};
pub use guard::{
    CONNECTION_MAX_MS, GENERATED_CLIENT_ID, Guard, IN_FLIGHT_MAX, KEEP_ALIVE_MAX_S,
    KEEP_ALIVE_MIN_S, SESSION_EXPIRY_MAX_S, TOPIC_ALIASES_MAX, keep_alive_s, session_expiry_s,
};
pub use limiter::{
    CONNECT_INTERVAL_MS, ConnectTurns, Limiter, PUBLISHED_BYTES_PER_S, PUBLISHES_PER_S,
};
pub use rule::{Breach, Rule};
pub use sntp::{SNTP_LEN, SNTP_PORT, Sntp, SntpError};
pub use topic::brings_retained;
