//! Deadlines: of the opening, of the keep alive, of the answer to PINGREQ.

use super::*;
use crate::AckToken;

/// v3.1.1: [MQTT-3.1.2-23]
#[test]
fn silence_is_broken_before_the_keep_alive_is_over() {
    let mut client = open(true, Config::new());
    for _ in 0..5 {
        let (ms, outcome) = client.pass_to_deadline();
        assert_eq!((ms, outcome), (KEEP_ALIVE_MS * 3 / 4, Ok(())));
        assert_eq!(client.sent(), masked(0x82, PINGREQ));
        assert!(client.connection.next_deadline() > Some(client.now));
        client.give(PINGRESP);
        assert_eq!(client.events(), [] as [&str; 0]);
    }
}

/// v3.1.1: [MQTT-3.1.2-23] counts control packets; a pong is none.
#[test]
fn pong_does_not_stand_for_a_control_packet() {
    let mut client = open(true, Config::new());
    let mut silent = 0;
    loop {
        silent += 10_000;
        assert!(silent < KEEP_ALIVE_MS, "no packet for a whole keep alive");
        client.pass(10_000).unwrap();
        client.give_raw(&frame(0x89, b"there?"));
        assert_eq!(client.events(), [] as [&str; 0]);
        let sent = client.sent();
        if sent != masked(0x8a, b"there?") {
            assert_eq!(sent, [masked(0x8a, b"there?"), masked(0x82, PINGREQ)].concat());
            return;
        }
    }
}

#[test]
fn peer_that_does_not_answer_a_ping_has_gone_within_one_and_a_half_keep_alives() {
    for framed in [true, false] {
        let mut client = open(framed, Config::new());
        let (first, outcome) = client.pass_to_deadline();
        assert_eq!(outcome, Ok(()));
        client.sent();
        let (second, outcome) = client.pass_to_deadline();
        let error = Error::TimedOut(Stage::Pingresp);
        assert_eq!(outcome, Err(error));
        assert!(first + second <= KEEP_ALIVE_MS * 3 / 2);
        client.assert_ends(error, if framed { &[0x88, 0x82, 0, 0, 0, 0, 3, 0xe9] } else { &[] });
    }
}

#[test]
fn ping_that_cannot_leave_is_a_timeout_too() {
    let mut client = open(true, Config::new());
    client.pass_to_deadline().1.unwrap();
    let error = Error::TimedOut(Stage::Pingresp);
    assert_eq!(client.pass_to_deadline().1, Err(error), "nothing was sent since");
}

/// A PINGREQ waits behind the rest of a packet; the peer cannot answer it before.
#[test]
fn long_upload_is_no_silence_of_the_peer() {
    let mut client = open(true, Config::new());
    let payload = [0; 4_000];
    client.session.publish(&Message::new("t", &payload, Qos::AtMostOnce)).unwrap();
    for _ in 0..30 {
        assert_eq!(client.pass(10_000), Ok(()));
        assert_eq!(client.sent_once().map(|part| part.len()), Some(TRANSMIT_MIN));
    }
    assert!(client.sent().ends_with(&masked(0x82, PINGREQ)));
    client.give(PINGRESP);
    assert_eq!(client.events(), [] as [&str; 0]);
    assert!(client.connection.next_deadline() > Some(client.now.after(30_000)));
}

/// On a slow way up, the PINGREQ arrives behind packets that are being acknowledged.
#[test]
fn acknowledgement_shows_that_a_ping_is_on_its_way() {
    let mut client = open(true, Config::new());
    for payload in [b"1", b"2"] {
        client.session.publish(&Message::new("t", payload, Qos::AtLeastOnce)).unwrap();
    }
    client.sent();
    client.pass_to_deadline().1.unwrap();
    client.sent();
    for id in [1, 2] {
        assert_eq!(client.pass(KEEP_ALIVE_MS / 2 - 1), Ok(()));
        client.give(&[0x40, 2, 0, id]);
        assert_eq!(client.events().len(), 1);
    }
    assert_eq!(client.pass_to_deadline().1, Err(Error::TimedOut(Stage::Pingresp)), "no more come");
}

/// v3.1.1: [MQTT-3.1.2-23]
#[test]
fn program_that_holds_messages_back_stays_alive() {
    let mut client = open(true, Config::new().manual_acks());
    let mut acks: Vec<AckToken> = Vec::new();
    for id in 1..=3 {
        client.give(&message(id, b""));
    }
    client.give(PINGRESP);
    while let Some(event) = client.poll().unwrap() {
        if let Event::Message { ack, .. } = event {
            acks.extend(ack);
        }
    }
    assert_eq!(acks.len(), 2, "the third waits");
    let mut silent = 0;
    for _ in 0..20 {
        let (ms, outcome) = client.pass_to_deadline();
        assert_eq!(outcome, Ok(()));
        silent += ms;
        let sent = client.sent();
        if !sent.is_empty() {
            assert_eq!(sent, masked(0x82, PINGREQ));
            assert!(silent < KEEP_ALIVE_MS, "silent for {silent} ms");
            silent = 0;
        }
    }
    for ack in acks {
        client.session.acknowledge(ack, ReasonCode::SUCCESS).unwrap();
    }
    assert_eq!(client.events(), [] as [&str; 0], "first the acknowledgements must leave");
    client.sent();
    assert_eq!(client.events(), ["Message([])"]);
}

#[test]
fn program_that_does_not_come_back_for_events_is_no_silence_of_the_peer() {
    let mut client = open(true, Config::new());
    client.give(&message(1, b"x"));
    client.give(&message(2, b"y"));
    assert!(client.poll().unwrap().is_some());
    for _ in 0..10 {
        assert_eq!(client.pass_to_deadline().1, Ok(()));
        client.sent();
    }
    assert_eq!(client.events(), ["Message([121])"]);
    assert_eq!(client.pass_to_deadline().1, Err(Error::TimedOut(Stage::Pingresp)));
}

#[test]
fn server_that_does_not_accept_in_time_is_given_up_at_the_deadline() {
    for framed in [true, false] {
        let mut client = client(framed, Config::new());
        assert_eq!(client.pass(OPENING_MS - 1), Ok(()));
        if framed {
            let error = Error::TimedOut(Stage::Upgrade);
            assert_eq!(client.pass(1), Err(error));
            client.assert_ends(error, &[]);
        }
    }
    for (framed, last) in [(true, &close(1001)[..]), (false, &[])] {
        let mut client = client(framed, Config::new());
        client.upgrade();
        assert_eq!(client.pass(OPENING_MS - 1), Ok(()));
        let error = Error::TimedOut(Stage::Connack);
        assert_eq!(client.pass(1), Err(error));
        client.assert_ends(error, last);
    }
}

/// Each stage has a time of its own, and all together have theirs.
#[test]
fn stage_of_the_opening_that_takes_too_long_is_timed_out() {
    const STAGE_MS: u64 = 6_000;
    for framed in [true, false] {
        let mut client = client(framed, Config::new());
        client.connection = client.connection.with_stage_timeout(STAGE_MS);
        let stage = if framed { Stage::Upgrade } else { Stage::Connack };
        assert_eq!(client.pass_to_deadline(), (STAGE_MS, Err(Error::TimedOut(stage))));
    }
    let mut client = client(true, Config::new());
    client.connection = client.connection.with_stage_timeout(STAGE_MS);
    client.pass(1_000).unwrap();
    client.upgrade();
    let left_ms = STAGE_MS;
    assert_eq!(client.pass_to_deadline(), (left_ms, Err(Error::TimedOut(Stage::Connack))));
    // The second begins late: there is less left of the whole.
    let mut client = super::client(true, Config::new());
    client.connection = client.connection.with_stage_timeout(STAGE_MS);
    client.pass(STAGE_MS - 1).unwrap();
    client.upgrade();
    let left_ms = OPENING_MS - (STAGE_MS - 1);
    assert_eq!(client.pass_to_deadline(), (left_ms, Err(Error::TimedOut(Stage::Connack))));
    // And none once the server has accepted.
    let mut client = super::client(true, Config::new());
    client.connection = client.connection.with_stage_timeout(STAGE_MS);
    client.upgrade();
    client.give(CONNACK);
    assert_eq!(client.events().len(), 1);
    assert!(client.pass_to_deadline().0 > STAGE_MS);
}
