//! Conversations cut at every place: into the connection, and off by the network.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "host code: a test may panic"
)]

use dunlin::{
    Aliases, Config, Connect, Connection, Entropy, Event, Instant, Message, Opening, Qos,
    ReasonCode, Session, Subscription, TRANSMIT_MIN, Transport, Version, ws,
};
use support::sim::{self, Act, Incoming, Manners, Peer, Plan, Random, Traits};

/// How the bytes of the server come in.
#[derive(Clone, Copy, Debug)]
enum Way {
    Receive,
    SpareAndCommit,
}

/// What a replay came to: events in words, and what was sent, apart by packets and control frames.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    events: Vec<String>,
    sent: Vec<Incoming>,
}

/// A program that answers events, so that what it sends follows from what it is told.
struct Program {
    session: Session<[u8; 2048], 4>,
    connection: Connection<'static, [u8; 600], [u8; 64]>,
    random: Random,
    tx: usize,
    events: Vec<String>,
    raw: Vec<u8>,
}

impl Program {
    fn new(version: Version, framed: bool, tx: usize) -> Self {
        let mut session = Session::new([0; 2048], Config::new().version(version));
        let request = ws::Request::new("broker.test", &"/mqtt", &[]).unwrap();
        let transport = if framed { Transport::WebSocket(request) } else { Transport::Stream };
        let connect = Connect {
            version,
            client_id: "cut",
            clean_session: true,
            keep_alive_s: 0,
            user_name: Some("user"),
            password: Some(b"password"),
            will: None,
            ..Connect::new("")
        };
        let now = Instant::default();
        let opening = Opening { transport, connect, deadline: now.after(1_000) };
        let mut random = Random::new(7);
        let entropy: &mut dyn Entropy = &mut |bytes: &mut [u8]| random.fill(bytes);
        let connection = Connection::open(&mut session, [0; 600], opening, now, entropy).unwrap();
        let connection = connection.with_topic_aliases(Aliases::new([0; 64], 2, [0; 64]));
        let (events, raw) = (Vec::new(), Vec::new());
        let mut program = Self { session, connection, random, tx, events, raw };
        program.transmit();
        program
    }

    /// Gives bytes, and does all that follows from them.
    fn give(&mut self, mut bytes: &[u8], way: Way) {
        loop {
            let len = match way {
                Way::Receive => self.connection.receive(bytes),
                Way::SpareAndCommit => {
                    let spare = self.connection.spare();
                    let len = dunlin::octet::copy(bytes, spare);
                    self.connection.commit(len);
                    len
                }
            };
            bytes = &bytes[len..];
            self.drain();
            if bytes.is_empty() {
                return;
            }
            assert!(len > 0, "no room, and no event");
        }
    }

    fn drain(&mut self) {
        loop {
            match self.connection.poll(&mut self.session, Instant::default()) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    self.events.push(format!("{event:?}"));
                    answer(&mut self.session, &event);
                }
                Err(error) => {
                    let error = format!("{error:?}");
                    if self.events.last() != Some(&error) {
                        self.events.push(error);
                    }
                    break;
                }
            }
            self.transmit();
        }
        self.transmit();
    }

    fn transmit(&mut self) {
        let mut out = vec![0; self.tx];
        let random = &mut self.random;
        let entropy: &mut dyn Entropy = &mut |bytes: &mut [u8]| random.fill(bytes);
        let (session, now) = (&mut self.session, Instant::default());
        while let Some(len) = self.connection.poll_transmit(session, now, entropy, &mut out) {
            self.raw.extend_from_slice(&out[..len]);
        }
    }

    fn outcome(self, framed: bool) -> Outcome {
        let mut peer = Peer::new(framed);
        peer.expect_pong(b"are you there?");
        let mut sent = peer.receive(&self.raw).unwrap();
        // Between packets, a control frame may go earlier or later.
        sent.sort_by_key(|incoming| !matches!(incoming, Incoming::Packet(_)));
        Outcome { events: self.events, sent }
    }
}

/// Subscribes once connected, publishes once subscribed, echoes messages, says good-bye at the last.
fn answer(session: &mut Session<[u8; 2048], 4>, event: &Event<'_>) {
    match event {
        Event::Connected { .. } => {
            let filter = Subscription::new("in/#", Qos::ExactlyOnce);
            session.subscribe(&[filter]).unwrap();
        }
        Event::Subscribed { .. } => {
            session.publish(&Message::new("out/0", b"once", Qos::AtMostOnce)).unwrap();
            session.publish(&Message::new("out/1", &[7; 200], Qos::AtLeastOnce)).unwrap();
        }
        Event::Message { message, .. } => {
            session.publish(&Message::new("echo", message.payload, Qos::AtMostOnce)).unwrap();
        }
        Event::Acknowledged { .. } => session.disconnect(ReasonCode::SUCCESS),
        _ => {}
    }
}

/// What a server says, all of it in one piece each: until SUBACK, messages, PUBACK.
fn script(version: Version) -> [Vec<u8>; 3] {
    let v5 = version == Version::V5;
    let (mut opening, mut messages) = (Vec::new(), Vec::new());
    if v5 {
        // Two aliases, and another keep alive.
        opening.extend_from_slice(b"\x20\x09\0\0\x06\x22\0\x02\x13\0\x09");
        opening.extend_from_slice(b"\x90\x08\0\x01\x04\x1f\0\x01y\x02");
        // By alias, beside the topic and in its place.
        messages.extend_from_slice(b"\x30\x0e\0\x04in/0\x03\x23\0\x01zero");
        messages.extend_from_slice(b"\x32\xb5\x01\0\0\0\x09\x03\x23\0\x01");
        messages.extend_from_slice(&[1; 173]);
        messages.extend_from_slice(b"\x32\x0c\0\x04in/1\0\x0a\x03\x23\0\x01");
        messages.extend_from_slice(b"\x34\x18\0\x04in/2\0\x0b\x0b\x26\0\x03key\0\x03wayonce");
        // An exchange that never was.
        messages.extend_from_slice(b"\x62\x03\0\x62\x92\x62\x02\0\x0b");
        return [opening, messages, b"\x40\x09\0\x02\x10\x05\x1f\0\x02no".to_vec()];
    }
    opening.extend_from_slice(&[0x20, 2, 0, 0, 0x90, 3, 0, 1, 2]);
    messages.extend_from_slice(b"\x30\x0a\0\x04in/0zero");
    messages.extend_from_slice(b"\x32\xb5\x01\0\x04in/1\0\x09");
    messages.extend_from_slice(&[1; 173]);
    messages.extend_from_slice(b"\x32\x08\0\x04in/1\0\x0a");
    // One of QoS 2 comes twice, and is released.
    messages.extend_from_slice(b"\x34\x0c\0\x04in/2\0\x0bonce");
    messages.extend_from_slice(b"\x3c\x0c\0\x04in/2\0\x0bonce\x62\x02\0\x0b");
    [opening, messages, b"\x40\x02\0\x02".to_vec()]
}

/// What a server says: upgrade, CONNACK, SUBACK, messages of every kind, ping, PUBACK, Close.
fn recording(version: Version, framed: bool, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut peer = Peer::new(framed);
    let program = Program::new(version, framed, 4096);
    peer.receive(&program.raw).unwrap();
    let mut bytes = peer.flush(&mut random);
    let [opening, messages, puback] = script(version);
    peer.put(&opening);
    bytes.extend(peer.flush(&mut random));
    peer.put(&messages);
    bytes.extend(peer.flush(&mut random));
    peer.ping(b"are you there?");
    peer.put(&puback);
    bytes.extend(peer.flush(&mut random));
    peer.close(ws::CloseCode::NORMAL);
    bytes.extend(peer.flush(&mut random));
    bytes
}

fn replay(version: Version, framed: bool, tx: usize, parts: &[&[u8]], way: Way) -> Outcome {
    let mut program = Program::new(version, framed, tx);
    parts.iter().for_each(|part| program.give(part, way));
    program.outcome(framed)
}

/// v3.1.1: [MQTT-6.0.0-2]
#[test]
fn conversation_is_the_same_however_its_bytes_come() {
    for version in [Version::V3, Version::V5] {
        for (framed, seed) in [(false, 1), (true, 1), (true, 2), (true, 3)] {
            let bytes = recording(version, framed, seed);
            let whole = replay(version, framed, 4096, &[&bytes], Way::Receive);
            assert_told(&whole);
            for tx in [TRANSMIT_MIN, 4096] {
                for way in [Way::Receive, Way::SpareAndCommit] {
                    for cut in 0..=bytes.len() {
                        let (front, back) = bytes.split_at(cut);
                        let outcome = replay(version, framed, tx, &[front, back], way);
                        let context = format!("{version:?}, frames {framed}, seed {seed}, {tx}");
                        assert_eq!(outcome, whole, "{context}, cut at {cut}");
                    }
                    let parts: Vec<_> = bytes.chunks(1).collect();
                    let outcome = replay(version, framed, tx, &parts, way);
                    assert_eq!(outcome, whole, "byte by byte");
                }
            }
        }
    }
}

/// The conversation comes to its end, and the program hears of everything.
fn assert_told(whole: &Outcome) {
    let words = whole.events.join(" ");
    for word in ["Connected", "Subscribed", "in/0", "in/2", "AckToken", "Acknowledged", "Local"] {
        assert!(words.contains(word), "{word}: {words}");
    }
    assert!(words.contains(&format!("{:?}", b"zero")), "{words}");
    assert_eq!(whole.events.len(), 8, "{words}");
}

/// A publisher and a subscriber; the connection of one of them breaks behind byte `cut` one way.
fn broken(
    version: Version,
    framed: bool,
    (node, up): (usize, bool),
    cut: usize,
    act: Option<Act>,
) -> Plan {
    let promise = framed as usize;
    let traits = Traits { version, framed, aliases: 2, promise, ..Traits::PLAIN };
    let publish = |at, qos, len| (at, Act::Publish { node: 0, topic: 1, qos, retain: false, len });
    let mut acts = vec![
        publish(100, Qos::AtLeastOnce, 20),
        publish(101, Qos::AtMostOnce, 20),
        publish(102, Qos::AtLeastOnce, 200),
        publish(103, Qos::ExactlyOnce, 7),
        publish(104, Qos::ExactlyOnce, 20),
    ];
    // The broker is down before the client comes back.
    acts.extend(act.map(|act| (150, act)));
    let mut cuts = [(None, None); 2];
    let end = Some(cut);
    cuts[node] = if up { (end, None) } else { (None, end) };
    let nodes = vec![Traits { subscribes: false, ..traits }, Traits { subscribes: true, ..traits }];
    let manners = Manners { ack_delay: 3, window: 2, eager: framed, ..Manners::PLAIN };
    Plan { nodes, manners, latency: 2, acts, cuts, idle: 0, bug: None }
}

/// Promises 1, 2 and 4: see the rules of `Record` and `Broker`.
#[test]
fn connection_that_breaks_at_any_byte_loses_nothing_that_was_acknowledged() {
    /// More bytes than any of these connections has.
    const CUT_MAX: usize = 1_200;
    let mut reconnected = 0;
    for version in [Version::V3, Version::V5] {
        for framed in [false, true] {
            for (node, up) in [(0, true), (0, false), (1, true), (1, false)] {
                for act in [None, Some(if framed { Act::Forget } else { Act::Restart })] {
                    for cut in 0..CUT_MAX {
                        let plan = broken(version, framed, (node, up), cut, act);
                        match sim::run(plan, cut as u64) {
                            Ok(summary) => reconnected += u32::from(summary.connections > 2),
                            Err(problem) => panic!(
                                "{version:?}, frames {framed}, node {node}, up {up}, {act:?}, \
                                 byte {cut}: {problem}"
                            ),
                        }
                    }
                }
            }
        }
    }
    assert!(reconnected > 6_000, "only {reconnected} connections broke");
}
