//! Messages and their acknowledgements, from publishers and to subscribers.

use super::{Broker, Kept, Line, put};
use crate::sim::{Bug, INFLIGHT, Key, Random, Record, read_key};
use dunlin_mqtt::{Ack, AckKind, Message, PacketId, Publish, Qos, Version, matches};

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

/// A message of QoS 2 that its publisher has not released.
#[derive(Debug)]
pub(super) struct Stored {
    key: Key,
    topic: String,
    payload: Vec<u8>,
    /// PUBREC has been sent.
    is_answered: bool,
}

/// An acknowledgement that is sent some time later.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) at: u64,
    pub(super) ack: Ack<'static>,
    /// Unknown for what this broker has forgotten.
    pub(super) key: Option<Key>,
}

impl Kept {
    /// An acknowledgement goes out.
    pub(super) fn on_answered(
        &mut self,
        ack: Ack<'static>,
        key: Key,
        record: &mut Record,
    ) -> Result<(), String> {
        if ack.kind == AckKind::Pubrec {
            if let Some(stored) = self.stored.get_mut(&ack.packet_id) {
                stored.is_answered = true;
            }
            return record.pubrec(key);
        }
        if self.in_use.get(&ack.packet_id) == Some(&key) {
            self.in_use.remove(&ack.packet_id);
        }
        record.puback(key)
    }
}

impl Broker {
    pub(super) fn on_publish(
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
        let message = publish.message;
        let (Some(packet_id), Some(own_id)) = (publish.packet_id, own_id) else {
            return self.accept(&message, key, record, random);
        };
        check_redelivery(line, kept, &publish, key, packet_id)?;
        kept.seen.insert(key, packet_id);
        kept.in_use.insert(packet_id, key);
        let exactly_once = message.head.qos == Qos::ExactlyOnce;
        let kind = if exactly_once { AckKind::Pubrec } else { AckKind::Puback };
        let at = now + random.below(self.manners.ack_delay + 1);
        answer(line, at, Ack::new(kind, own_id), Some(key));
        if !exactly_once {
            return self.accept(&message, key, record, random);
        }
        let stored = Stored {
            key,
            topic: message.head.topic.to_owned(),
            payload: message.payload.to_vec(),
            is_answered: false,
        };
        // v3.1.1: [MQTT-4.3.3-2] One that comes again is not handed on again.
        let before = kept.stored.insert(own_id, stored);
        if before.is_none() && self.manners.eager {
            return self.accept(&message, key, record, random);
        }
        Ok(())
    }

    /// v3.1.1: [MQTT-4.3.3-2] The publisher lets go of a message of QoS 2: it may come no more.
    pub(super) fn on_pubrel(
        &mut self,
        id: u32,
        name: &str,
        packet_id: PacketId,
        now: u64,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let kept = self.kept.entry(name.to_owned()).or_default();
        let stored = kept.stored.remove(&packet_id);
        let key = match &stored {
            Some(stored) if !stored.is_answered => {
                return Err(format!("PUBREL {packet_id:?} before its PUBREC"));
            }
            Some(stored) => {
                kept.released.insert(packet_id, stored.key);
                kept.over.insert(stored.key);
                Some(stored.key)
            }
            None => kept.released.get(&packet_id).copied(),
        };
        if key.is_none() && !self.has_forgotten {
            return Err(format!("PUBREL {packet_id:?} of no message"));
        }
        let at = now + random.below(self.manners.ack_delay + 1);
        answer(line, at, Ack::new(AckKind::Pubcomp, packet_id), key);
        match stored.filter(|_| !self.manners.eager) {
            Some(stored) => {
                let message = Message::new(&stored.topic, &stored.payload, Qos::ExactlyOnce);
                self.accept(&message, stored.key, record, random)
            }
            None => Ok(()),
        }
    }

    /// The broker takes a message over.
    fn accept(
        &mut self,
        message: &Message<'_>,
        key: Key,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        if self.bug == Some(Bug::Swallowed) && random.chance(20) {
            record.owe(key, true);
        } else {
            self.route(message, key, record, random);
        }
        Ok(())
    }

    fn route(&mut self, message: &Message<'_>, key: Key, record: &mut Record, random: &mut Random) {
        let topic = message.head.topic;
        let mut fed = Vec::new();
        for (name, kept) in &mut self.kept {
            let granted = kept.subscriptions.iter().find(|(filter, _)| matches(filter, topic));
            let Some(qos) = granted.map(|(_, qos)| message.head.qos.min(*qos)) else { continue };
            if qos == Qos::AtMostOnce {
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
                qos,
                topic: topic.to_owned(),
                payload: message.payload.to_vec(),
                sent_before: false,
                sent_here: false,
                is_released: false,
            });
            record.owe(key, true);
            fed.push(name.clone());
        }
        record.route(key);
        fed.iter().for_each(|name| self.pump(name, random));
    }

    /// Sends to a subscriber as much as its window lets.
    pub(super) fn pump(&mut self, name: &str, random: &mut Random) {
        let Some(kept) = self.kept.get_mut(name) else { return };
        let Some(line) = kept.connection.and_then(|id| self.lines.get_mut(&id)) else { return };
        let open = |it: &&Outgoing| it.sent_before && it.qos == Qos::ExactlyOnce;
        let mut open = kept.queue.iter().filter(open).count();
        for outgoing in kept.queue.iter_mut().filter(|outgoing| !outgoing.sent_here) {
            let copies = 1 + u32::from(random.chance(self.manners.duplicates));
            if outgoing.is_released {
                (0..copies).for_each(|_| release(line, outgoing.id));
                outgoing.sent_here = true;
                continue;
            }
            let is_new = outgoing.qos == Qos::ExactlyOnce && !outgoing.sent_before;
            // MQTT 3.1.1 has no words for it: a server is told how many a client can follow.
            if line.expected.len() >= self.manners.window || (is_new && open >= INFLIGHT) {
                return;
            }
            open += usize::from(is_new);
            let message = Message::new(&outgoing.topic, &outgoing.payload, outgoing.qos);
            let exactly_once = outgoing.qos == Qos::ExactlyOnce;
            let kind = if exactly_once { AckKind::Pubrec } else { AckKind::Puback };
            for copy in 0..copies {
                let duplicate = outgoing.sent_before || copy > 0;
                let packet_id = Some(outgoing.id);
                put(&mut line.peer, &Publish { message, duplicate, packet_id }.with(Version::V3));
                line.expected.push_back((Ack::new(kind, outgoing.id), outgoing.key));
            }
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
        record: &Record,
        random: &mut Random,
    ) -> Result<(), String> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let Some(kept) = self.kept.get_mut(name) else { return Ok(()) };
        if ack.kind == AckKind::Pubcomp {
            let next = line.completions.pop_front();
            if next != Some(ack.packet_id) {
                return Err(format!("{ack:?} where {next:?} is the next"));
            }
        } else {
            match line.expected.pop_front() {
                Some((expected, key)) if expected == ack => {
                    if !record.is_let_go(key) {
                        return Err(format!("{key:?} is acknowledged before the program let go"));
                    }
                }
                other => return Err(format!("{ack:?} where {other:?} is the next")),
            }
        }
        if ack.kind == AckKind::Pubrec {
            let mut queue = kept.queue.iter_mut();
            // One that has been sent twice may be complete by now.
            if let Some(outgoing) = queue.find(|outgoing| outgoing.id == ack.packet_id) {
                outgoing.is_released = true;
                release(line, ack.packet_id);
            }
        } else {
            kept.queue.retain(|outgoing| outgoing.id != ack.packet_id);
        }
        self.pump(name, random);
        Ok(())
    }
}

/// Acknowledgements keep the order of what they answer.
fn answer(line: &mut Line, at: u64, ack: Ack<'static>, key: Option<Key>) {
    let at = line.acks.back().map_or(at, |due| due.at.max(at));
    line.acks.push_back(Due { at, ack, key });
}

fn release(line: &mut Line, packet_id: PacketId) {
    line.peer.put(&Ack::new(AckKind::Pubrel, packet_id).encode());
    line.completions.push_back(packet_id);
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
    if !line.is_resumed && publish.duplicate {
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
