//! Where Amplify loses something, and Dunlin does not: both in the same run, on the same broker.

use crate::cable::Cable;
use crate::common::within;
use crate::server::{CONNACK, Peer, Server};
use crate::{broker, bystander, next, opened, options, publish, pubsub, subscribe};
use dunlin_tokio::pubsub::{ConnectionState, Ended, Error, PubSub};
use dunlin_tokio::{
    Client, Offline, PublishError, Qos, ReasonCode, SharedFilter, SubscribeError, Subscription,
};
use serde_json::{Value, json};
use support::amplify::{Amplify, Generation, Timers};

async fn heard(messages: &mut Subscription) -> (String, Value) {
    let message = within("a message", messages.next()).await.unwrap().unwrap();
    (message.topic().to_owned(), serde_json::from_slice(message.payload()).unwrap())
}

async fn listen(client: &Client, filter: &str) -> Subscription {
    within("a SUBACK", client.subscribe(filter, Qos::AtLeastOnce)).await.unwrap()
}

/// Amplify says that all is well, and drops the message; Dunlin keeps it, or says that it does not.
#[tokio::test]
async fn publish_while_nothing_is_connected_is_lost_there_and_delivered_here() {
    let broker = broker().await;
    let cable = Cable::to(broker.ws_addr()).await;
    cable.pull();
    let url = format!("ws://{}/mqtt", cable.address());
    let watcher = bystander(&broker.ws_url()).await;
    let mut all = listen(&watcher, "from/+").await;

    let mut amplify = Amplify::start(Generation::Six, Timers::Virtual);
    amplify.open("a", &url).await;
    let said = amplify.publish("a", &["from/amplify"], &json!({"lost": true})).await;
    assert_eq!(said, Ok(()), "as if it had been published");
    amplify.subscribe("a", "s", &["own/#"]).await;
    amplify.states_until("a", "ConnectionDisrupted").await;
    let said = amplify.publish("a", &["from/amplify"], &json!({"lost": "again"})).await;
    assert_eq!(said, Ok(()), "as if it had been published");

    let dunlin = PubSub::new();
    dunlin.add_provider("queues", options(&url)).unwrap();
    dunlin.add_provider("refuses", options(&url).offline(Offline::Refuse)).unwrap();
    let value = json!({"kept": true});
    let refused = dunlin.publish("from/dunlin", &value).provider("refuses").await.unwrap();
    let refused = refused.into_result().unwrap_err();
    assert!(matches!(refused, PublishError::Offline), "{refused:?}");
    let waits = dunlin.clone();
    let publishing = tokio::spawn(async move {
        waits.publish("from/dunlin", &json!({"kept": true})).provider("queues").await
    });

    cable.put_back();
    let published = within("a PUBACK", publishing).await.unwrap().unwrap();
    published.into_result().unwrap();
    assert_eq!(heard(&mut all).await, ("from/dunlin".to_owned(), value));
    // Amplify is connected now: had it kept anything, it would have been before this.
    amplify.pass(5).await;
    amplify.states_until("a", "Connected").await;
    amplify.settle("a", "s", "own/fence").await;
    amplify.publish("a", &["from/amplify"], &json!({"lost": false})).await.unwrap();
    assert_eq!(heard(&mut all).await.1, json!({"lost": false}));
}

/// A provider that Amplify has removed stays connected, and delivers as before.
#[tokio::test]
async fn removed_provider_goes_on_delivering_there_and_ends_here() {
    let broker = broker().await;
    let publisher = bystander(&broker.ws_url()).await;
    let (mut amplify, _) = opened(Generation::Five, Timers::Real, &broker.ws_url()).await;
    let dunlin = pubsub(&broker.ws_url()).await;
    let mut deliveries = subscribe(&dunlin, "own/#").await;

    amplify.remove("MqttOverWSProvider").await;
    within("its end", dunlin.remove_provider("d")).await.unwrap();
    publish(&publisher, "own/late", br#"{"n":1}"#).await;

    assert_eq!(amplify.message("s").await.value, json!({"n": 1}), "nobody asked for it any more");
    let end = within("an end", deliveries.next()).await.unwrap().unwrap_err();
    assert!(matches!(&end, Ended::Removed { provider } if &**provider == "d"), "{end:?}");
    assert!(within("the end", deliveries.next()).await.is_none());
}

/// Both of one class have one name, so that only the first can be spoken to.
#[tokio::test]
async fn second_provider_of_a_class_is_out_of_reach_there_and_has_its_name_here() {
    let (first, second) = tokio::join!(broker(), broker());
    let listeners = [bystander(&first.ws_url()).await, bystander(&second.ws_url()).await];
    let mut at_first = listen(&listeners[0], "orders").await;
    let mut at_second = listen(&listeners[1], "orders").await;

    let mut amplify = Amplify::start(Generation::Five, Timers::Real);
    amplify.open("one", &first.ws_url()).await;
    amplify.open("two", &second.ws_url()).await;
    amplify.subscribe("", "s", &["own/#"]).await;
    amplify.states_until("one", "Connected").await;
    amplify.states_until("two", "Connected").await;
    // By all of them, and so each hears itself.
    amplify.publish("", &["own/a"], &json!({})).await.unwrap();
    let mut observed = amplify.message("s").await;
    while observed.from != "two" {
        observed = amplify.message("s").await;
    }
    // All that a program is told to address a provider by; the first one of that name answers.
    let name = observed.provider_name.unwrap();
    amplify.publish_to(&name, "orders", &json!("for two")).await.unwrap();
    assert_eq!(heard(&mut at_first).await.1, json!("for two"), "it went to the other one");

    let dunlin = PubSub::new();
    dunlin.add_provider("one", options(&first.ws_url())).unwrap();
    dunlin.add_provider("two", options(&second.ws_url())).unwrap();
    let order = json!("for two, from Dunlin");
    let report = within("a PUBACK", dunlin.publish("orders", &order).provider("two").into_future());
    report.await.unwrap().into_result().unwrap();
    assert_eq!(heard(&mut at_second).await.1, order, "nothing of Amplify's before it");
}

/// What Amplify cannot read, it drops; what is not even text ends its connection.
#[tokio::test]
async fn payload_that_is_not_text_kills_the_connection_there_and_is_a_value_here() {
    let broker = broker().await;
    let publisher = bystander(&broker.ws_url()).await;
    let (mut amplify, _) = opened(Generation::Six, Timers::Virtual, &broker.ws_url()).await;
    let dunlin = pubsub(&broker.ws_url()).await;
    let mut deliveries = subscribe(&dunlin, "own/#").await;
    let mut others = subscribe(&dunlin, "own/good").await;

    publish(&publisher, "own/text", b"not JSON").await;
    publish(&publisher, "own/binary", b"\xff\xfe\x00").await;
    publish(&publisher, "own/good", br#"{"good":true}"#).await;

    assert_eq!(amplify.states_until("a", "ConnectionDisrupted").await, ["ConnectionDisrupted"]);
    assert!(amplify.unasked().is_empty(), "{:?}", amplify.unasked());
    for payload in [&b"not JSON"[..], b"\xff\xfe\x00"] {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.payload(), payload);
        delivery.json::<Value>().unwrap_err();
    }
    for deliveries in [&mut deliveries, &mut others] {
        let delivery = next(deliveries).await;
        assert_eq!(delivery.json::<Value>().unwrap(), json!({"good": true}));
    }
    assert_eq!(dunlin.connection_state("d").unwrap(), ConnectionState::Connected);
}

/// v3.1.1: [MQTT-4.7.1-2]: `a/#` matches `a`, and the broker sends it; Amplify finds nobody who wants it.
#[tokio::test]
async fn parent_of_a_multi_level_wildcard_is_missed_there_and_delivered_here() {
    let broker = broker().await;
    let publisher = bystander(&broker.ws_url()).await;
    let (mut amplify, _) = opened(Generation::Six, Timers::Real, &broker.ws_url()).await;
    let dunlin = pubsub(&broker.ws_url()).await;
    let mut deliveries = subscribe(&dunlin, "own/#").await;

    publish(&publisher, "own", br#"{"parent":true}"#).await;
    publish(&publisher, "own/child", br#"{"child":true}"#).await;

    assert_eq!(amplify.message("s").await.value, json!({"child": true}), "the parent is lost");
    let topics = [next(&mut deliveries).await, next(&mut deliveries).await];
    assert_eq!([topics[0].topic(), topics[1].topic()], ["own", "own/child"]);
}

/// MQTT 5.0 §4.8.2: the broker gives each group a message; in Amplify's it finds nobody.
#[tokio::test]
async fn shared_subscription_delivers_nothing_there_and_all_here() {
    let broker = broker().await;
    let publisher = bystander(&broker.ws_url()).await;
    let (mut amplify, _) = opened(Generation::Six, Timers::Real, &broker.ws_url()).await;
    amplify.subscribe("a", "group", &["$share/amplify/jobs"]).await;
    amplify.settle("a", "s", "own/fence").await;
    let dunlin = pubsub(&broker.ws_url()).await;
    let shared = SharedFilter::new("dunlin", "jobs").unwrap().to_string();
    let mut deliveries = subscribe(&dunlin, &shared).await;

    for number in 0..5 {
        publish(&publisher, "jobs", number.to_string().as_bytes()).await;
        assert_eq!(next(&mut deliveries).await.json::<u32>().unwrap(), number);
    }
    // Whatever was sent to it before has come by now.
    amplify.settle("a", "s", "own/fence").await;
    assert!(amplify.unasked().is_empty(), "{:?}", amplify.unasked());
}

/// Amplify hides the topic under a symbol of its own, which a number or a text cannot carry.
#[tokio::test]
async fn topic_is_hidden_or_lost_there_and_beside_every_payload_here() {
    let broker = broker().await;
    let publisher = bystander(&broker.ws_url()).await;
    let (mut amplify, _) = opened(Generation::Six, Timers::Real, &broker.ws_url()).await;
    let dunlin = pubsub(&broker.ws_url()).await;
    let mut deliveries = subscribe(&dunlin, "own/+").await;
    for (topic, value, hidden) in [
        ("own/object", json!({"celsius": 21.5}), true),
        ("own/number", json!(21.5), false),
        ("own/text", json!("warm"), false),
    ] {
        publish(&publisher, topic, value.to_string().as_bytes()).await;
        let observed = amplify.message("s").await;
        assert_eq!(observed.value, value, "the topic is no part of it that a program sees");
        assert_eq!(observed.hidden_topic, hidden.then(|| topic.to_owned()));
        let delivery = next(&mut deliveries).await;
        assert_eq!((delivery.topic(), &*delivery.provider), (topic, "d"));
        assert_eq!(delivery.json::<Value>().unwrap(), value);
    }
}

/// v3.1.1: [MQTT-3.9.3-1]
#[tokio::test]
async fn refused_subscription_is_a_silence_there_and_an_error_here() {
    let server = Server::websocket();
    let mut amplify = Amplify::start(Generation::Six, Timers::Real);
    amplify.open("a", &format!("{}/mqtt", server.url())).await;
    amplify.subscribe("a", "s", &["forbidden"]).await;
    let mut peer = server.accept().await;
    // It asks for the subprotocol of MQTT 3.1.
    let answer = peer.answer().await.replace(": mqtt\r\n", ": mqttv3.1\r\n");
    peer.send(answer.as_bytes()).await;
    assert_eq!(peer.packet().await[0], 0x10, "CONNECT comes first");
    peer.send_packet(&CONNACK).await;
    refuse(&mut peer).await;
    // Twice: once for the connection, once for the subscription.
    refuse(&mut peer).await;
    peer.send_packet(b"\x30\x0d\x00\x09forbidden{}").await;
    assert_eq!(amplify.message("s").await.value, json!({}), "no error and no end came before");
    assert_eq!(amplify.states_until("a", "Connected").await.last().unwrap(), "Connected");

    let dunlin = PubSub::new();
    dunlin.add_provider("d", options(&format!("{}/mqtt", server.url()))).unwrap();
    let mut peer = server.open().await;
    let asking = dunlin.clone();
    let asked = tokio::spawn(async move { asking.subscribe("forbidden").await });
    refuse(&mut peer).await;
    let refused = within("the answer", asked).await.unwrap().unwrap_err();
    let Error::Subscribe { provider, error } = &refused else { panic!("{refused:?}") };
    assert_eq!(&**provider, "d");
    let expected = ReasonCode::UNSPECIFIED_ERROR;
    let is_told = |error: &SubscribeError| {
        matches!(error, SubscribeError::Refused { filter, reason, .. }
            if filter == "forbidden" && *reason == expected)
    };
    assert!(is_told(error), "{error:?}");
    assert_eq!(dunlin.connection_state("d").unwrap(), ConnectionState::Connected);
}

/// Answers the next SUBSCRIBE, of one filter, with a SUBACK that says no (MQTT 3.1.1 §3.9).
async fn refuse(peer: &mut Peer) {
    let subscribe = peer.packet_answering_pings().await;
    assert_eq!(subscribe[0], 0x82, "{subscribe:?}");
    peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], 0x80]).await;
}
