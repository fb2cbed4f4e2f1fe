//! Brokers and peers among themselves, in MQTT 5 and without Dunlin.
//!
//! When a row of the table fails and these pass, the fault is Dunlin's.

use serde_json::json;
use support::mosquitto::{Mosquitto, Options};
use support::peer::{
    Connect, Kind, Message, Peer, Properties, Subscribe, Transport, Version, properties,
};

use crate::table::Broker;

/// Those of a message that pass through a broker unchanged.
fn message_properties() -> Properties {
    properties(&json!({
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": "answers/here",
        // Bytes that are no text.
        "correlation_data": "AP+AAQ==",
        "user_property": [["name", "one"], ["name", "two"], ["other", "x"]],
    }))
}

fn connect(broker: &Broker, client_id: &str) -> Connect {
    let connect = Connect::new(Transport::Websockets, broker.address(), client_id);
    Connect { version: Version::V5, credentials: Some(Broker::credentials()), ..connect }
}

async fn connected(kind: Kind, connect: &Connect) -> Peer {
    let mut peer = Peer::start(kind).await;
    assert!(!peer.connect(connect).await, "nobody has a session");
    peer
}

/// Each broker, and each pair of peers, by a name for what they share.
async fn each_pair(mut scenario: impl AsyncFnMut(&Broker, Kind, Kind, &str)) {
    for broker in &Broker::all().await {
        for from in Kind::ALL {
            for to in Kind::ALL {
                let name = format!("{from:?}-{to:?}").to_lowercase();
                println!("{}: {name}", broker.name());
                scenario(broker, from, to, &name).await;
            }
        }
    }
}

/// The properties that were sent are among those that came; the mqtt5 broker adds some.
fn assert_passed_on(came: &Message, sent: &Message) {
    for (name, value) in &sent.properties {
        let same = match (came.properties.get(name), value) {
            (Some(came), value) if name == "user_property" => {
                let (came, sent) = (came.as_array().unwrap(), value.as_array().unwrap());
                sent.iter().all(|pair| came.contains(pair))
            }
            (came, value) => came == Some(value),
        };
        assert!(same, "{name} of {sent:?} in {came:?}");
    }
    let plain = |message: &Message| Message { properties: Properties::new(), ..message.clone() };
    assert_eq!(plain(came), plain(sent));
}

#[tokio::test]
async fn properties_pass_from_peer_to_peer_through_every_broker() {
    each_pair(async |broker, from, to, name| {
        let mut publisher = connected(from, &connect(broker, &format!("from-{name}"))).await;
        let mut subscriber = connected(to, &connect(broker, &format!("to-{name}"))).await;
        for qos in [0, 1, 2] {
            let topic = format!("properties/{name}/{qos}");
            assert_eq!(subscriber.subscribe(&topic, qos).await, qos);
            let message =
                Message { properties: message_properties(), ..Message::new(&topic, qos, "text") };
            publisher.publish(&message).await;
            assert_passed_on(&subscriber.message().await, &message);
        }
        publisher.disconnect().await;
        subscriber.disconnect().await;
    })
    .await;
}

/// No local, Retain As Published and Retain Handling, as the peers ask for them
/// (MQTT 5.0 §3.8.3.1).
#[tokio::test]
async fn subscription_options_reach_every_broker() {
    each_pair(async |broker, from, to, name| {
        let mut publisher = connected(from, &connect(broker, &format!("from-{name}"))).await;
        let mut subscriber = connected(to, &connect(broker, &format!("to-{name}"))).await;
        let retained = Message::new(&format!("options/{name}/kept"), 1, "kept").retained();
        publisher.publish(&retained).await;
        let subscribe = Subscribe {
            no_local: true,
            retain_as_published: true,
            retain_handling: 2,
            ..Subscribe::new(&format!("options/{name}/+"), 1)
        };
        assert_eq!(subscriber.subscribe_with(&subscribe).await, 1);
        // Neither what was retained before nor its own; the next one still says that it is retained.
        subscriber.publish(&Message::new(&format!("options/{name}/own"), 1, "own")).await;
        let again = Message { payload: b"again".to_vec(), ..retained };
        publisher.publish(&again).await;
        assert_passed_on(&subscriber.message().await, &again);
        publisher.publish(&Message { payload: Vec::new(), ..again }).await;
        publisher.disconnect().await;
        subscriber.disconnect().await;
    })
    .await;
}

/// Reason code 4 of DISCONNECT asks for the will (MQTT 5.0 §3.14.2.1), with properties of its own.
#[tokio::test]
async fn will_that_is_asked_for_is_published_with_its_properties() {
    each_pair(async |broker, from, to, name| {
        let mut subscriber = connected(to, &connect(broker, &format!("to-{name}"))).await;
        let topic = format!("will/{name}");
        assert_eq!(subscriber.subscribe(&topic, 1).await, 1);
        let will = Message { properties: message_properties(), ..Message::new(&topic, 1, "gone") };
        let mortal = connect(broker, &format!("mortal-{name}"));
        let mortal = Connect { will: Some(will.clone()), ..mortal };
        let mut mortal = connected(from, &mortal).await;
        mortal.disconnect_with(4, &Properties::new()).await;
        assert_passed_on(&subscriber.message().await, &will);
        subscriber.disconnect().await;
    })
    .await;
}

/// A peer hears what CONNACK says, whoever sends it.
#[tokio::test]
async fn limits_of_every_broker_are_told_to_the_peers() {
    for broker in &Broker::all().await {
        for kind in Kind::ALL {
            let asked = properties(&json!({"receive_maximum": 7, "topic_alias_maximum": 3}));
            let id = format!("asks-{kind:?}").to_lowercase();
            let connect = Connect { properties: asked, ..connect(broker, &id) };
            let mut peer = connected(kind, &connect).await;
            let aliases = &peer.server()["topic_alias_maximum"];
            assert!(aliases.as_u64() > Some(0), "{} tells {:?}", broker.name(), peer.server());
            println!("{} tells {kind:?}: {:?}", broker.name(), peer.server());
            peer.disconnect().await;
        }
    }
}

#[tokio::test]
async fn refusal_is_a_value_with_every_peer() {
    let right = ("ada".to_owned(), "enigma".to_owned());
    let options = Options { credentials: Some(right.clone()), ..Options::default() };
    let mut broker = Mosquitto::start(options).await;
    for kind in Kind::ALL {
        for version in [Version::V311, Version::V5] {
            let mut peer = Peer::start(kind).await;
            let at = Connect::new(Transport::Websockets, broker.ws_addr(), "ada");
            let wrong = Connect { version, ..at };
            assert_eq!(peer.try_connect(&wrong).await, Err("Not authorized".to_owned()));
            let credentials = Some(right.clone());
            assert_eq!(peer.try_connect(&Connect { credentials, ..wrong }).await, Ok(false));
        }
    }
    broker.kill().await;
    for kind in Kind::ALL {
        let nobody = Connect::new(Transport::Websockets, broker.ws_addr(), "ada");
        let refused = Peer::start(kind).await.try_connect(&nobody).await.unwrap_err();
        assert!(
            refused.starts_with("connect: ") && refused.to_lowercase().contains("refused"),
            "{refused}"
        );
    }
}
