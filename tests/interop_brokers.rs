//! The Tokio client with every broker, and every foreign client on the other side of it.
//!
//! One table: broker by peer by the versions of both sides, over WebSocket. Each scenario goes
//! through all rows, and names those that fail.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/cable.rs"]
mod cable;
#[path = "interop/common.rs"]
mod common;
#[path = "interop_brokers/exchange.rs"]
mod exchange;
#[path = "interop_brokers/kept.rs"]
mod kept;
#[path = "interop_brokers/peers.rs"]
mod peers;
#[path = "interop_brokers/table.rs"]
mod table;
