//! The test cases of AWS IoT Device Advisor, with Dunlin on Tokio as the device and the local AWS IoT
//! Core in place of the real one.
//!
//! Each test is named after the identifier of its case in "Device Advisor test cases", AWS IoT developer
//! guide. Those in which a device sends again on the same connection are of MQTT 3.1.1 alone, for MQTT 5
//! forbids it (MQTT 5.0 §4.4); TLS knows no version of MQTT. Where a case takes minutes, times here are a
//! fraction of those.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/common.rs"]
mod common;
#[path = "device_advisor/connecting.rs"]
mod connecting;
#[path = "device_advisor/messages.rs"]
mod messages;
#[path = "device_advisor/sessions.rs"]
mod sessions;
#[path = "device_advisor/tls.rs"]
mod tls;

use std::time::Duration;

use common::within;
use dunlin_tokio::aws::Signing;
use dunlin_tokio::{Backoff, Client, Event, Options, TlsOptions, Version};
use support::aws_iot::{AwsIot, Key, Packet, Quirks, Seen, Side};
use support::mosquitto::Mosquitto;
use tokio::sync::broadcast::Receiver;

/// Each case that means something in both is run in both.
const VERSIONS: [Version; 2] = [Version::V3, Version::V5];

/// The gateway with its broker.
struct Advisor {
    version: Version,
    broker: Mosquitto,
    gateway: AwsIot,
}

impl Advisor {
    /// For a device that speaks this version.
    async fn start(version: Version, quirks: Quirks) -> Self {
        let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
        let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
        Self { version, broker, gateway }
    }

    /// What the device is configured with: credentials and a short backoff.
    fn options(&self, client_id: &str) -> Options {
        let Key { access_key_id, secret_access_key, session_token } = Key::temporary();
        Options::parse(&format!("wss://localhost:{}/mqtt", self.gateway.port()))
            .unwrap()
            .tls(TlsOptions::ca_file(self.gateway.ca_file()).unwrap())
            .version(self.version)
            .client_id(client_id)
            .backoff(Backoff::new(10, 50, 60_000))
            .aws(Signing::new(access_key_id, secret_access_key, session_token, "us-east-1"))
    }

    async fn connected(&self, options: Options) -> Client {
        within("the device connects", Client::connect(options)).await.unwrap()
    }

    /// Another client of the same broker, not through the gateway.
    async fn somebody(&self, options: impl FnOnce(Options) -> Options) -> Client {
        let options = options(Options::parse(&self.broker.tcp_url()).unwrap());
        self.connected(options).await
    }

    /// The packets of one kind that the device has sent, once they are so many.
    async fn sent(&self, count: usize, wanted: impl Fn(&Packet) -> bool) -> Vec<Seen> {
        let is_it = |seen: &Seen| seen.side == Side::Client && wanted(&seen.packet);
        self.gateway.packets(count, is_it).await
    }

    async fn connects(&self, count: usize) -> Vec<Seen> {
        self.sent(count, |packet| matches!(packet, Packet::Connect(_))).await
    }
}

/// How long the device says that it will wait, at its next lost connection.
async fn retry_in(events: &mut Receiver<Event>) -> Duration {
    loop {
        match within("a lost connection", events.recv()).await.unwrap() {
            Event::Disconnected { retry_in, .. } => return retry_in,
            Event::Closed(error) => panic!("the device gives up: {error}"),
            _ => {}
        }
    }
}
