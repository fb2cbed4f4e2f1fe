//! What a client of MQTT 5 sends, read by code that shares nothing with Dunlin's.

use crate::bytes::Body;

/// A packet of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Connect {
        clean_start: bool,
    },
    Publish(Publish),
    /// PUBREL.
    Release {
        id: u16,
    },
    /// SUBSCRIBE or UNSUBSCRIBE with so many filters.
    Request {
        first: u8,
        id: u16,
        filters: usize,
    },
    Pingreq,
    Disconnect,
}

/// A message as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) qos: u8,
    pub(super) duplicate: bool,
    /// Empty where an alias stands for it.
    pub(super) topic: String,
    pub(super) id: Option<u16>,
    pub(super) alias: Option<u16>,
    pub(super) payload: Vec<u8>,
}

impl Packet {
    /// Reads a whole packet.
    pub(super) fn parse(packet: &[u8]) -> Result<Self, String> {
        let first = packet[0];
        let mut body = Body(packet);
        body.take(1)?;
        body.varint()?;
        match (first >> 4, first & 15) {
            (1, 0) => parse_connect(&mut body),
            (3, flags) => parse_publish(&mut body, flags).map(Self::Publish),
            (6, 2) => Ok(Self::Release { id: body.id()? }),
            (8 | 10, 2) => parse_request(&mut body, first),
            (12, 0) if body.0.is_empty() => Ok(Self::Pingreq),
            (14, 0) => Ok(Self::Disconnect),
            _ => Err(format!("not a packet that belongs here: {packet:02x?}")),
        }
    }
}

fn parse_connect(body: &mut Body<'_>) -> Result<Packet, String> {
    if body.take(7)? != b"\0\x04MQTT\x05" {
        return Err("not MQTT 5".into());
    }
    let flags = body.take(1)?[0];
    Ok(Packet::Connect { clean_start: flags & 2 != 0 })
}

fn parse_publish(body: &mut Body<'_>, flags: u8) -> Result<Publish, String> {
    let (qos, duplicate) = (flags >> 1 & 3, flags & 8 != 0);
    if qos == 3 || (qos == 0 && duplicate) {
        return Err(format!("flags {flags:04b} of PUBLISH"));
    }
    let topic = body.string()?;
    let id = if qos > 0 { Some(body.id()?) } else { None };
    let len = body.varint()?;
    let mut properties = Body(body.take(len)?);
    let mut alias = None;
    while !properties.0.is_empty() {
        match properties.take(1)?[0] {
            0x23 if alias.is_none() => alias = Some(properties.u16()?),
            id => return Err(format!("property {id:#04x} of PUBLISH")),
        }
    }
    if topic.contains(['+', '#', '\0']) {
        return Err(format!("topic {topic:?}"));
    }
    Ok(Publish { qos, duplicate, topic, id, alias, payload: body.0.to_vec() })
}

fn parse_request(body: &mut Body<'_>, first: u8) -> Result<Packet, String> {
    let id = body.id()?;
    let properties = body.varint()?;
    body.take(properties)?;
    let mut filters = 0;
    while !body.0.is_empty() {
        body.string()?;
        body.take(usize::from(first == 0x82))?;
        filters += 1;
    }
    Ok(Packet::Request { first, id, filters })
}
