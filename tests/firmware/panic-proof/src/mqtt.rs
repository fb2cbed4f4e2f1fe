//! dunlin-mqtt: every packet in and out, topics, and a session with everything it does.

use crate::opaque::{bytes, keep, memory, number, show, text};
use dunlin_mqtt::{
    Config, Connect, Event, FixedHeader, Message, Oversize, Packet, PacketId, PacketType,
    Properties, Property, Publish, Qos, ReasonCode, Session, Subscription, Version, check_filter,
    check_topic, matches,
};
use dunlin_octet::{Count, Text, Window};

/// What the proof and the table of sizes take for a small device.
pub type Small<'a> = Session<&'a mut [u8], 4>;

pub fn all() {
    topics();
    let mut array = [0; 256];
    let version = if number() > 1 { Version::V3 } else { Version::V5 };
    let config = Config::new().version(version);
    let config = if number() > 0 { config } else { config.manual_acks().adopting_sessions() };
    let config = config.oversize(if number() > 3 { Oversize::Stream } else { Oversize::Skip });
    let config = if number() > 4 { config.journaled() } else { config };
    let mut session = Session::new(memory(&mut array), config);
    commands(&mut session);
    session.handle_open(&Connect { clean_session: number() > 2, ..Connect::new(text()) });
    five(bytes());
    let mut rest = bytes();
    loop {
        match Packet::decode_front(version, rest) {
            Ok(None) => break,
            Ok(Some((packet, len))) => {
                write(version, &packet);
                handle(&mut session, &packet);
                rest = rest.get(len..).unwrap_or_default();
            }
            Err(malformed) => {
                show(&malformed);
                return show(&malformed.reason());
            }
        }
        while let Some(packet) = session.poll_packet() {
            keep(packet);
            session.handle_sent();
        }
        supply(&mut session);
        session.handle_tick();
        if session.is_overdue(number() as u16) {
            session.resend_overdue(number() as u16);
        }
        keep(session.poll_rejected());
    }
    store(&mut session, config);
    session.disconnect(ReasonCode::SUCCESS);
    keep((session.sent(), session.in_flight(), session.unacknowledged()));
    keep((session.is_idle(), session.is_offline(), session.is_open()));
    if let Ok(Some((header, _))) = FixedHeader::decode(version, bytes()) {
        keep(session.has_room_for(header));
    }
    keep((session.version(), *session.limits(), session.expiry_s()));
}

/// What a store is told, and takes up again.
fn store(session: &mut Small<'_>, config: Config) {
    let mut array = [0; 256];
    let kept = memory(&mut array);
    while let Ok(Some(len)) = session.poll_record(kept) {
        keep(len);
    }
    session.handle_recorded();
    keep((session.is_recorded(), session.has_unrecorded(), session.export_len()));
    if let Err(error) = session.export(kept) {
        show(&error);
    }
    let mut array = [0; 256];
    let mut restored: Small<'_> = Session::new(memory(&mut array), config);
    if let Err(error) = restored.import(bytes()) {
        show(&error);
    }
    keep(restored.restore(bytes()));
    keep(restored.is_idle());
}

/// MQTT 5.0 in and out, as a client and as a server.
fn five(mut rest: &[u8]) {
    while let Ok(Some((packet, len))) = Packet::decode_front(Version::V5, rest) {
        write(Version::V5, &packet);
        packet.properties().iter().for_each(keep);
        keep(packet.properties().reason_string());
        packet.properties().user_properties().for_each(keep);
        packet.properties().subscription_identifiers().for_each(keep);
        match &packet {
            Packet::Connect(connect) => keep(connect.check()),
            Packet::Subscribe(subscribe) => {
                subscribe.subscriptions().for_each(keep);
                keep(subscribe.check());
            }
            Packet::Unsubscribe(unsubscribe) => {
                unsubscribe.filters().for_each(keep);
                keep(unsubscribe.check());
            }
            Packet::Unsuback(unsuback) => unsuback.reasons.iter().for_each(keep),
            Packet::Auth(auth) => keep(auth.check()),
            _ => {}
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    let list = [Property::ReasonString(text()), Property::UserProperty((text(), text()))];
    let properties = Properties::new(&list);
    keep(properties.check_will());
    if let Err(malformed) = properties.check(PacketType::Connack) {
        show(&malformed);
    }
    let message = Message::new(text(), bytes(), Qos::AtLeastOnce).with_properties(properties);
    let publish = Publish { message, duplicate: false, packet_id: PacketId::new(number() as u16) };
    write(Version::V5, &Packet::Publish(publish));
}

fn topics() {
    keep(check_topic(text()));
    keep(check_filter(text()));
    keep(matches(text(), text()));
}

fn write(version: Version, packet: &Packet<'_>) {
    let mut array = [0; 64];
    let mut window = Window::new(memory(&mut array), number());
    packet.with(version).write(&mut window);
    keep((window.filled(), Count::of(&packet.with(version))));
}

fn commands(session: &mut Small<'_>) {
    let qos = Qos::from_bits(number() as u8).unwrap_or(Qos::AtLeastOnce);
    if let Err(error) = session.publish(&Message::new(text(), bytes(), qos).retained()) {
        show(&error);
    }
    keep(session.publish_with(&Message::new(text(), &[], qos).head, number(), |place| keep(place)));
    if let Err(error) = session.subscribe(&[Subscription::new(text(), qos)]) {
        show(&error);
    }
    keep(session.unsubscribe(&[text()]));
    let list = [Property::ReasonString(text()), Property::UserProperty((text(), text()))];
    let properties = Properties::new(&list);
    let message = Message::new(text(), bytes(), qos).with_properties(properties);
    keep(session.publish(&message));
    keep(session.subscribe_with(&[Subscription::new(text(), qos)], properties));
    keep(session.unsubscribe_with(&[text()], properties));
    let reason = ReasonCode::new(number() as u8);
    if let Err(error) = session.authenticate(reason, properties) {
        show(&error);
    }
    keep(session.disconnect_with(reason, properties));
}

/// A payload while it goes out, as far as it goes.
pub fn supply(session: &mut Small<'_>) {
    let head = Message::new(text(), &[], Qos::ExactlyOnce).head;
    match session.publish_stream(&head, number(), number()) {
        Ok(token) if number() > 1 => keep(session.abandon(token)),
        Ok(token) => keep(token),
        Err(error) => show(&error),
    }
    while let Some(wanted) = session.wanted() {
        keep(session.supply(wanted, bytes()));
        keep(session.poll_piece());
        session.handle_sent();
    }
    keep(session.take_cut_off());
}

fn handle(session: &mut Small<'_>, packet: &Packet<'_>) {
    if let Packet::Publish(publish) = packet {
        keep(Publish::head_len(session.version(), number() as u8, bytes()));
        keep(session.is_long_repeat(publish, number()));
        keep(session.handle_begin(publish, number()));
        keep(session.handle_end());
    }
    session.handle_release();
    match session.handle_packet(packet) {
        Ok(Some(Event::Message { ack: Some(ack), .. })) => {
            let list = [Property::ReasonString(text())];
            let reason = ReasonCode::new(number() as u8);
            if let Err(error) = session.acknowledge_with(ack, reason, Properties::new(&list)) {
                show(&error);
            }
        }
        Ok(Some(Event::Subscribed { reasons, .. })) => reasons.iter().for_each(keep),
        Ok(event) => keep(event),
        Err(error) => show(&error),
    }
}
