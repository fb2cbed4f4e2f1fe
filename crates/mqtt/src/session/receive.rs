//! What packets of the server do to a session.

use super::{Phase, Session, Turn, is_message_of};
use crate::{
    Ack, AckKind, AckMode, AckToken, Auth, Connack, Error, Event, Limits, Message, Misbehaved,
    Packet, PacketId, PacketType, Publish, Qos, ReasonCode, Resumption, Suback, Token, Unsuback,
    Version, ack::Answer, received::digest, subscribe::count_filters,
};
use dunlin_octet::Buffer;

/// What is to become of a message that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Delivery {
    /// It is handed over; above QoS 0, this is what to acknowledge.
    New(Option<AckToken>),
    /// It has been handed over before, and is not again.
    Repeated,
}

impl Delivery {
    /// The event that a message becomes, if it is to be one.
    #[inline]
    pub const fn event(self, message: Message<'_>, duplicate: bool) -> Option<Event<'_>> {
        match self {
            Self::New(ack) => Some(Event::Message { message, duplicate, ack }),
            Self::Repeated => None,
        }
    }
}

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// A packet has come from the server.
    ///
    /// After an error the connection is to be closed; the session stands.
    pub fn handle_packet<'p>(&mut self, packet: &Packet<'p>) -> Result<Option<Event<'p>>, Error> {
        match packet {
            Packet::Publish(publish) => {
                let delivery = self.handle_publish(publish)?;
                return Ok(delivery.event(publish.message, publish.duplicate));
            }
            Packet::Connack(connack) => return self.on_connack(*connack).map(Some),
            Packet::Auth(auth) if self.version() == Version::V5 => {
                return self.on_auth(auth).map(Some);
            }
            // [MQTT-3.2.0-1], [MQTT-3.14.0-1]
            _ if self.phase == Phase::Opening => return Err(Misbehaved::BeforeConnack.into()),
            _ => {}
        }
        match packet {
            Packet::Ack(ack) if ack.kind == AckKind::Puback => self.on_ack(*ack),
            Packet::Ack(_) if !Qos::ExactlyOnce.is_in_build() => {
                Err(Misbehaved::ExactlyOnce.into())
            }
            Packet::Ack(ack) => self.on_ack(*ack),
            Packet::Suback(suback) => self.on_suback(suback),
            Packet::Unsuback(unsuback) => self.on_unsuback(unsuback),
            Packet::Pingresp => Ok(None),
            // [MQTT-3.14.2-2] Only clients say how long a session lasts.
            Packet::Disconnect(disconnect)
                if self.version() == Version::V5
                    && disconnect.properties.session_expiry_interval_s().is_none() =>
            {
                self.phase = Phase::Offline;
                Err(Error::Disconnected(disconnect.reason))
            }
            _ => Err(Misbehaved::ClientPacket.into()),
        }
    }

    /// A message has come: the part of [`Session::handle_packet`] that is small to return, for a caller
    /// that makes the event where it stays. Moving one costs more than decoding it.
    // Part of its caller, so that the message need not lie in memory before it is an event.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn handle_publish(&mut self, publish: &Publish<'_>) -> Result<Delivery, Error> {
        // [MQTT-3.2.0-1]
        if self.phase == Phase::Opening {
            return Err(Misbehaved::BeforeConnack.into());
        }
        let ack = match (publish.message.head.qos, publish.packet_id) {
            (Qos::AtLeastOnce, Some(id)) => {
                let ack = self.on_at_least_once(id);
                if ack.is_none() {
                    return Err(Misbehaved::ReceiveMaximum.into());
                }
                ack
            }
            (Qos::ExactlyOnce, _) if !Qos::ExactlyOnce.is_in_build() => {
                return Err(Misbehaved::ExactlyOnce.into());
            }
            (Qos::ExactlyOnce, Some(id)) => {
                let digest = digest_of(publish);
                let Some(ack) = self.on_exactly_once(id, publish.duplicate, digest)? else {
                    return Ok(Delivery::Repeated);
                };
                Some(ack)
            }
            _ => None,
        };
        if self.config.ack_mode == AckMode::Automatic {
            self.held = ack;
        }
        Ok(Delivery::New(ack))
    }

    fn on_connack<'p>(&mut self, connack: Connack<'p>) -> Result<Event<'p>, Error> {
        if self.phase != Phase::Opening {
            return Err(Misbehaved::SecondConnack.into());
        }
        let clean = self.asked.clean;
        let refused = connack.reason.is_error();
        // [MQTT-3.2.2-4] A clean session is never present. [MQTT-3.2.2-6] Nor is a refused one.
        // [MQTT-3.2.2-5] Nor is one that this side knows nothing of.
        let known = self.established || self.unanswered || self.config.adopts_session;
        let foreign = self.version() == Version::V5 && !known;
        if connack.session_present && (clean || refused || foreign) {
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
        self.take_up(resumption);
        let properties = connack.properties;
        if self.version() == Version::V5 {
            self.limits = Limits::of(&properties);
            self.unfit = self.limits
                != Limits { topic_alias_maximum: self.limits.topic_alias_maximum, ..Limits::NONE };
            if let Some(expiry_s) = properties.session_expiry_interval_s() {
                self.asked.expiry_s = expiry_s;
            }
        }
        // v3.1.1: [MQTT-3.1.2-6] A clean session ends with its connection; in MQTT 5.0, one that expires
        // at once.
        self.established = self.asked.expiry_s > 0;
        self.journal.standing = true;
        self.phase = Phase::Open;
        self.turn = Turn::Nobody;
        Ok(Event::Connected { resumption, properties })
    }

    /// Makes the session what the server has of it.
    fn take_up(&mut self, resumption: Resumption) {
        if resumption == Resumption::Uncertain {
            self.received.doubt();
        }
        self.unfinished = 0;
        if matches!(resumption, Resumption::New | Resumption::Lost) {
            self.forget_abandoned();
            self.outbox.forget_sent();
            self.received.clear();
            self.journal.forgets = true;
            return;
        }
        let unfinished = &mut self.unfinished;
        let released = &mut self.released;
        self.outbox.for_each(|_, entry| {
            if entry.is_released()
                && let Some(id) = PacketId::new(entry.id)
            {
                released.push(Answer::new(id, true));
                *unfinished = unfinished.saturating_add(1);
            }
        });
    }

    fn on_auth<'p>(&mut self, auth: &Auth<'p>) -> Result<Event<'p>, Error> {
        let fits = match self.phase {
            Phase::Offline => false,
            // [MQTT-4.12.0-3] Only CONNACK says that it is done.
            Phase::Opening => auth.reason == ReasonCode::CONTINUE_AUTHENTICATION,
            Phase::Open => auth.reason != ReasonCode::RE_AUTHENTICATE,
        };
        // [MQTT-4.12.0-6] No AUTH where CONNECT has no method; afterwards the client begins.
        if !fits || self.turn != Turn::Server {
            return Err(Misbehaved::Authentication.into());
        }
        self.turn = match auth.reason {
            ReasonCode::SUCCESS => Turn::Nobody,
            _ => Turn::Client,
        };
        Ok(Event::Authentication { reason: auth.reason, properties: auth.properties })
    }

    /// `None` where there is no room, of which whoever feeds packets has asked `has_room_for` first.
    // No `Result`: what shares its place with an error is moved byte by byte, and waited for.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn on_at_least_once(&mut self, id: PacketId) -> Option<AckToken> {
        if self.is_receive_maximum_reached() {
            return None;
        }
        let ack = self.owed.push(id, AckKind::Puback)?;
        self.incoming = self.incoming.saturating_add(1);
        Some(ack)
    }

    /// `None` for a message that has been handed over before.
    pub(super) fn on_exactly_once(
        &mut self,
        id: PacketId,
        duplicate: bool,
        digest: u32,
    ) -> Result<Option<AckToken>, Misbehaved> {
        let no_room = Misbehaved::ReceiveMaximum;
        let repeat = self.received.is_repeat(id, duplicate, digest);
        // All checks come first: a message that is refused must not be known when it comes again.
        let counted = repeat && self.received.is_counted(id);
        if (!counted && self.is_receive_maximum_reached()) || self.owed.is_full() {
            return Err(no_room);
        }
        let ack = if repeat { None } else { Some(self.received.push(id, digest).ok_or(no_room)?) };
        self.received.count(id);
        self.owed.push(id, AckKind::Pubrec).ok_or(no_room)?;
        if let Some(reason) = self.received.verdict(id) {
            self.owed.settle_repeats(id, reason);
        }
        Ok(ack)
    }

    /// Whether a message of QoS 2 has been handed over before, and will not be again.
    pub fn is_repeat(&self, publish: &Publish<'_>) -> bool {
        let exactly_once = publish.message.head.qos == Qos::ExactlyOnce;
        let id = publish.packet_id.filter(|_| exactly_once);
        id.is_some_and(|id| self.received.is_repeat(id, publish.duplicate, digest_of(publish)))
    }

    /// Whether an answer with this identifier has something to answer.
    pub fn is_waiting_for(&self, id: PacketId) -> bool {
        self.find_sent(id).is_some()
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
            // RabbitMQ takes a message of QoS 2 as one of QoS 1: 3.1.1 knows no other way to say so.
            (Some(PacketType::Publish), AckKind::Puback) => {
                first & 0x06 == 0x02 || (self.version() == Version::V3 && !released)
            }
            // Once the server has taken a message, it cannot refuse it any more.
            (Some(PacketType::Publish), AckKind::Pubrec) => {
                first & 0x06 == 0x04 && !(released && ack.reason.is_error())
            }
            (Some(PacketType::Publish), AckKind::Pubcomp) => released,
            _ => false,
        };
        if fits { Ok(Some(at)) } else { Err(Misbehaved::Acknowledgement.into()) }
    }

    /// Ends the exchange `id`, whose packet stands at `at`.
    fn complete(&mut self, id: PacketId, at: usize) -> Token {
        let entry = self.outbox.entry(at);
        let first = self.outbox.packet(at).first().copied().unwrap_or(0);
        if is_message_of(self.least_followed(), first) && (entry.is_gone() || entry.is_released()) {
            self.unfinished = self.unfinished.saturating_sub(1);
        }
        self.end(id);
        self.outbox.release(at);
        Token(entry.token)
    }

    fn on_ack<'p>(&mut self, ack: Ack<'p>) -> Result<Option<Event<'p>>, Error> {
        let id = ack.packet_id;
        if ack.kind == AckKind::Pubrel {
            self.on_pubrel(id);
            return Ok(None);
        }
        let Some(at) = self.answered(ack)? else {
            // The server holds a message that we know nothing of any more: it is to let go.
            if ack.kind == AckKind::Pubrec && !ack.reason.is_error() {
                self.released.push_once(Answer::new(id, false));
            }
            return Ok(None);
        };
        let unmatched = self.outbox.entry(at).is_unmatched();
        let reason = match ack.kind {
            AckKind::Pubrec if !ack.reason.is_error() => {
                let unmatched = ack.reason == ReasonCode::NO_MATCHING_SUBSCRIBERS;
                self.record_held(id, at);
                self.outbox.hold(at, self.stamp, unmatched);
                self.released.push_once(Answer::new(id, true));
                return Ok(None);
            }
            AckKind::Pubcomp if unmatched => ReasonCode::NO_MATCHING_SUBSCRIBERS,
            // The server has taken the message with PUBREC, whatever it has forgotten since.
            AckKind::Pubcomp => ReasonCode::SUCCESS,
            _ => ack.reason,
        };
        let token = self.complete(id, at);
        Ok(Some(Event::Acknowledged { token, reason, properties: ack.properties }))
    }

    /// One that comes again is answered again: our PUBCOMP may have been lost.
    fn on_pubrel(&mut self, id: PacketId) {
        let known = self.received.remove(id);
        // Too early where the program still holds the message: it must not hold back others.
        self.owed.settle_repeats(id, ReasonCode::SUCCESS);
        self.completed.push(Answer::new(id, known));
    }

    fn on_suback<'p>(&mut self, suback: &Suback<'p>) -> Result<Option<Event<'p>>, Error> {
        let len = suback.reasons.len();
        let Some(token) = self.answer_request(PacketType::Subscribe, suback.packet_id, len)? else {
            return Ok(None);
        };
        let Suback { reasons, properties, .. } = *suback;
        Ok(Some(Event::Subscribed { token, reasons, properties }))
    }

    fn on_unsuback<'p>(&mut self, unsuback: &Unsuback<'p>) -> Result<Option<Event<'p>>, Error> {
        let (id, len) = (unsuback.packet_id, unsuback.reasons.len());
        let Some(token) = self.answer_request(PacketType::Unsubscribe, id, len)? else {
            return Ok(None);
        };
        let Unsuback { reasons, properties, .. } = *unsuback;
        Ok(Some(Event::Unsubscribed { token, reasons, properties }))
    }

    /// A request has `len` answers; `None` when there is no such exchange.
    fn answer_request(
        &mut self,
        packet_type: PacketType,
        id: PacketId,
        len: usize,
    ) -> Result<Option<Token>, Error> {
        let version = self.version();
        let Some(at) = self.find_sent(id) else {
            // v3.1.1: [MQTT-3.8.4-2], [MQTT-4.8.0-1]; in MQTT 5.0 it is nothing to hang up for (§4.13.2).
            // One that went out twice may be answered twice.
            let fatal =
                version == Version::V3 && packet_type == PacketType::Subscribe && !self.resent;
            return if fatal { Err(Misbehaved::Acknowledgement.into()) } else { Ok(None) };
        };
        let packet = self.outbox.packet(at);
        if packet.first() != Some(&packet_type.first()) {
            return Err(Misbehaved::Acknowledgement.into());
        }
        let filters = match packet_type {
            // v3.1.1: UNSUBACK has no answers.
            PacketType::Unsubscribe if version == Version::V3 => 0,
            _ => count_filters(version, packet).ok_or(Misbehaved::Acknowledgement)?,
        };
        // [MQTT-3.8.4-6], [MQTT-3.11.3-1] One answer for each filter.
        if filters != len {
            return Err(Misbehaved::SubackCount.into());
        }
        Ok(Some(self.complete(id, at)))
    }
}

/// What tells a message that is there whole from others.
// By its fields: a call that is given a message wants it in memory.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn digest_of(publish: &Publish<'_>) -> u32 {
    let payload = publish.message.payload;
    digest(publish.message.head.topic, payload.len(), payload)
}
