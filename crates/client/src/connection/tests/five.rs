//! What MQTT 5.0 adds to a connection.

use super::*;
use dunlin_mqtt::Aliases;
use mqtt::Misbehaved as W;

const VERSION: Version = Version::V5;

fn config() -> Config {
    Config::new().version(VERSION)
}

/// A connection that waits for CONNACK, over a bare stream.
fn awaiting(properties: &'static [Property<'static>]) -> Client<Vec<u8>> {
    let mut client = asking(false, config(), vec![0; 512], properties).unwrap();
    client.upgrade();
    client
}

fn opened(properties: &'static [Property<'static>], connack: &[u8]) -> Client<Vec<u8>> {
    let mut client = awaiting(properties);
    client.give(connack);
    assert_eq!(client.events().len(), 1);
    client
}

/// Memory for two aliases of the server, and as many of our own as the server allows.
fn aliased(connack: &[u8]) -> (Client<Vec<u8>, [u8; 40]>, Vec<u8>) {
    let Client { session, connection, now } = asking(false, config(), vec![0; 512], &[]).unwrap();
    let aliases = Aliases::new([0; 40], 2, [0; 40]);
    let connection = connection.with_topic_aliases(aliases);
    let mut client = Client { session, connection, now };
    let connect = client.sent();
    client.give(connack);
    assert_eq!(client.events().len(), 1);
    (client, connect)
}

/// [MQTT-3.1.0-1], v3.1.1: [MQTT-3.1.0-1]
///
/// CONNECT goes first, and says what session and buffer hold.
#[test]
fn connect_promises_what_memory_there_is() {
    let mut client = asking(false, config(), vec![0; 512], &[]).unwrap();
    client.session.publish(&Message::new("t", b"", Qos::AtLeastOnce)).unwrap();
    let front = b"\0\x04MQTT\x05\0\0\x3c";
    let own = [0x21, 0, 2, 0x27, 0, 0, 2, 0];
    let connect = |properties: &[u8]| {
        let len = (front.len() + 1 + properties.len() + 3) as u8;
        [&[0x10, len][..], front, &[properties.len() as u8], properties, b"\0\x01c"].concat()
    };
    assert_eq!(client.sent(), connect(&own));
    let (_, sent) = aliased(accepted(VERSION));
    assert_eq!(sent, connect(&[&own[..], &[0x22, 0, 2]].concat()));
    const LESS: &[Property<'_>] = &[
        Property::ReceiveMaximum(NonZeroU16::MIN),
        Property::MaximumPacketSize(NonZeroU32::MIN.saturating_add(255)),
    ];
    let mut client = asking(false, config(), vec![0; 512], LESS).unwrap();
    assert_eq!(client.sent(), connect(&[0x21, 0, 1, 0x27, 0, 0, 1, 0]));
    let mut client = asking(false, Config::new(), vec![0; 512], &[]).unwrap();
    assert_eq!(client.sent(), b"\x10\x0d\0\x04MQTT\x04\0\0\x3c\0\x01c");
}

#[test]
fn promise_that_memory_does_not_hold_is_refused_at_open() {
    const MESSAGES: &[Property<'_>] =
        &[Property::ReceiveMaximum(NonZeroU16::MIN.saturating_add(2))];
    const BYTES: &[Property<'_>] =
        &[Property::MaximumPacketSize(NonZeroU32::MIN.saturating_add(512))];
    const ALIASES: &[Property<'_>] = &[Property::TopicAliasMaximum(1)];
    for properties in [MESSAGES, BYTES, ALIASES] {
        let refused = asking(true, config(), vec![0; 512], properties).map(|_| ());
        assert_eq!(refused, Err(OpenError::Promise), "{properties:?}");
    }
    let refused = asking(true, Config::new(), vec![0; 512], MESSAGES).map(|_| ());
    assert_eq!(refused, Err(OpenError::Connect(mqtt::Malformed::Property)), "3.1.1 has none");
}

const SILENT: &[Property<'_>] = &[Property::RequestProblemInformation(false)];

/// [MQTT-3.1.2-29]
#[test]
fn explanations_that_were_not_asked_for_end_the_connection() {
    let packets: [&[u8]; 8] = [
        b"\x40\x08\0\x01\0\x04\x1f\0\x01a",
        b"\x40\x0b\0\x01\0\x07\x26\0\x01a\0\x01b",
        b"\x50\x08\0\x07\0\x04\x1f\0\x01a",
        b"\x62\x08\0\x07\0\x04\x1f\0\x01a",
        b"\x70\x08\0\x07\0\x04\x1f\0\x01a",
        b"\x90\x08\0\x07\x04\x1f\0\x01a\0",
        b"\xb0\x08\0\x07\x04\x1f\0\x01a\0",
        b"\xf0\x0a\x18\x08\x15\0\x01m\x1f\0\x01a",
    ];
    for packet in packets {
        let mut client = opened(SILENT, accepted(VERSION));
        client.session.publish(&Message::new("t", b"", Qos::AtLeastOnce)).unwrap();
        client.sent();
        client.give(packet);
        client.assert_ends(W::ProblemInformation.into(), &[0xe0, 1, 0x82]);
        if packet[0] != 0xf0 {
            let mut client = in_flight(false, VERSION);
            client.give(packet);
            assert!(client.poll().is_ok(), "asked for: {packet:?}");
        }
    }
}

/// MQTT 5.0 §3.1.2.11.7: they are free in PUBLISH, CONNACK and DISCONNECT.
#[test]
fn explanations_stay_free_where_they_always_are() {
    let mut client = opened(SILENT, b"\x20\x07\0\0\x04\x1f\0\x01a");
    client.give(b"\x30\x0b\0\x01t\x07\x26\0\x01a\0\x01b");
    assert_eq!(client.events().len(), 1);
    client.give(b"\xe0\x06\x8b\x04\x1f\0\x01a");
    let reason = ReasonCode::SERVER_SHUTTING_DOWN;
    assert_eq!(client.poll(), Err(Error::Closed(Closed::Disconnected(reason))));
}

/// [MQTT-4.13.2-1]
///
/// Nothing is said back to a server that has gone, but the Close of its WebSocket.
#[test]
fn disconnect_of_the_server_leaves_its_properties_to_be_read() {
    for framed in [true, false] {
        let mut client = in_flight(framed, VERSION);
        client.give(b"\xe0\x0c\x9d\x0a\x1c\0\x03far\x1f\0\x01a");
        let error = Error::Closed(Closed::Disconnected(ReasonCode::SERVER_MOVED));
        assert_eq!(client.poll(), Err(error));
        let properties = client.connection.last_properties();
        assert_eq!(properties.server_reference(), Some("far"));
        assert_eq!(properties.reason_string(), Some("a"));
        assert!(!error.is_retryable());
        client.assert_ends(error, if framed { &[0x88, 0x82, 0, 0, 0, 0, 3, 0xe8] } else { &[] });
        assert_eq!(client.connection.last_properties().server_reference(), Some("far"), "still");
    }
}

#[test]
fn refusing_connack_leaves_its_properties_to_be_read() {
    let mut client = awaiting(&[]);
    client.give(b"\x20\x0d\0\x9c\x0a\x1c\0\x03far\x1f\0\x01a");
    let error = Error::Refused(Refused::Connect(ReasonCode::USE_ANOTHER_SERVER));
    assert_eq!(client.poll(), Err(error));
    assert_eq!(client.connection.last_properties().server_reference(), Some("far"));
    client.assert_ends(error, &[]);
}

/// [MQTT-3.14.2-2]
#[test]
fn disconnect_of_the_server_with_an_expiry_is_misbehaved() {
    let mut client = in_flight(false, VERSION);
    client.give(&[0xe0, 7, 0, 5, 0x11, 0, 0, 0, 9]);
    client.assert_ends(W::ClientPacket.into(), &[0xe0, 1, 0x82]);
}

const METHOD: &[Property<'_>] = &[Property::AuthenticationMethod("m")];

/// [MQTT-4.12.0-5] [MQTT-4.12.0-6]
#[test]
fn authentication_method_is_the_one_of_the_connect_or_none() {
    let connack_m: &[u8] = b"\x20\x07\0\0\x04\x15\0\x01m";
    let connack_n: &[u8] = b"\x20\x07\0\0\x04\x15\0\x01n";
    let auth_m: &[u8] = b"\xf0\x06\x18\x04\x15\0\x01m";
    let auth_n: &[u8] = b"\xf0\x06\x18\x04\x15\0\x01n";
    let plain = accepted(VERSION);
    for (properties, packet, fits) in [
        (METHOD, connack_m, true),
        (METHOD, connack_n, false),
        (METHOD, plain, false),
        (METHOD, auth_m, true),
        (METHOD, auth_n, false),
        (&[], connack_m, false),
        (&[], auth_m, false),
        (&[], plain, true),
    ] {
        let mut client = awaiting(properties);
        client.give(packet);
        match fits {
            true => assert_eq!(client.events().len(), 1, "{packet:?}"),
            false => client.assert_ends(W::Authentication.into(), &[0xe0, 1, 0x82]),
        }
    }
    // A refusal needs no method.
    let mut client = awaiting(METHOD);
    client.give(&[0x20, 3, 0, 0x8c, 0]);
    let reason = ReasonCode::BAD_AUTHENTICATION_METHOD;
    assert_eq!(client.poll(), Err(Error::Refused(Refused::Connect(reason))));
}

/// [MQTT-3.1.2-30]
#[test]
fn authentication_goes_on_between_connect_and_connack() {
    let mut client = awaiting(METHOD);
    client.session.publish(&Message::new("t", b"", Qos::AtMostOnce)).unwrap();
    client.give(b"\xf0\x06\x18\x04\x15\0\x01m");
    assert_eq!(client.events().len(), 1);
    let properties = Properties::new(METHOD);
    client.session.authenticate(ReasonCode::CONTINUE_AUTHENTICATION, properties).unwrap();
    assert_eq!(client.sent(), b"\xf0\x06\x18\x04\x15\0\x01m");
    client.give(b"\x20\x07\0\0\x04\x15\0\x01m");
    assert_eq!(client.events().len(), 1);
    assert_eq!(client.sent(), b"\x30\x04\0\x01t\0");
    client.session.authenticate(ReasonCode::RE_AUTHENTICATE, properties).unwrap();
    assert_eq!(client.sent(), b"\xf0\x06\x19\x04\x15\0\x01m");
    client.give(&[0xf0, 0]);
    assert_eq!(client.events().len(), 1, "AUTH of length 0 says that it is done");
}

/// What came first: the topic of each message, or the error.
fn topics(client: &mut Client<Vec<u8>, [u8; 40]>) -> Result<Vec<String>, Error> {
    let mut topics = Vec::new();
    while let Some(event) = client.poll()? {
        if let Event::Message { message, .. } = event {
            topics.push(message.head.topic.into());
        }
    }
    Ok(topics)
}

/// [MQTT-3.3.2-12]
#[test]
fn alias_of_the_server_stands_for_its_newest_topic() {
    let (mut client, _) = aliased(accepted(VERSION));
    client.give(b"\x30\x09\0\x03one\x03\x23\0\x01");
    client.give(b"\x30\x06\0\0\x03\x23\0\x01");
    client.give(b"\x30\x09\0\x03two\x03\x23\0\x01");
    client.give(b"\x30\x06\0\0\x03\x23\0\x01");
    assert_eq!(topics(&mut client).unwrap(), ["one", "one", "two", "two"]);
}

/// [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]
#[test]
fn alias_that_cannot_be_ends_the_connection() {
    for (packet, error, reason) in [
        (&b"\x30\x09\0\x03one\x03\x23\0\x03"[..], W::TopicAlias, 0x94),
        (b"\x30\x06\0\0\x03\x23\0\x03", W::TopicAlias, 0x94),
        (b"\x30\x06\0\0\x03\x23\0\x02", W::UnknownAlias, 0x82),
        (b"\x34\x08\0\0\0\x09\x03\x23\0\x02", W::UnknownAlias, 0x82),
    ] {
        let (mut client, _) = aliased(accepted(VERSION));
        client.give(packet);
        client.assert_ends(error.into(), &[0xe0, 1, reason]);
    }
    let mut client = in_flight(false, VERSION);
    client.give(b"\x30\x09\0\x03one\x03\x23\0\x01");
    client.assert_ends(W::TopicAlias.into(), &[0xe0, 1, 0x94]);
}

/// A repetition of QoS 2 is passed over, and what it says of its alias is not.
#[test]
fn alias_of_a_repeated_message_counts() {
    let (mut client, _) = aliased(accepted(VERSION));
    client.give(b"\x34\x0b\0\x03one\0\x09\x03\x23\0\x01");
    assert_eq!(topics(&mut client).unwrap(), ["one"]);
    client.give(b"\x3c\x0b\0\x03one\0\x09\x03\x23\0\x02");
    assert_eq!(topics(&mut client).unwrap(), [] as [&str; 0]);
    client.sent();
    client.give(b"\x3c\x08\0\0\0\x09\x03\x23\0\x02");
    assert_eq!(topics(&mut client).unwrap(), [] as [&str; 0]);
    client.sent();
    client.give(b"\x30\x06\0\0\x03\x23\0\x02");
    assert_eq!(topics(&mut client).unwrap(), ["one"]);
}

/// [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-9] [MQTT-3.3.2-10]
#[test]
fn topics_get_as_many_aliases_as_the_server_takes() {
    let publish = |client: &mut Client<_, _>, topic: &str| {
        client.session.publish(&Message::new(topic, b"x", Qos::AtMostOnce)).unwrap();
        client.sent()
    };
    let plain = b"\x30\x09\0\x05topicX\0x";
    let plain = [&plain[..9], &plain[10..]].concat();
    let (mut client, _) = aliased(accepted(VERSION));
    for _ in 0..2 {
        assert_eq!(publish(&mut client, "topic"), plain, "none without a maximum");
    }
    // Each connection begins without any.
    for _ in 0..2 {
        let (mut client, _) = aliased(&[0x20, 6, 0, 0, 3, 0x22, 0, 1]);
        assert_eq!(publish(&mut client, "topic"), b"\x30\x0c\0\x05topic\x03\x23\0\x01x");
        assert_eq!(publish(&mut client, "topic"), b"\x30\x07\0\0\x03\x23\0\x01x");
        assert_eq!(publish(&mut client, "other"), b"\x30\x0c\0\x05other\x03\x23\0\x01x");
        assert_eq!(publish(&mut client, "topic"), b"\x30\x0c\0\x05topic\x03\x23\0\x01x");
    }
}

/// What was accepted before the limits were known is dropped, and the program told.
#[test]
fn message_that_the_server_does_not_take_is_rejected_behind_connack() {
    let mut client = awaiting(&[]);
    client.session.publish(&Message::new("t", b"1", Qos::ExactlyOnce)).unwrap();
    client.session.publish(&Message::new("t", b"2", Qos::AtMostOnce)).unwrap();
    client.give(&[0x20, 5, 0, 0, 2, 0x24, 1]);
    let events = client.events();
    assert_eq!(events.len(), 2);
    assert!(events[1].starts_with("Rejected"), "{events:?}");
    assert_eq!(client.sent(), b"\x30\x05\0\x01t\x002");
}
