//! A broker that is killed with SIGKILL and started again while messages are under way.
//!
//! mosquitto acknowledges before it saves, and a kill right after loses what was acknowledged last.
//! So each round has three parts: everything acknowledged has been taken on the other side, for
//! mosquitto may not save what it hands out before that, and is [`Mosquitto::saved`]; more is
//! enqueued, and a part of it awaited; the broker is killed. It may lose the newest of what it
//! acknowledged in the last part, and that is counted; every other message that is missing in the
//! end is Dunlin's loss.
//!
//! A publisher of QoS 2 may lose a step that no program sees: mosquitto forgets a message whose PUBREC
//! it has sent, and answers the PUBREL all the same. So there all of the last part may suffer, and is
//! counted; what was saved must come, and each receipt must end. What is taken is taken with QoS 1:
//! a broker that forgets what it has handed over uses its identifiers again.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/common.rs"]
mod common;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use common::within;
use dunlin_tokio::{
    Backoff, Client, Event, Message, Options, Persistence, Qos, Receipt, Resumption, Subscription,
};
use support::mosquitto::{Mosquitto, Options as Broker, Storage};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

/// How many times each broker is killed, unless `DUNLIN_RESTARTS` says otherwise.
const ROUNDS: usize = 6;

/// Messages on each topic, before a broker's changes are saved and after.
///
/// All together fit a client's window.
const MESSAGES: u32 = 60;

/// Bytes behind each number: a broker that had all messages at once would answer all at once, and
/// none would be under way when it is killed.
const PADDING: &[u8] = &[b'.'; 2_000];

/// The number behind all others of its topic.
const LAST: u32 = u32::MAX;

/// How many messages mosquitto has ever been seen to lose by one kill, beside those that it had handed
/// out without an answer yet: it saves when one is answered.
const UNSAVED_MAX: usize = 1;

const TOPICS: [&str; 2] = ["load/one", "load/two"];

fn rounds() -> usize {
    match std::env::var("DUNLIN_RESTARTS") {
        Ok(count) => count.parse().unwrap(),
        Err(_) => ROUNDS,
    }
}

fn url(broker: &Mosquitto, scheme: &str) -> String {
    if scheme == "ws" { broker.ws_url() } else { broker.tcp_url() }
}

fn options(url: &str) -> Options {
    Options::parse(url).unwrap().backoff(Backoff::new(5, 50, 60_000))
}

fn kept(url: &str, client_id: &str) -> Options {
    options(url).client_id(client_id).persistence(Persistence::Kept)
}

async fn next_connection(events: &mut broadcast::Receiver<Event>) -> Resumption {
    loop {
        if let Event::Connected(resumption) = within("an event", events.recv()).await.unwrap() {
            return resumption;
        }
    }
}

async fn next_loss(events: &mut broadcast::Receiver<Event>) {
    loop {
        if let Event::Disconnected { .. } = within("an event", events.recv()).await.unwrap() {
            return;
        }
    }
}

/// A message by its topic and its number there.
type Name = (usize, u32);

/// A client that publishes numbers, and what became of them.
struct Publisher {
    client: Client,
    qos: Qos,
    next: u32,
    waiting: Vec<(Name, Receipt)>,
    /// How many waited while a broker was dead.
    unanswered: usize,
}

impl Publisher {
    fn enqueue(&mut self, count: u32) {
        for number in self.next..self.next + count {
            for (topic, name) in TOPICS.iter().enumerate() {
                let payload = [&number.to_be_bytes()[..], PADDING].concat();
                let message = Message::new(name, &payload, self.qos);
                self.waiting.push(((topic, number), self.client.enqueue(&message).unwrap()));
            }
        }
        self.next += count;
    }

    /// Awaits the oldest receipts.
    async fn acknowledged(&mut self, count: usize) {
        for ((topic, number), receipt) in self.waiting.drain(..count) {
            let what = format!("an acknowledgement for {number} of {topic}");
            within(&what, receipt).await.unwrap();
        }
    }

    /// Forgets what has been acknowledged by now.
    fn take_acknowledged(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        self.waiting.retain_mut(|(_, receipt)| match Pin::new(receipt).poll(&mut context) {
            Poll::Ready(outcome) => {
                outcome.unwrap();
                false
            }
            Poll::Pending => true,
        });
    }
}

/// The newest number taken from each topic.
type Newest = [Option<u32>; TOPICS.len()];

/// Takes numbers until the last one of each topic has come; checks their order.
async fn consume(mut subscription: Subscription, taken: watch::Sender<Newest>) -> BTreeSet<Name> {
    let mut seen = BTreeSet::new();
    let mut newest: Newest = [None; TOPICS.len()];
    let mut open = TOPICS.len();
    while open > 0 {
        let came = within("a message", subscription.next()).await.unwrap().unwrap();
        let topic = TOPICS.iter().position(|topic| *topic == came.topic()).unwrap();
        let number = u32::from_be_bytes(*came.payload().first_chunk().unwrap());
        let first = seen.insert((topic, number));
        // v3.1.1: [MQTT-4.6.0-6] holds for what comes for the first time.
        assert!(!first || newest[topic] < Some(number), "{number} after {newest:?} of {topic}");
        newest[topic] = newest[topic].max(Some(number));
        taken.send_replace(newest);
        open -= usize::from(first && number == LAST);
    }
    seen
}

/// What a broker may lose by a kill.
struct Unsaved {
    /// In order: with QoS 1 what was acknowledged since it had saved all, with QoS 2 all that was
    /// published since then.
    names: Vec<Name>,
    /// How many messages it had handed out without an answer.
    handed_out: usize,
}

/// How many messages the last life of a broker has handed out without an answer.
fn handed_out(log: &str) -> usize {
    let life = log.rsplit(" starting\n").next().unwrap();
    let handed_out = life.matches("Sending PUBLISH to subscriber").count();
    assert!(handed_out > 0, "the log does not say what is handed out");
    handed_out - life.matches("Received PUBACK from subscriber").count()
}

/// A broker with a client that publishes and one that takes; both have sessions that are kept.
struct Scene {
    broker: Mosquitto,
    publisher: Publisher,
    /// What happens to the publisher, and to the other.
    events: [broadcast::Receiver<Event>; 2],
    consumer: JoinHandle<BTreeSet<Name>>,
    taken: watch::Receiver<Newest>,
    _subscriber: Client,
}

impl Scene {
    async fn new(scheme: &str, qos: Qos) -> Self {
        // After a kill mosquitto waits for PUBREL of messages that are over, and counts them: with its
        // usual 20 it would take PUBLISH, answer it, and let it drop. And it is to hand out all it has.
        let max_inflight = Some(256);
        let broker = Broker { storage: Storage::Disk, max_inflight, ..Broker::default() };
        let broker = Mosquitto::start(broker).await;
        let url = url(&broker, scheme);
        let (subscriber, mut far) = Client::start(kept(&url, "subscriber"));
        next_connection(&mut far).await;
        let subscription = subscriber.subscribe("load/+", Qos::AtLeastOnce);
        let subscription = within("a SUBACK", subscription).await.unwrap();
        let (client, mut near) = Client::start(kept(&url, "publisher"));
        next_connection(&mut near).await;
        let (take, taken) = watch::channel([None; TOPICS.len()]);
        Self {
            broker,
            publisher: Publisher { client, qos, next: 0, waiting: Vec::new(), unanswered: 0 },
            events: [near, far],
            consumer: tokio::spawn(consume(subscription, take)),
            taken,
            _subscriber: subscriber,
        }
    }

    /// One kill under load; returns what the broker may lose.
    async fn kill_under_load(&mut self, round: usize) -> Unsaved {
        let Self { broker, publisher, events, taken, .. } = self;
        publisher.enqueue(MESSAGES);
        publisher.acknowledged(publisher.waiting.len()).await;
        let last = Some(publisher.next - 1);
        let all = taken.wait_for(|newest| newest.iter().all(|newest| *newest >= last));
        within("what was acknowledged", all).await.unwrap();
        broker.saved().await;
        publisher.enqueue(MESSAGES);
        let mut names: Vec<Name> = publisher.waiting.iter().map(|(name, _)| *name).collect();
        // At another place of the load in each round.
        publisher.acknowledged((round * 37) % publisher.waiting.len()).await;
        broker.kill().await;
        for events in events.iter_mut() {
            next_loss(events).await;
        }
        publisher.take_acknowledged();
        // Acknowledgements come in the order of sending (v3.1.1: [MQTT-4.6.0-2]).
        if publisher.qos == Qos::AtLeastOnce {
            names.truncate(names.len() - publisher.waiting.len());
        }
        let unsaved = Unsaved { names, handed_out: handed_out(&broker.log()) };
        publisher.unanswered += publisher.waiting.len();
        broker.restart().await;
        for events in events {
            let resumption = next_connection(events).await;
            // Uncertain where the broker took a CONNECT on its way up and could not answer it.
            assert!(matches!(resumption, Resumption::Resumed | Resumption::Uncertain));
        }
        unsaved
    }

    /// Everything accepted is acknowledged in the end; returns what has come to the other side.
    async fn end(mut self) -> BTreeSet<Name> {
        self.publisher.acknowledged(self.publisher.waiting.len()).await;
        for topic in TOPICS {
            let last = LAST.to_be_bytes();
            let last = Message::new(topic, &last, self.publisher.qos);
            within("a PUBACK", self.publisher.client.publish(&last)).await.unwrap();
        }
        self.consumer.await.unwrap()
    }
}

/// Kills and restarts a broker under load, and looks for what has not come.
async fn no_message_is_lost(scheme: &str, qos: Qos) {
    let mut scene = Scene::new(scheme, qos).await;
    let mut unsaved = Vec::new();
    for round in 0..rounds() {
        unsaved.push(scene.kill_under_load(round).await);
    }
    let Publisher { next: count, unanswered, .. } = scene.publisher;
    assert!(unanswered > 0, "no kill came while messages were under way");
    let seen = scene.end().await;
    let all = (0..count).flat_map(|number| (0..TOPICS.len()).map(move |topic| (topic, number)));
    let mut missing: BTreeSet<Name> = all.filter(|name| !seen.contains(name)).collect();
    for Unsaved { names: unsaved, handed_out } in unsaved {
        let lost = if qos == Qos::ExactlyOnce {
            unsaved.iter().filter(|name| missing.remove(name)).count()
        } else {
            // A broker that saves in order loses its newest messages.
            let lost = unsaved.iter().rev().take_while(|name| missing.remove(name)).count();
            let most = handed_out + UNSAVED_MAX;
            assert!(
                lost <= most,
                "{lost} acknowledged messages were lost, {most} at most might be"
            );
            lost
        };
        println!("{scheme}, {qos:?}: of {} that were not saved, {lost} lost", unsaved.len());
    }
    assert!(missing.is_empty(), "{scheme}: acknowledged, saved, and never delivered: {missing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_websocket() {
    no_message_is_lost("ws", Qos::AtLeastOnce).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_tcp() {
    no_message_is_lost("mqtt", Qos::AtLeastOnce).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_saved_is_lost_that_was_published_with_qos_2_over_websocket() {
    no_message_is_lost("ws", Qos::ExactlyOnce).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_saved_is_lost_that_was_published_with_qos_2_over_tcp() {
    no_message_is_lost("mqtt", Qos::ExactlyOnce).await;
}

#[tokio::test]
async fn session_lost_with_its_broker_is_told_and_subscriptions_are_made_again() {
    let mut broker = Mosquitto::start(Broker::default()).await;
    for scheme in ["ws", "mqtt"] {
        let url = url(&broker, scheme);
        let clients = [(kept(&url, scheme), Resumption::Lost), (options(&url), Resumption::New)];
        let mut listeners = Vec::new();
        for (options, again) in clients {
            let (client, mut events) = Client::start(options);
            assert_eq!(next_connection(&mut events).await, Resumption::New);
            let subscription = client.subscribe("news/#", Qos::AtLeastOnce);
            let subscription = within("a SUBACK", subscription).await.unwrap();
            listeners.push((events, subscription, client, again));
        }
        broker.kill().await;
        broker.restart().await;
        for (events, subscription, client, again) in &mut listeners {
            assert_eq!(next_connection(events).await, *again, "{scheme}");
            // Behind the SUBSCRIBE on the same connection.
            let topic = format!("news/for/{again:?}");
            let message = Message::new(&topic, b"", Qos::AtLeastOnce);
            within("a PUBACK", client.publish(&message)).await.unwrap();
            let came = loop {
                let came = within("a message", subscription.next()).await.unwrap().unwrap();
                // The one client hears the other, if it is back already.
                if came.topic() == topic {
                    break came;
                }
            };
            assert!(!came.retained);
        }
    }
}
