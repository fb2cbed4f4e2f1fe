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
