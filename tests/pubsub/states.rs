//! The states of a connection, in the order of what happens to it.

use dunlin_tokio::pubsub::ConnectionState::{
    self, Connected, ConnectedPendingDisconnect, ConnectedPendingKeepAlive,
    ConnectedPendingNetwork, Connecting, ConnectionDisrupted, ConnectionDisruptedPendingNetwork,
    Disconnected,
};
use dunlin_tokio::pubsub::{PubSub, Reachability, States};
use support::mosquitto::{self, Mosquitto};

use crate::cable::Cable;
use crate::common::within;
use crate::options;
use crate::server::{CONNACK, Server};

async fn next(states: &mut States) -> ConnectionState {
    let change = within("another state", states.next()).await.unwrap();
    assert_eq!(&*change.provider, "p");
    change.state
}

async fn follow(states: &mut States, expected: &[ConnectionState]) {
    for expected in expected {
        assert_eq!(next(states).await, *expected);
    }
}

#[tokio::test]
async fn normal_life_goes_through_the_states_of_amplify() {
    let mosquitto = Mosquitto::start(mosquitto::Options::default()).await;
    let pubsub = PubSub::new();
    let mut states = pubsub.states();
    pubsub.add_provider("p", options(mosquitto.ws_addr())).unwrap();
    let mut watch = pubsub.watch("p").unwrap();
    follow(&mut states, &[Disconnected, Connecting, Connected]).await;
    assert_eq!(pubsub.connection_state("p").unwrap(), Connected);
    assert_eq!(*watch.borrow_and_update(), Connected);
    pubsub.remove_provider("p").await.unwrap();
    follow(&mut states, &[ConnectedPendingDisconnect, Disconnected]).await;
    assert_eq!(*watch.borrow_and_update(), Disconnected);
    assert!(pubsub.connection_state("p").is_err());
}

#[tokio::test]
async fn dropped_connection_is_disrupted_until_the_next_one() {
    let mosquitto = Mosquitto::start(mosquitto::Options::default()).await;
    let cable = Cable::to(mosquitto.ws_addr()).await;
    let pubsub = PubSub::new();
    pubsub.add_provider("p", options(cable.address())).unwrap();
    let mut states = pubsub.states();
    follow(&mut states, &[Disconnected, Connecting, Connected]).await;
    cable.pull();
    follow(&mut states, &[ConnectionDisrupted, Connecting]).await;
    cable.put_back();
    let mut last = next(&mut states).await;
    while last == ConnectionDisrupted {
        assert_eq!(next(&mut states).await, Connecting);
        last = next(&mut states).await;
    }
    assert_eq!(last, Connected);
}

#[tokio::test]
async fn network_that_is_gone_shows_before_and_after_the_connection_is_lost() {
    let mosquitto = Mosquitto::start(mosquitto::Options::default()).await;
    let cable = Cable::to(mosquitto.ws_addr()).await;
    let pubsub = PubSub::new();
    let hour_ms = 3_600_000;
    let slow = dunlin_tokio::Backoff::new(hour_ms, hour_ms, hour_ms);
    pubsub.add_provider("p", options(cable.address()).backoff(slow)).unwrap();
    let mut states = pubsub.states();
    follow(&mut states, &[Disconnected, Connecting, Connected]).await;
    pubsub.handle_network(Reachability::Offline);
    pubsub.handle_network(Reachability::Offline);
    follow(&mut states, &[ConnectedPendingNetwork]).await;
    cable.pull();
    follow(&mut states, &[ConnectionDisruptedPendingNetwork]).await;
    pubsub.handle_network(Reachability::Online);
    follow(&mut states, &[ConnectionDisrupted]).await;
}

/// Whoever says so need not say it again for each broker.
#[tokio::test]
async fn provider_that_is_added_without_a_network_knows_that_there_is_none() {
    let server = Server::websocket();
    let pubsub = PubSub::new();
    pubsub.handle_network(Reachability::Offline);
    let mut states = pubsub.states();
    pubsub.add_provider("p", options(server.address())).unwrap();
    drop(server.accept().await);
    follow(&mut states, &[Disconnected, Connecting, ConnectionDisruptedPendingNetwork]).await;
}

#[tokio::test]
async fn server_that_does_not_answer_a_ping_is_late_before_the_connection_is_given_up() {
    let server = Server::websocket();
    let pubsub = PubSub::new();
    pubsub.add_provider("p", options(server.address()).keep_alive_s(2)).unwrap();
    let mut states = pubsub.states();
    let mut peer = server.open().await;
    follow(&mut states, &[Disconnected, Connecting, Connected]).await;
    assert_eq!(within("a PINGREQ", peer.packet()).await, [0xc0, 0]);
    follow(&mut states, &[ConnectedPendingKeepAlive]).await;
    peer.send_packet(&[0xd0, 0]).await;
    follow(&mut states, &[Connected]).await;
    follow(&mut states, &[ConnectedPendingKeepAlive, ConnectionDisrupted, Connecting]).await;
    let mut peer = server.connected().await;
    peer.send_packet(&CONNACK).await;
    follow(&mut states, &[Connected]).await;
}
