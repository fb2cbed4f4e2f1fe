//! Messages that the program acknowledges itself.

use dunlin_tokio::{
    AckError, Acknowledgement, Client, ManualSubscription, Message, Overflow, Persistence, Qos,
    ReasonCode, Received, Version,
};

use crate::common::within;
use crate::server::{CONNACK, Peer, Server};
use crate::{Patient, options, servers};

/// A PUBLISH of QoS 1 to the topic `t`, without a payload.
const fn publish(id: u8) -> [u8; 7] {
    [0x32, 5, 0, 1, b't', 0, id]
}

/// The answer to [`publish`].
const fn puback(id: u8) -> [u8; 4] {
    [0x40, 2, 0, id]
}

async fn subscribed(client: &Client, filter: &'static str, peer: &mut Peer) -> ManualSubscription {
    let client = client.clone();
    let subscribing = tokio::spawn(async move { client.subscribe(filter, Qos::AtLeastOnce).await });
    let subscribe = peer.packet().await;
    peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 1]).await;
    within("a SUBACK", subscribing).await.unwrap().unwrap().manual()
}

async fn taken(messages: &mut ManualSubscription) -> (Received, Acknowledgement) {
    within("a message", messages.next()).await.unwrap().unwrap()
}

/// What the client sends next is this message, so that it had nothing else to send.
async fn nothing_was_sent(client: &Client, peer: &mut Peer) {
    let fence = Message::new("fence", &[], Qos::AtMostOnce);
    within("a write", client.publish(&fence)).await.unwrap();
    assert_eq!(peer.packet().await[0], 0x30, "nothing was to be sent");
}

/// v3.1.1: [MQTT-4.6.0-2]
#[tokio::test]
async fn message_is_acknowledged_at_the_programs_word_and_in_order() {
    for server in servers() {
        let patient = Patient::start(options(&server.url()));
        let mut peer = server.open().await;
        let mut messages = subscribed(&patient.client, "t", &mut peer).await;
        for id in 1..=3 {
            peer.send_packet(&publish(id)).await;
        }
        let (_, first) = taken(&mut messages).await;
        let (_, second) = taken(&mut messages).await;
        let (_, third) = taken(&mut messages).await;
        nothing_was_sent(&patient.client, &mut peer).await;
        second.accept().unwrap();
        nothing_was_sent(&patient.client, &mut peer).await;
        first.accept().unwrap();
        assert_eq!(peer.packet().await, puback(1));
        assert_eq!(peer.packet().await, puback(2));
        // The word can outlive the subscription.
        drop(messages);
        assert_eq!(peer.packet().await[0], 0xa2);
        third.accept().unwrap();
        assert_eq!(peer.packet().await, puback(3));
    }
}

/// However much is owed: what the program has not seen, the server keeps.
#[tokio::test]
async fn message_in_a_manual_queue_is_never_acknowledged_ahead_of_its_time() {
    let server = Server::websocket();
    let patient = Patient::start(options(&server.url()));
    let mut peer = server.open().await;
    let mut messages = subscribed(&patient.client, "t", &mut peer).await;
    let most = 200;
    for id in 1..=most {
        peer.send_packet(&publish(id)).await;
    }
    let mut words = Vec::new();
    for _ in 1..=most {
        words.push(taken(&mut messages).await.1);
    }
    nothing_was_sent(&patient.client, &mut peer).await;
    for (id, word) in (1..=most).zip(words) {
        word.accept().unwrap();
        assert_eq!(peer.packet().await, puback(id));
    }
}

/// Nor one in a queue that is full: the server is to stop before memory does.
#[tokio::test]
async fn message_in_a_full_queue_is_not_acknowledged_before_it_is_taken() {
    let server = Server::websocket();
    let patient = Patient::start(options(&server.url()).queue(2, Overflow::DropNewest));
    let mut peer = server.open().await;
    let client = &patient.client;
    let (messages, ()) = tokio::join!(client.subscribe("t", Qos::AtLeastOnce), async {
        let subscribe = peer.packet().await;
        peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 1]).await;
    });
    let mut messages = messages.unwrap();
    let fence = client.enqueue(&Message::new("fence", &[], Qos::AtLeastOnce)).unwrap();
    let fence_id = peer.packet().await[10];
    let most = 200;
    for id in 1..=most {
        peer.send_packet(&publish(id)).await;
    }
    peer.send_packet(&puback(fence_id)).await;
    within("a PUBACK", fence).await.unwrap();
    nothing_was_sent(client, &mut peer).await;
    for id in 1..=most {
        within("a message", messages.next()).await.unwrap().unwrap();
        assert_eq!(peer.packet().await, puback(id));
    }
    assert_eq!(messages.lost(), 0);
}

/// Of two subscriptions that get the same message, the later word goes to the server.
#[tokio::test]
async fn message_for_two_subscriptions_waits_for_both() {
    let server = Server::websocket();
    let patient = Patient::start(options(&server.url()));
    let mut peer = server.open().await;
    let mut messages = subscribed(&patient.client, "t", &mut peer).await;
    let mut others = subscribed(&patient.client, "+", &mut peer).await;
    peer.send_packet(&publish(1)).await;
    let (_, word) = taken(&mut messages).await;
    word.accept().unwrap();
    nothing_was_sent(&patient.client, &mut peer).await;
    let (_, word) = taken(&mut others).await;
    word.refuse(ReasonCode::UNSPECIFIED_ERROR).unwrap();
    // MQTT 3.1.1 has no place for the reason.
    assert_eq!(peer.packet().await, puback(1));
}

/// MQTT 5.0 has a place for the reason: whoever refuses first is heard, though others take it.
#[tokio::test]
async fn refusal_of_one_of_two_subscriptions_goes_to_the_server() {
    let server = Server::websocket();
    let patient = Patient::start(options(&server.url()).version(Version::V5));
    let mut peer = server.connected().await;
    peer.send_packet(&[0x20, 3, 0, 0, 0]).await;
    let mut both = Vec::new();
    for filter in ["t", "+"] {
        let client = patient.client.clone();
        let subscribing =
            tokio::spawn(async move { client.subscribe(filter, Qos::AtLeastOnce).await });
        let subscribe = peer.packet().await;
        peer.send_packet(&[0x90, 4, subscribe[2], subscribe[3], 0, 1]).await;
        both.push(within("a SUBACK", subscribing).await.unwrap().unwrap().manual());
    }
    let [no, yes] = [ReasonCode::NOT_AUTHORIZED, ReasonCode::SUCCESS];
    let later = ReasonCode::QUOTA_EXCEEDED;
    for (id, words) in [(1, [no, yes]), (2, [yes, no]), (3, [no, later])] {
        peer.send_packet(&[0x32, 6, 0, 1, b't', 0, id, 0]).await;
        for (messages, word) in both.iter_mut().zip(words) {
            taken(messages).await.1.refuse(word).unwrap();
        }
        assert_eq!(peer.packet().await, [0x40, 3, 0, id, no.value()]);
    }
}

/// Its word is for a connection that is gone: the next one brings the message again.
#[tokio::test]
async fn word_for_a_message_of_a_lost_connection_is_stale() {
    let server = Server::websocket();
    let mut patient = Patient::start(options(&server.url()));
    let mut peer = server.open().await;
    let mut messages = subscribed(&patient.client, "t", &mut peer).await;
    patient.connected().await;
    peer.send_packet(&publish(1)).await;
    let (_, word) = taken(&mut messages).await;
    drop(peer);
    patient.lost().await;
    let _peer = server.open().await;
    patient.connected().await;
    assert_eq!(word.accept(), Err(AckError::Stale));
}

/// What the last connection has left is none of the next one's: there both have to let go again.
#[tokio::test]
async fn message_for_two_subscriptions_that_comes_again_waits_for_both_again() {
    for server in servers() {
        let at = options(&server.url()).client_id("keeper").persistence(Persistence::Kept);
        let mut patient = Patient::start(at);
        let mut peer = server.connected().await;
        peer.send_packet(&CONNACK).await;
        let mut messages = subscribed(&patient.client, "t", &mut peer).await;
        let mut others = subscribed(&patient.client, "+", &mut peer).await;
        patient.connected().await;
        let mut words = Vec::new();
        for id in 1..=2 {
            peer.send_packet(&publish(id)).await;
            words.push([taken(&mut messages).await.1, taken(&mut others).await.1]);
        }
        let [[given, held], untouched] = words.try_into().unwrap();
        given.accept().unwrap();
        drop(peer);
        patient.lost().await;
        let mut peer = server.connected().await;
        peer.send_packet(&[0x20, 2, 1, 0]).await;
        patient.connected().await;
        assert_eq!(held.accept(), Err(AckError::Stale));
        for word in untouched {
            assert_eq!(word.accept(), Err(AckError::Stale), "the next connection brings it again");
        }
        for id in 1..=2 {
            let mut again = publish(id);
            again[0] |= 0x08;
            peer.send_packet(&again).await;
            taken(&mut messages).await.1.accept().unwrap();
            let (_, word) = taken(&mut others).await;
            nothing_was_sent(&patient.client, &mut peer).await;
            word.accept().unwrap();
            assert_eq!(peer.packet().await, puback(id));
        }
    }
}
