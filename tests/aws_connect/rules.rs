//! What AWS IoT Core would hang up for is refused here, and the connection goes on.

use std::time::{Duration, Instant};

use dunlin_tokio::aws::{Authorizer, Breach, Limiter, Rule};
use dunlin_tokio::dunlin::Subscription;
use dunlin_tokio::{Client, Error, Message, Properties, PublishError, Qos, SubscribeError, Will};

use crate::common::within;
use crate::server::{Peer, Server};
use crate::{connected, options};

/// A SUBSCRIBE is answered: each filter is granted with QoS 1. Says how many there were.
async fn grant(peer: &mut Peer) -> usize {
    let packet = peer.packet().await;
    assert_eq!(packet[0], 0x82, "SUBSCRIBE");
    let (mut rest, mut count) = (&packet[4..], 0_u8);
    while let [high, low, filter @ ..] = rest {
        rest = &filter[usize::from(u16::from_be_bytes([*high, *low])) + 1..];
        count += 1;
    }
    let suback = [&[0x90, count + 2, packet[2], packet[3]][..], &vec![1; count.into()]].concat();
    peer.send_packet(&suback).await;
    count.into()
}

fn wishes(filters: &[String]) -> Vec<Subscription<'_>> {
    filters.iter().map(|filter| Subscription::new(filter, Qos::AtLeastOnce)).collect()
}

#[tokio::test]
async fn nine_filters_go_in_packets_of_eight_and_a_fifty_first_is_refused() {
    let server = Server::websocket();
    let (client, mut peer) = connected(&server, options(&server.url())).await;
    let filters: Vec<_> = (0..51).map(|n| format!("f/{n}")).collect();
    let wishes = wishes(&filters);
    let (nine, sizes) = tokio::join!(client.subscribe_all(&wishes[..9]), async {
        [grant(&mut peer).await, grant(&mut peer).await]
    });
    let nine = nine.unwrap();
    assert_eq!(sizes, [8, 1]);
    let (fifty, sizes) = tokio::join!(client.subscribe_all(&wishes[9..50]), async {
        let mut sizes = Vec::new();
        for _ in 0..6 {
            sizes.push(grant(&mut peer).await);
        }
        sizes
    });
    let fifty = fifty.unwrap();
    assert_eq!(sizes, [8, 8, 8, 8, 8, 1]);
    let error = client.subscribe_all(&wishes[50..]).await.unwrap_err();
    let breach = Breach { rule: Rule::Subscriptions, found: 51 };
    assert!(matches!(error, SubscribeError::Aws(found) if found == breach), "{error:?}");
    assert!(error.to_string().contains("subscriptions (at most 50"), "{error}");
    // One that is there already is no further one.
    let (again, size) = tokio::join!(client.subscribe_all(&wishes[..1]), grant(&mut peer));
    assert_eq!((again.is_ok(), size), (true, 1));
    drop((nine, fifty));
}

#[tokio::test]
async fn message_that_aws_iot_would_drop_is_refused_by_rule_and_the_next_one_goes() {
    let server = Server::websocket();
    let (client, mut peer) = connected(&server, options(&server.url())).await;
    let payload = vec![0; (128 << 10) + 1];
    let long = "t".repeat(257);
    for (topic, payload, qos, rule) in [
        ("a", &b""[..], Qos::ExactlyOnce, Rule::Qos),
        ("a", &payload, Qos::AtMostOnce, Rule::Payload),
        (&long, b"", Qos::AtMostOnce, Rule::TopicLength),
        ("1/2/3/4/5/6/7/8/9", b"", Qos::AtMostOnce, Rule::TopicDepth),
        ("$SYS/a", b"", Qos::AtMostOnce, Rule::ReservedTopic),
        ("$aws/things/t/shadow/update/accepted", b"", Qos::AtMostOnce, Rule::ReservedTopic),
    ] {
        let message = Message::new(topic, payload, qos);
        let error = client.publish(&message).await.unwrap_err();
        let PublishError::Aws(breach) = error else { panic!("{error:?}") };
        assert_eq!(breach.rule, rule);
        assert!(breach.to_string().contains(rule.name()), "{breach}");
    }
    for (filter, qos, rule) in [
        ("a", Qos::ExactlyOnce, Rule::Qos),
        ("1/2/3/4/5/6/7/8/#", Qos::AtMostOnce, Rule::TopicDepth),
        ("$aws/rules/r/a", Qos::AtMostOnce, Rule::ReservedTopic),
    ] {
        let error = client.subscribe(filter, qos).await.unwrap_err();
        assert!(matches!(error, SubscribeError::Aws(breach) if breach.rule == rule), "{error:?}");
    }
    let ingest = format!("$aws/rules/rule/{}", "t".repeat(256));
    client.publish(&Message::new(&ingest, b"", Qos::AtMostOnce)).await.unwrap();
    let packet = peer.packet().await;
    assert_eq!(packet[0], 0x30, "the first packet after CONNECT");
}

/// The 101st would end the connection, and nothing in MQTT 3.1.1 says so.
#[tokio::test]
async fn hundred_and_first_message_waits_until_one_is_acknowledged() {
    let server = Server::websocket();
    let (client, mut peer) = connected(&server, options(&server.url())).await;
    let message = Message::new("a", b"", Qos::AtLeastOnce);
    let mut receipts: Vec<_> = (0..102).map(|_| client.enqueue(&message).unwrap()).collect();
    let mut ids = Vec::new();
    for _ in 0..100 {
        let packet = peer.packet().await;
        assert_eq!(packet[0], 0x32, "PUBLISH");
        ids.push([packet[5], packet[6]]);
    }
    // A request does not wait behind messages that do.
    let subscribing = client.subscribe("b", Qos::AtLeastOnce);
    let (subscription, count) = tokio::join!(subscribing, grant(&mut peer));
    assert_eq!((subscription.is_ok(), count), (true, 1));
    peer.send_packet(&[0x40, 2, ids[7][0], ids[7][1]]).await;
    let packet = peer.packet().await;
    assert_eq!(packet[0], 0x32, "one place is free");
    within("a PUBACK", receipts.remove(7)).await.unwrap();
}

#[tokio::test]
async fn connect_that_aws_iot_would_drop_is_never_sent() {
    let server = Server::websocket();
    let url = server.url();
    let will = Will { topic: "a".to_owned(), qos: Qos::ExactlyOnce, ..Will::default() };
    for (options, rule) in [
        (options(&url).client_id("c".repeat(129)), Rule::ClientIdLength),
        (options(&url).client_id("$GEN/1"), Rule::ClientIdReserved),
        (options(&url).will(will), Rule::Qos),
    ] {
        let error = within("an answer", Client::connect(options)).await.unwrap_err();
        assert!(matches!(error, Error::Aws(breach) if breach.rule == rule), "{error:?}");
    }
    assert!(!server.was_asked(), "it was connected to");
}

#[tokio::test]
async fn keep_alive_is_brought_into_range() {
    for (wanted, sent) in [(0, 1_200), (5, 5), (60, 60), (u16::MAX, 1_200)] {
        let server = Server::stream();
        let options = options(&server.url()).keep_alive_s(wanted);
        let (client, _events) = Client::start(options);
        let connect = server.accept().await.packet().await;
        assert_eq!(u16::from_be_bytes([connect[10], connect[11]]), sent, "{wanted}");
        client.close().await;
    }
}

/// "sensor/#" does not match "sensor" at AWS IoT Core.
#[tokio::test]
async fn level_above_a_number_sign_is_not_delivered() {
    let server = Server::websocket();
    let (client, mut peer) = connected(&server, options(&server.url())).await;
    let subscribed = client.subscribe("sensor/#", Qos::AtLeastOnce);
    let (sensor, _) = tokio::join!(subscribed, grant(&mut peer));
    let mut sensor = sensor.unwrap();
    peer.send_packet(b"\x30\x08\0\x06sensor").await;
    peer.send_packet(b"\x30\x0a\0\x08sensor/x").await;
    let came = within("a message", sensor.next()).await.unwrap().unwrap();
    assert_eq!(came.topic(), "sensor/x");
}

#[tokio::test]
async fn limiter_slows_publishing_down_and_says_when_to_try_again() {
    let server = Server::stream();
    let slow = options(&server.url()).aws_limiter(Limiter::with_limits(20, 1 << 20));
    let (client, mut peer) = connected(&server, slow).await;
    let message = Message::new("a", b"", Qos::AtMostOnce);
    let begin = Instant::now();
    let publishing = async {
        for _ in 0..12 {
            client.publish(&message).await.unwrap();
        }
    };
    let reading = async {
        for _ in 0..12 {
            peer.packet().await;
        }
    };
    within("twelve messages", async { tokio::join!(publishing, reading) }).await;
    // Two at once, and then 18 a second.
    assert!(begin.elapsed() >= Duration::from_millis(10 * 1_000 / 18), "{:?}", begin.elapsed());
    let refused = (0..10).find_map(|_| client.enqueue(&message).err()).expect("too fast");
    let PublishError::TooFast { retry_in } = refused else { panic!("{refused:?}") };
    assert!(retry_in > Duration::ZERO && retry_in <= Duration::from_millis(56), "{retry_in:?}");
}

#[tokio::test]
async fn authorizer_is_asked_in_fields_and_in_the_user_name() {
    let authorizer = Authorizer::new().with_name("my-auth").unwrap();
    let authorizer = authorizer.with_signed_token("tok", "a/b", "aGk+Pz8/").unwrap();
    let server = Server::websocket();
    let asks = options(&server.url()).aws_authorizer(&authorizer).unwrap();
    let (_client, _events) = Client::start(asks);
    let request = server.accept().await.request().await;
    for line in [
        "x-amz-customauthorizer-name: my-auth\r\n",
        "x-amz-customauthorizer-signature: aGk+Pz8/\r\n",
        "tok: a/b\r\n",
    ] {
        assert!(request.contains(line), "{request}");
    }
    let server = Server::stream();
    let asks = options(&server.url()).credentials("me", Some(b"secret".to_vec()));
    let (_client, _events) = Client::start(asks.aws_authorizer(&authorizer).unwrap());
    let connect = server.accept().await.packet().await;
    let connect = String::from_utf8_lossy(&connect);
    let user = "me?x-amz-customauthorizer-name=my-auth\
                &x-amz-customauthorizer-signature=aGk%2BPz8%2F&tok=a%2Fb";
    assert!(connect.contains(user) && connect.ends_with("secret"), "{connect}");
}

#[tokio::test]
async fn subscription_identifier_is_refused() {
    use dunlin_tokio::{Property, SubscriptionId};
    let server = Server::websocket();
    let (client, _peer) = connected(&server, options(&server.url())).await;
    let list = [Property::SubscriptionIdentifier(SubscriptionId::new(1).unwrap())];
    let filters = ["a".to_owned()];
    let wishes = wishes(&filters);
    let error = client.subscribe_with(&wishes, Properties::new(&list)).await.unwrap_err();
    let rule = Rule::SubscriptionIdentifier;
    assert!(matches!(error, SubscribeError::Aws(breach) if breach.rule == rule), "{error:?}");
}

/// AWS IoT Core drops the second CONNECT of a second.
#[tokio::test]
async fn client_id_that_connects_again_waits_for_its_turn() {
    let server = Server::websocket();
    let begun = Instant::now();
    for _ in 0..2 {
        let options = options(&server.url()).client_id("twice");
        let (client, peer) = connected(&server, options).await;
        drop((client, peer));
    }
    // Less a millisecond, which both ends of the wait are told in.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(998), "{took:?}");
}
