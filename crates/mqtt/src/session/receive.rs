//! What packets of the server do to a session.

use super::{FILTERS_MAX, Phase, Session};
use crate::{
    Ack, AckKind, AckMode, Connack, Error, Event, Misbehaved, Packet, PacketId, PacketType,
    Publish, Qos, ReasonCode, Resumption, Suback, Subscribe, Token,
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
            Packet::Publish(publish) => self.on_publish(publish).map(Some),
            Packet::Ack(ack) => self.on_ack(*ack),
            Packet::Suback(suback) => self.on_suback(suback),
            Packet::Pingresp => Ok(None),
            _ => Err(Misbehaved::ClientPacket.into()),
        }
    }

    fn on_connack<'p>(&mut self, connack: Connack) -> Result<Event<'p>, Error> {
        let Phase::Opening { clean } = self.phase else {
            return Err(Misbehaved::SecondConnack.into());
        };
        let refused = connack.reason.is_error();
        // [MQTT-3.2.2-1] A clean session is never present. [MQTT-3.2.2-4] Nor is a refused one.
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
        if !connack.session_present {
            self.outbox.forget_sent();
        }
        // [MQTT-3.1.2-6] A clean session ends with its connection.
        self.established = !clean;
        self.phase = Phase::Open;
        Ok(Event::Connected(resumption))
    }

    fn on_publish<'p>(&mut self, publish: &Publish<'p>) -> Result<Event<'p>, Error> {
        let ack = match (publish.message.head.qos, publish.packet_id) {
            (Qos::AtMostOnce, _) => None,
            // Whoever feeds packets has asked `has_room_for_message` first.
            (Qos::AtLeastOnce, Some(id)) => {
                Some(self.owed.push(id).ok_or(Misbehaved::Acknowledgement)?)
            }
            _ => return Err(Misbehaved::Qos.into()),
        };
        if self.config.ack_mode == AckMode::Automatic {
            self.held = ack;
        }
        Ok(Event::Message { message: publish.message, duplicate: publish.duplicate, ack })
    }

    /// Where the packet `id` is that has gone out: what the server cannot have it cannot acknowledge.
    fn find_sent(&self, id: PacketId) -> Option<usize> {
        self.slots.find(id).filter(|at| self.outbox.entry(*at).is_sent())
    }

    /// Ends the exchange `id` when its packet is of the type `of`; `None` when there is no such exchange.
    fn complete(&mut self, id: PacketId, of: PacketType) -> Result<Option<Token>, Error> {
        let Some(at) = self.find_sent(id) else { return Ok(None) };
        if packet_type(self.outbox.packet(at)) != Some(of) {
            return Err(Misbehaved::Acknowledgement.into());
        }
        let token = self.outbox.entry(at).token;
        self.slots.free(id);
        self.outbox.release(at);
        Ok(Some(Token(token)))
    }

    fn on_ack<'p>(&mut self, ack: Ack) -> Result<Option<Event<'p>>, Error> {
        let id = ack.packet_id;
        Ok(match ack.kind {
            AckKind::Puback => self
                .complete(id, PacketType::Publish)?
                .map(|token| Event::Acknowledged { token, reason: ReasonCode::SUCCESS }),
            AckKind::Unsuback => self
                .complete(id, PacketType::Unsubscribe)?
                .map(|token| Event::Unsubscribed { token }),
            // Steps of QoS 2, which this session has not begun.
            AckKind::Pubrec | AckKind::Pubrel | AckKind::Pubcomp => {
                return Err(Misbehaved::Acknowledgement.into());
            }
        })
    }

    fn on_suback<'p>(&mut self, suback: &Suback<'p>) -> Result<Option<Event<'p>>, Error> {
        let no_exchange = Error::Misbehaved(Misbehaved::Acknowledgement);
        let at = self.find_sent(suback.packet_id).ok_or(no_exchange)?;
        let Some((Packet::Subscribe(subscribe), _)) = Packet::decode_front(self.outbox.packet(at))?
        else {
            return Err(no_exchange);
        };
        // [MQTT-3.8.4-6] One answer for each filter.
        if count(&subscribe) != suback.reasons.len() {
            return Err(Misbehaved::SubackCount.into());
        }
        let token = self.complete(suback.packet_id, PacketType::Subscribe)?;
        Ok(token.map(|token| Event::Subscribed { token, reasons: suback.reasons }))
    }
}

fn packet_type(packet: &[u8]) -> Option<PacketType> {
    packet.first().copied().and_then(PacketType::from_first)
}

fn count(subscribe: &Subscribe<'_>) -> usize {
    subscribe.subscriptions().take(FILTERS_MAX).count()
}
