//! The broker of the `mqtt5` crate, in this process: MQTT 3.1.1 and 5 over WebSocket.
//!
//! It keeps sessions and messages in memory, and shares no code with Dunlin. To what it passes on over
//! MQTT 5 it adds user properties of its own, which name the publisher.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mqtt5::broker::config::{StorageBackend, StorageConfig, WebSocketConfig};
use mqtt5::broker::{BrokerConfig, MqttBroker};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a start may take before the test fails.
pub const START_LIMIT: Duration = Duration::from_secs(20);
/// The largest packet it takes, in bytes.
pub const PACKET_MAX: usize = 16 << 20;

/// A running broker; it ends with this value.
#[derive(Debug)]
pub struct Broker5 {
    ws: SocketAddr,
    tcp: SocketAddr,
    task: JoinHandle<()>,
}

impl Broker5 {
    /// Starts a broker that lets everybody in, on free ports; returns when both are open.
    ///
    /// Must be called within a Tokio runtime. Panics when it does not start.
    pub async fn start() -> Self {
        let mut broker = MqttBroker::with_config(config()).await.expect("the mqtt5 broker starts");
        let ws = broker.ws_local_addr().expect("the mqtt5 broker listens for WebSocket");
        let tcp = broker.local_addr().expect("the mqtt5 broker listens");
        let mut ready = broker.ready_receiver();
        let task = tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                eprintln!("the mqtt5 broker has ended: {error}");
            }
        });
        let ready = timeout(START_LIMIT, ready.wait_for(|ready| *ready)).await;
        assert!(matches!(ready, Ok(Ok(_))), "the mqtt5 broker is not ready: {ready:?}");
        Self { ws, tcp, task }
    }

    /// The WebSocket listener.
    pub const fn ws_addr(&self) -> SocketAddr {
        self.ws
    }

    /// The plain listener.
    pub const fn tcp_addr(&self) -> SocketAddr {
        self.tcp
    }
}

impl Drop for Broker5 {
    fn drop(&mut self) {
        // The broker shuts its connections when it is dropped with its task.
        self.task.abort();
    }
}

fn config() -> BrokerConfig {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    BrokerConfig::default()
        .with_bind_address(anywhere)
        .with_websocket(WebSocketConfig::default().with_bind_address(anywhere))
        .with_max_packet_size(PACKET_MAX)
        // Without any storage it would forget each session with its connection.
        .with_storage(StorageConfig::default().with_backend(StorageBackend::Memory))
        .with_sys_topics_enabled(false)
}
