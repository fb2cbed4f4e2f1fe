//! What goes over the wire when a session goes on, is lost, or its messages are not taken yet.

use dunlin_tokio::{Message, Options, Persistence, Qos, Resumption};

use crate::common::within;
use crate::server::{CONNACK, Peer, Server};
use crate::{Patient, options, servers};

/// CONNACK with a session (MQTT 3.1.1 §3.2.2.2).
const PRESENT: [u8; 4] = [0x20, 2, 1, 0];

/// A PUBLISH of QoS 1 to the topic `t`, without a payload.
const fn publish(id: u8) -> [u8; 7] {
    [0x32, 5, 0, 1, b't', 0, id]
}

/// The answer to [`publish`].
const fn puback(id: u8) -> [u8; 4] {
    [0x40, 2, 0, id]
}

fn kept(server: &Server) -> Options {
    options(&server.url()).client_id("keeper").persistence(Persistence::Kept)
}

async fn accept(server: &Server, connack: [u8; 4]) -> Peer {
    let mut peer = server.accept().await;
    peer.upgrade().await;
    let connect = peer.packet().await;
    assert!(connect[0] == 0x10 && connect.ends_with(b"\0\x06keeper"), "{connect:x?}");
    peer.send_packet(&connack).await;
    peer
}

/// v3.1.1: [MQTT-3.1.3-2] [MQTT-3.3.1-1] [MQTT-4.4.0-1]
///
/// The same client, the same packet identifier, and DUP.
#[tokio::test]
async fn unacknowledged_message_is_sent_again_with_its_identifier() {
    for server in servers() {
        let mut patient = Patient::start(kept(&server));
        let mut peer = accept(&server, CONNACK).await;
        assert_eq!(patient.connected().await, Resumption::New);
        let messages = [1_u8, 2, 3].map(|number| {
            let message = Message::new("t", &[], Qos::AtLeastOnce);
            (number, patient.client.enqueue(&message).unwrap())
        });
        for number in 1..=3 {
            assert_eq!(peer.packet().await, publish(number));
        }
        peer.send_packet(&puback(2)).await;
        let [first, (_, second), third] = messages;
        within("a PUBACK", second).await.unwrap();
        drop(peer);
        patient.lost().await;
        let mut peer = accept(&server, PRESENT).await;
        assert_eq!(patient.connected().await, Resumption::Resumed);
        for (number, receipt) in [first, third] {
            let mut again = publish(number);
            again[0] |= 0x08;
            assert_eq!(peer.packet().await, again);
            peer.send_packet(&puback(number)).await;
            within("a PUBACK", receipt).await.unwrap();
        }
    }
}

/// A server that has no session gets messages and subscriptions anew; one that has it, neither.
#[tokio::test]
async fn subscription_is_made_again_only_when_the_session_is_lost() {
    for server in servers() {
        let mut patient = Patient::start(kept(&server));
        let client = patient.client.clone();
        let subscribing =
            tokio::spawn(async move { client.subscribe("t", Qos::AtLeastOnce).await });
        let mut peer = accept(&server, CONNACK).await;
        let subscribe = peer.packet().await;
        peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 1]).await;
        let _subscription = within("a SUBACK", subscribing).await.unwrap().unwrap();
        patient.connected().await;
        drop(peer);
        patient.lost().await;

        let mut peer = accept(&server, PRESENT).await;
        assert_eq!(patient.connected().await, Resumption::Resumed);
        let message = Message::new("t", &[], Qos::AtMostOnce);
        within("a write", patient.client.publish(&message)).await.unwrap();
        assert_eq!(peer.packet().await[0], 0x30, "nothing is subscribed to again");
        drop(peer);
        patient.lost().await;

        let mut peer = accept(&server, CONNACK).await;
        assert_eq!(patient.connected().await, Resumption::Lost);
        let again = peer.packet().await;
        assert_eq!((again[0], &again[4..]), (0x82, &subscribe[4..]));
    }
}

/// No PUBACK before the program has the message; those behind it wait (v3.1.1: [MQTT-4.6.0-2]).
#[tokio::test]
async fn message_is_acknowledged_when_it_is_taken() {
    for server in servers() {
        let patient = Patient::start(options(&server.url()));
        let client = patient.client.clone();
        let subscribing =
            tokio::spawn(async move { client.subscribe("t", Qos::AtLeastOnce).await });
        let mut peer = server.open().await;
        let subscribe = peer.packet().await;
        peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 1]).await;
        let mut subscription = within("a SUBACK", subscribing).await.unwrap().unwrap();
        for id in 1..=3 {
            peer.send_packet(&publish(id)).await;
        }
        // Behind them: when this one is acknowledged, they have arrived, and were not answered.
        let fence = Message::new("fence", &[], Qos::AtLeastOnce);
        let fence = patient.client.enqueue(&fence).unwrap();
        let packet = peer.packet().await;
        assert_eq!(packet[0], 0x32, "{packet:?}");
        let [high, low] = packet[packet.len() - 2..] else { panic!("{packet:?}") };
        peer.send_packet(&[0x40, 2, high, low]).await;
        within("a PUBACK", fence).await.unwrap();
        let fence = Message::new("fence", &[], Qos::AtMostOnce);
        within("a write", patient.client.publish(&fence)).await.unwrap();
        assert_eq!(peer.packet().await[0], 0x30, "nobody has taken a message yet");

        within("a message", subscription.next()).await.unwrap().unwrap();
        assert_eq!(peer.packet().await, puback(1));
        // Whoever stops listening lets go of the rest.
        drop(subscription);
        assert_eq!(peer.packet().await, puback(2));
        assert_eq!(peer.packet().await, puback(3));
        assert_eq!(peer.packet().await[0], 0xa2);
        // And nobody holds what nobody wants.
        peer.send_packet(&publish(4)).await;
        assert_eq!(peer.packet().await, puback(4));
    }
}

/// Acknowledgements die with their connection: the next one gets the message again.
#[tokio::test]
async fn message_of_a_lost_connection_is_not_acknowledged_to_the_next() {
    let server = Server::websocket();
    let mut patient = Patient::start(kept(&server));
    let client = patient.client.clone();
    let subscribing = tokio::spawn(async move { client.subscribe("t", Qos::AtLeastOnce).await });
    let mut peer = accept(&server, CONNACK).await;
    let subscribe = peer.packet().await;
    peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 1]).await;
    let mut subscription = within("a SUBACK", subscribing).await.unwrap().unwrap();
    patient.connected().await;
    peer.send_packet(&publish(1)).await;
    drop(peer);
    patient.lost().await;
    let mut peer = accept(&server, PRESENT).await;
    patient.connected().await;
    // Of the last connection: taken now, and acknowledged to nobody.
    let first = within("a message", subscription.next()).await.unwrap().unwrap();
    assert!(!first.duplicate);
    let fence = Message::new("fence", &[], Qos::AtMostOnce);
    within("a write", patient.client.publish(&fence)).await.unwrap();
    assert_eq!(peer.packet().await[0], 0x30, "no PUBACK");
    let mut again = publish(1);
    again[0] |= 0x08;
    peer.send_packet(&again).await;
    let second = within("a message", subscription.next()).await.unwrap().unwrap();
    assert!(second.duplicate);
    assert_eq!(peer.packet().await, puback(1));
}

/// It comes again on the next connection, and waits there in place of the first.
#[tokio::test]
async fn message_that_waits_for_its_first_subscription_is_handed_over_once() {
    for server in servers() {
        let mut patient = Patient::start(kept(&server));
        let fence = Message::new("t", &[], Qos::AtLeastOnce);
        let mut last = None;
        for dup in [0, 8] {
            let mut peer = accept(&server, PRESENT).await;
            patient.connected().await;
            let mut early = publish(1);
            early[0] |= dup;
            peer.send_packet(&early).await;
            // What comes behind it tells that it is there.
            let receipt = patient.client.enqueue(&fence).unwrap();
            let sent = peer.packet().await;
            peer.send_packet(&puback(sent[6])).await;
            within("a PUBACK", receipt).await.unwrap();
            if dup == 0 {
                drop(peer);
                patient.lost().await;
            } else {
                last = Some(peer);
            }
        }
        let mut peer = last.unwrap();
        let (messages, ()) = tokio::join!(patient.client.subscribe("t", Qos::AtLeastOnce), async {
            let asked = peer.packet().await;
            peer.send_packet(&[0x90, 3, asked[2], asked[3], 1]).await;
        });
        let mut messages = messages.unwrap();
        peer.send_packet(&publish(2)).await;
        for id in [1, 2] {
            within("a message", messages.next()).await.unwrap().unwrap();
            assert_eq!(peer.packet().await, puback(id));
        }
    }
}
