//! A session under any commands and any packets, beside a model of what it may send.

use crate::{
    Ack, AckKind, AckToken, Config, Connack, Connect, Event, FixedHeader, Message, Misbehaved,
    Packet, PacketId, Properties, Property, Publish, Qos, ReasonCode, Records, Resumption, Session,
    Suback, Subscription, Token, Unsuback, Version,
};
use core::num::{NonZeroU16, NonZeroU32};
use dunlin_octet::{Reader, Text, Window};

/// Commands and packets in any order, on any number of connections, in either version: whatever is sent
/// is one packet within the limits of the server, no two exchanges share an identifier, no message of
/// QoS 2 is handed over twice, and in the end everything can be completed.
///
/// # Panics
/// When one of these does not hold.
pub fn session(data: &[u8]) {
    let mut input = Reader::new(data);
    let flags = input.u8().unwrap_or_default();
    let config = if flags & 1 != 0 { Config::new().manual_acks() } else { Config::new() };
    let config = if flags & 4 != 0 { config.adopting_sessions() } else { config };
    let version = if flags & 2 != 0 { Version::V5 } else { Version::V3 };
    let mut fuzzed = Fuzzed::new(config.version(version));
    let mut held = None;
    while let Some(byte) = input.u8() {
        match byte & 0x0f {
            0..=6 => fuzzed.command(byte, &mut input),
            7 => fuzzed.tick(byte),
            8 => {
                fuzzed.open(&asking(version, byte & 0x10 != 0, byte & 0x20 != 0));
                if byte & 0x40 != 0 {
                    fuzzed.session.handle_connect_sent();
                }
            }
            9 if byte & 0x10 != 0 => fuzzed.send_piece(),
            9 => fuzzed.send(),
            10 => fuzzed.session.handle_release(),
            11 => {
                if let Some(ack) = held.take() {
                    fuzzed.acknowledge(ack, byte);
                }
            }
            12 if byte & 0x20 != 0 => fuzzed.abandon(),
            12 => fuzzed.disconnect(byte),
            13 => {
                let ack = input.u8().and_then(|byte| fuzzed.step(byte, &mut input));
                held = ack.or(held);
            }
            _ => held = fuzzed.receive(&mut input).or(held),
        }
        let session = &fuzzed.session;
        assert!(session.in_flight() <= INFLIGHT && session.unacknowledged() <= INFLIGHT);
        assert!(!session.is_idle() || session.in_flight() == 0);
    }
    fuzzed.complete(|_| {});
}

/// A CONNECT that asks for a clean session or not, and authenticates or not.
pub(super) fn asking(
    version: Version,
    clean_session: bool,
    authenticates: bool,
) -> Connect<'static> {
    const PROPERTIES: &[Property<'_>] =
        &[Property::SessionExpiryInterval(60), Property::AuthenticationMethod("m")];
    let used = match (version, authenticates) {
        (Version::V3, _) => &[],
        (Version::V5, true) => PROPERTIES,
        (Version::V5, false) => PROPERTIES.get(..1).unwrap_or_default(),
    };
    let properties = Properties::new(used);
    Connect { version, clean_session, properties, ..Connect::new("c") }
}

pub(super) const INFLIGHT: usize = 4;
pub(super) const OUTBOX: usize = 300;
/// More than the outbox, and a few records beside it.
pub(super) const EXPORT: usize = OUTBOX + 200;

/// The least Maximum Packet Size of a server: every acknowledgement fits.
const PACKET_SIZE_MIN: u32 = 16;

pub(super) type Small = Session<[u8; OUTBOX], INFLIGHT>;

pub(super) struct Fuzzed {
    pub(super) session: Small,
    /// The newest message whose payload is supplied while it goes out.
    pub(super) streamed: Option<Token>,
    pub(super) handed_over: HandedOver,
    /// The identifiers below 64 of messages that went out on this connection and have no answer.
    followed: u64,
}

fn bit(id: PacketId) -> u64 {
    1_u64.checked_shl(u32::from(id.value())).unwrap_or(0)
}

impl Fuzzed {
    pub(super) const fn new(config: Config) -> Self {
        let session = Session::new([0; OUTBOX], config);
        Self { session, streamed: None, handed_over: HandedOver::NOTHING, followed: 0 }
    }

    fn version(&self) -> Version {
        self.session.version()
    }

    pub(super) fn open(&mut self, connect: &Connect<'_>) {
        self.session.handle_open(connect);
        self.followed = 0;
    }

    /// Something that the program wants; a refusal changes nothing.
    pub(super) fn command(&mut self, byte: u8, input: &mut Reader<'_>) {
        let session = &mut self.session;
        let before = (session.in_flight(), session.is_idle());
        let len = usize::from(input.u8().unwrap_or_default());
        let payload = [byte; 255];
        let payload = payload.get(..len).unwrap_or_default();
        let qos = match byte & 0x31 {
            0x00 | 0x10 | 0x20 | 0x30 => Qos::AtMostOnce,
            0x01 | 0x11 => Qos::AtLeastOnce,
            _ => Qos::ExactlyOnce,
        };
        let data = [Property::UserProperty(("name", "value"))];
        let used = if byte & 0x40 == 0 { &[][..] } else { &data[..] };
        let properties = Properties::new(used);
        let accepted = match byte & 0x06 {
            0 | 2 => {
                let message = Message::new("t/x", payload, qos).with_properties(properties);
                match byte & 0x82 {
                    0x82 => self.publish_stream(&message.head, len),
                    _ => session.publish(&message).is_ok(),
                }
            }
            4 => session.subscribe_with(&[Subscription::new("t/#", qos)], properties).is_ok(),
            _ if byte & 0x80 == 0 => session.unsubscribe_with(&["t/#", "u"], properties).is_ok(),
            _ => {
                let list = [Property::AuthenticationMethod("m")];
                let again = byte & 0x40 != 0;
                let reason = match again {
                    true => ReasonCode::RE_AUTHENTICATE,
                    false => ReasonCode::CONTINUE_AUTHENTICATION,
                };
                let _ = session.authenticate(reason, Properties::new(&list));
                return;
            }
        };
        let session = &self.session;
        assert!(accepted || before == (session.in_flight(), session.is_idle()));
    }

    pub(super) fn acknowledge(&mut self, ack: AckToken, byte: u8) {
        let list = [Property::ReasonString("why")];
        let used = if byte & 0x20 == 0 { &[][..] } else { &list[..] };
        let reason =
            if byte & 0x10 == 0 { ReasonCode::SUCCESS } else { ReasonCode::QUOTA_EXCEEDED };
        let acknowledged = self.session.acknowledge_with(ack, reason, Properties::new(used));
        if acknowledged.is_ok() && reason.is_error() && self.version() == Version::V5 {
            // A message that is refused is at an end: its identifier may come again. Until the server
            // hears of it, it takes a place beside those that the server counts.
            self.handed_over.ids &= !bit(ack.packet_id);
            self.handed_over.void = true;
        }
    }

    fn disconnect(&mut self, byte: u8) {
        let list = [Property::ReasonString("why")];
        let properties = Properties::new(&list);
        let reason = ReasonCode::SUCCESS;
        if byte & 0x10 == 0 || self.session.disconnect_with(reason, properties).is_err() {
            self.session.disconnect(reason);
        }
    }

    fn tick(&mut self, byte: u8) {
        self.session.handle_tick();
        if byte & 0x10 != 0 && self.session.is_overdue(2) {
            self.session.resend_overdue(2);
        }
    }

    /// The next packet goes out: exactly one, the same however often it is asked for.
    pub(super) fn send(&mut self) {
        while self.session.poll_rejected().is_some() {}
        let (version, limits) = (self.version(), *self.session.limits());
        let Some(sent) = self.send_packet().filter(|sent| !sent.is_rest()) else { return };
        let (packet, len) = (sent.bytes(), sent.bytes().len());
        let Ok(Some((decoded, decoded_len))) = Packet::decode_front(version, packet) else {
            assert_eq!(packet, [], "no packet");
            return;
        };
        assert_eq!(decoded_len, len, "{packet:x?}");
        // [MQTT-3.2.2-15]; an AUTH before CONNACK knows no limits yet.
        let early = matches!(decoded, Packet::Auth(_));
        assert!(early || u32::try_from(len).is_ok_and(|len| len <= limits.maximum_packet_size));
        if let (Packet::Publish(publish), Version::V5) = (&decoded, version) {
            assert!(publish.message.head.qos <= limits.maximum_qos);
            let id = publish.packet_id.map_or(0, bit);
            // [MQTT-4.4.0-1], [MQTT-4.9.0-2]
            assert_eq!(self.followed & id, 0, "sent twice on one connection");
            self.followed |= id;
            assert!(self.followed.count_ones() <= u32::from(limits.receive_maximum));
        }
    }

    /// A packet of the server's, as the rest of the input has it.
    pub(super) fn receive(&mut self, input: &mut Reader<'_>) -> Option<AckToken> {
        let (packet, len) = Packet::decode_front(self.version(), input.rest()).ok()??;
        input.take(len);
        self.handle(&packet)
    }

    /// A packet that moves an exchange on, or a connection, in one byte: what it is, and an identifier.
    pub(super) fn step(&mut self, byte: u8, input: &mut Reader<'_>) -> Option<AckToken> {
        let packet_id = PacketId::new(u16::from(byte & 0x07).saturating_add(1))?;
        let refused = input.u8().is_some_and(|byte| byte & 0x07 == 0x07);
        let ack = |kind| {
            let reason = match refused {
                true if self.version() == Version::V5 => ReasonCode::QUOTA_EXCEEDED,
                _ => ReasonCode::SUCCESS,
            };
            Packet::Ack(Ack { reason, ..Ack::new(kind, packet_id) })
        };
        let publish = |duplicate| {
            let message = Message::new("t", b"x", Qos::ExactlyOnce);
            Packet::Publish(Publish { message, duplicate, packet_id: Some(packet_id) })
        };
        let size = u32::from(input.u8().unwrap_or_default()).saturating_add(PACKET_SIZE_MIN);
        let limits = [
            Property::MaximumPacketSize(NonZeroU32::new(size)?),
            Property::ReceiveMaximum(NonZeroU16::new(packet_id.value())?),
            Property::MaximumQos(Qos::AtLeastOnce),
            Property::AuthenticationMethod("m"),
        ];
        let used = usize::try_from(size & 3).unwrap_or_default();
        let limits = limits.get(..used).unwrap_or_default();
        let connack = |session_present| {
            let properties = match self.version() {
                Version::V3 => Properties::NONE,
                Version::V5 => Properties::new(limits),
            };
            let reason = ReasonCode::SUCCESS;
            Packet::Connack(Connack { session_present, reason, properties })
        };
        let packet = match byte >> 3 & 0x07 {
            0 => ack(AckKind::Puback),
            1 => ack(AckKind::Pubrec),
            2 => Packet::Ack(Ack::new(AckKind::Pubrel, packet_id)),
            3 => Packet::Ack(Ack::new(AckKind::Pubcomp, packet_id)),
            4 => publish(false),
            5 => publish(true),
            6 => connack(false),
            _ => connack(true),
        };
        self.handle(&packet)
    }

    /// The session is given a packet, if it has room for what is owed then.
    fn handle(&mut self, packet: &Packet<'_>) -> Option<AckToken> {
        let mut front = [0; 5];
        packet.with(self.version()).write(&mut Window::new(&mut front, 0));
        let header = FixedHeader::decode(self.version(), &front).ok().flatten();
        if header.is_some_and(|(header, _)| !self.session.has_room_for(header)) {
            return None;
        }
        let event = self.session.handle_packet(packet);
        match &event {
            Ok(event) => self.handed_over.handle(packet, event.as_ref()),
            // The connection is over.
            Err(_) => self.followed = 0,
        }
        if let Packet::Ack(ack) = packet {
            let last = match ack.kind {
                AckKind::Pubrec => ack.reason.is_error(),
                AckKind::Pubrel => false,
                AckKind::Puback | AckKind::Pubcomp => true,
            };
            if last && matches!(event, Ok(Some(_))) {
                self.followed &= !bit(ack.packet_id);
            }
        }
        match event {
            Ok(Some(Event::Message { ack, .. })) => ack,
            Err(error) => {
                // The good-bye of this side, without a word of the program's.
                let exceeded = error == Misbehaved::ReceiveMaximum.into();
                assert!(!exceeded || self.version() == Version::V5);
                self.session.handle_open(&asking(self.version(), false, false));
                None
            }
            _ => None,
        }
    }

    /// The process has crashed: `session` is what goes on, and `has` says whose messages it remembers.
    pub(super) fn crash(&mut self, session: Small, has: impl Fn(PacketId) -> bool) {
        self.session = session;
        self.followed = 0;
        let ids = (1..64).filter_map(PacketId::new).filter(|id| has(*id));
        let kept = ids.fold(0, |ids, id| ids | bit(id));
        // One that was released since, which no store has seen, may come as another.
        self.handed_over.void |= kept & !self.handed_over.ids != 0;
        self.handed_over.ids &= kept;
    }

    /// A good connection at last: every exchange ends, every place is free.
    ///
    /// `follow` is called before each packet, for a store to take what is new.
    pub(super) fn complete(&mut self, mut follow: impl FnMut(&mut Small)) {
        self.open(&asking(self.version(), false, false));
        let connack = Connack {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            properties: Properties::NONE,
        };
        let connected = self.session.handle_packet(&Packet::Connack(connack));
        assert!(matches!(connected, Ok(Some(Event::Connected { .. }))));
        // A packet of the outbox takes 12 bytes and its own two at the least.
        let mut packets = 0_usize;
        let mut newest = None;
        let version = self.version();
        let ordered = tokens_are_in_order(&export(&self.session).0);
        loop {
            follow(&mut self.session);
            let Some(sent) = self.send_packet() else { break };
            let (session, bytes) = (&mut self.session, sent.bytes());
            packets = packets.saturating_add(1);
            assert!(packets <= OUTBOX / 14 + INFLIGHT, "no end of packets");
            let Ok(Some((packet, _))) = Packet::decode_front(version, bytes) else {
                assert_eq!(bytes, [], "no packet");
                return;
            };
            let Some(answer) = answer(version, &packet) else { continue };
            let half = matches!(answer, Packet::Ack(ack) if ack.kind == AckKind::Pubrec);
            let event = session.handle_packet(&answer);
            assert!(
                matches!(event, Ok(event) if event.is_some() != half),
                "{answer:?} was answered with {event:?}"
            );
            if let Ok(Some(Event::Acknowledged { token, .. })) = event {
                let new = newest.is_none_or(|newest| newest != token);
                assert!(new || !ordered, "one token, two messages");
                newest = Some(token);
            }
        }
        assert!(self.session.is_idle() && self.session.in_flight() == 0);
    }
}

/// All that the session says to a store, and how long it is.
pub(super) fn export(session: &Small) -> ([u8; EXPORT], usize) {
    let mut memory = [0; EXPORT];
    let len = session.export(&mut memory);
    assert_eq!(len, Ok(session.export_len()));
    (memory, len.unwrap_or_default())
}

/// Whether each message's token comes behind the one before it, and the next one behind all of them, as
/// every session writes them.
pub(super) fn tokens_are_in_order(export: &[u8]) -> bool {
    const ADDED: u8 = 2;
    let mut records = Records::new(export);
    let next = records.next().and_then(|standing| standing.last_chunk::<4>().copied());
    let next = u32::from_be_bytes(next.unwrap_or_default());
    let mut distance = 1 << 31;
    records.all(|record| match record {
        [ADDED, _, _, a, b, c, d, ..] => {
            let before = distance;
            distance = next.wrapping_sub(u32::from_be_bytes([*a, *b, *c, *d]));
            (1..before).contains(&distance)
        }
        _ => true,
    })
}

/// The identifiers below 64 of messages of QoS 2 that were handed over and not released since.
pub(super) struct HandedOver {
    ids: u64,
    /// The server has more under way than can be followed, uses an identifier again before it has
    /// released it, or uses one that is not watched here: nothing is promised any more.
    pub(super) void: bool,
}

impl HandedOver {
    const NOTHING: Self = Self { ids: 0, void: false };

    fn handle(&mut self, packet: &Packet<'_>, event: Option<&Event<'_>>) {
        match (packet, event) {
            (Packet::Ack(Ack { kind: AckKind::Pubrel, packet_id, .. }), _) => {
                self.ids &= !bit(*packet_id);
            }
            // Where the session is not the one that was, its identifiers mean nothing.
            (_, Some(Event::Connected { resumption: Resumption::New | Resumption::Lost, .. })) => {
                *self = Self::NOTHING;
            }
            (_, Some(Event::Connected { resumption: Resumption::Uncertain, .. })) => {
                self.void = true
            }
            (Packet::Publish(publish), Some(_)) if publish.message.head.qos == Qos::ExactlyOnce => {
                let bit = publish.packet_id.map_or(0, bit);
                let again = self.ids & bit != 0;
                self.void |= bit == 0 || (again && !publish.duplicate);
                assert!(self.void || !again, "{packet:?} is handed over again");
                self.ids |= bit;
                self.void |= usize::try_from(self.ids.count_ones()).is_ok_and(|n| n > INFLIGHT);
            }
            _ => {}
        }
    }
}

/// What an honest server says to a filter, of which no more are in a packet than its bytes.
const REFUSED: [u8; OUTBOX] = [0x80; OUTBOX];
const DONE: [u8; OUTBOX] = [0; OUTBOX];

/// What an honest server says to a packet.
fn answer(version: Version, packet: &Packet<'_>) -> Option<Packet<'static>> {
    let ack = |kind, packet_id| Some(Packet::Ack(Ack::new(kind, packet_id)));
    match packet {
        Packet::Publish(publish) => {
            assert!(!publish.duplicate, "the server has no session");
            let exactly_once = publish.message.head.qos == Qos::ExactlyOnce;
            let kind = if exactly_once { AckKind::Pubrec } else { AckKind::Puback };
            ack(kind, publish.packet_id?)
        }
        Packet::Ack(Ack { kind: AckKind::Pubrel, packet_id, .. }) => {
            ack(AckKind::Pubcomp, *packet_id)
        }
        Packet::Subscribe(subscribe) => {
            let codes = REFUSED.get(..subscribe.subscriptions().count()).unwrap_or_default();
            Some(Packet::Suback(Suback::new(subscribe.packet_id, codes)))
        }
        Packet::Unsubscribe(unsubscribe) => {
            let count = if version == Version::V5 { unsubscribe.filters().count() } else { 0 };
            let codes = DONE.get(..count).unwrap_or_default();
            Some(Packet::Unsuback(Unsuback::new(unsubscribe.packet_id, codes)))
        }
        other => {
            assert!(matches!(other, Packet::Disconnect(_)), "{other:?} is sent unasked");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_entry_point_holds_for_random_bytes() {
        let seed: u64 = 0x2545_f491_4f6c_dd1d;
        std::println!("seed {seed:#x}");
        let mut state = seed;
        for _ in 0..20_000 {
            let mut bytes = [0; 60];
            for byte in &mut bytes {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = (state >> 32) as u8;
            }
            session(&bytes);
        }
    }
}
