//! Nothing is allocated for a message, in either direction; on a host no more than what has come.
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

#[path = "allocations/heap.rs"]
mod heap;

use allocation_counter::measure;
use dunlin::{
    Aliases, Config, Connect, Connection, Event, Instant, Message, Opening, Qos, Session,
    Transport, Version, ws,
};
use support::sim::{Peer, Random};

const NOW: Instant = Instant::from_millis(0);

fn allocations(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

#[test]
fn counter_sees_an_allocation() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![0; 10]))), 1);
}

struct Client<'c> {
    session: Session<&'c mut [u8], 8>,
    connection: Connection<'static, &'c mut [u8], &'c mut [u8]>,
}

impl Client<'_> {
    /// Everything that waits is written into `sent`; returns how much that was.
    fn transmit(&mut self, sent: &mut [u8]) -> usize {
        let entropy = &mut |bytes: &mut [u8]| bytes.fill(0);
        let (session, mut len) = (&mut self.session, 0);
        while let Some(more) =
            self.connection.poll_transmit(session, NOW, entropy, &mut sent[len..])
        {
            len += more;
        }
        len
    }

    fn events(&mut self) -> usize {
        let mut events = 0;
        while let Some(event) = self.connection.poll(&mut self.session, NOW).unwrap() {
            events += 1;
            // A program that answers a message, without a copy of it.
            if let Event::Message { message, .. } = event {
                let echo = Message::new("echo", message.payload, Qos::AtMostOnce);
                self.session.publish(&echo).unwrap();
            }
        }
        events
    }
}

/// What the server says in a round: CONNACK, and from the fifth on two messages and a PUBACK.
fn said(version: Version, round: u16) -> Vec<u8> {
    let v5 = version == Version::V5;
    match round {
        // Messages may have two aliases, and packets 2,000 bytes.
        1 if v5 => b"\x20\x0b\0\0\x08\x22\0\x02\x27\0\0\x07\xd0".to_vec(),
        1 => vec![0x20, 2, 0, 0],
        0..=3 => Vec::new(),
        _ => {
            let [high, low] = (round + 1).to_be_bytes();
            let [own_high, own_low] = (round - 3).to_be_bytes();
            let mut bytes = Vec::new();
            if v5 {
                // By alias, once it is known what it stands for; PUBACK has words.
                let topic: &[u8] = if round == 4 { b"\0\x02in" } else { b"\0\0" };
                bytes.extend_from_slice(&[0x32, topic.len() as u8 + 9]);
                bytes.extend_from_slice(topic);
                bytes.extend_from_slice(&[high, low, 3, 0x23, 0, 1, 1, 2, 3]);
                bytes.extend_from_slice(&[0x30, 11, 0, 2, b'i', b'n', 3, 0x23, 0, 1, 1, 2, 3]);
                bytes.extend_from_slice(&[0x40, 8, own_high, own_low, 0x10, 4, 0x1f, 0, 1, b'y']);
            } else {
                bytes.extend_from_slice(&[0x32, 9, 0, 2, b'i', b'n', high, low, 1, 2, 3]);
                bytes.extend_from_slice(&[0x30, 7, 0, 2, b'i', b'n', 1, 2, 3]);
                bytes.extend_from_slice(&[0x40, 2, own_high, own_low]);
            }
            bytes
        }
    }
}

/// How many allocations a thousand rounds make.
fn converse(version: Version, framed: bool) -> u64 {
    let (mut outbox, mut rx, mut tx) = ([0; 4096], [0; 2048], [0; 4096]);
    let (mut topics_in, mut topics_out) = ([0; 64], [0; 64]);
    let connect = Connect { version, keep_alive_s: 60, ..Connect::new("static") };
    let request = ws::Request::new("broker.test", &"/mqtt", &[]).unwrap();
    let transport = if framed { Transport::WebSocket(request) } else { Transport::Stream };
    let opening = Opening { transport, connect, deadline: NOW.after(1_000) };
    let mut peer = Peer::new(framed);
    let mut random = Random::new(1);
    let mut client = None;
    let mut total = allocations(|| {
        let mut session = Session::new(&mut outbox[..], Config::new().version(version));
        let entropy = &mut |bytes: &mut [u8]| bytes.fill(1);
        let aliases = Aliases::new(&mut topics_in[..], 2, &mut topics_out[..]);
        let connection =
            Connection::open(&mut session, &mut rx[..], opening, NOW, entropy).unwrap();
        client = Some(Client { session, connection: connection.with_topic_aliases(aliases) });
    });
    let mut client = client.unwrap();
    for round in 0..1_000_u16 {
        let mut len = 0;
        total += allocations(|| {
            if round > 3 {
                let message = Message::new("outgoing", &[7; 300], Qos::AtLeastOnce);
                client.session.publish(&message).unwrap();
            }
            len = client.transmit(&mut tx);
        });
        peer.receive(&tx[..len]).unwrap();
        peer.put(&said(version, round));
        let bytes = peer.flush(&mut random);
        let mut events = 0;
        total += allocations(|| {
            assert_eq!(client.connection.receive(&bytes), bytes.len());
            events = client.events();
        });
        assert_eq!(events, [0, 1, 0, 0, 3][usize::from(round.min(4))], "round {round}");
    }
    total
}

#[test]
fn message_costs_no_allocation_in_either_direction() {
    for version in [Version::V3, Version::V5] {
        for framed in [true, false] {
            assert_eq!(converse(version, framed), 0, "{version:?}, frames {framed}");
        }
    }
}
