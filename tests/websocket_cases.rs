//! What a WebSocket client has to survive, in 33 numbered groups: the upgrade in 1 to 20, frames in
//! 21 to 33.
//!
//! Every reply and every frame comes whole, byte by byte, and cut in two at every place, and the same
//! must come of it. The server's half is a script, and what it sends is made here: no encoder of
//! Dunlin's own proves its decoder right, except where a header is to be valid.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "websocket_cases/client.rs"]
mod client;
#[path = "websocket_cases/connection.rs"]
mod connection;
#[path = "websocket_cases/cuts.rs"]
mod cuts;
#[path = "websocket_cases/deframer.rs"]
mod deframer;
#[path = "websocket_cases/frames.rs"]
mod frames;
#[path = "websocket_cases/refusals.rs"]
mod refusals;
#[path = "websocket_cases/request.rs"]
mod request;
#[path = "websocket_cases/script.rs"]
mod script;
#[path = "websocket_cases/switch.rs"]
mod switch;

/// A number that nobody tests would not be missed otherwise.
#[test]
fn numbers_of_the_cases_are_all_there() {
    let sources = [
        include_str!("websocket_cases/connection.rs"),
        include_str!("websocket_cases/frames.rs"),
        include_str!("websocket_cases/refusals.rs"),
        include_str!("websocket_cases/request.rs"),
        include_str!("websocket_cases/switch.rs"),
    ];
    let mut numbers: Vec<u8> = sources
        .iter()
        .flat_map(|source| source.lines())
        .filter_map(|line| line.strip_prefix("fn case_")?.get(..2)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (1..=33).collect::<Vec<u8>>());
}
