//! Nothing is allocated for a message, in either direction.
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

use allocation_counter::measure;
use dunlin::{
    Config, Connect, Connection, Event, Instant, Message, Opening, Qos, Session, Transport, ws,
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
    connection: Connection<'static, &'c mut [u8]>,
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

#[test]
fn message_costs_no_allocation_in_either_direction() {
    for framed in [true, false] {
        let (mut outbox, mut rx, mut tx) = ([0; 4096], [0; 2048], [0; 4096]);
        let connect = Connect {
            client_id: "static",
            clean_session: true,
            keep_alive_s: 60,
            user_name: None,
            password: None,
            will: None,
            ..Connect::new("")
        };
        let request = ws::Request::new("broker.test", &"/mqtt", &[]).unwrap();
        let transport = if framed { Transport::WebSocket(request) } else { Transport::Stream };
        let opening = Opening { transport, connect, deadline: NOW.after(1_000) };
        let mut peer = Peer::new(framed);
        let mut random = Random::new(1);
        let mut client = None;
        let opened = allocations(|| {
            let mut session = Session::new(&mut outbox[..], Config::new());
            let entropy = &mut |bytes: &mut [u8]| bytes.fill(1);
            let connection =
                Connection::open(&mut session, &mut rx[..], opening, NOW, entropy).unwrap();
            client = Some(Client { session, connection });
        });
        let mut client = client.unwrap();
        let mut total = opened;
        for round in 0..1_000_u16 {
            let mut len = 0;
            total += allocations(|| {
                if round > 3 {
                    let message = Message::new("out", &[7; 300], Qos::AtLeastOnce);
                    client.session.publish(&message).unwrap();
                }
                len = client.transmit(&mut tx);
            });
            peer.receive(&tx[..len]).unwrap();
            let [high, low] = (round + 1).to_be_bytes();
            if round == 1 {
                peer.put(&[0x20, 2, 0, 0]);
            } else if round > 3 {
                peer.put(&[0x32, 9, 0, 2, b'i', b'n', high, low, 1, 2, 3]);
                peer.put(&[0x30, 7, 0, 2, b'i', b'n', 1, 2, 3]);
                let [high, low] = (round - 3).to_be_bytes();
                peer.put(&[0x40, 2, high, low]);
            }
            let bytes = peer.flush(&mut random);
            let mut events = 0;
            total += allocations(|| {
                assert_eq!(client.connection.receive(&bytes), bytes.len());
                events = client.events();
            });
            assert_eq!(events, [0, 1, 0, 0, 3][usize::from(round.min(4))], "round {round}");
        }
        assert_eq!(total, 0);
    }
}
