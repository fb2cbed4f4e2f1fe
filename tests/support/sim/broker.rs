//! A model broker of MQTT 3.1.1, which judges its clients.

use super::{Bug, Key, Peer, Random, Record, peer::Incoming, read_key};
use dunlin::{octet::Text, ws::CloseCode};
use dunlin_mqtt::{
    Ack, AckKind, Connack, Message, Packet, PacketId, Publish, Qos, ReasonCode, Suback, Version,
    matches,
};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// How late a packet of the client may come because of the network, in milliseconds.
const NETWORK_SLACK_MS: u64 = 500;

/// A message of QoS 1 on its way to a subscriber.
#[derive(Debug)]
struct Outgoing {
    id: PacketId,
    key: Key,
    topic: String,
    payload: Vec<u8>,
    sent_before: bool,
    sent_here: bool,
}

/// What the broker keeps for a client.
#[derive(Debug, Default)]
struct Kept {
    connection: Option<u32>,
    subscriptions: Vec<String>,
    queue: VecDeque<Outgoing>,
    last_id: u16,
    /// Under which identifier each message came.
    seen: HashMap<Key, PacketId>,
    /// Identifiers whose PUBACK has not been sent.
    in_use: HashMap<PacketId, Key>,
}

/// One connection.
#[derive(Debug)]
struct Line {
    peer: Peer,
    client: Option<String>,
    /// The client was told that its session is there.
    is_resumed: bool,
    keep_alive_ms: u64,
    last_packet: u64,
    pinged: u64,
    acks: VecDeque<(u64, PacketId, Key)>,
    /// The PUBACKs that the client owes, in their order ([MQTT-4.6.0-2]).
    expected: VecDeque<(PacketId, Key)>,
    came_here: HashSet<Key>,
    has_said_bye: bool,
    is_over: bool,
    stash: Option<Vec<u8>>,
}

/// How this broker behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// The longest delay of a PUBACK, in milliseconds.
    pub ack_delay: u64,
    /// Most messages of QoS 1 on their way to one client.
    pub window: usize,
    /// How often a message is sent twice, in percent.
    pub duplicates: u64,
    /// How often frames bring a ping, in milliseconds; zero for never.
    pub ping_every: u64,
    /// How often a CONNECT is refused for now, in percent.
    pub refusals: u64,
}

/// Keeps sessions, routes messages, and holds clients to the rules.
#[derive(Debug)]
pub struct Broker {
    manners: Manners,
    bug: Option<Bug>,
    kept: BTreeMap<String, Kept>,
    lines: BTreeMap<u32, Line>,
}

impl Broker {
    /// A broker that knows nobody.
    pub const fn new(manners: Manners, bug: Option<Bug>) -> Self {
        Self { manners, bug, kept: BTreeMap::new(), lines: BTreeMap::new() }
    }

    /// Faults have stopped: nothing is refused any more.
    pub const fn calm_down(&mut self) {
        self.manners.refusals = 0;
    }

    /// A transport connection has come.
    pub fn handle_open(&mut self, id: u32, framed: bool, now: u64) {
        let line = Line {
            peer: Peer::new(framed),
            client: None,
            is_resumed: false,
            keep_alive_ms: 0,
            last_packet: now,
            pinged: now,
            acks: VecDeque::new(),
            expected: VecDeque::new(),
            came_here: HashSet::new(),
            has_said_bye: false,
            is_over: false,
            stash: None,
        };
        self.lines.insert(id, line);
    }

    /// A transport connection has ended.
    pub fn handle_gone(&mut self, id: u32) {
        let Some(line) = self.lines.remove(&id) else { return };
        if let Some(kept) = line.client.and_then(|name| self.kept.get_mut(&name))
            && kept.connection == Some(id)
        {
            kept.connection = None;
        }
    }

    /// All connections end; without `keep`, everything is forgotten.
    pub fn crash(&mut self, keep: bool, record: &mut Record) {
        self.lines.clear();
        self.kept.values_mut().for_each(|kept| kept.connection = None);
        if !keep {
            let queues = self.kept.values().flat_map(|kept| &kept.queue);
            queues.for_each(|outgoing| record.owe(outgoing.key, false));
            self.kept.clear();
        }
    }

    /// Bytes have come from a client.
    pub fn receive(
        &mut self,
        id: u32,
        bytes: &[u8],
        now: u64,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        for incoming in line.peer.receive(bytes)? {
            match incoming {
                Incoming::Packet(packet) => self.on_packet(id, &packet, now, record, random)?,
                Incoming::Pong(_) => {}
                Incoming::Close(code) => self.on_close(id, code)?,
            }
        }
        Ok(())
    }

    /// Sends what is due, and looks for clients that have been silent for too long.
    pub fn tick(&mut self, now: u64, record: &mut Record) -> Result<(), String> {
        let ping_every = self.manners.ping_every;
        for line in self.lines.values_mut() {
            if ping_every > 0 && line.pinged + ping_every <= now {
                line.pinged = now;
                line.peer.ping(b"there?");
            }
            while let Some((due, packet_id, key)) = line.acks.front().copied()
                && due <= now
            {
                line.acks.pop_front();
                line.peer.put(&Ack::new(AckKind::Puback, packet_id).encode());
                record.puback(key)?;
                let kept = line.client.as_ref().and_then(|name| self.kept.get_mut(name));
                if let Some(kept) = kept {
                    kept.in_use.remove(&packet_id);
                }
            }
        }
        Ok(())
    }

    /// A client that can be heard says too little ([MQTT-3.1.2-23]).
    pub fn check_silence(&self, id: u32, now: u64) -> Result<(), String> {
        let Some(line) = self.lines.get(&id) else { return Ok(()) };
        let limit = line.keep_alive_ms + NETWORK_SLACK_MS;
        if line.keep_alive_ms > 0 && !line.has_said_bye && now > line.last_packet + limit {
            return Err(format!("no packet since {} ms", now - line.last_packet));
        }
        Ok(())
    }

    /// What goes to each client, and whether the connection is over then.
    pub fn flush(&mut self, random: &mut Random) -> Vec<(u32, Vec<u8>, bool)> {
        let lines = self.lines.iter_mut();
        lines.map(|(id, line)| (*id, line.peer.flush(random), line.is_over)).collect()
    }

    /// When something is due next.
    pub fn next_event(&self) -> Option<u64> {
        let ping_every = self.manners.ping_every;
        let pings = self.lines.values().map(|line| line.pinged + ping_every);
        let acks = self.lines.values().filter_map(|line| line.acks.front().map(|(due, ..)| *due));
        acks.chain(pings.filter(|_| ping_every > 0)).min()
    }

    /// Whether nothing is on its way to anybody.
    pub fn is_idle(&self) -> bool {
        self.kept.values().all(|kept| kept.queue.is_empty())
            && self.lines.values().all(|line| line.acks.is_empty() && line.expected.is_empty())
    }

    fn on_close(&mut self, id: u32, code: Option<CloseCode>) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id).filter(|line| !line.is_over) else {
            return Ok(());
        };
        line.is_over = true;
        match code {
            Some(CloseCode::NORMAL) if line.has_said_bye => {
                line.peer.close(CloseCode::NORMAL);
                Ok(())
            }
            Some(CloseCode::GOING_AWAY) => Ok(()),
            other => Err(format!("the client closed with {other:?}")),
        }
    }

    fn on_packet(
        &mut self,
        id: u32,
        bytes: &[u8],
        now: u64,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        if line.is_over {
            return Ok(());
        }
        if line.has_said_bye {
            return Err("a packet behind DISCONNECT".into());
        }
        line.last_packet = now;
        let (packet, _) = Packet::decode_front(Version::V3, bytes)
            .map_err(|error| format!("{error}: {bytes:x?}"))?
            .ok_or("half a packet")?;
        let Some(name) = line.client.clone() else {
            return self.on_connect(id, &packet, random);
        };
        match packet {
            Packet::Publish(publish) => {
                if self.bug == Some(Bug::OrderLost) && line.stash.is_none() && random.chance(20) {
                    line.stash = Some(bytes.to_vec());
                    return Ok(());
                }
                let stash = line.stash.take();
                self.on_publish(id, &name, publish, now, record, random)?;
                stash.map_or(Ok(()), |bytes| self.on_packet(id, &bytes, now, record, random))
            }
            Packet::Ack(Ack { kind: AckKind::Puback, packet_id, .. }) => {
                self.on_puback(id, &name, packet_id, record, random)
            }
            Packet::Subscribe(subscribe) => {
                let filters: Vec<_> =
                    subscribe.subscriptions().map(|it| it.filter.to_owned()).collect();
                let codes = vec![1; filters.len()];
                put(&mut line.peer, &Suback::new(subscribe.packet_id, &codes).with(Version::V3));
                let kept = self.kept.entry(name).or_default();
                kept.subscriptions.retain(|filter| !filters.contains(filter));
                kept.subscriptions.extend(filters);
                Ok(())
            }
            Packet::Pingreq => {
                line.peer.put(&[0xd0, 0]);
                Ok(())
            }
            Packet::Disconnect(_) => {
                line.has_said_bye = true;
                // On a bare stream the client closes; behind frames its Close follows.
                Ok(())
            }
            other => Err(format!("a client does not send {other:?} here")),
        }
    }

    fn on_connect(
        &mut self,
        id: u32,
        packet: &Packet<'_>,
        random: &mut Random,
    ) -> Result<(), String> {
        // [MQTT-3.1.0-1]
        let Packet::Connect(connect) = packet else {
            return Err(format!("the first packet is {packet:?}"));
        };
        let name = connect.client_id.to_owned();
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        if random.chance(self.manners.refusals) {
            let reason = ReasonCode::SERVER_UNAVAILABLE;
            put(&mut line.peer, &connack(false, reason).with(Version::V3));
            line.is_over = true;
            return Ok(());
        }
        if connect.clean_session {
            self.kept.remove(&name);
        }
        let session_present = self.kept.contains_key(&name);
        let kept = self.kept.entry(name.clone()).or_default();
        kept.queue.iter_mut().for_each(|outgoing| outgoing.sent_here = false);
        line.client = Some(name.clone());
        line.is_resumed = session_present;
        line.keep_alive_ms = u64::from(connect.keep_alive_s) * 1_000;
        put(&mut line.peer, &connack(session_present, ReasonCode::SUCCESS).with(Version::V3));
        // [MQTT-3.1.4-2] The older connection of the same client ends.
        if let Some(older) = kept.connection.replace(id).filter(|older| *older != id)
            && let Some(line) = self.lines.get_mut(&older)
        {
            line.is_over = true;
        }
        self.pump(&name, random);
        Ok(())
    }

    fn on_publish(
        &mut self,
        id: u32,
        name: &str,
        mut publish: Publish<'_>,
        now: u64,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let kept = self.kept.entry(name.to_owned()).or_default();
        let key = read_key(publish.message.payload)?;
        let own_id = publish.packet_id;
        match self.bug {
            Some(Bug::DupForgotten) => publish.duplicate = false,
            Some(Bug::IdReusedEarly) => publish.packet_id = own_id.and(PacketId::new(1)),
            _ => {}
        }
        record.reach(key)?;
        if !line.came_here.insert(key) {
            return Err(format!("{key:?} came twice over one connection"));
        }
        if let (Some(packet_id), Some(own_id)) = (publish.packet_id, own_id) {
            check_redelivery(line, kept, &publish, key, packet_id)?;
            kept.seen.insert(key, packet_id);
            kept.in_use.insert(packet_id, key);
            let before = line.acks.back().map_or(now, |(due, ..)| *due);
            let due = before.max(now + random.below(self.manners.ack_delay + 1));
            line.acks.push_back((due, own_id, key));
        }
        if self.bug == Some(Bug::Swallowed) && random.chance(20) {
            record.owe(key, true);
            return Ok(());
        }
        self.route(&publish.message, key, record, random);
        Ok(())
    }

    fn route(&mut self, message: &Message<'_>, key: Key, record: &mut Record, random: &mut Random) {
        let topic = message.head.topic;
        let mut fed = Vec::new();
        for (name, kept) in &mut self.kept {
            if !kept.subscriptions.iter().any(|filter| matches(filter, topic)) {
                continue;
            }
            if message.head.qos == Qos::AtMostOnce {
                let line = kept.connection.and_then(|id| self.lines.get_mut(&id));
                if let Some(line) = line.filter(|line| !line.has_said_bye) {
                    let message = *message;
                    put(
                        &mut line.peer,
                        &Publish { message, duplicate: false, packet_id: None }.with(Version::V3),
                    );
                }
                continue;
            }
            kept.last_id = kept.last_id.checked_add(1).unwrap_or(1);
            let Some(id) = PacketId::new(kept.last_id) else { continue };
            kept.queue.push_back(Outgoing {
                id,
                key,
                topic: topic.to_owned(),
                payload: message.payload.to_vec(),
                sent_before: false,
                sent_here: false,
            });
            record.owe(key, true);
            fed.push(name.clone());
        }
        record.route(key);
        fed.iter().for_each(|name| self.pump(name, random));
    }

    /// Sends to a subscriber as much as its window lets.
    fn pump(&mut self, name: &str, random: &mut Random) {
        let Some(kept) = self.kept.get_mut(name) else { return };
        let Some(line) = kept.connection.and_then(|id| self.lines.get_mut(&id)) else { return };
        for outgoing in &mut kept.queue {
            if line.expected.len() >= self.manners.window {
                return;
            }
            if outgoing.sent_here {
                continue;
            }
            let message = Message::new(&outgoing.topic, &outgoing.payload, Qos::AtLeastOnce);
            let packet_id = Some(outgoing.id);
            put(
                &mut line.peer,
                &Publish { message, duplicate: outgoing.sent_before, packet_id }.with(Version::V3),
            );
            line.expected.push_back((outgoing.id, outgoing.key));
            if random.chance(self.manners.duplicates) {
                put(
                    &mut line.peer,
                    &Publish { message, duplicate: true, packet_id }.with(Version::V3),
                );
                line.expected.push_back((outgoing.id, outgoing.key));
            }
            outgoing.sent_here = true;
            outgoing.sent_before = true;
        }
    }

    fn on_puback(
        &mut self,
        id: u32,
        name: &str,
        packet_id: PacketId,
        record: &Record,
        random: &mut Random,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        match line.expected.pop_front() {
            Some((expected, key)) if expected == packet_id => {
                if !record.is_delivered(key) {
                    return Err(format!("{key:?} is acknowledged before it was handed over"));
                }
            }
            other => return Err(format!("PUBACK {packet_id:?} where {other:?} is the next")),
        }
        if let Some(kept) = self.kept.get_mut(name) {
            kept.queue.retain(|outgoing| outgoing.id != packet_id);
        }
        self.pump(name, random);
        Ok(())
    }
}

/// A message that came before comes with DUP and its identifier ([MQTT-3.3.1-1], [MQTT-4.4.0-1]); to a
/// broker that has lost the session it is a new one; no identifier stands for two messages.
fn check_redelivery(
    line: &Line,
    kept: &Kept,
    publish: &Publish<'_>,
    key: Key,
    id: PacketId,
) -> Result<(), String> {
    if !line.is_resumed && publish.duplicate {
        return Err(format!("{key:?} is a duplicate for a broker without the session"));
    }
    match kept.seen.get(&key) {
        Some(_) if !publish.duplicate => return Err(format!("{key:?} comes again without DUP")),
        Some(before) if *before != id => {
            return Err(format!("{key:?} came as {before:?} and comes again as {id:?}"));
        }
        _ => {}
    }
    match kept.in_use.get(&id) {
        Some(other) if *other != key => Err(format!("{id:?} of {other:?} is used for {key:?}")),
        _ => Ok(()),
    }
}

const fn connack(session_present: bool, reason: ReasonCode) -> Connack<'static> {
    Connack { session_present, reason, properties: dunlin_mqtt::Properties::NONE }
}

fn put(peer: &mut Peer, packet: &dyn Text) {
    struct Bytes(Vec<u8>);
    impl dunlin::octet::Sink for Bytes {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
    let mut bytes = Bytes(Vec::new());
    packet.write(&mut bytes);
    peer.put(&bytes.0);
}
