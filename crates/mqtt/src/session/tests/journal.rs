//! Stores: what they are told, and what a session makes of it.

use super::*;
use crate::{Config, Records, RestoreError, TooShort, Version};

type Log = Vec<Vec<u8>>;

fn journaled() -> Small {
    Session::new(vec![0; 200], Config::new().journaled())
}

/// All that the store has not seen, which is safe from now on.
fn record(session: &mut Small, log: &mut Log) -> usize {
    let before = log.len();
    let mut memory = [0; 200];
    while let Some(len) = session.poll_record(&mut memory).unwrap() {
        log.extend(Records::new(&memory[..len]).map(<[u8]>::to_vec));
    }
    session.handle_recorded();
    log.len() - before
}

fn replay<const N: usize>(log: &Log, outbox: usize) -> Session<Vec<u8>, N> {
    let mut session = Session::new(vec![0; outbox], Config::new().journaled());
    for record in log {
        assert_eq!(session.restore(record), Ok(()), "{record:x?}");
    }
    session
}

fn answer(session: &mut Small, kind: AckKind, id: u16) {
    session.handle_packet(&Packet::Ack(Ack::new(kind, PacketId::new(id).unwrap()))).unwrap();
}

fn publish(session: &mut Small, qos: Qos) -> Token {
    session.publish(&Message::new("t", b"!", qos)).unwrap()
}

fn arrive(session: &mut Small, id: u16, duplicate: bool, payload: &[u8]) -> bool {
    let message = Message::new("t", payload, Qos::ExactlyOnce);
    let publish = Publish { message, duplicate, packet_id: PacketId::new(id) };
    let event = session.handle_packet(&Packet::Publish(publish)).unwrap();
    let came = event.is_some();
    session.handle_release();
    came
}

/// Connected, and everything recorded.
fn opened(log: &mut Log) -> Small {
    let mut session = journaled();
    connect(&mut session, false);
    record(&mut session, log);
    session
}

#[test]
fn packet_waits_until_what_it_rests_on_is_recorded() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    publish(&mut session, Qos::ExactlyOnce);
    let step = |session: &mut Small, log: &mut Log, first: u8| {
        assert_eq!(session.poll_packet(), None, "{first:#x} rests on what is not recorded");
        let mut memory = [0; 64];
        assert!(session.poll_record(&mut memory).unwrap().is_some());
        assert_eq!(session.poll_packet(), None, "nor is it before the store says so");
        record(session, log);
        assert_eq!(sent(session).iter().map(|packet| packet[0]).collect::<Vec<_>>(), [first]);
    };
    step(&mut session, &mut log, 0x34);
    answer(&mut session, AckKind::Pubrec, 1);
    step(&mut session, &mut log, 0x62);
    assert!(arrive(&mut session, 9, false, b"x"));
    step(&mut session, &mut log, 0x50);
    answer(&mut session, AckKind::Pubrel, 9);
    step(&mut session, &mut log, 0x70);
}

#[test]
fn message_of_qos_0_and_acknowledgement_of_qos_1_need_no_record() {
    let mut session = opened(&mut Log::new());
    publish(&mut session, Qos::AtMostOnce);
    receive(&mut session, 7);
    session.handle_release();
    assert!(session.is_recorded() && !session.has_unrecorded());
    assert_eq!(sent(&mut session).len(), 2);
}

#[test]
fn session_without_a_journal_has_no_records_and_does_not_wait() {
    let mut session = open();
    qos1(&mut session, b"x");
    assert!(session.is_recorded());
    assert_eq!(session.poll_record(&mut [0; 64]), Ok(None));
    assert_eq!(sent(&mut session).len(), 1);
}

/// [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-3.3.1-1], v3.1.1: [MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-3.3.1-1]
#[test]
fn restored_messages_go_again_in_order_with_their_identifiers_and_tokens() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    let tokens = [Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::ExactlyOnce]
        .map(|qos| publish(&mut session, qos));
    record(&mut session, &mut log);
    sent(&mut session);
    answer(&mut session, AckKind::Pubrec, 3);
    record(&mut session, &mut log);

    let mut session = replay::<3>(&log, 200);
    assert_eq!(session.in_flight(), 3);
    assert_eq!(connect(&mut session, true), Resumption::Resumed);
    record(&mut session, &mut log);
    let again = sent(&mut session);
    assert_eq!(again[0], [0x62, 2, 0, 3], "PUBREL of the message that PUBREC had come for");
    assert_eq!(
        again[1..].iter().map(|it| (it[0], it[6])).collect::<Vec<_>>(),
        [(0x3a, 1), (0x3c, 2)]
    );
    let done = session.handle_packet(&puback(1)).unwrap();
    assert!(matches!(done, Some(Event::Acknowledged { token, .. }) if token == tokens[0]));
    record(&mut session, &mut log);
    let next = publish(&mut session, Qos::AtLeastOnce);
    assert!(tokens.iter().all(|token| token.is_up_to(next) && *token != next));
}

#[test]
fn restored_messages_are_new_to_a_server_that_has_no_session() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    publish(&mut session, Qos::ExactlyOnce);
    record(&mut session, &mut log);
    sent(&mut session);
    answer(&mut session, AckKind::Pubrec, 1);
    record(&mut session, &mut log);
    let mut session = replay::<3>(&log, 200);
    assert_eq!(connect(&mut session, false), Resumption::Lost);
    record(&mut session, &mut log);
    assert_eq!(sent(&mut session)[0][0], 0x34);
    // And the store knows that PUBREC no longer counts.
    let mut session = replay::<3>(&log, 200);
    assert_eq!(connect(&mut session, true), Resumption::Resumed);
    record(&mut session, &mut log);
    assert_eq!(sent(&mut session)[0][0], 0x3c);
}

#[test]
fn message_that_the_program_has_taken_is_not_handed_over_after_a_crash_and_another_is() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    assert!(arrive(&mut session, 9, false, b"taken"));
    record(&mut session, &mut log);
    assert!(arrive(&mut session, 10, false, b"not recorded"));
    let mut session = replay::<3>(&log, 200);
    connect(&mut session, true);
    assert!(!arrive(&mut session, 9, true, b"taken"));
    assert!(arrive(&mut session, 10, true, b"not recorded"));
    record(&mut session, &mut log);
    assert_eq!(sent(&mut session).len(), 2, "both have their PUBREC");
    // Released, the identifier is another message's.
    answer(&mut session, AckKind::Pubrel, 9);
    record(&mut session, &mut log);
    let mut session = replay::<3>(&log, 200);
    connect(&mut session, true);
    assert!(arrive(&mut session, 9, true, b"another"));
}

#[test]
fn identifier_of_a_released_message_can_be_another_ones_before_the_store_knows() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    arrive(&mut session, 9, false, b"first");
    record(&mut session, &mut log);
    answer(&mut session, AckKind::Pubrel, 9);
    assert!(arrive(&mut session, 9, false, b"second"));
    assert_eq!(record(&mut session, &mut log), 2, "one removed, one taken");
    let mut session = replay::<3>(&log, 200);
    connect(&mut session, true);
    assert!(!arrive(&mut session, 9, true, b"second"));
}

#[test]
fn connect_without_an_answer_leaves_a_restored_session_uncertain_and_so_what_it_has_taken() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    arrive(&mut session, 9, false, b"x");
    record(&mut session, &mut log);
    session.handle_open(&asking(false));
    assert_eq!(record(&mut session, &mut log), 1, "before CONNECT goes out");
    let mut session = replay::<3>(&log, 200);
    assert_eq!(connect(&mut session, true), Resumption::Uncertain);
    record(&mut session, &mut log);
    let mut session = replay::<3>(&log, 200);
    assert_eq!(connect(&mut session, true), Resumption::Resumed);
    assert!(arrive(&mut session, 9, false, b"x"), "unmarked, it is another message");
}

/// [MQTT-2.2.1-3], v3.1.1: [MQTT-2.3.1-2]
#[test]
fn identifier_is_not_free_before_the_store_knows_that_its_exchange_is_over() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    for _ in 0..3 {
        publish(&mut session, Qos::AtLeastOnce);
    }
    record(&mut session, &mut log);
    sent(&mut session);
    session.handle_packet(&puback(1)).unwrap();
    session.handle_packet(&puback(3)).unwrap();
    assert_eq!(session.in_flight(), 1);
    let message = Message::new("t", b"!", Qos::AtLeastOnce);
    assert_eq!(session.publish(&message), Err(PublishError::InflightFull));
    record(&mut session, &mut log);
    publish(&mut session, Qos::AtLeastOnce);
    record(&mut session, &mut log);
    assert_eq!(sent(&mut session)[0][6], 4, "the one after 1 in its slot");
    let mut export = vec![0; session.export_len()];
    session.export(&mut export).unwrap();
    let mut restored: Small = journaled();
    restored.import(&export).unwrap();
    for mut session in [replay::<3>(&log, 200), restored] {
        connect(&mut session, true);
        publish(&mut session, Qos::AtLeastOnce);
        record(&mut session, &mut Log::new());
        let ids: Vec<_> = sent(&mut session).iter().map(|packet| packet[6]).collect();
        assert_eq!(ids, [2, 4, 6], "and the one after 3 in its");
    }
}

#[test]
fn messages_that_fitted_once_fit_again_in_another_order() {
    let mut log = Log::new();
    let mut session: Small = Session::new(vec![0; 160], Config::new().journaled());
    let packet = |session: &mut Small, len: usize, qos: Qos| {
        session.publish(&Message::new("t", &vec![b'x'; len], qos)).unwrap();
    };
    connect(&mut session, false);
    // 30, 50, 80 bytes with what stands before each; once the first two are done, 80 in their place.
    packet(&mut session, 13, Qos::AtMostOnce);
    packet(&mut session, 31, Qos::AtLeastOnce);
    packet(&mut session, 61, Qos::AtLeastOnce);
    record(&mut session, &mut log);
    sent(&mut session);
    session.handle_packet(&puback(1)).unwrap();
    packet(&mut session, 61, Qos::AtLeastOnce);
    record(&mut session, &mut log);
    // Without the first, the third ends where the fourth fits neither behind nor before it.
    let mut restored = replay::<3>(&log, 160);
    connect(&mut restored, true);
    record(&mut restored, &mut log);
    let again: Vec<_> = sent(&mut restored).iter().map(|it| (it[6], it.len(), it[67])).collect();
    assert_eq!(again, [(2, 68, b'x'), (3, 68, b'x')]);
    restored.handle_packet(&puback(2)).unwrap();
    restored.handle_packet(&puback(3)).unwrap();
    let mut small: Small = Session::new(vec![0; 159], Config::new().journaled());
    let refused = log.iter().find_map(|record| small.restore(record).err());
    assert_eq!(refused, Some(RestoreError::OutboxFull));
}

#[test]
fn record_that_cannot_be_taken_says_why_and_changes_nothing() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    for _ in 0..3 {
        publish(&mut session, Qos::AtLeastOnce);
    }
    record(&mut session, &mut log);
    let mut fewer = Session::<_, 2>::new(vec![0; 200], Config::new());
    let refused: Vec<_> = log.iter().filter_map(|record| fewer.restore(record).err()).collect();
    assert_eq!(refused, [RestoreError::InflightFull]);
    assert_eq!(fewer.in_flight(), 2);
    let more = replay::<7>(&log, 200);
    assert_eq!(more.in_flight(), 3);
    let mut five: Small = Session::new(vec![0; 200], Config::new().version(Version::V5));
    assert_eq!(five.restore(&log[0]), Err(RestoreError::Version));
    let mut headless = journaled();
    assert_eq!(headless.restore(log.last().unwrap()), Err(RestoreError::Malformed));
    let mut twice = replay::<3>(&log, 200);
    assert_eq!(twice.restore(log.last().unwrap()), Err(RestoreError::Malformed));
    assert_eq!(twice.in_flight(), 3);
    assert_eq!(session.restore(&log[0]), Err(RestoreError::NotFresh));
}

#[test]
fn memory_that_is_too_short_says_how_much_it_takes_and_nothing_is_lost() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    publish(&mut session, Qos::AtLeastOnce);
    let Err(TooShort { needed }) = session.poll_record(&mut [0; 3]) else { panic!("it fits") };
    assert_eq!(session.poll_record(&mut vec![0; needed]), Ok(Some(needed)));
    assert_eq!(record(&mut session, &mut log), 0);
    let needed = session.export_len();
    assert_eq!(session.export(&mut vec![0; needed - 1]), Err(TooShort { needed }));
    assert_eq!(session.export(&mut vec![0; needed]), Ok(needed));
}

/// What is refused ends with its PUBREC, and comes again until that has arrived.
#[test]
fn message_that_the_program_refuses_is_not_recorded() {
    let config = Config::new().version(Version::V5).manual_acks().journaled();
    let mut session: Small = Session::new(vec![0; 200], config);
    session.handle_open(&Connect { version: Version::V5, ..asking(false) });
    session.handle_packet(&connack(false, 0)).unwrap();
    record(&mut session, &mut Log::new());
    let message = Message::new("t", b"x", Qos::ExactlyOnce);
    let publish = Publish { message, duplicate: false, packet_id: PacketId::new(9) };
    let event = session.handle_packet(&Packet::Publish(publish)).unwrap();
    let Some(Event::Message { ack: Some(ack), .. }) = event else { panic!("{event:?}") };
    session.acknowledge(ack, ReasonCode::QUOTA_EXCEEDED).unwrap();
    assert!(session.is_recorded());
    assert_eq!(sent(&mut session), [[0x50, 3, 0, 9, 0x97]]);
}

#[test]
fn message_that_is_no_longer_in_doubt_is_not_so_after_a_crash_either() {
    let mut log = Log::new();
    let mut session = opened(&mut log);
    arrive(&mut session, 9, false, b"x");
    record(&mut session, &mut log);
    session.handle_open(&asking(false));
    record(&mut session, &mut log);
    let mut session = replay::<3>(&log, 200);
    assert_eq!(connect(&mut session, true), Resumption::Uncertain);
    record(&mut session, &mut log);
    assert!(!arrive(&mut session, 9, true, b"x"), "the server knows it");
    record(&mut session, &mut log);
    let mut session = replay::<3>(&log, 200);
    assert_eq!(connect(&mut session, true), Resumption::Resumed);
    assert!(!arrive(&mut session, 9, false, b"x"), "and it is the same without the mark");
}
