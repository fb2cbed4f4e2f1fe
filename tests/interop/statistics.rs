//! What a client counts.

use dunlin_tokio::{Message, Qos, Statistics};

use crate::common::within;
use crate::server::{CONNACK, Server};
use crate::{Patient, options};

/// Everything that `server` sees, to the byte, and what waits.
#[tokio::test]
async fn statistics_are_what_went_over_the_wire() {
    let server = Server::stream();
    let mut patient = Patient::start(options(&server.url()).client_id("c"));
    assert_eq!(patient.client.statistics(), Statistics::default());
    let mut peer = server.accept().await;
    let mut came = peer.packet().await.len();
    peer.send_packet(&CONNACK).await;
    patient.connected().await;
    let client = patient.client.clone();
    let subscribing = tokio::spawn(async move { client.subscribe("t", Qos::AtLeastOnce).await });
    let subscribe = peer.packet().await;
    came += subscribe.len();
    peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 1]).await;
    let mut messages = within("a SUBACK", subscribing).await.unwrap().unwrap().manual();
    let acknowledged = patient.client.enqueue(&Message::new("a", b"", Qos::AtLeastOnce)).unwrap();
    let _pending = patient.client.enqueue(&Message::new("b", b"", Qos::AtLeastOnce)).unwrap();
    let (first, second) = (peer.packet().await, peer.packet().await);
    came += first.len() + second.len();
    peer.send_packet(&[0x40, 2, 0, first[first.len() - 1]]).await;
    within("a PUBACK", acknowledged).await.unwrap();
    within("a write", patient.client.publish(&Message::new("c", b"", Qos::AtMostOnce)))
        .await
        .unwrap();
    came += peer.packet().await.len();
    peer.send_packet(&[0x32, 5, 0, 1, b't', 0, 9]).await;
    let (_, _word) = within("a message", messages.next()).await.unwrap().unwrap();

    let now = patient.client.statistics();
    let ends = (now.published, now.delivered, now.refused, now.uncertain, now.pending);
    assert_eq!(ends, (3, 2, 0, 0, 1));
    assert_eq!((now.received, now.dropped, now.unacknowledged), (1, 0, 1));
    assert_eq!((now.bytes_read, now.bytes_written), (4 + 5 + 4 + 7, came as u64));
    assert_eq!((now.connections, now.failures), (1, 0));

    drop(peer);
    patient.lost().await;
    let _peer = server.open().await;
    patient.connected().await;
    let now = patient.client.statistics();
    assert_eq!((now.connections, now.failures, now.pending), (2, 1, 1));
}
