//! How many messages this side takes (MQTT 5.0 §4.9).

use super::*;

const RECEIVE_MAXIMUM: Error = Error::Misbehaved(Misbehaved::ReceiveMaximum);

fn asked(receive_maximum: u16) -> [Property<'static>; 2] {
    let receive_maximum = NonZeroU16::new(receive_maximum).unwrap();
    [KEPT[0], Property::ReceiveMaximum(receive_maximum)]
}

/// [MQTT-3.3.4-7]
#[test]
fn message_beyond_the_receive_maximum_ends_the_connection_with_0x93() {
    for promised in 1..=3 {
        for qos in [[1, 1, 1, 1], [2, 2, 2, 2], [1, 2, 1, 2]] {
            let mut five = Five::new(Config::new().manual_acks());
            five.connect(&asked(promised), &accepted(false, &[])).unwrap();
            for id in 0..promised as u8 {
                let header =
                    FixedHeader::decode(Version::V5, &[0x30 | qos[usize::from(id)] << 1, 7]);
                assert!(five.session.has_room_for(header.unwrap().unwrap().0));
                five.arrive(qos[usize::from(id)], id + 1);
            }
            assert!(five.give(&[0x30, 5, 0, 1, b't', 0, b'x']).unwrap().is_some(), "QoS 0 is free");
            let last = message(qos[usize::from(promised)], 100, false);
            let header = FixedHeader::decode(Version::V5, &last).unwrap().unwrap().0;
            assert!(five.session.has_room_for(header), "it is not waited for, but refused");
            assert_eq!(five.give(&last), Err(RECEIVE_MAXIMUM), "{promised} {qos:?}");
            assert_eq!(Misbehaved::ReceiveMaximum.reason().value(), 0x93);
        }
    }
}

/// [MQTT-3.3.4-7]
#[test]
fn place_comes_free_with_puback_pubcomp_and_a_refusing_pubrec() {
    let mut five = Five::new(Config::new().manual_acks());
    five.connect(&asked(1), &accepted(false, &[])).unwrap();
    for round in 0..5 {
        let token = five.arrive(1, 10 + round);
        five.session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
        assert_eq!(five.sent().len(), 1);
        let token = five.arrive(2, 20 + round);
        five.session.acknowledge(token, ReasonCode::QUOTA_EXCEEDED).unwrap();
        assert_eq!(five.sent().len(), 1);
        let token = five.arrive(2, 30 + round);
        five.session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
        assert_eq!(five.sent().len(), 1);
        assert_eq!(five.give(&message(1, 40, false)), Err(RECEIVE_MAXIMUM), "not before PUBREL");
        five.pass(&[0x62, 2, 0, 30 + round]);
        assert_eq!(five.sent().len(), 1);
    }
}

/// Found here: the message that was one too many was known when it came again, and never handed over.
#[test]
fn message_that_was_refused_is_handed_over_when_it_comes_again() {
    let mut five = Five::new(Config::new());
    five.connect(&asked(2), &accepted(false, &[])).unwrap();
    for id in [1, 2] {
        five.arrive(2, id);
        five.session.handle_release();
        five.sent();
    }
    assert_eq!(five.give(&message(2, 3, false)), Err(RECEIVE_MAXIMUM));
    five.ask(false, &asked(2));
    assert_eq!(five.answer(&accepted(true, &[])), Ok(Resumption::Resumed));
    five.pass(&[0x62, 2, 0, 1]);
    five.pass(&message(2, 2, true));
    assert!(five.give(&message(2, 3, true)).unwrap().is_some());
}

/// Repeats of one connection count once, and those of an earlier one are counted when they come.
#[test]
fn message_that_is_repeated_after_a_reconnect_counts_once() {
    let mut five = Five::open(&[]);
    for id in 1..=3 {
        five.arrive(2, id);
        five.session.handle_release();
        five.sent();
    }
    five.resume(&[]);
    for id in 1..=3 {
        five.pass(&message(2, id, true));
        five.sent();
    }
    assert_eq!(five.give(&message(2, 4, false)), Err(RECEIVE_MAXIMUM));
    five.resume(&[]);
    five.pass(&[0x62, 2, 0, 1]);
    five.arrive(2, 4);
}

/// A server need not send its PUBRELs first: what it does not repeat has arrived, and gives way.
#[test]
fn messages_that_wait_for_pubrel_since_an_earlier_connection_hold_back_no_new_ones() {
    let mut five = Five::open(&[]);
    for id in 1..=3 {
        five.arrive(2, id);
        five.session.handle_release();
        five.sent();
    }
    five.resume(&[]);
    five.pass(&message(2, 3, true));
    five.sent();
    for id in [4, 5] {
        five.arrive(2, id);
        five.session.handle_release();
        assert_eq!(five.sent(), [[0x50, 2, 0, id]]);
    }
    assert_eq!(five.give(&message(2, 6, false)), Err(RECEIVE_MAXIMUM));
    five.pass(&message(2, 3, true));
    assert_eq!(five.sent(), [[0x50, 2, 0, 3]], "what is counted is remembered");
    for id in 1..=5 {
        five.pass(&[0x62, 2, 0, id]);
    }
    assert_eq!(five.sent().len(), 3, "so many may wait at a time");
}

/// Found here: what gave way to others still counted, and the server seemed to go too far.
#[test]
fn receive_maximum_counts_nothing_that_is_forgotten() {
    let mut five = Five::open(&[]);
    for id in 1..=3 {
        five.arrive(2, id);
        five.session.handle_release();
        five.sent();
    }
    five.ask(false, KEPT);
    five.ask(false, KEPT);
    assert_eq!(five.answer(&accepted(true, &[])), Ok(Resumption::Uncertain));
    five.pass(&message(2, 1, true));
    five.arrive(2, 4);
    five.session.handle_release();
    five.sent();
    five.pass(&message(2, 1, true));
    five.sent();
    for id in [1, 4] {
        five.pass(&[0x62, 2, 0, id]);
        assert_eq!(five.sent(), [[0x70, 2, 0, id]], "both are known");
    }
    for id in 5..=7 {
        five.arrive(2, id);
        five.session.handle_release();
        five.sent();
    }
}
