//! A client against a server that takes two messages, 256 bytes and two aliases at a time.
//!
//! `DUNLIN_SEED` sets the first seed.
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

#[path = "tiny_limits/client.rs"]
mod client;
#[path = "tiny_limits/ledger.rs"]
mod ledger;

use client::Client;
use std::time::Duration;
use support::sim::Random;
use support::tiny::{Peer, TINY};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Messages that a run tries to publish.
const MESSAGES: u32 = 3_000;
/// Steps without which a run ends when its faults have stopped: each moves bytes both ways.
const STEPS_TO_THE_END: usize = 10_000;
/// How long a run over sockets may take; under a second is usual.
const RUN_LIMIT: Duration = Duration::from_secs(60);

fn first_seed() -> u64 {
    std::env::var("DUNLIN_SEED").map_or(1, |seed| seed.parse().expect("a number"))
}

/// [MQTT-3.2.2-11] [MQTT-3.2.2-15] [MQTT-3.2.2-17] [MQTT-3.3.2-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]
/// [MQTT-3.3.1-1] [MQTT-4.4.0-1] [MQTT-4.6.0-1]
///
/// Nothing that was accepted is lost over any number of reconnects, and no limit is passed.
#[test]
fn tiny_limits_are_kept_and_nothing_is_lost_over_reconnects() {
    for seed in first_seed()..first_seed() + 5 {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let mut peer = Peer::new(TINY, ledger::is_refused);
        let mut client = Client::new(seed);
        while client.ledger.tried() < MESSAGES {
            step(&mut client, &mut peer, &mut random);
            if random.chance(1) {
                // Some of what is on its way still arrives.
                let sent = client.transmit();
                let arrived = random.len(sent.len() + 1);
                peer.receive(&sent[..arrived]).unwrap();
                peer.answer(random.len(4));
                let answers = peer.take_output();
                client.receive(&answers[..random.len(answers.len() + 1)]);
                peer.hang_up();
                client.connect();
            }
        }
        let steps = (0..STEPS_TO_THE_END).find(|_| {
            exchange(&mut client, &mut peer, &mut random);
            client.is_idle() && peer.is_idle()
        });
        assert!(steps.is_some(), "seed {seed}: it never ends: {:?}", client.ledger);
        client.ledger.check(peer.messages());
        check_tally(&peer);
    }
}

/// Publishes, or moves bytes.
fn step(client: &mut Client, peer: &mut Peer, random: &mut Random) {
    match random.below(4) {
        0 => exchange(client, peer, random),
        1 if random.chance(5) => client.request(),
        _ => client.publish(),
    }
}

fn exchange(client: &mut Client, peer: &mut Peer, random: &mut Random) {
    let sent = client.transmit();
    for piece in sent.chunks(1 + random.len(300)) {
        peer.receive(piece).unwrap();
    }
    peer.answer(random.len(4));
    client.receive(&peer.take_output());
}

/// The run came to each limit.
fn check_tally(peer: &Peer) {
    let tally = peer.tally();
    println!("{tally:?}");
    assert_eq!(tally.under_way, usize::from(TINY.receive_maximum));
    assert!((250..=256).contains(&tally.longest));
    assert!(tally.aliased > 100 && tally.duplicates > 0 && tally.connections > 1);
}

/// The same over sockets: what arrives comes as the system cuts it.
#[tokio::test]
async fn tiny_limits_are_kept_over_sockets() {
    let seed = first_seed();
    println!("seed {seed}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener));
    let mut client = Client::new(seed);
    let run = async {
        while client.ledger.tried() < MESSAGES {
            let until = client.ledger.tried() + 400;
            talk(&mut client, address, until).await;
            if client.ledger.tried() < MESSAGES {
                client.connect();
            }
        }
    };
    timeout(RUN_LIMIT, run).await.expect("the run comes to its end");
    let peer = timeout(RUN_LIMIT, server).await.expect("the server sees the end").unwrap();
    client.ledger.check(peer.messages());
    check_tally(&peer);
}

/// One connection: publishes up to a number of messages, and the last one to the end.
async fn talk(client: &mut Client, address: std::net::SocketAddr, until: u32) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut buffer = [0; 1_000];
    loop {
        for _ in 0..20 {
            if client.ledger.tried() < until {
                client.publish();
            }
        }
        let last = until >= MESSAGES;
        if last && client.ledger.tried() >= until && client.is_idle() {
            client.leave();
            socket.write_all(&client.transmit()).await.unwrap();
            return;
        }
        socket.write_all(&client.transmit()).await.unwrap();
        if !last && client.ledger.tried() >= until {
            return;
        }
        // The server answers all that comes, and what waits for quota waits for an answer.
        if client.waits() {
            let len = socket.read(&mut buffer).await.unwrap();
            assert!(len > 0, "the server has gone");
            client.receive(&buffer[..len]);
        }
    }
}

/// Serves one connection after the other, until a client says good-bye.
async fn serve(listener: TcpListener) -> Peer {
    let mut peer = Peer::new(TINY, ledger::is_refused);
    let mut buffer = [0; 777];
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        peer.hang_up();
        // A connection that was dropped with bytes under way ends with an error.
        while let Ok(len @ 1..) = socket.read(&mut buffer).await {
            peer.receive(&buffer[..len]).unwrap();
            peer.answer(usize::MAX);
            if socket.write_all(&peer.take_output()).await.is_err() {
                break;
            }
        }
        if peer.has_left() {
            return peer;
        }
    }
}
