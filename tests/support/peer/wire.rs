//! What goes to a peer and what comes from it, as values and as JSON.

use std::fmt;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

/// How long a broker keeps the session of an MQTT 5 client that resumes, in seconds, unless the
/// client's properties say something else.
const SESSION_EXPIRY_S: u32 = 3_600;

/// The properties of one MQTT 5 packet, by their names in MQTT 5.0 §2.2.2.2 in lower case with
/// underscores, such as `content_type`.
///
/// Numbers and bytes are numbers, text is text, binary data is base64; `user_property` is an array
/// of pairs. A `subscription_identifier` that comes is an array, too: a message may have several.
pub type Properties = Map<String, Value>;

/// Properties out of `json!({..})`; panics when that is no object.
pub fn properties(object: &Value) -> Properties {
    object.as_object().expect("properties are an object").clone()
}

/// How a client reaches its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// MQTT on the bare stream.
    Tcp,
    /// MQTT in WebSocket frames.
    Websockets,
}

/// The version of MQTT that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1, which has no properties.
    #[default]
    V311,
    /// MQTT 5.0.
    V5,
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
    /// Which MQTT to speak.
    pub version: Version,
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
    /// Those of CONNECT; MQTT 5 only.
    pub properties: Properties,
}

impl Connect {
    /// A clean session of MQTT 3.1.1 without user or will.
    pub fn new(transport: Transport, address: SocketAddr, client_id: &str) -> Self {
        Self {
            version: Version::V311,
            transport,
            address,
            path: "/mqtt".to_owned(),
            client_id: client_id.to_owned(),
            start: Start::Clean,
            keep_alive_s: 60,
            credentials: None,
            will: None,
            properties: Properties::new(),
        }
    }

    pub(super) fn command(&self) -> Value {
        let (user, password) = self.credentials.clone().unzip();
        let mut properties = self.properties.clone();
        if self.version == Version::V5 && self.start == Start::Resume {
            properties.entry("session_expiry_interval").or_insert(SESSION_EXPIRY_S.into());
        }
        json!({
            "do": "connect",
            "version": match self.version {
                Version::V311 => 4,
                Version::V5 => 5,
            },
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
            "properties": properties,
        })
    }
}

/// One filter to subscribe to; begin with [`Subscribe::new`].
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// The topic filter.
    pub filter: String,
    /// The QoS asked for.
    pub qos: u8,
    /// Not what this client publishes itself; MQTT 5 only, like what follows.
    pub no_local: bool,
    /// Messages say whether they were published to be retained.
    pub retain_as_published: bool,
    /// When retained messages come: 0, 1 or 2 (MQTT 5.0 §3.8.3.1).
    pub retain_handling: u8,
    /// Those of SUBSCRIBE.
    pub properties: Properties,
}

impl Subscribe {
    /// What MQTT 3.1.1 means by a subscription.
    pub fn new(filter: &str, qos: u8) -> Self {
        Self {
            filter: filter.to_owned(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
            properties: Properties::new(),
        }
    }

    pub(super) fn command(&self) -> Value {
        json!({
            "do": "subscribe",
            "filter": self.filter,
            "qos": self.qos,
            "no_local": self.no_local,
            "retain_as_published": self.retain_as_published,
            "retain_handling": self.retain_handling,
            "properties": self.properties,
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
    /// Those of PUBLISH, or of the will; MQTT 5 only.
    pub properties: Properties,
}

impl Message {
    /// A message that is not retained, without properties.
    pub fn new(topic: &str, qos: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.to_owned(),
            payload: payload.into(),
            qos,
            retain: false,
            dup: false,
            properties: Properties::new(),
        }
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
            "properties": self.properties,
        })
    }
}

/// Payloads are long: the first bytes and the length tell them apart.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, payload, qos, retain, dup, properties } = self;
        let head = payload[..payload.len().min(16)].escape_ascii();
        let length = payload.len();
        write!(f, "{topic:?} qos {qos} retain {retain} dup {dup}, {length} bytes \"{head}\"")?;
        if properties.is_empty() { Ok(()) } else { write!(f, " {properties:?}") }
    }
}

/// What the peer reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// CONNACK came: `reason` reads "Success", or why not.
    Connected {
        /// Whether the broker had a session.
        session_present: bool,
        /// In the peer's words, which are those of MQTT 5.
        reason: String,
        /// Those of CONNACK.
        properties: Properties,
    },
    /// SUBACK came.
    Subscribed {
        /// For each filter the granted QoS, or why not: 128, in MQTT 5 also what lies above.
        granted: Vec<u8>,
    },
    /// UNSUBACK came.
    Unsubscribed,
    /// The peer took a message and gave it this id.
    Queued {
        /// The peer's own number for it.
        mid: u32,
    },
    /// QoS 0: written; QoS 1 and 2: acknowledged.
    Published {
        /// The id that `Queued` told.
        mid: u32,
        /// The reason code of the acknowledgement: 0, or with MQTT 5 why not.
        code: u8,
    },
    /// A message came.
    Message(Message),
    /// The connection is gone, wanted or not.
    Disconnected {
        /// In the peer's words.
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
    let mid = || u32::try_from(value["mid"].as_u64()?).ok();
    let properties = || Some(value["properties"].as_object()?.clone());
    Some(match value["event"].as_str()? {
        "connected" => Event::Connected {
            session_present: value["session_present"].as_bool()?,
            reason: text("reason")?,
            properties: properties()?,
        },
        "subscribed" => Event::Subscribed {
            granted: value["granted"].as_array()?.iter().map(byte).collect::<Option<_>>()?,
        },
        "unsubscribed" => Event::Unsubscribed,
        "queued" => Event::Queued { mid: mid()? },
        "published" => Event::Published { mid: mid()?, code: byte(&value["code"])? },
        "message" => Event::Message(Message {
            topic: text("topic")?,
            payload: BASE64.decode(value["payload_b64"].as_str()?).ok()?,
            qos: byte(&value["qos"])?,
            retain: value["retain"].as_bool()?,
            dup: value["dup"].as_bool()?,
            properties: properties()?,
        }),
        "disconnected" => Event::Disconnected { reason: text("reason")? },
        "failed" => Event::Failed { what: text("what")? },
        _ => return None,
    })
}
