//! The client's session: what outlives connections.

mod receive;

use crate::{
    Ack, AckError, AckKind, AckToken, Config, Head, Message, PacketId, PacketType, PublishError,
    Qos, ReasonCode, SubscribeError, Subscription, Token,
    ack::bare,
    check_filter, check_topic,
    header::{FixedHeader, PACKET_BODY_MAX},
    line::Line,
    outbox::{NoRoom, OUTBOX_MAX, Outbox},
    owed::Owed,
    publish::{body_len, put_head},
    received::Received,
    slots::Slots,
    subscribe::Wishes,
};
use dunlin_octet::{Buffer, Writer};

/// Most filters in one SUBSCRIBE or UNSUBSCRIBE.
const FILTERS_MAX: usize = 1_024;

/// Most messages of QoS 2 under way to a server of MQTT 3.1.1, which cannot say how many it follows:
/// mosquitto ends a connection at its 21st.
pub const EXACTLY_ONCE_MAX: usize = 16;

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
    /// Messages of QoS 2 whose PUBREC has come: PUBREL is to be sent.
    released: Line<INFLIGHT>,
    /// Messages of QoS 2 whose PUBREL has come: PUBCOMP is to be sent.
    completed: Line<INFLIGHT>,
    received: Received<INFLIGHT>,
    /// Messages of QoS 2 that the server is following now.
    unfinished: usize,
    config: Config,
    phase: Phase,
    current: Current,
    /// The message handed over last, to be acknowledged when the program comes back.
    held: Option<AckToken>,
    next_token: u32,
    sent: Option<Token>,
    /// The server has had a session of ours.
    established: bool,
    /// A CONNECT has had no answer: it may have made a session that we do not know.
    unanswered: bool,
    disconnecting: bool,
}

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// A session that has never been connected.
    pub const fn new(outbox: B, config: Config) -> Self {
        Self {
            outbox: Outbox::new(outbox),
            slots: Slots::new(),
            owed: Owed::new(),
            released: Line::new(),
            completed: Line::new(),
            received: Received::new(),
            unfinished: 0,
            config,
            phase: Phase::Offline,
            current: Current::Nothing,
            held: None,
            next_token: 0,
            sent: None,
            established: false,
            unanswered: false,
            disconnecting: false,
        }
    }

    /// Accepts a message, connected or not; it is kept until it is acknowledged, or sent (QoS 0).
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
        for subscription in filters {
            check_filter(subscription.filter).map_err(SubscribeError::Filter)?;
            if subscription.qos > self.config.qos_max {
                return Err(SubscribeError::Qos);
            }
        }
        self.wish(Wishes::Subscribe(filters))
    }

    /// Ends subscriptions; the answer is [`Event::Unsubscribed`](crate::Event::Unsubscribed).
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, SubscribeError> {
        for filter in filters {
            check_filter(filter).map_err(SubscribeError::Filter)?;
        }
        self.wish(Wishes::Unsubscribe(filters))
    }

    /// Lets the server forget a message that came in [`AckMode::Manual`](crate::AckMode::Manual).
    ///
    /// Acknowledgements go out in the order of the messages ([MQTT-4.6.0-2]): one that is held back
    /// holds back those behind it.
    /// The reason is for MQTT 5; 3.1.1 has no place for it, and a PUBACK there always says yes.
    pub fn acknowledge(&mut self, ack: AckToken, _reason: ReasonCode) -> Result<(), AckError> {
        if self.settle(ack) { Ok(()) } else { Err(AckError::Stale) }
    }

    /// Says good-bye once everything accepted so far has been sent; until then nothing more is accepted.
    ///
    /// What is not acknowledged stays for the next connection.
    /// The reason is for MQTT 5; 3.1.1 has no place for it.
    pub const fn disconnect(&mut self, _reason: ReasonCode) {
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

    /// Whether what is owed for a packet of the server's would find a place; until it does, PUBLISH above
    /// QoS 0 and PUBREL are to be left where they are.
    pub const fn has_room_for_message(&self) -> bool {
        !self.owed.is_full() && !self.completed.is_full()
    }

    /// How many messages above QoS 0 wait for their acknowledgement by this side.
    pub const fn unacknowledged(&self) -> usize {
        self.owed.len()
    }

    /// A new connection begins with a CONNECT that asks for a clean session or not.
    ///
    /// Everything owed to the last one is void.
    pub fn handle_open(&mut self, clean: bool) {
        self.unanswered |= matches!(self.phase, Phase::Opening { .. });
        self.phase = Phase::Opening { clean };
        self.current = Current::Nothing;
        // What was handed over last is not handed over again, and so counts as taken.
        self.handle_release();
        self.owed.reset();
        self.released.clear();
        self.completed.clear();
        self.outbox.rewind();
        self.disconnecting = false;
    }

    /// The program has let go of the last event: its message may be acknowledged.
    pub fn handle_release(&mut self) {
        if let Some(ack) = self.held.take() {
            self.settle(ack);
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
                if self.outbox.current().is_some_and(is_exactly_once) {
                    self.unfinished = self.unfinished.saturating_add(1);
                }
                if let Some(entry) = self.outbox.finish() {
                    let token = Token(entry.token);
                    if self.sent.is_none_or(|sent| sent.is_up_to(token)) {
                        self.sent = Some(token);
                    }
                }
            }
            Current::Disconnect => {
                self.phase = Phase::Offline;
                self.disconnecting = false;
            }
            Current::Nothing | Current::Ack(_) => {}
        }
        self.current = Current::Nothing;
    }

    /// Acknowledgements first, then packets in their order, then the good-bye.
    fn next_current(&mut self) -> Current {
        if self.phase != Phase::Open {
            return Current::Nothing;
        }
        if let Some(ack) = self.owed.due() {
            self.owed.pop();
            return Current::Ack(ack.encode());
        }
        let lines =
            [(AckKind::Pubcomp, &mut self.completed), (AckKind::Pubrel, &mut self.released)];
        for (kind, line) in lines {
            if let Some(packet_id) = line.pop() {
                return Current::Ack(Ack::new(kind, packet_id).encode());
            }
        }
        if let Some(packet) = self.outbox.current() {
            let waits = is_exactly_once(packet) && self.unfinished >= EXACTLY_ONCE_MAX;
            return if waits { Current::Nothing } else { Current::Outbox };
        }
        if self.disconnecting { Current::Disconnect } else { Current::Nothing }
    }

    /// Lets go of a message; says whether it was held.
    fn settle(&mut self, ack: AckToken) -> bool {
        if !ack.is_exactly_once() {
            return self.owed.settle(ack);
        }
        let settled = self.received.settle(ack);
        if settled {
            self.owed.settle_repeats(ack.packet_id);
        }
        settled
    }

    fn accept(
        &mut self,
        head: &Head<'_>,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Token, PublishError> {
        check_topic(head.topic).map_err(PublishError::Topic)?;
        if head.qos > self.config.qos_max {
            return Err(PublishError::Qos);
        }
        let acknowledged = head.qos != Qos::AtMostOnce;
        let (id, token, place) =
            self.enqueue(body_len(crate::Version::V3, head, len), acknowledged)?;
        let mut packet = Writer::new(place);
        put_head(&mut packet, crate::Version::V3, head, false, id, len);
        if let Ok(place) = packet.reserve(len) {
            fill(place);
        }
        Ok(token)
    }

    fn wish(&mut self, wishes: Wishes<'_>) -> Result<Token, SubscribeError> {
        // v3.1.1: [MQTT-3.8.3-3], [MQTT-3.10.3-2] At least one filter.
        match wishes.len() {
            0 => return Err(SubscribeError::NoFilter),
            1..=FILTERS_MAX => {}
            _ => return Err(SubscribeError::TooManyFilters),
        }
        let (id, token, place) =
            self.enqueue(wishes.body_len(crate::Version::V3, &crate::Properties::NONE), true)?;
        if let Some(id) = id {
            wishes.put(crate::Version::V3, crate::Properties::NONE, &mut Writer::new(place), id);
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
}

/// Whether a packet is a message of QoS 2.
fn is_exactly_once(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first & 0xf6 == PacketType::Publish.first() | 0x04)
}

const DISCONNECT: [u8; 2] = bare(PacketType::Disconnect);

#[cfg(test)]
mod tests;
