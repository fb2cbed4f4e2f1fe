//! Many messages: windows that are full, futures that are dropped, consumers that are slow.

use dunlin_tokio::dunlin::PublishError as Rejected;
use dunlin_tokio::{Client, Message, PublishError, Qos, Subscription};
use support::mosquitto::{Mosquitto, Options as Broker};
use support::paho::Transport;

use crate::common::within;
use crate::{TRANSPORTS, address, dunlin, next, options, paho, subscribe};

const ECHOED: u32 = 10_000;

fn message<'a>(topic: &'a str, number: &'a [u8; 4]) -> Message<'a> {
    Message::new(topic, number, Qos::AtLeastOnce)
}

/// Publishes numbers as fast as they are accepted, and then waits for all acknowledgements.
async fn feed(client: Client, topic: &'static str, count: u32) {
    for number in 0..count {
        let number = number.to_be_bytes();
        match client.enqueue(&message(topic, &number)) {
            Ok(_) => {}
            Err(PublishError::Rejected(Rejected::InflightFull)) => {
                within("a PUBACK", client.publish(&message(topic, &number))).await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    within("all PUBACKs", client.drain()).await.unwrap();
}

/// Sends each message back from inside the loop that takes it, over a window that is always full.
async fn echo(client: Client, mut ping: Subscription, topic: &'static str, count: u32) {
    for _ in 0..count {
        let came = next(&mut ping).await;
        let number = came.payload().try_into().unwrap();
        match client.enqueue(&message(topic, number)) {
            Ok(_) => {}
            Err(PublishError::Rejected(Rejected::InflightFull)) => {
                within("a PUBACK", client.publish(&message(topic, number))).await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    within("all PUBACKs", client.drain()).await.unwrap();
}

/// One client feeds, one echoes, the first takes the echo: all in their order, none missing.
async fn echoed(broker: &Mosquitto, transport: Transport) {
    let at = || options(transport, address(broker, transport));
    let (front, back) = (dunlin(at()).await, dunlin(at()).await);
    let ping = subscribe(&back, "ping", Qos::AtLeastOnce).await;
    let mut pong = subscribe(&front, "pong", Qos::AtLeastOnce).await;
    let feeder = tokio::spawn(feed(front.clone(), "ping", ECHOED));
    let echoer = tokio::spawn(echo(back, ping, "pong", ECHOED));
    for number in 0..ECHOED {
        assert_eq!(next(&mut pong).await.payload(), number.to_be_bytes());
    }
    within("the feeder", feeder).await.unwrap();
    within("the echo", echoer).await.unwrap();
}

#[tokio::test]
async fn publishing_from_inside_the_message_loop_with_a_full_window_does_not_deadlock() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        echoed(&broker, transport).await;
    }
}

/// A server that knows no bound sends more than this side has places to remember.
#[tokio::test]
async fn publishing_from_inside_the_message_loop_of_a_boundless_server_does_not_deadlock() {
    let broker = Mosquitto::start(Broker { max_inflight: Some(0), ..Broker::default() }).await;
    echoed(&broker, Transport::Websockets).await;
}

/// Awaiting each publish inside the loop: the PUBACK comes behind all messages of such a server.
#[tokio::test]
async fn publish_awaited_inside_the_message_loop_is_acknowledged() {
    let broker = Mosquitto::start(Broker { max_inflight: Some(0), ..Broker::default() }).await;
    for transport in TRANSPORTS {
        let at = || options(transport, address(&broker, transport));
        let (front, back) = (dunlin(at()).await, dunlin(at()).await);
        let mut ping = subscribe(&back, "ping", Qos::AtLeastOnce).await;
        feed(front, "ping", 1_000).await;
        for number in 0..1_000_u32 {
            let came = next(&mut ping).await;
            assert_eq!(came.payload(), number.to_be_bytes());
            let number = number.to_be_bytes();
            within("a PUBACK", back.publish(&message("pong", &number))).await.unwrap();
        }
    }
}

#[tokio::test]
async fn publish_whose_future_is_dropped_loses_nothing() {
    const COUNT: u32 = 200;
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut paho = paho(&broker, transport, "paho").await;
        paho.subscribe("dropped", 1).await;
        let client = dunlin(options(transport, address(&broker, transport))).await;
        for number in 0..COUNT {
            let number = number.to_be_bytes();
            let message = message("dropped", &number);
            tokio::select! {
                biased;
                _ = client.publish(&message) => panic!("no server is so quick"),
                () = std::future::ready(()) => {}
            }
        }
        within("all PUBACKs", client.drain()).await.unwrap();
        for number in 0..COUNT {
            assert_eq!(paho.message().await.payload, number.to_be_bytes());
        }
        paho.disconnect().await;
    }
}

/// Publishers that wait for room each get it, and one that is dropped hands it on.
#[tokio::test]
async fn publishers_that_wait_for_room_all_get_it() {
    let broker = Mosquitto::start(Broker::default()).await;
    let client = dunlin(options(Transport::Websockets, broker.ws_addr()).outbox(512)).await;
    let mut subscription = subscribe(&client, "crowd", Qos::AtMostOnce).await;
    let mut publishers = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let client = client.clone();
        publishers.spawn(async move {
            client.publish(&Message::new("crowd", &[0; 100], Qos::AtLeastOnce)).await
        });
    }
    // A tenth of them loses patience; what they had handed over may have gone out.
    let impatient = client.clone();
    for _ in 0..100 {
        let message = Message::new("impatient", &[0; 100], Qos::AtLeastOnce);
        tokio::select! {
            biased;
            _ = impatient.publish(&message) => {}
            () = tokio::task::yield_now() => {}
        }
    }
    while let Some(outcome) = within("a publisher", publishers.join_next()).await {
        outcome.unwrap().unwrap();
    }
    for _ in 0..1_000 {
        next(&mut subscription).await;
    }
}

/// [`dunlin_tokio::QUEUE_DEFAULT`] bounds messages of QoS 0: the newest are dropped and counted.
#[tokio::test]
async fn queue_that_is_full_drops_and_counts_messages_of_qos_0() {
    use dunlin_tokio::Overflow;
    let broker = Mosquitto::start(Broker::default()).await;
    let at = options(Transport::Tcp, broker.tcp_addr()).queue(10, Overflow::DropNewest);
    let client = dunlin(at).await;
    let mut slow = subscribe(&client, "slow", Qos::AtMostOnce).await;
    let mut fence = subscribe(&client, "fence", Qos::AtLeastOnce).await;
    for number in 0..100_u32 {
        let number = number.to_be_bytes();
        let message = Message::new("slow", &number, Qos::AtMostOnce);
        within("a write", client.publish(&message)).await.unwrap();
    }
    let message = Message::new("fence", b"", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
    next(&mut fence).await;
    assert_eq!(slow.lost(), 90);
    for number in 0..10_u32 {
        assert_eq!(next(&mut slow).await.payload(), number.to_be_bytes());
    }
}

/// The other policy: nothing is dropped, the connection waits.
#[tokio::test]
async fn queue_that_is_full_and_blocks_loses_nothing() {
    use dunlin_tokio::Overflow;
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let at = || options(transport, address(&broker, transport));
        let client = dunlin(at().queue(1, Overflow::Block)).await;
        let mut slow = subscribe(&client, "slow", Qos::AtMostOnce).await;
        let front = dunlin(at()).await;
        for number in 0..1_000_u32 {
            let number = number.to_be_bytes();
            front.enqueue(&Message::new("slow", &number, Qos::AtMostOnce)).unwrap();
        }
        within("all writes", front.drain()).await.unwrap();
        for number in 0..1_000_u32 {
            assert_eq!(next(&mut slow).await.payload(), number.to_be_bytes());
        }
        assert_eq!(slow.lost(), 0);
    }
}
