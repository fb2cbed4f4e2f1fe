//! What goes out: order, quota, identifiers.

use super::*;

/// [MQTT-4.3.1-1], v3.1.1: [MQTT-4.3.1-1]
/// [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3]
/// v3.1.1: [MQTT-4.3.2-1]
#[test]
fn new_messages_have_identifiers_of_their_own_and_are_no_duplicates() {
    let mut five = Five::open(&[]);
    five.publish(b"0", Qos::AtMostOnce);
    let first = five.publish(b"1", Qos::AtLeastOnce);
    let second = five.publish(b"2", Qos::ExactlyOnce);
    let sent = five.sent();
    assert_eq!(sent[0], [0x30, 5, 0, 1, b't', 0, b'0']);
    assert_eq!(sent[1..], [publication(1, 1, b'1'), publication(2, 2, b'2')]);
    assert_eq!(five.session.in_flight(), 2, "both wait");
    assert_eq!(five.give(&[0x40, 2, 0, 1]), done(first, ReasonCode::SUCCESS));
    five.pass(&[0x50, 2, 0, 2]);
    five.publish(b"3", Qos::AtLeastOnce);
    five.publish(b"4", Qos::AtLeastOnce);
    let expected = [&[0x62, 2, 0, 2][..], &publication(1, 3, b'3'), &publication(1, 4, b'4')]
        .map(<[u8]>::to_vec);
    assert_eq!(five.sent(), expected, "2 is still in use");
    assert_eq!(five.give(&[0x70, 2, 0, 2]), done(second, ReasonCode::SUCCESS));
}

/// [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-3.3.4-9] [MQTT-4.9.0-3]
#[test]
fn full_quota_holds_back_messages_and_nothing_else() {
    let mut five = Five::open(RECEIVE_MAXIMUM_2);
    let tokens = [b"a", b"b", b"c"].map(|payload| five.publish(payload, Qos::AtLeastOnce));
    assert_eq!(five.sent(), [publication(1, 1, b'a'), publication(1, 2, b'b')]);
    five.arrive(2, 9);
    five.session.handle_release();
    assert_eq!(five.sent(), [[0x50, 2, 0, 9]]);
    five.pass(&[0x62, 2, 0, 9]);
    assert_eq!(five.sent(), [[0x70, 2, 0, 9]]);
    five.pass(&[0x50, 2, 0, 77]);
    assert_eq!(five.sent(), [[0x62, 3, 0, 77, 0x92]]);
    assert_eq!(five.give(&[0x40, 2, 0, 2]), done(tokens[1], ReasonCode::SUCCESS));
    assert_eq!(five.sent(), [publication(1, 3, b'c')]);
}

/// [MQTT-3.3.4-9]
#[test]
fn requests_overtake_messages_that_wait_for_quota() {
    let mut session: Session<_, 8> = Session::new(vec![0; 500], Config::new().version(Version::V5));
    let connect = Connect { version: Version::V5, ..Connect::new("c") };
    session.handle_open(&connect);
    let connack = accepted(false, &[0x21, 0, 1]);
    let connack = Packet::decode_front(Version::V5, &connack).unwrap().unwrap().0;
    session.handle_packet(&connack).unwrap();
    assert_eq!(session.poll_rejected(), None);
    let publish = |session: &mut Session<_, 8>, payload, qos| {
        session.publish(&Message::new("t", payload, qos)).unwrap();
    };
    publish(&mut session, b"a", Qos::AtLeastOnce);
    publish(&mut session, b"b", Qos::ExactlyOnce);
    publish(&mut session, b"0", Qos::AtMostOnce);
    session.subscribe(&[Subscription::new("s", Qos::AtMostOnce)]).unwrap();
    publish(&mut session, b"c", Qos::AtLeastOnce);
    session.unsubscribe(&["u"]).unwrap();
    let sent = |session: &mut Session<_, 8>| {
        let mut front = Vec::new();
        while let Some(packet) = session.poll_packet() {
            front.push((packet[0], packet[packet.len() - 1]));
            session.handle_sent();
        }
        front
    };
    assert_eq!(sent(&mut session), [(0x32, b'a'), (0x82, 0), (0xa2, b'u')]);
    session.handle_packet(&puback(1)).unwrap();
    assert_eq!(sent(&mut session), [(0x34, b'b'), (0x30, b'0')], "in their order");
    let ack = |kind| Packet::Ack(Ack::new(kind, PacketId::new(2).unwrap()));
    session.handle_packet(&ack(AckKind::Pubrec)).unwrap();
    assert_eq!(sent(&mut session), [(0x62, 2)], "a PUBREC gives no quota back");
    session.handle_packet(&ack(AckKind::Pubcomp)).unwrap();
    assert_eq!(sent(&mut session), [(0x32, b'c')]);
}

/// [MQTT-4.9.0-2]
#[test]
fn quota_comes_back_with_pubcomp_or_a_refusing_pubrec() {
    let mut five = Five::open(RECEIVE_MAXIMUM_2);
    for payload in [b"a", b"b", b"c"] {
        five.publish(payload, Qos::ExactlyOnce);
    }
    assert_eq!(five.sent().len(), 2);
    five.pass(&[0x50, 2, 0, 1]);
    assert_eq!(five.sent(), [[0x62, 2, 0, 1]]);
    assert!(five.give(&[0x50, 3, 0, 2, 0x97]).unwrap().is_some());
    assert_eq!(five.sent(), [publication(2, 3, b'c')]);
    five.publish(b"d", Qos::ExactlyOnce);
    assert_eq!(five.sent(), NOTHING);
    assert!(five.give(&[0x70, 2, 0, 1]).unwrap().is_some());
    assert_eq!(five.sent().len(), 1);
}

/// [MQTT-4.9.0-1] [MQTT-4.9.0-2]
///
/// The quota of a connection is its own, and messages that were released count in it.
#[test]
fn quota_begins_anew_with_each_connection() {
    let mut five = Five::open(&[]);
    for payload in [b"a", b"b", b"c"] {
        five.publish(payload, Qos::ExactlyOnce);
    }
    assert_eq!(five.sent().len(), 3);
    five.pass(&[0x50, 2, 0, 1]);
    five.resume(&[0x21, 0, 1]);
    assert_eq!(five.sent(), [[0x62, 2, 0, 1]]);
    assert!(five.give(&[0x70, 2, 0, 1]).unwrap().is_some());
    assert_eq!(five.sent(), [again(2, 2, b'b')]);
    five.resume(RECEIVE_MAXIMUM_2);
    assert_eq!(five.sent(), [again(2, 2, b'b'), again(2, 3, b'c')]);
}

/// [MQTT-4.4.0-2]
///
/// PUBACK with a refusal is the outcome of the exchange.
#[test]
fn refused_message_is_reported_with_its_reason_and_never_sent_again() {
    for (qos, ack, reason) in [
        (Qos::AtLeastOnce, 0x40, 0x97),
        (Qos::AtLeastOnce, 0x40, 0x10),
        (Qos::ExactlyOnce, 0x50, 0x87),
    ] {
        let mut five = Five::open(&[]);
        let token = five.publish(b"x", qos);
        five.sent();
        let reason = ReasonCode::new(reason);
        assert_eq!(five.give(&[ack, 3, 0, 1, reason.value()]), done(token, reason));
        five.assert_idle();
        five.resume(&[]);
        five.assert_idle();
    }
}

#[test]
fn explanation_of_a_refusal_reaches_the_program() {
    let mut five = Five::open(&[]);
    five.publish(b"x", Qos::AtLeastOnce);
    five.sent();
    match five.give(b"\x40\x0a\0\x01\x97\x06\x1f\0\x03why") {
        Ok(Some(Event::Acknowledged { properties, .. })) => {
            assert_eq!(properties.reason_string(), Some("why"));
        }
        other => panic!("{other:?}"),
    }
}

/// PUBREC and PUBCOMP say together what became of a message.
#[test]
fn outcome_of_qos_2_is_what_pubrec_said() {
    for (pubrec, pubcomp, outcome) in [(0, 0, 0), (0x10, 0, 0x10), (0, 0x92, 0), (0x10, 0x92, 0x10)]
    {
        let mut five = Five::open(&[]);
        let token = five.publish(b"x", Qos::ExactlyOnce);
        five.sent();
        five.pass(&[0x50, 3, 0, 1, pubrec]);
        assert_eq!(five.sent(), [[0x62, 2, 0, 1]]);
        assert_eq!(five.give(&[0x70, 3, 0, 1, pubcomp]), done(token, ReasonCode::new(outcome)));
        five.assert_idle();
    }
}

/// [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.3.3-7]
#[test]
fn released_message_is_not_published_again_while_the_session_lasts() {
    let mut five = Five::open(&[]);
    let expiring = [Property::MessageExpiryInterval(0)];
    let message = Message::new("t", b"x", Qos::ExactlyOnce);
    five.session.publish(&message.with_properties(Properties::new(&expiring))).unwrap();
    five.sent();
    five.pass(&[0x50, 2, 0, 1]);
    for _ in 0..3 {
        five.resume(&[]);
        assert_eq!(five.sent(), [[0x62, 2, 0, 1]]);
    }
    assert!(five.give(&[0x70, 2, 0, 1]).unwrap().is_some());
    five.assert_idle();
}

/// The server cannot refuse what it has taken.
#[test]
fn refusal_of_a_released_message_is_misbehaved() {
    let mut five = Five::open(&[]);
    five.publish(b"x", Qos::ExactlyOnce);
    five.sent();
    five.pass(&[0x50, 2, 0, 1]);
    five.pass(&[0x50, 2, 0, 1]);
    assert_eq!(five.sent(), [[0x62, 2, 0, 1]], "answered once");
    assert_eq!(five.give(&[0x50, 3, 0, 1, 0x97]), Err(Misbehaved::Acknowledgement.into()));
    assert_eq!(five.session.in_flight(), 1);
}

/// [MQTT-4.6.0-4]
#[test]
fn pubrels_leave_in_the_order_of_the_pubrecs() {
    let mut five = Five::open(&[]);
    for payload in [b"a", b"b", b"c"] {
        five.publish(payload, Qos::ExactlyOnce);
    }
    five.sent();
    for id in [2, 3, 1] {
        five.pass(&[0x50, 2, 0, id]);
    }
    assert_eq!(five.sent(), [[0x62, 2, 0, 2], [0x62, 2, 0, 3], [0x62, 2, 0, 1]]);
}

/// Found here: PUBRECs of messages that are not ours filled the line, and a PUBREL of ours was lost.
#[test]
fn unknown_pubrecs_take_no_place_from_our_own() {
    let mut five = Five::open(&[]);
    let token = five.publish(b"x", Qos::ExactlyOnce);
    five.sent();
    let pubrec = FixedHeader::decode(Version::V5, &[0x50, 2]).unwrap().unwrap().0;
    for id in [101, 102, 103] {
        assert!(five.session.has_room_for(pubrec));
        five.pass(&[0x50, 2, 0, id]);
    }
    assert!(!five.session.has_room_for(pubrec), "the next is to wait");
    assert_eq!(five.sent(), [101, 102, 103].map(|id| [0x62, 3, 0, id, 0x92]));
    assert!(five.session.has_room_for(pubrec));
    five.pass(&[0x50, 2, 0, 1]);
    assert_eq!(five.sent(), [[0x62, 2, 0, 1]]);
    assert_eq!(five.give(&[0x70, 2, 0, 1]), done(token, ReasonCode::SUCCESS));
}

/// MQTT 5.0 §4.13.2: answers to nothing are no reason to hang up.
#[test]
fn answers_to_nothing_are_passed_over() {
    let mut five = Five::open(&[]);
    let packets: [&[u8]; 6] = [
        &[0x40, 2, 0, 7],
        &[0x40, 3, 0, 7, 0x97],
        &[0x50, 3, 0, 7, 0x97],
        &[0x70, 3, 0, 7, 0x92],
        &[0x90, 4, 0, 7, 0, 0],
        &[0xb0, 4, 0, 7, 0, 0],
    ];
    for packet in packets {
        five.pass(packet);
    }
    five.assert_idle();
}

/// [MQTT-2.2.1-6] [MQTT-3.8.4-2] [MQTT-3.9.2-1] [MQTT-3.10.4-5] [MQTT-3.11.2-1]
/// v3.1.1: [MQTT-3.8.4-2] [MQTT-3.10.4-5]
#[test]
fn requests_are_answered_by_their_identifiers() {
    let mut five = Five::open(&[]);
    let first = five.session.subscribe(&FILTERS).unwrap();
    let second = five.session.unsubscribe(&["a/#", "b", "c"]).unwrap();
    five.sent();
    match five.give(&[0xb0, 6, 0, 2, 0, 0, 0x11, 0x87]) {
        Ok(Some(Event::Unsubscribed { token, reasons, .. })) => {
            assert_eq!(token, second);
            assert!(reasons.iter().map(ReasonCode::value).eq([0, 0x11, 0x87]));
        }
        other => panic!("{other:?}"),
    }
    match five.give(&[0x90, 5, 0, 1, 0, 1, 0x87]) {
        Ok(Some(Event::Subscribed { token, reasons, .. })) => {
            assert_eq!(token, first);
            assert!(reasons.iter().map(ReasonCode::value).eq([1, 0x87]));
        }
        other => panic!("{other:?}"),
    }
    five.assert_idle();
}

/// [MQTT-3.8.4-6] [MQTT-3.9.3-1] [MQTT-3.11.3-1]
#[test]
fn answer_with_another_count_than_filters_is_misbehaved() {
    for count in [0, 1, 3] {
        for unsubscribes in [false, true] {
            let mut five = Five::open(&[]);
            let first = match unsubscribes {
                false => five.session.subscribe(&FILTERS).map(|_| 0x90),
                true => five.session.unsubscribe(&["a/#", "b"]).map(|_| 0xb0),
            };
            five.sent();
            let mut packet = vec![first.unwrap(), 3 + count, 0, 1, 0];
            packet.resize(5 + usize::from(count), 0);
            assert_eq!(five.give(&packet), Err(Misbehaved::SubackCount.into()), "{packet:?}");
        }
    }
}

/// [MQTT-2.2.1-5]
#[test]
fn answer_of_the_wrong_kind_is_misbehaved() {
    let mut five = Five::open(&[]);
    five.publish(b"1", Qos::AtLeastOnce);
    five.publish(b"2", Qos::ExactlyOnce);
    five.session.subscribe(&FILTERS).unwrap();
    five.sent();
    let packets: [&[u8]; 8] = [
        &[0x50, 2, 0, 1],
        &[0x70, 2, 0, 1],
        &[0x40, 2, 0, 2],
        &[0x70, 2, 0, 2],
        &[0x40, 2, 0, 3],
        &[0x90, 5, 0, 1, 0, 0, 0],
        &[0xb0, 5, 0, 3, 0, 0, 0],
        &[0xb0, 4, 0, 2, 0, 0],
    ];
    for packet in packets {
        assert_eq!(five.give(packet), Err(Misbehaved::Acknowledgement.into()), "{packet:?}");
    }
    assert_eq!(five.session.in_flight(), 3, "nothing is lost by it");
}
