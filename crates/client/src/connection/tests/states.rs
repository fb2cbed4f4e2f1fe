//! A valid packet of each type, in each state, in both versions, on both transports.

use super::*;

/// What a valid packet in a state comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Event,
    Ignored,
    /// The peer is at fault: MQTT 5.0 says why by this reason.
    Wrong(Error, u8),
    /// The peer has said good-bye.
    Left,
}

const VERSIONS: [Version; 2] = [Version::V3, Version::V5];

/// A packet with each of the 16 numbers that a type can have, valid where there is such a type.
fn packets(version: Version) -> [(u8, &'static [u8]); 16] {
    let five = version == Version::V5;
    let choose = |older: &'static [u8], newer: &'static [u8]| if five { newer } else { older };
    [
        (0, &[0x00, 0]),
        (
            1,
            choose(
                b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c",
                b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c",
            ),
        ),
        (2, accepted(version)),
        (3, choose(b"\x32\x06\0\x01t\0\x09x", b"\x32\x07\0\x01t\0\x09\0x")),
        (4, &[0x40, 2, 0, 1]),
        (5, &[0x50, 2, 0, 1]),
        (6, &[0x62, 2, 0, 1]),
        (7, &[0x70, 2, 0, 1]),
        (8, choose(b"\x82\x06\0\x01\0\x01a\x01", b"\x82\x07\0\x01\0\0\x01a\x01")),
        (9, choose(&[0x90, 3, 0, 1, 0], &[0x90, 4, 0, 1, 0, 0])),
        (10, choose(b"\xa2\x05\0\x01\0\x01a", b"\xa2\x06\0\x01\0\0\x01a")),
        (11, choose(&[0xb0, 2, 0, 1], &[0xb0, 4, 0, 1, 0, 0])),
        (12, PINGREQ),
        (13, PINGRESP),
        (14, &[0xe0, 0]),
        (15, choose(&[0xf0, 0], b"\xf0\x06\x18\x04\x15\0\x01m")),
    ]
}

fn wrong(error: mqtt::Misbehaved) -> Outcome {
    Outcome::Wrong(error.into(), 0x82)
}

/// What is no packet of the version, or not of the connection, whatever the state.
fn in_any_state(version: Version, number: u8) -> Option<Outcome> {
    match (version, number) {
        (_, 0) | (Version::V3, 15) => Some(Outcome::Wrong(mqtt::Malformed::Type.into(), 0x81)),
        // The CONNECT has no authentication method.
        (Version::V5, 15) => Some(wrong(mqtt::Misbehaved::Authentication)),
        _ => None,
    }
}

fn awaiting_connack(version: Version, number: u8) -> Outcome {
    in_any_state(version, number).unwrap_or(match number {
        2 => Outcome::Event,
        _ => wrong(mqtt::Misbehaved::BeforeConnack),
    })
}

/// A message of QoS 1 is in flight as packet 1.
fn while_open(version: Version, number: u8) -> Outcome {
    in_any_state(version, number).unwrap_or(match number {
        3 | 4 => Outcome::Event,
        6 | 13 => Outcome::Ignored,
        2 => wrong(mqtt::Misbehaved::SecondConnack),
        5 | 7 | 9 | 11 => wrong(mqtt::Misbehaved::Acknowledgement),
        14 if version == Version::V5 => Outcome::Left,
        _ => wrong(mqtt::Misbehaved::ClientPacket),
    })
}

/// What is said before hanging up.
pub(super) fn last_words(framed: bool, version: Version, reason: Option<u8>, code: u16) -> Vec<u8> {
    let disconnect = reason.filter(|_| version == Version::V5).map(|reason| [0xe0, 1, reason]);
    let disconnect = disconnect.as_ref().map_or(&[][..], |packet| packet);
    match (framed, disconnect.is_empty()) {
        (false, _) => disconnect.to_vec(),
        (true, true) => close(code),
        (true, false) => [masked(0x82, disconnect), close(code)].concat(),
    }
}

/// Gives the packet, and checks what comes of it to the last byte; `parted` says that DISCONNECT is out.
fn check(
    mut client: Client<Vec<u8>>,
    framed: bool,
    packet: &[u8],
    outcome: Outcome,
    parted: bool,
    state: &str,
) {
    let version = client.session.version();
    client.give(packet);
    let got = client.poll().map(|event| event.is_some());
    match outcome {
        Outcome::Event => assert_eq!(got, Ok(true), "{version:?} {packet:?} {state}"),
        // Over a bare stream nothing is waited for behind the good-bye.
        Outcome::Ignored if parted && !framed => {
            assert_eq!(got, Err(Error::Closed(Closed::Local)), "{version:?} {packet:?} {state}");
        }
        Outcome::Ignored => assert_eq!(got, Ok(false), "{version:?} {packet:?} {state}"),
        Outcome::Wrong(error, reason) => {
            assert_eq!(got, Err(error), "{version:?} {packet:?} {state}");
            let last = last_words(framed, version, Some(reason), 1002);
            client.assert_ends(error, if parted { &[] } else { &last });
        }
        Outcome::Left => {
            let error = Error::Closed(Closed::Disconnected(ReasonCode::SUCCESS));
            assert_eq!(got, Err(error), "{version:?} {packet:?} {state}");
            let last = last_words(framed, version, None, 1000);
            client.assert_ends(error, if parted { &[] } else { &last });
        }
    }
}

/// [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.14.0-1], v3.1.1: [MQTT-3.2.0-1] [MQTT-4.8.0-1]
#[test]
fn valid_packet_in_each_state_is_an_event_ignored_or_misbehaved() {
    let mut cases = 0;
    for version in VERSIONS {
        let config = Config::new().version(version);
        for (number, packet) in packets(version) {
            let open = while_open(version, number);
            for framed in [true, false] {
                let mut awaiting = client(framed, config);
                awaiting.upgrade();
                let outcome = awaiting_connack(version, number);
                check(awaiting, framed, packet, outcome, false, "awaiting CONNACK");
                check(in_flight(framed, version), framed, packet, open, false, "open");
                let mut leaving = in_flight(framed, version);
                leaving.session.disconnect(ReasonCode::SUCCESS);
                check(leaving, framed, packet, open, false, "disconnecting");
                let mut left = in_flight(framed, version);
                left.session.disconnect(ReasonCode::SUCCESS);
                left.sent();
                check(left, framed, packet, open, true, "behind DISCONNECT");
                cases += 4;
            }
            check_upgrading(config, packet);
            cases += 1;
        }
    }
    assert_eq!(cases, 2 * 16 * (4 * 2 + 1));
}

/// Nothing but HTTP comes before the upgrade.
fn check_upgrading(config: Config, packet: &[u8]) {
    let mut upgrading = client(true, config);
    upgrading.sent();
    upgrading.give_raw(packet);
    let end = match upgrading.poll() {
        Ok(_) => upgrading.connection.handle_eof(),
        Err(error) => error,
    };
    assert!(matches!(end, Error::Malformed(Malformed::Upgrade(_))), "{packet:?}: {end}");
    upgrading.assert_ends(end, &[]);
}

/// [MQTT-3.14.4-1]
///
/// Found here: whoever broke the rules while our Close waited for room got a second DISCONNECT.
#[test]
fn good_bye_is_said_once_however_little_room_there_is() {
    for len in 0..TRANSMIT_MIN {
        let mut client = open(true, Config::new().version(Version::V5));
        let payload = vec![0; len];
        client.session.publish(&Message::new("t", &payload, Qos::AtMostOnce)).unwrap();
        client.session.disconnect(ReasonCode::SUCCESS);
        let mut sent = client.sent_once().unwrap();
        while !client.session.is_offline() {
            sent.extend(client.sent_once().unwrap());
        }
        client.give(&[0x00, 0]);
        assert!(client.poll().is_err());
        sent.extend(client.sent());
        let good_bye = [masked(0x82, &[0xe0, 0]), close(1000)].concat();
        assert!(sent.ends_with(&good_bye), "{len}: {sent:?}");
        let disconnects = sent.windows(8).filter(|it| **it == masked(0x82, &[0xe0, 0])[..]).count();
        assert_eq!(disconnects, 1, "{len}");
    }
}

/// Found here: messages that found no place kept the end of a bare stream waiting.
#[test]
fn messages_that_find_no_place_behind_the_good_bye_hold_nothing_up() {
    let mut client = open(false, Config::new().manual_acks());
    client.session.disconnect(ReasonCode::SUCCESS);
    client.sent();
    for id in 1..=3 {
        client.give(&message(id, b"x"));
    }
    for _ in 0..2 {
        assert!(client.poll().unwrap().is_some());
    }
    assert_eq!(client.poll(), Err(Error::Closed(Closed::Local)));
}
