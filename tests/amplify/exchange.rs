//! Messages both ways, as JSON of every kind.

use crate::common::within;
use dunlin_tokio::{Client, Message, Options, Qos, Version};
use serde_json::{Value, json};
use support::amplify::{Amplify, Generation, Timers};
use support::mosquitto::{self, Mosquitto};

/// Every type of RFC 8259 §3, their edges, and what is not ASCII.
fn values() -> [Value; 12] {
    [
        json!({"celsius": 21.5, "on": true, "off": false, "nothing": null}),
        json!({"nested": {"list": [1, [2, [3, {"deep": [{}, []]}]]], "empty": {}}}),
        json!({"Grüße": "世界", "emoji": "🐦 \u{1f9d1}\u{200d}\u{1f680}", "": "no name"}),
        json!({"escapes": "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{2028}\u{2029}"}),
        json!({"ends": [9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64, 1.5e300, -5e-324]}),
        json!([1, "two", null, [true]]),
        json!([]),
        json!({}),
        json!("text alone"),
        json!(""),
        json!(-0.25),
        json!(true),
    ]
}

/// Beside what is hidden in the value, Amplify tells no topic: these have one.
fn has_topic(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

#[tokio::test]
async fn json_of_every_type_crosses_both_ways() {
    let broker = Mosquitto::start(mosquitto::Options::default()).await;
    for generation in [Generation::Six, Generation::Five] {
        for version in [Version::V3, Version::V5] {
            let options = Options::parse(&broker.ws_url()).unwrap().version(version);
            cross(&broker, generation, options).await;
        }
    }
}

async fn cross(broker: &Mosquitto, generation: Generation, options: Options) {
    let client = within("Dunlin connects", Client::connect(options)).await.unwrap();
    let mut amplify = Amplify::start(generation, Timers::Real);
    amplify.open("a", &broker.ws_url()).await;
    amplify.subscribe("a", "both", &["to/amplify", "own/#"]).await;
    assert_eq!(
        amplify.states_until("a", "Connected").await,
        ["Disconnected", "Connecting", "Connected"]
    );
    amplify.settle("a", "both", "own/fence").await;
    let mut rooms = client.subscribe("to/dunlin/+", Qos::AtLeastOnce).await.unwrap();
    for (at, value) in values().iter().enumerate() {
        let payload = value.to_string().into_bytes();
        let message = Message::new("to/amplify", &payload, Qos::AtLeastOnce);
        within("a PUBACK", client.publish(&message)).await.unwrap();
        let observed = amplify.message("both").await;
        assert_eq!(observed.value, *value);
        let topic = has_topic(value).then(|| "to/amplify".to_owned());
        assert_eq!(observed.hidden_topic, topic, "{value}");

        let topic = format!("to/dunlin/{at}");
        amplify.publish("a", &[&topic], value).await.unwrap();
        let message = within("a message", rooms.next()).await.unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(message.payload()).unwrap(), *value);
        assert_eq!((message.topic(), message.qos), (&*topic, Qos::AtMostOnce));
    }
    amplify.settle("a", "both", "own/fence").await;
    assert!(amplify.unasked().is_empty(), "{:?}", amplify.unasked());
}
