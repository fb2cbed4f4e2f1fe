//! The client's session: what outlives connections.

use crate::{
    Ack, AckError, AckKind, Connack, Error, Head, Message, Misbehaved, Packet, PacketId,
    PacketType, Publish, PublishError, Qos, ReasonCode, Reasons, Suback, SubscribeError,
    Subscription,
    ack::bare,
    check_filter, check_topic,
    header::{FixedHeader, PACKET_BODY_MAX},
    outbox::{NoRoom, OUTBOX_MAX, Outbox},
    owed::Owed,
    publish::{body_len, put_head},
    slots::Slots,
    subscribe::{Subscribe, Wishes},
};
use dunlin_octet::{Buffer, Writer};

/// Most filters in one SUBSCRIBE or UNSUBSCRIBE.
const FILTERS_MAX: usize = 1_024;

/// Names a publish, subscribe or unsubscribe until its acknowledgement.
///
/// Tokens count up; after 2³² of them they come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(u32);

impl Token {
    /// Whether this exchange was begun no later than `other`, less than 2³¹ exchanges apart.
    pub const fn is_up_to(self, other: Self) -> bool {
        other.0.wrapping_sub(self.0) < 1 << 31
    }
}

/// Names a message that waits for its acknowledgement by the program; void with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AckToken {
    pub(crate) packet_id: PacketId,
    pub(crate) place: u16,
    pub(crate) epoch: u16,
}

/// Who says that a message of QoS 1 may be acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// Handing it over is enough: it is acknowledged once the program asks for the next event.
    #[default]
    Automatic,
    /// The program says so, by [`Session::acknowledge`].
    Manual,
}

/// What a session does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Who says that a message may be acknowledged.
    pub ack_mode: AckMode,
}

impl Config {
    /// The default configuration.
    pub const fn new() -> Self {
        Self { ack_mode: AckMode::Automatic }
    }

    /// Messages are acknowledged when the program says so.
    #[must_use]
    pub const fn manual_acks(self) -> Self {
        Self { ack_mode: AckMode::Manual }
    }
}

/// What the server knew of this client when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// Nothing, and nothing was expected: subscriptions are to be made.
    New,
    /// All of it: subscriptions stand, and what was not acknowledged is sent again.
    Resumed,
    /// Nothing, although a session should have been there: subscriptions are to be made again, messages
    /// sent meanwhile are gone.
    Lost,
}

/// Something that the program should know. Strings and payloads lie in the packet that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'p> {
    /// The server has accepted the connection.
    Connected(Resumption),
    /// A message has come.
    Message {
        /// The message itself.
        message: Message<'p>,
        /// Whether it may have come before.
        duplicate: bool,
        /// With QoS 1: what to acknowledge in [`AckMode::Manual`].
        ack: Option<AckToken>,
    },
    /// A message of QoS 1 has arrived at the server, or was refused there.
    Acknowledged {
        /// What [`Session::publish`] returned.
        token: Token,
        /// Yes, or why not.
        reason: ReasonCode,
    },
    /// A SUBSCRIBE is answered.
    Subscribed {
        /// What [`Session::subscribe`] returned.
        token: Token,
        /// The granted QoS or the refusal of each filter, in their order.
        reasons: Reasons<'p>,
    },
    /// An UNSUBSCRIBE is answered.
    Unsubscribed {
        /// What [`Session::unsubscribe`] returned.
        token: Token,
    },
}

/// How far the current connection has come.
///
/// ```text
///   Offline ─handle_open─▶ Opening ─CONNACK─▶ Open ─DISCONNECT sent─▶ Offline
///      ▲                      │                 │
///      └──────────────────────┴── the next handle_open starts over
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline,
    Opening { clean: bool },
    Open,
}

/// What [`Session::poll_packet`] has lent out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Current {
    Nothing,
    Ack([u8; 4]),
    Outbox,
    Disconnect,
}

/// Everything that survives a connection: messages that are not acknowledged, and the identifiers in
/// use.
///
/// `outbox` is memory for packets until they are acknowledged, with 12 bytes beside each; `INFLIGHT`
/// is how many exchanges can wait for an answer at a time, in each direction.
#[derive(Debug)]
pub struct Session<B, const INFLIGHT: usize> {
    outbox: Outbox<B>,
    slots: Slots<INFLIGHT>,
    owed: Owed<INFLIGHT>,
    config: Config,
    phase: Phase,
    current: Current,
    /// The message handed over last, to be acknowledged when the program comes back.
    held: Option<AckToken>,
    next_token: u32,
    sent: Option<Token>,
    /// The server has had a session of ours.
    established: bool,
    disconnecting: bool,
}

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// A session that has never been connected.
    pub const fn new(outbox: B, config: Config) -> Self {
        Self {
            outbox: Outbox::new(outbox),
            slots: Slots::new(),
            owed: Owed::new(),
            config,
            phase: Phase::Offline,
            current: Current::Nothing,
            held: None,
            next_token: 0,
            sent: None,
            established: false,
            disconnecting: false,
        }
    }

    /// Accepts a message, connected or not; it is kept until it is acknowledged (QoS 1) or sent (QoS 0).
    pub fn publish(&mut self, message: &Message<'_>) -> Result<Token, PublishError> {
        let payload = message.payload;
        self.publish_with(&message.head, payload.len(), |place| {
            dunlin_octet::copy(payload, place);
        })
    }

    /// The same for a payload of `len` bytes that `fill` writes straight to its place.
    pub fn publish_with(
        &mut self,
        head: &Head<'_>,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Token, PublishError> {
        check_topic(head.topic).map_err(PublishError::Topic)?;
        let acknowledged = match head.qos {
            Qos::AtMostOnce => false,
            Qos::AtLeastOnce => true,
            Qos::ExactlyOnce => return Err(PublishError::Qos),
        };
        let (id, token, place) = self.enqueue(body_len(head, len), acknowledged)?;
        let mut packet = Writer::new(place);
        put_head(&mut packet, head, false, id, len);
        if let Ok(place) = packet.reserve(len) {
            fill(place);
        }
        Ok(token)
    }

    /// Asks for messages; they come as [`Event::Message`], and the answer as [`Event::Subscribed`].
    pub fn subscribe(&mut self, filters: &[Subscription<'_>]) -> Result<Token, SubscribeError> {
        for subscription in filters {
            check_filter(subscription.filter).map_err(SubscribeError::Filter)?;
            if subscription.qos == Qos::ExactlyOnce {
                return Err(SubscribeError::Qos);
            }
        }
        self.wish(Wishes::Subscribe(filters))
    }

    /// Ends subscriptions; the answer is [`Event::Unsubscribed`].
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, SubscribeError> {
        for filter in filters {
            check_filter(filter).map_err(SubscribeError::Filter)?;
        }
        self.wish(Wishes::Unsubscribe(filters))
    }

    /// Lets the server forget a message that came in [`AckMode::Manual`].
    ///
    /// Acknowledgements go out in the order of the messages ([MQTT-4.6.0-2]): one that is held back
    /// holds back those behind it.
    pub fn acknowledge(&mut self, ack: AckToken) -> Result<(), AckError> {
        if self.owed.settle(ack) { Ok(()) } else { Err(AckError::Stale) }
    }

    /// Says good-bye once everything accepted so far has been sent; nothing more is accepted.
    ///
    /// What is not acknowledged stays for the next connection.
    pub const fn disconnect(&mut self) {
        self.disconnecting = true;
    }

    /// The newest exchange whose packet has gone out: a message of QoS 0 up to it is done.
    pub const fn sent(&self) -> Option<Token> {
        self.sent
    }

    /// How many exchanges wait for an answer.
    pub fn in_flight(&self) -> usize {
        usize::from(self.slots.used())
    }

    /// Whether everything accepted has been sent and, where it must be, acknowledged.
    pub const fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Whether DISCONNECT has gone out, or no connection was opened.
    pub const fn is_offline(&self) -> bool {
        matches!(self.phase, Phase::Offline)
    }

    /// Whether the server has accepted the current connection.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether a message of QoS 1 would find a place for its acknowledgement; until it does, its packet
    /// is to be left where it is.
    pub const fn has_room_for_message(&self) -> bool {
        !self.owed.is_full()
    }

    /// How many messages of QoS 1 wait for their acknowledgement by this side.
    pub const fn unacknowledged(&self) -> usize {
        self.owed.len()
    }

    /// A new connection begins with a CONNECT that asks for a clean session or not.
    ///
    /// Everything owed to the last one is void.
    pub fn handle_open(&mut self, clean: bool) {
        self.phase = Phase::Opening { clean };
        self.current = Current::Nothing;
        self.held = None;
        self.owed.reset();
        self.outbox.rewind();
        self.disconnecting = false;
    }

    /// The program has let go of the last event: its message may be acknowledged.
    pub fn handle_release(&mut self) {
        if let Some(ack) = self.held.take() {
            self.owed.settle(ack);
        }
    }

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

    /// The next packet to send, whole; the same one until [`Session::handle_sent`].
    pub fn poll_packet(&mut self) -> Option<&[u8]> {
        if self.current == Current::Nothing {
            self.current = self.next_current();
        }
        match &self.current {
            Current::Nothing => None,
            Current::Ack(bytes) => Some(bytes),
            Current::Outbox => self.outbox.current(),
            Current::Disconnect => Some(&DISCONNECT),
        }
    }

    /// The packet that [`Session::poll_packet`] lent out has been handed to the transport, all of it.
    pub fn handle_sent(&mut self) {
        match self.current {
            Current::Outbox => {
                if let Some(entry) = self.outbox.finish() {
                    let token = Token(entry.token);
                    if self.sent.is_none_or(|sent| sent.is_up_to(token)) {
                        self.sent = Some(token);
                    }
                }
            }
            Current::Disconnect => self.phase = Phase::Offline,
            Current::Nothing | Current::Ack(_) => {}
        }
        self.current = Current::Nothing;
    }

    /// Acknowledgements first, then packets in their order, then the good-bye.
    fn next_current(&mut self) -> Current {
        if self.phase != Phase::Open {
            return Current::Nothing;
        }
        if let Some(packet_id) = self.owed.due() {
            self.owed.pop();
            return Current::Ack(Ack { kind: AckKind::Puback, packet_id }.encode());
        }
        if self.outbox.current().is_some() {
            return Current::Outbox;
        }
        if self.disconnecting { Current::Disconnect } else { Current::Nothing }
    }

    fn wish(&mut self, wishes: Wishes<'_>) -> Result<Token, SubscribeError> {
        // [MQTT-3.8.3-3], [MQTT-3.10.3-2] At least one filter.
        match wishes.len() {
            0 => return Err(SubscribeError::NoFilter),
            1..=FILTERS_MAX => {}
            _ => return Err(SubscribeError::TooManyFilters),
        }
        let (id, token, place) = self.enqueue(wishes.body_len(), true)?;
        if let Some(id) = id {
            wishes.put(&mut Writer::new(place), id);
        }
        Ok(token)
    }

    /// Takes a place in the outbox, a token, and an identifier if the packet is acknowledged.
    fn enqueue(
        &mut self,
        body_len: usize,
        acknowledged: bool,
    ) -> Result<(Option<PacketId>, Token, &mut [u8]), PublishError> {
        if self.disconnecting {
            return Err(PublishError::Disconnecting);
        }
        if body_len > PACKET_BODY_MAX.min(OUTBOX_MAX) {
            return Err(PublishError::TooLarge);
        }
        if acknowledged && self.slots.is_full() {
            return Err(PublishError::InflightFull);
        }
        let len = FixedHeader::encoded_len(body_len).saturating_add(body_len);
        let (at, moved) = self.outbox.place(len).map_err(|no_room| match no_room {
            NoRoom::Now => PublishError::OutboxFull,
            NoRoom::Ever => PublishError::TooLarge,
        })?;
        if moved {
            self.relocate();
        }
        let id = if acknowledged { self.slots.take(at) } else { None };
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        let place = self.outbox.push(at, len, token, id.map_or(0, PacketId::value));
        Ok((id, Token(token), place))
    }

    /// Growing has moved packets: the slots learn where they are now.
    fn relocate(&mut self) {
        let slots = &mut self.slots;
        self.outbox.for_each(|at, entry| {
            if let Some(id) = PacketId::new(entry.id) {
                slots.relocate(id, at);
            }
        });
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
            return Err(Error::Refused(connack.reason));
        }
        let resumption = match (connack.session_present, clean, self.established) {
            (true, ..) => Resumption::Resumed,
            (false, false, true) => Resumption::Lost,
            (false, ..) => Resumption::New,
        };
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

const DISCONNECT: [u8; 2] = bare(PacketType::Disconnect);

fn packet_type(packet: &[u8]) -> Option<PacketType> {
    packet.first().copied().and_then(PacketType::from_first)
}

fn count(subscribe: &Subscribe<'_>) -> usize {
    subscribe.subscriptions().take(FILTERS_MAX).count()
}

#[cfg(test)]
mod tests;
