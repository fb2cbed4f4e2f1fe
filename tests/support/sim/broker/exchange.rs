//! Messages from publishers, and their acknowledgements.

use super::{Broker, Kept, Line, Moment, bare, put};
use crate::sim::{Bug, Key, Record, read_key};
use dunlin_mqtt::{
    Ack, AckKind, Head, Message, PacketId, Properties, Property, Publish, Qos, ReasonCode, Version,
    matches,
};

/// What acknowledgements say sometimes beside their reason.
const WORDS: &[Property<'static>] =
    &[Property::ReasonString("so it is"), Property::UserProperty(("by", "the broker"))];

/// A message of QoS 2 that its publisher has not released.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) key: Key,
    topic: String,
    payload: Vec<u8>,
    /// PUBREC has been sent.
    is_answered: bool,
}

/// An acknowledgement that is sent some time later.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) at: u64,
    ack: Ack<'static>,
    /// Unknown for what this broker has forgotten.
    key: Option<Key>,
}

impl Kept {
    /// An acknowledgement goes out.
    fn on_answered(
        &mut self,
        ack: Ack<'static>,
        key: Key,
        record: &mut Record,
    ) -> Result<(), String> {
        if ack.kind == AckKind::Pubrec && !ack.reason.is_error() {
            if let Some(stored) = self.stored.get_mut(&ack.packet_id) {
                stored.is_answered = true;
            }
            return record.pubrec(key, ack.reason);
        }
        if self.in_use.get(&ack.packet_id) == Some(&key) {
            self.in_use.remove(&ack.packet_id);
        }
        if ack.kind == AckKind::Pubrec {
            self.refused.insert(ack.packet_id);
        }
        record.puback(key, (ack.kind != AckKind::Pubcomp).then_some(ack.reason))
    }
}

impl Broker {
    /// Sends the acknowledgements that are due, but for those that get lost.
    pub(super) fn send_acks(&mut self, id: u32, at: &mut Moment<'_>) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        while line.acks.front().is_some_and(|due| due.at <= at.now)
            && let Some(Due { ack, key, .. }) = line.acks.pop_front()
        {
            if at.random.chance(self.manners.lost_acks) {
                // Those behind it are released before it.
                let held_up = key.filter(|_| ack.kind == AckKind::Pubrec);
                held_up.into_iter().for_each(|key| at.record.misplace(key));
                continue;
            }
            let words = Properties::new(if at.random.chance(20) { WORDS } else { &[] });
            put(&mut line.peer, &Ack { properties: words, ..ack }.with(line.asked.version));
            if ack.kind != AckKind::Pubrec || ack.reason.is_error() {
                line.followed.remove(&ack.packet_id);
            } else if !line.pubrels.contains(&ack.packet_id) {
                line.pubrels.push_back(ack.packet_id);
            }
            let name = line.client.clone().unwrap_or_default();
            if let (Some(kept), Some(key)) = (self.kept.get_mut(&name), key) {
                kept.on_answered(ack, key, at.record)?;
            }
        }
        Ok(())
    }

    pub(super) fn on_publish(
        &mut self,
        id: u32,
        name: &str,
        mut publish: Publish<'_>,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let kept = self.kept.get_mut(name).ok_or("a client without a session")?;
        let key = read_key(publish.message.payload)?;
        let own_id = publish.packet_id;
        match self.bug {
            Some(Bug::DupForgotten) => publish.duplicate = false,
            Some(Bug::IdReusedEarly) => publish.packet_id = own_id.and(PacketId::new(1)),
            // As if it had not been said on this connection what the alias stands for.
            Some(Bug::AliasKept) => {
                let alias = publish.message.head.properties.topic_alias();
                let before = alias.and_then(|alias| kept.aliases.get(&alias.get()));
                if before.is_some_and(|topic| topic == publish.message.head.topic) {
                    publish.message.head.topic = "";
                }
            }
            _ => {}
        }
        let topic = line.resolve(&publish)?;
        let Message { head, payload } = publish.message;
        let head = Head { topic: &topic, properties: Properties::NONE, ..head };
        let publish = Publish { message: Message { head, payload }, ..publish };
        at.record.reach(key, &topic)?;
        line.check_repetition(key, &publish, at.now)?;
        let message = publish.message;
        let (Some(packet_id), Some(own_id)) = (publish.packet_id, own_id) else {
            return self.accept(&message, key, at);
        };
        line.check_quota(own_id)?;
        check_redelivery(line, kept, &publish, key, packet_id)?;
        kept.seen.insert(key, packet_id);
        kept.in_use.insert(packet_id, key);
        kept.refused.remove(&own_id);
        self.answer_publish(id, name, own_id, &message, key, at)
    }

    /// Takes a message above QoS 0, or refuses it.
    fn answer_publish(
        &mut self,
        id: u32,
        name: &str,
        packet_id: PacketId,
        message: &Message<'_>,
        key: Key,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        let wanted = self.kept.values().any(|kept| kept.wants(message.head.topic).is_some());
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let kept = self.kept.get_mut(name).ok_or("a client without a session")?;
        let stored = kept.stored.get(&packet_id);
        let reason = match line.asked.version {
            Version::V5 if stored.is_none() && at.random.chance(self.manners.denials) => {
                [ReasonCode::UNSPECIFIED_ERROR, ReasonCode::QUOTA_EXCEEDED][at.random.len(2)]
            }
            Version::V5 if !wanted => ReasonCode::NO_MATCHING_SUBSCRIBERS,
            _ => ReasonCode::SUCCESS,
        };
        let exactly_once = message.head.qos == Qos::ExactlyOnce;
        let kind = if exactly_once { AckKind::Pubrec } else { AckKind::Puback };
        let due = at.now + at.random.below(self.manners.ack_delay + 1);
        line.answer(due, Ack { reason, ..Ack::new(kind, packet_id) }, Some(key));
        self.stray(id, at);
        if reason.is_error() {
            // It comes again if this gets lost, and may then be taken.
            at.record.misplace(key);
            return Ok(());
        }
        if !exactly_once {
            return self.accept(message, key, at);
        }
        let kept = self.kept.get_mut(name).ok_or("a client without a session")?;
        // v3.1.1: [MQTT-4.3.3-2] One that comes again is not handed on again.
        if kept.stored.contains_key(&packet_id) {
            return Ok(());
        }
        let (topic, payload) = (message.head.topic.to_owned(), message.payload.to_vec());
        kept.stored.insert(packet_id, Stored { key, topic, payload, is_answered: false });
        if self.manners.eager { self.accept(message, key, at) } else { Ok(()) }
    }

    /// v3.1.1: [MQTT-4.3.3-2] The publisher lets go of a message of QoS 2: it may come no more.
    pub(super) fn on_pubrel(
        &mut self,
        id: u32,
        name: &str,
        pubrel: Ack<'_>,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let kept = self.kept.get_mut(name).ok_or("a client without a session")?;
        let packet_id = pubrel.packet_id;
        // What is rejected on this side of a connection may have come over an earlier one.
        let unknown = pubrel.reason == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
        if kept.refused.contains(&packet_id) && !unknown {
            return Err(format!("PUBREL {packet_id:?} behind a PUBREC that says no"));
        }
        line.check_order(packet_id)?;
        let stray = line.strays.remove(&packet_id);
        let v5 = line.asked.version == Version::V5;
        if v5 && stray && !unknown {
            return Err(format!("{:?} where nothing is known of it", pubrel.reason));
        }
        let stored = kept.stored.remove(&packet_id);
        let key = match &stored {
            Some(stored) if !stored.is_answered && !at.record.is_rejected(stored.key) => {
                return Err(format!("PUBREL {packet_id:?} before its PUBREC"));
            }
            Some(stored) => {
                kept.released.insert(packet_id, stored.key);
                kept.over.insert(stored.key);
                Some(stored.key)
            }
            None => kept.released.get(&packet_id).copied(),
        };
        if key.is_none() && !self.has_forgotten && !unknown && !stray {
            return Err(format!("PUBREL {packet_id:?} of no message"));
        }
        let reason = match &stored {
            None if v5 => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
            _ => ReasonCode::SUCCESS,
        };
        let due = at.now + at.random.below(self.manners.ack_delay + 1);
        line.answer(due, Ack { reason, ..Ack::new(AckKind::Pubcomp, packet_id) }, key);
        match stored.filter(|_| !self.manners.eager) {
            Some(stored) => {
                let message = Message::new(&stored.topic, &stored.payload, Qos::ExactlyOnce);
                self.accept(&message, stored.key, at)
            }
            None => Ok(()),
        }
    }

    /// The broker takes a message over.
    fn accept(
        &mut self,
        message: &Message<'_>,
        key: Key,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        if self.bug == Some(Bug::Swallowed) && at.random.chance(20) {
            at.record.owe(key, true);
        } else {
            self.route(message, key, at);
        }
        Ok(())
    }

    /// Says something of an exchange that never was.
    fn stray(&mut self, id: u32, at: &mut Moment<'_>) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let Some(packet_id) = PacketId::new(line.next_stray) else { return };
        if !at.random.chance(self.manners.strays) {
            return;
        }
        line.next_stray += 1;
        let kind = if at.random.chance(50) { AckKind::Pubrec } else { AckKind::Pubrel };
        put(&mut line.peer, &Ack::new(kind, packet_id).with(line.asked.version));
        if kind == AckKind::Pubrec {
            line.strays.insert(packet_id);
            line.pubrels.push_back(packet_id);
        } else {
            let unknown = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
            line.completions.push_back((packet_id, Some(unknown)));
        }
    }
}

impl Line {
    /// Acknowledgements keep the order of what they answer.
    fn answer(&mut self, at: u64, ack: Ack<'static>, key: Option<Key>) {
        let at = self.acks.back().map_or(at, |due| due.at.max(at));
        self.acks.push_back(Due { at, ack: Ack { reason: ack.reason, ..bare(ack) }, key });
    }

    /// The topic of a message, which may be known by an alias only (MQTT 5.0 §3.3.2.3.4).
    fn resolve(&mut self, publish: &Publish<'_>) -> Result<String, String> {
        let head = &publish.message.head;
        let Some(alias) = head.properties.topic_alias() else { return Ok(head.topic.to_owned()) };
        let alias = alias.get();
        if alias > self.grants.topic_alias_maximum {
            return Err(format!("topic alias {alias}, with {:?}", self.grants));
        }
        if head.topic.is_empty() {
            let topic = self.aliases.get(&alias).cloned();
            return topic.ok_or_else(|| format!("topic alias {alias} stands for nothing"));
        }
        self.aliases.insert(alias, head.topic.to_owned());
        Ok(head.topic.to_owned())
    }

    /// [MQTT-4.4.0-1] Nothing comes twice over one connection, but in MQTT 3.1.1 from those that
    /// wait for answers.
    fn check_repetition(
        &mut self,
        key: Key,
        publish: &Publish<'_>,
        now: u64,
    ) -> Result<(), String> {
        let Some(before) = self.came_here.insert(key, now) else { return Ok(()) };
        let resends_after = self.guest.resends_after.filter(|_| self.asked.version == Version::V3);
        match resends_after {
            // The network may have held the first one up.
            Some(wait) if now + super::NETWORK_SLACK_MS < before + wait => {
                Err(format!("{key:?} comes again after {} ms", now - before))
            }
            Some(_) if !publish.duplicate => Err(format!("{key:?} comes again without DUP")),
            Some(_) => Ok(()),
            None => Err(format!("{key:?} came twice over one connection")),
        }
    }

    /// [MQTT-4.9.0-2] No more messages than the broker follows.
    fn check_quota(&mut self, packet_id: PacketId) -> Result<(), String> {
        self.followed.insert(packet_id);
        let most = self.grants.receive_maximum.map_or(usize::MAX, |it| it.get().into());
        if self.followed.len() > most {
            return Err(format!("{} messages under way, with {most}", self.followed.len()));
        }
        Ok(())
    }

    /// [MQTT-4.6.0-4] PUBRELs come in the order of the PUBRECs; those of older connections anyhow.
    fn check_order(&mut self, packet_id: PacketId) -> Result<(), String> {
        if self.guest.resends_after.is_some() {
            return Ok(());
        }
        match self.pubrels.iter().position(|it| *it == packet_id) {
            None | Some(0) => {
                self.pubrels.retain(|it| *it != packet_id);
                Ok(())
            }
            Some(_) => {
                Err(format!("PUBREL {packet_id:?} where {:?} is the next", self.pubrels.front()))
            }
        }
    }
}

impl Kept {
    /// How often a message may arrive that a subscription wants; `None` if none does.
    pub(super) fn wants(&self, topic: &str) -> Option<Qos> {
        let wanting = self.subscriptions.iter().filter(|(filter, _)| matches(filter, topic));
        wanting.map(|(_, qos)| *qos).max()
    }
}

/// A message that came before comes with DUP and its identifier ([MQTT-3.3.1-1], [MQTT-4.4.0-1]),
/// unless it was released; to a broker that has lost the session it is a new one; no identifier
/// stands for two messages.
fn check_redelivery(
    line: &Line,
    kept: &Kept,
    publish: &Publish<'_>,
    key: Key,
    id: PacketId,
) -> Result<(), String> {
    let is_first = line.guest.resends_after.is_none() || !kept.seen.contains_key(&key);
    if !line.is_resumed && publish.duplicate && is_first {
        return Err(format!("{key:?} is a duplicate for a broker without the session"));
    }
    if kept.over.contains(&key) {
        return Err(format!("{key:?} comes again behind its PUBREL"));
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
