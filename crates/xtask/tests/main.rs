//! What holds for the repository as a whole: its layers, its sources, its README.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod layers;
mod log;
mod readme;
mod sources;
mod support;
