//! Brokers that stand in for one another, and connects that are spaced.

use crate::{VERSIONS, cable::Cable, common::within, connect, mosquitto, options};
use dunlin_tokio::{Client, ConnectLimiter, Event, Message, Options, Qos, Version};
use std::time::Duration;
use tokio::{sync::broadcast, task::JoinSet, time::Instant};

/// The next loss, and how long the client waits before it tries again.
async fn next_wait(events: &mut broadcast::Receiver<Event>) -> Duration {
    loop {
        let event = within("an event", events.recv()).await.unwrap();
        if let Event::Disconnected { retry_in, .. } = event {
            return retry_in;
        }
    }
}

async fn next_connection(events: &mut broadcast::Receiver<Event>) {
    while !matches!(within("an event", events.recv()).await.unwrap(), Event::Connected(_)) {}
}

fn on(address: std::net::SocketAddr) -> String {
    format!("ws://{address}/mqtt")
}

/// Publishes to the client's own subscription by a client of that broker alone.
async fn reaches(url: &str, version: Version, client: &Client) {
    let mut heard = client.subscribe("whoever/+", Qos::AtLeastOnce).await.unwrap();
    let other = connect(options(url, version)).await;
    let message = Message::new("whoever/a", url.as_bytes(), Qos::AtLeastOnce);
    within("a PUBACK", other.publish(&message)).await.unwrap();
    let message = within("a message", heard.next()).await.unwrap().unwrap();
    assert_eq!(message.payload(), url.as_bytes());
}

#[tokio::test]
async fn next_endpoint_takes_over_at_once_and_the_first_one_in_its_turn() {
    let (first, second) = tokio::join!(mosquitto(), mosquitto());
    for version in VERSIONS {
        let one = Cable::to(first.ws_addr()).await;
        let two = Cable::to(second.ws_addr()).await;
        one.pull();
        let both = options(&on(one.address()), version).or_at(on(two.address()).parse().unwrap());
        let (client, mut events) = Client::start(both);
        assert_eq!(next_wait(&mut events).await, Duration::ZERO, "there is another one");
        next_connection(&mut events).await;
        reaches(&second.ws_url(), version, &client).await;

        one.put_back();
        two.pull();
        assert!(next_wait(&mut events).await > Duration::ZERO, "a connection was lost");
        next_connection(&mut events).await;
        reaches(&first.ws_url(), version, &client).await;

        // Both are gone: each is tried before the client waits.
        one.pull();
        assert!(next_wait(&mut events).await > Duration::ZERO, "a connection was lost");
        assert_eq!(next_wait(&mut events).await, Duration::ZERO);
        assert!(next_wait(&mut events).await > Duration::ZERO, "all have failed");
        client.close().await;
    }
}

#[tokio::test]
async fn first_connect_tries_every_endpoint_before_it_fails() {
    let broker = mosquitto().await;
    let (one, two) = tokio::join!(Cable::to(broker.ws_addr()), Cable::to(broker.ws_addr()));
    one.pull();
    let both =
        || options(&on(one.address()), Version::V5).or_at(on(two.address()).parse().unwrap());
    connect(both()).await.close().await;
    two.pull();
    within("an answer", Client::connect(both())).await.unwrap_err();
}

#[tokio::test]
async fn clients_that_share_a_limiter_connect_one_after_another() {
    /// Between two connects.
    const INTERVAL: Duration = Duration::from_millis(200);
    const CLIENTS: u32 = 5;
    let broker = mosquitto().await;
    let limiter = ConnectLimiter::every(INTERVAL);
    let begun = Instant::now();
    let mut connecting = JoinSet::new();
    for _ in 0..CLIENTS {
        let options: Options = options(&broker.ws_url(), Version::V3).connect_limiter(&limiter);
        connecting.spawn(async move { (connect(options).await, begun.elapsed()) });
    }
    let mut connected = connecting.join_all().await;
    connected.sort_by_key(|(_, at)| *at);
    for (nth, (_, at)) in connected.iter().enumerate() {
        let turn = INTERVAL * u32::try_from(nth).unwrap();
        assert!(*at >= turn, "number {nth} after {at:?}, before its turn at {turn:?}");
    }
}
