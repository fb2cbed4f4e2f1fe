//! What subscribers get: their own messages, as values, and their own refusals.

use dunlin_tokio::pubsub::{Ended, Error, PubSub};
use dunlin_tokio::{Overflow, Qos, ReasonCode, SubscribeError};
use serde_json::{Value, json};
use support::broker5::Broker5;
use support::mosquitto::{self, Mosquitto};

use crate::common::within;
use crate::server::{CONNACK, Peer, Server};
use crate::{end, next, options, publish, subscribe};

#[tokio::test]
async fn value_of_every_kind_arrives_as_it_was() {
    let broker = Broker5::start().await;
    let pubsub = PubSub::new();
    pubsub.add_provider("p", options(broker.ws_addr())).unwrap();
    let mut values = subscribe(&pubsub, "value").await;
    let nested = json!({"ü": [1, -2.5, null, {"a": {"b": ["\u{1f426}", "\u{0}"]}}], "": false});
    for value in [nested, json!(null), json!(7), json!("text"), json!([]), json!(true)] {
        let publish = pubsub.publish("value", &value).into_future();
        within("a PUBACK", publish).await.unwrap().into_result().unwrap();
        let delivery = next(&mut values).await;
        assert_eq!(delivery.json::<Value>().unwrap(), value);
        assert_eq!((delivery.topic(), delivery.qos()), ("value", Qos::AtLeastOnce));
    }
    for payload in [&b"{"[..], b"\xff\xfe", b""] {
        publish(&pubsub, "value", payload).await;
        let delivery = next(&mut values).await;
        assert!(delivery.json::<Value>().is_err());
        assert_eq!(delivery.payload(), payload);
    }
    publish(&pubsub, "value", b"1").await;
    assert_eq!(next(&mut values).await.json::<u8>().unwrap(), 1, "the connection stands");
}

#[tokio::test]
async fn message_for_overlapping_filters_comes_once_to_each_subscriber() {
    let mosquitto = Mosquitto::start(mosquitto::Options::default()).await;
    let pubsub = PubSub::new();
    pubsub.add_provider("p", options(mosquitto.ws_addr())).unwrap();
    let overlapping = pubsub.subscribe(["a/+", "a/#", "a/b"]).into_future();
    let mut overlapping = within("SUBACK", overlapping).await.unwrap();
    let mut exact = subscribe(&pubsub, "a/b").await;
    publish(&pubsub, "a/b", b"1").await;
    publish(&pubsub, "a/b", b"2").await;
    for deliveries in [&mut overlapping, &mut exact] {
        assert_eq!(next(deliveries).await.payload(), b"1");
        assert_eq!(next(deliveries).await.payload(), b"2");
    }
}

async fn answer_subscribe(peer: &mut Peer, filter: &str, reason: u8) {
    let subscribe = peer.packet_answering_pings().await;
    assert_eq!((subscribe[0], &subscribe[6..subscribe.len() - 1]), (0x82, filter.as_bytes()));
    peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], reason]).await;
}

#[tokio::test]
async fn refusal_reaches_exactly_the_subscriber_that_was_refused() {
    let (server, other) = (Server::websocket(), Broker5::start().await);
    let pubsub = PubSub::new();
    pubsub.add_provider("p", options(server.address())).unwrap();
    let mut granted = pubsub.subscribe("granted").begin().unwrap();
    let refused = pubsub.subscribe("refused").into_future();
    let (mut peer, refused) = tokio::join!(
        async {
            let mut peer = server.connected().await;
            peer.send_packet(&CONNACK).await;
            answer_subscribe(&mut peer, "granted", 1).await;
            answer_subscribe(&mut peer, "refused", 0x80).await;
            peer
        },
        within("the refusal", refused),
    );
    let Err(Error::Subscribe { provider, error }) = refused else { panic!("{refused:?}") };
    assert_eq!(&*provider, "p");
    assert!(
        matches!(&error, SubscribeError::Refused { filter, reason, .. }
            if filter == "refused" && *reason == ReasonCode::UNSPECIFIED_ERROR),
        "{error:?}"
    );
    // QoS 0 to the topic `granted`.
    peer.send_packet(&[&[0x30, 10, 0, 7][..], b"granted!"].concat()).await;
    assert_eq!(next(&mut granted).await.payload(), b"!");

    // Of two providers, one refuses: it is told, and the other delivers.
    pubsub.add_provider("q", options(other.ws_addr())).unwrap();
    let both = pubsub.subscribe("both").into_future();
    let (both, ()) =
        tokio::join!(within("both answers", both), answer_subscribe(&mut peer, "both", 0x80));
    let mut both = both.unwrap();
    let ended = end(&mut both).await;
    assert!(matches!(&ended, Ended::Failed { provider, .. } if &**provider == "p"), "{ended:?}");
    let publish = pubsub.publish_bytes("both", b"q").provider("q").into_future();
    within("a PUBACK", publish).await.unwrap().into_result().unwrap();
    assert_eq!(next(&mut both).await.payload(), b"q");
}

#[tokio::test]
async fn filter_is_unsubscribed_from_when_its_last_holder_is_dropped() {
    let server = Server::websocket();
    let pubsub = PubSub::new();
    pubsub.add_provider("p", options(server.address())).unwrap();
    let first = pubsub.subscribe("t").begin().unwrap();
    let second = pubsub.subscribe(["t", "u"]).begin().unwrap();
    let mut peer = server.open().await;
    answer_subscribe(&mut peer, "t", 1).await;
    let subscribe = peer.packet().await;
    assert_eq!(subscribe[4..], [0, 1, b't', 1, 0, 1, b'u', 1]);
    peer.send_packet(&[0x90, 4, subscribe[2], subscribe[3], 1, 1]).await;
    drop(second);
    assert_eq!(peer.packet().await[4..], [0, 1, b'u'], "somebody else wants the other");
    drop(first);
    assert_eq!(peer.packet().await[4..], [0, 1, b't']);
}

/// QoS 0 to the topic `t`.
async fn send(peer: &mut Peer, payload: u8) {
    peer.send_packet(&[0x30, 4, 0, 1, b't', payload]).await;
}

#[tokio::test]
async fn consumer_that_is_slow_loses_what_its_policy_says_and_knows_how_much() {
    let server = Server::websocket();
    let pubsub = PubSub::new();
    pubsub.add_provider("p", options(server.address())).unwrap();
    let with = |overflow| pubsub.subscribe("t").queue(2, overflow).begin().unwrap();
    let mut newest = with(Overflow::DropNewest);
    let mut oldest = with(Overflow::DropOldest);
    let mut roomy = pubsub.subscribe("t").begin().unwrap();
    let mut peer = server.open().await;
    for _ in 0..3 {
        answer_subscribe(&mut peer, "t", 1).await;
    }
    for payload in 1..=5 {
        send(&mut peer, payload).await;
    }
    for payload in 1..=5 {
        assert_eq!(next(&mut roomy).await.payload(), [payload]);
    }
    assert_eq!((newest.lost(), oldest.lost(), roomy.lost()), (3, 3, 0));
    for (deliveries, expected) in [(&mut newest, [1, 2]), (&mut oldest, [4, 5])] {
        for payload in expected {
            assert_eq!(next(deliveries).await.payload(), [payload]);
        }
    }
    within("the removal", pubsub.remove_provider("p")).await.unwrap();
    for deliveries in [&mut newest, &mut oldest] {
        assert!(matches!(end(deliveries).await, Ended::Removed { .. }));
        assert_eq!(deliveries.lost(), 3, "it knows behind the end, too");
    }
}

/// Of two that always have something, neither hides the other.
#[tokio::test]
async fn providers_that_all_have_messages_take_turns() {
    let pubsub = PubSub::new();
    let servers = [("p", Server::websocket()), ("q", Server::websocket())];
    for (id, server) in &servers {
        pubsub.add_provider(*id, options(server.address())).unwrap();
    }
    let mut both = pubsub.subscribe("t").begin().unwrap();
    let mut peers = Vec::new();
    for (id, server) in &servers {
        let mut peer = server.open().await;
        answer_subscribe(&mut peer, "t", 1).await;
        for payload in 1..=3 {
            send(&mut peer, payload).await;
        }
        peers.push(peer);
        let client = pubsub.client(id).unwrap();
        within("all messages", async {
            while client.statistics().received < 3 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    for payload in 1..=3 {
        for id in ["p", "q"] {
            let delivery = next(&mut both).await;
            assert_eq!((&*delivery.provider, delivery.payload()), (id, &[payload][..]));
        }
    }
}

#[tokio::test]
async fn consumer_that_blocks_loses_nothing_and_holds_up_the_others() {
    let server = Server::websocket();
    let pubsub = PubSub::new();
    pubsub.add_provider("p", options(server.address())).unwrap();
    let mut blocks = pubsub.subscribe("t").queue(2, Overflow::Block).begin().unwrap();
    let mut roomy = pubsub.subscribe("t").begin().unwrap();
    let mut peer = server.open().await;
    for _ in 0..2 {
        answer_subscribe(&mut peer, "t", 1).await;
    }
    for payload in 1..=5 {
        send(&mut peer, payload).await;
    }
    for payload in 1..=2 {
        assert_eq!(next(&mut roomy).await.payload(), [payload]);
    }
    let third = tokio::time::timeout(std::time::Duration::from_millis(100), roomy.next()).await;
    assert!(third.is_err(), "the connection is not read from: {third:?}");
    for payload in 1..=5 {
        assert_eq!(next(&mut blocks).await.payload(), [payload]);
    }
    for payload in 3..=5 {
        assert_eq!(next(&mut roomy).await.payload(), [payload]);
    }
    assert_eq!((blocks.lost(), roomy.lost()), (0, 0));
}
