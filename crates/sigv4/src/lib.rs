//! AWS Signature Version 4, as a stream.
//!
//! Signs a request target for AWS: the canonical request runs straight into the hash, and the
//! signed target is written as often and in pieces as small as the caller likes, so that a session
//! token of 2 KiB needs no buffer here. No I/O, no clock, no heap; knows neither MQTT nor
//! WebSocket. Citations name sections of the "Signature Version 4 for API requests" chapter of the
//! AWS IAM User Guide, and RFC 3986.
#![no_std]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core,
        reason = "a test may panic"
    )
)]

#[cfg(test)]
extern crate std;

mod canonical;
mod check;
mod credentials;
mod encode;
mod key;
mod presign;
#[cfg(test)]
mod recomputed;
mod time;

pub use canonical::Payload;
pub use check::InvalidInput;
pub use credentials::Credentials;
pub use presign::{IOT_SERVICE, Presign, Presigned, Token, presign};
pub use time::UnixTime;
