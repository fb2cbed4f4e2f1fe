//! CONNECT (MQTT 3.1.1 §3.1, MQTT 5.0 §3.1).

use crate::{
    Head, Malformed, Message, PacketType, Properties, Property, Qos, Version, check_topic,
    encode::text,
    header::put_header,
    properties::Place,
    text::{STRING_MAX, field_len, has_nul, put_field, take_binary, take_str},
};
use core::fmt;
use dunlin_octet::{Reader, Sink, Text};

/// Protocol name (v3.1.1: [MQTT-3.1.2-1]); the level follows.
const PROTOCOL: [u8; 6] = [0, 4, b'M', b'Q', b'T', b'T'];

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
    /// The version that the connection is to speak.
    pub version: Version,
    /// The client identifier, unique at the server; may be empty with a clean session, and in MQTT 5.0.
    pub client_id: &'a str,
    /// Whether the server drops what it knows of this client: now, and in MQTT 3.1.1 also when the
    /// connection ends (MQTT 5.0 calls it Clean Start).
    pub clean_session: bool,
    /// The longest silence between two packets, in seconds; 0 turns it off.
    pub keep_alive_s: u16,
    /// The user name.
    pub user_name: Option<&'a str>,
    /// The password; in MQTT 3.1.1 only together with a user name (v3.1.1: [MQTT-3.1.2-22]).
    pub password: Option<&'a [u8]>,
    /// The message that the server publishes when the connection is lost.
    pub will: Option<Will<'a>>,
    /// What MQTT 5.0 adds; those of the will stand with it.
    pub properties: Properties<'a>,
}

impl<'a> Connect<'a> {
    /// A clean session of MQTT 3.1.1 with nothing optional, to change what is wanted otherwise.
    pub const fn new(client_id: &'a str) -> Self {
        Self {
            version: Version::V3,
            client_id,
            clean_session: true,
            keep_alive_s: 0,
            user_name: None,
            password: None,
            will: None,
            properties: Properties::NONE,
        }
    }

    /// Reads the body of a CONNECT, which says itself which version it is.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        if body.take(PROTOCOL.len()).ok_or(Malformed::Length)? != PROTOCOL {
            return Err(Malformed::Value);
        }
        let level = body.u8().ok_or(Malformed::Length)?;
        let version = Version::from_level(level).ok_or(Malformed::Version)?;
        let flags = body.u8().ok_or(Malformed::Length)?;
        let keep_alive_s = body.u16().ok_or(Malformed::Length)?;
        check_flags(version, flags)?;
        let properties = Properties::take_in(version, PLACE, &mut body)?;
        let client_id = take_str(&mut body)?;
        let will =
            if flags & WILL == 0 { None } else { Some(take_will(version, flags, &mut body)?) };
        let user_name = if flags & USER_NAME == 0 { None } else { Some(take_str(&mut body)?) };
        let password = if flags & PASSWORD == 0 { None } else { Some(take_binary(&mut body)?) };
        if !body.is_empty() {
            return Err(Malformed::Length);
        }
        let clean_session = flags & CLEAN_SESSION != 0;
        Ok(Self {
            version,
            client_id,
            clean_session,
            keep_alive_s,
            user_name,
            password,
            will,
            properties,
        })
    }

    /// Whether this can be sent: fields fit, properties are those of a CONNECT and of a will, which has a
    /// topic name; in MQTT 3.1.1 a password has its user name, an empty client identifier its clean
    /// session (v3.1.1: [MQTT-3.1.3-7]), and there are no properties.
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
        if strings.into_iter().flatten().any(|text| has_nul(text.as_bytes())) {
            return Err(Malformed::Utf8);
        }
        if let Some(will) = self.will {
            check_topic(will.head.topic).map_err(|_| Malformed::Topic)?;
        }
        if self.version.in_build() == Version::V5 {
            self.properties.check(PacketType::Connect)?;
            return self.will.map_or(Ok(()), |will| will.head.properties.check_will());
        }
        if !self.properties.is_empty() || !self.will.is_none_or(|it| it.head.properties.is_empty())
        {
            return Err(Malformed::Property);
        }
        // v3.1.1: [MQTT-3.1.2-22] No password without a user name.
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

    /// The whole packet, with more properties in front of its own.
    pub fn with(&self, more: &[Property<'_>]) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(more, sink))
    }

    fn put(&self, more: &[Property<'_>], sink: &mut dyn Sink) {
        put_header(sink, PacketType::Connect.first(), self.body_len(more));
        sink.put(&PROTOCOL);
        sink.put(&[self.version.level(), self.flags()]);
        sink.put(&self.keep_alive_s.to_be_bytes());
        self.properties.put_behind(more, self.version, sink);
        put_field(sink, self.client_id.as_bytes());
        if let Some(will) = self.will {
            will.head.properties.put(self.version, sink);
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

    fn body_len(&self, more: &[Property<'_>]) -> usize {
        let will = self.will.map_or(0, |will| {
            field_len(will.head.topic.as_bytes())
                .saturating_add(field_len(will.payload))
                .saturating_add(will.head.properties.block_len(self.version))
        });
        let properties = self.properties.block_len_behind(more, self.version);
        let user_name = self.user_name.map_or(0, |text| field_len(text.as_bytes()));
        let password = self.password.map_or(0, field_len);
        let client_id = field_len(self.client_id.as_bytes());
        [PROTOCOL.len(), 4, properties, client_id, will, user_name, password]
            .into_iter()
            .fold(0, usize::saturating_add)
    }
}

const PLACE: Place = Place::of(PacketType::Connect);

/// Refuses flags that contradict one another or the standard.
fn check_flags(version: Version, flags: u8) -> Result<(), Malformed> {
    let will = flags & WILL != 0;
    let legal = flags & 1 == 0 // v3.1.1: [MQTT-3.1.2-3]
        && (will || flags & (WILL_RETAIN | 0x18) == 0) // v3.1.1: [MQTT-3.1.2-11]
        && flags & 0x18 != 0x18 // v3.1.1: [MQTT-3.1.2-14]
        // v3.1.1: [MQTT-3.1.2-22]
        && (version.in_build() == Version::V5 || flags & USER_NAME != 0 || flags & PASSWORD == 0);
    if legal { Ok(()) } else { Err(Malformed::Flags) }
}

fn take_will<'a>(
    version: Version,
    flags: u8,
    body: &mut Reader<'a>,
) -> Result<Will<'a>, Malformed> {
    let properties = Properties::take_in(version, Place::WILL, body)?;
    let topic = take_str(body)?;
    check_topic(topic).map_err(|_| Malformed::Topic)?;
    let payload = take_binary(body)?;
    let qos = Qos::from_bits(flags >> 3 & 3).ok_or(Malformed::Flags)?;
    let head = Head { topic, qos, retain: flags & WILL_RETAIN != 0, properties };
    Ok(Message { head, payload })
}

/// In the order client identifier, will, user name, password ([MQTT-3.1.3-1], the same in v3.1.1).
impl Text for Connect<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.put(&[], sink);
    }
}

/// Without user name and password.
impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("clean_session", &self.clean_session)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("will", &self.will.map(|will| will.head))
            .finish_non_exhaustive()
    }
}

/// Without user name and password.
#[cfg(feature = "defmt")]
impl defmt::Format for Connect<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Self { version, client_id, clean_session, keep_alive_s, .. } = self;
        defmt::write!(
            f,
            "Connect {{ {}, client_id: {=str}, clean_session: {=bool}, keep_alive_s: {=u16} }}",
            version,
            client_id,
            clean_session,
            keep_alive_s
        );
    }
}
