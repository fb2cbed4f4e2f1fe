//! A model broker of MQTT 3.1.1, which judges its clients.

mod exchange;

use super::{Bug, Key, Peer, Random, Record, peer::Incoming};
use dunlin::{octet::Text, ws::CloseCode};
use dunlin_mqtt::{Ack, AckKind, Connack, Packet, PacketId, Qos, ReasonCode, Suback, Version};
use exchange::{Due, Outgoing, Stored};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// How late a packet of the client may come because of the network, in milliseconds.
const NETWORK_SLACK_MS: u64 = 500;

/// What the broker keeps for a client.
#[derive(Debug, Default)]
struct Kept {
    connection: Option<u32>,
    subscriptions: Vec<(String, Qos)>,
    queue: VecDeque<Outgoing>,
    last_id: u16,
    /// Under which identifier each message came.
    seen: HashMap<Key, PacketId>,
    /// Identifiers whose PUBACK or PUBCOMP has not been sent.
    in_use: HashMap<PacketId, Key>,
    /// Messages of QoS 2 that the client has not released.
    stored: HashMap<PacketId, Stored>,
    /// The identifiers of those that it has.
    released: HashMap<PacketId, Key>,
    /// Messages that the client has released: they must not come again (v3.1.1: [MQTT-4.3.3-1]).
    over: HashSet<Key>,
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
    acks: VecDeque<Due>,
    /// The PUBACKs and PUBRECs that the client owes, in order ([MQTT-4.6.0-2], [MQTT-4.6.0-3]).
    expected: VecDeque<(Ack<'static>, Key)>,
    /// The PUBCOMPs that it owes.
    completions: VecDeque<PacketId>,
    came_here: HashSet<Key>,
    has_said_bye: bool,
    is_over: bool,
    stash: Option<Vec<u8>>,
}

/// How this broker behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// The longest delay of an acknowledgement, in milliseconds.
    pub ack_delay: u64,
    /// Most messages above QoS 0 on their way to one client.
    pub window: usize,
    /// A message of QoS 2 is handed on when it comes, not when it is released: either is allowed.
    pub eager: bool,
    /// How often a message, or its release, is sent twice, in percent.
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
    has_forgotten: bool,
}

impl Broker {
    /// A broker that knows nobody.
    pub const fn new(manners: Manners, bug: Option<Bug>) -> Self {
        let kept = BTreeMap::new();
        let lines = BTreeMap::new();
        Self { manners, bug, kept, lines, has_forgotten: false }
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
            completions: VecDeque::new(),
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
            self.has_forgotten = true;
            record.lose(None);
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
            while line.acks.front().is_some_and(|due| due.at <= now)
                && let Some(Due { ack, key, .. }) = line.acks.pop_front()
            {
                line.peer.put(&ack.encode());
                let name = line.client.clone().unwrap_or_default();
                if let (Some(kept), Some(key)) = (self.kept.get_mut(&name), key) {
                    kept.on_answered(ack, key, record)?;
                }
            }
        }
        Ok(())
    }

    /// A client that can be heard says too little (v3.1.1: [MQTT-3.1.2-23]).
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
        let acks = self.lines.values().filter_map(|line| line.acks.front().map(|due| due.at));
        acks.chain(pings.filter(|_| ping_every > 0)).min()
    }

    /// Whether nothing is on its way to anybody.
    pub fn is_idle(&self) -> bool {
        let quiet = |line: &Line| {
            line.acks.is_empty() && line.expected.is_empty() && line.completions.is_empty()
        };
        self.kept.values().all(|kept| kept.queue.is_empty() && kept.stored.is_empty())
            && self.lines.values().all(quiet)
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
            return self.on_connect(id, &packet, record, random);
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
            Packet::Ack(Ack { kind: AckKind::Pubrel, packet_id, .. }) => {
                self.on_pubrel(id, &name, packet_id, now, record, random)
            }
            // This version's acknowledgements are nothing but kind and identifier.
            Packet::Ack(ack) => {
                self.on_ack(id, &name, Ack::new(ack.kind, ack.packet_id), record, random)
            }
            Packet::Subscribe(subscribe) => {
                let filters: Vec<_> =
                    subscribe.subscriptions().map(|it| (it.filter.to_owned(), it.qos)).collect();
                let codes: Vec<_> = filters.iter().map(|(_, qos)| qos.bits()).collect();
                put(&mut line.peer, &Suback::new(subscribe.packet_id, &codes).with(Version::V3));
                let kept = self.kept.entry(name).or_default();
                kept.subscriptions
                    .retain(|(older, _)| filters.iter().all(|(newer, _)| newer != older));
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
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        // v3.1.1: [MQTT-3.1.0-1]
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
            record.lose(Some(u8::from(name == "node-1")));
        }
        let session_present = self.kept.contains_key(&name);
        let kept = self.kept.entry(name.clone()).or_default();
        kept.queue.iter_mut().for_each(|outgoing| outgoing.sent_here = false);
        line.client = Some(name.clone());
        line.is_resumed = session_present;
        line.keep_alive_ms = u64::from(connect.keep_alive_s) * 1_000;
        put(&mut line.peer, &connack(session_present, ReasonCode::SUCCESS).with(Version::V3));
        // v3.1.1: [MQTT-3.1.4-2] The older connection of the same client ends.
        if let Some(older) = kept.connection.replace(id).filter(|older| *older != id)
            && let Some(line) = self.lines.get_mut(&older)
        {
            line.is_over = true;
        }
        self.pump(&name, random);
        Ok(())
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
