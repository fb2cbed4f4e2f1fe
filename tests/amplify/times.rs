//! When either connects again: Amplify on timers that are told to pass, Dunlin on a clock that is.

use crate::cable::Cable;
use crate::common::within;
use crate::{broker, opened, options};
use dunlin_tokio::pubsub::{ConnectionState, PubSub};
use dunlin_tokio::{Backoff, Event};
use std::time::Duration;
use support::amplify::{Amplify, Generation, Timers};

/// How many connects are looked at, the first one included.
const CONNECTS: usize = 4;

/// As long as all of them take in either: 5 s, and twice 60 s.
const SECONDS: u32 = 125;

/// When Amplify connects to where nobody listens, in seconds from the first time.
async fn of_amplify(generation: Generation, url: &str) -> Vec<u64> {
    let mut amplify = Amplify::start(generation, Timers::Virtual);
    amplify.open("a", url).await;
    amplify.subscribe("a", "s", &["a"]).await;
    let mut states = amplify.timed_states_until("a", "ConnectionDisrupted", 1).await;
    amplify.pass(SECONDS).await;
    states.extend(amplify.timed_states_until("a", "Connecting", CONNECTS - 1).await);
    let connecting = states.iter().filter(|(state, _)| state == "Connecting");
    connecting.map(|(_, at_ms)| at_ms / 1_000).collect()
}

/// The same of Dunlin with the preset; its clock goes on when there is nothing else to do.
fn of_dunlin(url: &str) -> Vec<u64> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(async {
        let pubsub = PubSub::new();
        let mut changes = pubsub.states();
        pubsub.add_provider("d", options(url).backoff(Backoff::AMPLIFY_COMPAT)).unwrap();
        let begun = tokio::time::Instant::now();
        let mut at = Vec::new();
        while at.len() < CONNECTS {
            if changes.next().await.unwrap().state == ConnectionState::Connecting {
                at.push(begun.elapsed().as_secs());
            }
        }
        at
    })
}

#[tokio::test]
async fn connects_that_fail_come_again_at_the_same_times() {
    let mut broker = broker().await;
    let url = broker.ws_url();
    broker.kill().await;
    let dunlin = of_dunlin_beside(&url).await;
    for generation in [Generation::Six, Generation::Five] {
        let amplify = of_amplify(generation, &url).await;
        assert_eq!(amplify, [0, 5, 65, 125], "{generation:?}");
        assert_eq!(dunlin, amplify, "{generation:?}");
    }
}

/// On a thread of its own: its runtime's clock is not this one's.
async fn of_dunlin_beside(url: &str) -> Vec<u64> {
    let url = url.to_owned();
    let running = tokio::task::spawn_blocking(move || of_dunlin(&url));
    within("the times of Dunlin", running).await.unwrap()
}

#[tokio::test]
async fn connection_that_is_lost_is_made_again_after_the_same_time() {
    let broker = broker().await;
    let cable = Cable::to(broker.ws_addr()).await;
    let url = format!("ws://{}/mqtt", cable.address());
    let (mut amplify, _) = opened(Generation::Six, Timers::Virtual, &url).await;
    let pubsub = PubSub::new();
    pubsub.add_provider("d", options(&url).backoff(Backoff::AMPLIFY_COMPAT)).unwrap();
    let mut events = pubsub.client("d").unwrap().events();
    let mut watch = pubsub.watch("d").unwrap();
    let connected = watch.wait_for(|state| *state == ConnectionState::Connected);
    within("a connection", connected).await.unwrap();

    cable.pull();
    let disrupted = amplify.timed_states_until("a", "ConnectionDisrupted", 1).await;
    amplify.pass(10).await;
    let connecting = amplify.timed_states_until("a", "Connecting", 1).await;
    let waited_ms = connecting[0].1 - disrupted[0].1;
    let retry_in = loop {
        let event = within("an event", events.recv()).await.unwrap();
        if let Event::Disconnected { retry_in, .. } = event {
            break retry_in;
        }
    };
    assert_eq!(Duration::from_millis(waited_ms), Duration::from_secs(5));
    assert_eq!(retry_in, Duration::from_millis(waited_ms));
}
