//! The states of a connection, told by Amplify and by Dunlin of the same broker in the same run.

use crate::{
    broker, cable::Cable, common::within, names, normal_life, opened, options, states_until,
};
use dunlin_tokio::pubsub::{ConnectionState, PubSub, Reachability};
use support::amplify::{Amplify, Generation, Timers};
use support::mosquitto::{self, Mosquitto};

const GENERATIONS: [Generation; 2] = [Generation::Six, Generation::Five];

#[tokio::test]
async fn normal_life_has_the_same_states() {
    let broker = broker().await;
    for generation in GENERATIONS {
        let (mut amplify, mut states) = opened(generation, Timers::Real, &broker.ws_url()).await;
        amplify.unsubscribe("s").await;
        states.extend(amplify.states_until("a", "Disconnected").await);

        let pubsub = PubSub::new();
        let mut changes = pubsub.states();
        pubsub.add_provider("d", options(&broker.ws_url())).unwrap();
        let mut same = states_until(&mut changes, ConnectionState::Connected, 1).await;
        within("its end", pubsub.remove_provider("d")).await.unwrap();
        same.extend(states_until(&mut changes, ConnectionState::Disconnected, 1).await);

        let expected = ["Disconnected", "Connecting", "Connected"];
        let end = ["ConnectedPendingDisconnect", "Disconnected"];
        assert_eq!(states, [&expected[..], &end[..]].concat(), "{generation:?}");
        assert_eq!(names(&same), states, "{generation:?}");
    }
}

#[tokio::test]
async fn dropped_connection_has_the_same_states() {
    let broker = broker().await;
    for generation in GENERATIONS {
        let cable = Cable::to(broker.ws_addr()).await;
        let url = format!("ws://{}/mqtt", cable.address());
        let (mut amplify, _) = opened(generation, Timers::Virtual, &url).await;
        let pubsub = PubSub::new();
        let mut changes = pubsub.states();
        pubsub.add_provider("d", options(&url)).unwrap();
        let connected = states_until(&mut changes, ConnectionState::Connected, 1).await;
        assert_eq!(names(&connected), normal_life());

        cable.pull();
        let mut states = amplify.states_until("a", "ConnectionDisrupted").await;
        let mut same = states_until(&mut changes, ConnectionState::ConnectionDisrupted, 1).await;
        cable.put_back();
        // What Amplify waits, without waiting.
        amplify.pass(5).await;
        states.extend(amplify.states_until("a", "Connected").await);
        same.extend(states_until(&mut changes, ConnectionState::Connected, 1).await);
        assert_eq!(states, ["ConnectionDisrupted", "Connecting", "Connected"], "{generation:?}");
        assert_eq!(names(&same), states, "{generation:?}");
        amplify.settle("a", "s", "own/fence").await;
        pubsub.close().await;
    }
}

/// Nobody listens; the server wants a password; the line is cut at once.
#[tokio::test]
async fn refused_connection_has_the_same_states() {
    let credentials = Some(("ada".to_owned(), "enigma".to_owned()));
    let strict = mosquitto::Options { credentials, ..mosquitto::Options::default() };
    let (strict, mut gone) = tokio::join!(Mosquitto::start(strict), broker());
    gone.kill().await;
    let cut = Cable::to(strict.ws_addr()).await;
    cut.pull();
    let cut = format!("ws://{}/mqtt", cut.address());
    for url in [strict.ws_url(), gone.ws_url(), cut] {
        for generation in GENERATIONS {
            let mut amplify = Amplify::start(generation, Timers::Virtual);
            amplify.open("a", &url).await;
            amplify.subscribe("a", "s", &["a"]).await;
            let disrupted = "ConnectionDisrupted";
            let mut states = amplify.states_until("a", disrupted).await;
            amplify.pass(5).await;
            states.extend(amplify.states_until("a", disrupted).await);

            let pubsub = PubSub::new();
            let mut changes = pubsub.states();
            pubsub.add_provider("d", options(&url)).unwrap();
            let same = states_until(&mut changes, ConnectionState::ConnectionDisrupted, 2).await;
            let again = ["Connecting", disrupted];
            assert_eq!(states, [&["Disconnected"], &again[..], &again].concat(), "{url}");
            assert_eq!(names(&same), states, "{url}");
            pubsub.close().await;
        }
    }
}

/// Only version 6 looks for a network in Node, where the window is the test's.
#[tokio::test]
async fn network_that_goes_and_comes_has_the_same_states() {
    let broker = broker().await;
    let cable = Cable::to(broker.ws_addr()).await;
    let url = format!("ws://{}/mqtt", cable.address());
    let (mut amplify, _) = opened(Generation::Six, Timers::Virtual, &url).await;
    let pubsub = PubSub::new();
    let mut changes = pubsub.states();
    pubsub.add_provider("d", options(&url)).unwrap();
    states_until(&mut changes, ConnectionState::Connected, 1).await;

    amplify.network(false).await;
    let mut states = amplify.states_until("a", "ConnectedPendingNetwork").await;
    pubsub.handle_network(Reachability::Offline);
    let last = ConnectionState::ConnectedPendingNetwork;
    let mut same = states_until(&mut changes, last, 1).await;
    cable.pull();
    states.extend(amplify.states_until("a", "ConnectionDisruptedPendingNetwork").await);
    let last = ConnectionState::ConnectionDisruptedPendingNetwork;
    same.extend(states_until(&mut changes, last, 1).await);
    amplify.network(true).await;
    pubsub.handle_network(Reachability::Online);
    cable.put_back();
    amplify.pass(5).await;
    states.extend(amplify.states_until("a", "Connected").await);
    same.extend(states_until(&mut changes, ConnectionState::Connected, 1).await);

    let lost = ["ConnectedPendingNetwork", "ConnectionDisruptedPendingNetwork"];
    let again = ["ConnectionDisrupted", "Connecting", "Connected"];
    assert_eq!(states, [&lost[..], &again[..]].concat());
    assert_eq!(names(&same), states);
}
