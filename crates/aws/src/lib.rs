//! AWS IoT Core, as exchanges and rules: no I/O, no heap, no clock.
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

pub mod cognito;
mod denied;
mod exchange;
mod expiring;
pub mod iot_credentials;
pub mod json;
pub mod policies;

pub use denied::{Denied, MESSAGE_SHOWN_MAX};
pub use exchange::{Answer, AnswerError, Reply, ReplyError, ServiceHost};
pub use expiring::{Expiring, Issued, Lifetime, REFRESH_MARGIN_S};
