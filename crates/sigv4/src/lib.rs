//! AWS Signature Version 4, as a stream.
//!
//! Signs a [`Request`] for any AWS service, in query form ([`Request::presign`]: a request target
//! that carries its signature) or in header form ([`Request::authorize`]: an `Authorization`
//! header). The canonical request runs straight into the hash, sorted as it goes, and what was
//! signed is written as often and in pieces as small as the caller likes: a session token of 2 KiB
//! needs no buffer here. What sorts parameters and headers is linked only where a program has
//! [`Pairs`]. A [`Key`] kept by the caller is derived once per day and scope. No I/O, no
//! clock, no heap; knows neither MQTT nor WebSocket. Citations name sections of the "Signature
//! Version 4 for API requests" chapter of the AWS IAM User Guide, and RFCs.
//!
//! Most of the flash that signing takes is SHA-256 with its rounds unrolled. A program that wants 6.7 KB
//! of them back is built with `--cfg sha2_backend="soft" --cfg sha2_backend_soft="compact"` in its
//! `rustflags`, two options of the crate `sha2` that make it slower.
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

mod canonical;
mod check;
mod class;
mod credentials;
mod encode;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hash;
mod key;
mod pairs;
mod path;
mod payload;
#[cfg(test)]
mod recomputed;
mod request;
mod signed;
mod sorted;
mod time;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod wiped;

pub use check::InvalidInput;
pub use credentials::Credentials;
pub use encode::PercentEncoded;
pub use key::Key;
pub use pairs::Pairs;
pub use payload::{Payload, PayloadHash};
pub use request::{IOT_SERVICE, Pair, Request, Token};
pub use signed::{Authorization, Authorized, Presigned};
pub use time::UnixTime;
