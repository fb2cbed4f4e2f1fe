//! Providers beside each other: which one, per topic, added, removed, replaced.

use dunlin_tokio::pubsub::{Drained, Ended, Error, PubSub};
use dunlin_tokio::{Message, Offline, Options, PublishError, Qos, Version};
use support::broker5::Broker5;
use support::mosquitto::{self, Mosquitto};

use crate::common::within;
use crate::server::Server;
use crate::{end, next, options, publish, subscribe};

async fn two() -> (PubSub, Broker5, Mosquitto) {
    let (five, mosquitto) =
        tokio::join!(Broker5::start(), Mosquitto::start(mosquitto::Options::default()));
    let pubsub = PubSub::new();
    pubsub.add_provider("five", options(five.ws_addr())).unwrap();
    pubsub.add_provider("mosquitto", options(mosquitto.ws_addr())).unwrap();
    (pubsub, five, mosquitto)
}

#[tokio::test]
async fn message_goes_to_all_providers_or_to_one_with_a_result_for_each_topic() {
    let (pubsub, _five, _mosquitto) = two().await;
    let mut all = subscribe(&pubsub, "to/+").await;
    let granted: Vec<_> =
        all.granted().iter().map(|(id, qos)| (id.to_string(), qos.len())).collect();
    assert_eq!(granted, [("five".to_owned(), 1), ("mosquitto".to_owned(), 1)]);

    let publish = pubsub.publish_bytes(["to/a", "to/b", "to/#"], b"all").into_future();
    let report = within("the results", publish).await.unwrap();
    let results: Vec<_> = report
        .results()
        .iter()
        .map(|one| (one.provider.to_string(), one.topic.clone(), one.result.is_ok()))
        .collect();
    let expected = ["five", "mosquitto"].map(|id| {
        [("to/a", true), ("to/b", true), ("to/#", false)]
            .map(|(topic, taken)| (id.to_owned(), topic.to_owned(), taken))
    });
    assert_eq!(results, expected.concat());
    assert!(matches!(report.into_result(), Err(PublishError::Rejected(_))));

    let mut came = Vec::new();
    for _ in 0..4 {
        let delivery = next(&mut all).await;
        came.push((delivery.provider.to_string(), delivery.topic().to_owned()));
    }
    came.sort();
    let expected =
        ["five", "mosquitto"].map(|id| ["to/a", "to/b"].map(|topic| (id.to_owned(), topic.into())));
    assert_eq!(came, expected.concat());

    let publish = pubsub.publish_bytes("to/one", b"one").provider("mosquitto").into_future();
    let report = within("the result", publish).await.unwrap();
    assert_eq!(report.results().len(), 1);
    report.into_result().unwrap();
    let delivery = next(&mut all).await;
    assert_eq!((&*delivery.provider, delivery.topic()), ("mosquitto", "to/one"));
}

#[tokio::test]
async fn provider_that_is_removed_ends_its_part_and_is_replaced_while_the_other_goes_on() {
    let (pubsub, five, _mosquitto) = two().await;
    let mut all = subscribe(&pubsub, "t").await;
    let removal = within("the removal", pubsub.remove_provider("five")).await;
    assert_eq!(removal.unwrap(), Drained::All);
    let ended = end(&mut all).await;
    assert!(matches!(&ended, Ended::Removed { provider } if &**provider == "five"), "{ended:?}");
    assert_eq!(ended.to_string(), "provider five was removed");
    publish(&pubsub, "t", b"after").await;
    assert_eq!(&*next(&mut all).await.provider, "mosquitto");

    pubsub.add_provider("five", options(five.ws_addr())).unwrap();
    let mut again = subscribe(&pubsub, "t").await;
    publish(&pubsub, "t", b"again").await;
    let mut providers = [next(&mut again).await.provider, next(&mut again).await.provider];
    providers.sort();
    assert_eq!(providers.map(|id| id.to_string()), ["five", "mosquitto"]);
    assert_eq!(&*next(&mut all).await.provider, "mosquitto", "what has ended stays ended");
}

#[tokio::test]
async fn close_drains_every_provider_and_ends_every_subscription() {
    let (pubsub, _five, mosquitto) = two().await;
    let other = PubSub::new();
    other.add_provider("other", options(mosquitto.ws_addr())).unwrap();
    let mut witness = subscribe(&other, "last/#").await;
    let mut all = subscribe(&pubsub, "t").await;
    let mut pending = Vec::new();
    for at in 0..100_u8 {
        // Handed over at once, and not waited for.
        let payload = [at];
        let mut publish =
            pubsub.publish_bytes("last/words", &payload).provider("mosquitto").into_future();
        assert!(futures_poll(&mut publish).await.is_none());
        drop(publish);
        pending.push(at);
    }
    assert_eq!(within("the close", pubsub.close()).await, Drained::All);
    for at in pending {
        assert_eq!(next(&mut witness).await.payload(), [at]);
    }
    let mut removed =
        [end(&mut all).await, end(&mut all).await].map(|end| end.provider().to_string());
    removed.sort();
    assert_eq!(removed, ["five", "mosquitto"]);
    assert!(within("the end", all.next()).await.is_none());
    assert!(matches!(pubsub.subscribe("t").begin(), Err(Error::NoProvider)));
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut output = None;
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(ready) = std::pin::Pin::new(&mut *future).poll(cx) {
            output = Some(ready);
        }
        std::task::Poll::Ready(())
    })
    .await;
    output
}

#[tokio::test]
async fn message_published_while_nothing_is_connected_waits_or_is_refused_as_told() {
    let mosquitto = Mosquitto::start(mosquitto::Options::default()).await;
    let other = PubSub::new();
    other.add_provider("other", options(mosquitto.ws_addr())).unwrap();
    let mut witness = subscribe(&other, "t").await;

    let pubsub = PubSub::new();
    let nothing = pubsub.publish_bytes("t", b"").await.unwrap_err();
    assert!(matches!(nothing, Error::NoProvider), "{nothing:?}");
    // Nobody has let the task of the client run yet: there is no connection.
    pubsub.add_provider("queues", options(mosquitto.ws_addr())).unwrap();
    let refuses = options(mosquitto.ws_addr()).offline(Offline::Refuse);
    pubsub.add_provider("refuses", refuses).unwrap();
    let small = Options::parse("ws://127.0.0.1:1").unwrap().outbox(512);
    pubsub.add_provider("small", small).unwrap();
    let large = [0; 300];
    let publish = |id| pubsub.publish_bytes(["t", "t"], &large).provider(id).into_future();
    let (refused, queued) = tokio::join!(publish("refuses"), publish("queues"));
    for published in refused.unwrap() {
        let error = published.result.unwrap_err();
        assert!(matches!(error, PublishError::Offline), "{error:?}");
    }
    queued.unwrap().into_result().unwrap();
    assert_eq!(next(&mut witness).await.payload(), large);
    assert_eq!(next(&mut witness).await.payload(), large);
    // Two do not fit into the queue: the second is refused at once, while the first waits.
    let mut full = publish("small");
    assert!(futures_poll(&mut full).await.is_none());
    let second = pubsub.publish_bytes("t", &large).provider("small").await.unwrap();
    assert!(matches!(second.into_result(), Err(PublishError::Rejected(_))));
}

#[tokio::test]
async fn provider_of_a_name_is_there_once_and_what_is_not_there_is_said() {
    let pubsub = PubSub::new();
    let options = || Options::parse("ws://127.0.0.1:1").unwrap();
    pubsub.add_provider("a", options()).unwrap();
    assert!(matches!(pubsub.add_provider("a", options()), Err(Error::DuplicateProvider(_))));
    assert!(matches!(pubsub.remove_provider("b").await, Err(Error::UnknownProvider(_))));
    assert!(matches!(pubsub.connection_state("b"), Err(Error::UnknownProvider(_))));
    assert!(matches!(pubsub.subscribe("t").provider("b").begin(), Err(Error::UnknownProvider(_))));
    assert!(matches!(pubsub.subscribe([""; 0]).begin(), Err(Error::NoTopic)));
    assert!(matches!(pubsub.publish_bytes([""; 0], b"").await, Err(Error::NoTopic)));
    assert_eq!(pubsub.providers().concat(), "a");
}

/// One of two has ended by itself: what it had accepted is not known to have arrived.
#[tokio::test]
async fn close_says_that_messages_may_be_lost_if_one_provider_could_not_say_all() {
    let (lost, other) = (Server::websocket(), Server::websocket());
    let pubsub = PubSub::new();
    pubsub.add_provider("a", options(lost.address()).version(Version::V5)).unwrap();
    pubsub.add_provider("b", options(other.address())).unwrap();
    let client = pubsub.client("a").unwrap();
    let receipt = client.enqueue(&Message::new("t", b"", Qos::AtLeastOnce)).unwrap();
    let (mut peer, _other) = (lost.connected().await, other.open().await);
    // Accepted, and then not authorized (MQTT 5.0 §3.14.2.1).
    peer.send_packet(&[0x20, 3, 0, 0, 0, 0xe0, 1, 0x87]).await;
    assert_eq!(within("the close", pubsub.close()).await, Drained::Cut);
    assert!(matches!(within("the end", receipt).await, Err(PublishError::Closed(_))));
}
