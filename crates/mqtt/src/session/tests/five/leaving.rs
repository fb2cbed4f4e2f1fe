//! DISCONNECT, of either side.

use super::*;

/// [MQTT-3.14.2-1] [MQTT-3.14.4-1]
#[test]
fn disconnect_says_its_reason_behind_all_that_was_accepted_and_ends_the_connection() {
    for (reason, expected) in [
        (ReasonCode::SUCCESS, &[0xe0, 0][..]),
        (ReasonCode::DISCONNECT_WITH_WILL_MESSAGE, &[0xe0, 1, 4]),
        (ReasonCode::GRANTED_QOS_1, &[0xe0, 1, 0x80]),
    ] {
        let mut five = Five::open(&[]);
        five.publish(b"x", Qos::AtLeastOnce);
        five.session.disconnect(reason);
        let sent = five.sent();
        assert_eq!((sent.len(), &sent[1][..]), (2, expected));
        assert!(five.session.is_offline());
        five.give(&[0x40, 2, 0, 1]).unwrap();
        five.publish(b"y", Qos::AtMostOnce);
        assert_eq!(five.sent(), NOTHING, "nothing behind it");
    }
}

#[test]
fn disconnect_with_properties_goes_last_and_is_sent_once() {
    let mut five = Five::open(&[]);
    five.publish(b"x", Qos::AtMostOnce);
    let list = [Property::ReasonString("bye"), Property::SessionExpiryInterval(7)];
    let properties = Properties::new(&list);
    five.session.disconnect_with(ReasonCode::SUCCESS, properties).unwrap();
    let twice = five.session.disconnect_with(ReasonCode::SUCCESS, properties);
    assert_eq!(twice, Err(SendError::NotNow));
    let sent = five.sent();
    assert_eq!(sent[1..], [b"\xe0\x0d\0\x0b\x1f\0\x03bye\x11\0\0\0\x07"]);
    assert_eq!(five.session.expiry_s(), 7);
    five.resume(&[]);
    five.assert_idle();
}

#[test]
fn leaving_session_says_good_bye_first_and_sends_what_is_accepted_on_the_next_connection() {
    let mut five = Five::open(&[]);
    five.publish(b"x", Qos::AtMostOnce);
    five.session.leave();
    five.publish(b"y", Qos::AtLeastOnce);
    assert_eq!(five.sent(), [&[0xe0, 0]]);
    assert!(five.session.is_offline());
    five.publish(b"z", Qos::AtMostOnce);
    five.session.leave();
    five.resume(&[]);
    assert_eq!(five.sent().len(), 3, "the second wish came too late");
}

#[test]
fn session_that_stays_accepts_messages_again_and_says_no_good_bye() {
    let mut five = Five::open(&[]);
    five.session.disconnect(ReasonCode::SUCCESS);
    let message = Message::new("t", b"x", Qos::AtLeastOnce);
    assert_eq!(five.session.publish(&message), Err(PublishError::Disconnecting));
    five.session.stay();
    five.session.publish(&message).unwrap();
    five.session.leave();
    five.session.stay();
    let sent = five.sent();
    assert_eq!((sent.len(), sent[0][0]), (1, 0x32));
}

/// [MQTT-3.14.2-3] [MQTT-3.14.2-4]
#[test]
fn disconnect_that_would_be_too_large_is_refused() {
    let mut five = Five::open(&[0x27, 0, 0, 0, 12]);
    let long = "0123456789";
    for property in [Property::ReasonString(long), Property::UserProperty((long, ""))] {
        let list = [property];
        let refused = five.session.disconnect_with(ReasonCode::SUCCESS, Properties::new(&list));
        assert_eq!(refused, Err(SendError::TooLarge));
        assert_eq!(five.sent(), NOTHING);
    }
}

/// [MQTT-3.14.2-1]
///
/// MQTT 5.0 §3.14.2.2.2: a session that was to end cannot be kept at the end.
#[test]
fn disconnect_that_is_none_is_refused() {
    let expiry = [Property::SessionExpiryInterval(1)];
    let reference = [Property::ServerReference("elsewhere")];
    let alias = [Property::TopicAliasMaximum(1)];
    let property = SendError::Properties(Malformed::Property);
    let cases: [(u8, &[Property<'_>], SendError); 4] = [
        (0, &expiry, property),
        (0, &reference, property),
        (0, &alias, property),
        (0x18, &[], SendError::Properties(Malformed::Value)),
    ];
    for (reason, list, error) in cases {
        let mut five = Five::new(Config::new());
        five.connect(&[], &accepted(false, &[])).unwrap();
        let reason = ReasonCode::new(reason);
        let refused = five.session.disconnect_with(reason, Properties::new(list));
        assert_eq!(refused, Err(error), "{list:?}");
        five.publish(b"x", Qos::AtMostOnce);
    }
    // Found here: what counts is what CONNECT said, not what CONNACK made of it.
    let mut five = Five::new(Config::new());
    five.connect(&[], &accepted(false, &[0x11, 0, 0, 0, 9])).unwrap();
    let refused = five.session.disconnect_with(ReasonCode::SUCCESS, Properties::new(&expiry));
    assert_eq!(refused, Err(property));
    let mut five = Five::new(Config::new());
    let offline = five.session.disconnect_with(ReasonCode::SUCCESS, Properties::NONE);
    assert_eq!(offline, Err(SendError::NotNow));
}

/// Found here: a session that this side had ended was reported as lost.
#[test]
fn session_ended_by_disconnect_is_new_the_next_time() {
    let mut five = Five::open(&[]);
    let list = [Property::SessionExpiryInterval(0)];
    five.session.disconnect_with(ReasonCode::SUCCESS, Properties::new(&list)).unwrap();
    assert_eq!(five.session.expiry_s(), 100, "not yet");
    five.sent();
    assert_eq!(five.session.expiry_s(), 0);
    assert_eq!(five.connect(KEPT, &accepted(false, &[])), Ok(Resumption::New));
    assert_eq!(five.connect(KEPT, &accepted(false, &[])), Ok(Resumption::Lost));
}

/// Found by the simulation, seed 2220: the connection was refused for as long as the server kept the
/// session.
#[test]
fn session_whose_disconnect_got_lost_is_uncertain_the_next_time() {
    let mut five = Five::open(&[]);
    let list = [Property::SessionExpiryInterval(0)];
    five.session.disconnect_with(ReasonCode::SUCCESS, Properties::new(&list)).unwrap();
    five.sent();
    assert_eq!(five.connect(KEPT, &accepted(true, &[])), Ok(Resumption::Uncertain));
    assert_eq!(five.connect(KEPT, &accepted(true, &[])), Ok(Resumption::Resumed));
}

/// [MQTT-4.13.2-1]
#[test]
fn disconnect_of_the_server_ends_the_connection_with_its_reason_and_keeps_the_session() {
    for (packet, reason) in
        [(&[0xe0, 0][..], 0), (&[0xe0, 1, 0x8e], 0x8e), (&[0xe0, 2, 0x9c, 0], 0x9c)]
    {
        let mut five = Five::open(&[]);
        five.publish(b"x", Qos::AtLeastOnce);
        let error = Error::Disconnected(ReasonCode::new(reason));
        assert_eq!(five.give(packet), Err(error));
        assert!(five.session.is_offline() && five.session.in_flight() == 1);
        assert_eq!(five.sent(), NOTHING, "nothing behind it");
        five.resume(&[]);
        assert_eq!(five.sent(), [publication(1, 1, b'x')]);
    }
}
