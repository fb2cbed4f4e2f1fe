//! One message from here to there: lengths, QoS, retained ones, wills, credentials.

use dunlin_tokio::dunlin::{Error as Cause, Refused, SubscribeError as Rejected};
use dunlin_tokio::{Client, Error, Message, Qos, ReasonCode, SubscribeError, Will};
use support::mosquitto::{Mosquitto, Options as Broker};
use support::paho::{Connect, Message as PahoMessage, Paho};

use crate::cable::Cable;
use crate::common::within;
use crate::{TRANSPORTS, address, dunlin, next, options, paho, payload, scheme, subscribe};

/// Around every change in how a length is written: MQTT's at 128 and 16,384 bytes of remaining
/// length (3.1.1 §2.2.3), WebSocket's at 126 and 65,536 of payload (RFC 6455 §5.2).
const LENGTHS: [usize; 10] = [0, 1, 100, 125, 126, 127, 16_384, 65_535, 65_536, 1 << 20];

const ALL: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

/// v3.1.1: [MQTT-7.1.2-1]
#[tokio::test]
async fn message_of_any_length_arrives_byte_for_byte_in_both_directions() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut paho = paho(&broker, transport, "paho").await;
        let client = dunlin(options(transport, address(&broker, transport))).await;
        for qos in ALL {
            let bits = qos as u8;
            let mut down = subscribe(&client, "to/dunlin", qos).await;
            assert_eq!(paho.subscribe("to/paho", bits).await, bits);
            for length in LENGTHS {
                let case = format!("{length} bytes, {qos:?}, {transport:?}");
                let bytes = payload(length);
                let message = Message::new("to/paho", &bytes, qos);
                let reason = within(&case, client.publish(&message)).await.unwrap();
                assert_eq!(reason, ReasonCode::SUCCESS, "{case}");
                let came = paho.message().await;
                assert_eq!((&*came.topic, came.qos, came.retain), ("to/paho", bits, false));
                assert!(came.payload == bytes, "{case}: {came:?}");

                paho.publish(&PahoMessage::new("to/dunlin", bits, bytes.clone())).await;
                let came = next(&mut down).await;
                assert_eq!((came.topic(), came.qos, came.retained), ("to/dunlin", qos, false));
                assert!(came.payload() == bytes && !came.duplicate, "{case}: {came:?}");
            }
            drop(down);
            within("an UNSUBACK", client.drain()).await.unwrap();
        }
        paho.disconnect().await;
        within("the end", client.close()).await;
    }
}

#[tokio::test]
async fn retained_message_waits_for_later_subscribers_of_both_sides() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut paho = paho(&broker, transport, "paho").await;
        let client = dunlin(options(transport, address(&broker, transport))).await;
        let message = Message::new("kept/by/dunlin", b"one", Qos::AtLeastOnce).retained();
        within("a PUBACK", client.publish(&message)).await.unwrap();
        paho.subscribe("kept/by/dunlin", 1).await;
        let came = paho.message().await;
        assert_eq!((&*came.payload, came.retain), (&b"one"[..], true));

        paho.publish(&PahoMessage::new("kept/by/paho", 1, "two").retained()).await;
        let mut kept = subscribe(&client, "kept/by/paho", Qos::AtLeastOnce).await;
        let came = next(&mut kept).await;
        assert_eq!((came.payload(), came.retained), (&b"two"[..], true));
        // To those who are there already it is a message like any other (v3.1.1: [MQTT-3.3.1-9]).
        paho.publish(&PahoMessage::new("kept/by/paho", 1, "three").retained()).await;
        let came = next(&mut kept).await;
        assert_eq!((came.payload(), came.retained), (&b"three"[..], false));

        // An empty one takes it away again (v3.1.1: [MQTT-3.3.1-10]).
        for topic in ["kept/by/dunlin", "kept/by/paho"] {
            let nothing = Message::new(topic, b"", Qos::AtLeastOnce).retained();
            within("a PUBACK", client.publish(&nothing)).await.unwrap();
        }
        assert_eq!(next(&mut kept).await.payload(), b"");
        let mut late = subscribe(&client, "kept/by/+", Qos::AtLeastOnce).await;
        paho.publish(&PahoMessage::new("kept/by/fence", 1, "")).await;
        assert_eq!(next(&mut late).await.topic(), "kept/by/fence");
        paho.disconnect().await;
        within("the end", client.close()).await;
    }
}

#[tokio::test]
async fn will_is_published_when_the_transport_is_cut_and_not_when_the_client_is_closed() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut paho = paho(&broker, transport, "paho").await;
        paho.subscribe("will/#", 2).await;
        let cable = Cable::to(address(&broker, transport)).await;
        for (name, qos) in
            [("cut", Qos::AtLeastOnce), ("cut", Qos::ExactlyOnce), ("closed", Qos::AtMostOnce)]
        {
            let will = Will {
                topic: format!("will/{name}"),
                payload: b"gone".to_vec(),
                qos,
                ..Will::default()
            };
            let client = dunlin(options(transport, cable.address()).will(will)).await;
            if name == "closed" {
                within("the end", client.close()).await;
            } else {
                cable.pull();
                let came = paho.message().await;
                assert_eq!((&*came.topic, &*came.payload), ("will/cut", &b"gone"[..]));
                assert_eq!(came.qos, qos as u8);
                drop(client);
                cable.put_back();
            }
        }
        paho.publish(&PahoMessage::new("will/fence", 2, "")).await;
        assert_eq!(paho.message().await.topic, "will/fence");
        paho.disconnect().await;
    }
}

#[tokio::test]
async fn will_of_paho_reaches_dunlin() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let client = dunlin(options(transport, address(&broker, transport))).await;
        let mut wills = subscribe(&client, "will/#", Qos::ExactlyOnce).await;
        for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
            let mut paho = Paho::start().await;
            let mut connect = Connect::new(transport, address(&broker, transport), "paho");
            connect.will = Some(PahoMessage::new("will/of/paho", qos as u8, "gone"));
            paho.connect(&connect).await;
            paho.abort().await;
            let came = next(&mut wills).await;
            assert_eq!((came.topic(), came.payload()), ("will/of/paho", &b"gone"[..]));
            assert_eq!(came.qos, qos);
        }
    }
}

#[tokio::test]
async fn credentials_open_the_door_only_when_right() {
    let credentials = Some(("ada".to_owned(), "enigma".to_owned()));
    let broker = Mosquitto::start(Broker { credentials, ..Broker::default() }).await;
    for transport in TRANSPORTS {
        let at = || options(transport, address(&broker, transport));
        let right = at().credentials("ada", Some(b"enigma".to_vec()));
        within("the end", dunlin(right).await.close()).await;
        let url = format!("{}://ada:enigma@{}", scheme(transport), address(&broker, transport));
        let in_url = dunlin_tokio::Options::parse(&url).unwrap();
        within("the end", dunlin(in_url).await.close()).await;

        let wrong = [
            at(),
            at().credentials("ada", None),
            at().credentials("ada", Some(b"hunter2".to_vec())),
            at().credentials("eve", Some(b"enigma".to_vec())),
        ];
        for wrong in wrong {
            let error = within("an answer", Client::connect(wrong)).await.unwrap_err();
            let Error::Ended { error: Cause::Refused(Refused::Connect(reason)), .. } = error else {
                panic!("{error:?}");
            };
            assert_eq!(reason, ReasonCode::NOT_AUTHORIZED);
            let text = error.to_string();
            assert!(text.contains("check user name, password"), "{text}");
            assert!(!text.contains("enigma") && !text.contains("hunter2"), "{text}");
            assert!(!error.is_retryable());
        }
    }
}

/// v3.1.1: [MQTT-3.8.4-5]
#[tokio::test]
async fn subscription_knows_its_granted_qos() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let client = dunlin(options(transport, address(&broker, transport))).await;
        for qos in ALL {
            assert_eq!(subscribe(&client, "granted", qos).await.granted(), [qos]);
        }
        // More than fit in one SUBSCRIBE of ours.
        let filters: Vec<String> = (0..20).map(|number| format!("granted/{number}")).collect();
        let wishes: Vec<_> = filters
            .iter()
            .zip(ALL.iter().cycle())
            .map(|(filter, qos)| dunlin_tokio::dunlin::Subscription::new(filter, *qos))
            .collect();
        let all = within("SUBACKs", client.subscribe_all(&wishes)).await.unwrap();
        let granted: Vec<Qos> = wishes.iter().map(|wish| wish.qos).collect();
        assert_eq!(all.granted(), granted);
    }
}

#[tokio::test]
async fn subscription_that_cannot_be_asked_for_is_rejected_and_nothing_sent() {
    let broker = Mosquitto::start(Broker::default()).await;
    let client = dunlin(options(TRANSPORTS[0], broker.ws_addr()).outbox(1_024)).await;
    for filter in ["", "a/#/b", "a+", "nul\0", &"x".repeat(65_536)] {
        let error = within("an answer", client.subscribe(filter, Qos::AtMostOnce)).await;
        let error = error.expect_err(filter);
        assert!(matches!(error, SubscribeError::Rejected(Rejected::Filter(_))), "{error:?}");
    }
    let error = within("an answer", client.subscribe_all(&[])).await.unwrap_err();
    assert!(matches!(error, SubscribeError::Rejected(Rejected::NoFilter)), "{error:?}");
    // A filter that the outbox can never hold.
    let long = "x".repeat(2_048);
    let error = within("an answer", client.subscribe(&long, Qos::AtMostOnce)).await.unwrap_err();
    assert!(matches!(error, SubscribeError::Rejected(Rejected::TooLarge)), "{error:?}");
    // None of them stands in the way of those that can.
    let mut fine = subscribe(&client, "fine", Qos::AtLeastOnce).await;
    let message = Message::new("fine", b"all is well", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
    assert_eq!(next(&mut fine).await.payload(), b"all is well");
}

/// Bad topics and messages too large: typed errors, and the connection goes on.
#[tokio::test]
async fn message_that_cannot_be_sent_is_rejected_and_nothing_else_is_lost() {
    use dunlin_tokio::PublishError;
    use dunlin_tokio::dunlin::PublishError as Rejected;
    let broker = Mosquitto::start(Broker::default()).await;
    let client = dunlin(options(TRANSPORTS[0], broker.ws_addr()).outbox(4_096)).await;
    let mut fine = subscribe(&client, "fine", Qos::AtLeastOnce).await;
    for topic in ["", "a/+", "#", "nul\0", &"x".repeat(65_536)] {
        let message = Message::new(topic, b"", Qos::AtLeastOnce);
        let error = within("an answer", client.publish(&message)).await.expect_err(topic);
        assert!(matches!(error, PublishError::Rejected(Rejected::Topic(_))), "{error:?}");
    }
    let large = Message::new("fine", &[0; 5_000], Qos::AtLeastOnce);
    let error = within("an answer", client.publish(&large)).await.unwrap_err();
    assert!(matches!(error, PublishError::Rejected(Rejected::TooLarge)), "{error:?}");
    let message = Message::new("fine", b"all is well", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
    assert_eq!(next(&mut fine).await.payload(), b"all is well");
}
