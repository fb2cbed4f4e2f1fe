//! The client, its runner and a server of a few lines, in one thread, where time stands still unless a
//! test moves it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod dropped;
mod json;
mod leaving;
mod pubsub;
mod subscriptions;
mod world;
