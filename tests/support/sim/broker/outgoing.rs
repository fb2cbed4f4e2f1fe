//! Messages to subscribers, and their acknowledgements.

use super::{Broker, Line, Moment, bytes};
use crate::sim::{Bug, INFLIGHT, Key, Random, Record};
use dunlin_mqtt::{
    Ack, AckKind, Head, Message, PacketId, Properties, Property, Publish, Qos, ReasonCode, Version,
};
use std::num::NonZeroU16;

/// A message on its way to a subscriber.
#[derive(Debug)]
pub(super) struct Outgoing {
    id: PacketId,
    pub(super) key: Key,
    qos: Qos,
    topic: String,
    payload: Vec<u8>,
    sent_before: bool,
    pub(super) sent_here: bool,
    /// PUBREC has come for it.
    is_released: bool,
}

impl Outgoing {
    fn publish(&self, duplicate: bool) -> Publish<'_> {
        let message = Message::new(&self.topic, &self.payload, self.qos);
        Publish { message, duplicate, packet_id: Some(self.id) }
    }
}

impl Broker {
    pub(super) fn route(&mut self, message: &Message<'_>, key: Key, at: &mut Moment<'_>) {
        let topic = message.head.topic;
        let mut fed = Vec::new();
        for (name, kept) in &mut self.kept {
            let Some(granted) = kept.wants(topic) else { continue };
            let qos = message.head.qos.min(granted);
            let line = kept.connection.and_then(|id| self.lines.get_mut(&id));
            if qos == Qos::AtMostOnce {
                let ready = |line: &&mut Line| {
                    !line.has_said_bye && !line.is_over && line.greeting.is_none()
                };
                if let Some(line) = line.filter(ready) {
                    let message = Message::new(topic, message.payload, qos);
                    let publish = Publish { message, duplicate: false, packet_id: None };
                    line.send(&publish, self.bug, at.random);
                }
                continue;
            }
            kept.last_id = kept.last_id.checked_add(1).unwrap_or(1);
            let Some(id) = PacketId::new(kept.last_id) else { continue };
            kept.queue.push_back(Outgoing {
                id,
                key,
                qos,
                topic: topic.to_owned(),
                payload: message.payload.to_vec(),
                sent_before: false,
                sent_here: false,
                is_released: false,
            });
            at.record.owe(key, true);
            fed.push(name.clone());
        }
        at.record.route(key);
        fed.iter().for_each(|name| self.pump(name, at));
    }

    /// Sends to a subscriber as much as its window lets.
    pub(super) fn pump(&mut self, name: &str, at: &mut Moment<'_>) {
        let Some(kept) = self.kept.get_mut(name) else { return };
        let Some(line) = kept.connection.and_then(|id| self.lines.get_mut(&id)) else { return };
        if line.greeting.is_some() || line.is_over {
            return;
        }
        // [MQTT-3.1.2-25] What is too long for the client is dropped.
        kept.queue.retain(|it| {
            let fits = it.is_released || it.sent_before || line.takes(&it.publish(false));
            if !fits {
                at.record.owe(it.key, false);
            }
            fits
        });
        let open = |it: &&Outgoing| it.sent_before && it.qos == Qos::ExactlyOnce;
        let mut open = kept.queue.iter().filter(open).count();
        let v3 = line.asked.version == Version::V3;
        let duplicates = if v3 { self.manners.duplicates } else { 0 };
        for outgoing in kept.queue.iter_mut().filter(|outgoing| !outgoing.sent_here) {
            let copies = 1 + u32::from(at.random.chance(duplicates));
            if outgoing.is_released {
                (0..copies).for_each(|_| line.release(outgoing.id, None));
                outgoing.sent_here = true;
                continue;
            }
            let is_new = outgoing.qos == Qos::ExactlyOnce && !outgoing.sent_before;
            // MQTT 3.1.1 has no words for it: a server is told how many a client can follow.
            if line.is_full(self.manners.window) || (v3 && is_new && open >= INFLIGHT) {
                return;
            }
            open += usize::from(is_new);
            for copy in 0..copies {
                let publish = outgoing.publish(outgoing.sent_before || copy > 0);
                line.send(&publish, self.bug, at.random);
                let owed = (outgoing.id, outgoing.key);
                match outgoing.qos {
                    Qos::ExactlyOnce => line.pubrecs.push_back(owed),
                    _ => line.pubacks.push_back(owed),
                }
            }
            line.under_way.insert(outgoing.id);
            outgoing.sent_here = true;
            outgoing.sent_before = true;
        }
    }

    /// The subscriber acknowledges.
    pub(super) fn on_ack(
        &mut self,
        id: u32,
        name: &str,
        ack: Ack<'static>,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let Some(kept) = self.kept.get_mut(name) else { return Ok(()) };
        line.check_ack(ack, id, at.record)?;
        if ack.kind == AckKind::Pubrec && !ack.reason.is_error() {
            let mut queue = kept.queue.iter_mut();
            // One that has been sent twice may be complete by now.
            if let Some(outgoing) = queue.find(|outgoing| outgoing.id == ack.packet_id) {
                outgoing.is_released = true;
                let twice = self.manners.duplicates > 0;
                line.release(ack.packet_id, (!twice).then_some(ReasonCode::SUCCESS));
            }
        } else {
            line.under_way.remove(&ack.packet_id);
            kept.queue.retain(|outgoing| outgoing.id != ack.packet_id);
        }
        self.pump(name, at);
        Ok(())
    }
}

impl Line {
    /// Whether no more messages may be under way to this client ([MQTT-3.3.4-7]).
    fn is_full(&self, window: usize) -> bool {
        match self.asked.version {
            Version::V3 => self.pubacks.len() + self.pubrecs.len() >= window,
            Version::V5 => self.under_way.len() >= self.asked.receive_maximum.min(window),
        }
    }

    /// Whether the client takes packets as long as this one ([MQTT-3.1.2-24]).
    fn takes(&self, publish: &Publish<'_>) -> bool {
        /// An alias, and a longer length of the properties.
        const ALIAS_LEN: usize = 4;
        let len = bytes(&publish.with(self.asked.version)).len();
        len + ALIAS_LEN <= self.asked.maximum_packet_size
    }

    /// Sends a message, perhaps with an alias beside its topic or in its place.
    fn send(&mut self, publish: &Publish<'_>, bug: Option<Bug>, random: &mut Random) {
        if !self.takes(publish) {
            return;
        }
        let Message { head, payload } = publish.message;
        let (mut topic, mut list) = (head.topic, Vec::new());
        if self.asked.topic_alias_maximum > 0 && random.chance(70) {
            let known = self.own_aliases.iter().position(|it| it == topic);
            let place = known.unwrap_or_else(|| self.learn(topic, random));
            topic = if known.is_some() { "" } else { topic };
            let wrong = known.is_some() && bug == Some(Bug::AliasConfused);
            let place = if wrong { (place + 1) % self.own_aliases.len() } else { place };
            list.extend(NonZeroU16::new(place as u16 + 1).map(Property::TopicAlias));
        }
        let head = Head { topic, properties: Properties::new(&list), ..head };
        let publish = Publish { message: Message { head, payload }, ..*publish };
        self.peer.put(&bytes(&publish.with(self.asked.version)));
    }

    /// Gives a topic an alias, in place of another if there is none left; says which.
    fn learn(&mut self, topic: &str, random: &mut Random) -> usize {
        if self.own_aliases.len() < self.asked.topic_alias_maximum {
            self.own_aliases.push(topic.to_owned());
            return self.own_aliases.len() - 1;
        }
        let place = random.len(self.own_aliases.len());
        topic.clone_into(&mut self.own_aliases[place]);
        place
    }

    fn release(&mut self, packet_id: PacketId, reason: Option<ReasonCode>) {
        let pubrel = Ack::new(AckKind::Pubrel, packet_id);
        self.peer.put(&bytes(&pubrel.with(self.asked.version)));
        self.completions.push_back((packet_id, reason));
    }

    /// Acknowledgements of each kind come in order, when the program has let go, with what it said.
    fn check_ack(&mut self, ack: Ack<'static>, link: u32, record: &Record) -> Result<(), String> {
        let v5 = self.asked.version == Version::V5;
        let owed = match ack.kind {
            AckKind::Puback => self.pubacks.pop_front(),
            AckKind::Pubrec => self.pubrecs.pop_front(),
            _ => {
                let next = self.completions.pop_front();
                let right = |reason: Option<ReasonCode>| {
                    !v5 || reason.is_none_or(|reason| reason == ack.reason)
                };
                return match next {
                    Some((packet_id, reason)) if packet_id == ack.packet_id && right(reason) => {
                        Ok(())
                    }
                    _ => Err(format!("{ack:?} where {next:?} is the next")),
                };
            }
        };
        match owed {
            Some((packet_id, key)) if packet_id == ack.packet_id => {
                record.check_let_go(key, link, &ack)
            }
            _ => Err(format!("{ack:?} where {owed:?} is the next")),
        }
    }
}
