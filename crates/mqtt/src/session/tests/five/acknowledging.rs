//! What this side owes for messages.

use super::*;

/// [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-2.2.1-5] [MQTT-3.3.4-1] [MQTT-4.5.0-2]
/// v3.1.1: [MQTT-3.3.4-1] [MQTT-4.3.2-2] [MQTT-4.5.0-2]
#[test]
fn each_message_is_answered_as_its_qos_asks_once_the_program_has_let_go() {
    let mut five = Five::open(&[]);
    assert!(five.give(&[0x30, 5, 0, 1, b't', 0, b'x']).unwrap().is_some());
    five.session.handle_release();
    assert_eq!(five.sent(), NOTHING);
    for (qos, answer) in [(1, 0x40), (2, 0x50)] {
        five.arrive(qos, 7 + qos);
        assert_eq!(five.sent(), NOTHING, "the program still has it");
        five.session.handle_release();
        assert_eq!(five.sent(), [[answer, 2, 0, 7 + qos]]);
    }
}

/// [MQTT-4.3.2-5]
#[test]
fn acknowledged_identifier_stands_for_a_new_message() {
    let mut five = Five::open(&[]);
    for duplicate in [false, true] {
        let event = five.give(&message(1, 7, duplicate)).map(|event| event.is_some());
        assert_eq!(event, Ok(true));
        five.session.handle_release();
        assert_eq!(five.sent(), [[0x40, 2, 0, 7]]);
    }
}

/// [MQTT-4.6.0-2] [MQTT-4.6.0-3]
#[test]
fn acknowledgements_with_and_without_explanations_keep_the_order_of_the_messages() {
    let mut five = Five::manual();
    let tokens = [five.arrive(1, 11), five.arrive(2, 12), five.arrive(1, 13)];
    let why = [Property::ReasonString("no")];
    let why = Properties::new(&why);
    five.session.acknowledge_with(tokens[2], ReasonCode::QUOTA_EXCEEDED, why).unwrap();
    five.session.acknowledge_with(tokens[1], ReasonCode::SUCCESS, why).unwrap();
    assert_eq!(five.sent(), NOTHING, "the first is held");
    five.session.acknowledge(tokens[0], ReasonCode::NOT_AUTHORIZED).unwrap();
    let expected: [&[u8]; 3] = [
        &[0x40, 3, 0, 11, 0x87],
        b"\x50\x09\0\x0c\0\x05\x1f\0\x02no",
        b"\x40\x09\0\x0d\x97\x05\x1f\0\x02no",
    ];
    assert_eq!(five.sent(), expected);
    five.assert_idle();
}

/// [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
#[test]
fn acknowledgement_that_would_be_too_large_is_refused_and_can_be_sent_without_the_rest() {
    for (qos, property) in [1, 2].iter().flat_map(|qos| {
        let long = "0123456789";
        [Property::ReasonString(long), Property::UserProperty((long, ""))].map(|it| (*qos, it))
    }) {
        let mut five = Five::new(Config::new().manual_acks());
        five.connect(KEPT, &accepted(false, &[0x27, 0, 0, 0, 15])).unwrap();
        let token = five.arrive(qos, 9);
        let list = [property];
        let properties = Properties::new(&list);
        let refused = five.session.acknowledge_with(token, ReasonCode::SUCCESS, properties);
        assert_eq!(refused, Err(AckError::Properties));
        assert_eq!(five.sent(), NOTHING);
        five.session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
        assert_eq!(five.sent(), [[0x30 + (qos << 4), 2, 0, 9]]);
    }
}

/// [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-1] [MQTT-3.7.2-2] [MQTT-3.7.2-3]
///
/// There is no way to give them any.
#[test]
fn pubrel_and_pubcomp_have_no_explanations() {
    let mut five = Five::open(&[0x27, 0, 0, 0, 20]);
    five.publish(b"x", Qos::ExactlyOnce);
    five.sent();
    five.pass(b"\x50\x09\0\x01\0\x05\x1f\0\x02ok");
    five.pass(b"\x62\x09\0\x07\0\x05\x1f\0\x02ok");
    assert_eq!(five.sent(), [&[0x70, 3, 0, 7, 0x92][..], &[0x62, 2, 0, 1]]);
}

#[test]
fn acknowledgement_that_cannot_be_sent_changes_nothing() {
    let mut five = Five::manual();
    let token = five.arrive(1, 9);
    let foreign = [Property::TopicAliasMaximum(1)];
    let long = std::string::String::from_utf8(vec![b'x'; 395]).unwrap();
    let large = [Property::ReasonString(&long)];
    let cases: [(u8, &[Property<'_>], AckError); 4] = [
        (0x92, &[], AckError::Reason),
        (0x01, &[], AckError::Reason),
        (0, &foreign, AckError::Properties),
        (0, &large, AckError::OutboxFull),
    ];
    for (reason, properties, error) in cases {
        let properties = Properties::new(properties);
        let refused = five.session.acknowledge_with(token, ReasonCode::new(reason), properties);
        assert_eq!(refused, Err(error));
        assert_eq!((five.session.unacknowledged(), five.sent().len()), (1, 0));
    }
    five.session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
    let stale = five.session.acknowledge(token, ReasonCode::SUCCESS);
    assert_eq!(stale, Err(AckError::Stale));
}

/// Promise: an acknowledgement never reaches another connection than its message came over.
#[test]
fn parked_acknowledgement_dies_with_its_connection() {
    let mut five = Five::manual();
    let (first, second) = (five.arrive(1, 1), five.arrive(1, 2));
    let why = [Property::ReasonString("no")];
    five.session.acknowledge_with(second, ReasonCode::SUCCESS, Properties::new(&why)).unwrap();
    five.resume(&[]);
    five.assert_idle();
    assert_eq!(five.session.acknowledge(first, ReasonCode::SUCCESS), Err(AckError::Stale));
    let token = five.arrive(1, 2);
    five.session.acknowledge(token, ReasonCode::SUCCESS).unwrap();
    assert_eq!(five.sent(), [[0x40, 2, 0, 2]], "without the properties of the other");
}

/// Found by the simulation, seed 5895: the words of an acknowledgement waited in the outbox, and answered
/// the next message with the same identifier.
#[test]
fn explanation_for_a_message_of_an_earlier_connection_answers_no_other() {
    let mut five = Five::manual();
    let held = five.arrive(2, 7);
    five.ask(false, KEPT);
    let why = [Property::ReasonString("no")];
    let why = Properties::new(&why);
    five.session.acknowledge_with(held, ReasonCode::QUOTA_EXCEEDED, why).unwrap();
    assert_eq!(five.answer(&accepted(false, &[])), Ok(Resumption::Lost));
    five.assert_idle();
    let other = five.arrive(2, 7);
    five.session.acknowledge(other, ReasonCode::SUCCESS).unwrap();
    assert_eq!(five.sent(), [[0x50, 2, 0, 7]]);
}

/// [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]
#[test]
fn message_of_qos_2_is_handed_over_once_until_its_pubcomp() {
    let mut five = Five::open(&[]);
    five.arrive(2, 9);
    five.session.handle_release();
    assert_eq!(five.sent(), [[0x50, 2, 0, 9]]);
    five.resume(&[]);
    five.pass(&message(2, 9, true));
    assert_eq!(five.sent(), [[0x50, 2, 0, 9]]);
    five.pass(&[0x62, 2, 0, 9]);
    five.pass(&[0x62, 2, 0, 9]);
    assert_eq!(
        five.sent(),
        [&[0x70, 2, 0, 9][..], &[0x70, 3, 0, 9, 0x92]],
        "the second is unknown"
    );
    five.arrive(2, 9);
}

/// [MQTT-4.3.3-9]
#[test]
fn identifier_of_a_refused_message_stands_for_a_new_one() {
    let mut five = Five::manual();
    let token = five.arrive(2, 9);
    five.session.acknowledge(token, ReasonCode::QUOTA_EXCEEDED).unwrap();
    assert_eq!(five.sent(), [[0x50, 3, 0, 9, 0x97]]);
    five.arrive(2, 9);
}

/// Found here: the reason was lost with the connection, and the message accepted on the next one.
#[test]
fn refusal_of_qos_2_outlives_its_connection() {
    for online in [true, false] {
        let mut five = Five::manual();
        let token = five.arrive(2, 9);
        if !online {
            five.ask(false, KEPT);
        }
        five.session.acknowledge(token, ReasonCode::NOT_AUTHORIZED).unwrap();
        five.resume_after(online);
        five.pass(&message(2, 9, true));
        assert_eq!(five.sent(), [[0x50, 3, 0, 9, 0x87]]);
        five.arrive(2, 9);
    }
}

impl Five {
    /// The connection that was asked for is answered, or another one is made.
    fn resume_after(&mut self, ended: bool) {
        if ended {
            self.ask(false, KEPT);
        }
        assert_eq!(self.answer(&accepted(true, &[])), Ok(Resumption::Resumed));
    }
}

/// [MQTT-4.3.3-13] [MQTT-4.3.3-11]
#[test]
fn message_that_has_expired_is_acknowledged_to_the_end() {
    let mut five = Five::open(&[]);
    let expired = b"\x34\x0c\0\x01t\0\x09\x05\x02\0\0\0\0x";
    assert!(five.give(expired).unwrap().is_some());
    five.session.handle_release();
    five.pass(&[0x62, 2, 0, 9]);
    assert_eq!(five.sent(), [[0x50, 2, 0, 9], [0x70, 2, 0, 9]]);
}
