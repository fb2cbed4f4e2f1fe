//! QoS 2, both ways (MQTT 3.1.1 §4.3.3).

use super::*;

fn ack(kind: AckKind, id: u16) -> Packet<'static> {
    Packet::Ack(Ack::new(kind, PacketId::new(id).unwrap()))
}

fn qos2(session: &mut Small, payload: &[u8]) -> Token {
    session.publish(&Message::new("t", payload, Qos::ExactlyOnce)).unwrap()
}

/// A message from the server; `None` when it is not handed over.
fn arrive(session: &mut Small, id: u16, duplicate: bool) -> Option<AckToken> {
    let message = Message::new("t", b"x", Qos::ExactlyOnce);
    let publish = Publish { message, duplicate, packet_id: PacketId::new(id) };
    session.handle_packet(&Packet::Publish(publish)).unwrap().map(|event| match event {
        Event::Message { ack, .. } => ack.unwrap(),
        other => panic!("{other:?}"),
    })
}

const PUBREL_1: &[u8] = &[0x62, 2, 0, 1];
const PUBREC_9: &[u8] = &[0x50, 2, 0, 9];
const PUBCOMP_9: &[u8] = &[0x70, 2, 0, 9];

/// v3.1.1: [MQTT-4.3.3-1]
#[test]
fn message_is_acknowledged_in_two_steps() {
    let mut session = open();
    let token = qos2(&mut session, b"x");
    assert_eq!(sent(&mut session), [b"\x34\x06\0\x01t\0\x01x"]);
    assert_eq!(session.handle_packet(&ack(AckKind::Pubrec, 1)), Ok(None));
    assert!(!session.is_idle(), "it is not over yet");
    assert_eq!(sent(&mut session), [PUBREL_1]);
    let event = session.handle_packet(&ack(AckKind::Pubcomp, 1));
    assert_eq!(
        event,
        Ok(Some(Event::Acknowledged {
            token,
            reason: ReasonCode::SUCCESS,
            properties: crate::Properties::NONE
        }))
    );
    assert!(session.is_idle() && session.in_flight() == 0);
}

/// v3.1.1: [MQTT-4.4.0-1] [MQTT-4.6.0-4]
///
/// PUBREL first where it is owed, in the order of the messages.
#[test]
fn released_messages_go_on_with_pubrel_after_a_reconnect() {
    let mut session = open();
    for payload in [b"a", b"b", b"c"] {
        qos2(&mut session, payload);
    }
    sent(&mut session);
    session.handle_packet(&ack(AckKind::Pubrec, 1)).unwrap();
    session.handle_packet(&ack(AckKind::Pubrec, 2)).unwrap();
    assert_eq!(session.poll_packet(), Some(PUBREL_1));
    session.handle_sent();
    connect(&mut session, true);
    let resent: [&[u8]; 3] = [PUBREL_1, &[0x62, 2, 0, 2], b"\x3c\x06\0\x01t\0\x03c"];
    assert_eq!(sent(&mut session), resent);
    session.handle_packet(&ack(AckKind::Pubrec, 2)).unwrap();
    assert_eq!(
        sent(&mut session),
        [[0x62, 2, 0, 2]],
        "a PUBREC that comes again is answered again"
    );
}

/// v3.1.1: [MQTT-3.1.2-6]
///
/// Nothing is a repetition of anything, on either side.
#[test]
fn clean_session_begins_without_what_was_under_way() {
    let mut session = open();
    qos1(&mut session, b"x");
    let first = b"\x32\x06\0\x01t\0\x01x";
    assert_eq!(sent(&mut session), [first]);
    assert!(arrive(&mut session, 9, false).is_some());
    for _ in 0..2 {
        session.handle_open(&asking(true));
        session.handle_packet(&connack(false, 0)).unwrap();
        assert_eq!(sent(&mut session), [first]);
        assert!(arrive(&mut session, 9, true).is_some(), "it is another message");
        assert_eq!(arrive(&mut session, 9, true), None);
    }
}

/// What the server has forgotten is a new message, whatever it had said before.
#[test]
fn released_messages_are_published_anew_when_the_session_is_lost() {
    let mut session = open();
    let token = qos2(&mut session, b"x");
    sent(&mut session);
    session.handle_packet(&ack(AckKind::Pubrec, 1)).unwrap();
    sent(&mut session);
    connect(&mut session, false);
    assert_eq!(sent(&mut session), [b"\x34\x06\0\x01t\0\x01x"]);
    session.handle_packet(&ack(AckKind::Pubrec, 1)).unwrap();
    assert_eq!(sent(&mut session), [PUBREL_1]);
    let event = session.handle_packet(&ack(AckKind::Pubcomp, 1)).unwrap();
    assert_eq!(
        event,
        Some(Event::Acknowledged {
            token,
            reason: ReasonCode::SUCCESS,
            properties: crate::Properties::NONE
        })
    );
}

#[test]
fn step_out_of_turn_is_misbehaved_and_an_unknown_one_is_not() {
    let mut session = open();
    qos2(&mut session, b"x");
    qos1(&mut session, b"y");
    sent(&mut session);
    for (kind, id) in [(AckKind::Pubcomp, 1), (AckKind::Pubrec, 2)] {
        let answer = session.handle_packet(&ack(kind, id));
        assert_eq!(answer, Err(Misbehaved::Acknowledgement.into()), "{kind:?} {id}");
    }
    session.handle_packet(&ack(AckKind::Pubrec, 1)).unwrap();
    let answer = session.handle_packet(&ack(AckKind::Puback, 1));
    assert_eq!(answer, Err(Misbehaved::Acknowledgement.into()), "it was taken at QoS 2");
    assert_eq!(sent(&mut session), [PUBREL_1]);
    assert_eq!(session.handle_packet(&ack(AckKind::Pubcomp, 3)), Ok(None));
    assert_eq!(session.handle_packet(&ack(AckKind::Pubrec, 3)), Ok(None));
    assert_eq!(sent(&mut session), [[0x62, 2, 0, 3]], "the server is to let go of it");
}

/// RabbitMQ, which has no QoS 2, answers each message so; MQTT 5.0 has words for it in CONNACK.
#[test]
fn exactly_once_that_is_taken_at_least_once_is_acknowledged() {
    let mut session = open();
    let token = qos2(&mut session, b"x");
    sent(&mut session);
    connect(&mut session, true);
    assert_eq!(sent(&mut session).len(), 1, "as long as it is not answered");
    let event = session.handle_packet(&ack(AckKind::Puback, 1));
    let (reason, properties) = (ReasonCode::SUCCESS, crate::Properties::NONE);
    assert_eq!(event, Ok(Some(Event::Acknowledged { token, reason, properties })));
    assert_eq!(session.in_flight(), 0);
    connect(&mut session, true);
    assert_eq!(sent(&mut session), [] as [&[u8]; 0]);
}

/// v3.1.1: [MQTT-4.3.3-2]
#[test]
fn message_that_comes_again_is_not_handed_over_again() {
    let mut session = open();
    arrive(&mut session, 9, false).unwrap();
    assert_eq!(sent(&mut session), [] as [&[u8]; 0], "the program still holds it");
    session.handle_release();
    assert_eq!(sent(&mut session), [PUBREC_9]);
    assert_eq!(arrive(&mut session, 9, true), None);
    assert_eq!(sent(&mut session), [PUBREC_9]);
    connect(&mut session, true);
    assert_eq!(arrive(&mut session, 9, true), None);
    assert_eq!(sent(&mut session), [PUBREC_9]);
    session.handle_packet(&ack(AckKind::Pubrel, 9)).unwrap();
    session.handle_packet(&ack(AckKind::Pubrel, 9)).unwrap();
    assert_eq!(sent(&mut session), [PUBCOMP_9, PUBCOMP_9], "a repeated PUBREL is answered again");
    assert!(arrive(&mut session, 9, false).is_some(), "the identifier stands for a new message");
}

/// A session that may be another one uses identifiers that we know for messages that we do not.
#[test]
fn message_of_an_uncertain_session_is_new_unless_it_is_marked_as_a_duplicate() {
    for duplicate in [true, false] {
        let mut session = open();
        arrive(&mut session, 9, false).unwrap();
        session.handle_open(&asking(false));
        session.handle_connect_sent();
        assert_eq!(connect(&mut session, true), Resumption::Uncertain);
        assert_eq!(arrive(&mut session, 9, duplicate).is_some(), !duplicate);
    }
}

/// A message that the program holds over a lost connection is acknowledged on the next one.
#[test]
fn held_message_is_acknowledged_over_a_lost_connection_and_handed_over_once() {
    let mut session = Small::new(vec![0; 200], Config::new().manual_acks());
    connect(&mut session, false);
    let token = arrive(&mut session, 9, false).unwrap();
    connect(&mut session, true);
    assert_eq!(arrive(&mut session, 9, true), None);
    assert_eq!(sent(&mut session), [] as [&[u8]; 0], "the program has not let go");
    session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
    assert_eq!(sent(&mut session), [PUBREC_9]);
    assert_eq!(session.acknowledge(token, ReasonCode::SUCCESS), Err(AckError::Stale));
    // Let go while there is no connection: acknowledged as soon as it comes again.
    let token = arrive(&mut session, 8, false).unwrap();
    session.handle_open(&asking(false));
    session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
    connect(&mut session, true);
    assert_eq!(arrive(&mut session, 8, true), None);
    assert_eq!(sent(&mut session), [[0x50, 2, 0, 8]]);
}

#[test]
fn token_of_an_earlier_message_does_not_acknowledge_a_later_one() {
    let mut session = Small::new(vec![0; 200], Config::new().manual_acks());
    connect(&mut session, false);
    let stale = arrive(&mut session, 9, false).unwrap();
    connect(&mut session, false);
    let token = arrive(&mut session, 9, false).unwrap();
    assert_eq!(session.acknowledge(stale, ReasonCode::SUCCESS), Err(AckError::Stale));
    session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
    assert_eq!(sent(&mut session), [PUBREC_9]);
}

/// v3.1.1: [MQTT-4.6.0-3]
#[test]
fn acknowledgements_of_both_kinds_leave_in_the_order_of_the_messages() {
    let mut session = Small::new(vec![0; 200], Config::new().manual_acks());
    connect(&mut session, false);
    let first = arrive(&mut session, 7, false).unwrap();
    let second = receive(&mut session, 8);
    let third = arrive(&mut session, 9, false).unwrap();
    assert!(!session.has_room_for(header(0x34)));
    for token in [third, second, first] {
        assert_eq!(sent(&mut session), [] as [&[u8]; 0]);
        session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
    }
    let expected = [[0x50, 2, 0, 7], [0x40, 2, 0, 8], [0x50, 2, 0, 9]];
    assert_eq!(sent(&mut session), expected);
}

/// Messages that the program holds over a lost connection leave no place: what comes then waits.
#[test]
fn message_waits_while_as_many_are_held_as_can_be_followed() {
    let mut session = Small::new(vec![0; 200], Config::new().manual_acks());
    connect(&mut session, false);
    let tokens = [7, 8, 9].map(|id| arrive(&mut session, id, false).unwrap());
    connect(&mut session, true);
    assert!(!session.has_room_for(header(0x34)) && session.has_room_for(header(0x32)));
    session.acknowledge(tokens[1], ReasonCode::SUCCESS).unwrap();
    assert!(session.has_room_for(header(0x34)));
    assert!(arrive(&mut session, 10, false).is_some());
}

/// A server with more under way than can be remembered is not cut off.
#[test]
fn oldest_message_is_forgotten_when_more_are_under_way_than_can_be_followed() {
    let mut session = open();
    for id in 1..=4 {
        arrive(&mut session, id, false).unwrap();
        session.handle_release();
        sent(&mut session);
    }
    for id in 2..=4 {
        assert_eq!(arrive(&mut session, id, true), None, "{id} is remembered");
        sent(&mut session);
    }
    assert!(arrive(&mut session, 1, true).is_some());
}

/// A server that was rolled back uses identifiers of messages that it had sent for others.
#[test]
fn known_identifier_with_another_content_is_another_message_unless_marked() {
    for (duplicate, payload, handed_over) in
        [(false, b"y", true), (false, b"x", false), (true, b"y", false)]
    {
        let mut session = open();
        arrive(&mut session, 9, false).unwrap();
        let message = Message::new("t", payload, Qos::ExactlyOnce);
        let publish = Publish { message, duplicate, packet_id: PacketId::new(9) };
        let event = session.handle_packet(&Packet::Publish(publish)).unwrap();
        assert_eq!(event.is_some(), handed_over);
    }
}

#[test]
fn message_waits_while_the_server_follows_as_many_as_it_may() {
    let mut session = Session::<Vec<u8>, 64>::new(vec![0; 4_000], Config::new());
    session.handle_open(&asking(false));
    session.handle_packet(&connack(false, 0)).unwrap();
    for _ in 0..EXACTLY_ONCE_MAX + 2 {
        session.publish(&Message::new("t", b"x", Qos::ExactlyOnce)).unwrap();
    }
    let sent = |session: &mut Session<Vec<u8>, 64>| {
        let mut count = 0;
        while session.poll_packet().is_some() {
            session.handle_sent();
            count += 1;
        }
        count
    };
    assert_eq!(sent(&mut session), EXACTLY_ONCE_MAX);
    session.handle_packet(&ack(AckKind::Pubrec, 1)).unwrap();
    assert_eq!(sent(&mut session), 1, "PUBREL; the server still follows it");
    session.handle_packet(&ack(AckKind::Pubcomp, 1)).unwrap();
    assert_eq!(sent(&mut session), 1);
    session.handle_open(&asking(false));
    session.handle_packet(&connack(true, 0)).unwrap();
    assert_eq!(sent(&mut session), EXACTLY_ONCE_MAX, "the same after a reconnect");
}

/// A server that has lost a session sends more than it could have under way beside what it has lost.
#[test]
fn messages_of_a_lost_session_make_room_for_those_of_an_uncertain_one() {
    for ids in [[9, 10, 11], [11, 10, 9], [1, 9, 10]] {
        let mut session = open();
        for id in [1, 2, 3] {
            arrive(&mut session, id, false).unwrap();
            session.handle_release();
        }
        session.handle_open(&asking(false));
        session.handle_connect_sent();
        assert_eq!(connect(&mut session, true), Resumption::Uncertain);
        for id in ids {
            assert!(arrive(&mut session, id, false).is_some(), "{id} of {ids:?}");
            session.handle_release();
            assert_eq!(sent(&mut session), [[0x50, 2, 0, id as u8]]);
            assert_eq!(arrive(&mut session, id, true), None, "{id} of {ids:?} is known");
            assert_eq!(sent(&mut session), [[0x50, 2, 0, id as u8]]);
        }
    }
}

/// Found by the simulation: the first of two acknowledgements never fell due, and held back the rest.
#[test]
fn message_that_comes_twice_while_the_program_holds_it_is_acknowledged_twice() {
    let mut session = Small::new(vec![0; 200], Config::new().manual_acks());
    connect(&mut session, false);
    let token = arrive(&mut session, 9, false).unwrap();
    assert_eq!(arrive(&mut session, 9, true), None);
    let other = arrive(&mut session, 8, false).unwrap();
    session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
    assert_eq!(sent(&mut session), [PUBREC_9, PUBREC_9]);
    session.acknowledge(other, ReasonCode::SUCCESS).unwrap();
    assert_eq!(sent(&mut session), [[0x50, 2, 0, 8]]);
    assert_eq!(session.unacknowledged(), 0);
}

/// A connection that ends before the program asks for the next event leaves nobody to let go.
#[test]
fn message_handed_over_last_counts_as_taken_on_the_next_connection() {
    let mut session = open();
    arrive(&mut session, 9, false).unwrap();
    connect(&mut session, true);
    assert_eq!(arrive(&mut session, 9, true), None);
    assert_eq!(sent(&mut session), [PUBREC_9]);
}

/// A server that releases what was not acknowledged does not block the acknowledgements behind it.
#[test]
fn release_of_a_held_message_holds_back_no_other() {
    let mut session = Small::new(vec![0; 200], Config::new().manual_acks());
    connect(&mut session, false);
    let held = arrive(&mut session, 9, false).unwrap();
    let other = arrive(&mut session, 8, false).unwrap();
    session.handle_packet(&ack(AckKind::Pubrel, 9)).unwrap();
    assert_eq!(session.acknowledge(held, ReasonCode::SUCCESS), Err(AckError::Stale));
    session.acknowledge(other, ReasonCode::SUCCESS).unwrap();
    assert_eq!(sent(&mut session), [PUBREC_9, &[0x50, 2, 0, 8], PUBCOMP_9]);
}

/// Repetitions take no place from the PUBREL of another message.
#[test]
fn pubrec_that_comes_again_before_its_pubrel_is_out_is_answered_once() {
    let mut session = open();
    for payload in [b"a", b"b", b"c"] {
        qos2(&mut session, payload);
    }
    sent(&mut session);
    for id in [1, 1, 2, 2, 3, 3] {
        session.handle_packet(&ack(AckKind::Pubrec, id)).unwrap();
    }
    assert_eq!(sent(&mut session), [PUBREL_1, &[0x62, 2, 0, 2], &[0x62, 2, 0, 3]]);
}
