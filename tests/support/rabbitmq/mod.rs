//! Debian's RabbitMQ as a child process: MQTT 3.1.1 over WebSocket, on loopback.
//!
//! Version 3.10 grants shared subscriptions and delivers nothing to them. A node of its own with a port
//! mapper of its own: both listen on loopback alone, and neither outlives this value. Its configuration,
//! tables and log lie in a folder of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::find_program;

/// How long a start may take before the test fails; an idle machine needs under ten seconds.
pub const START_LIMIT: Duration = Duration::from_secs(180);
/// Between two looks at the log of a node that is not ready yet.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How many lines of the log a failing test shows.
const LOG_TAIL: usize = 60;
/// What the log says when everything listens.
const READY: &str = "Server startup complete";
/// Where Debian keeps what its own start script would run as another user.
const SCRIPT: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A running broker; it dies with this value.
#[derive(Debug)]
pub struct RabbitMq {
    folder: Option<TempDir>,
    ws: SocketAddr,
    node: Child,
    _mapper: Child,
}

impl RabbitMq {
    /// Starts a node that lets everybody in, and returns when it listens.
    ///
    /// Panics when RabbitMQ is not installed or does not start.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("rabbitmq-").tempdir().expect("a folder");
        let [ws, mapper, distribution] = free_ports();
        fs::write(folder.path().join("rabbitmq.conf"), config(ws)).expect("it is writable");
        let plugins = folder.path().join("plugins");
        fs::write(plugins, "[rabbitmq_web_mqtt].").expect("it is writable");
        let mapping = spawn_mapper(mapper);
        let node = spawn(folder.path(), mapper, distribution);
        let ws = SocketAddr::from((Ipv4Addr::LOCALHOST, ws));
        let mut broker = Self { folder: Some(folder), ws, node, _mapper: mapping };
        if let Err(why) = broker.is_ready().await {
            panic!("RabbitMQ did not start: {why}");
        }
        broker
    }

    /// The WebSocket listener as a URL.
    pub fn ws_url(&self) -> String {
        format!("ws://{}/ws", self.ws)
    }

    async fn is_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.log().contains(READY) {
            if let Some(status) = self.node.try_wait().expect("our child") {
                return Err(format!("it ended with {status}"));
            }
            if Instant::now() > deadline {
                return Err(format!("it is not ready for {START_LIMIT:?}"));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    fn log(&self) -> String {
        let folder = self.folder.as_ref().expect("the folder is given up in drop only");
        let bytes = fs::read(folder.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.node.start_kill();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n");
            eprintln!("the end of RabbitMQ's log:\n{tail}");
            let kept = self.folder.take().map(TempDir::keep);
            eprintln!("RabbitMQ's folder is kept: {}", kept.unwrap_or_default().display());
        }
    }
}

fn config(ws: u16) -> String {
    format!(
        "listeners.tcp = none\n\
         mqtt.listeners.tcp = none\n\
         mqtt.allow_anonymous = true\n\
         web_mqtt.tcp.ip = 127.0.0.1\n\
         web_mqtt.tcp.port = {ws}\n\
         log.console = true\n\
         log.file = false\n"
    )
}

/// The port mapper that Erlang nodes find one another with; RabbitMQ does not start without one.
fn spawn_mapper(port: u16) -> Child {
    Command::new(program("epmd"))
        .args(["-address", "127.0.0.1", "-port", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("epmd can be executed")
}

/// Starts the node in place of its script, which hands over to Erlang when it may read.
fn spawn(folder: &Path, mapper: u16, distribution: u16) -> Child {
    let script = PathBuf::from(SCRIPT);
    assert!(script.is_file(), "{SCRIPT} is missing: `cargo x setup` installs rabbitmq-server");
    let log = File::create(folder.join("output")).expect("the folder is writable");
    let errors = log.try_clone().expect("a second handle");
    Command::new(script)
        .args(["-noshell", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"])
        .env("HOME", folder)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", mapper.to_string())
        .env("RABBITMQ_ALLOW_INPUT", "1")
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        .env("RABBITMQ_LOG_BASE", folder)
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_MNESIA_BASE", folder.join("tables"))
        .env("RABBITMQ_NODENAME", "dunlin@localhost")
        .env("RABBITMQ_PID_FILE", folder.join("pid"))
        .current_dir(folder)
        .stdin(Stdio::null())
        // Files, not pipes: a broker must never wait for a test that does not read.
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .expect("RabbitMQ can be executed")
}

fn program(name: &str) -> PathBuf {
    find_program(name).unwrap_or_else(|| panic!("{name} is missing: `cargo x setup` installs it"))
}

/// Three ports that nobody listens on just now.
fn free_ports() -> [u16; 3] {
    let anywhere =
        || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a machine has free ports");
    // Held together, so that they differ.
    let listeners = [anywhere(), anywhere(), anywhere()];
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
