//! Answers that do not come (MQTT 3.1.1 §4.4).

use super::*;

/// v3.1.1: [MQTT-4.4.0-1] [MQTT-3.3.1-1]
#[test]
fn what_is_overdue_is_sent_again_as_a_duplicate() {
    let mut session = open();
    qos1(&mut session, b"1");
    session.publish(&Message::new("t", b"2", Qos::ExactlyOnce)).unwrap();
    session.subscribe(&FILTERS).unwrap();
    let subscribe = sent(&mut session).remove(2);
    let pubrec = Packet::Ack(Ack::new(AckKind::Pubrec, PacketId::new(2).unwrap()));
    session.handle_tick();
    session.handle_packet(&pubrec).unwrap();
    assert_eq!(sent(&mut session), [[0x62, 2, 0, 2]]);
    assert!(session.is_overdue(1) && !session.is_overdue(2));
    session.resend_overdue(2);
    assert_eq!(sent(&mut session), [] as [&[u8]; 0]);
    session.resend_overdue(1);
    assert_eq!(sent(&mut session), [&b"\x3a\x06\0\x01t\0\x011"[..], &subscribe]);
    assert!(!session.is_overdue(1), "the time begins anew");
    session.handle_tick();
    session.resend_overdue(1);
    let packets = sent(&mut session);
    assert_eq!(packets[0], [0x62, 2, 0, 2]);
    assert_eq!(packets.len(), 3);
    session.handle_packet(&puback(1)).unwrap();
    let suback = Packet::Suback(Suback::new(PacketId::new(3).unwrap(), &[0, 0]));
    session.handle_packet(&suback).unwrap();
    let pubcomp = Packet::Ack(Ack::new(AckKind::Pubcomp, PacketId::new(2).unwrap()));
    assert!(session.handle_packet(&pubcomp).unwrap().is_some());
    for _ in 0..40 {
        session.handle_tick();
        assert!(!session.is_overdue(1));
    }
}

/// Found by the simulation, seed 152: the answer to the first of two ended the connection.
#[test]
fn subscription_that_went_out_twice_may_be_answered_twice() {
    let mut session = open();
    session.subscribe(&FILTERS).unwrap();
    sent(&mut session);
    session.handle_tick();
    session.resend_overdue(1);
    assert_eq!(sent(&mut session).len(), 1);
    let suback = Packet::Suback(Suback::new(PacketId::new(1).unwrap(), &[0, 0]));
    assert!(session.handle_packet(&suback).unwrap().is_some());
    assert_eq!(session.handle_packet(&suback), Ok(None));
    session.handle_open(&asking(false));
    session.handle_packet(&connack(true, 0)).unwrap();
    assert_eq!(session.handle_packet(&suback), Err(Misbehaved::Acknowledgement.into()));
}

#[test]
fn nothing_is_overdue_that_has_not_gone_out_on_this_connection() {
    let mut session = session();
    qos1(&mut session, b"1");
    for _ in 0..10 {
        session.handle_tick();
        assert!(!session.is_overdue(1), "offline");
    }
    connect(&mut session, false);
    sent(&mut session);
    session.handle_tick();
    assert!(session.is_overdue(1));
    session.handle_open(&asking(false));
    assert!(!session.is_overdue(0), "there is no connection yet");
    session.handle_packet(&connack(true, 0)).unwrap();
    assert!(!session.is_overdue(1), "not sent again yet");
    session.publish(&Message::new("t", b"", Qos::AtMostOnce)).unwrap();
    sent(&mut session);
    session.handle_tick();
    session.handle_packet(&puback(1)).unwrap();
    assert!(!session.is_overdue(1), "QoS 0 has no answer");
}

/// Found here: a server that followed as many as it may got none of them again.
#[test]
fn messages_are_sent_again_although_the_server_follows_no_more() {
    let mut session = Session::<Vec<u8>, 64>::new(vec![0; 4_000], Config::new());
    session.handle_open(&asking(false));
    session.handle_packet(&connack(false, 0)).unwrap();
    for _ in 0..=EXACTLY_ONCE_MAX {
        session.publish(&Message::new("t", b"x", Qos::ExactlyOnce)).unwrap();
    }
    let sent = |session: &mut Session<Vec<u8>, 64>| {
        let mut firsts = Vec::new();
        while let Some(packet) = session.poll_packet() {
            firsts.push(packet[0]);
            session.handle_sent();
        }
        firsts
    };
    assert_eq!(sent(&mut session), [0x34; EXACTLY_ONCE_MAX]);
    session.handle_tick();
    session.resend_overdue(1);
    assert_eq!(sent(&mut session), [0x3c; EXACTLY_ONCE_MAX]);
    assert_eq!(sent(&mut session), [] as [u8; 0]);
}
