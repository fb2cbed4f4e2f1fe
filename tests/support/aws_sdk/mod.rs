//! The official clients of AWS IoT Core as peers, driven line by line: `peers/aws_iot_peer.py` and
//! `peers/amplify_iot_peer.js`.

use std::collections::VecDeque;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::aws_iot::{AwsIot, Key};
use crate::find_program;
use crate::peer::{node_packages, python_with};
use crate::process::{Command, Running};
use crate::workspace;

/// Whose client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// The device SDK for Python with MQTT 3.1.1.
    Python3,
    /// The device SDK for Python with MQTT 5.
    Python5,
    /// Amplify's provider for AWS IoT, which speaks MQTT 3.1.
    Amplify,
}

impl Sdk {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Python3, Self::Python5, Self::Amplify];
}

/// One client of AWS in a process of its own; it dies with this value.
#[derive(Debug)]
pub struct AwsSdk {
    sdk: Sdk,
    running: Running,
    /// Messages that came while something else was waited for, oldest first.
    messages: VecDeque<(String, String)>,
}

impl AwsSdk {
    /// Starts the process and connects it to a gateway; an error is what the client has to say.
    ///
    /// Amplify connects at its first subscription. Panics when its packages are missing.
    pub async fn connect(
        sdk: Sdk,
        gateway: &AwsIot,
        key: &Key,
        region: &str,
        client_id: &str,
    ) -> Result<Self, String> {
        let (program, arguments) = program(sdk);
        let ca_file = gateway.ca_file().to_str().expect("a path of this test");
        let command = Command::new(program).args(arguments).env("NODE_EXTRA_CA_CERTS", ca_file);
        let mut client = Self { sdk, running: command.spawn(), messages: VecDeque::new() };
        let connect = json!({
            "do": "connect",
            "version": if sdk == Sdk::Python5 { 5 } else { 4 },
            "port": gateway.port(),
            "ca_file": ca_file,
            "region": region,
            "client_id": client_id,
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "session_token": key.session_token,
        });
        client.command(connect).await.map(|()| client)
    }

    /// Whose client it is.
    pub const fn sdk(&self) -> Sdk {
        self.sdk
    }

    /// Subscribes to a topic.
    pub async fn subscribe(&mut self, topic: &str) {
        let command = json!({"do": "subscribe", "topic": topic});
        self.command(command).await.expect("it can be subscribed to");
    }

    /// Publishes a text; Amplify does so within an object.
    pub async fn publish(&mut self, topic: &str, text: &str) {
        let command = json!({"do": "publish", "topic": topic, "text": text});
        self.command(command).await.expect("it can be published");
    }

    /// A text as the bytes that this client makes of it, or takes for it.
    pub fn payload(&self, text: &str) -> Vec<u8> {
        match self.sdk {
            Sdk::Python3 | Sdk::Python5 => text.to_owned().into_bytes(),
            Sdk::Amplify => json!({ "text": text }).to_string().into_bytes(),
        }
    }

    /// The next message: topic and text.
    pub async fn message(&mut self) -> (String, String) {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return message;
            }
            let event = self.event().await;
            assert!(event.is_none(), "{:?}: waited for a message: {event:?}", self.sdk);
        }
    }

    async fn command(&mut self, command: Value) -> Result<(), String> {
        self.running.write(format!("{command}\n").as_bytes()).await;
        loop {
            match self.event().await {
                Some(Ok(())) => return Ok(()),
                Some(Err(what)) => return Err(what),
                None => {}
            }
        }
    }

    /// The next line: the end of a command, or a message for later.
    async fn event(&mut self) -> Option<Result<(), String>> {
        let line = self.running.line().await;
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        match value["event"].as_str() {
            Some("done") => Some(Ok(())),
            Some("message") => {
                self.messages.push_back((text("topic"), text("text")));
                None
            }
            _ => Some(Err(text("what"))),
        }
    }
}

fn program(sdk: Sdk) -> (PathBuf, Vec<PathBuf>) {
    let script = |name: &str| workspace().join("tests/peers").join(name);
    match sdk {
        Sdk::Python3 | Sdk::Python5 => (python_with("awsiot"), vec![script("aws_iot_peer.py")]),
        Sdk::Amplify => {
            let node = find_program("node").expect("node is missing: `cargo x setup` installs it");
            (node, vec![script("amplify_iot_peer.js"), node_packages()])
        }
    }
}
