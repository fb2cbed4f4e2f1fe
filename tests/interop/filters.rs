//! What a server hears of filters: which of them together, in which order, and who gets its answers.

use std::pin::pin;

use dunlin_tokio::dunlin::{SubscribeError as Rejected, Subscription as Wish};
use dunlin_tokio::{
    Backoff, Client, Message, Options, Persistence, Properties, Property, Qos, ReasonCode,
    SubscribeError, Subscription, SubscriptionId, Version,
};

use crate::common::within;
use crate::ending::{fill, is_pending, make_room};
use crate::server::{Peer, Server};
use crate::{Patient, options, servers};

/// CONNACK of MQTT 5.0 §3.2: no session, accepted, no properties.
const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];

fn five(server: &Server) -> Options {
    options(&server.url()).version(Version::V5).client_id("five").backoff(Backoff::constant(0))
}

async fn answered(server: &Server, connack: &[u8]) -> Peer {
    let mut peer = server.connected().await;
    peer.send_packet(connack).await;
    peer
}

/// Reads a SUBSCRIBE (0x82) or an UNSUBSCRIBE (0xa2) of MQTT 5.0 for filters without properties, whose
/// answer has these reasons; returns what stands behind the properties.
async fn asked(peer: &mut Peer, first: u8, reasons: &[u8]) -> Vec<u8> {
    let packet = peer.packet().await;
    assert_eq!((packet[0], packet[4]), (first, 0), "{packet:?}");
    let kind = if first == 0x82 { 0x90 } else { 0xb0 };
    let len = 3 + reasons.len() as u8;
    peer.send_packet(&[&[kind, len, packet[2], packet[3], 0][..], reasons].concat()).await;
    packet[5..].to_vec()
}

/// One filter of a SUBSCRIBE at QoS 0.
fn wish(filter: &str) -> Vec<u8> {
    [&[0, filter.len() as u8][..], filter.as_bytes(), &[0]].concat()
}

/// One filter of an UNSUBSCRIBE.
fn end(filter: &str) -> Vec<u8> {
    [&[0, filter.len() as u8][..], filter.as_bytes()].concat()
}

/// Subscribes to all filters in one stream, each granted.
async fn subscribe(client: &Client, peer: &mut Peer, filters: &[&str]) -> Subscription {
    let wishes: Vec<_> = filters.iter().map(|it| Wish::new(it, Qos::AtMostOnce)).collect();
    let granted = vec![0; filters.len()];
    let (subscription, _) =
        tokio::join!(client.subscribe_all(&wishes), asked(peer, 0x82, &granted));
    subscription.unwrap()
}

/// A client that is connected, and its server.
async fn connected(server: &Server) -> (Patient, Peer) {
    let mut client = Patient::start(five(server));
    let peer = answered(server, &CONNACK).await;
    client.connected().await;
    (client, peer)
}

/// What was given up in between does not part those before and behind it.
#[tokio::test]
async fn subscriptions_that_waited_for_room_are_asked_for_together() {
    for server in servers() {
        let (Patient { client, .. }, mut peer) = connected(&server).await;
        let receipts = fill(&client);
        let [mut first, given_up, mut last] =
            ["a", "b", "c"].map(|filter| Box::pin(client.subscribe(filter, Qos::AtMostOnce)));
        let mut given_up = given_up;
        for subscribing in [&mut first, &mut given_up, &mut last] {
            assert!(is_pending(subscribing.as_mut()));
        }
        drop(given_up);
        make_room(&mut peer, receipts).await;
        assert_eq!(asked(&mut peer, 0x82, &[0, 0]).await, [wish("a"), wish("c")].concat());
        for subscribing in [first, last] {
            within("a SUBACK", subscribing).await.unwrap();
        }
    }
}

/// MQTT 5.0 §3.8.2.1.2: an identifier is that of all filters of its packet.
#[tokio::test]
async fn subscriptions_with_other_identifiers_are_asked_for_one_by_one() {
    for server in servers() {
        let (Patient { client, .. }, mut peer) = connected(&server).await;
        let receipts = fill(&client);
        let wishes = ["a", "b"].map(|filter| [Wish::new(filter, Qos::AtMostOnce)]);
        let lists =
            [1, 2].map(|id| [Property::SubscriptionIdentifier(SubscriptionId::new(id).unwrap())]);
        let mut first = pin!(client.subscribe_with(&wishes[0], Properties::new(&lists[0])));
        let mut second = pin!(client.subscribe_with(&wishes[1], Properties::new(&lists[1])));
        assert!(is_pending(first.as_mut()) && is_pending(second.as_mut()));
        make_room(&mut peer, receipts).await;
        for (id, filter) in [(1, "a"), (2, "b")] {
            let packet = peer.packet().await;
            assert_eq!(packet[4..], [&[2, 0x0b, id][..], &wish(filter)].concat());
            peer.send_packet(&[0x90, 4, packet[2], packet[3], 0, 0]).await;
        }
        within("a SUBACK", first).await.unwrap();
        within("a SUBACK", second).await.unwrap();
    }
}

/// The limit of the next connection is another one: what is too long together is not too long alone.
#[tokio::test]
async fn subscriptions_that_the_next_server_does_not_take_are_asked_for_one_by_one_or_refused() {
    for server in servers() {
        let mut patient = Patient::start(five(&server).persistence(Persistence::Kept));
        let mut peer = answered(&server, &CONNACK).await;
        patient.connected().await;
        let client = &patient.client;
        let receipts = fill(client);
        let filters = [("a", 20), ("b", 20), ("c", 60)].map(|(letter, len)| letter.repeat(len));
        let [mut first, mut second, mut third] =
            filters.each_ref().map(|filter| Box::pin(client.subscribe(filter, Qos::AtMostOnce)));
        for subscribing in [&mut first, &mut second, &mut third] {
            assert!(is_pending(subscribing.as_mut()));
        }
        make_room(&mut peer, receipts).await;
        let together = peer.packet().await;
        assert_eq!(together[5..], filters.each_ref().map(|filter| wish(filter)).concat());
        drop(peer);
        let connack = [0x20, 8, 1, 0, 5, 0x27, 0, 0, 0, 40];
        let mut peer = answered(&server, &connack).await;
        for filter in &filters[..2] {
            assert_eq!(asked(&mut peer, 0x82, &[0]).await, wish(filter));
        }
        let _first = within("a SUBACK", first).await.unwrap();
        let _second = within("a SUBACK", second).await.unwrap();
        let refused = within("an answer", third).await;
        let too_large = Rejected::Limit(ReasonCode::PACKET_TOO_LARGE);
        assert!(
            matches!(&refused, Err(SubscribeError::Rejected(error)) if *error == too_large),
            "{refused:?}"
        );
    }
}

/// Its first end has its answer, though the server never hears of it.
#[tokio::test]
async fn unsubscribe_of_what_is_wanted_again_is_answered() {
    for server in servers() {
        let (Patient { client, .. }, mut peer) = connected(&server).await;
        let subscription = subscribe(&client, &mut peer, &["a"]).await;
        let receipts = fill(&client);
        let mut unsubscribing = pin!(subscription.unsubscribe());
        assert!(is_pending(unsubscribing.as_mut()));
        let mut again = pin!(client.subscribe("a", Qos::AtMostOnce));
        assert!(is_pending(again.as_mut()));
        let reasons = within("an answer", unsubscribing).await.unwrap();
        assert_eq!(reasons, [ReasonCode::SUCCESS]);
        make_room(&mut peer, receipts).await;
        assert_eq!(asked(&mut peer, 0x82, &[0]).await, wish("a"));
        within("a SUBACK", again).await.unwrap();
    }
}

/// MQTT 3.1.1 §3.11.3
///
/// An UNSUBACK of MQTT 3.1.1 has no reasons: it says yes to all.
#[tokio::test]
async fn unsubscribe_is_a_success_for_each_filter_in_mqtt_3_1_1() {
    for server in servers() {
        let Patient { client, .. } = Patient::start(options(&server.url()));
        let mut peer = server.open().await;
        let wishes = ["a", "b"].map(|filter| Wish::new(filter, Qos::AtMostOnce));
        let (subscription, ()) = tokio::join!(client.subscribe_all(&wishes), async {
            let packet = peer.packet().await;
            peer.send_packet(&[0x90, 4, packet[2], packet[3], 0, 0]).await;
        });
        let (reasons, ()) = tokio::join!(subscription.unwrap().unsubscribe(), async {
            let packet = peer.packet().await;
            assert_eq!(packet[4..], [end("a"), end("b")].concat());
            peer.send_packet(&[0xb0, 2, packet[2], packet[3]]).await;
        });
        assert_eq!(reasons.unwrap(), [ReasonCode::SUCCESS; 2]);
    }
}

/// Each filter by itself, whichever of them others want.
#[tokio::test]
async fn filters_that_others_want_stay_when_a_subscription_to_many_ends() {
    for held in 0..4 {
        let server = Server::stream();
        let (Patient { client, .. }, mut peer) = connected(&server).await;
        let filters = ["a", "b", "c", "d"];
        let all = subscribe(&client, &mut peer, &filters).await;
        let _other = subscribe(&client, &mut peer, &[filters[held]]).await;
        let ends = filters.iter().filter(|filter| **filter != filters[held]);
        let ends: Vec<_> = ends.flat_map(|filter| end(filter)).collect();
        let (said, given) = ([0x11; 3], ReasonCode::NO_SUBSCRIPTION_EXISTED);
        let (reasons, asked) = tokio::join!(all.unsubscribe(), asked(&mut peer, 0xa2, &said));
        assert_eq!(asked, ends);
        let mut expected = [given; 4];
        expected[held] = ReasonCode::SUCCESS;
        assert_eq!(reasons.unwrap(), expected);
    }
}

/// Nobody holds what comes for a stream that is about to end, and its end is not put off.
#[tokio::test]
async fn subscription_of_which_one_filter_is_refused_gets_no_more_messages() {
    for server in servers() {
        let (mut patient, mut peer) = connected(&server).await;
        let mut messages = subscribe(&patient.client, &mut peer, &["fine", "secret"]).await;
        drop(peer);
        patient.lost().await;
        let mut peer = answered(&server, &CONNACK).await;
        asked(&mut peer, 0x82, &[0, 0x87]).await;
        peer.send_packet(b"\x32\x09\0\x04fine\0\x01\0").await;
        assert_eq!(peer.packet().await, [0x40, 2, 0, 1]);
        let ended = within("the end", messages.next()).await;
        assert!(
            matches!(&ended, Some(Err(SubscribeError::Refused { filter, .. })) if filter == "secret"),
            "{ended:?}"
        );
        assert_eq!(asked(&mut peer, 0xa2, &[0]).await, end("fine"));
        assert!(within("the end", messages.next()).await.is_none());
    }
}

/// An answer may be the last thing that was waited for.
#[tokio::test]
async fn drain_ends_with_the_answer_to_a_subscription_or_to_its_end() {
    for server in servers() {
        let (Patient { client, .. }, mut peer) = connected(&server).await;
        let mut subscribing = Box::pin(client.subscribe("a", Qos::AtMostOnce));
        assert!(is_pending(subscribing.as_mut()));
        let draining = async {
            let both = tokio::join!(client.drain(), client.drain());
            both.0.and(both.1)
        };
        let (drained, _) = tokio::join!(within("a SUBACK", draining), asked(&mut peer, 0x82, &[0]));
        drained.unwrap();
        drop(within("a SUBACK", subscribing).await.unwrap());
        let (drained, _) =
            tokio::join!(within("an UNSUBACK", client.drain()), asked(&mut peer, 0xa2, &[0]));
        drained.unwrap();
    }
}

/// Nothing comes that would tell of the room: it is there when the messages are written.
#[tokio::test]
async fn subscription_that_waited_for_room_behind_qos_0_is_asked_for() {
    for server in servers() {
        let mut patient = Patient::start(five(&server).outbox(512));
        let client = patient.client.clone();
        let message = Message::new("t", &[0; 60], Qos::AtMostOnce);
        let receipts: Vec<_> = std::iter::from_fn(|| client.enqueue(&message).ok()).collect();
        assert!(!receipts.is_empty());
        let filter = "f".repeat(60);
        let mut subscribing = pin!(client.subscribe(&filter, Qos::AtMostOnce));
        assert!(is_pending(subscribing.as_mut()));
        let mut peer = answered(&server, &CONNACK).await;
        patient.connected().await;
        for _ in receipts {
            assert_eq!(peer.packet().await[0], 0x30);
        }
        assert_eq!(asked(&mut peer, 0x82, &[0]).await, wish(&filter));
        within("a SUBACK", subscribing).await.unwrap();
    }
}
