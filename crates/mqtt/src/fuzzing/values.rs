//! Packets as a program makes them: any values.

use super::{
    input::{Input, Parts},
    packets,
};
use crate::{
    Ack, AckKind, Auth, Connack, Connect, Disconnect, Packet, PacketType, Publish, Qos, ReasonCode,
    Suback, Subscribe, Unsuback, Unsubscribe, Version, check_filter, check_topic,
};
use dunlin_octet::{Count, Text, Writer};

/// A packet of any values, in either version: if the standard allows them, its encoding decodes to
/// the same values, whatever follows; if it does not, what checks values says so, and so does what
/// decodes.
///
/// # Panics
/// When one of these does not hold.
pub fn values(data: &[u8]) {
    value(data, |_, _| {});
}

/// The same, and the encoding is handed to `each`.
///
/// # Panics
/// When something does not hold.
pub fn value(data: &[u8], each: impl FnOnce(Version, &[u8])) {
    let mut input = Input::new(data);
    let version = *input.pick(&[Version::V5, Version::V3]);
    let parts = Parts::take(version, &mut input);
    let packet = packet(version, &mut input, &parts);
    let text = packet.with(version);
    let len = Count::of(&text);
    // Another packet may follow at once.
    let mut memory = [0xe0; MEMORY];
    if len >= MEMORY {
        return;
    }
    text.write(&mut Writer::new(&mut memory));
    let whole = memory.get(..len).unwrap_or_default();
    let decoded = Packet::decode_front(version, memory.get(..=len).unwrap_or_default());
    if is_legal(version, &packet) {
        assert_eq!(decoded, Ok(Some((packet, len))), "{whole:x?}");
    } else {
        assert!(decoded.is_err(), "{packet:?} is taken for {decoded:?}");
    }
    packets(whole);
    each(version, whole);
}

/// Room for a packet with two long fields.
const MEMORY: usize = 40_000;

/// A packet with every field that the version has for it.
fn packet<'a>(version: Version, input: &mut Input<'a>, parts: &'a Parts<'a>) -> Packet<'a> {
    let properties = parts.properties();
    match input.byte() % 15 {
        0 => Packet::Connect(connect(version, input, parts)),
        1 => {
            let (session_present, any) = (input.flag(), input.reason());
            let old = ReasonCode::from_connack(any.value() % 6).unwrap_or(any);
            let reason = if version == Version::V3 { old } else { any };
            Packet::Connack(Connack { session_present, reason, properties })
        }
        2 => {
            let message = input.message(properties);
            let numbered = message.head.qos != Qos::AtMostOnce;
            let packet_id = numbered.then(|| input.packet_id());
            Packet::Publish(Publish { message, duplicate: input.flag(), packet_id })
        }
        3 => ack(version, AckKind::Puback, input, parts),
        4 => ack(version, AckKind::Pubrec, input, parts),
        5 => ack(version, AckKind::Pubrel, input, parts),
        6 => ack(version, AckKind::Pubcomp, input, parts),
        7 => {
            let subscribe = Subscribe::new(input.packet_id(), parts.wishes());
            Packet::Subscribe(subscribe.with_properties(properties))
        }
        8 => {
            let unsubscribe = Unsubscribe::new(input.packet_id(), parts.filters());
            Packet::Unsubscribe(unsubscribe.with_properties(properties))
        }
        9 => Packet::Suback(Suback { properties, ..Suback::new(input.packet_id(), parts.codes()) }),
        10 => {
            let codes = if version == Version::V3 { &[] } else { parts.codes() };
            Packet::Unsuback(Unsuback { properties, ..Unsuback::new(input.packet_id(), codes) })
        }
        11 => Packet::Pingreq,
        12 => Packet::Pingresp,
        13 => Packet::Disconnect(Disconnect { reason: reason(version, input), properties }),
        _ => Packet::Auth(Auth { reason: input.reason(), properties }),
    }
}

fn connect<'a>(version: Version, input: &mut Input<'a>, parts: &'a Parts<'a>) -> Connect<'a> {
    let mut connect = Connect {
        version,
        clean_session: input.flag(),
        keep_alive_s: input.u16(),
        properties: parts.properties(),
        ..Connect::new(input.text())
    };
    let fields = input.byte();
    if fields & 1 != 0 {
        connect.user_name = Some(input.text());
    }
    if fields & 2 != 0 {
        connect.password = Some(input.binary());
    }
    if fields & 4 != 0 {
        connect.will = Some(input.message(parts.will_properties()));
    }
    connect
}

fn ack<'a>(
    version: Version,
    kind: AckKind,
    input: &mut Input<'a>,
    parts: &'a Parts<'a>,
) -> Packet<'a> {
    let (packet_id, reason) = (input.packet_id(), reason(version, input));
    Packet::Ack(Ack { kind, packet_id, reason, properties: parts.properties() })
}

fn reason(version: Version, input: &mut Input<'_>) -> ReasonCode {
    match version {
        Version::V3 => ReasonCode::SUCCESS,
        Version::V5 => input.reason(),
    }
}

/// Whether the packet is one, as the checks for those who send have it.
fn is_legal(version: Version, packet: &Packet<'_>) -> bool {
    let newer = version == Version::V5;
    let fits = |reason: ReasonCode, packet_type| !newer || reason.may_stand_in(packet_type);
    let (packet_type, legal) = match packet {
        // That a client without a name wants its session kept is for the server to refuse
        // (v3.1.1: [MQTT-3.1.3-8]).
        Packet::Connect(it) => return Connect { clean_session: true, ..*it }.check().is_ok(),
        Packet::Connack(it) => (PacketType::Connack, fits(it.reason, PacketType::Connack)),
        Packet::Publish(it) => (PacketType::Publish, is_legal_publish(it)),
        Packet::Ack(it) => (it.kind.packet_type(), fits(it.reason, it.kind.packet_type())),
        Packet::Subscribe(it) if newer => return it.check().is_ok(),
        Packet::Subscribe(it) => return are_filters(it.subscriptions().map(|wish| wish.filter)),
        Packet::Unsubscribe(it) if newer => return it.check().is_ok(),
        Packet::Unsubscribe(it) => return are_filters(it.filters()),
        Packet::Suback(it) => {
            let known = |code: ReasonCode| matches!(code.value(), 0..=2 | 0x80);
            let known = |code| known(code) || newer && fits(code, PacketType::Suback);
            (PacketType::Suback, it.reasons.iter().all(known))
        }
        Packet::Unsuback(it) => {
            let known = |code| fits(code, PacketType::Unsuback);
            (PacketType::Unsuback, it.reasons.iter().all(known))
        }
        Packet::Pingreq | Packet::Pingresp => return true,
        Packet::Disconnect(it) => (PacketType::Disconnect, fits(it.reason, PacketType::Disconnect)),
        Packet::Auth(it) => return newer && it.check().is_ok(),
    };
    legal && packet.properties().check(packet_type).is_ok()
}

fn is_legal_publish(publish: &Publish<'_>) -> bool {
    let head = &publish.message.head;
    let by_alias = head.topic.is_empty() && head.properties.topic_alias().is_some();
    (check_topic(head.topic).is_ok() || by_alias)
        && (head.qos != Qos::AtMostOnce || !publish.duplicate)
}

/// A list of filters as MQTT 3.1.1 has it.
fn are_filters<'a>(filters: impl Iterator<Item = &'a str>) -> bool {
    let mut filters = filters.peekable();
    filters.peek().is_some() && filters.all(|filter| check_filter(filter).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_entry_point_holds_for_random_bytes() {
        let seed: u64 = 0xd1b5_4a32_d192_ed03;
        std::println!("seed {seed:#x}");
        let mut state = seed;
        let mut types = std::collections::BTreeSet::new();
        for _ in 0..20_000 {
            let mut bytes = [0; 96];
            for byte in &mut bytes {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = (state >> 32) as u8;
            }
            value(&bytes, |version, packet| {
                if let Ok(Some((_, len))) = Packet::decode_front(version, packet) {
                    assert_eq!(len, packet.len());
                    types.insert((version.level(), packet[0] >> 4));
                }
            });
        }
        // MQTT 3.1.1 has no AUTH.
        assert_eq!(types.len(), 29, "{types:?}");
    }
}
