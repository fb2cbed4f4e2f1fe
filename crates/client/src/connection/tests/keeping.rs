//! Keep alive of the server, and deadlines for answers.

use super::*;
use crate::Overdue;

fn five(framed: bool, properties: &[u8]) -> Client<Vec<u8>> {
    let mut client = client(framed, Config::new().version(Version::V5));
    client.upgrade();
    let len = properties.len() as u8;
    client.give(&[&[0x20, 3 + len, 0, 0, len][..], properties].concat());
    assert_eq!(client.events().len(), 1);
    client
}

/// [MQTT-3.1.2-20] [MQTT-3.1.2-21] [MQTT-3.12.4-1], v3.1.1: [MQTT-3.12.4-1]
#[test]
fn keep_alive_of_the_server_takes_the_place_of_our_own() {
    for (properties, keep_alive_ms) in
        [(&[][..], KEEP_ALIVE_MS), (&[0x13, 0, 10], 10_000), (&[0x13, 1, 0], 256_000)]
    {
        let mut client = five(true, properties);
        for _ in 0..3 {
            let (ms, outcome) = client.pass_to_deadline();
            assert_eq!((ms, outcome), (keep_alive_ms * 3 / 4, Ok(())));
            assert_eq!(client.sent(), masked(0x82, PINGREQ));
            client.give(PINGRESP);
            assert_eq!(client.events(), [] as [&str; 0]);
        }
        client.pass_to_deadline().1.unwrap();
        client.sent();
        let (ms, outcome) = client.pass_to_deadline();
        assert_eq!(ms, (keep_alive_ms / 2).min(30_000));
        let error = Error::TimedOut(Stage::Pingresp);
        assert_eq!(outcome, Err(error));
        client.assert_ends(error, &close(1001));
    }
}

/// [MQTT-3.1.2-21]
#[test]
fn server_that_wants_no_keep_alive_gets_none() {
    let mut client = five(false, &[0x13, 0, 0]);
    assert_eq!(client.connection.next_deadline(), None);
    assert_eq!(client.pass(1_000_000_000), Ok(()));
    assert_eq!(client.sent(), [0; 0]);
}

const TIMEOUT_MS: u64 = 1_000;

/// Publishes at 0 and just before the next quarter of the time is over, and says what becomes of it.
fn two_messages(version: Version, overdue: Overdue) -> Client<Vec<u8>> {
    let mut client = open(false, Config::new().version(version));
    client.connection = client.connection.with_answer_timeout(TIMEOUT_MS, overdue);
    client.session.publish(&Message::new("t", b"1", Qos::AtLeastOnce)).unwrap();
    client.sent();
    assert_eq!(client.events(), [] as [&str; 0]);
    client.pass(249).unwrap();
    client.session.publish(&Message::new("t", b"2", Qos::AtLeastOnce)).unwrap();
    client.sent();
    client.give(&[0x40, 2, 0, 1]);
    assert_eq!(client.events().len(), 1);
    client
}

/// Lets time pass by milliseconds until something is sent, or it ends; says how long that was.
fn wait(client: &mut Client<Vec<u8>>) -> (u64, Result<Vec<u8>, Error>) {
    for ms in 1..=2 * TIMEOUT_MS {
        let outcome = client.pass(1).and_then(|()| client.poll().map(|event| event.is_some()));
        match outcome {
            Ok(event) => assert!(!event),
            Err(error) => return (ms, Err(error)),
        }
        let sent = client.sent();
        if !sent.is_empty() {
            return (ms, Ok(sent));
        }
    }
    panic!("nothing happens");
}

/// Found here: an answer was overdue up to a quarter of the time too early.
#[test]
fn answer_that_does_not_come_in_time_ends_the_connection() {
    for version in [Version::V3, Version::V5] {
        let mut client = two_messages(version, Overdue::Close);
        let (ms, outcome) = wait(&mut client);
        let error = Error::TimedOut(Stage::Answer);
        assert_eq!(outcome, Err(error));
        assert!((TIMEOUT_MS..=TIMEOUT_MS * 5 / 4).contains(&ms), "{version:?} after {ms} ms");
        client.assert_ends(error, &[]);
        assert_eq!(client.session.in_flight(), 1, "it is sent again on the next connection");
    }
}

/// v3.1.1: [MQTT-3.3.1-1]
#[test]
fn answer_that_does_not_come_in_time_is_asked_for_again_in_the_older_version() {
    let mut client = two_messages(Version::V3, Overdue::Resend);
    for _ in 0..3 {
        let (ms, outcome) = wait(&mut client);
        assert_eq!(outcome, Ok(b"\x3a\x06\0\x01t\0\x022".to_vec()));
        assert!((TIMEOUT_MS..=TIMEOUT_MS * 5 / 4).contains(&ms), "after {ms} ms");
    }
    client.give(&[0x40, 2, 0, 2]);
    assert_eq!(client.events().len(), 1);
    assert_eq!(client.pass(TIMEOUT_MS * 10), Ok(()));
    assert_eq!(client.events(), [] as [&str; 0]);
}

/// [MQTT-4.4.0-1]
#[test]
fn answer_is_never_asked_for_again_on_a_connection_of_mqtt_5() {
    let mut client = two_messages(Version::V5, Overdue::Resend);
    assert_eq!(wait(&mut client).1, Err(Error::TimedOut(Stage::Answer)));
}

/// The time counts from when a packet goes out, not from when it was accepted.
#[test]
fn message_that_waits_for_quota_is_not_overdue() {
    let mut client = five(false, &[0x21, 0, 1]);
    client.connection = client.connection.with_answer_timeout(TIMEOUT_MS, Overdue::Close);
    for payload in [b"1", b"2"] {
        client.session.publish(&Message::new("t", payload, Qos::AtLeastOnce)).unwrap();
    }
    client.sent();
    for _ in 0..9 {
        client.pass(100).unwrap();
        assert_eq!(client.events(), [] as [&str; 0]);
    }
    client.give(&[0x40, 2, 0, 1]);
    assert_eq!(client.events().len(), 1);
    assert!(client.sent().ends_with(b"2"));
    let (ms, outcome) = wait(&mut client);
    assert_eq!(outcome, Err(Error::TimedOut(Stage::Answer)));
    assert!((TIMEOUT_MS..=TIMEOUT_MS * 5 / 4).contains(&ms), "after {ms} ms");
}
