//! What goes to the peer and what comes from it, as values and as JSON.

use std::fmt;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// How a client reaches its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// MQTT on the bare stream.
    Tcp,
    /// MQTT in WebSocket frames.
    Websockets,
}

/// What to do with the session that the broker may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Discard it, and keep none.
    Clean,
    /// Go on with it, and keep it.
    Resume,
}

/// How to connect; begin with [`Connect::new`] and change what the test is about.
#[derive(Clone, Debug)]
pub struct Connect {
    /// How to reach the broker.
    pub transport: Transport,
    /// Where it is.
    pub address: SocketAddr,
    /// The path of the upgrade request.
    pub path: String,
    /// The client id.
    pub client_id: String,
    /// Whether a session goes on.
    pub start: Start,
    /// The keep alive, in seconds.
    pub keep_alive_s: u16,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// What the broker publishes when this client vanishes.
    pub will: Option<Message>,
}

impl Connect {
    /// A clean session without user or will.
    pub fn new(transport: Transport, address: SocketAddr, client_id: &str) -> Self {
        Self {
            transport,
            address,
            path: "/mqtt".to_owned(),
            client_id: client_id.to_owned(),
            start: Start::Clean,
            keep_alive_s: 60,
            credentials: None,
            will: None,
        }
    }

    pub(super) fn command(&self) -> Value {
        let (user, password) = self.credentials.clone().unzip();
        json!({
            "do": "connect",
            "transport": match self.transport {
                Transport::Tcp => "tcp",
                Transport::Websockets => "websockets",
            },
            "host": self.address.ip().to_string(),
            "port": self.address.port(),
            "path": self.path,
            "client_id": self.client_id,
            "clean": self.start == Start::Clean,
            "keep_alive_s": self.keep_alive_s,
            "user": user,
            "password": password,
            "will": self.will.as_ref().map(Message::fields),
        })
    }
}

/// A message to publish, or one that came.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic name.
    pub topic: String,
    /// The body.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// To be retained; in a message that came: was retained.
    pub retain: bool,
    /// Came a second time; nothing when publishing.
    pub dup: bool,
}

impl Message {
    /// A message that is not retained.
    pub fn new(topic: &str, qos: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.to_owned(), payload: payload.into(), qos, retain: false, dup: false }
    }

    /// The same message, retained.
    #[must_use]
    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    pub(super) fn fields(&self) -> Value {
        json!({
            "topic": self.topic,
            "payload_b64": BASE64.encode(&self.payload),
            "qos": self.qos,
            "retain": self.retain,
        })
    }
}

/// Payloads are long: the first bytes and the length tell them apart.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, payload, qos, retain, dup } = self;
        let head = payload[..payload.len().min(16)].escape_ascii();
        let length = payload.len();
        write!(f, "{topic:?} qos {qos} retain {retain} dup {dup}, {length} bytes \"{head}\"")
    }
}

/// What the peer reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// CONNACK came: `reason` reads "Success", or why not.
    Connected {
        /// Whether the broker had a session.
        session_present: bool,
        /// In Paho's words, which are those of MQTT 5.
        reason: String,
    },
    /// SUBACK came, with a granted QoS or 128 for each filter.
    Subscribed {
        /// One for each filter.
        granted: Vec<u8>,
    },
    /// UNSUBACK came.
    Unsubscribed,
    /// Paho took a message and gave it this id.
    Queued {
        /// Paho's message id, which is also the packet id.
        mid: u16,
    },
    /// QoS 0: written; QoS 1 and 2: acknowledged.
    Published {
        /// The id that `Queued` told.
        mid: u16,
    },
    /// A message came.
    Message(Message),
    /// The connection is gone, wanted or not.
    Disconnected {
        /// In Paho's words.
        reason: String,
    },
    /// A command could not be carried out.
    Failed {
        /// The command and the exception.
        what: String,
    },
    /// The peer wrote to its standard error: a traceback, or a warning.
    Noise(String),
}

/// One line of the peer; a line that is none of its events is noise.
pub(super) fn event(line: &str) -> Event {
    parse(line).unwrap_or_else(|| Event::Noise(line.to_owned()))
}

fn parse(line: &str) -> Option<Event> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| Some(value[key].as_str()?.to_owned());
    let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
    let mid = || u16::try_from(value["mid"].as_u64()?).ok();
    Some(match value["event"].as_str()? {
        "connected" => Event::Connected {
            session_present: value["session_present"].as_bool()?,
            reason: text("reason")?,
        },
        "subscribed" => Event::Subscribed {
            granted: value["granted"].as_array()?.iter().map(byte).collect::<Option<_>>()?,
        },
        "unsubscribed" => Event::Unsubscribed,
        "queued" => Event::Queued { mid: mid()? },
        "published" => Event::Published { mid: mid()? },
        "message" => Event::Message(Message {
            topic: text("topic")?,
            payload: BASE64.decode(value["payload_b64"].as_str()?).ok()?,
            qos: byte(&value["qos"])?,
            retain: value["retain"].as_bool()?,
            dup: value["dup"].as_bool()?,
        }),
        "disconnected" => Event::Disconnected { reason: text("reason")? },
        "failed" => Event::Failed { what: text("what")? },
        _ => return None,
    })
}
