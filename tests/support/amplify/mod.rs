//! Amplify's PubSub in a process of its own, driven line by line: `peers/amplify_peer.js`.
//!
//! Both generations of it: 6, where each provider stands alone, and 5, which has a registry of them.
//! They speak MQTT 3.1 with the subprotocol `mqttv3.1`, which mosquitto takes.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::peer::node_packages;
use crate::process::{Command, Running};
use crate::workspace;

/// Which Amplify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// `@aws-amplify/pubsub` 5, with its registry of providers.
    Five,
    /// `@aws-amplify/pubsub` 6.
    Six,
}

/// Which timers it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timers {
    /// Those of Node.
    Real,
    /// Timers that stand still but for [`Amplify::pass`].
    Virtual,
}

/// A message that reached an observer.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// What Amplify made of the payload.
    pub value: Value,
    /// The topic, if it is to be found: under a private symbol, which only objects can have.
    pub hidden_topic: Option<String>,
    /// The id of the provider that it came from, by the object's identity.
    pub from: String,
    /// How the provider names itself; only in version 5.
    pub provider_name: Option<String>,
}

/// One process with Amplify in it; it dies with this value.
#[derive(Debug)]
pub struct Amplify {
    running: Running,
    /// What came while something else was waited for, oldest first.
    pending: VecDeque<Value>,
}

impl Amplify {
    /// Starts the process; it has no provider yet.
    ///
    /// Panics when its packages are missing.
    pub fn start(generation: Generation, timers: Timers) -> Self {
        let script = workspace().join("tests/peers/amplify_peer.js");
        let version = match generation {
            Generation::Five => "5",
            Generation::Six => "6",
        };
        let clock = match timers {
            Timers::Real => "real",
            Timers::Virtual => "virtual",
        };
        let arguments = [script.into_os_string(), node_packages().into_os_string()];
        let command = Command::new("node").args(["--no-warnings"]).args(arguments);
        Self { running: command.args([version, clock]).spawn(), pending: VecDeque::new() }
    }

    /// Makes a provider of MQTT over WebSocket; version 5 adds it to its registry, too.
    pub async fn open(&mut self, id: &str, url: &str) {
        self.command(json!({"do": "open", "id": id, "url": url})).await.expect("it can be made");
    }

    /// Subscribes to `topics` with the provider `id`; in version 5 with all of them.
    ///
    /// Amplify does not say when, or whether, the server has heard of it: see [`Amplify::settle`].
    pub async fn subscribe(&mut self, id: &str, name: &str, topics: &[&str]) {
        let command = json!({"do": "subscribe", "id": id, "name": name, "topics": topics});
        self.command(command).await.expect("it subscribes");
    }

    /// Ends the subscription `name`.
    pub async fn unsubscribe(&mut self, name: &str) {
        self.command(json!({"do": "unsubscribe", "name": name})).await.expect("it unsubscribes");
    }

    /// Publishes with the provider `id`; in version 5 with all of them. An error is Amplify's.
    pub async fn publish(
        &mut self,
        id: &str,
        topics: &[&str],
        value: &Value,
    ) -> Result<(), String> {
        self.command(json!({"do": "publish", "id": id, "topics": topics, "value": value})).await
    }

    /// The same with the provider that calls itself `provider`; only in version 5.
    pub async fn publish_to(
        &mut self,
        provider: &str,
        topic: &str,
        value: &Value,
    ) -> Result<(), String> {
        let topics = [topic];
        self.command(
            json!({"do": "publish", "topics": topics, "value": value, "provider": provider}),
        )
        .await
    }

    /// Removes the providers that call themselves `provider`; only in version 5.
    pub async fn remove(&mut self, provider: &str) {
        self.command(json!({"do": "remove", "provider": provider})).await.expect("it removes");
    }

    /// Tells it that the browser has a network, or none.
    pub async fn network(&mut self, online: bool) {
        self.command(json!({"do": "network", "online": online})).await.expect("it is told");
    }

    /// Lets so many seconds pass; only with [`Timers::Virtual`].
    pub async fn pass(&mut self, seconds: u32) {
        self.command(json!({"do": "pass", "seconds": seconds})).await.expect("time passes");
    }

    /// Waits until everything that was subscribed to so far stands, and everything that was sent to it
    /// so far has come: by a message of its own to `topic`, which the subscription `name` has.
    pub async fn settle(&mut self, id: &str, name: &str, topic: &str) {
        let fence = json!({"fence": topic});
        self.publish(id, &[topic], &fence).await.expect("it is connected");
        let at = |event: &Value| event["name"] == name && event["value"] == fence;
        self.wait("a message of its own", at).await;
    }

    /// The next message for the subscription `name`.
    pub async fn message(&mut self, name: &str) -> Observed {
        let of = |event: &Value| event["event"] == "message" && event["name"] == name;
        observed(&self.wait("a message", of).await)
    }

    /// The states of the provider `id` from the last one that was asked for, up to `last`.
    pub async fn states_until(&mut self, id: &str, last: &str) -> Vec<String> {
        let timed = self.timed_states_until(id, last, 1).await;
        timed.into_iter().map(|(state, _)| state).collect()
    }

    /// The same up to the `nth` time that `last` is told, each with the milliseconds that have passed
    /// on the virtual timers.
    pub async fn timed_states_until(
        &mut self,
        id: &str,
        last: &str,
        nth: usize,
    ) -> Vec<(String, u64)> {
        let mut states = Vec::new();
        let mut seen = 0;
        while seen < nth {
            let of = |event: &Value| event["event"] == "state" && event["id"] == id;
            let event = self.wait("a state", of).await;
            let state = event["state"].as_str().expect("a name").to_owned();
            seen += usize::from(state == last);
            states.push((state, event["at_ms"].as_u64().expect("a time")));
        }
        states
    }

    /// What has come and was not asked for, but for states; a fence must have come first.
    pub fn unasked(&self) -> Vec<&Value> {
        self.pending.iter().filter(|event| event["event"] != "state").collect()
    }

    /// What it has complained about, in its own words.
    pub fn complaints(&self) -> String {
        self.running.stderr()
    }

    async fn command(&mut self, command: Value) -> Result<(), String> {
        self.running.write(format!("{command}\n").as_bytes()).await;
        let over = |event: &Value| event["event"] == "done" || event["event"] == "failed";
        let event = self.wait("the end of a command", over).await;
        event["what"].as_str().map_or(Ok(()), |what| Err(what.to_owned()))
    }

    /// The first event that `want` accepts; the others wait for their turn.
    async fn wait(&mut self, what: &str, want: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.pending.iter().position(&want) {
            return self.pending.remove(at).expect("a position just found");
        }
        loop {
            // Panics with all that it has printed when no line comes.
            let line = self.running.line().await;
            let event = serde_json::from_str(&line);
            let event: Value = event.unwrap_or_else(|_| panic!("waited for {what}: {line}"));
            if want(&event) {
                return event;
            }
            self.pending.push_back(event);
        }
    }
}

fn observed(event: &Value) -> Observed {
    let text = |name: &str| event[name].as_str().map(str::to_owned);
    Observed {
        value: event["value"].clone(),
        hidden_topic: text("hidden_topic"),
        from: text("from").expect("an id"),
        provider_name: text("provider_name"),
    }
}
