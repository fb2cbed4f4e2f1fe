//! Connections that begin and end, and sessions that outlive them.

use super::{Asked, Bug, Grants, Guest, Kept, Line, Moment, bytes, put};
use crate::sim::{Broker, NAMES, Peer, Record};
use dunlin_mqtt::{
    Connack, Connect, Disconnect, Packet, Properties, Property, ReasonCode, Version,
};
use std::collections::{HashMap, HashSet, VecDeque};

impl Broker {
    /// A transport connection has come.
    pub fn handle_open(&mut self, id: u32, guest: Guest, now: u64) {
        let nobody = Asked::of(&Connect::new(""));
        let line = Line {
            guest,
            peer: Peer::new(guest.framed),
            client: None,
            asked: nobody,
            grants: Grants::NONE,
            greeting: None,
            is_resumed: false,
            keep_alive_ms: 0,
            last_packet: now,
            pinged: now,
            acks: VecDeque::new(),
            subacks: VecDeque::new(),
            pubacks: VecDeque::new(),
            pubrecs: VecDeque::new(),
            pubrels: VecDeque::new(),
            completions: VecDeque::new(),
            strays: HashSet::new(),
            next_stray: 60_000,
            came_here: HashMap::new(),
            followed: HashSet::new(),
            under_way: HashSet::new(),
            aliases: HashMap::new(),
            own_aliases: Vec::new(),
            has_said_bye: false,
            is_over: false,
            stash: None,
        };
        self.lines.insert(id, line);
    }

    /// A transport connection has ended.
    pub fn handle_gone(&mut self, id: u32, now: u64, record: &mut Record) {
        let Some(line) = self.lines.remove(&id) else { return };
        let Some(name) = line.client else { return };
        if let Some(kept) = self.kept.get_mut(&name)
            && kept.connection == Some(id)
        {
            kept.aliases = line.aliases;
            kept.leave(now);
            if kept.expiry_s == 0 {
                self.forget(&name, record);
            }
        }
    }

    /// All connections end; without `keep`, everything is forgotten.
    pub fn crash(&mut self, keep: bool, now: u64, record: &mut Record) {
        let ids: Vec<_> = self.lines.keys().copied().collect();
        ids.into_iter().for_each(|id| self.handle_gone(id, now, record));
        if !keep {
            let names: Vec<_> = self.kept.keys().cloned().collect();
            names.iter().for_each(|name| self.forget(name, record));
            self.has_forgotten = true;
            record.lose(None);
        }
    }

    /// The broker ends a connection, and says why where the version can.
    pub fn dismiss(&mut self, id: u32, reason: ReasonCode, record: &mut Record) {
        let Some(line) = self.lines.get_mut(&id).filter(|line| !line.is_over) else { return };
        line.is_over = true;
        line.acks.clear();
        line.subacks.clear();
        if line.client.is_some() && line.greeting.is_none() && line.asked.version == Version::V5 {
            record.dismiss(line.guest.node, reason);
            put(&mut line.peer, &Disconnect::new(reason).with(Version::V5));
        }
        line.greeting = None;
    }

    /// Forgets the sessions whose time is over.
    pub(super) fn expire(&mut self, at: &mut Moment<'_>) {
        let is_over = |kept: &Kept| kept.ends_at.is_some_and(|ends_at| ends_at <= at.now);
        let names: Vec<_> =
            self.kept.iter().filter(|it| is_over(it.1)).map(|it| it.0.clone()).collect();
        names.iter().for_each(|name| self.forget(name, at.record));
    }

    fn forget(&mut self, name: &str, record: &mut Record) {
        let Some(kept) = self.kept.remove(name) else { return };
        for outgoing in &kept.queue {
            record.owe(outgoing.key, false);
            // It comes behind others if its publisher has to send it again.
            record.misplace(outgoing.key);
        }
        record.lose(Some(kept.node));
        self.has_forgotten = true;
    }

    pub(super) fn on_connect(
        &mut self,
        id: u32,
        packet: &Packet<'_>,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        // [MQTT-3.1.0-1], the same in v3.1.1
        let Packet::Connect(connect) = packet else {
            return Err(format!("the first packet is {packet:?}"));
        };
        if at.random.chance(self.manners.refusals) {
            self.refuse(id, connect.version, at);
            return Ok(());
        }
        let assigned = connect.client_id.is_empty().then(|| self.give_name()).transpose()?;
        let name = assigned.unwrap_or(connect.client_id);
        self.expire(at);
        if connect.clean_session {
            self.forget(name, at.record);
        }
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let session_present = self.kept.contains_key(name);
        let kept = self.kept.entry(name.to_owned()).or_default();
        let asked_expiry_s = expiry_s(connect);
        line.asked = Asked::of(connect);
        line.grants = match connect.version {
            Version::V3 => Grants::NONE,
            Version::V5 => Grants::draw(self.manners.limits, asked_expiry_s, at.random),
        };
        line.client = Some(name.to_owned());
        line.is_resumed = session_present;
        let keep_alive_s = line.grants.keep_alive_s.unwrap_or(connect.keep_alive_s);
        line.keep_alive_ms = u64::from(keep_alive_s) * 1_000;
        kept.node = line.guest.node;
        kept.connection = Some(id);
        kept.expiry_s = line.grants.expiry_s.unwrap_or(asked_expiry_s);
        kept.ends_at = None;
        kept.queue.iter_mut().for_each(|outgoing| outgoing.sent_here = false);
        let mut list = line.grants.properties(self.bug);
        list.extend(assigned.map(Property::AssignedClientIdentifier));
        let properties = Properties::new(&list);
        let connack = Connack { session_present, reason: ReasonCode::SUCCESS, properties };
        let due = at.now + at.random.below(self.manners.ack_delay + 1);
        line.greeting = Some((due, bytes(&connack.with(connect.version))));
        Ok(())
    }

    /// CONNACK goes out, and what the client has missed.
    pub(super) fn greet(&mut self, id: u32, at: &mut Moment<'_>) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let Some((_, connack)) = line.greeting.take() else { return };
        line.peer.put(&connack);
        let name = line.client.clone().unwrap_or_default();
        self.pump(&name, at);
    }

    fn refuse(&mut self, id: u32, version: Version, at: &mut Moment<'_>) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let reason = match version {
            Version::V5 if at.random.chance(50) => ReasonCode::SERVER_BUSY,
            _ => ReasonCode::SERVER_UNAVAILABLE,
        };
        let connack = Connack { session_present: false, reason, properties: Properties::NONE };
        put(&mut line.peer, &connack.with(version));
        line.is_over = true;
    }

    fn give_name(&mut self) -> Result<&'static str, String> {
        let name = NAMES.get(self.names_given).ok_or("too many clients without a name")?;
        self.names_given += 1;
        Ok(name)
    }

    /// A fault: what PUBREC has refused is released.
    pub(super) fn release_refused(
        &mut self,
        id: u32,
        name: &str,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        let refused = self.kept.get(name).and_then(|kept| kept.refused.iter().next().copied());
        match refused.filter(|_| self.bug == Some(Bug::RefusalReleased)) {
            Some(packet_id) => {
                let pubrel = dunlin_mqtt::Ack::new(dunlin_mqtt::AckKind::Pubrel, packet_id);
                self.on_pubrel(id, name, pubrel, at)
            }
            None => Ok(()),
        }
    }
}

impl Kept {
    /// The connection has ended.
    fn leave(&mut self, now: u64) {
        self.connection = None;
        let lasts = self.expiry_s < u32::MAX;
        self.ends_at = lasts.then(|| now + u64::from(self.expiry_s) * 1_000);
    }
}

/// For how long the session is to outlive the connection, in seconds.
fn expiry_s(connect: &Connect<'_>) -> u32 {
    match connect.version {
        // v3.1.1: [MQTT-3.1.2-6]
        Version::V3 if connect.clean_session => 0,
        Version::V3 => u32::MAX,
        Version::V5 => connect.properties.session_expiry_interval_s().unwrap_or(0),
    }
}
