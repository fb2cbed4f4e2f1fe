//! MQTT as the gateway reads it: what it judges by, in versions 3.1, 3.1.1 and 5.
//!
//! Read and written by code that shares nothing with Dunlin's.

use std::ops::Range;

use crate::bytes::Body;

/// The protocol level of MQTT 5 (§3.1.2.2).
pub(super) const LEVEL_5: u8 = 5;
/// Property Session Expiry Interval (MQTT 5.0 §2.2.2.2).
const SESSION_EXPIRY: u8 = 0x11;
/// Property Subscription Identifier (MQTT 5.0 §2.2.2.2).
const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
/// Property Topic Alias (MQTT 5.0 §2.2.2.2).
const TOPIC_ALIAS: u8 = 0x23;

/// A packet that went through the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// CONNECT.
    Connect(Connect),
    /// CONNACK.
    Connack {
        /// Whether there was a session.
        session_present: bool,
        /// The return code, or reason code.
        code: u8,
    },
    /// PUBLISH.
    Publish(Publish),
    /// PUBACK.
    Puback {
        /// Of the message.
        id: u16,
    },
    /// SUBSCRIBE.
    Subscribe(Subscribe),
    /// SUBACK.
    Suback {
        /// Of the request.
        id: u16,
    },
    /// UNSUBSCRIBE.
    Unsubscribe {
        /// Of the request.
        id: u16,
        /// What is to end.
        filters: Vec<String>,
    },
    /// PINGREQ.
    Pingreq,
    /// PINGRESP.
    Pingresp,
    /// DISCONNECT.
    Disconnect {
        /// The reason code; 0 where there is none.
        code: u8,
    },
    /// Any other, by its first byte.
    Other(u8),
}

/// What CONNECT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// 3, 4 (MQTT 3.1.1) or 5.
    pub level: u8,
    /// Whether the server is to forget what it knows.
    pub clean: bool,
    /// In seconds.
    pub keep_alive_s: u16,
    /// For how long the session is to be kept, in seconds; 0 before MQTT 5.
    pub session_expiry_s: u32,
    /// As it came: the gateway chooses one where it is empty.
    pub client_id: String,
    /// Topic and QoS of the will.
    pub will: Option<(String, u8)>,
    /// The user name.
    pub user_name: Option<String>,
    /// The password.
    pub password: Option<Vec<u8>>,
    /// Where the keep alive stands in the packet, and the client identifier with its length.
    pub(super) spans: (Range<usize>, Range<usize>),
}

/// What PUBLISH says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Empty where an alias stands for it.
    pub topic: String,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Marked as a duplicate.
    pub dup: bool,
    /// To be retained, or was.
    pub retain: bool,
    /// Above QoS 0.
    pub id: Option<u16>,
    /// In MQTT 5.
    pub alias: Option<u16>,
    /// How long the payload is.
    pub length: usize,
}

/// What SUBSCRIBE says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Of the request.
    pub id: u16,
    /// With the QoS asked for.
    pub filters: Vec<(String, u8)>,
    /// In MQTT 5.
    pub has_identifier: bool,
}

impl Packet {
    /// Reads a whole packet; the level is that of the CONNECT before it.
    pub(super) fn parse(packet: &[u8], level: u8) -> Result<Self, String> {
        let mut body = Body(packet);
        let first = body.take(1)?[0];
        body.varint()?;
        Ok(match (first >> 4, first & 15) {
            (1, 0) => Self::Connect(parse_connect(&mut body, packet.len())?),
            (2, 0) => {
                let flags = body.take(1)?[0];
                Self::Connack { session_present: flags & 1 != 0, code: body.take(1)?[0] }
            }
            (3, flags) => Self::Publish(parse_publish(&mut body, flags, level)?),
            (4, 0) => Self::Puback { id: body.id()? },
            (8, 2) => Self::Subscribe(parse_subscribe(&mut body, level)?),
            (9, 0) => Self::Suback { id: body.id()? },
            (10, 2) => parse_unsubscribe(&mut body, level)?,
            (12, 0) => Self::Pingreq,
            (13, 0) => Self::Pingresp,
            (14, 0) => Self::Disconnect { code: body.0.first().copied().unwrap_or(0) },
            _ => Self::Other(first),
        })
    }
}

fn parse_connect(body: &mut Body<'_>, whole: usize) -> Result<Connect, String> {
    let (name, level) = (body.string()?, body.take(1)?[0]);
    match (&*name, level) {
        ("MQIsdp", 3) | ("MQTT", 4 | 5) => {}
        other => return Err(format!("protocol {other:?}")),
    }
    let flags = body.take(1)?[0];
    let at = |body: &Body<'_>| whole - body.0.len();
    let keep_alive_at = at(body);
    let keep_alive_s = body.u16()?;
    let mut session_expiry_s = 0;
    properties(body, level, |name, value| {
        if name == SESSION_EXPIRY {
            let value = <[u8; 4]>::try_from(value).map_err(|_| "a property of four bytes")?;
            session_expiry_s = u32::from_be_bytes(value);
        }
        Ok(())
    })?;
    let client_id_at = at(body);
    let client_id = body.string()?;
    let spans = (keep_alive_at..keep_alive_at + 2, client_id_at..at(body));
    let mut will = None;
    if flags & 4 != 0 {
        properties(body, level, |_, _| Ok(()))?;
        let topic = body.string()?;
        body.binary()?;
        will = Some((topic, flags >> 3 & 3));
    }
    let user_name = (flags & 0x80 != 0).then(|| body.string()).transpose()?;
    let password = (flags & 0x40 != 0).then(|| body.binary()).transpose()?.map(<[u8]>::to_vec);
    let clean = flags & 2 != 0;
    Ok(Connect {
        level,
        clean,
        keep_alive_s,
        session_expiry_s,
        client_id,
        will,
        user_name,
        password,
        spans,
    })
}

fn parse_publish(body: &mut Body<'_>, flags: u8, level: u8) -> Result<Publish, String> {
    let qos = flags >> 1 & 3;
    let topic = body.string()?;
    let id = (qos > 0).then(|| body.id()).transpose()?;
    let mut alias = None;
    properties(body, level, |name, value| {
        if name == TOPIC_ALIAS {
            alias = Some(Body(value).u16()?);
        }
        Ok(())
    })?;
    let (dup, retain, length) = (flags & 8 != 0, flags & 1 != 0, body.0.len());
    Ok(Publish { topic, qos, dup, retain, id, alias, length })
}

fn parse_subscribe(body: &mut Body<'_>, level: u8) -> Result<Subscribe, String> {
    let id = body.id()?;
    let mut has_identifier = false;
    properties(body, level, |name, _| {
        has_identifier |= name == SUBSCRIPTION_IDENTIFIER;
        Ok(())
    })?;
    let mut filters = Vec::new();
    while !body.0.is_empty() {
        filters.push((body.string()?, body.take(1)?[0] & 3));
    }
    Ok(Subscribe { id, filters, has_identifier })
}

fn parse_unsubscribe(body: &mut Body<'_>, level: u8) -> Result<Packet, String> {
    let id = body.id()?;
    properties(body, level, |_, _| Ok(()))?;
    let mut filters = Vec::new();
    while !body.0.is_empty() {
        filters.push(body.string()?);
    }
    Ok(Packet::Unsubscribe { id, filters })
}

/// Reads the properties, which only MQTT 5 has: each with its bytes (§2.2.2.2).
fn properties<'p>(
    body: &mut Body<'p>,
    level: u8,
    mut each: impl FnMut(u8, &'p [u8]) -> Result<(), String>,
) -> Result<(), String> {
    if level < LEVEL_5 {
        return Ok(());
    }
    let length = body.varint()?;
    let mut properties = Body(body.take(length)?);
    while !properties.0.is_empty() {
        let name = properties.take(1)?[0];
        let value = properties.0;
        match name {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2a => drop(properties.take(1)?),
            0x13 | 0x21..=0x23 => drop(properties.take(2)?),
            0x02 | 0x11 | 0x18 | 0x27 => drop(properties.take(4)?),
            0x0b => drop(properties.varint()?),
            0x26 => {
                properties.binary()?;
                properties.binary()?;
            }
            0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => {
                properties.binary()?;
            }
            _ => return Err(format!("property {name:#04x}")),
        }
        each(name, &value[..value.len() - properties.0.len()])?;
    }
    Ok(())
}

/// CONNECT as the broker gets it: with this keep alive, and this client identifier.
pub(super) fn rewrite_connect(
    packet: &[u8],
    connect: &Connect,
    keep_alive_s: u16,
    client_id: &str,
) -> Vec<u8> {
    let (keep_alive, id) = &connect.spans;
    let mut head = Body(packet);
    // Both were read before.
    let _ = head.take(1).and_then(|_| head.varint());
    let begin = packet.len() - head.0.len();
    let body = [
        &packet[begin..keep_alive.start],
        &keep_alive_s.to_be_bytes(),
        &packet[keep_alive.end..id.start],
        &(client_id.len() as u16).to_be_bytes(),
        client_id.as_bytes(),
        &packet[id.end..],
    ];
    framed(packet[0], &body.concat())
}

/// A packet out of its first byte and its body.
pub(super) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    while length > 0x7f {
        packet.push(length as u8 | 0x80);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend_from_slice(body);
    packet
}

/// PUBACK without a reason.
pub(super) fn puback(id: u16) -> Vec<u8> {
    framed(0x40, &id.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(level: u8) -> Vec<u8> {
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 0b1101_0110, 0, 60];
        let properties: &[u8] = &[5, 0x11, 0, 0, 0, 9];
        let none: &[u8] = &[0];
        body.extend(if level == LEVEL_5 { properties } else { &[] });
        body.extend(b"\0\x02id");
        body.extend(if level == LEVEL_5 { none } else { &[] });
        body.extend(b"\0\x01w\0\x03xyz\0\x04user\0\x02pw");
        framed(0x10, &body)
    }

    #[test]
    fn connect_of_both_versions_is_read_and_rewritten() {
        for level in [4, 5] {
            let packet = connect(level);
            let Ok(Packet::Connect(read)) = Packet::parse(&packet, 0) else { panic!("{packet:?}") };
            assert_eq!((read.level, read.keep_alive_s, &*read.client_id), (level, 60, "id"));
            assert_eq!(read.session_expiry_s, if level == LEVEL_5 { 9 } else { 0 });
            assert_eq!(read.will, Some(("w".to_owned(), 2)));
            assert_eq!(read.user_name.as_deref(), Some("user"));
            assert_eq!(read.password.as_deref(), Some(&b"pw"[..]));
            let other = rewrite_connect(&packet, &read, 1200, &"x".repeat(100));
            let Ok(Packet::Connect(other)) = Packet::parse(&other, 0) else { panic!("{other:?}") };
            assert_eq!(other.keep_alive_s, 1200);
            assert_eq!(other.client_id, "x".repeat(100));
            assert_eq!((other.will, other.password), (read.will, read.password));
        }
    }

    #[test]
    fn alias_and_identifier_are_found_among_other_properties() {
        let publish = framed(0x3b, b"\0\x01t\0\x09\x0a\x01\x01\x26\0\x00\0\x00\x23\0\x07..");
        let expected = Publish {
            topic: "t".to_owned(),
            qos: 1,
            dup: true,
            retain: true,
            id: Some(9),
            alias: Some(7),
            length: 2,
        };
        assert_eq!(Packet::parse(&publish, LEVEL_5), Ok(Packet::Publish(expected)));
        let subscribe = framed(0x82, b"\0\x01\x02\x0b\x05\0\x03a/#\x01\0\x01b\x02");
        let filters = vec![("a/#".to_owned(), 1), ("b".to_owned(), 2)];
        let expected = Subscribe { id: 1, filters, has_identifier: true };
        assert_eq!(Packet::parse(&subscribe, LEVEL_5), Ok(Packet::Subscribe(expected)));
    }
}
