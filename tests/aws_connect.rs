//! The Tokio client as one of AWS IoT Core: its rules, its clock, why it hangs up, and renewals.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "aws_connect/causes.rs"]
mod causes;
#[path = "aws_connect/clock.rs"]
mod clock;
#[path = "interop/common.rs"]
mod common;
#[path = "aws_connect/renewal.rs"]
mod renewal;
#[path = "aws_connect/rules.rs"]
mod rules;
#[path = "interop/server.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod server;

use std::time::Duration;

use common::within;
use dunlin_tokio::{Backoff, Client, Event, Options};
use server::{CONNACK, Peer, Server};
use tokio::sync::broadcast;

/// Options for a server that is taken for AWS IoT Core.
fn options(url: &str) -> Options {
    Options::parse(url)
        .unwrap()
        .connect_timeout(Duration::from_secs(20))
        .backoff(Backoff::new(10, 50, 60_000))
        .aws_iot()
}

/// A client, and the other end of its connection.
async fn connected(server: &Server, options: Options) -> (Client, Peer) {
    let (client, peer) = tokio::join!(Client::connect(options), async {
        let mut peer = server.connected().await;
        peer.send_packet(&CONNACK).await;
        peer
    });
    (client.unwrap(), peer)
}

/// The next event that tells of more than an attempt.
async fn event(events: &mut broadcast::Receiver<Event>) -> Event {
    loop {
        match within("an event", events.recv()).await.unwrap() {
            Event::Connecting => {}
            event => return event,
        }
    }
}
