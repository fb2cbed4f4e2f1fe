//! What the server takes: refused before a byte is sent, or dropped once it is known.

use super::*;

const MAXIMUM_QOS_0: &[u8] = &[0x24, 0];
const MAXIMUM_QOS_1: &[u8] = &[0x24, 1];
const NO_RETAIN: &[u8] = &[0x25, 0];
const NO_WILDCARDS: &[u8] = &[0x28, 0];
const NO_IDENTIFIERS: &[u8] = &[0x29, 0];
const NO_SHARED: &[u8] = &[0x2a, 0];
const MAXIMUM_PACKET_SIZE_14: &[u8] = &[0x27, 0, 0, 0, 14];

/// Something that a limit forbids.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Publish(Qos),
    Retained,
    Long,
    Subscribe(&'static str),
    Identified,
    UnsubscribeLong,
}

impl Wish {
    fn ask(self, session: &mut Small) -> Result<Token, ReasonCode> {
        let publish = |session: &mut Small, message: &Message<'_>| {
            session.publish(message).map_err(|error| match error {
                PublishError::Limit(reason) => reason,
                other => panic!("{other:?}"),
            })
        };
        let list = [Property::SubscriptionIdentifier(SubscriptionId::new(5).unwrap())];
        let subscribe = |session: &mut Small, filter, list| {
            let wish = Subscription::new(filter, Qos::AtMostOnce);
            session.subscribe_with(&[wish], Properties::new(list))
        };
        let asked = match self {
            Self::Publish(qos) => return publish(session, &Message::new("t", b"x", qos)),
            Self::Retained => {
                return publish(session, &Message::new("t", b"x", Qos::AtMostOnce).retained());
            }
            Self::Long => return publish(session, &Message::new("t", &[0; 9], Qos::AtLeastOnce)),
            Self::Subscribe(filter) => subscribe(session, filter, &[]),
            Self::Identified => subscribe(session, "a", &list),
            Self::UnsubscribeLong => session.unsubscribe(&["12345678"]),
        };
        asked.map_err(|error| match error {
            SubscribeError::Limit(reason) => reason,
            other => panic!("{other:?}"),
        })
    }
}

const CASES: [(&[u8], Wish, u8); 11] = [
    (MAXIMUM_QOS_0, Wish::Publish(Qos::AtLeastOnce), 0x9b),
    (MAXIMUM_QOS_0, Wish::Publish(Qos::ExactlyOnce), 0x9b),
    (MAXIMUM_QOS_1, Wish::Publish(Qos::ExactlyOnce), 0x9b),
    (NO_RETAIN, Wish::Retained, 0x9a),
    (NO_WILDCARDS, Wish::Subscribe("a/+"), 0xa2),
    (NO_WILDCARDS, Wish::Subscribe("#"), 0xa2),
    (NO_SHARED, Wish::Subscribe("$share/g/a"), 0x9e),
    (NO_WILDCARDS, Wish::Subscribe("$share/g/+"), 0xa2),
    (NO_IDENTIFIERS, Wish::Identified, 0xa1),
    (MAXIMUM_PACKET_SIZE_14, Wish::Long, 0x95),
    (MAXIMUM_PACKET_SIZE_14, Wish::UnsubscribeLong, 0x95),
];

/// [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.2.2-15] [MQTT-3.2.2-21]
#[test]
fn what_the_server_does_not_take_is_refused_before_a_byte_is_sent() {
    for (limits, wish, reason) in CASES {
        let mut five = Five::open(limits);
        assert_eq!(wish.ask(&mut five.session), Err(ReasonCode::new(reason)), "{wish:?}");
        five.assert_idle();
        let mut five = Five::open(&[]);
        assert!(wish.ask(&mut five.session).is_ok(), "without the limit");
        assert_eq!(five.sent().len(), 1);
    }
}

/// [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.2.2-15] [MQTT-3.2.2-21]
#[test]
fn what_was_accepted_before_the_limits_were_known_is_rejected_with_its_token() {
    for (limits, wish, reason) in CASES {
        let mut five = Five::new(Config::new());
        let before = five.publish(b"a", Qos::AtMostOnce);
        let token = wish.ask(&mut five.session).unwrap();
        five.publish(b"b", Qos::AtMostOnce);
        five.connect(KEPT, &accepted(false, limits)).unwrap();
        assert_eq!(five.sent(), NOTHING, "first the program is told");
        assert_eq!(
            five.session.poll_rejected(),
            Some((token, ReasonCode::new(reason))),
            "{wish:?}"
        );
        assert_eq!(five.session.poll_rejected(), None);
        let sent = five.sent();
        let payloads: Vec<_> = sent.iter().map(|packet| packet[packet.len() - 1]).collect();
        assert_eq!(payloads, b"ab", "what is allowed goes out");
        five.assert_idle();
        assert!(before.is_up_to(token));
    }
}

/// A message that the server has taken must be brought to its end.
#[test]
fn released_message_is_not_rejected() {
    let mut five = Five::open(&[]);
    five.publish(b"x", Qos::ExactlyOnce);
    five.sent();
    five.pass(&[0x50, 2, 0, 1]);
    five.resume(MAXIMUM_QOS_0);
    assert_eq!(five.sent(), [[0x62, 2, 0, 1]]);
}

/// Found here: a server that held such a message took a later one with its identifier for it.
#[test]
fn rejected_message_that_the_server_may_hold_is_let_go() {
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let mut five = Five::open(&[]);
        let token = five.publish(b"x", qos);
        five.sent();
        five.publish(b"y", qos);
        assert_eq!(five.connect(KEPT, &accepted(true, MAXIMUM_QOS_0)), Ok(Resumption::Resumed));
        assert_eq!(five.session.poll_rejected(), Some((token, ReasonCode::QOS_NOT_SUPPORTED)));
        assert!(five.session.poll_rejected().is_some(), "which never went out");
        assert_eq!(five.session.poll_rejected(), None);
        let expected: &[[u8; 5]] = match qos {
            Qos::ExactlyOnce => &[[0x62, 3, 0, 1, 0x92]],
            _ => &[],
        };
        assert_eq!(five.sent(), expected);
        five.pass(&[0x70, 3, 0, 1, 0x92]);
        five.assert_idle();
    }
}

/// [MQTT-3.2.2-15]
#[test]
fn packet_as_long_as_the_maximum_is_sent() {
    let mut five = Five::open(MAXIMUM_PACKET_SIZE_14);
    let message = Message::new("t", b"123456", Qos::AtLeastOnce);
    five.session.publish(&message).unwrap();
    assert_eq!(five.sent()[0].len(), 14);
    let longer = Message::new("t", b"1234567", Qos::AtLeastOnce);
    let error = PublishError::Limit(ReasonCode::PACKET_TOO_LARGE);
    assert_eq!(five.session.publish(&longer), Err(error));
}

/// [MQTT-3.3.4-6]
#[test]
fn properties_that_are_not_the_programs_are_refused() {
    let mut five = Five::open(&[]);
    let alias = Property::TopicAlias(NonZeroU16::new(1).unwrap());
    let identifier = Property::SubscriptionIdentifier(SubscriptionId::new(5).unwrap());
    let foreign = Property::ReceiveMaximum(NonZeroU16::new(1).unwrap());
    for property in [alias, identifier, foreign] {
        let list = [property];
        let message = Message::new("t", b"", Qos::AtMostOnce);
        let refused = five.session.publish(&message.with_properties(Properties::new(&list)));
        assert_eq!(refused, Err(PublishError::Properties(Malformed::Property)), "{property:?}");
    }
    five.assert_idle();
}

#[test]
fn limits_of_a_connection_are_its_own() {
    let mut five = Five::open(MAXIMUM_QOS_0);
    assert_eq!(five.session.limits().maximum_qos, Qos::AtMostOnce);
    five.resume(&[]);
    assert_eq!(*five.session.limits(), Limits::NONE);
    five.publish(b"x", Qos::ExactlyOnce);
}

/// v3.1.1: [MQTT-3.8.3-3]
#[test]
fn version_3_knows_no_properties_and_no_parting_words() {
    let mut session = open();
    let list = [Property::UserProperty(("a", "b"))];
    let properties = Properties::new(&list);
    let message = Message::new("t", b"", Qos::AtMostOnce).with_properties(properties);
    let error = Malformed::Property;
    assert_eq!(session.publish(&message), Err(PublishError::Properties(error)));
    let refused = session.subscribe_with(&FILTERS, properties);
    assert_eq!(refused, Err(SubscribeError::Properties(error)));
    let refused = session.unsubscribe_with(&["a"], properties);
    assert_eq!(refused, Err(SubscribeError::Properties(error)));
    assert_eq!(session.subscribe(&[]), Err(SubscribeError::NoFilter));
    let refused = session.disconnect_with(ReasonCode::SUCCESS, properties);
    assert_eq!(refused, Err(SendError::NotNow));
    assert_eq!(sent(&mut session), NOTHING);
}
