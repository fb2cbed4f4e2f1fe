//! Panic-free cursors, moves and masks over bytes.
//!
//! What the codecs of Dunlin stand on: nothing here can panic, allocate or block, and a slice that is
//! too short is a value, never a fault. Knows neither WebSocket nor MQTT.
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

mod buffer;
mod inbox;
mod mask;
mod moves;
mod reader;
mod sink;
mod writer;

pub use buffer::{Buffer, Entry, Places};
pub use inbox::Inbox;
pub use mask::{copy_masked, mask};
pub use moves::{copy, copy_short, shift};
pub use reader::Reader;
pub use sink::{Count, Sink, Text, Window};
pub use writer::{Full, Writer};
