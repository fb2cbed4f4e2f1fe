//! The Tokio client with mosquitto, and Paho's Python client on the other side of it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/blocking.rs"]
mod blocking;
#[path = "interop/cable.rs"]
mod cable;
#[path = "interop/common.rs"]
mod common;
#[path = "interop/exactly_once.rs"]
mod exactly_once;
#[path = "interop/exchange.rs"]
mod exchange;
#[path = "interop/five.rs"]
mod five;
#[path = "interop/five_sessions.rs"]
mod five_sessions;
#[path = "interop/flow.rs"]
mod flow;
#[path = "interop/session.rs"]
mod session;

use std::net::SocketAddr;
use std::time::Duration;

use common::within;
use dunlin_tokio::{Backoff, Client, Event, Options, Qos, Received, Resumption, Subscription};
use support::mosquitto::Mosquitto;
use support::paho::{Connect, Paho, Transport};
use tokio::sync::broadcast;

const TRANSPORTS: [Transport; 2] = [Transport::Websockets, Transport::Tcp];

/// How the scheme of a URL names it.
const fn scheme(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "mqtt",
        Transport::Websockets => "ws",
    }
}

const fn address(broker: &Mosquitto, transport: Transport) -> SocketAddr {
    match transport {
        Transport::Tcp => broker.tcp_addr(),
        Transport::Websockets => broker.ws_addr(),
    }
}

/// Options for a broker, or for the cable to it; retries come soon.
fn options(transport: Transport, address: SocketAddr) -> Options {
    let url = format!("{}://{address}", scheme(transport));
    Options::parse(&url)
        .unwrap()
        .connect_timeout(Duration::from_secs(20))
        .backoff(Backoff::new(10, 100, 1_000))
}

async fn dunlin(options: Options) -> Client {
    within("Dunlin connects", Client::connect(options)).await.unwrap()
}

async fn paho(broker: &Mosquitto, transport: Transport, client_id: &str) -> Paho {
    let mut paho = Paho::start().await;
    let connect = Connect::new(transport, address(broker, transport), client_id);
    assert!(!paho.connect(&connect).await, "a fresh broker has no session");
    paho
}

async fn subscribe(client: &Client, filter: &str, qos: Qos) -> Subscription {
    within("a SUBACK", client.subscribe(filter, qos)).await.unwrap()
}

async fn next(subscription: &mut Subscription) -> Received {
    let next = within("a message for Dunlin", subscription.next()).await;
    next.unwrap().unwrap()
}

/// What the server knew at the next connection; the events before are passed over.
async fn next_connection(events: &mut broadcast::Receiver<Event>) -> Resumption {
    loop {
        if let Event::Connected(resumption) = within("an event", events.recv()).await.unwrap() {
            return resumption;
        }
    }
}

/// Waits until a connection is lost, or did not come about.
async fn next_loss(events: &mut broadcast::Receiver<Event>) {
    while !matches!(within("an event", events.recv()).await.unwrap(), Event::Disconnected { .. }) {}
}

/// Bytes that differ from place to place, so that a shifted or doubled part shows.
fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}
