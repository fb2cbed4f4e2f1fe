//! Entry points for the fuzzer; any bytes may be given.

mod input;
mod packets;
mod values;

use crate::{
    Ack, AckKind, AckToken, Config, Connack, Connect, Disconnect, Event, FixedHeader, Message,
    Packet, PacketId, Properties, Publish, Qos, ReasonCode, Resumption, Session, Suback,
    Subscription, Unsuback, Version,
};
use dunlin_octet::{Reader, Text, Window};
pub use packets::packets;
pub use values::{value, values};

/// Commands and packets in any order, on any number of connections: whatever is sent is one packet,
/// no two exchanges share an identifier, no message of QoS 2 is handed over twice, and in the end
/// everything can be completed.
///
/// # Panics
/// When one of these does not hold.
pub fn session(data: &[u8]) {
    let mut input = Reader::new(data);
    let manual = input.u8().is_some_and(|byte| byte & 1 != 0);
    let config = if manual { Config::new().manual_acks() } else { Config::new() };
    let mut session = Fuzzed::new([0; OUTBOX], config);
    let mut held = None;
    let mut handed_over = HandedOver::NOTHING;
    while let Some(byte) = input.u8() {
        match byte & 0x0f {
            0..=7 => command(&mut session, byte, &mut input),
            8 => session.handle_open(&asking(byte & 0x10 != 0)),
            9 => send(&mut session),
            10 => session.handle_release(),
            11 => {
                if let Some(ack) = held.take() {
                    let _ = session.acknowledge(ack, ReasonCode::SUCCESS);
                }
            }
            12 => session.disconnect(ReasonCode::SUCCESS),
            13 => {
                let ack = input.u8().and_then(|byte| step(&mut session, &mut handed_over, byte));
                held = ack.or(held);
            }
            _ => held = receive(&mut session, &mut handed_over, &mut input).or(held),
        }
        assert!(session.in_flight() <= INFLIGHT && session.unacknowledged() <= INFLIGHT);
        assert!(!session.is_idle() || session.in_flight() == 0);
    }
    complete(&mut session);
}

/// A CONNECT that asks for a clean session or not.
fn asking(clean_session: bool) -> Connect<'static> {
    Connect { clean_session, ..Connect::new("c") }
}

const INFLIGHT: usize = 4;
const OUTBOX: usize = 300;

type Fuzzed = Session<[u8; OUTBOX], INFLIGHT>;

/// Something that the program wants; a refusal changes nothing.
fn command(session: &mut Fuzzed, byte: u8, input: &mut Reader<'_>) {
    let before = (session.in_flight(), session.is_idle());
    let len = usize::from(input.u8().unwrap_or_default());
    let payload = [byte; 255];
    let payload = payload.get(..len).unwrap_or_default();
    let qos = match byte & 0x31 {
        0x00 | 0x10 | 0x20 | 0x30 => Qos::AtMostOnce,
        0x01 | 0x11 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    };
    let accepted = match byte & 0x06 {
        0 | 2 => session.publish(&Message::new("t/x", payload, qos)).is_ok(),
        4 => session.subscribe(&[Subscription::new("t/#", qos)]).is_ok(),
        _ => session.unsubscribe(&["t/#", "u"]).is_ok(),
    };
    assert!(accepted || before == (session.in_flight(), session.is_idle()));
}

/// The next packet goes out: exactly one, the same however often it is asked for.
fn send(session: &mut Fuzzed) {
    let Some(packet) = session.poll_packet() else { return };
    let len = packet.len();
    let decoded = Packet::decode_front(Version::V3, packet).map(|front| front.map(|(_, len)| len));
    assert_eq!(decoded, Ok(Some(len)), "{packet:x?}");
    assert_eq!(session.poll_packet().map(<[u8]>::len), Some(len));
    session.handle_sent();
}

/// A packet of the server's, as the rest of the input has it.
fn receive(
    session: &mut Fuzzed,
    handed_over: &mut HandedOver,
    input: &mut Reader<'_>,
) -> Option<AckToken> {
    let (packet, len) = Packet::decode_front(Version::V3, input.rest()).ok()??;
    input.take(len);
    handle(session, handed_over, &packet)
}

/// A packet that moves an exchange on, or a connection, in one byte: what it is, and an identifier.
fn step(session: &mut Fuzzed, handed_over: &mut HandedOver, byte: u8) -> Option<AckToken> {
    let packet_id = PacketId::new(u16::from(byte & 0x07).saturating_add(1))?;
    let ack = |kind| Packet::Ack(Ack::new(kind, packet_id));
    let publish = |duplicate| {
        let message = Message::new("t", b"x", Qos::ExactlyOnce);
        Packet::Publish(Publish { message, duplicate, packet_id: Some(packet_id) })
    };
    let connack = |session_present| {
        Packet::Connack(Connack {
            session_present,
            reason: ReasonCode::SUCCESS,
            properties: Properties::NONE,
        })
    };
    let packet = match byte >> 3 & 0x07 {
        0 => ack(AckKind::Puback),
        1 => ack(AckKind::Pubrec),
        2 => ack(AckKind::Pubrel),
        3 => ack(AckKind::Pubcomp),
        4 => publish(false),
        5 => publish(true),
        6 => connack(false),
        _ => connack(true),
    };
    handle(session, handed_over, &packet)
}

/// The session is given a packet, if it has room for what is owed then.
fn handle(
    session: &mut Fuzzed,
    handed_over: &mut HandedOver,
    packet: &Packet<'_>,
) -> Option<AckToken> {
    let mut front = [0; 5];
    packet.with(Version::V3).write(&mut Window::new(&mut front, 0));
    let header = FixedHeader::decode(Version::V3, &front).ok().flatten();
    if header.is_some_and(|(header, _)| !session.has_room_for(header)) {
        return None;
    }
    let event = session.handle_packet(packet);
    if let Ok(event) = &event {
        handed_over.handle(packet, event.as_ref());
    }
    match event {
        Ok(Some(Event::Message { ack, .. })) => ack,
        _ => None,
    }
}

/// The identifiers below 64 of messages of QoS 2 that were handed over and not released since.
struct HandedOver {
    ids: u64,
    /// The server has more under way than can be followed, uses an identifier again before it has
    /// released it, or uses one that is not watched here: nothing is promised any more.
    void: bool,
}

impl HandedOver {
    const NOTHING: Self = Self { ids: 0, void: false };

    fn handle(&mut self, packet: &Packet<'_>, event: Option<&Event<'_>>) {
        let bit = |id: PacketId| 1_u64.checked_shl(u32::from(id.value())).unwrap_or(0);
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

/// A good connection at last: every exchange ends, every place is free.
fn complete(session: &mut Fuzzed) {
    session.handle_open(&asking(false));
    let connack = Connack {
        session_present: false,
        reason: ReasonCode::SUCCESS,
        properties: Properties::NONE,
    };
    let connected = session.handle_packet(&Packet::Connack(connack));
    assert!(matches!(connected, Ok(Some(Event::Connected { .. }))));
    // A packet of the outbox takes 12 bytes and its own two at the least.
    let mut packets = 0_usize;
    let mut newest = None;
    while let Some(bytes) = session.poll_packet() {
        packets = packets.saturating_add(1);
        assert!(packets <= OUTBOX / 14 + INFLIGHT, "no end of packets");
        let Ok(Some((packet, _))) = Packet::decode_front(Version::V3, bytes) else {
            assert_eq!(bytes, [], "no packet");
            return;
        };
        let answer = answer(&packet);
        session.handle_sent();
        let Some(answer) = answer else { continue };
        let half = matches!(answer, Packet::Ack(ack) if ack.kind == AckKind::Pubrec);
        let event = session.handle_packet(&answer);
        assert!(
            matches!(event, Ok(event) if event.is_some() != half),
            "{answer:?} was answered with {event:?}"
        );
        if let Ok(Some(Event::Acknowledged { token, .. })) = event {
            assert!(newest.is_none_or(|newest| newest != token), "one token, two messages");
            newest = Some(token);
        }
    }
    assert!(session.is_idle() && session.in_flight() == 0);
}

/// What an honest server says to a packet.
fn answer(packet: &Packet<'_>) -> Option<Packet<'static>> {
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
            Some(Packet::Suback(Suback::new(subscribe.packet_id, &[0x80])))
        }
        Packet::Unsubscribe(unsubscribe) => {
            Some(Packet::Unsuback(Unsuback::new(unsubscribe.packet_id, &[])))
        }
        other => {
            assert_eq!(
                other,
                &Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS)),
                "sent unasked"
            );
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
