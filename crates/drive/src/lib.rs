//! The one loop that drives a Dunlin connection over `embedded-io-async`, without a runtime.
//!
//! [`drive`] is the life of one connection: it reads, polls, transmits, writes and keeps the deadlines
//! until the connection has ended. What differs between hosts and firmware (clock, timer, lock, what to
//! do with an event) comes in through [`Host`]. [`record`] runs beside it where a session is to survive
//! a crash, and brings what must not be lost to a [`Store`]. [`Backoff`] says how long to wait before the next
//! connection.
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

mod drive;
#[cfg(feature = "flash")]
pub mod flash;
mod host;
mod store;

pub use drive::{Ended, Pipe, drive};
pub use dunlin;
pub use dunlin_pubsub::{self as pubsub, Backoff};
pub use host::{Host, Program, Scope};
pub use store::{Appended, Ledger, RecordError, Store, record};
