//! A server of MQTT 5 that takes next to nothing, and forgives nothing.
//!
//! It has the sans-IO shape of what it tests: bytes go in by [`Peer::receive`], and out of
//! [`Peer::take_output`]. Every packet of the client is held against the limits that CONNACK
//! announced, and against what went before; the first breach is an error.

mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::bytes::packet_len;
use wire::{Packet, Publish};

/// What the server announces in CONNACK (MQTT 5.0 §3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many messages above QoS 0 may be under way.
    pub receive_maximum: u16,
    /// The longest packet, in bytes.
    pub maximum_packet_size: u32,
    /// The highest topic alias.
    pub topic_alias_maximum: u16,
}

/// Two messages, 256 bytes, two aliases.
pub const TINY: Limits =
    Limits { receive_maximum: 2, maximum_packet_size: 256, topic_alias_maximum: 2 };

/// What a refused message is answered with: quota exceeded.
pub const REFUSAL: u8 = 0x97;

/// A message that the server has taken; one of QoS 2 once, whatever comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its topic, in full.
    pub topic: String,
    /// How it came.
    pub qos: u8,
    /// What it says.
    pub payload: Vec<u8>,
}

/// How close the client came to the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Most messages above QoS 0 under way.
    pub under_way: usize,
    /// The longest packet, in bytes.
    pub longest: usize,
    /// Messages whose topic was an alias only.
    pub aliased: usize,
    /// Messages marked as duplicates.
    pub duplicates: usize,
    /// Connections.
    pub connections: usize,
}

/// The server: one client's session, and its connection.
#[derive(Debug)]
pub struct Peer {
    limits: Limits,
    /// Says of a payload that its message is refused.
    refuses: fn(&[u8]) -> bool,
    line: Line,
    kept: bool,
    /// Messages of QoS 2 that the client has not released.
    held: BTreeSet<u16>,
    /// Identifiers that were released: the message does not come again.
    released: BTreeSet<u16>,
    messages: Vec<Message>,
    tally: Tally,
}

/// What dies with the connection.
#[derive(Debug, Default)]
struct Line {
    input: Vec<u8>,
    output: Vec<u8>,
    connected: bool,
    left: bool,
    /// Identifiers of messages that count towards the Receive Maximum.
    under_way: BTreeSet<u16>,
    aliases: BTreeMap<u16, String>,
    owed: VecDeque<Answer>,
}

/// An answer that the client waits for.
#[derive(Debug)]
struct Answer {
    packet: Vec<u8>,
    /// The message that it ends.
    ends: Option<u16>,
}

impl Peer {
    /// A server without a session, which refuses the messages that `refuses` is true of.
    pub fn new(limits: Limits, refuses: fn(&[u8]) -> bool) -> Self {
        Self {
            limits,
            refuses,
            line: Line::default(),
            kept: false,
            held: BTreeSet::new(),
            released: BTreeSet::new(),
            messages: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// The transport is gone, and what was on its way with it; the session stays.
    pub fn hang_up(&mut self) {
        self.line = Line::default();
    }

    /// Bytes of the client; an error says which rule they break.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.line.input.extend_from_slice(bytes);
        while let Some(len) = packet_len(&self.line.input)? {
            // Not only when all of it has come.
            if len > self.limits.maximum_packet_size as usize && self.line.connected {
                return Err(format!("a packet of {len} bytes"));
            }
            if self.line.input.len() < len {
                break;
            }
            let packet: Vec<u8> = self.line.input.drain(..len).collect();
            self.on_packet(Packet::parse(&packet)?, len)?;
        }
        Ok(())
    }

    /// Gives up to `count` of the answers that the client waits for, in their order.
    pub fn answer(&mut self, count: usize) {
        for _ in 0..count {
            let Some(answer) = self.line.owed.pop_front() else { return };
            self.line.output.extend_from_slice(&answer.packet);
            if let Some(id) = answer.ends {
                self.line.under_way.remove(&id);
            }
        }
    }

    /// What is to be sent to the client.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.line.output)
    }

    /// Whether the client waits for nothing.
    pub fn is_idle(&self) -> bool {
        self.line.owed.is_empty() && self.line.output.is_empty()
    }

    /// Whether the client has said good-bye on this connection.
    pub fn has_left(&self) -> bool {
        self.line.left
    }

    /// What has been taken so far, in its order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// How close the client has come to the limits so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    fn on_packet(&mut self, packet: Packet, len: usize) -> Result<(), String> {
        if self.line.left {
            return Err(format!("behind DISCONNECT: {packet:?}"));
        }
        if self.line.connected == matches!(packet, Packet::Connect { .. }) {
            return Err(format!("CONNECT first and once: {packet:?}"));
        }
        if self.line.connected {
            self.tally.longest = self.tally.longest.max(len);
        }
        match packet {
            Packet::Connect { clean_start } => self.on_connect(clean_start),
            Packet::Publish(publish) => self.on_publish(publish)?,
            Packet::Release { id } => self.on_release(id),
            Packet::Request { first, id, filters } => {
                let [high, low] = id.to_be_bytes();
                let mut packet = vec![first + 0x0e, 3 + filters as u8, high, low, 0];
                packet.resize(5 + filters, 0);
                self.owe(packet, None);
            }
            Packet::Pingreq => self.owe(vec![0xd0, 0], None),
            Packet::Disconnect => self.line.left = true,
        }
        Ok(())
    }

    fn on_connect(&mut self, clean_start: bool) {
        self.kept &= !clean_start;
        if !self.kept {
            self.held.clear();
            self.released.clear();
        }
        let present = std::mem::replace(&mut self.kept, true);
        self.line.connected = true;
        self.tally.connections += 1;
        let mut packet = vec![0x20, 14, present.into(), 0, 11, 0x21];
        packet.extend(self.limits.receive_maximum.to_be_bytes());
        packet.push(0x27);
        packet.extend(self.limits.maximum_packet_size.to_be_bytes());
        packet.push(0x22);
        packet.extend(self.limits.topic_alias_maximum.to_be_bytes());
        // The client waits for it before all else: it is not delayed.
        self.line.output.extend(packet);
    }

    fn on_publish(&mut self, publish: Publish) -> Result<(), String> {
        let topic = self.topic_of(&publish)?;
        let Publish { qos, duplicate, payload, id, .. } = publish;
        let refused = qos > 0 && (self.refuses)(&payload);
        self.tally.duplicates += usize::from(duplicate);
        let Some(id) = id else {
            self.messages.push(Message { topic, qos, payload });
            return Ok(());
        };
        self.count(id)?;
        let [high, low] = id.to_be_bytes();
        let (first, known) = match qos {
            1 => (0x40, false),
            _ => (0x50, self.held.contains(&id)),
        };
        if known && !duplicate {
            return Err(format!("identifier {id} is in use"));
        }
        if self.released.remove(&id) && duplicate {
            return Err(format!("PUBLISH {id} again behind its PUBREL"));
        }
        if refused {
            self.owe(vec![first, 3, high, low, REFUSAL], Some(id));
            return Ok(());
        }
        if qos == 2 {
            self.held.insert(id);
        }
        if !known {
            self.messages.push(Message { topic, qos, payload });
        }
        self.owe(vec![first, 2, high, low], Some(id).filter(|_| qos == 1));
        Ok(())
    }

    /// One more message is under way ([MQTT-4.9.0-2]), which was not sent on this connection
    /// ([MQTT-4.4.0-1]).
    fn count(&mut self, id: u16) -> Result<(), String> {
        if !self.line.under_way.insert(id) {
            return Err(format!("PUBLISH {id} twice on a connection"));
        }
        let under_way = self.line.under_way.len();
        self.tally.under_way = self.tally.under_way.max(under_way);
        if under_way > usize::from(self.limits.receive_maximum) {
            return Err(format!("{under_way} messages are under way"));
        }
        Ok(())
    }

    fn topic_of(&mut self, publish: &Publish) -> Result<String, String> {
        let Some(alias) = publish.alias else {
            return match publish.topic.is_empty() {
                true => Err("neither a topic nor an alias".into()),
                false => Ok(publish.topic.clone()),
            };
        };
        // [MQTT-3.3.2-8], [MQTT-3.3.2-9]
        if alias == 0 || alias > self.limits.topic_alias_maximum {
            return Err(format!("topic alias {alias}"));
        }
        if publish.topic.is_empty() {
            self.tally.aliased += 1;
            let known = self.line.aliases.get(&alias).cloned();
            return known.ok_or_else(|| format!("alias {alias} stands for nothing"));
        }
        self.line.aliases.insert(alias, publish.topic.clone());
        Ok(publish.topic.clone())
    }

    fn on_release(&mut self, id: u16) {
        let [high, low] = id.to_be_bytes();
        let known = self.held.remove(&id);
        let packet = match known {
            true => vec![0x70, 2, high, low],
            false => vec![0x70, 3, high, low, 0x92],
        };
        self.released.insert(id);
        self.owe(packet, Some(id));
    }

    fn owe(&mut self, packet: Vec<u8>, ends: Option<u16>) {
        self.line.owed.push_back(Answer { packet, ends });
    }
}
