//! MQTT over WebSocket on Embassy: clock, timer, connector and a handle that tasks share; no heap.
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
