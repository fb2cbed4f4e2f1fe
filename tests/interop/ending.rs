//! What ends, and how: subscriptions without room to say so, limits that their end is beyond, clients and
//! runtimes that are gone.

use std::future::IntoFuture as _;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use dunlin_tokio::dunlin::PublishError as Rejected;
use dunlin_tokio::{
    Backoff, Client, Error, Message, Options, Persistence, Properties, PubSub, PublishError, Qos,
    ReasonCode, Receipt, RequestError, SubscribeError, Subscription, Version, pubsub::Ended,
};

use crate::Patient;
use crate::common::within;
use crate::options;
use crate::server::{Peer, Server};

/// How many exchanges a client follows at a time.
const IN_FLIGHT: usize = 256;

/// CONNACK of MQTT 5.0 §3.2 with a Maximum Packet Size.
fn connack(session_present: u8, packet_max: u8) -> [u8; 10] {
    [0x20, 8, session_present, 0, 5, 0x27, 0, 0, 0, packet_max]
}

fn five(server: &Server) -> Options {
    let backoff = Backoff::constant(0);
    options(&server.url()).version(Version::V5).client_id("five").backoff(backoff)
}

async fn answered(server: &Server, connack: &[u8]) -> Peer {
    let mut peer = server.connected().await;
    peer.send_packet(connack).await;
    peer
}

/// Answers SUBSCRIBE (0x82) or UNSUBSCRIBE (0xa2) for one filter with success: the filter.
async fn grant(peer: &mut Peer, first: u8) -> String {
    let packet = peer.packet().await;
    assert_eq!(packet[0], first, "{packet:?}");
    let (id, filter) = (&packet[2..4], &packet[7..]);
    let len = usize::from(packet[6]);
    let kind = if first == 0x82 { 0x90 } else { 0xb0 };
    peer.send_packet(&[kind, 4, id[0], id[1], 0, 0]).await;
    String::from_utf8(filter[..len].to_vec()).unwrap()
}

async fn subscribe(client: &Client, peer: &mut Peer, filter: &str) -> Subscription {
    let (subscription, asked) =
        tokio::join!(client.subscribe(filter, Qos::AtMostOnce), grant(peer, 0x82));
    assert_eq!(asked, filter);
    subscription.unwrap()
}

/// Takes all places for exchanges; says what is to be acknowledged.
pub(crate) fn fill(client: &Client) -> Vec<Receipt> {
    let message = Message::new("t", b"", Qos::AtLeastOnce);
    let receipts: Vec<_> = std::iter::from_fn(|| client.enqueue(&message).ok()).collect();
    assert!(receipts.len() <= IN_FLIGHT && receipts.len() > IN_FLIGHT / 2);
    receipts
}

/// Acknowledges them.
pub(crate) async fn make_room(peer: &mut Peer, receipts: Vec<Receipt>) {
    for _ in 0..receipts.len() {
        let packet = peer.packet().await;
        // PUBLISH to "t": the identifier stands behind the topic.
        assert_eq!(packet[0], 0x32, "{packet:?}");
        peer.send_packet(&[0x40, 2, packet[5], packet[6]]).await;
    }
    for receipt in receipts {
        within("an acknowledgement", receipt).await.unwrap();
    }
}

pub(crate) fn is_pending<T>(future: Pin<&mut impl Future<Output = T>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// Polls `future` once, which is not its end, and drops it.
fn give_up<T>(future: impl Future<Output = T>) {
    assert!(is_pending(pin!(future)));
}

/// Its one end must be heard, whoever wanted the filter in between.
#[tokio::test]
async fn filter_that_was_wanted_again_and_given_up_is_left_in_the_end() {
    for held in [false, true] {
        let server = Server::stream();
        let mut client = Patient::start(five(&server));
        let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
        client.connected().await;
        let first = subscribe(&client.client, &mut peer, "a").await;
        let receipts = fill(&client.client);
        if held {
            // Wanted by two for a while, asked for by one.
            let mut again = Box::pin(client.client.subscribe("a", Qos::AtMostOnce));
            assert!(is_pending(again.as_mut()));
            drop(first);
            drop(again);
        } else {
            drop(first);
            give_up(client.client.subscribe("a", Qos::AtMostOnce));
        }
        make_room(&mut peer, receipts).await;
        assert_eq!(grant(&mut peer, 0xa2).await, "a");
    }
}

#[tokio::test]
async fn ends_that_are_too_long_together_are_said_one_by_one() {
    let server = Server::stream();
    let mut client = Patient::start(five(&server));
    let mut peer = answered(&server, &connack(0, 40)).await;
    client.connected().await;
    let filters = ["a", "b"].map(|filter| filter.repeat(20));
    let mut subscriptions = Vec::new();
    for filter in &filters {
        subscriptions.push(subscribe(&client.client, &mut peer, filter).await);
    }
    let receipts = fill(&client.client);
    drop(subscriptions);
    make_room(&mut peer, receipts).await;
    for filter in filters {
        assert_eq!(grant(&mut peer, 0xa2).await, filter);
    }
    subscribe(&client.client, &mut peer, "c").await;
}

/// The limit of the next connection is another one.
#[tokio::test]
async fn end_that_the_next_server_does_not_take_is_said_one_by_one_or_answered() {
    let server = Server::stream();
    let kept = five(&server).persistence(Persistence::Kept);
    let mut client = Patient::start(kept);
    let mut peer = answered(&server, &connack(0, 120)).await;
    client.connected().await;
    let filters = [("a", 20), ("b", 20), ("c", 60)].map(|(letter, len)| letter.repeat(len));
    let wishes = [&filters[0], &filters[1], &filters[2]]
        .map(|filter| dunlin_tokio::dunlin::Subscription::new(filter, Qos::AtMostOnce));
    let (subscription, ()) = tokio::join!(client.client.subscribe_all(&wishes), async {
        let packet = peer.packet().await;
        peer.send_packet(&[0x90, 6, packet[2], packet[3], 0, 0, 0, 0]).await;
    });
    let unsubscribed = tokio::spawn(subscription.unwrap().unsubscribe());
    assert_eq!(peer.packet().await[0], 0xa2);
    drop(peer);
    let mut peer = answered(&server, &connack(1, 40)).await;
    for filter in &filters[..2] {
        assert_eq!(grant(&mut peer, 0xa2).await, *filter);
    }
    let reasons = within("the answers", unsubscribed).await.unwrap().unwrap();
    let [yes, no] = [ReasonCode::SUCCESS, ReasonCode::PACKET_TOO_LARGE];
    assert_eq!(reasons, [yes, yes, no]);
}

/// A stream that is over may be dropped late, when another one has its place.
#[tokio::test]
async fn end_of_a_refused_subscription_leaves_the_one_in_its_place_alone() {
    let server = Server::stream();
    let mut client = Patient::start(five(&server));
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    let mut first = subscribe(&client.client, &mut peer, "a").await;
    drop(peer);
    client.lost().await;
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    let again = peer.packet().await;
    peer.send_packet(&[0x90, 4, again[2], again[3], 0, 0x87]).await;
    let refused = within("the end", first.next()).await;
    assert!(matches!(refused, Some(Err(SubscribeError::Refused { .. }))), "{refused:?}");
    let mut second = subscribe(&client.client, &mut peer, "b").await;
    assert!(within("the end", first.next()).await.is_none());
    drop(first);
    peer.send_packet(&[0x30, 4, 0, 1, b'b', 0]).await;
    let came = within("a message", second.next()).await;
    assert_eq!(came.unwrap().unwrap().topic(), "b");
    let fence = Message::new("fence", b"", Qos::AtMostOnce);
    within("a write", client.client.publish(&fence)).await.unwrap();
    assert_eq!(peer.packet().await[0], 0x30, "nothing is unsubscribed from");
}

#[tokio::test]
async fn unsubscribe_behind_the_end_of_the_client_is_an_error() {
    let server = Server::stream();
    let mut client = Patient::start(five(&server));
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    client.connected().await;
    let subscription = subscribe(&client.client, &mut peer, "a").await;
    let (_, rest) = tokio::join!(within("the end", client.client.close()), peer.rest());
    assert_eq!(rest, [0xe0, 0]);
    let unsubscribed = within("an answer", subscription.unsubscribe()).await;
    assert!(matches!(unsubscribed, Err(SubscribeError::Closed(Error::Closed))));
}

/// Also when that was gone before the client's task had its first turn.
#[test]
fn runtime_that_is_gone_ends_its_clients() {
    let server = tokio::runtime::Runtime::new().unwrap();
    let url = server.block_on(async { Server::stream().url() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = {
        let _within = runtime.enter();
        Client::start(options(&url)).0
    };
    let message = Message::new("t", b"", Qos::AtLeastOnce);
    let accepted = client.enqueue(&message).unwrap();
    drop(runtime);
    server.block_on(async {
        let accepted = within("the end", accepted).await;
        assert!(matches!(accepted, Err(PublishError::Closed(Error::Closed))));
        let later = within("the end", client.publish(&message)).await;
        assert!(matches!(later, Err(PublishError::Closed(_))));
        within("the end", client.close()).await;
    });
}

/// The subscription would keep its client alive.
#[tokio::test]
async fn removal_that_is_given_up_ends_the_provider_all_the_same() {
    let server = Server::stream();
    let pubsub = PubSub::new();
    pubsub.add_provider("one", five(&server)).unwrap();
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    let (deliveries, _) = tokio::join!(pubsub.subscribe("a").into_future(), grant(&mut peer, 0x82));
    let mut deliveries = deliveries.unwrap();
    let message = pubsub.publish_bytes("t", b"");
    give_up(message.into_future());
    give_up(pubsub.remove_provider("one"));
    let end = within("the end", deliveries.next()).await;
    assert!(matches!(end, Some(Err(Ended::Removed { .. }))), "{end:?}");
    peer.end().await;
}

/// Whatever it waits for: a message, room, an answer, the end of all.
#[tokio::test]
async fn whoever_waits_is_told_that_the_client_has_ended() {
    let server = Server::stream();
    let hour_ms = 3_600_000;
    let at = five(&server).backoff(Backoff::constant(hour_ms));
    let mut patient = Patient::start(at);
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    patient.connected().await;
    let client = &patient.client;
    let mut messages = subscribe(client, &mut peer, "a").await;
    let left = subscribe(client, &mut peer, "b").await;
    let refused = client.enqueue(&Message::new("t", b"", Qos::AtLeastOnce)).unwrap();
    drop(peer);
    patient.lost().await;
    let client = &patient.client;
    let unsent = client.enqueue(&Message::new("t", b"", Qos::AtMostOnce)).unwrap();
    let _receipts = fill(client);
    let message = Message::new("t", b"", Qos::AtLeastOnce);
    let [mut publishing, mut also] = [(); 2].map(|()| Box::pin(client.publish(&message)));
    let mut draining = Box::pin(client.drain());
    let mut unsubscribing = Box::pin(left.unsubscribe());
    assert!(is_pending(publishing.as_mut()) && is_pending(also.as_mut()));
    assert!(is_pending(draining.as_mut()) && is_pending(unsubscribing.as_mut()));
    // In a task of its own, which nothing else wakes.
    let ended = tokio::spawn(async move { messages.next().await });
    tokio::task::yield_now().await;
    let waiting = async {
        tokio::join!(
            ended,
            async { tokio::join!(publishing, also, refused, unsent) },
            draining,
            unsubscribing
        )
    };
    let (waited, ()) = tokio::join!(within("the end", waiting), client.close());
    let (ended, (publishing, also, refused, unsent), drained, unsubscribed) = waited;
    let ended = ended.unwrap();
    assert!(matches!(ended, Some(Err(SubscribeError::Closed(Error::Closed)))), "{ended:?}");
    for published in [publishing, also, refused, unsent] {
        assert!(matches!(published, Err(PublishError::Closed(Error::Closed))), "{published:?}");
    }
    assert!(matches!(drained, Err(Error::Closed)), "{drained:?}");
    let Err(SubscribeError::Closed(Error::Closed)) = unsubscribed else {
        panic!("{unsubscribed:?}");
    };
}

/// It is the only one, wherever it stands, and nobody waits for it.
#[tokio::test]
async fn message_of_qos_0_that_the_server_does_not_take_is_refused_alone() {
    let server = Server::stream();
    let mut patient = Patient::start(five(&server));
    let client = patient.client.clone();
    let long = [b'x'; 60];
    let payloads = [&b"1"[..], &long, b"3"];
    let receipts = payloads
        .map(|payload| client.enqueue(&Message::new("t", payload, Qos::AtMostOnce)).unwrap());
    let mut peer = answered(&server, &connack(0, 40)).await;
    patient.connected().await;
    for payload in [b'1', b'3'] {
        assert_eq!(peer.packet().await, [0x30, 5, 0, 1, b't', 0, payload]);
    }
    let [first, refused, third] = receipts;
    within("a write", first).await.unwrap();
    within("a write", third).await.unwrap();
    let too_large = Rejected::Limit(ReasonCode::PACKET_TOO_LARGE);
    let outcome = within("an answer", refused).await;
    assert!(
        matches!(&outcome, Err(PublishError::Rejected(error)) if *error == too_large),
        "{outcome:?}"
    );
    let now = client.statistics();
    assert_eq!((now.published, now.delivered, now.refused, now.uncertain), (3, 2, 1, 0));
}

#[tokio::test]
async fn drain_ends_when_the_server_does_not_take_the_last_message() {
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let server = Server::stream();
        let patient = Patient::start(five(&server));
        let receipt = patient.client.enqueue(&Message::new("t", &[b'x'; 60], qos)).unwrap();
        let mut drained = pin!(patient.client.drain());
        assert!(is_pending(drained.as_mut()));
        let _peer = answered(&server, &connack(0, 40)).await;
        within("the end", drained).await.unwrap();
        assert!(matches!(within("an answer", receipt).await, Err(PublishError::Rejected(_))));
    }
}

/// Nobody answers it: the write is its end.
#[tokio::test]
async fn drain_ends_when_the_last_message_of_qos_0_is_written() {
    let server = Server::stream();
    let mut patient = Patient::start(five(&server));
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    patient.connected().await;
    let message = Message::new("t", b"", Qos::AtMostOnce);
    let receipt = patient.client.enqueue(&message).unwrap();
    let mut drained = pin!(patient.client.drain());
    assert!(is_pending(drained.as_mut()));
    within("the write", drained).await.unwrap();
    within("the write", receipt).await.unwrap();
    assert_eq!(peer.packet().await, [0x30, 4, 0, 1, b't', 0]);
}

/// It must succeed at first; later failures are those of a connection, not of the client.
#[tokio::test]
async fn client_that_was_connected_once_goes_on_when_a_later_attempt_fails() {
    let server = Server::stream();
    let (client, peer) =
        tokio::join!(Client::connect(five(&server)), answered(&server, &[0x20, 3, 0, 0, 0]));
    let client = client.unwrap();
    drop(peer);
    for _ in 0..2 {
        drop(server.accept().await);
    }
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    subscribe(&client, &mut peer, "a").await;
}

#[tokio::test]
async fn good_bye_that_was_said_first_counts() {
    let server = Server::stream();
    let mut patient = Patient::start(five(&server));
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    patient.connected().await;
    let client = &patient.client;
    let with_will = ReasonCode::DISCONNECT_WITH_WILL_MESSAGE;
    let (first, (), rest) = tokio::join!(
        within("the end", client.close_with(with_will, Properties::NONE)),
        within("the end", client.close()),
        peer.rest()
    );
    first.unwrap();
    assert_eq!((rest[0], rest[2]), (0xe0, 0x04), "{rest:?}");
}

/// However long the program would have waited.
#[tokio::test]
async fn question_that_waits_is_told_that_the_client_has_ended() {
    let server = Server::stream();
    let mut patient = Patient::start(five(&server));
    let mut peer = answered(&server, &[0x20, 3, 0, 0, 0]).await;
    patient.connected().await;
    let client = &patient.client;
    let (requests, _) = tokio::join!(client.requests(Qos::AtMostOnce), grant(&mut peer, 0x82));
    let requests = requests.unwrap();
    let question = Message::new("t", b"?", Qos::AtMostOnce);
    let mut asking = pin!(requests.ask(&question, Duration::from_secs(3_600)));
    assert!(is_pending(asking.as_mut()));
    let (answer, ()) = tokio::join!(within("the end", asking), async {
        assert_eq!(peer.packet().await[0], 0x30);
        client.close().await;
    });
    let Err(RequestError::Closed(SubscribeError::Closed(Error::Closed))) = answer else {
        panic!("{answer:?}");
    };
}
