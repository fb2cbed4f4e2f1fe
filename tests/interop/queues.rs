//! What waits in queues: what is acknowledged ahead, what is given up, and what nobody may lose.

use dunlin_tokio::{Client, Message, Options, Overflow, Persistence, Qos, Subscription};

use crate::common::within;
use crate::server::{Peer, Server};
use crate::{Patient, options, servers};

/// Half of what a client can owe: with more, it acknowledges ahead.
const HALF: u8 = 128;

/// More than that, and less than it can owe.
const COUNT: u8 = 200;

/// A PUBLISH of QoS 1 to the topic `t`, without a payload.
const fn publish(id: u8) -> [u8; 7] {
    [0x32, 5, 0, 1, b't', 0, id]
}

/// The answer to [`publish`].
const fn puback(id: u8) -> [u8; 4] {
    [0x40, 2, 0, id]
}

async fn subscribed(client: &Client, peer: &mut Peer) -> Subscription {
    let (subscription, ()) = tokio::join!(client.subscribe("t", Qos::AtLeastOnce), async {
        let subscribe = peer.packet().await;
        assert_eq!(subscribe[0], 0x82, "{subscribe:?}");
        peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 1]).await;
    });
    subscription.unwrap()
}

/// How many messages, from this one on, are acknowledged by now: behind all that the server has sent.
async fn acknowledged(client: &Client, peer: &mut Peer, mut next: u8) -> u8 {
    let answered = client.enqueue(&Message::new("fence", &[], Qos::AtLeastOnce)).unwrap();
    let first = other_than_acknowledgements(peer, &mut next).await;
    assert_eq!(first[0], 0x32, "{first:?}");
    let [.., high, low] = first[..] else { panic!("{first:?}") };
    peer.send_packet(&[0x40, 2, high, low]).await;
    within("a PUBACK", answered).await.unwrap();
    within("a write", client.publish(&Message::new("fence", &[], Qos::AtMostOnce))).await.unwrap();
    let second = other_than_acknowledgements(peer, &mut next).await;
    assert_eq!(second[0], 0x30, "{second:?}");
    next
}

/// The next packet behind acknowledgements in their order.
async fn other_than_acknowledgements(peer: &mut Peer, next: &mut u8) -> Vec<u8> {
    loop {
        let packet = peer.packet().await;
        if packet != puback(*next) {
            return packet;
        }
        *next += 1;
    }
}

/// The server has sent so many messages; says which is the first that it must wait for.
async fn hurried(client: &Client, peer: &mut Peer, count: u8) -> u8 {
    for id in 1..=count {
        peer.send_packet(&publish(id)).await;
    }
    acknowledged(client, peer, 1).await
}

/// All that have come are there, and those that were not are acknowledged when they are taken.
async fn take_all(messages: &mut Subscription, peer: &mut Peer, owed: u8, count: u8) {
    for id in 1..=count {
        within("a message", messages.next()).await.unwrap().unwrap();
        if id >= owed {
            assert_eq!(peer.packet().await, puback(id));
        }
    }
    assert_eq!(messages.lost(), 0);
}

/// A client of MQTT 3.1.1 whose session the server has kept, and has messages for.
async fn resumed(server: &Server, options: Options) -> (Client, Peer) {
    let at = options.client_id("keeper").persistence(Persistence::Kept);
    let mut patient = Patient::start(at);
    let mut peer = server.connected().await;
    peer.send_packet(&[0x20, 2, 1, 0]).await;
    patient.connected().await;
    (patient.client, peer)
}

/// A server that knows no limit would not be heard any more: PUBACK and SUBACK stand behind.
#[tokio::test]
async fn messages_that_wait_are_acknowledged_ahead_before_nothing_more_can_be_owed() {
    for server in servers() {
        let Patient { client, .. } = Patient::start(options(&server.url()));
        let mut peer = server.open().await;
        let mut messages = subscribed(&client, &mut peer).await;
        let owed = hurried(&client, &mut peer, COUNT).await;
        assert!(owed > HALF + 1, "{owed}");
        take_all(&mut messages, &mut peer, owed, COUNT).await;
    }
}

#[tokio::test]
async fn messages_before_the_first_subscription_are_acknowledged_ahead_and_kept() {
    for server in servers() {
        let (client, mut peer) = resumed(&server, options(&server.url())).await;
        let owed = hurried(&client, &mut peer, COUNT).await;
        assert!(owed > HALF + 1, "{owed}");
        let mut messages = subscribed(&client, &mut peer).await;
        take_all(&mut messages, &mut peer, owed, COUNT).await;
    }
}

/// However small the queues are: the server is to stop, and nothing is lost.
#[tokio::test]
async fn more_messages_before_the_first_subscription_than_a_queue_holds_are_all_kept() {
    for server in servers() {
        let at = options(&server.url()).queue(2, Overflow::DropNewest);
        let (client, mut peer) = resumed(&server, at).await;
        let owed = hurried(&client, &mut peer, COUNT).await;
        assert_eq!(owed, 1, "nobody has taken a message yet");
        let mut messages = subscribed(&client, &mut peer).await;
        take_all(&mut messages, &mut peer, owed, COUNT).await;
    }
}

/// The server must not wait for what nobody has any more.
#[tokio::test]
async fn message_that_makes_room_for_a_later_one_is_acknowledged() {
    for server in servers() {
        let at = options(&server.url()).queue(2, Overflow::DropOldest);
        let Patient { client, .. } = Patient::start(at);
        let mut peer = server.open().await;
        let mut messages = subscribed(&client, &mut peer).await;
        assert_eq!(hurried(&client, &mut peer, 5).await, 4);
        assert_eq!((messages.lost(), client.statistics().dropped), (3, 3));
        for id in 4..=5 {
            within("a message", messages.next()).await.unwrap().unwrap();
            assert_eq!(peer.packet().await, puback(id));
        }
    }
}

/// Whoever held up all others is gone.
#[tokio::test]
async fn connection_is_read_from_again_when_the_subscription_that_blocked_is_dropped() {
    for server in servers() {
        let at = options(&server.url()).queue(2, Overflow::Block);
        let Patient { client, .. } = Patient::start(at);
        let mut peer = server.open().await;
        let blocks = subscribed(&client, &mut peer).await;
        for id in 1..=3 {
            peer.send_packet(&publish(id)).await;
        }
        within("a full queue", async {
            while client.statistics().received < 2 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(blocks);
        let mut next = 1;
        let end = other_than_acknowledgements(&mut peer, &mut next).await;
        assert_eq!(end[0], 0xa2, "{end:?}");
        // The third comes when the connection is read from again.
        assert_eq!(acknowledged(&client, &mut peer, next).await, 4);
    }
}

/// Even if nothing more is ever acknowledged.
#[tokio::test]
async fn publisher_that_waits_has_the_first_room_there_is() {
    for server in servers() {
        let mut patient = Patient::start(options(&server.url()));
        let mut peer = server.open().await;
        patient.connected().await;
        let client = &patient.client;
        let message = Message::new("t", &[], Qos::AtLeastOnce);
        let receipts: Vec<_> = std::iter::from_fn(|| client.enqueue(&message).ok()).collect();
        for _ in &receipts {
            assert_eq!(peer.packet().await[0], 0x32);
        }
        let late = Message::new("late", &[], Qos::AtLeastOnce);
        let ((), published) = tokio::join!(
            async {
                peer.send_packet(&puback(1)).await;
                let packet = peer.packet().await;
                assert_eq!(packet[4..8], *b"late");
                peer.send_packet(&[0x40, 2, packet[8], packet[9]]).await;
            },
            within("a PUBACK", client.publish(&late))
        );
        published.unwrap();
    }
}
