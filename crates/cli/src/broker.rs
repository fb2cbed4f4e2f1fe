//! `dunlin broker`: the broker of the `mqtt5` crate on loopback, for tests and the demo.

use crate::{
    args::Ports,
    failure::{Code, Failure},
    output, signals,
};
use mqtt5::broker::{
    BrokerConfig, BrokerShutdownHandle, MqttBroker,
    config::{StorageBackend, StorageConfig, WebSocketConfig},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

/// The largest packet it takes, in bytes.
const PACKET_MAX: usize = 16 << 20;

/// How many messages wait for one client at most.
const QUEUE_MAX: usize = 100_000;

/// Where WebSocket is spoken, unless told otherwise.
const PATH_DEFAULT: &str = "/mqtt";

/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// Runs until a signal comes.
pub(crate) async fn run(ports: Ports) -> Result<(), Failure> {
    let mut broker = Broker::start(ports).await?;
    output::print(&format!("{}\n{}\n", broker.ws_url(), broker.tcp_url()))?;
    let failure = tokio::select! {
        failure = signals::caught() => failure,
        failure = broker.ended() => failure,
    };
    broker.stop().await;
    Err(failure)
}

/// A broker that runs as a task.
#[derive(Debug)]
pub(crate) struct Broker {
    ws: SocketAddr,
    path: String,
    tcp: SocketAddr,
    stop: Stop,
    task: JoinHandle<Result<(), String>>,
}

/// Ends the broker; the type of the crate cannot be shown.
struct Stop(BrokerShutdownHandle);

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stop")
    }
}

impl Broker {
    /// Returns when both ports are open.
    pub(crate) async fn start(ports: Ports) -> Result<Self, Failure> {
        Self::start_at(ports, PATH_DEFAULT).await
    }

    /// The same with another path for WebSocket: whoever does not know it is not let in there.
    pub(crate) async fn start_at(ports: Ports, path: &str) -> Result<Self, Failure> {
        let mut broker = MqttBroker::with_config(config(ports, path))
            .await
            .map_err(|error| cannot_listen(ports, &error.to_string()))?;
        // A WebSocket port that is taken is no error there.
        let (Some(ws), Some(tcp)) = (broker.ws_local_addr(), broker.local_addr()) else {
            return Err(cannot_listen(ports, "one is taken"));
        };
        let stop = Stop(broker.shutdown_handle());
        let mut ready = broker.ready_receiver();
        let task =
            tokio::spawn(async move { broker.run().await.map_err(|error| error.to_string()) });
        // An error means that the task has ended, which whoever connects will see.
        let _ = ready.wait_for(|ready| *ready).await;
        Ok(Self { ws, path: path.to_owned(), tcp, stop, task })
    }

    pub(crate) fn ws_url(&self) -> String {
        format!("ws://{}{}", self.ws, self.path)
    }

    pub(crate) fn tcp_url(&self) -> String {
        format!("mqtt://{}", self.tcp)
    }

    /// The ports it was given.
    pub(crate) const fn ports(&self) -> Ports {
        Ports { ws: self.ws.port(), tcp: self.tcp.port() }
    }

    /// Waits until it ends without being asked to.
    pub(crate) async fn ended(&mut self) -> Failure {
        let why = match (&mut self.task).await {
            Ok(Ok(())) => "without a reason".to_owned(),
            Ok(Err(error)) => error,
            Err(error) => error.to_string(),
        };
        Failure::new(Code::Other, format!("the broker has ended ({why}): start it again"))
    }

    /// Closes its connections and ports.
    pub(crate) async fn stop(mut self) {
        self.stop.0.shutdown();
        if !self.task.is_finished() && timeout(STOP_LIMIT, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

fn cannot_listen(Ports { ws, tcp }: Ports, why: &str) -> Failure {
    let text = format!(
        "cannot listen on the ports {ws} (--ws) and {tcp} (--tcp), {why}: choose others, 0 for any"
    );
    Failure::new(Code::Other, text)
}

fn config(ports: Ports, path: &str) -> BrokerConfig {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let storage = StorageConfig::default()
        // Without any storage it would forget each session with its connection.
        .with_backend(StorageBackend::Memory)
        .with_max_queued_messages_per_client(QUEUE_MAX);
    BrokerConfig::default()
        .with_bind_address(at(ports.tcp))
        .with_websocket(WebSocketConfig::default().with_bind_address(at(ports.ws)).with_path(path))
        .with_max_packet_size(PACKET_MAX)
        .with_storage(storage)
        .with_sys_topics_enabled(false)
}
