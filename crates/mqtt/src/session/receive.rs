//! What packets of the server do to a session.

use super::{FILTERS_MAX, Phase, Session, is_exactly_once};
use crate::{
    Ack, AckKind, AckMode, Connack, Error, Event, Misbehaved, Packet, PacketId, PacketType,
    Publish, Qos, ReasonCode, Resumption, Suback, Subscribe, Token, Version,
};
use dunlin_octet::Buffer;

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// A packet has come from the server.
    ///
    /// After an error the connection is to be closed; the session stands.
    pub fn handle_packet<'p>(&mut self, packet: &Packet<'p>) -> Result<Option<Event<'p>>, Error> {
        if let Packet::Connack(connack) = packet {
            return self.on_connack(*connack).map(Some);
        }
        if self.phase != Phase::Open && !self.is_offline() {
            return Err(Misbehaved::BeforeConnack.into());
        }
        match packet {
            Packet::Publish(publish) => self.on_publish(publish),
            Packet::Ack(ack) => self.on_ack(*ack),
            Packet::Suback(suback) => self.on_suback(suback),
            Packet::Unsuback(unsuback) => self.on_unsuback(unsuback.packet_id),
            Packet::Pingresp => Ok(None),
            _ => Err(Misbehaved::ClientPacket.into()),
        }
    }

    fn on_connack<'p>(&mut self, connack: Connack<'_>) -> Result<Event<'p>, Error> {
        let Phase::Opening { clean } = self.phase else {
            return Err(Misbehaved::SecondConnack.into());
        };
        let refused = connack.reason.is_error();
        // v3.1.1: [MQTT-3.2.2-1], [MQTT-3.2.2-4] Neither a clean session nor a refused one is present.
        if connack.session_present && (clean || refused) {
            return Err(Misbehaved::SessionPresent.into());
        }
        if refused {
            self.phase = Phase::Offline;
            return Err(Error::Refused(connack.reason));
        }
        let resumption = match (connack.session_present, clean, self.established) {
            (true, ..) if self.unanswered => Resumption::Uncertain,
            (true, ..) => Resumption::Resumed,
            (false, false, true) => Resumption::Lost,
            (false, ..) => Resumption::New,
        };
        self.unanswered = false;
        if resumption == Resumption::Uncertain {
            self.received.doubt();
        }
        self.unfinished = 0;
        if connack.session_present {
            let unfinished = &mut self.unfinished;
            let released = &mut self.released;
            self.outbox.for_each(|_, entry| {
                if entry.is_released()
                    && let Some(id) = PacketId::new(entry.id)
                {
                    released.push(id);
                    *unfinished = unfinished.saturating_add(1);
                }
            });
        } else {
            self.outbox.forget_sent();
            self.received.clear();
        }
        // v3.1.1: [MQTT-3.1.2-6] A clean session ends with its connection.
        self.established = !clean;
        self.phase = Phase::Open;
        Ok(Event::Connected(resumption))
    }

    /// `None` for a message that has been handed over before.
    fn on_publish<'p>(&mut self, publish: &Publish<'p>) -> Result<Option<Event<'p>>, Error> {
        // Whoever feeds packets has asked `has_room_for_message` first.
        let no_room = Misbehaved::Acknowledgement;
        let ack = match (publish.message.head.qos, publish.packet_id) {
            (Qos::AtLeastOnce, Some(id)) => {
                Some(self.owed.push(id, AckKind::Puback).ok_or(no_room)?)
            }
            (Qos::ExactlyOnce, Some(id)) => {
                self.owed.push(id, AckKind::Pubrec).ok_or(no_room)?;
                if self.received.is_repeat(id, publish.duplicate, &publish.message) {
                    if self.received.is_taken(id) {
                        self.owed.settle_repeats(id);
                    }
                    return Ok(None);
                }
                Some(self.received.push(id, &publish.message).ok_or(no_room)?)
            }
            _ => None,
        };
        if self.config.ack_mode == AckMode::Automatic {
            self.held = ack;
        }
        Ok(Some(Event::Message { message: publish.message, duplicate: publish.duplicate, ack }))
    }

    /// Whether a message of QoS 2 has been handed over before, and will not be again.
    pub fn is_repeat(&self, publish: &Publish<'_>) -> bool {
        let exactly_once = publish.message.head.qos == Qos::ExactlyOnce;
        let id = publish.packet_id.filter(|_| exactly_once);
        id.is_some_and(|id| self.received.is_repeat(id, publish.duplicate, &publish.message))
    }

    /// Where the packet `id` is that has gone out: what the server cannot have it cannot acknowledge.
    fn find_sent(&self, id: PacketId) -> Option<usize> {
        self.slots.find(id).filter(|at| self.outbox.entry(*at).is_sent())
    }

    /// Where the packet `id` is, which must be one that `ack` answers; `None` when there is no such
    /// exchange.
    fn answered(&self, ack: Ack<'_>) -> Result<Option<usize>, Error> {
        let Some(at) = self.find_sent(ack.packet_id) else { return Ok(None) };
        let released = self.outbox.entry(at).is_released();
        let first = self.outbox.packet(at).first().copied().unwrap_or(0);
        let fits = match (PacketType::from_first(first), ack.kind) {
            (Some(PacketType::Publish), AckKind::Puback) => first & 0x06 == 0x02,
            (Some(PacketType::Publish), AckKind::Pubrec) => first & 0x06 == 0x04,
            (Some(PacketType::Publish), AckKind::Pubcomp) => released,
            _ => false,
        };
        if fits { Ok(Some(at)) } else { Err(Misbehaved::Acknowledgement.into()) }
    }

    /// Ends the exchange `id`, whose packet stands at `at`.
    fn complete(&mut self, id: PacketId, at: usize) -> Token {
        if is_exactly_once(self.outbox.packet(at)) {
            self.unfinished = self.unfinished.saturating_sub(1);
        }
        let token = self.outbox.entry(at).token;
        self.slots.free(id);
        self.outbox.release(at);
        Token(token)
    }

    fn on_ack<'p>(&mut self, ack: Ack<'_>) -> Result<Option<Event<'p>>, Error> {
        let id = ack.packet_id;
        if ack.kind == AckKind::Pubrel {
            // One that comes again is answered again: our PUBCOMP may have been lost.
            self.received.remove(id);
            // Too early where the program still holds the message: it must not hold back others.
            self.owed.settle_repeats(id);
            self.completed.push(id);
            return Ok(None);
        }
        let Some(at) = self.answered(ack)? else {
            // The server holds a message that we know nothing of any more: it is to let go.
            if ack.kind == AckKind::Pubrec {
                self.released.push_once(id);
            }
            return Ok(None);
        };
        Ok(match ack.kind {
            AckKind::Pubrec => {
                self.outbox.hold(at);
                self.released.push_once(id);
                None
            }
            _ => {
                let token = self.complete(id, at);
                Some(Event::Acknowledged { token, reason: ReasonCode::SUCCESS })
            }
        })
    }

    fn on_suback<'p>(&mut self, suback: &Suback<'p>) -> Result<Option<Event<'p>>, Error> {
        let no_exchange = Error::Misbehaved(Misbehaved::Acknowledgement);
        let at = self.find_sent(suback.packet_id).ok_or(no_exchange)?;
        let Some((Packet::Subscribe(subscribe), _)) =
            Packet::decode_front(Version::V3, self.outbox.packet(at))?
        else {
            return Err(no_exchange);
        };
        // v3.1.1: [MQTT-3.8.4-6] One answer for each filter.
        if count(&subscribe) != suback.reasons.len() {
            return Err(Misbehaved::SubackCount.into());
        }
        let token = self.complete(suback.packet_id, at);
        Ok(Some(Event::Subscribed { token, reasons: suback.reasons }))
    }

    fn on_unsuback<'p>(&mut self, id: PacketId) -> Result<Option<Event<'p>>, Error> {
        let Some(at) = self.find_sent(id) else { return Ok(None) };
        if self.outbox.packet(at).first() != Some(&PacketType::Unsubscribe.first()) {
            return Err(Misbehaved::Acknowledgement.into());
        }
        Ok(Some(Event::Unsubscribed { token: self.complete(id, at) }))
    }
}

fn count(subscribe: &Subscribe<'_>) -> usize {
    subscribe.subscriptions().take(FILTERS_MAX).count()
}
