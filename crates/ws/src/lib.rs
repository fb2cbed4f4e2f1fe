//! WebSocket (RFC 6455): its frames and its HTTP/1.1 upgrade, as state machines without I/O.
//!
//! Works on the caller's memory: bytes arrive in a [`dunlin_octet::Inbox`], payload joins its stream in
//! place, and what is to be sent is written into a slice. No socket, no clock, no heap, no randomness
//! of its own; knows no MQTT, and offers no extension. A connection goes through [`Upgrade`] (or, at a
//! server, [`Acceptance`]) and then through a [`Deframer`] for what comes in and [`Header::encode`]
//! for what goes out.
//!
//! Citations are of RFC 6455 unless another one is named.
#![no_std]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::disallowed_methods,
        clippy::indexing_slicing,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core,
        reason = "a test may panic"
    )
)]

#[cfg(test)]
extern crate std;

mod acceptance;
mod body;
mod close;
mod deframe;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod head;
mod key;
mod malformed;
mod refusal;
mod request;
mod response;
mod upgrade;
mod utf8;

pub use acceptance::{Acceptance, RequestError};
pub use body::{REFUSAL_BODY_KEPT, REFUSAL_FRAMING_MAX};
pub use close::CloseCode;
pub use deframe::{Deframer, EMPTY_FRAGMENTS_MAX, Incoming};
pub use frame::{CONTROL_PAYLOAD_MAX, FRAME_HEADER_MAX, Header, Opcode, Role};
pub use head::{FIELDS_MAX, HEAD_MAX};
pub use malformed::Malformed;
pub use refusal::{Refusal, Status};
pub use request::{Field, InvalidRequest, Request};
pub use response::INFORMATIONAL_MAX;
pub use upgrade::{Upgrade, UpgradeError};
