//! Amplify's own PubSub beside Dunlin, on the same broker in the same run.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "amplify/better.rs"]
mod better;
#[path = "interop/cable.rs"]
mod cable;
#[path = "interop/common.rs"]
mod common;
#[path = "amplify/exchange.rs"]
mod exchange;
#[path = "interop/server.rs"]
#[expect(dead_code, reason = "other tests let it do more")]
mod server;
#[path = "amplify/states.rs"]
mod states;
#[path = "amplify/times.rs"]
mod times;

use common::within;
use dunlin_tokio::pubsub::{ConnectionState, Deliveries, Delivery, PubSub, States};
use dunlin_tokio::{Backoff, Client, Message, Options, Qos};
use support::amplify::{Amplify, Generation, Timers};
use support::mosquitto::{self, Mosquitto};

/// How long Dunlin waits before it connects again: long enough for a test to put a cable back before.
const WAIT_MS: u64 = 500;

/// The states of a connection that comes about.
const fn normal_life() -> [&'static str; 3] {
    ["Disconnected", "Connecting", "Connected"]
}

/// The one that speaks MQTT 3.1 as well, over WebSocket.
async fn broker() -> Mosquitto {
    Mosquitto::start(mosquitto::Options::default()).await
}

/// Amplify with a provider `a`, connected by a subscription `s` to `own/#`, and the states until then.
async fn opened(generation: Generation, timers: Timers, url: &str) -> (Amplify, Vec<String>) {
    let mut amplify = Amplify::start(generation, timers);
    amplify.open("a", url).await;
    amplify.subscribe("a", "s", &["own/#"]).await;
    let states = amplify.states_until("a", "Connected").await;
    assert_eq!(states, normal_life());
    amplify.settle("a", "s", "own/fence").await;
    (amplify, states)
}

fn options(url: &str) -> Options {
    Options::parse(url).unwrap().backoff(Backoff::new(WAIT_MS, WAIT_MS, 60_000))
}

/// Dunlin's PubSub with the broker at `url` as `d`, connected.
async fn pubsub(url: &str) -> PubSub {
    let pubsub = PubSub::new();
    pubsub.add_provider("d", options(url)).unwrap();
    let mut watch = pubsub.watch("d").unwrap();
    within("a connection", watch.wait_for(|state| *state == ConnectionState::Connected))
        .await
        .unwrap();
    pubsub
}

/// The next states, up to the `nth` time that it is `last`.
async fn states_until(
    changes: &mut States,
    last: ConnectionState,
    nth: usize,
) -> Vec<ConnectionState> {
    let mut states = Vec::new();
    while states.iter().filter(|state| **state == last).count() < nth {
        states.push(within("another state", changes.next()).await.unwrap().state);
    }
    states
}

/// The names of Dunlin's states, which are Amplify's.
fn names(states: &[ConnectionState]) -> Vec<String> {
    states.iter().map(|state| format!("{state:?}")).collect()
}

async fn subscribe(pubsub: &PubSub, topic: &str) -> Deliveries {
    within("the answer", pubsub.subscribe(topic).into_future()).await.unwrap()
}

async fn next(deliveries: &mut Deliveries) -> Delivery {
    within("a delivery", deliveries.next()).await.unwrap().unwrap()
}

/// A client apart from both, which publishes what neither would.
async fn bystander(url: &str) -> Client {
    within("a connection", Client::connect(options(url))).await.unwrap()
}

async fn publish(client: &Client, topic: &str, payload: &[u8]) {
    let message = Message::new(topic, payload, Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
}
