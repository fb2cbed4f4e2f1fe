//! The whole: bytes in, events, commands, bytes out.

use crate::group::{Group, OURS, Target};
use crate::protocol_core;
use crate::random::Random;
use crate::report::verdict;
use dunlin::ws::{Acceptance, Request};
use dunlin::{
    Config, Connect, Connection, Event, Instant, Message, Opening, Qos, Session, Transport,
};
use dunlin_octet::{Inbox, Text, Writer};
use std::collections::VecDeque;
use std::hint::black_box;

const TOPIC: &str = "devices/seven/telemetry";
const NOW: Instant = Instant::from_millis(1);
/// Most nanoseconds for a message in and its acknowledgement out.
const MESSAGE_MAX_NS: f64 = 100.0;
/// The same beside a peer that does it without frames.
const PEER_MAX: f64 = 1.0 / 3.0;
/// Equal, as far as can be measured.
const SAME: f64 = 1.1;

/// Largest session of eight messages in flight, in bytes.
const SESSION_MAX: usize = 600;

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

#[derive(Clone, Copy, PartialEq)]
enum Over {
    WebSocket,
    Stream,
}

pub(crate) fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for (over, name) in [(Over::WebSocket, "WebSocket"), (Over::Stream, "stream")] {
        for (len, label) in [(64, "64 B"), (1 << 10, "1 KiB")] {
            groups.push(incoming(over, len, &format!("{name}, {label}")));
            groups.push(outgoing(over, len, &format!("{name}, {label}")));
        }
    }
    groups.push(in_flight());
    groups
}

/// Prints how large the types are that a program holds one of for each connection; says whether that is
/// small enough.
pub(crate) fn print_sizes() -> bool {
    let session = size_of::<Session<&mut [u8], 8>>();
    let small = session <= SESSION_MAX;
    println!("\nbytes, without the buffers of the caller");
    println!(
        "    Session, 8 in flight    {session:>6}  {}",
        verdict(small, format!("<= {SESSION_MAX}"))
    );
    println!("    Connection              {:>6}", size_of::<Connection<'_, &mut [u8]>>());
    small
}

fn incoming(over: Over, len: usize, label: &str) -> Group {
    let mut one = Pair::<8>::open(over, 1 << 14);
    let mut eight = Pair::<8>::open(over, 1 << 14);
    let bytes = received_publish(over, len);
    let read = bytes.repeat(8);
    let theirs = received_publish(Over::Stream, len);
    let mut left = 0;
    Group::new(format!("connection: PUBLISH in, PUBACK out, {label}"))
        .case(OURS, move || {
            one.receive(black_box(&bytes));
            one.take_messages(1);
            black_box(one.transmit());
        })
        // Eight messages in one read, acknowledged in one write.
        .case("dunlin, eight a read", move || {
            if left == 0 {
                eight.receive(black_box(&read));
                eight.take_messages(8);
                black_box(eight.transmit());
                left = 8;
            }
            left -= 1;
        })
        .peer(protocol_core::NAME, PEER_MAX, protocol_core::receiver(theirs))
        .target(Target::Nanos(MESSAGE_MAX_NS))
        .counted()
}

fn outgoing(over: Over, len: usize, label: &str) -> Group {
    Group::new(format!("connection: PUBLISH out, PUBACK in, {label}"))
        .case(OURS, publisher::<8>(over, len, 1))
        .counted()
}

/// An acknowledgement costs the same, however many are waited for.
fn in_flight() -> Group {
    let over = Over::WebSocket;
    Group::new("connection: PUBACK with 10,000 in flight")
        .case(OURS, publisher::<10_000>(over, 16, 10_000))
        .peer("dunlin, 10 in flight", SAME, publisher::<10>(over, 16, 10))
        .counted()
}

/// Publishes, and takes the acknowledgement of the oldest of `in_flight` messages.
fn publisher<const N: usize>(over: Over, len: usize, in_flight: usize) -> impl FnMut() {
    let mut pair = Pair::<N>::open(over, (len + 64) * (in_flight + 8));
    let payload = vec![7; len];
    let mut waiting = VecDeque::new();
    move || {
        while waiting.len() < in_flight {
            let message = Message::new(TOPIC, black_box(&payload), Qos::AtLeastOnce);
            pair.session.publish(&message).unwrap();
            waiting.push_back(sent_id(over, pair.transmit()));
        }
        let [high, low] = waiting.pop_front().unwrap();
        pair.receive(&framed(over, [0x40, 2, high, low]));
        let event = pair.connection.poll(&mut pair.session, NOW).unwrap();
        assert!(matches!(event, Some(Event::Acknowledged { .. })));
        assert!(pair.connection.poll(&mut pair.session, NOW).unwrap().is_none());
    }
}

/// Four bytes as the server sends them, without a heap.
fn framed(over: Over, packet: [u8; 4]) -> impl std::ops::Deref<Target = [u8]> {
    let [a, b, c, d] = packet;
    let skip = if over == Over::WebSocket { 0 } else { 2 };
    Tail { bytes: [0x82, 4, a, b, c, d], skip }
}

struct Tail {
    bytes: [u8; 6],
    skip: usize,
}

impl std::ops::Deref for Tail {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.skip..]
    }
}

/// A PUBLISH of QoS 1 as the server sends it.
fn received_publish(over: Over, len: usize) -> Vec<u8> {
    let payload = vec![7; len];
    let message = Message::new(TOPIC, &payload, Qos::AtLeastOnce);
    let packet_id = dunlin::mqtt::PacketId::new(7);
    let mut memory = vec![0; len + 64];
    let mut packet = Writer::new(&mut memory);
    dunlin::mqtt::Publish { message, duplicate: false, packet_id }
        .with(dunlin::mqtt::Version::V3)
        .write(&mut packet);
    let packet = packet.written();
    match (over, packet.len()) {
        (Over::Stream, _) => packet.to_vec(),
        (Over::WebSocket, short @ 0..=125) => [&[0x82, short as u8], packet].concat(),
        (Over::WebSocket, long) => {
            let [high, low] = u16::try_from(long).unwrap().to_be_bytes();
            [&[0x82, 126, high, low], packet].concat()
        }
    }
}

/// The packet identifier of the PUBLISH to [`TOPIC`] that has just gone out.
fn sent_id(over: Over, out: &[u8]) -> [u8; 2] {
    let (key, packet) = match (over, out) {
        (Over::Stream, packet) => ([0; 4], packet),
        (_, [_, 0xfe, _, _, a, b, c, d, packet @ ..] | [_, _, a, b, c, d, packet @ ..]) => {
            ([*a, *b, *c, *d], packet)
        }
        _ => panic!("no frame"),
    };
    let header = if packet[1] ^ key[1] < 0x80 { 2 } else { 3 };
    let at = header + 2 + TOPIC.len();
    [packet[at] ^ key[at % 4], packet[at + 1] ^ key[(at + 1) % 4]]
}

/// A connection that stands, and its session.
struct Pair<const N: usize> {
    session: Box<Session<Vec<u8>, N>>,
    connection: Connection<'static, Vec<u8>>,
    random: Random,
    out: Vec<u8>,
}

impl<const N: usize> Pair<N> {
    fn open(over: Over, outbox: usize) -> Self {
        let mut session = Box::new(Session::new(vec![0; outbox], Config::new()));
        let target: &'static (dyn Text + Sync) = const { &"/mqtt" };
        let transport = match over {
            Over::WebSocket => {
                Transport::WebSocket(Request::new("broker.example", target, &[]).unwrap())
            }
            Over::Stream => Transport::Stream,
        };
        let connect = Connect {
            client_id: "bench",
            clean_session: true,
            keep_alive_s: 45,
            user_name: None,
            password: None,
            will: None,
            ..Connect::new("")
        };
        let opening = Opening { transport, connect, deadline: Instant::from_millis(1_000) };
        let mut random = Random::new();
        let mut entropy = |bytes: &mut [u8]| random.fill(bytes);
        let connection =
            Connection::open(&mut session, vec![0; 1 << 14], opening, NOW, &mut entropy).unwrap();
        let mut pair = Self { session, connection, random, out: vec![0; 1 << 14] };
        if over == Over::WebSocket {
            pair.upgrade();
        }
        assert!(!pair.transmit().is_empty(), "CONNECT");
        pair.receive(&framed(over, CONNACK));
        let event = pair.connection.poll(&mut pair.session, NOW).unwrap();
        assert!(matches!(event, Some(Event::Connected { .. })));
        pair
    }

    fn upgrade(&mut self) {
        let (mut server, mut inbox) = (Acceptance::new("mqtt"), Inbox::new(vec![0; 1024]));
        inbox.receive(self.transmit());
        assert!(server.poll(&mut inbox).unwrap());
        let mut answer = [0; 1024];
        let len = server.poll_transmit(&mut answer);
        self.receive(&answer[..len]);
        assert!(self.connection.poll(&mut self.session, NOW).unwrap().is_none());
    }

    /// As a transport would read.
    fn receive(&mut self, bytes: &[u8]) {
        self.connection.spare()[..bytes.len()].copy_from_slice(bytes);
        self.connection.commit(bytes.len());
    }

    fn take_messages(&mut self, count: usize) {
        for _ in 0..count {
            let event = self.connection.poll(&mut self.session, NOW);
            assert!(matches!(black_box(&event), Ok(Some(Event::Message { .. }))));
        }
        assert!(self.connection.poll(&mut self.session, NOW).unwrap().is_none());
    }

    /// As a transport would write.
    fn transmit(&mut self) -> &[u8] {
        let random = &mut self.random;
        let mut entropy = |bytes: &mut [u8]| random.fill(bytes);
        let session = &mut *self.session;
        let len = self.connection.poll_transmit(session, NOW, &mut entropy, &mut self.out);
        &self.out[..len.unwrap_or(0)]
    }
}
