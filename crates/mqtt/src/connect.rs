//! CONNECT and CONNACK (MQTT 3.1.1 §3.1, §3.2).

use crate::{
    Head, Malformed, Message, PacketType, Qos, ReasonCode, check_topic,
    header::put_header,
    text::{STRING_MAX, field_len, put_field, take_binary, take_str},
};
use core::fmt;
use dunlin_octet::{Reader, Sink, Text};

/// Protocol name and level of MQTT 3.1.1 ([MQTT-3.1.2-1], [MQTT-3.1.2-2]).
const PROTOCOL: [u8; 7] = [0, 4, b'M', b'Q', b'T', b'T', 4];

const USER_NAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL_RETAIN: u8 = 0x20;
const WILL: u8 = 0x04;
const CLEAN_SESSION: u8 = 0x02;

/// The message that the server publishes when the connection ends without DISCONNECT.
pub type Will<'a> = Message<'a>;

/// The client's request to connect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The client identifier, unique at the server; may be empty with a clean session.
    pub client_id: &'a str,
    /// Whether the server drops what it knows of this client, now and when the connection ends.
    pub clean_session: bool,
    /// The longest silence between two packets, in seconds; 0 turns it off.
    pub keep_alive_s: u16,
    /// The user name.
    pub user_name: Option<&'a str>,
    /// The password; only together with a user name ([MQTT-3.1.2-22]).
    pub password: Option<&'a [u8]>,
    /// The message that the server publishes when the connection is lost.
    pub will: Option<Will<'a>>,
}

impl<'a> Connect<'a> {
    /// Reads the body of a CONNECT.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        if body.take(PROTOCOL.len()).ok_or(Malformed::Length)? != PROTOCOL {
            return Err(Malformed::Value);
        }
        let flags = body.u8().ok_or(Malformed::Length)?;
        let keep_alive_s = body.u16().ok_or(Malformed::Length)?;
        check_flags(flags)?;
        let client_id = take_str(&mut body)?;
        let will = if flags & WILL == 0 { None } else { Some(take_will(flags, &mut body)?) };
        let user_name = if flags & USER_NAME == 0 { None } else { Some(take_str(&mut body)?) };
        let password = if flags & PASSWORD == 0 { None } else { Some(take_binary(&mut body)?) };
        if !body.is_empty() {
            return Err(Malformed::Length);
        }
        let clean_session = flags & CLEAN_SESSION != 0;
        Ok(Self { client_id, clean_session, keep_alive_s, user_name, password, will })
    }

    /// Whether this can be sent: fields fit, a password has its user name, an empty client identifier
    /// its clean session ([MQTT-3.1.3-7]), and the will has a topic name.
    pub fn check(&self) -> Result<(), Malformed> {
        let will = self.will.map(|will| (will.head.topic.as_bytes(), will.payload));
        let fields = [
            Some(self.client_id.as_bytes()),
            self.user_name.map(str::as_bytes),
            self.password,
            will.map(|(topic, _)| topic),
            will.map(|(_, payload)| payload),
        ];
        if fields.into_iter().flatten().any(|field| field.len() > STRING_MAX) {
            return Err(Malformed::Length);
        }
        let strings = [Some(self.client_id), self.user_name];
        if strings.into_iter().flatten().any(|text| text.as_bytes().contains(&0)) {
            return Err(Malformed::Utf8);
        }
        if let Some(will) = self.will {
            check_topic(will.head.topic).map_err(|_| Malformed::Topic)?;
        }
        // [MQTT-3.1.2-22] No password without a user name.
        let alone = self.password.is_some() && self.user_name.is_none();
        if alone || (self.client_id.is_empty() && !self.clean_session) {
            return Err(Malformed::Value);
        }
        Ok(())
    }

    fn flags(&self) -> u8 {
        let will = match self.will {
            Some(Message { head, .. }) => {
                WILL | head.qos.bits() << 3 | if head.retain { WILL_RETAIN } else { 0 }
            }
            None => 0,
        };
        will | if self.user_name.is_some() { USER_NAME } else { 0 }
            | if self.password.is_some() { PASSWORD } else { 0 }
            | if self.clean_session { CLEAN_SESSION } else { 0 }
    }

    fn body_len(&self) -> usize {
        let will = self.will.map_or(0, |will| {
            field_len(will.head.topic.as_bytes()).saturating_add(field_len(will.payload))
        });
        let user_name = self.user_name.map_or(0, |text| field_len(text.as_bytes()));
        let password = self.password.map_or(0, field_len);
        [PROTOCOL.len(), 3, field_len(self.client_id.as_bytes()), will, user_name, password]
            .into_iter()
            .fold(0, usize::saturating_add)
    }
}

/// Refuses flags that contradict one another or the standard.
fn check_flags(flags: u8) -> Result<(), Malformed> {
    let will = flags & WILL != 0;
    let legal = flags & 1 == 0 // [MQTT-3.1.2-3]
        && (will || flags & (WILL_RETAIN | 0x18) == 0) // [MQTT-3.1.2-11]
        && flags & 0x18 != 0x18 // [MQTT-3.1.2-14]
        && (flags & USER_NAME != 0 || flags & PASSWORD == 0); // [MQTT-3.1.2-22]
    if legal { Ok(()) } else { Err(Malformed::Flags) }
}

fn take_will<'a>(flags: u8, body: &mut Reader<'a>) -> Result<Will<'a>, Malformed> {
    let topic = take_str(body)?;
    check_topic(topic).map_err(|_| Malformed::Topic)?;
    let payload = take_binary(body)?;
    let qos = Qos::from_bits(flags >> 3 & 3).ok_or(Malformed::Flags)?;
    Ok(Message { head: Head { topic, qos, retain: flags & WILL_RETAIN != 0 }, payload })
}

/// In the order client identifier, will topic, will message, user name, password ([MQTT-3.1.3-1]).
impl Text for Connect<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        put_header(sink, PacketType::Connect.first(), self.body_len());
        sink.put(&PROTOCOL);
        sink.put(&[self.flags()]);
        sink.put(&self.keep_alive_s.to_be_bytes());
        put_field(sink, self.client_id.as_bytes());
        if let Some(will) = self.will {
            put_field(sink, will.head.topic.as_bytes());
            put_field(sink, will.payload);
        }
        if let Some(user_name) = self.user_name {
            put_field(sink, user_name.as_bytes());
        }
        if let Some(password) = self.password {
            put_field(sink, password);
        }
    }
}

/// Without user name and password.
impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("client_id", &self.client_id)
            .field("clean_session", &self.clean_session)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("will", &self.will.map(|will| will.head))
            .finish_non_exhaustive()
    }
}

/// The server's answer to CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connack {
    /// Whether the server goes on with a session that it had kept.
    pub session_present: bool,
    /// Yes, or why not.
    pub reason: ReasonCode,
}

impl Connack {
    /// Reads the body of a CONNACK.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let [flags, code] = body else { return Err(Malformed::Length) };
        if flags & !1 != 0 {
            return Err(Malformed::Flags);
        }
        let reason = ReasonCode::from_connack(*code).ok_or(Malformed::Value)?;
        Ok(Self { session_present: *flags == 1, reason })
    }
}

impl Text for Connack {
    fn write(&self, sink: &mut dyn Sink) {
        let first = PacketType::Connack.first();
        sink.put(&[first, 2, u8::from(self.session_present), self.reason.to_connack()]);
    }
}
