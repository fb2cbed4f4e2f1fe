//! Amplify's own PubSub beside Dunlin, on the same broker in the same run.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/common.rs"]
mod common;
#[path = "amplify/exchange.rs"]
mod exchange;
