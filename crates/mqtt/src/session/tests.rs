use super::*;
use crate::{
    Ack, AckError, AckKind, Connack, Connect, Error, Event, FixedHeader, Malformed, Message,
    Misbehaved, Packet, PacketId, Publish, PublishError, Resumption, Suback, SubscribeError,
    Subscription, TopicError, text::STRING_MAX,
};
use std::{string::String, vec, vec::Vec};

type Small = Session<Vec<u8>, 3>;

const FILTERS: [Subscription<'static>; 2] =
    [Subscription::new("a/#", Qos::AtLeastOnce), Subscription::new("b", Qos::AtMostOnce)];

/// The fixed header of a packet that begins so.
fn header(first: u8) -> FixedHeader {
    FixedHeader::decode(crate::Version::V3, &[first, 0]).unwrap().unwrap().0
}

/// A CONNECT that asks for a clean session or not.
fn asking(clean_session: bool) -> Connect<'static> {
    Connect { clean_session, ..Connect::new("c") }
}

fn session() -> Small {
    Session::new(vec![0; 200], Config::new())
}

fn connack(session_present: bool, code: u8) -> Packet<'static> {
    Packet::Connack(Connack {
        session_present,
        reason: ReasonCode::from_connack(code).unwrap(),
        properties: crate::Properties::NONE,
    })
}

/// Connects with a session that the server is to keep.
fn connect(session: &mut Small, session_present: bool) -> Resumption {
    session.handle_open(&asking(false));
    match session.handle_packet(&connack(session_present, 0)) {
        Ok(Some(Event::Connected { resumption, .. })) => resumption,
        other => panic!("{other:?}"),
    }
}

fn open() -> Small {
    let mut session = session();
    connect(&mut session, false);
    session
}

fn qos1(session: &mut Small, payload: &[u8]) -> Token {
    session.publish(&Message::new("t", payload, Qos::AtLeastOnce)).unwrap()
}

/// All packets that wait to be sent.
fn sent(session: &mut Small) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some(packet) = session.poll_packet() {
        packets.push(packet.to_vec());
        session.handle_sent();
    }
    packets
}

fn puback(id: u16) -> Packet<'static> {
    Packet::Ack(Ack::new(AckKind::Puback, PacketId::new(id).unwrap()))
}

/// A message from the server, and its token.
fn receive(session: &mut Small, id: u16) -> AckToken {
    let publish = Publish {
        message: Message::new("t", b"x", Qos::AtLeastOnce),
        duplicate: false,
        packet_id: PacketId::new(id),
    };
    match session.handle_packet(&Packet::Publish(publish)) {
        Ok(Some(Event::Message { ack: Some(ack), .. })) => ack,
        other => panic!("{other:?}"),
    }
}

/// MQTT 3.1.1 §3.2.2.3, table 3.1.
#[test]
fn connack_with_each_refusal_says_why_and_keeps_the_session() {
    for code in 1..=5 {
        let mut session = session();
        qos1(&mut session, b"x");
        session.handle_open(&asking(false));
        let reason = ReasonCode::from_connack(code).unwrap();
        assert_eq!(session.handle_packet(&connack(false, code)), Err(Error::Refused(reason)));
        assert!(reason.is_error() && !session.is_open());
        assert_eq!(sent(&mut session), [] as [Vec<u8>; 0]);
        assert_eq!(session.in_flight(), 1);
    }
    assert_eq!(Connack::decode(crate::Version::V3, &[0, 6]), Err(Malformed::Value));
}

/// v3.1.1: [MQTT-3.2.2-1] [MQTT-3.2.2-4]
#[test]
fn connack_with_a_session_that_cannot_be_there_is_misbehaved() {
    let mut session = session();
    let expected = Err(Misbehaved::SessionPresent.into());
    session.handle_open(&asking(true));
    assert_eq!(session.handle_packet(&connack(true, 0)), expected);
    session.handle_open(&asking(false));
    assert_eq!(session.handle_packet(&connack(true, 5)), expected);
}

/// v3.1.1: [MQTT-3.2.0-1]
#[test]
fn packet_before_connack_or_a_second_connack_is_misbehaved() {
    let mut session = session();
    session.handle_open(&asking(false));
    let early = session.handle_packet(&Packet::Pingresp);
    assert_eq!(early, Err(Misbehaved::BeforeConnack.into()));
    let mut session = open();
    let second = session.handle_packet(&connack(false, 0));
    assert_eq!(second, Err(Misbehaved::SecondConnack.into()));
}

/// v3.1.1: [MQTT-3.2.2-2] [MQTT-3.2.2-3] [MQTT-3.1.2-6]
#[test]
fn resumption_says_what_the_server_knew() {
    let mut session = session();
    assert_eq!(connect(&mut session, false), Resumption::New);
    assert_eq!(connect(&mut session, true), Resumption::Resumed);
    assert_eq!(connect(&mut session, false), Resumption::Lost);
    session.handle_open(&asking(true));
    let clean = session.handle_packet(&connack(false, 0));
    let properties = crate::Properties::NONE;
    let new = Event::Connected { resumption: Resumption::New, properties };
    assert_eq!(clean, Ok(Some(new)));
    assert_eq!(connect(&mut session, false), Resumption::New, "a clean session is not kept");
}

/// v3.1.1: [MQTT-3.8.4-6]
#[test]
fn suback_with_another_count_than_filters_is_misbehaved() {
    for codes in [&[][..], &[1], &[1, 0, 0]] {
        let mut session = open();
        session.subscribe(&FILTERS).unwrap();
        sent(&mut session);
        let suback = Packet::Suback(Suback::new(PacketId::new(1).unwrap(), codes));
        assert_eq!(session.handle_packet(&suback), Err(Misbehaved::SubackCount.into()));
    }
    let mut session = open();
    let token = session.subscribe(&FILTERS).unwrap();
    sent(&mut session);
    let suback = Suback::new(PacketId::new(1).unwrap(), &[1, 0x80]);
    let answered = session.handle_packet(&Packet::Suback(suback));
    assert_eq!(
        answered,
        Ok(Some(Event::Subscribed {
            token,
            reasons: suback.reasons,
            properties: crate::Properties::NONE
        }))
    );
    assert!(session.is_idle() && session.in_flight() == 0);
}

#[test]
fn acknowledgement_of_an_unknown_exchange_is_ignored() {
    let mut session = open();
    let token = qos1(&mut session, b"x");
    sent(&mut session);
    for id in [2, 3, 4, 7, u16::MAX] {
        assert_eq!(session.handle_packet(&puback(id)), Ok(None), "{id}");
    }
    let done = Event::Acknowledged {
        token,
        reason: ReasonCode::SUCCESS,
        properties: crate::Properties::NONE,
    };
    assert_eq!(session.handle_packet(&puback(1)), Ok(Some(done)));
    assert_eq!(session.handle_packet(&puback(1)), Ok(None), "the same again");
}

/// A message that the server cannot have is not lost by its word.
#[test]
fn acknowledgement_of_a_packet_that_was_not_sent_is_ignored() {
    let mut session = open();
    qos1(&mut session, b"first");
    assert_eq!(session.handle_packet(&puback(1)), Ok(None));
    session.poll_packet();
    assert_eq!(session.handle_packet(&puback(1)), Ok(None), "it is half out");
    assert_eq!(sent(&mut session).len(), 1);
    connect(&mut session, false);
    assert_eq!(session.handle_packet(&puback(1)), Ok(None), "this server has no session");
    assert_eq!(sent(&mut session), [b"\x32\x0a\0\x01t\0\x01first"]);
    assert!(session.handle_packet(&puback(1)).unwrap().is_some());
    session.subscribe(&FILTERS).unwrap();
    let suback = Packet::Suback(Suback::new(PacketId::new(2).unwrap(), &[0, 0]));
    assert_eq!(session.handle_packet(&suback), Err(Misbehaved::Acknowledgement.into()));
}

/// v3.1.1: [MQTT-2.3.1-6] [MQTT-2.3.1-7]
#[test]
fn acknowledgement_of_the_wrong_kind_is_misbehaved() {
    for kind in [AckKind::Pubrec, AckKind::Pubcomp] {
        let mut session = open();
        qos1(&mut session, b"x");
        sent(&mut session);
        let ack = Packet::Ack(Ack::new(kind, PacketId::new(1).unwrap()));
        assert_eq!(session.handle_packet(&ack), Err(Misbehaved::Acknowledgement.into()));
        let unsuback = Packet::Unsuback(crate::Unsuback::new(PacketId::new(1).unwrap(), &[]));
        assert_eq!(session.handle_packet(&unsuback), Err(Misbehaved::Acknowledgement.into()));
        assert_eq!(session.in_flight(), 1);
    }
}

/// v3.1.1: [MQTT-4.6.0-2]
#[test]
fn manual_acknowledgements_leave_in_the_order_of_the_messages() {
    let mut session = Session::new(vec![0; 200], Config::new().manual_acks());
    connect(&mut session, false);
    let [first, second, third] = [11, 12, 13].map(|id| receive(&mut session, id));
    assert!(!session.has_room_for(header(0x32)));
    session.handle_release();
    assert_eq!(sent(&mut session), [] as [Vec<u8>; 0]);
    session.acknowledge(second, ReasonCode::SUCCESS).unwrap();
    assert_eq!(sent(&mut session), [] as [Vec<u8>; 0]);
    session.acknowledge(first, ReasonCode::SUCCESS).unwrap();
    assert_eq!(sent(&mut session), [[0x40, 2, 0, 11], [0x40, 2, 0, 12]]);
    assert_eq!(session.acknowledge(second, ReasonCode::SUCCESS), Err(AckError::Stale));
    assert_eq!(session.unacknowledged(), 1);
    connect(&mut session, true);
    assert_eq!(
        session.acknowledge(third, ReasonCode::SUCCESS),
        Err(AckError::Stale),
        "its connection is gone"
    );
    assert_eq!(sent(&mut session), [] as [Vec<u8>; 0]);
}

#[test]
fn automatic_acknowledgement_waits_until_the_message_is_let_go_and_dies_with_the_connection() {
    let mut session = open();
    receive(&mut session, 9);
    assert_eq!(session.poll_packet(), None, "the program still has it");
    session.handle_release();
    assert_eq!(session.poll_packet(), Some(&[0x40, 2, 0, 9][..]));
    connect(&mut session, true);
    assert_eq!(session.poll_packet(), None);
    receive(&mut session, 9);
    connect(&mut session, true);
    session.handle_release();
    assert_eq!(session.poll_packet(), None);
}

/// v3.1.1: [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1] [MQTT-3.3.1-2]
#[test]
fn unacknowledged_messages_are_sent_again_as_what_the_server_takes_them_for() {
    let mut session = open();
    qos1(&mut session, b"1");
    session.publish(&Message::new("t", b"0", Qos::AtMostOnce)).unwrap();
    qos1(&mut session, b"2");
    assert_eq!(sent(&mut session).len(), 3);
    connect(&mut session, true);
    let again = [b"\x3a\x06\0\x01t\0\x011", b"\x3a\x06\0\x01t\0\x022"];
    assert_eq!(sent(&mut session), again, "QoS 0 is gone, the others are duplicates");
    connect(&mut session, false);
    let new = [b"\x32\x06\0\x01t\0\x011", b"\x32\x06\0\x01t\0\x022"];
    assert_eq!(sent(&mut session), new, "to this server they are new");
}

/// [MQTT-3.8.3-2] [MQTT-3.10.3-2], v3.1.1: [MQTT-3.8.3-3] [MQTT-3.10.3-2]
#[test]
fn request_without_a_filter_is_refused() {
    for version in [crate::Version::V3, crate::Version::V5] {
        let mut session = Small::new(vec![0; 200], Config::new().version(version));
        assert_eq!(session.subscribe(&[]), Err(SubscribeError::NoFilter));
        assert_eq!(session.unsubscribe(&[]), Err(SubscribeError::NoFilter));
        assert!(session.is_idle());
    }
}

#[test]
fn publish_that_is_refused_changes_nothing() {
    let mut session = Small::new(vec![0; 200], Config::new().qos_max(Qos::AtLeastOnce));
    connect(&mut session, false);
    let message = |topic, payload, qos| Message::new(topic, payload, qos);
    let large = [0; 200];
    let refused = |session: &mut Small, message: Message<'_>, error| {
        let before = (session.in_flight(), session.is_idle());
        assert_eq!(session.publish(&message), Err(error));
        assert_eq!((session.in_flight(), session.is_idle()), before);
    };
    refused(&mut session, message("t", b"", Qos::ExactlyOnce), PublishError::Qos);
    refused(&mut session, message("t", &large, Qos::AtLeastOnce), PublishError::TooLarge);
    refused(
        &mut session,
        message("a/+", b"", Qos::AtLeastOnce),
        PublishError::Topic(TopicError::Wildcard),
    );
    qos1(&mut session, &large[..120]);
    refused(&mut session, message("t", &large[..50], Qos::AtMostOnce), PublishError::OutboxFull);
    qos1(&mut session, b"2");
    qos1(&mut session, b"3");
    refused(&mut session, message("t", b"", Qos::AtLeastOnce), PublishError::InflightFull);
    assert_eq!(session.subscribe(&FILTERS), Err(SubscribeError::InflightFull));
    assert_eq!(sent(&mut session).len(), 3);
    session.disconnect(ReasonCode::SUCCESS);
    refused(&mut session, message("t", b"", Qos::AtMostOnce), PublishError::Disconnecting);
    assert_eq!(sent(&mut session), [[0xe0, 0]]);
}

/// v3.1.1: [MQTT-4.7.3-3] [MQTT-3.3.2-2] [MQTT-4.7.1-2]
#[test]
fn topic_of_65535_bytes_is_sent_and_a_longer_one_refused() {
    let mut session: Session<_, 3> = Session::new(vec![0; 70_000], Config::new());
    let long = String::from_utf8(vec![b'a'; STRING_MAX + 1]).unwrap();
    let too_long = Message::new(&long, b"", Qos::AtLeastOnce);
    let error = PublishError::Topic(TopicError::TooLong);
    assert_eq!(session.publish(&too_long), Err(error));
    let wish = Subscription::new(&long, Qos::AtMostOnce);
    assert_eq!(session.subscribe(&[wish]), Err(SubscribeError::Filter(TopicError::TooLong)));
    session.publish(&Message::new(&long[1..], b"", Qos::AtLeastOnce)).unwrap();
    connect(&mut session, false);
    let packets = sent(&mut session);
    let (packet, len) = Packet::decode_front(crate::Version::V3, &packets[0]).unwrap().unwrap();
    assert_eq!(len, packets[0].len());
    assert!(matches!(packet, Packet::Publish(it) if it.message.head.topic == &long[1..]));
    let bad = Subscription::new("a/#/b", Qos::AtMostOnce);
    assert_eq!(session.subscribe(&[bad]), Err(SubscribeError::Filter(TopicError::Wildcard)));
}

/// v3.1.1: [MQTT-3.14.4-2]
#[test]
fn disconnect_goes_last_and_nothing_behind_it() {
    let mut session = open();
    qos1(&mut session, b"1");
    session.disconnect(ReasonCode::SUCCESS);
    let packets = sent(&mut session);
    assert_eq!(packets.len(), 2);
    assert_eq!(packets[1], [0xe0, 0]);
    assert!(session.is_offline());
    session.handle_packet(&puback(1)).unwrap();
    receive(&mut session, 1);
    session.handle_release();
    assert_eq!(sent(&mut session), [] as [Vec<u8>; 0]);
    connect(&mut session, true);
    qos1(&mut session, b"2");
    assert_eq!(sent(&mut session).len(), 1, "the next connection is not disconnecting");
}

/// Tokens say which messages of QoS 0 are done.
#[test]
fn sent_follows_the_newest_packet_that_is_out() {
    let mut session = open();
    assert_eq!(session.sent(), None);
    let first = session.publish(&Message::new("t", b"", Qos::AtMostOnce)).unwrap();
    let second = qos1(&mut session, b"");
    session.poll_packet();
    assert_eq!(session.sent(), None, "half out is not out");
    session.handle_sent();
    assert_eq!(session.sent(), Some(first));
    sent(&mut session);
    connect(&mut session, true);
    sent(&mut session);
    assert_eq!(session.sent(), Some(second));
    assert!(first.is_up_to(second) && !second.is_up_to(first));
}

/// A session that an unanswered CONNECT made is no proof that ours still stands.
#[test]
fn session_present_after_an_unanswered_connect_is_uncertain() {
    let mut session = session();
    assert_eq!(connect(&mut session, true), Resumption::Resumed);
    session.handle_open(&asking(false));
    session.handle_connect_sent();
    assert_eq!(connect(&mut session, true), Resumption::Uncertain);
    assert_eq!(connect(&mut session, true), Resumption::Resumed);
    // A connection that broke before its CONNECT was out has made no session.
    session.handle_open(&asking(false));
    assert_eq!(connect(&mut session, true), Resumption::Resumed);
    session.handle_open(&asking(false));
    session.handle_packet(&connack(false, 5)).unwrap_err();
    assert_eq!(connect(&mut session, true), Resumption::Resumed, "a refusal is an answer");
}

#[test]
fn session_accepts_messages_again_after_its_good_bye() {
    let mut session = open();
    let message = Message::new("t", b"", Qos::AtMostOnce);
    session.disconnect(ReasonCode::SUCCESS);
    assert_eq!(session.publish(&message), Err(PublishError::Disconnecting));
    assert_eq!(sent(&mut session), [[0xe0, 0]]);
    session.publish(&message).unwrap();
    assert!(session.is_offline() && sent(&mut session).is_empty(), "until the next connection");
    connect(&mut session, true);
    assert_eq!(sent(&mut session).len(), 1);
}

#[test]
fn payload_that_is_filled_in_part_shows_nothing_of_earlier_packets() {
    let mut session = open();
    session.publish(&Message::new("t", b"secret", Qos::AtMostOnce)).unwrap();
    sent(&mut session);
    let head = Message::new("t", b"", Qos::AtMostOnce).head;
    session.publish_with(&head, 6, |place| place[0] = b'!').unwrap();
    assert!(sent(&mut session)[0].ends_with(b"t!\0\0\0\0\0"));
}

mod exactly_once;
mod five;
mod journal;
mod overdue;
mod oversize;
mod stream;
#[cfg(not(feature = "qos2"))]
mod without_qos2;

/// Messages above QoS 0 that are under way count in 3.1.1 too, where the program knows the server's limit.
#[test]
fn message_beyond_the_limit_of_those_in_flight_waits_for_an_acknowledgement() {
    let most = core::num::NonZeroU16::new(2).unwrap();
    let config = Config::new().qos_max(Qos::AtLeastOnce).in_flight_max(most);
    let mut session = Session::<Vec<u8>, 8>::new(vec![0; 400], config);
    let open = |session: &mut Session<Vec<u8>, 8>, session_present| {
        session.handle_open(&asking(false));
        session.handle_packet(&connack(session_present, 0)).unwrap();
    };
    let sent = |session: &mut Session<Vec<u8>, 8>| {
        let mut packets = Vec::new();
        while let Some(packet) = session.poll_packet() {
            packets.push((packet[0], packet[packet.len() - 1]));
            session.handle_sent();
        }
        packets
    };
    open(&mut session, false);
    for payload in [b"a", b"b", b"c", b"d"] {
        session.publish(&Message::new("t", payload, Qos::AtLeastOnce)).unwrap();
    }
    session.subscribe(&[Subscription::new("s", Qos::AtMostOnce)]).unwrap();
    assert_eq!(sent(&mut session), [(0x32, b'a'), (0x32, b'b'), (0x82, 0)]);
    session.handle_packet(&puback(1)).unwrap();
    assert_eq!(sent(&mut session), [(0x32, b'c')]);
    session.handle_tick();
    session.resend_overdue(1);
    let again = [(0x3a, b'b'), (0x3a, b'c'), (0x82, 0)];
    assert_eq!(sent(&mut session), again, "they are under way already");
    open(&mut session, true);
    assert_eq!(sent(&mut session), again, "no more on the next connection");
    for id in [2, 3] {
        session.handle_packet(&puback(id)).unwrap();
    }
    assert_eq!(sent(&mut session), [(0x32, b'd')]);
}
