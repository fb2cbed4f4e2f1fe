//! Long streams of QoS 2, with and without cuts: each message once, and in its order.

use std::collections::VecDeque;

use dunlin_tokio::{Client, Event, Message, Options, Persistence, Qos, Receipt, Subscription};
use support::mosquitto::{Mosquitto, Options as Broker};
use support::paho::{Message as PahoMessage, Paho, Transport};
use tokio::sync::broadcast;

use crate::cable::Cable;
use crate::common::within;
use crate::{TRANSPORTS, address, dunlin, next, next_connection, next_loss};
use crate::{options, paho, subscribe};

/// How many messages a stream has, without the one that ends it.
const COUNT: u32 = 1_000;

/// After how many messages to Paho the line is cut, always anew: no divisor of a window, so that the
/// cuts come at different places of it.
const CUT_EVERY: u32 = 43;

/// The same for messages to Dunlin. With each reconnect mosquitto has up to 40 more of them under way,
/// and a client can follow 256.
const CUT_EVERY_DOWN: u32 = 401;

/// Marks the end: whatever came twice would have come before it.
const FENCE: u32 = u32::MAX;

/// How many messages the program has under way: more than mosquitto takes at a time of QoS 2.
const UNDER_WAY: usize = 200;

fn kept(options: Options) -> Options {
    options.client_id("keeper").persistence(Persistence::Kept)
}

/// The numbers of a stream, and what ends it.
fn numbers() -> impl Iterator<Item = u32> {
    (0..COUNT).chain([FENCE])
}

/// Publishes a whole stream, up to the last PUBCOMP.
async fn feed(client: Client, topic: &'static str) {
    let mut receipts: VecDeque<Receipt> = VecDeque::new();
    for number in numbers() {
        if receipts.len() == UNDER_WAY {
            within("a PUBCOMP", receipts.pop_front().unwrap()).await.unwrap();
        }
        let number = number.to_be_bytes();
        let message = Message::new(topic, &number, Qos::ExactlyOnce);
        receipts.push_back(client.enqueue(&message).unwrap());
    }
    for receipt in receipts {
        within("a PUBCOMP", receipt).await.unwrap();
    }
}

/// The same by Paho; ends with the acknowledgement of the last one.
async fn feed_by_paho(mut paho: Paho, topic: &'static str) -> Paho {
    let mut last = 0;
    for number in numbers() {
        last = paho.enqueue(&PahoMessage::new(topic, 2, number.to_be_bytes())).await;
    }
    paho.published(last).await;
    paho
}

async fn next_is(subscription: &mut Subscription, number: u32) {
    let came = next(subscription).await;
    assert_eq!(came.payload(), number.to_be_bytes(), "waited for {number}");
    assert_eq!(came.qos, Qos::ExactlyOnce);
}

async fn next_of_paho_is(paho: &mut Paho, number: u32) {
    let came = paho.message().await;
    assert_eq!(came.payload, number.to_be_bytes(), "waited for {number}");
    assert_eq!(came.qos, 2);
}

/// Cuts the line, waits until that is noticed, and mends it.
async fn cut(cable: &Cable, events: &mut broadcast::Receiver<Event>) {
    cable.pull();
    next_loss(events).await;
    cable.put_back();
}

/// v3.1.1: [MQTT-4.3.3-1] [MQTT-4.3.3-2]
#[tokio::test]
async fn thousand_messages_arrive_once_and_in_order_in_both_directions() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut taker = paho(&broker, transport, "taker").await;
        assert_eq!(taker.subscribe("to/paho", 2).await, 2);
        let giver = paho(&broker, transport, "giver").await;
        let client = dunlin(options(transport, address(&broker, transport))).await;
        let mut down = subscribe(&client, "to/dunlin", Qos::ExactlyOnce).await;
        let feeder = tokio::spawn(feed(client.clone(), "to/paho"));
        let giver = tokio::spawn(feed_by_paho(giver, "to/dunlin"));
        for number in numbers() {
            next_is(&mut down, number).await;
            next_of_paho_is(&mut taker, number).await;
        }
        within("the feeder", feeder).await.unwrap();
        within("Paho", giver).await.unwrap().disconnect().await;
        taker.disconnect().await;
        within("the end", client.close()).await;
    }
}

/// What was handed over before a cut comes again behind it, and is not handed over again
/// (v3.1.1: [MQTT-4.3.3-2], [MQTT-4.4.0-1]).
#[tokio::test]
async fn stream_that_is_cut_reaches_dunlin_once_and_in_order() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let giver = paho(&broker, transport, "giver").await;
        let cable = Cable::to(address(&broker, transport)).await;
        let (client, mut events) = Client::start(kept(options(transport, cable.address())));
        next_connection(&mut events).await;
        let mut down = subscribe(&client, "to/dunlin", Qos::ExactlyOnce).await;
        let giver = tokio::spawn(feed_by_paho(giver, "to/dunlin"));
        for number in numbers() {
            next_is(&mut down, number).await;
            if number % CUT_EVERY_DOWN == CUT_EVERY_DOWN - 1 {
                cut(&cable, &mut events).await;
                // Every other time the program goes on with what it has while nobody is connected.
                if number % 2 == 0 {
                    next_connection(&mut events).await;
                }
            }
        }
        within("Paho", giver).await.unwrap().disconnect().await;
        end_session(client, &broker, transport).await;
    }
}

/// A PUBLISH whose PUBREC was lost, a PUBREL whose PUBCOMP was: sent again, and taken once
/// (v3.1.1: [MQTT-4.3.3-1], [MQTT-4.4.0-1]).
#[tokio::test]
async fn stream_that_is_cut_reaches_paho_once_and_in_order() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut taker = paho(&broker, transport, "taker").await;
        assert_eq!(taker.subscribe("to/paho", 2).await, 2);
        let cable = Cable::to(address(&broker, transport)).await;
        let (client, mut events) = Client::start(kept(options(transport, cable.address())));
        next_connection(&mut events).await;
        let feeder = tokio::spawn(feed(client.clone(), "to/paho"));
        for number in numbers() {
            next_of_paho_is(&mut taker, number).await;
            if number % CUT_EVERY == CUT_EVERY - 1 {
                cut(&cable, &mut events).await;
            }
        }
        within("the feeder", feeder).await.unwrap();
        taker.disconnect().await;
        end_session(client, &broker, transport).await;
    }
}

/// The next test of this broker begins without a session.
async fn end_session(client: Client, broker: &Mosquitto, transport: Transport) {
    within("the end", client.close()).await;
    let clean = options(transport, address(broker, transport)).client_id("keeper");
    within("the end", dunlin(clean).await.close()).await;
}
