//! What stands over a lost connection, and what ends with a subscription or a client.

use dunlin_tokio::{
    Client, Error, Event, Message, Options, Persistence, PublishError, Qos, Resumption, Status,
    SubscribeError,
};
use support::mosquitto::{Mosquitto, Options as Broker};
use support::paho::{Connect, Message as PahoMessage, Paho, Start, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cable::Cable;
use crate::common::within;
use crate::{
    TRANSPORTS, address, dunlin, next, next_connection, next_loss, options, paho, subscribe,
};

fn kept(options: Options) -> Options {
    options.client_id("keeper").persistence(Persistence::Kept)
}

#[tokio::test]
async fn messages_queued_while_away_arrive_after_the_reconnect() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut paho = paho(&broker, transport, "paho").await;
        let cable = Cable::to(address(&broker, transport)).await;
        let (client, mut events) = Client::start(kept(options(transport, cable.address())));
        assert_eq!(next_connection(&mut events).await, Resumption::New);
        let mut news = subscribe(&client, "news", Qos::AtLeastOnce).await;
        cable.pull();
        next_loss(&mut events).await;
        for number in 0..10 {
            paho.publish(&PahoMessage::new("news", 1, number.to_string())).await;
        }
        cable.put_back();
        assert_eq!(next_connection(&mut events).await, Resumption::Resumed);
        for number in 0..10 {
            assert_eq!(next(&mut news).await.payload(), number.to_string().as_bytes());
        }
        // The next test of this broker begins without a session.
        paho.disconnect().await;
        within("the end", client.close()).await;
        let clean = options(transport, address(&broker, transport)).client_id("keeper");
        within("the end", dunlin(clean).await.close()).await;
    }
}

/// The server sends what it has kept with its CONNACK, before any program can have subscribed.
#[tokio::test]
async fn messages_that_come_before_the_first_subscription_wait_for_it() {
    let broker = Mosquitto::start(Broker::default()).await;
    let at = || kept(options(Transport::Tcp, broker.tcp_addr()));
    let mut paho = paho(&broker, Transport::Tcp, "paho").await;
    let client = dunlin(at()).await;
    let news = subscribe(&client, "news", Qos::AtLeastOnce).await;
    within("the end", client.close()).await;
    drop(news);
    for number in 0..10 {
        paho.publish(&PahoMessage::new("news", 1, number.to_string())).await;
    }
    let client = dunlin(at()).await;
    // When this one is through, all that the server had kept has been there.
    let mut fence = subscribe(&client, "fence", Qos::AtLeastOnce).await;
    paho.publish(&PahoMessage::new("fence", 0, "")).await;
    next(&mut fence).await;
    let mut news = subscribe(&client, "news", Qos::AtLeastOnce).await;
    for number in 0..10 {
        assert_eq!(next(&mut news).await.payload(), number.to_string().as_bytes());
    }
}

/// A program that starts again subscribes at once, and gets what came in between.
#[tokio::test]
async fn messages_queued_for_a_former_client_reach_the_next_one() {
    let broker = Mosquitto::start(Broker::default()).await;
    let at = || kept(options(Transport::Websockets, broker.ws_addr()));
    let mut paho = paho(&broker, Transport::Tcp, "paho").await;
    let client = dunlin(at()).await;
    // Keeping the subscription is what keeps the server from forgetting it.
    let news = subscribe(&client, "news", Qos::AtLeastOnce).await;
    within("the end", client.close()).await;
    drop(news);
    for number in 0..10 {
        paho.publish(&PahoMessage::new("news", 1, number.to_string())).await;
    }
    let (client, mut events) = Client::start(at());
    let mut news = subscribe(&client, "news", Qos::AtLeastOnce).await;
    assert_eq!(next_connection(&mut events).await, Resumption::Resumed);
    for number in 0..10 {
        assert_eq!(next(&mut news).await.payload(), number.to_string().as_bytes());
    }
}

/// What is published while the line is cut is kept, and sent in its order afterwards.
#[tokio::test]
async fn messages_published_while_away_are_sent_after_the_reconnect() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut paho = paho(&broker, transport, "paho").await;
        paho.subscribe("work", 1).await;
        let cable = Cable::to(address(&broker, transport)).await;
        let (client, mut events) = Client::start(options(transport, cable.address()));
        next_connection(&mut events).await;
        cable.pull();
        next_loss(&mut events).await;
        let receipts: Vec<_> = (0..100)
            .map(|number: u32| {
                let text = number.to_string();
                client.enqueue(&Message::new("work", text.as_bytes(), Qos::AtLeastOnce)).unwrap()
            })
            .collect();
        cable.put_back();
        assert_eq!(next_connection(&mut events).await, Resumption::New);
        for receipt in receipts {
            within("a PUBACK", receipt).await.unwrap();
        }
        for number in 0..100 {
            assert_eq!(paho.message().await.payload, number.to_string().as_bytes());
        }
        paho.disconnect().await;
    }
}

/// The server keeps the session of both subscriptions; whoever takes it over sees which is left.
#[tokio::test]
async fn subscription_that_is_dropped_is_ended_at_the_server() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let at = kept(options(transport, address(&broker, transport)));
        let client = dunlin(at).await;
        let dropped = subscribe(&client, "dropped", Qos::AtLeastOnce).await;
        let shared = subscribe(&client, "shared", Qos::AtLeastOnce).await;
        let also = subscribe(&client, "shared", Qos::AtLeastOnce).await;
        drop(dropped);
        // Another one still wants it.
        drop(also);
        within("an UNSUBACK", client.drain()).await.unwrap();
        within("the end", client.close()).await;
        drop(shared);

        let mut paho = paho(&broker, transport, "paho").await;
        for topic in ["dropped", "shared"] {
            paho.publish(&PahoMessage::new(topic, 1, "")).await;
        }
        paho.disconnect().await;
        let mut heir = Connect::new(transport, address(&broker, transport), "keeper");
        heir.start = Start::Resume;
        assert!(paho.connect(&heir).await, "the session is there");
        assert_eq!(paho.message().await.topic, "shared");
        paho.subscribe("fence", 1).await;
        paho.publish(&PahoMessage::new("fence", 1, "")).await;
        assert_eq!(paho.message().await.topic, "fence");
        paho.disconnect().await;
        heir.start = Start::Clean;
        paho.connect(&heir).await;
        paho.disconnect().await;
    }
}

#[tokio::test]
async fn drain_waits_for_every_acknowledgement_and_close_ends_all() {
    let broker = Mosquitto::start(Broker::default()).await;
    for transport in TRANSPORTS {
        let mut paho = paho(&broker, transport, "paho").await;
        paho.subscribe("drained", 1).await;
        let client = dunlin(options(transport, address(&broker, transport))).await;
        let mut events = client.events();
        let mut subscription = subscribe(&client, "never", Qos::AtLeastOnce).await;
        within("nothing to wait for", client.drain()).await.unwrap();
        let receipts: Vec<_> = (0..200)
            .map(|number| {
                let qos = if number % 2 == 0 { Qos::AtLeastOnce } else { Qos::AtMostOnce };
                client.enqueue(&Message::new("drained", &payload_of(number), qos)).unwrap()
            })
            .collect();
        within("PUBACKs", client.drain()).await.unwrap();
        for receipt in receipts {
            // Ready already: nothing is awaited any more.
            tokio::select! {
                biased;
                outcome = receipt => { outcome.unwrap(); }
                () = std::future::ready(()) => panic!("drained, but not acknowledged"),
            }
        }
        // In their order for each QoS: what the broker has in flight is bounded for QoS 1 alone.
        let mut next_of = [1, 0];
        for _ in 0..200 {
            let came = paho.message().await;
            let expected = &mut next_of[usize::from(came.qos == 1)];
            assert_eq!(came.payload, payload_of(*expected));
            *expected += 2;
        }

        // What was accepted before the good-bye goes out before it.
        let last = Message::new("drained", b"last", Qos::AtMostOnce);
        let last = client.enqueue(&last).unwrap();
        within("the end", client.close()).await;
        within("a write", last).await.unwrap();
        assert_eq!(paho.message().await.payload, b"last");
        assert_eq!(client.status(), Status::Closed);
        let end = within("the end", subscription.next()).await;
        assert!(matches!(end, Some(Err(SubscribeError::Closed(Error::Closed)))), "{end:?}");
        assert!(within("the end", subscription.next()).await.is_none());
        let late = client.enqueue(&Message::new("late", b"", Qos::AtLeastOnce));
        assert!(matches!(late, Err(PublishError::Closed(Error::Closed))), "{late:?}");
        let late = within("an answer", client.subscribe("late", Qos::AtMostOnce)).await;
        assert!(matches!(late, Err(SubscribeError::Closed(Error::Closed))), "{late:?}");
        let event = within("an event", events.recv()).await;
        assert!(matches!(event, Ok(Event::Closed(Error::Closed))), "{event:?}");
        paho.disconnect().await;
    }
}

fn payload_of(number: u32) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// A client that says nothing more than CONNECT, with a keep alive of one second: when the broker
/// has dropped it, one and a half have passed (v3.1.1: [MQTT-3.1.2-24]).
async fn silent_client_is_dropped(broker: &Mosquitto) {
    let mut stream = TcpStream::connect(broker.tcp_addr()).await.unwrap();
    let connect = [0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 1, 0, 0];
    stream.write_all(&connect).await.unwrap();
    let mut rest = Vec::new();
    within("the broker drops a silent client", stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, [0x20, 2, 0, 0]);
}

/// v3.1.1: [MQTT-3.1.2-23]
#[tokio::test]
async fn idle_connection_outlives_many_keep_alives() {
    let broker = Mosquitto::start(Broker::default()).await;
    let mut clients = Vec::new();
    for transport in TRANSPORTS {
        let at = options(transport, address(&broker, transport)).keep_alive_s(1);
        let client = dunlin(at).await;
        let subscription = subscribe(&client, "still/here", Qos::AtLeastOnce).await;
        clients.push((client.events(), client, subscription));
    }
    for _ in 0..3 {
        silent_client_is_dropped(&broker).await;
    }
    for (events, client, subscription) in &mut clients {
        let message = Message::new("still/here", b"", Qos::AtLeastOnce);
        within("a PUBACK", client.publish(&message)).await.unwrap();
        next(subscription).await;
        assert!(events.is_empty(), "{:?}", events.recv().await);
    }
}

/// A second client with the same identifier takes over, and the first is told.
#[tokio::test]
async fn connection_taken_over_is_reported_and_made_again() {
    let broker = Mosquitto::start(Broker::default()).await;
    let at = || options(Transport::Websockets, broker.ws_addr()).client_id("one");
    let (client, mut events) = Client::start(at());
    next_connection(&mut events).await;
    let mut paho = Paho::start().await;
    paho.connect(&Connect::new(Transport::Tcp, broker.tcp_addr(), "one")).await;
    let event = within("an event", events.recv()).await.unwrap();
    let Event::Disconnected { error, .. } = event else { panic!("{event:?}") };
    let text = error.to_string();
    assert!(text.contains("another client may use the same client identifier"), "{text}");
    next_connection(&mut events).await;
    paho.disconnected().await;
    within("the end", client.close()).await;
}
