//! Servers that do wrong, on real sockets: each gets its answer, and the program its typed error.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/asking.rs"]
mod asking;
#[path = "interop/attacks.rs"]
mod attacks;
#[path = "interop/common.rs"]
mod common;
#[path = "interop/ending.rs"]
mod ending;
#[path = "interop/filters.rs"]
mod filters;
#[path = "interop/five_authentication.rs"]
mod five_authentication;
#[path = "interop/five_scripted.rs"]
mod five_scripted;
#[path = "interop/manual.rs"]
mod manual;
#[path = "interop/opening.rs"]
mod opening;
#[path = "interop/queues.rs"]
mod queues;
#[path = "interop/repetition.rs"]
mod repetition;
#[path = "interop/resumption.rs"]
mod resumption;
#[path = "interop/secrets.rs"]
mod secrets;
#[path = "interop/server.rs"]
mod server;
#[path = "interop/standing.rs"]
mod standing;
#[path = "interop/statistics.rs"]
mod statistics;
#[path = "interop/watched.rs"]
mod watched;

use std::time::Duration;

use common::within;
use dunlin_tokio::dunlin::Error as Cause;
use dunlin_tokio::{Backoff, Client, Error, Event, Options, Resumption};
use server::Server;
use tokio::sync::broadcast;

/// Options for a server that will do wrong; retries come soon.
fn options(url: &str) -> Options {
    Options::parse(url).unwrap().backoff(Backoff::new(5, 20, 60_000))
}

/// Both kinds of servers.
fn servers() -> [Server; 2] {
    [Server::websocket(), Server::stream()]
}

/// What ended the connection, where there was one.
fn cause(error: &Error) -> Cause {
    match error {
        Error::Ended { error, .. } => *error,
        _ => panic!("{error:?}"),
    }
}

/// A client that goes on, and what happens to it.
struct Patient {
    client: Client,
    events: broadcast::Receiver<Event>,
}

impl Patient {
    fn start(options: Options) -> Self {
        let (client, events) = Client::start(options);
        Self { client, events }
    }

    /// Waits until the server has accepted.
    async fn connected(&mut self) -> Resumption {
        loop {
            match within("an event", self.events.recv()).await.unwrap() {
                Event::Connected(resumption) => return resumption,
                Event::Connecting | Event::KeepAlive(_) => {}
                event => panic!("{event:?}"),
            }
        }
    }

    /// Waits until the connection is lost: why, and how long until the next.
    async fn lost(&mut self) -> (Error, Duration) {
        loop {
            match within("an event", self.events.recv()).await.unwrap() {
                Event::Disconnected { error, retry_in } => return (error, retry_in),
                Event::Connecting | Event::Connected(_) | Event::KeepAlive(_) => {}
                event => panic!("{event:?}"),
            }
        }
    }

    /// The program lives: the next connection is as good as any.
    async fn recovers(&mut self, server: &Server) {
        let _peer = server.open().await;
        self.connected().await;
    }
}
