//! What goes over the wire when the packets of QoS 2 come twice: the program sees one message.

use dunlin_tokio::{Message, Options, Persistence, Qos, Receipt, Resumption, Subscription};

use crate::common::within;
use crate::server::{CONNACK, Peer, Server};
use crate::{Patient, options, servers};

/// CONNACK with a session (MQTT 3.1.1 §3.2.2.2).
const PRESENT: [u8; 4] = [0x20, 2, 1, 0];

/// DUP, in the first byte of a PUBLISH (MQTT 3.1.1 §3.3.1.1).
const DUP: u8 = 0x08;

/// A PUBLISH of QoS 2 to the topic `t`, with one byte of payload.
const fn publish(id: u8, payload: u8) -> [u8; 8] {
    [0x34, 6, 0, 1, b't', 0, id, payload]
}

/// The same, sent again (v3.1.1: [MQTT-3.3.1-1]).
const fn again(id: u8, payload: u8) -> [u8; 8] {
    let mut packet = publish(id, payload);
    packet[0] |= DUP;
    packet
}

const fn pubrec(id: u8) -> [u8; 4] {
    [0x50, 2, 0, id]
}

const fn pubrel(id: u8) -> [u8; 4] {
    [0x62, 2, 0, id]
}

const fn pubcomp(id: u8) -> [u8; 4] {
    [0x70, 2, 0, id]
}

fn kept(server: &Server) -> Options {
    options(&server.url()).client_id("keeper").persistence(Persistence::Kept)
}

/// The next connection of a client whose session the server has.
async fn resumed(server: &Server, patient: &mut Patient) -> Peer {
    let mut peer = server.connected().await;
    peer.send_packet(&PRESENT).await;
    assert_eq!(patient.connected().await, Resumption::Resumed);
    peer
}

/// A client that is connected and has subscribed to `t`.
async fn subscribed(server: &Server) -> (Patient, Peer, Subscription) {
    let mut patient = Patient::start(kept(server));
    let client = patient.client.clone();
    let subscribing = tokio::spawn(async move { client.subscribe("t", Qos::ExactlyOnce).await });
    let mut peer = server.connected().await;
    peer.send_packet(&CONNACK).await;
    let subscribe = peer.packet().await;
    assert_eq!(subscribe[subscribe.len() - 1], 2, "the QoS that is asked for");
    peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 2]).await;
    let subscription = within("a SUBACK", subscribing).await.unwrap().unwrap();
    assert_eq!(subscription.granted(), [Qos::ExactlyOnce]);
    patient.connected().await;
    (patient, peer, subscription)
}

async fn next_is(subscription: &mut Subscription, payload: u8) {
    let came = within("a message", subscription.next()).await.unwrap().unwrap();
    assert_eq!((came.payload(), came.qos), (&[payload][..], Qos::ExactlyOnce));
}

/// All that was sent to the server before this call has come, and the packet behind it is ours.
async fn nothing_more_comes(patient: &Patient, peer: &mut Peer) {
    let fence = Message::new("fence", &[], Qos::AtMostOnce);
    within("a write", patient.client.publish(&fence)).await.unwrap();
    assert_eq!(peer.packet().await[0], 0x30, "an answer that nobody has asked for");
}

/// The answer to a message of QoS 1: whatever was sent before it has been handled.
async fn all_is_handled(patient: &Patient, peer: &mut Peer) {
    let fence = Message::new("fence", &[], Qos::AtLeastOnce);
    let fence = patient.client.enqueue(&fence).unwrap();
    let packet = peer.packet().await;
    assert_eq!(packet[0], 0x32, "{packet:?}");
    let [high, low] = packet[packet.len() - 2..] else { panic!("{packet:?}") };
    peer.send_packet(&[0x40, 2, high, low]).await;
    within("a PUBACK", fence).await.unwrap();
}

/// v3.1.1: [MQTT-4.3.3-2]
///
/// Each PUBLISH is answered, and one message handed over, until PUBREL has come.
#[tokio::test]
async fn publish_repeated_behind_its_pubrec_is_answered_and_not_handed_over() {
    for server in servers() {
        let (mut patient, mut peer, mut subscription) = subscribed(&server).await;
        peer.send_packet(&publish(7, 1)).await;
        next_is(&mut subscription, 1).await;
        assert_eq!(peer.packet().await, pubrec(7));
        for _ in 0..3 {
            peer.send_packet(&again(7, 1)).await;
            assert_eq!(peer.packet().await, pubrec(7));
        }
        drop(peer);
        patient.lost().await;
        let mut peer = resumed(&server, &mut patient).await;
        peer.send_packet(&again(7, 1)).await;
        assert_eq!(peer.packet().await, pubrec(7));
        for _ in 0..2 {
            peer.send_packet(&pubrel(7)).await;
            assert_eq!(peer.packet().await, pubcomp(7));
        }
        // Released: the identifier stands for another message.
        peer.send_packet(&publish(7, 2)).await;
        next_is(&mut subscription, 2).await;
        assert_eq!(peer.packet().await, pubrec(7));
        nothing_more_comes(&patient, &mut peer).await;
    }
}

/// The message waits to be taken while it comes again, and those behind it are not held up.
#[tokio::test]
async fn publish_repeated_before_it_is_taken_is_handed_over_once() {
    for server in servers() {
        let (patient, mut peer, mut subscription) = subscribed(&server).await;
        for packet in [publish(7, 1), again(7, 1), again(7, 1), publish(8, 2)] {
            peer.send_packet(&packet).await;
        }
        all_is_handled(&patient, &mut peer).await;
        nothing_more_comes(&patient, &mut peer).await;
        next_is(&mut subscription, 1).await;
        next_is(&mut subscription, 2).await;
        // One answer is enough for all that came before it, and each may have its own.
        assert_eq!(peer.packet().await, pubrec(7));
        let mut packet = peer.packet().await;
        for _ in 0..2 {
            if packet == pubrec(7) {
                packet = peer.packet().await;
            }
        }
        assert_eq!(packet, pubrec(8));
        for id in [7, 8] {
            peer.send_packet(&pubrel(id)).await;
            assert_eq!(peer.packet().await, pubcomp(id));
        }
        nothing_more_comes(&patient, &mut peer).await;
    }
}

/// A message that is held over a lost connection is answered on the next one, where it has come
/// again; nobody sees it twice.
#[tokio::test]
async fn publish_repeated_on_the_next_connection_before_it_is_taken_is_handed_over_once() {
    for server in servers() {
        let (mut patient, mut peer, mut subscription) = subscribed(&server).await;
        peer.send_packet(&publish(7, 1)).await;
        all_is_handled(&patient, &mut peer).await;
        drop(peer);
        patient.lost().await;
        let mut peer = resumed(&server, &mut patient).await;
        for packet in [again(7, 1), publish(8, 2)] {
            peer.send_packet(&packet).await;
        }
        all_is_handled(&patient, &mut peer).await;
        nothing_more_comes(&patient, &mut peer).await;
        for (id, payload) in [(7, 1), (8, 2)] {
            next_is(&mut subscription, payload).await;
            assert_eq!(peer.packet().await, pubrec(id));
            peer.send_packet(&pubrel(id)).await;
            assert_eq!(peer.packet().await, pubcomp(id));
        }
        nothing_more_comes(&patient, &mut peer).await;
    }
}

/// A server that has no session any more begins anew: the same identifier, another message.
#[tokio::test]
async fn identifier_of_a_lost_session_stands_for_a_new_message() {
    for server in servers() {
        let (mut patient, mut peer, mut subscription) = subscribed(&server).await;
        peer.send_packet(&publish(7, 1)).await;
        next_is(&mut subscription, 1).await;
        assert_eq!(peer.packet().await, pubrec(7));
        drop(peer);
        patient.lost().await;
        let mut peer = server.connected().await;
        peer.send_packet(&CONNACK).await;
        assert_eq!(patient.connected().await, Resumption::Lost);
        let subscribe = peer.packet().await;
        assert_eq!(subscribe[0], 0x82);
        peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 2]).await;
        peer.send_packet(&publish(7, 2)).await;
        next_is(&mut subscription, 2).await;
        assert_eq!(peer.packet().await, pubrec(7));
    }
}

fn enqueue(patient: &Patient, payload: u8) -> Receipt {
    patient.client.enqueue(&Message::new("t", &[payload], Qos::ExactlyOnce)).unwrap()
}

/// v3.1.1: [MQTT-4.3.3-1] [MQTT-4.4.0-1]
#[tokio::test]
async fn pubrec_that_comes_twice_is_answered_twice_and_publishes_nothing_again() {
    for server in servers() {
        let mut patient = Patient::start(kept(&server));
        let mut peer = server.connected().await;
        peer.send_packet(&CONNACK).await;
        assert_eq!(patient.connected().await, Resumption::New);
        let receipt = enqueue(&patient, 1);
        assert_eq!(peer.packet().await, publish(1, 1));
        for _ in 0..2 {
            peer.send_packet(&pubrec(1)).await;
            assert_eq!(peer.packet().await, pubrel(1));
        }
        drop(peer);
        patient.lost().await;
        // PUBCOMP has not come: PUBREL goes out again by itself, and not PUBLISH.
        let mut peer = resumed(&server, &mut patient).await;
        assert_eq!(peer.packet().await, pubrel(1));
        peer.send_packet(&pubrec(1)).await;
        assert_eq!(peer.packet().await, pubrel(1));
        for _ in 0..2 {
            peer.send_packet(&pubcomp(1)).await;
        }
        within("a PUBCOMP", receipt).await.unwrap();
        // An answer to a message that is through: the server is to let go of it.
        peer.send_packet(&pubrec(1)).await;
        assert_eq!(peer.packet().await, pubrel(1));
        nothing_more_comes(&patient, &mut peer).await;
    }
}

/// v3.1.1: [MQTT-4.4.0-1]
///
/// The same identifier and DUP where PUBREC is missing, PUBREL where PUBCOMP is.
#[tokio::test]
async fn messages_at_both_steps_go_on_where_they_were() {
    for server in servers() {
        let mut patient = Patient::start(kept(&server));
        let mut peer = server.connected().await;
        peer.send_packet(&CONNACK).await;
        assert_eq!(patient.connected().await, Resumption::New);
        let receipts = [1, 2, 3].map(|number| enqueue(&patient, number));
        for number in 1..=3 {
            assert_eq!(peer.packet().await, publish(number, number));
        }
        peer.send_packet(&pubrec(1)).await;
        assert_eq!(peer.packet().await, pubrel(1));
        drop(peer);
        patient.lost().await;
        let mut peer = resumed(&server, &mut patient).await;
        assert_eq!(peer.packet().await, pubrel(1));
        for number in [2, 3] {
            assert_eq!(peer.packet().await, again(number, number));
        }
        peer.send_packet(&pubcomp(1)).await;
        for number in [2, 3] {
            peer.send_packet(&pubrec(number)).await;
            assert_eq!(peer.packet().await, pubrel(number));
            peer.send_packet(&pubcomp(number)).await;
        }
        for receipt in receipts {
            within("a PUBCOMP", receipt).await.unwrap();
        }
        nothing_more_comes(&patient, &mut peer).await;
    }
}
