//! PubSub on Tokio: several brokers that nobody here wrote, and one that does what a test says.
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
#[path = "pubsub/providers.rs"]
mod providers;
#[path = "interop/server.rs"]
#[expect(dead_code, reason = "other tests let it do more")]
mod server;
#[path = "pubsub/states.rs"]
mod states;
#[path = "pubsub/subscriptions.rs"]
mod subscriptions;

use std::net::SocketAddr;

use common::within;
use dunlin_tokio::pubsub::{Deliveries, Delivery, Ended, PubSub};
use dunlin_tokio::{Backoff, Options};

/// Options for a broker, or for the cable to it; retries come soon.
fn options(address: SocketAddr) -> Options {
    Options::parse(&format!("ws://{address}/mqtt")).unwrap().backoff(Backoff::new(10, 100, 1_000))
}

async fn subscribe(pubsub: &PubSub, topic: &str) -> Deliveries {
    within("the answers to a subscription", pubsub.subscribe(topic).into_future()).await.unwrap()
}

async fn next(deliveries: &mut Deliveries) -> Delivery {
    within("a delivery", deliveries.next()).await.unwrap().unwrap()
}

async fn end(deliveries: &mut Deliveries) -> Ended {
    within("an end", deliveries.next()).await.unwrap().unwrap_err()
}

async fn publish(pubsub: &PubSub, topic: &str, payload: &[u8]) {
    let report = within("a PUBACK", pubsub.publish_bytes(topic, payload).into_future()).await;
    report.unwrap().into_result().unwrap();
}
