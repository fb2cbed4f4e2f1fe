//! Beyond one machine: workers that share what is to be done, brokers that stand in for one another, and
//! many clients of one process.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
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
#[path = "scale_out/endpoints.rs"]
mod endpoints;
#[path = "scale_out/sharing.rs"]
mod sharing;
#[path = "scale_out/workers.rs"]
mod workers;

use dunlin_tokio::{Backoff, Client, Options, Version};
use support::mosquitto::{self, Mosquitto};

const VERSIONS: [Version; 2] = [Version::V3, Version::V5];

async fn mosquitto() -> Mosquitto {
    Mosquitto::start(mosquitto::Options::default()).await
}

/// Options whose retries come soon.
fn options(url: &str, version: Version) -> Options {
    Options::parse(url).unwrap().version(version).backoff(Backoff::new(10, 100, 1_000))
}

async fn connect(options: Options) -> Client {
    common::within("Dunlin connects", Client::connect(options)).await.unwrap()
}
