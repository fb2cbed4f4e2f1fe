//! What the program wants of a session.

use super::{FILTERS_MAX, Phase, Session, Turn};
use crate::{
    Ack, AckError, AckKind, AckToken, Auth, Disconnect, FixedHeader, Head, Message,
    PACKET_BODY_MAX, PacketId, PacketType, Properties, PublishError, Qos, ReasonCode, SendError,
    SubscribeError, Subscription, Token, Version, check_topic,
    outbox::NoRoom,
    publish::{body_len, put_head},
    subscribe::{Wishes, check_filter_in},
};
use dunlin_octet::{Buffer, Count, Text, Window, Writer};

/// How much of a packet the outbox keeps.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    Whole,
    /// Only so many bytes of its payload, which is so long.
    #[cfg(feature = "oversize")]
    Window(usize, usize),
}

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// Accepts a message, connected or not; it is kept until it is acknowledged, or sent (QoS 0).
    ///
    /// Topic aliases are the connection's: the properties have none.
    pub fn publish(&mut self, message: &Message<'_>) -> Result<Token, PublishError> {
        let payload = message.payload;
        self.accept(&message.head, payload.len(), |place| {
            dunlin_octet::copy(payload, place);
        })
    }

    /// The same for a payload of `len` bytes that `fill` writes straight to its place, which is zero.
    pub fn publish_with(
        &mut self,
        head: &Head<'_>,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Token, PublishError> {
        self.accept(head, len, |place| {
            // What `fill` leaves out must not be an earlier packet.
            place.fill(0);
            fill(place);
        })
    }

    /// Asks for messages; they come as [`Event::Message`](crate::Event::Message), and the answer as
    /// [`Event::Subscribed`](crate::Event::Subscribed).
    pub fn subscribe(&mut self, filters: &[Subscription<'_>]) -> Result<Token, SubscribeError> {
        self.subscribe_with(filters, Properties::NONE)
    }

    /// The same with properties: a subscription identifier, user properties.
    pub fn subscribe_with(
        &mut self,
        filters: &[Subscription<'_>],
        properties: Properties<'_>,
    ) -> Result<Token, SubscribeError> {
        let version = self.version();
        for subscription in filters {
            check_filter_in(version, subscription.filter).map_err(SubscribeError::Filter)?;
            if !self.takes(subscription.qos) {
                return Err(SubscribeError::Qos);
            }
            subscription.check_options(version).map_err(|_| SubscribeError::Options)?;
        }
        self.limits
            .check_subscriptions(filters.iter().copied(), &properties)
            .map_err(SubscribeError::Limit)?;
        self.wish(Wishes::Subscribe(filters), properties)
    }

    /// Ends subscriptions; the answer is [`Event::Unsubscribed`](crate::Event::Unsubscribed).
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, SubscribeError> {
        self.unsubscribe_with(filters, Properties::NONE)
    }

    /// The same with user properties.
    pub fn unsubscribe_with(
        &mut self,
        filters: &[&str],
        properties: Properties<'_>,
    ) -> Result<Token, SubscribeError> {
        for filter in filters {
            check_filter_in(self.version(), filter).map_err(SubscribeError::Filter)?;
        }
        self.wish(Wishes::Unsubscribe(filters), properties)
    }

    /// Lets the server forget a message that came in [`AckMode::Manual`](crate::AckMode::Manual), or
    /// refuses it: 0x80 and above.
    ///
    /// Acknowledgements go out in the order of the messages ([MQTT-4.6.0-2]): one that is held back
    /// holds back those behind it. MQTT 3.1.1 has no place for the reason, and always says yes.
    pub fn acknowledge(&mut self, ack: AckToken, reason: ReasonCode) -> Result<(), AckError> {
        self.acknowledge_with(ack, reason, Properties::NONE)
    }

    /// The same with a reason string or user properties, which wait in the outbox; for a message that has
    /// not come again on this connection they are left out.
    pub fn acknowledge_with(
        &mut self,
        ack: AckToken,
        reason: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), AckError> {
        let exactly_once = ack.is_exactly_once();
        let held = if exactly_once { self.received.is_held(ack) } else { self.owed.is_held(ack) };
        if !held {
            return Err(AckError::Stale);
        }
        let version = self.version();
        let reason = if version == Version::V3 { ReasonCode::SUCCESS } else { reason };
        if !reason.may_stand_in(PacketType::Puback) {
            return Err(AckError::Reason);
        }
        if !properties.is_empty() {
            let kind = if exactly_once { AckKind::Pubrec } else { AckKind::Puback };
            let packet = Ack { reason, properties, ..Ack::new(kind, ack.packet_id) };
            properties.check(kind.packet_type()).map_err(|_| AckError::Properties)?;
            // The next message with this identifier must not be answered by them.
            if version == Version::V3 || self.owed.owes(ack.packet_id, kind) {
                self.park_ack(&packet)?;
            }
        }
        self.settle(ack, reason);
        Ok(())
    }

    /// Says good-bye once everything accepted so far has been sent; until then nothing more is accepted.
    ///
    /// What is not acknowledged stays for the next connection. MQTT 3.1.1 has no place for the reason.
    pub const fn disconnect(&mut self, reason: ReasonCode) {
        let legal = reason.may_stand_in(PacketType::Disconnect);
        self.disconnecting = Some(if legal { reason } else { ReasonCode::UNSPECIFIED_ERROR });
    }

    /// The same with properties, on a connection that stands: a reason string, user properties, another
    /// session expiry interval, unless CONNECT had none (MQTT 5.0 §3.14.2.2.2).
    pub fn disconnect_with(
        &mut self,
        reason: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        if self.phase != Phase::Open || self.disconnecting.is_some() {
            return Err(SendError::NotNow);
        }
        if !reason.may_stand_in(PacketType::Disconnect) {
            return Err(SendError::Properties(crate::Malformed::Value));
        }
        properties.check(PacketType::Disconnect).map_err(SendError::Properties)?;
        let expiry_s = properties.session_expiry_interval_s();
        let revived = self.asked.fleeting && expiry_s.is_some_and(|expiry_s| expiry_s > 0);
        // [MQTT-3.14.2-2] is for servers: none of them sends an expiry interval.
        if revived || properties.server_reference().is_some() {
            return Err(SendError::Properties(crate::Malformed::Property));
        }
        let packet = Disconnect { reason, properties };
        self.park(&packet.with(self.version()), 0)?;
        self.disconnecting = Some(reason);
        Ok(())
    }

    /// Takes back a good-bye that was not said: messages are accepted again.
    ///
    /// For a session whose connection has ended, or did not come about, and that waits for the next one.
    pub const fn stay(&mut self) {
        self.disconnecting = None;
        self.leaving = false;
    }

    /// Says good-bye as soon as the packet that is going out has gone: what is accepted, from now on as
    /// well, goes out on the next connection.
    ///
    /// For changing connections on purpose. Nothing happens while no connection stands.
    pub const fn leave(&mut self) {
        self.leaving = matches!(self.phase, Phase::Open);
    }

    /// Sends AUTH: the answer to a step of the server's ([`ReasonCode::CONTINUE_AUTHENTICATION`]), or
    /// the first one of another authentication ([`ReasonCode::RE_AUTHENTICATE`]).
    ///
    /// The properties have the method of the CONNECT ([MQTT-4.12.1-1]) and the data of the step. AUTH
    /// goes ahead of everything else, but takes room in the outbox: leave some where messages are
    /// accepted before the connection stands.
    pub fn authenticate(
        &mut self,
        reason: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let begins = reason == ReasonCode::RE_AUTHENTICATE;
        let fits = match self.phase {
            Phase::Open if begins => self.turn == Turn::Nobody,
            Phase::Open | Phase::Opening => !begins && self.turn == Turn::Client,
            Phase::Offline => false,
        };
        // [MQTT-4.12.0-7] No AUTH where CONNECT has no method.
        if !self.asked.authenticates || self.authenticating || !fits {
            return Err(SendError::NotNow);
        }
        if reason == ReasonCode::SUCCESS {
            return Err(SendError::Properties(crate::Malformed::Value));
        }
        let packet = Auth { reason, properties };
        packet.check().map_err(SendError::Properties)?;
        self.park(&packet, 0)?;
        self.authenticating = true;
        self.turn = Turn::Server;
        Ok(())
    }

    /// Lets go of a message; says whether it was held.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn settle(&mut self, ack: AckToken, reason: ReasonCode) -> bool {
        if !ack.is_exactly_once() {
            return self.owed.settle(ack, reason);
        }
        let settled = self.received.settle(ack, reason);
        if settled {
            self.owed.settle_repeats(ack.packet_id, reason);
        }
        settled
    }

    fn park_ack(&mut self, packet: &Ack<'_>) -> Result<(), AckError> {
        let key = u32::from(packet.packet_id.value());
        self.park(&packet.with(self.version()), key).map_err(|error| match error {
            SendError::OutboxFull => AckError::OutboxFull,
            _ => AckError::Properties,
        })?;
        self.parked_acks = self.parked_acks.saturating_add(1);
        Ok(())
    }

    /// Puts a packet into the outbox that is asked for by its first byte and `key`.
    fn park(&mut self, packet: &impl Text, key: u32) -> Result<(), SendError> {
        if self.version() == Version::V3 {
            return Err(SendError::NotNow);
        }
        let len = Count::of(packet);
        // Before CONNACK, the limits are those of an earlier connection.
        if self.phase != Phase::Opening {
            self.limits.check_len(len).map_err(|_| SendError::TooLarge)?;
        }
        let at = self.place(len).map_err(|_| SendError::OutboxFull)?;
        packet.write(&mut Window::new(self.outbox.park(at, len, key), 0));
        Ok(())
    }

    fn accept(
        &mut self,
        head: &Head<'_>,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Token, PublishError> {
        self.check_head(head)?;
        let version = self.version();
        let acknowledged = head.qos != Qos::AtMostOnce;
        let body_len = body_len(version, head, len);
        let (id, token, place) = self.enqueue(body_len, Kept::Whole, acknowledged)?;
        let mut packet = Writer::new(place);
        put_head(&mut packet, version, head, false, id, len);
        if let Ok(place) = packet.reserve(len) {
            fill(place);
        }
        Ok(token)
    }

    /// Whether messages of this QoS can be sent, and asked for.
    fn takes(&self, qos: Qos) -> bool {
        qos.is_in_build() && qos <= self.config.qos_max
    }

    /// Whether a message may begin so.
    pub(super) fn check_head(&self, head: &Head<'_>) -> Result<(), PublishError> {
        check_topic(head.topic).map_err(PublishError::Topic)?;
        if !self.takes(head.qos) {
            return Err(PublishError::Qos);
        }
        head.check_properties(self.version()).map_err(PublishError::Properties)?;
        self.limits.check_message(head).map_err(PublishError::Limit)
    }

    fn wish(
        &mut self,
        wishes: Wishes<'_>,
        properties: Properties<'_>,
    ) -> Result<Token, SubscribeError> {
        // [MQTT-3.8.3-2], [MQTT-3.10.3-2] At least one filter.
        match wishes.len() {
            0 => return Err(SubscribeError::NoFilter),
            1..=FILTERS_MAX => {}
            _ => return Err(SubscribeError::TooManyFilters),
        }
        let version = self.version();
        let legal = match version {
            Version::V3 if !properties.is_empty() => Err(crate::Malformed::Property),
            _ => properties.check(wishes.packet_type()),
        };
        legal.map_err(SubscribeError::Properties)?;
        let body_len = wishes.body_len(version, &properties);
        let (id, token, place) = self.enqueue(body_len, Kept::Whole, true)?;
        if let Some(id) = id {
            wishes.put(version, properties, &mut Writer::new(place), id);
        }
        Ok(token)
    }

    /// Takes a place in the outbox, a token, and an identifier if the packet is acknowledged.
    pub(super) fn enqueue(
        &mut self,
        body_len: usize,
        kept: Kept,
        acknowledged: bool,
    ) -> Result<(Option<PacketId>, Token, &mut [u8]), PublishError> {
        if self.disconnecting.is_some() {
            return Err(PublishError::Disconnecting);
        }
        if body_len > PACKET_BODY_MAX {
            return Err(PublishError::TooLarge);
        }
        let len = FixedHeader::encoded_len(body_len).saturating_add(body_len);
        self.limits.check_len(len).map_err(PublishError::Limit)?;
        if acknowledged && self.slots.is_full() {
            return Err(PublishError::InflightFull);
        }
        let len = match kept {
            Kept::Whole => len,
            #[cfg(feature = "oversize")]
            Kept::Window(window, payload) => len.saturating_sub(payload).saturating_add(window),
        };
        let at = self.place(len).map_err(|no_room| match no_room {
            NoRoom::Now => PublishError::OutboxFull,
            NoRoom::Ever => PublishError::TooLarge,
        })?;
        let id = if acknowledged { self.slots.take(at) } else { None };
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        let key = id.map_or(0, PacketId::value);
        match kept {
            Kept::Whole => self.outbox.push(at, len, token, key),
            #[cfg(feature = "oversize")]
            Kept::Window(..) => self.outbox.push_streamed(at, len, token, key),
        };
        self.record_new(id, at);
        Ok((id, Token(token), self.outbox.packet_mut(at, len)))
    }

    /// Takes a place in the outbox; if that moved packets, the slots learn where they are now.
    pub(super) fn place(&mut self, len: usize) -> Result<usize, NoRoom> {
        let (at, moved) = self.outbox.place(len)?;
        if moved {
            self.relocate();
        }
        Ok(at)
    }

    /// Packets have been moved in the outbox.
    pub(super) fn relocate(&mut self) {
        let slots = &mut self.slots;
        self.outbox.for_each(|at, entry| {
            if let Some(id) = PacketId::new(entry.id) {
                slots.relocate(id, at);
            }
        });
    }
}
