//! The support itself: mosquitto and Paho talk to one another, without Dunlin.
//!
//! When a test of Dunlin with these peers fails and these pass, the fault is Dunlin's.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::std_instead_of_core,
    reason = "a test may panic"
)]

use support::mosquitto::{Mosquitto, Options, Storage};
use support::paho::{Connect, Event, Message, Paho, Start, Transport};

/// Around every change in how a length is written: MQTT's at 128, 16,384 and 2,097,152 bytes of
/// remaining length (3.1.1 §2.2.3), WebSocket's at 126 and 65,536 of payload (RFC 6455 §5.2).
const LENGTHS: [usize; 8] = [1, 100, 126, 128, 16_384, 65_535, 65_536, 1 << 20];

const TRANSPORTS: [Transport; 2] = [Transport::Tcp, Transport::Websockets];

/// Bytes that differ from place to place, so that a shifted or doubled part shows.
fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn to(broker: &Mosquitto, transport: Transport, client_id: &str) -> Connect {
    let address = match transport {
        Transport::Tcp => broker.tcp_addr(),
        Transport::Websockets => broker.ws_addr(),
    };
    Connect::new(transport, address, client_id)
}

async fn connected(connect: &Connect) -> Paho {
    let mut paho = Paho::start().await;
    assert!(!paho.connect(connect).await, "a fresh broker has no session");
    paho
}

#[tokio::test]
async fn publish_of_every_length_arrives_over_both_transports() {
    let broker = Mosquitto::start(Options::default()).await;
    for (from, into) in TRANSPORTS.into_iter().zip(TRANSPORTS.into_iter().rev()) {
        let mut subscriber = connected(&to(&broker, into, "subscriber")).await;
        let mut publisher = connected(&to(&broker, from, "publisher")).await;
        for qos in [0, 1] {
            let topic = format!("lengths/{from:?}/{qos}");
            assert_eq!(subscriber.subscribe(&topic, qos).await, qos);
            for length in LENGTHS {
                let message = Message::new(&topic, qos, payload(length));
                publisher.publish(&message).await;
                assert_eq!(subscriber.message().await, message);
            }
        }
        assert_eq!(subscriber.unasked().collect::<Vec<_>>(), Vec::<&Event>::new());
        publisher.disconnect().await;
        subscriber.disconnect().await;
    }
}

#[tokio::test]
async fn retained_message_meets_a_later_subscriber() {
    let broker = Mosquitto::start(Options::default()).await;
    for transport in TRANSPORTS {
        let message = Message::new(&format!("kept/{transport:?}"), 1, "still here").retained();
        let mut publisher = connected(&to(&broker, transport, "publisher")).await;
        publisher.publish(&message).await;
        let mut subscriber = connected(&to(&broker, transport, "subscriber")).await;
        subscriber.subscribe(&message.topic, 1).await;
        assert_eq!(subscriber.message().await, message);
    }
}

#[tokio::test]
async fn abort_lets_the_will_fire_and_disconnect_does_not() {
    let broker = Mosquitto::start(Options::default()).await;
    let mut subscriber = connected(&to(&broker, Transport::Tcp, "subscriber")).await;
    subscriber.subscribe("wills/#", 1).await;
    for transport in TRANSPORTS {
        let will = Message::new(&format!("wills/{transport:?}"), 1, "gone");
        let connect = Connect { will: Some(will.clone()), ..to(&broker, transport, "mortal") };
        let mut mortal = connected(&connect).await;
        mortal.disconnect().await;
        // Were the first goodbye answered with a will, it would come before this one.
        let fence = Message::new("wills/fence", 1, "");
        subscriber.publish(&fence).await;
        assert_eq!(subscriber.message().await, fence);
        assert!(!mortal.connect(&connect).await);
        mortal.abort().await;
        assert_eq!(subscriber.message().await, will);
    }
}

#[tokio::test]
async fn abort_and_reconnect_find_the_session_again() {
    let broker = Mosquitto::start(Options::default()).await;
    for transport in TRANSPORTS {
        let client_id = format!("sleeper-{transport:?}");
        let connect = Connect { start: Start::Resume, ..to(&broker, transport, &client_id) };
        let mut sleeper = connected(&connect).await;
        let topic = format!("letters/{transport:?}");
        sleeper.subscribe(&topic, 1).await;
        sleeper.abort().await;
        let mut publisher = connected(&to(&broker, transport, "publisher")).await;
        let letter = Message::new(&topic, 1, payload(LENGTHS[7]));
        publisher.publish(&letter).await;
        assert_eq!(sleeper.reconnect().await, Ok(true));
        assert_eq!(sleeper.message().await, letter);
    }
}

#[tokio::test]
async fn wrong_password_is_refused_and_right_one_accepted() {
    let credentials = Some(("ada".to_owned(), "enigma".to_owned()));
    let options = Options { credentials: credentials.clone(), ..Options::default() };
    let broker = Mosquitto::start(options).await;
    for transport in TRANSPORTS {
        let mut paho = Paho::start().await;
        let mut connect = to(&broker, transport, "ada");
        assert_eq!(paho.try_connect(&connect).await, Err("Not authorized".to_owned()));
        connect.credentials = credentials.clone();
        assert_eq!(paho.try_connect(&connect).await, Ok(false));
    }
}

#[tokio::test]
async fn killed_broker_comes_back_with_what_was_on_disk() {
    let options = Options { storage: Storage::Disk, ..Options::default() };
    let mut broker = Mosquitto::start(options).await;
    let resume = |transport, client_id| Connect {
        start: Start::Resume,
        ..to(&broker, transport, client_id)
    };
    let mut subscriber = connected(&resume(Transport::Websockets, "subscriber")).await;
    subscriber.subscribe("life/#", 1).await;
    let mut publisher = connected(&resume(Transport::Tcp, "publisher")).await;
    let before = Message::new("life/before", 1, payload(1000)).retained();
    publisher.publish(&before).await;
    assert_eq!(subscriber.message().await, Message { retain: false, ..before.clone() });

    broker.saved().await;
    broker.kill().await;
    publisher.disconnected().await;
    subscriber.disconnected().await;
    let refused = publisher.reconnect().await.expect_err("nobody listens");
    assert!(refused.contains("ConnectionRefusedError"), "{refused}");
    let between = Message::new("life/between", 1, payload(LENGTHS[7]));
    let mid = publisher.enqueue(&between).await;

    broker.restart().await;
    assert_eq!(subscriber.reconnect().await, Ok(true));
    assert_eq!(publisher.reconnect().await, Ok(true));
    publisher.published(mid).await;
    // Whether the acknowledgement of the first reached the disk is the broker's secret.
    let again = Message { retain: false, dup: true, ..before.clone() };
    let mut message = subscriber.message().await;
    if message == again {
        message = subscriber.message().await;
    }
    assert_eq!(message, between);
    let mut late = connected(&to(&broker, Transport::Tcp, "late")).await;
    late.subscribe("life/before", 1).await;
    assert_eq!(late.message().await, before);
}

#[tokio::test]
async fn saved_messages_outlive_a_kill() {
    const LETTERS: usize = 100;
    let options = Options { storage: Storage::Disk, ..Options::default() };
    let mut broker = Mosquitto::start(options).await;
    let sleeper = to(&broker, Transport::Tcp, "sleeper");
    let mut sleeper = connected(&Connect { start: Start::Resume, ..sleeper }).await;
    sleeper.subscribe("letters", 1).await;
    sleeper.disconnect().await;
    let mut publisher = connected(&to(&broker, Transport::Websockets, "publisher")).await;
    let letters = (1..=LETTERS).map(|length| Message::new("letters", 1, payload(length)));
    let letters: Vec<Message> = letters.collect();
    let mut mids = Vec::new();
    for letter in &letters {
        mids.push(publisher.enqueue(letter).await);
    }
    for mid in mids {
        publisher.published(mid).await;
    }
    broker.saved().await;
    broker.kill().await;
    broker.restart().await;
    assert_eq!(sleeper.reconnect().await, Ok(true));
    for letter in letters {
        assert_eq!(sleeper.message().await, letter);
    }
}
