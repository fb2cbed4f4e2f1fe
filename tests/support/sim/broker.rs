//! A model broker of both versions, which judges its clients.

mod connect;
mod exchange;
mod grants;
mod outgoing;

use super::{Bug, Key, Peer, Random, Record, peer::Incoming};
use dunlin::{octet::Text, ws::CloseCode};
use dunlin_mqtt::{Ack, AckKind, Packet, PacketId, Qos, ReasonCode, Suback, Subscribe};
use exchange::{Due, Stored};
use grants::{Asked, Grants};
use outgoing::Outgoing;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// How late a packet of the client may come because of the network, in milliseconds.
const NETWORK_SLACK_MS: u64 = 500;

/// A point in time, with the checker and with chance.
#[derive(Debug)]
pub struct Moment<'m> {
    /// Milliseconds since the run began.
    pub now: u64,
    /// The checker.
    pub record: &'m mut Record,
    /// Chance.
    pub random: &'m mut Random,
}

/// What the broker's host knows of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// Which node it is.
    pub node: u8,
    /// WebSocket, or the bare stream.
    pub framed: bool,
    /// After how many milliseconds it sends again what has no answer, over the same connection.
    pub resends_after: Option<u64>,
}

/// What the broker keeps for a client.
#[derive(Debug, Default)]
struct Kept {
    node: u8,
    connection: Option<u32>,
    /// For how long it outlives its connection, in seconds.
    expiry_s: u32,
    /// When it ends, unless the client comes back.
    ends_at: Option<u64>,
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
    /// The identifiers of those that PUBREC has refused.
    refused: HashSet<PacketId>,
    /// Messages that the client has released: they must not come again (v3.1.1: [MQTT-4.3.3-1]).
    over: HashSet<Key>,
    /// The topic aliases of the last connection.
    aliases: HashMap<u16, String>,
}

/// One connection.
#[derive(Debug)]
struct Line {
    guest: Guest,
    peer: Peer,
    client: Option<String>,
    asked: Asked,
    grants: Grants,
    /// The CONNACK, which goes out some time later.
    greeting: Option<(u64, Vec<u8>)>,
    /// The client was told that its session is there.
    is_resumed: bool,
    keep_alive_ms: u64,
    last_packet: u64,
    pinged: u64,
    acks: VecDeque<Due>,
    /// SUBACKs, which go out some time later.
    subacks: VecDeque<(u64, Vec<u8>)>,
    /// The PUBACKs that the client owes, in order ([MQTT-4.6.0-2]).
    pubacks: VecDeque<(PacketId, Key)>,
    /// The PUBRECs that it owes, in order ([MQTT-4.6.0-3]).
    pubrecs: VecDeque<(PacketId, Key)>,
    /// The PUBRELs that it owes for what was stored here, in order ([MQTT-4.6.0-4]).
    pubrels: VecDeque<PacketId>,
    /// The PUBCOMPs that it owes, with their reason where there can be but one.
    completions: VecDeque<(PacketId, Option<ReasonCode>)>,
    /// PUBRECs that answered nothing.
    strays: HashSet<PacketId>,
    next_stray: u16,
    /// When each message came here last.
    came_here: HashMap<Key, u64>,
    /// The client's messages above QoS 0 that are not acknowledged.
    followed: HashSet<PacketId>,
    /// Those on their way to it.
    under_way: HashSet<PacketId>,
    /// The topics of the client's aliases.
    aliases: HashMap<u16, String>,
    /// The topics of the broker's, from 1 on.
    own_aliases: Vec<String>,
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
    /// How often a message, or its release, is sent twice in MQTT 3.1.1, in percent.
    pub duplicates: u64,
    /// How often frames bring a ping, in milliseconds; zero for never.
    pub ping_every: u64,
    /// How often a CONNECT is refused for now, in percent.
    pub refusals: u64,
    /// How often a message or a subscription is refused, in percent.
    pub denials: u64,
    /// How often an acknowledgement gets lost, in percent.
    pub lost_acks: u64,
    /// How often PUBREC or PUBREL comes for nothing, in percent.
    pub strays: u64,
    /// How often CONNACK has limits in MQTT 5.0, in percent.
    pub limits: u64,
}

impl Manners {
    /// A broker that does everything at once, and nothing amiss.
    pub const PLAIN: Self = Self {
        ack_delay: 0,
        window: 8,
        eager: false,
        duplicates: 0,
        ping_every: 0,
        refusals: 0,
        denials: 0,
        lost_acks: 0,
        strays: 0,
        limits: 0,
    };
}

/// Keeps sessions, routes messages, and holds clients to the rules.
#[derive(Debug)]
pub struct Broker {
    manners: Manners,
    bug: Option<Bug>,
    kept: BTreeMap<String, Kept>,
    lines: BTreeMap<u32, Line>,
    has_forgotten: bool,
    names_given: usize,
}

impl Broker {
    /// A broker that knows nobody.
    pub const fn new(manners: Manners, bug: Option<Bug>) -> Self {
        let kept = BTreeMap::new();
        let lines = BTreeMap::new();
        Self { manners, bug, kept, lines, has_forgotten: false, names_given: 0 }
    }

    /// Faults have stopped: nothing gets lost or is refused for now any more.
    pub const fn calm_down(&mut self) {
        self.manners.refusals = 0;
        self.manners.denials = 0;
        self.manners.lost_acks = 0;
        self.manners.strays = 0;
    }

    /// Bytes have come from a client.
    pub fn receive(&mut self, id: u32, bytes: &[u8], at: &mut Moment<'_>) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        for incoming in line.peer.receive(bytes)? {
            match incoming {
                Incoming::Packet(packet) => self.on_packet(id, &packet, at)?,
                Incoming::Pong(_) => {}
                Incoming::Close(code) => self.on_close(id, code)?,
            }
        }
        Ok(())
    }

    /// Sends what is due, and forgets whose time is over.
    pub fn tick(&mut self, at: &mut Moment<'_>) -> Result<(), String> {
        self.expire(at);
        let ping_every = self.manners.ping_every;
        let ids: Vec<_> = self.lines.keys().copied().collect();
        for id in ids {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            if ping_every > 0 && line.pinged + ping_every <= at.now {
                line.pinged = at.now;
                line.peer.ping(b"there?");
            }
            if line.greeting.as_ref().is_some_and(|(due, _)| *due <= at.now) {
                self.greet(id, at);
            }
            self.send_acks(id, at)?;
            let Some(line) = self.lines.get_mut(&id) else { continue };
            while line.subacks.front().is_some_and(|(due, _)| *due <= at.now) {
                line.subacks.pop_front().into_iter().for_each(|(_, suback)| line.peer.put(&suback));
            }
        }
        Ok(())
    }

    /// A client that can be heard says too little ([MQTT-3.1.2-20], v3.1.1: [MQTT-3.1.2-23]).
    pub fn check_silence(&self, id: u32, now: u64) -> Result<(), String> {
        let Some(line) = self.lines.get(&id) else { return Ok(()) };
        let limit = line.keep_alive_ms + NETWORK_SLACK_MS;
        let silent = now > line.last_packet + limit;
        if line.keep_alive_ms > 0 && !line.has_said_bye && !line.is_over && silent {
            return Err(format!("no packet since {} ms", now - line.last_packet));
        }
        Ok(())
    }

    /// Whether a client that has come to rest gets what it wants.
    pub fn check_subscribed(&self, name: &str) -> Result<(), String> {
        if self.kept.get(name).is_none_or(|kept| kept.subscriptions.is_empty()) {
            return Err(format!("{name} is at rest without its subscriptions"));
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
        let greetings = self.lines.values().filter_map(|line| Some(line.greeting.as_ref()?.0));
        let subacks = self.lines.values().filter_map(|line| Some(line.subacks.front()?.0));
        acks.chain(subacks).chain(greetings).chain(pings.filter(|_| ping_every > 0)).min()
    }

    /// Whether nothing is on its way to anybody.
    pub fn is_idle(&self, record: &Record) -> bool {
        let quiet = |line: &Line| {
            line.acks.is_empty()
                && line.subacks.is_empty()
                && line.greeting.is_none()
                && line.pubacks.is_empty()
                && line.pubrecs.is_empty()
                && line.completions.is_empty()
        };
        // What the client has given up it releases once, which may get lost.
        let open = |kept: &Kept| kept.stored.values().any(|it| !record.is_rejected(it.key));
        self.kept.values().all(|kept| kept.queue.is_empty() && !open(kept))
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

    fn on_packet(&mut self, id: u32, bytes: &[u8], at: &mut Moment<'_>) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        if line.is_over {
            return Ok(());
        }
        if line.has_said_bye {
            return Err("a packet behind DISCONNECT".into());
        }
        line.last_packet = at.now;
        let (packet, len) = Packet::decode_front(line.asked.version, bytes)
            .map_err(|error| format!("{error}: {bytes:x?}"))?
            .ok_or("half a packet")?;
        let Some(name) = line.client.clone() else {
            return self.on_connect(id, &packet, at);
        };
        if line.greeting.is_some() {
            return Err(format!("{:?} between CONNECT and CONNACK", packet.packet_type()));
        }
        line.grants.check(&packet, len)?;
        self.release_refused(id, &name, at)?;
        self.obey(id, &name, packet, bytes, at)
    }

    fn obey(
        &mut self,
        id: u32,
        name: &str,
        packet: Packet<'_>,
        bytes: &[u8],
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        match packet {
            Packet::Publish(publish) => {
                if self.bug == Some(Bug::OrderLost) && line.stash.is_none() && at.random.chance(20)
                {
                    line.stash = Some(bytes.to_vec());
                    return Ok(());
                }
                let stash = line.stash.take();
                self.on_publish(id, name, publish, at)?;
                if self.bug == Some(Bug::ResentHere) && publish.packet_id.is_some() {
                    self.on_publish(id, name, publish, at)?;
                }
                stash.map_or(Ok(()), |bytes| self.on_packet(id, &bytes, at))
            }
            Packet::Ack(ack) if ack.kind == AckKind::Pubrel => self.on_pubrel(id, name, ack, at),
            Packet::Ack(ack) => self.on_ack(id, name, Ack { reason: ack.reason, ..bare(ack) }, at),
            Packet::Subscribe(subscribe) => self.on_subscribe(id, name, &subscribe, at),
            Packet::Pingreq => {
                line.peer.put(&[0xd0, 0]);
                Ok(())
            }
            Packet::Disconnect(disconnect) => {
                line.has_said_bye = true;
                let expiry_s = disconnect.properties.session_expiry_interval_s();
                if let (Some(expiry_s), Some(kept)) = (expiry_s, self.kept.get_mut(name)) {
                    kept.expiry_s = expiry_s;
                }
                // On a bare stream the client closes; behind frames its Close follows.
                Ok(())
            }
            other => Err(format!("a client does not send {other:?} here")),
        }
    }

    fn on_subscribe(
        &mut self,
        id: u32,
        name: &str,
        subscribe: &Subscribe<'_>,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let denial = ReasonCode::UNSPECIFIED_ERROR.value();
        let mut codes = Vec::new();
        let mut granted = Vec::new();
        for wish in subscribe.subscriptions() {
            if at.random.chance(self.manners.denials) {
                codes.push(denial);
            } else {
                codes.push(wish.qos.bits());
                granted.push((wish.filter.to_owned(), wish.qos));
            }
        }
        if !at.random.chance(self.manners.lost_acks) {
            let suback = Suback::new(subscribe.packet_id, &codes);
            let due = at.now + at.random.below(self.manners.ack_delay + 1);
            let due = line.subacks.back().map_or(due, |(before, _)| due.max(*before));
            line.subacks.push_back((due, bytes(&suback.with(line.asked.version))));
        }
        let kept = self.kept.get_mut(name).ok_or("a client without a session")?;
        kept.subscriptions.retain(|(older, _)| granted.iter().all(|(newer, _)| newer != older));
        kept.subscriptions.extend(granted);
        Ok(())
    }
}

/// An acknowledgement without its properties.
const fn bare(ack: Ack<'_>) -> Ack<'static> {
    Ack::new(ack.kind, ack.packet_id)
}

/// The bytes of a packet.
fn bytes(packet: &dyn Text) -> Vec<u8> {
    struct Bytes(Vec<u8>);
    impl dunlin::octet::Sink for Bytes {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
    let mut bytes = Bytes(Vec::new());
    packet.write(&mut bytes);
    bytes.0
}

fn put(peer: &mut Peer, packet: &dyn Text) {
    peer.put(&bytes(packet));
}
