//! Messages of the server that come in pieces.

use super::*;
use crate::{Oversize, Properties, Property, Version};

/// As long as no buffer of the tests.
const LEN: usize = 100_000;

fn streaming(config: Config) -> Small {
    let mut session = Session::new(vec![0; 200], config);
    connect(&mut session, false);
    session
}

fn config(version: Version, oversize: Oversize) -> Config {
    Config::new().version(version).oversize(oversize)
}

fn front(qos: Qos, id: u16, duplicate: bool) -> Publish<'static> {
    let packet_id = PacketId::new(id).filter(|_| qos != Qos::AtMostOnce);
    Publish { message: Message::new("t", b"", qos), duplicate, packet_id }
}

fn begin(session: &mut Small, publish: &Publish<'static>) -> Option<AckToken> {
    match session.handle_begin(publish, LEN) {
        Ok(Some(Event::MessageBegin { head, len, duplicate, ack })) => {
            assert_eq!((head, len), (publish.message.head, LEN));
            assert_eq!(duplicate, publish.duplicate);
            ack
        }
        other => panic!("{other:?}"),
    }
}

fn end(session: &mut Small) -> Option<AckToken> {
    match session.handle_end() {
        Ok(Some(Event::MessageEnd { ack })) => ack,
        other => panic!("{other:?}"),
    }
}

/// [MQTT-4.3.2-4] [MQTT-4.3.3-8], v3.1.1: [MQTT-4.3.2-2]
#[test]
fn message_in_pieces_is_acknowledged_when_the_program_comes_back_behind_its_end() {
    for version in [Version::V3, Version::V5] {
        for (qos, ack) in [(Qos::AtLeastOnce, 0x40), (Qos::ExactlyOnce, 0x50)] {
            let mut session = streaming(config(version, Oversize::Stream));
            let begun = begin(&mut session, &front(qos, 9, false));
            session.handle_release();
            assert_eq!(sent(&mut session), [[0; 0]; 0], "not before all of it has come");
            assert_eq!(end(&mut session), begun, "the token that was announced");
            assert_eq!(sent(&mut session), [[0; 0]; 0], "the program still has it");
            session.handle_release();
            assert_eq!(sent(&mut session), [[ack, 2, 0, 9]]);
        }
        let mut session = streaming(config(version, Oversize::Stream));
        assert_eq!(begin(&mut session, &front(Qos::AtMostOnce, 0, false)), None);
        assert_eq!(end(&mut session), None);
        session.handle_release();
        assert_eq!(sent(&mut session), [[0; 0]; 0]);
    }
}

#[test]
fn token_of_a_message_in_pieces_is_void_until_its_end() {
    for (qos, ack) in [(Qos::AtLeastOnce, 0x40), (Qos::ExactlyOnce, 0x50)] {
        let mut session = streaming(config(Version::V3, Oversize::Stream).manual_acks());
        let token = begin(&mut session, &front(qos, 9, false)).unwrap();
        let early = session.acknowledge(token, ReasonCode::SUCCESS);
        assert_eq!(early, Err(AckError::Stale));
        assert_eq!(end(&mut session), Some(token));
        session.handle_release();
        assert_eq!(sent(&mut session), [[0; 0]; 0]);
        assert_eq!(session.acknowledge(token, ReasonCode::SUCCESS), Ok(()));
        assert_eq!(sent(&mut session), [[ack, 2, 0, 9]]);
    }
}

/// [MQTT-4.3.3-10], v3.1.1: [MQTT-4.3.3-2]
///
/// What broke off comes again; what was handed over whole does not.
#[test]
fn exactly_once_in_pieces_is_handed_over_whole_once() {
    for version in [Version::V3, Version::V5] {
        let mut session = streaming(Config {
            // The sessions of the tests do not outlive their connections by MQTT 5.0's own rules.
            adopts_session: true,
            ..config(version, Oversize::Stream)
        });
        let broken = begin(&mut session, &front(Qos::ExactlyOnce, 9, false)).unwrap();
        connect(&mut session, true);
        assert_eq!(session.handle_end(), Ok(None), "nothing of it is left");
        let stale = session.acknowledge(broken, ReasonCode::SUCCESS);
        assert_eq!(stale, Err(AckError::Stale));
        let again = front(Qos::ExactlyOnce, 9, true);
        assert!(!session.is_long_repeat(&again, LEN));
        begin(&mut session, &again);
        end(&mut session);
        session.handle_release();
        assert_eq!(sent(&mut session), [[0x50, 2, 0, 9]]);
        connect(&mut session, true);
        assert!(session.is_long_repeat(&again, LEN));
        assert_eq!(session.handle_begin(&again, LEN), Ok(None));
        assert_eq!(sent(&mut session), [[0; 0]; 0]);
        assert_eq!(session.handle_end(), Ok(None));
        assert_eq!(sent(&mut session), [[0x50, 2, 0, 9]], "answered all the same");
        let other = front(Qos::ExactlyOnce, 9, false);
        assert!(session.is_long_repeat(&other, LEN), "topic and length are all that counts");
        assert!(!session.is_long_repeat(&other, LEN + 1));
    }
}

/// [MQTT-4.4.0-2]
///
/// A server that is told so does not send it again.
#[test]
fn message_that_is_skipped_is_refused_or_taken() {
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let first = if qos == Qos::AtLeastOnce { 0x40 } else { 0x50 };
        let plain = vec![first, 2, 0, 9];
        let refused = vec![first, 3, 0, 9, 0x97];
        for (version, expected) in [(Version::V3, plain), (Version::V5, refused)] {
            let mut session = streaming(config(version, Oversize::Skip).manual_acks());
            let publish = front(qos, 9, false);
            let head = publish.message.head;
            let skipped = Event::Skipped { head, len: LEN };
            assert_eq!(session.handle_begin(&publish, LEN), Ok(Some(skipped)));
            assert_eq!(sent(&mut session), [[0; 0]; 0], "not before all of it has come");
            assert_eq!(session.handle_end(), Ok(None));
            assert_eq!(sent(&mut session), [expected]);
            // Refused, the identifier is free: the same message again is a new one.
            let taken = qos == Qos::ExactlyOnce && version == Version::V3;
            assert_eq!(session.is_long_repeat(&front(qos, 9, true), LEN), taken);
        }
    }
    let mut session = streaming(config(Version::V5, Oversize::Skip));
    assert!(session.handle_begin(&front(Qos::AtMostOnce, 0, false), LEN).unwrap().is_some());
    assert_eq!(session.handle_end(), Ok(None));
    assert_eq!(sent(&mut session), [[0; 0]; 0]);
}

/// [MQTT-3.2.0-1] [MQTT-4.9.0-2], v3.1.1: [MQTT-3.2.0-1]
#[test]
fn message_in_pieces_that_must_not_come_is_misbehaved_at_its_begin() {
    let publish = front(Qos::ExactlyOnce, 9, false);
    let mut session = streaming(config(Version::V3, Oversize::Refuse));
    let refused = session.handle_begin(&publish, LEN);
    assert_eq!(refused, Err(Misbehaved::PacketTooLarge.into()));
    session.handle_open(&asking(true));
    let early = session.handle_begin(&publish, LEN);
    assert_eq!(early, Err(Misbehaved::BeforeConnack.into()));
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let mut session = streaming(config(Version::V5, Oversize::Stream));
        for id in 1..=3 {
            begin(&mut session, &front(qos, id, false));
            end(&mut session);
        }
        let fourth = session.handle_begin(&front(qos, 4, false), LEN);
        assert_eq!(fourth, Err(Misbehaved::ReceiveMaximum.into()));
    }
    let list = [Property::ReceiveMaximum(core::num::NonZeroU16::MIN)];
    let one = Connect { properties: Properties::new(&list), ..asking(true) };
    let mut session = streaming(config(Version::V5, Oversize::Stream));
    session.handle_open(&one);
    session.handle_packet(&connack(false, 0)).unwrap();
    begin(&mut session, &front(Qos::AtLeastOnce, 1, false));
    end(&mut session);
    let second = session.handle_begin(&front(Qos::AtLeastOnce, 2, false), LEN);
    assert_eq!(second, Err(Misbehaved::ReceiveMaximum.into()));
}
