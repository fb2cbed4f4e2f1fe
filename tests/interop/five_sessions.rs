//! Sessions of MQTT 5.0 with mosquitto: how long they live, and wills that wait.

use std::time::{Duration, Instant};

use dunlin_tokio::{
    Client, Message, Options, Persistence, Properties, Property, Qos, ReasonCode, Resumption,
    Status, Version, Will,
};
use support::mosquitto::{Mosquitto, Options as Broker};

use crate::cable::Cable;
use crate::common::within;
use crate::{TRANSPORTS, address, dunlin, next, next_connection, next_loss, options, subscribe};

const QOS: [Qos; 2] = [Qos::AtLeastOnce, Qos::ExactlyOnce];

fn five(options: Options) -> Options {
    options.version(Version::V5)
}

/// What both sides publish while the line is cut arrives behind it, once and in order.
#[tokio::test]
async fn session_that_outlives_its_connection_is_resumed_with_all_that_was_under_way() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let other = dunlin(five(options(transport, address(&broker, transport)))).await;
        let mut up = subscribe(&other, "up", Qos::ExactlyOnce).await;
        let cable = Cable::to(address(&broker, transport)).await;
        let at = five(options(transport, cable.address())).session_expiry_s(60);
        let (client, mut events) = Client::start(at);
        assert_eq!(next_connection(&mut events).await, Resumption::New);
        let mut down = subscribe(&client, "down", Qos::ExactlyOnce).await;
        for round in 0..3_u8 {
            cable.pull();
            next_loss(&mut events).await;
            let mut receipts = Vec::new();
            for number in 0..20_u8 {
                let (payload, qos) = ([round, number], QOS[usize::from(number % 2)]);
                receipts.push(client.enqueue(&Message::new("up", &payload, qos)).unwrap());
                let message = Message::new("down", &payload, qos);
                within("an answer", other.publish(&message)).await.unwrap();
            }
            cable.put_back();
            assert_eq!(next_connection(&mut events).await, Resumption::Resumed);
            for receipt in receipts {
                within("an answer", receipt).await.unwrap();
            }
            for messages in [&mut up, &mut down] {
                let mut next_of = [0, 1];
                while next_of != [20, 21] {
                    let came = next(messages).await;
                    if came.payload()[0] < round {
                        // Its acknowledgement was lost with the connection.
                        assert!(came.duplicate && came.qos == Qos::AtLeastOnce, "{came:?}");
                        continue;
                    }
                    // In their order for each QoS: one of QoS 2 goes on when it is complete.
                    let expected = &mut next_of[usize::from(came.qos == Qos::ExactlyOnce)];
                    assert_eq!(came.payload(), [round, *expected]);
                    *expected += 2;
                }
            }
        }
    }
}

/// A program that starts again goes on with what the server has kept for the last one.
#[tokio::test]
async fn kept_session_is_taken_up_by_a_program_that_starts_again() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let at = || {
            let at = five(options(transport, address(&broker, transport))).client_id("keeper");
            at.persistence(Persistence::Kept)
        };
        let client = dunlin(at()).await;
        assert_eq!(client.granted().unwrap().session_expiry_s, u32::MAX);
        let news = subscribe(&client, "news", Qos::AtLeastOnce).await;
        within("the end", client.close()).await;
        drop(news);
        let other = dunlin(five(options(transport, address(&broker, transport)))).await;
        let message = Message::new("news", b"kept", Qos::AtLeastOnce);
        within("a PUBACK", other.publish(&message)).await.unwrap();
        let (client, mut events) = Client::start(at());
        assert_eq!(next_connection(&mut events).await, Resumption::Resumed);
        let mut news = subscribe(&client, "news", Qos::AtLeastOnce).await;
        assert_eq!(next(&mut news).await.payload(), b"kept");
        // A good-bye can end the session with the connection.
        let list = [Property::SessionExpiryInterval(0), Property::ReasonString("done")];
        let closing = client.close_with(ReasonCode::SUCCESS, Properties::new(&list));
        within("the end", closing).await.unwrap();
        let (_client, mut events) = Client::start(at().session_expiry_s(0));
        assert_eq!(next_connection(&mut events).await, Resumption::New);
    }
}

/// [MQTT-3.1.3-2] [MQTT-3.1.3-7]
#[tokio::test]
async fn identifier_that_the_server_has_chosen_is_used_again_with_its_session() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let cable = Cable::to(address(&broker, transport)).await;
        let at = five(options(transport, cable.address())).client_id("").session_expiry_s(60);
        let (client, mut events) = Client::start(at);
        assert_eq!(next_connection(&mut events).await, Resumption::New);
        let chosen = client.granted().unwrap().client_id.clone();
        assert!(chosen.is_some());
        for _ in 0..2 {
            cable.pull();
            next_loss(&mut events).await;
            cable.put_back();
            assert_eq!(next_connection(&mut events).await, Resumption::Resumed);
        }
    }
}

#[tokio::test]
async fn will_waits_for_its_delay_and_not_longer_and_does_not_come_when_the_client_is_back() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let watcher = dunlin(five(options(transport, address(&broker, transport)))).await;
        let mut wills = subscribe(&watcher, "wills/#", Qos::AtLeastOnce).await;
        let cable = Cable::to(address(&broker, transport)).await;
        let with_will = |topic: &str, delay_s| {
            let properties = dunlin_tokio::MessageProperties {
                content_type: Some("text/plain".to_owned()),
                user_properties: vec![("of".to_owned(), topic.to_owned())],
                ..Default::default()
            };
            let topic = format!("wills/{topic}");
            let will =
                Will { topic, payload: b"gone".to_vec(), delay_s, properties, ..Will::default() };
            five(options(transport, cable.address())).will(will).session_expiry_s(3_600)
        };
        let (_patient, mut events) = Client::start(with_will("patient", 1_800));
        next_connection(&mut events).await;
        cable.pull();
        next_loss(&mut events).await;
        cable.put_back();
        assert_eq!(next_connection(&mut events).await, Resumption::Resumed);
        let (_hasty, mut events) = Client::start(with_will("hasty", 2));
        next_connection(&mut events).await;
        cable.pull();
        let begin = Instant::now();
        next_loss(&mut events).await;
        let came = next(&mut wills).await;
        // mosquitto counts whole seconds.
        assert!(begin.elapsed() > Duration::from_millis(900), "{:?}", begin.elapsed());
        assert_eq!((came.topic(), came.payload()), ("wills/hasty", &b"gone"[..]));
        assert_eq!(came.properties().content_type(), Some("text/plain"));
        assert!(came.properties().user_properties().eq([("of", "hasty")]));
        assert_eq!(came.properties().will_delay_interval_s(), None);
    }
}

#[tokio::test]
async fn good_bye_with_the_will_publishes_it() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let watcher = dunlin(five(options(transport, address(&broker, transport)))).await;
        let mut wills = subscribe(&watcher, "will", Qos::AtLeastOnce).await;
        let will = Will { topic: "will".to_owned(), ..Will::default() };
        let client = dunlin(five(options(transport, address(&broker, transport))).will(will)).await;
        let reason = ReasonCode::DISCONNECT_WITH_WILL_MESSAGE;
        within("the end", client.close_with(reason, Properties::NONE)).await.unwrap();
        assert_eq!(next(&mut wills).await.topic(), "will");
        let wrong = watcher.close_with(ReasonCode::GRANTED_QOS_1, Properties::NONE).await;
        assert!(wrong.is_err());
        assert_eq!(watcher.status(), Status::Connected);
    }
}
