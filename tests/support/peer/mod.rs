//! Clients that nobody here wrote: processes of their own, driven line by line.
//!
//! The conversation with each of them is the same: JSON lines, described at the head of
//! `peers/paho_peer.py`. Every wait ends after [`WAIT_LIMIT`], with a panic that shows what has
//! come so far.

mod wire;

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::{find_program, workspace};

pub use wire::{
    Connect, Event, Message, Properties, Start, Subscribe, Transport, Version, properties,
};

/// How long any one thing may take; a loaded machine needs under one second.
pub const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// Whose client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Paho's client for Python.
    Paho,
    /// MQTT.js on Node.
    MqttJs,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Paho, Self::MqttJs];

    /// Panics when what it needs is missing, with the name of that.
    fn command(self) -> Command {
        match self {
            Self::Paho => {
                let mut command = Command::new(python_with("paho"));
                command.arg(workspace().join("tests/peers/paho_peer.py"));
                command
            }
            Self::MqttJs => {
                let node = find_program("node");
                let node = node.expect("node is missing: `cargo x setup` installs it");
                let mut command = Command::new(node);
                command.arg(workspace().join("tests/peers/mqttjs_peer.js")).arg(node_packages());
                command
            }
        }
    }
}

/// One foreign client; it dies with this value, without a DISCONNECT.
#[derive(Debug)]
pub struct Peer {
    kind: Kind,
    stdin: ChildStdin,
    events: mpsc::UnboundedReceiver<Event>,
    /// What came while something else was waited for, oldest first.
    pending: VecDeque<Event>,
    server: Properties,
    _child: Child,
}

impl Peer {
    /// Starts the process; it connects to nothing yet.
    ///
    /// Panics when the interpreter or the package with the client is missing.
    pub async fn start(kind: Kind) -> Self {
        let mut child = kind
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{kind:?} cannot be executed: {error}"));
        let (send, events) = mpsc::unbounded_channel();
        // Read at all times: a peer that waits for us to read cannot read what we write.
        read_lines(child.stdout.take().expect("a pipe"), send.clone(), |line| wire::event(&line));
        read_lines(child.stderr.take().expect("a pipe"), send, Event::Noise);
        let stdin = child.stdin.take().expect("a pipe");
        let (pending, server) = (VecDeque::new(), Properties::new());
        Self { kind, stdin, events, pending, server, _child: child }
    }

    /// Connects with a new client and says whether the broker had a session.
    ///
    /// Panics when the broker is not there or refuses.
    pub async fn connect(&mut self, connect: &Connect) -> bool {
        let outcome = self.try_connect(connect).await;
        outcome.unwrap_or_else(|why| panic!("{:?} was not connected: {why}", self.kind))
    }

    /// The same; a broker that refuses or is not there is a value.
    pub async fn try_connect(&mut self, connect: &Connect) -> Result<bool, String> {
        self.command(connect.command()).await;
        self.connack().await
    }

    /// Connects the same client again: its session, its unacknowledged messages.
    ///
    /// Call after [`Peer::disconnected`], as often as it takes.
    pub async fn reconnect(&mut self) -> Result<bool, String> {
        self.command(json!({"do": "reconnect"})).await;
        self.connack().await
    }

    /// Subscribes to one filter and returns what was granted: a QoS, or 128.
    pub async fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        self.subscribe_with(&Subscribe::new(filter, qos)).await
    }

    /// The same with the options and properties of MQTT 5; any reason code may be returned.
    pub async fn subscribe_with(&mut self, subscribe: &Subscribe) -> u8 {
        self.command(subscribe.command()).await;
        let event = self.wait("a SUBACK", |event| matches!(event, Event::Subscribed { .. })).await;
        match event {
            Event::Subscribed { granted } if granted.len() == 1 => granted[0],
            other => panic!("one filter, but {other:?}"),
        }
    }

    /// Takes one filter back.
    pub async fn unsubscribe(&mut self, filter: &str) {
        self.command(json!({"do": "unsubscribe", "filter": filter})).await;
        self.wait("an UNSUBACK", |event| *event == Event::Unsubscribed).await;
    }

    /// Publishes; returns when QoS 0 is written, QoS 1 and 2 acknowledged.
    pub async fn publish(&mut self, message: &Message) {
        let mid = self.enqueue(message).await;
        let code = self.published(mid).await;
        assert!(code < 0x80, "{:?}: {message:?} was refused: {code:#x}", self.kind);
    }

    /// Hands a message to the client and returns its id, which [`Peer::published`] takes.
    pub async fn enqueue(&mut self, message: &Message) -> u32 {
        let mut command = message.fields();
        command["do"] = "publish".into();
        self.command(command).await;
        match self.wait("a place", |event| matches!(event, Event::Queued { .. })).await {
            Event::Queued { mid } => mid,
            other => panic!("not waited for: {other:?}"),
        }
    }

    /// Waits until a message is written (QoS 0) or acknowledged (QoS 1 and 2).
    ///
    /// Returns the reason code, which is 0 with MQTT 3.1.1.
    pub async fn published(&mut self, mid: u32) -> u8 {
        let same = |event: &Event| matches!(event, Event::Published { mid: id, .. } if *id == mid);
        match self.wait("an acknowledgement", same).await {
            Event::Published { code, .. } => code,
            other => panic!("not waited for: {other:?}"),
        }
    }

    /// The next message, in the order they came.
    pub async fn message(&mut self) -> Message {
        match self.wait("a message", |event| matches!(event, Event::Message(_))).await {
            Event::Message(message) => message,
            other => panic!("not waited for: {other:?}"),
        }
    }

    /// Says goodbye with DISCONNECT and waits until the connection is gone.
    pub async fn disconnect(&mut self) {
        self.disconnect_with(0, &Properties::new()).await;
    }

    /// The same with a reason code and properties, which only MQTT 5 has; 4 lets the will fire.
    pub async fn disconnect_with(&mut self, code: u8, properties: &Properties) {
        let command = json!({"do": "disconnect", "code": code, "properties": properties});
        self.command(command).await;
        self.disconnected().await;
    }

    /// Drops the socket without DISCONNECT, and waits until the client has noticed.
    pub async fn abort(&mut self) {
        self.command(json!({"do": "abort"})).await;
        self.disconnected().await;
    }

    /// Waits until the connection is gone, and says why in the client's words.
    pub async fn disconnected(&mut self) -> String {
        let gone = |event: &Event| matches!(event, Event::Disconnected { .. });
        match self.wait("the end of the connection", gone).await {
            Event::Disconnected { reason } => reason,
            other => panic!("not waited for: {other:?}"),
        }
    }

    /// What has come and was not asked for yet, without waiting; it stays to be asked for.
    ///
    /// "Nothing more came" needs a fence first: a last message, waited for.
    pub fn unasked(&mut self) -> impl Iterator<Item = &Event> {
        while let Ok(event) = self.events.try_recv() {
            self.pending.push_back(event);
        }
        self.pending.iter()
    }

    /// The properties of the last CONNACK: what the server allows, and what it has chosen.
    pub const fn server(&self) -> &Properties {
        &self.server
    }

    async fn connack(&mut self) -> Result<bool, String> {
        let answer = |event: &Event| matches!(event, Event::Connected { .. });
        match self.outcome("a CONNACK", answer).await? {
            Event::Connected { session_present, reason, properties } if reason == "Success" => {
                self.server = properties;
                Ok(session_present)
            }
            Event::Connected { reason, .. } => {
                // The broker hangs up after a refusal (v3.1.1: [MQTT-3.2.2-5]).
                self.disconnected().await;
                Err(reason)
            }
            other => panic!("not waited for: {other:?}"),
        }
    }

    async fn command(&mut self, command: Value) {
        let line = format!("{command}\n");
        let written = timeout(WAIT_LIMIT, self.stdin.write_all(line.as_bytes())).await;
        if !matches!(written, Ok(Ok(()))) {
            self.give_up("a command to be taken", &format!("{written:?}"));
        }
    }

    /// The first event that `want` accepts; the others wait for their turn.
    async fn wait(&mut self, what: &str, want: impl Fn(&Event) -> bool) -> Event {
        match self.outcome(what, want).await {
            Ok(event) => event,
            Err(why) => self.give_up(what, &why),
        }
    }

    /// The same; a command that could not be carried out is a value.
    async fn outcome(
        &mut self,
        what: &str,
        want: impl Fn(&Event) -> bool,
    ) -> Result<Event, String> {
        if let Some(at) = self.pending.iter().position(&want) {
            return Ok(self.pending.remove(at).expect("a position just found"));
        }
        let search = async {
            while let Some(event) = self.events.recv().await {
                if want(&event) {
                    return Some(Ok(event));
                }
                match event {
                    Event::Failed { what } => return Some(Err(what)),
                    event => self.pending.push_back(event),
                }
            }
            None
        };
        match timeout(WAIT_LIMIT, search).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => self.give_up(what, "the process has ended"),
            Err(_) => self.give_up(what, &format!("nothing for {WAIT_LIMIT:?}")),
        }
    }

    fn give_up(&mut self, what: &str, why: &str) -> ! {
        let seen: Vec<String> = self.unasked().map(|event| format!("  {event:?}\n")).collect();
        let kind = self.kind;
        panic!("{kind:?}: waited for {what}: {why}; besides this came\n{}", seen.concat())
    }
}

/// Python in the environment of the peers: `DUNLIN_VENV`, or `target/peers/venv`.
///
/// Panics when it has no such module.
pub(crate) fn python_with(module: &str) -> PathBuf {
    let venv = env::var_os("DUNLIN_VENV")
        .map_or_else(|| workspace().join("target/peers/venv"), PathBuf::from);
    let python = venv.join("bin/python3");
    let libraries = fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
    let mut packages = libraries.map(|library| library.path().join("site-packages"));
    let stands = python.is_file() && packages.any(|packages| packages.join(module).is_dir());
    assert!(stands, "no {module} in {}: `cargo x setup` installs it", venv.display());
    python
}

/// The folder with MQTT.js in it: `DUNLIN_NODE_PEERS`, or `target/peers/node`.
///
/// Panics when it does not stand.
pub fn node_packages() -> PathBuf {
    let folder = env::var_os("DUNLIN_NODE_PEERS")
        .map_or_else(|| workspace().join("target/peers/node"), PathBuf::from);
    let stands = folder.join("node_modules/mqtt").is_dir();
    assert!(stands, "no MQTT.js in {}: `cargo x setup` installs it", folder.display());
    folder
}

/// Passes a stream on, line by line, until it ends or nobody listens.
fn read_lines(
    stream: impl AsyncRead + Unpin + Send + 'static,
    send: mpsc::UnboundedSender<Event>,
    event: fn(String) -> Event,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if send.send(event(line)).is_err() {
                return;
            }
        }
    });
}
