//! Messages whose payload is supplied while they go out.

use super::*;
use crate::{Properties, Property, Version, Wanted};

const LEN: usize = 1_000;

fn payload() -> Vec<u8> {
    (0..LEN).map(|at| (at * 7 + at / 256) as u8).collect()
}

fn opened(version: Version) -> Small {
    let config = Config::new().version(version).adopting_sessions();
    let mut session = Session::new(vec![0; 200], config);
    connect(&mut session, false);
    session
}

fn stream(session: &mut Small, qos: Qos, window: usize) -> Token {
    session.publish_stream(&Message::new("t", b"", qos).head, LEN, window).unwrap()
}

/// Supplies what is wanted, at most `most` bytes.
fn supply(session: &mut Small, most: usize) -> Option<Wanted> {
    let wanted = session.wanted()?;
    let payload = payload();
    let rest = &payload[wanted.offset..];
    let taken = session.supply(wanted, &rest[..most.min(rest.len())]);
    assert_eq!(taken, wanted.room.min(most).min(rest.len()));
    Some(wanted)
}

/// The next packet, put together of its pieces.
fn packet(session: &mut Small, most: usize) -> Vec<u8> {
    let mut packet = Vec::new();
    loop {
        supply(session, most);
        let Some(piece) = session.poll_piece() else { continue };
        packet.extend_from_slice(piece.bytes);
        let behind = piece.behind;
        // What is lent out is the same, whatever comes behind it.
        supply(session, most);
        session.handle_sent();
        if behind.is_none_or(|behind| behind == 0) {
            return packet;
        }
        let (header, len) = FixedHeader::decode(Version::V3, &packet).unwrap().unwrap();
        assert_eq!(packet.len() + behind.unwrap(), len + header.remaining);
    }
}

/// The same packet as one that is kept whole would be.
fn whole(version: Version, qos: Qos, id: u16, duplicate: bool) -> Vec<u8> {
    let payload = payload();
    let packet_id = PacketId::new(id).filter(|_| qos != Qos::AtMostOnce);
    let publish = Publish { message: Message::new("t", &payload, qos), duplicate, packet_id };
    let mut bytes = vec![0; LEN + 20];
    let mut window = dunlin_octet::Window::new(&mut bytes, 0);
    dunlin_octet::Text::write(&publish.with(version), &mut window);
    let len = window.filled();
    bytes.truncate(len);
    bytes
}

const QOS: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

#[test]
fn payload_goes_out_as_it_is_supplied_at_every_window() {
    for version in [Version::V3, Version::V5] {
        for qos in QOS {
            for window in [1, 2, 3, 50, 99, 100, 170] {
                for most in [1, 7, LEN] {
                    let mut session = opened(version);
                    let token = stream(&mut session, qos, window);
                    assert_eq!(session.wanted(), None, "not before it is its turn");
                    assert_eq!(packet(&mut session, most), whole(version, qos, 1, false));
                    assert_eq!(session.poll_piece(), None);
                    assert_eq!(session.wanted(), None);
                    assert_eq!(session.sent(), Some(token));
                    assert_eq!(session.is_idle(), qos == Qos::AtMostOnce);
                }
            }
        }
    }
}

#[test]
fn nothing_goes_between_the_pieces_of_a_packet() {
    let mut session = opened(Version::V3);
    let token = stream(&mut session, Qos::AtLeastOnce, 10);
    let head = session.poll_piece().unwrap();
    assert_eq!((head.bytes, head.behind), (&b"\x32\xed\x07\0\x01t\0\x01"[..], Some(LEN)));
    assert_eq!(session.poll_piece().unwrap().bytes.len(), 8, "the same until it is sent");
    let early = supply(&mut session, 4).unwrap();
    assert_eq!(early, Wanted { token, offset: 0, room: 10 }, "while the head is still going");
    session.handle_sent();
    qos1(&mut session, b"behind");
    let ack = receive(&mut session, 9);
    session.handle_release();
    assert_eq!(session.acknowledge(ack, ReasonCode::SUCCESS), Err(AckError::Stale));
    assert_eq!(session.poll_piece().unwrap().bytes, &payload()[..4]);
    supply(&mut session, 2);
    assert_eq!(session.poll_piece().unwrap().bytes, &payload()[..6], "more at its end");
    supply(&mut session, 1);
    session.handle_sent();
    let piece = session.poll_piece().unwrap();
    assert_eq!(
        (piece.bytes, piece.behind),
        (&payload()[6..7], Some(LEN - 7)),
        "what was lent is gone"
    );
    session.handle_sent();
    assert_eq!(session.poll_piece(), None, "it waits for the program");
    packet_rest(&mut session);
    let behind = sent(&mut session);
    assert_eq!(behind[0], [0x40, 2, 0, 9]);
    assert_eq!(behind[1], b"\x32\x0b\0\x01t\0\x02behind");
}

/// Sends the rest of the packet that is half out.
fn packet_rest(session: &mut Small) {
    loop {
        supply(session, LEN);
        let behind = session.poll_piece().unwrap().behind;
        session.handle_sent();
        if behind == Some(0) {
            return;
        }
    }
}

#[test]
fn supply_takes_only_what_is_wanted() {
    let mut session = opened(Version::V3);
    let token = stream(&mut session, Qos::AtMostOnce, 10);
    session.poll_piece();
    let wanted = session.wanted().unwrap();
    assert_eq!(session.supply(Wanted { offset: 1, ..wanted }, b"x"), 0);
    assert_eq!(session.supply(Wanted { token: Token(token.0 + 1), ..wanted }, b"x"), 0);
    assert_eq!(session.supply(wanted, &payload()), 10);
    assert_eq!(session.supply(wanted, &payload()), 0, "that was taken");
    session.handle_sent();
    connect(&mut session, false);
    assert_eq!(session.wanted(), None);
    session.poll_piece();
    assert_eq!(session.wanted(), Some(wanted), "from the front again");
}

/// [MQTT-3.3.1-1] [MQTT-4.4.0-1], v3.1.1: [MQTT-3.3.1-1] [MQTT-4.4.0-1]
#[test]
fn payload_is_wanted_again_after_a_reconnect() {
    for version in [Version::V3, Version::V5] {
        for qos in QOS {
            let mut session = opened(version);
            stream(&mut session, qos, 10);
            session.poll_piece();
            session.handle_sent();
            supply(&mut session, 4);
            connect(&mut session, true);
            assert_eq!(packet(&mut session, LEN), whole(version, qos, 1, false), "broken off");
            connect(&mut session, true);
            if qos == Qos::AtMostOnce {
                assert_eq!(session.poll_piece(), None);
                continue;
            }
            assert_eq!(packet(&mut session, 9), whole(version, qos, 1, true), "a duplicate");
            connect(&mut session, false);
            assert_eq!(packet(&mut session, 9), whole(version, qos, 1, false), "a new session");
        }
    }
}

#[test]
fn head_window_and_whole_length_are_checked() {
    let mut session = opened(Version::V3);
    let head = Message::new("t", b"", Qos::AtLeastOnce).head;
    let wild = crate::Head { topic: "+", ..head };
    let wild = session.publish_stream(&wild, LEN, 10);
    assert_eq!(wild, Err(PublishError::Topic(TopicError::Wildcard)));
    let long = session.publish_stream(&head, crate::PACKET_BODY_MAX, 10);
    assert_eq!(long, Err(PublishError::TooLarge));
    let wide = session.publish_stream(&head, LEN, 190);
    assert_eq!(wide, Err(PublishError::TooLarge), "the window is in the outbox");
    assert!(session.publish_stream(&head, crate::PACKET_BODY_MAX - 5, 10).is_ok());
    assert_eq!(session.publish_stream(&head, LEN, 150), Err(PublishError::OutboxFull));
    assert!(session.publish_stream(&head, 0, 10).is_ok(), "nothing is to be supplied");
}

/// [MQTT-3.2.2-15]
#[test]
fn whole_length_is_held_against_the_maximum_packet_size() {
    let most = LEN as u32 + 9;
    let list = [Property::MaximumPacketSize(core::num::NonZeroU32::new(most - 1).unwrap())];
    let connack = Connack {
        session_present: false,
        reason: ReasonCode::SUCCESS,
        properties: Properties::new(&list),
    };
    let mut session = opened(Version::V5);
    let token = stream(&mut session, Qos::AtLeastOnce, 10);
    session.handle_open(&asking(true));
    session.handle_packet(&Packet::Connack(connack)).unwrap();
    let reason = ReasonCode::PACKET_TOO_LARGE;
    assert_eq!(session.poll_rejected(), Some((token, reason)));
    assert!(session.poll_rejected().is_none() && session.is_idle());
    let head = Message::new("t", b"", Qos::AtLeastOnce).head;
    assert_eq!(session.publish_stream(&head, LEN, 10), Err(PublishError::Limit(reason)));
    let fits = session.publish_stream(&head, LEN - 1, 10);
    assert!(fits.is_ok());
}

#[test]
fn message_that_is_abandoned_goes_no_further() {
    for qos in QOS {
        let mut session = opened(Version::V3);
        let first = stream(&mut session, qos, 10);
        let second = stream(&mut session, qos, 10);
        assert!(session.abandon(second) && !session.abandon(second));
        assert!(!session.take_cut_off(), "nothing of it was out");
        session.poll_piece();
        session.handle_sent();
        supply(&mut session, 3);
        assert!(session.abandon(first));
        qos1(&mut session, b"behind");
        assert_eq!(session.poll_piece(), None, "nothing can follow");
        assert!(session.take_cut_off());
        assert!(!session.abandon(first) && session.wanted().is_none());
        connect(&mut session, true);
        assert_eq!(sent(&mut session).len(), 1, "only what is behind it");
    }
    let mut session = opened(Version::V3);
    let whole = qos1(&mut session, b"x");
    assert!(!session.abandon(whole), "only a message that is supplied");
}

/// [MQTT-4.3.3-4]
///
/// The server may have it: its identifier must not stand for another message before it lets go.
#[test]
fn exactly_once_that_was_out_is_let_go_of_when_it_is_abandoned() {
    for half_out in [true, false] {
        let mut session = opened(Version::V5);
        let token = stream(&mut session, Qos::ExactlyOnce, 10);
        packet(&mut session, LEN);
        connect(&mut session, true);
        if half_out {
            session.poll_piece();
            session.handle_sent();
            assert!(session.abandon(token));
            connect(&mut session, true);
        } else {
            assert!(session.abandon(token));
        }
        assert_eq!(sent(&mut session), [[0x62, 2, 0, 1]]);
        let pubcomp = Packet::Ack(Ack::new(AckKind::Pubcomp, PacketId::new(1).unwrap()));
        match session.handle_packet(&pubcomp) {
            Ok(Some(Event::Acknowledged { token: done, .. })) => assert_eq!(done, token),
            other => panic!("{other:?}"),
        }
        assert!(session.is_idle() && session.in_flight() == 0);
        assert_eq!(session.unfinished, 0);
    }
}

#[test]
fn message_that_is_abandoned_when_it_is_out_is_not_sent_again() {
    for (qos, present) in
        [(Qos::AtLeastOnce, true), (Qos::AtLeastOnce, false), (Qos::ExactlyOnce, false)]
    {
        let mut session = opened(Version::V3);
        let token = stream(&mut session, qos, 10);
        packet(&mut session, LEN);
        assert!(session.abandon(token) && !session.take_cut_off());
        assert_eq!(session.in_flight(), 1, "it may still be acknowledged");
        connect(&mut session, present);
        assert_eq!(sent(&mut session), [[0; 0]; 0]);
        assert!(session.is_idle() && session.in_flight() == 0);
    }
    let mut session = opened(Version::V3);
    let token = stream(&mut session, Qos::AtLeastOnce, 10);
    packet(&mut session, LEN);
    session.abandon(token);
    assert!(matches!(session.handle_packet(&puback(1)), Ok(Some(Event::Acknowledged { .. }))));
    assert!(session.is_idle());
}

#[test]
fn message_that_is_answered_while_it_goes_out_again_can_still_be_finished_or_abandoned() {
    for finished in [true, false] {
        let mut session = opened(Version::V3);
        let token = stream(&mut session, Qos::AtLeastOnce, 10);
        packet(&mut session, LEN);
        connect(&mut session, true);
        session.poll_piece();
        session.handle_sent();
        assert!(session.handle_packet(&puback(1)).unwrap().is_some());
        assert!(session.wanted().is_some(), "the packet must be finished");
        if finished {
            packet_rest(&mut session);
        } else {
            assert!(session.abandon(token) && session.take_cut_off());
        }
        assert!(session.is_idle());
    }
}
