//! Several providers behind one publish and one subscribe.

use crate::world::{Broker, Clock, Handle, Memory, World, keep_connected};
use dunlin_embassy::{
    Backoff, PubSub, PublishError, SubscribeError,
    dunlin::{Config, Qos, ReasonCode, Version},
    pubsub::{
        ConnectionState::{self, *},
        Deliveries, Drained, Error, Reachability, Undelivered, Watch,
    },
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_async::ErrorKind;

pub(crate) type Two<'r> = PubSub<'r, NoopRawMutex, 4, 2>;

/// A message as a test compares it: provider, topic and payload.
type Heard = (String, String, Vec<u8>);

fn config(version: Version) -> Config {
    Config::new().version(version)
}

fn heard(provider: &str, topic: &str, payload: &[u8]) -> Heard {
    (provider.to_owned(), topic.to_owned(), payload.to_vec())
}

/// The next message, which is there already or comes.
fn next<'r>(
    world: &mut World<'_>,
    deliveries: &mut Deliveries<'r, NoopRawMutex, 4, 2>,
) -> Option<Result<Heard, Undelivered<'r>>> {
    let mut buffer = [0; 256];
    let next = world.finish(deliveries.next(&mut buffer))?;
    Some(next.map(|message| heard(message.provider, message.topic(), message.payload())))
}

/// The states that a watch knows of, up to now.
fn states(world: &mut World<'_>, watch: &mut Watch<'_, NoopRawMutex, 4>) -> Vec<ConnectionState> {
    world.settle();
    std::iter::from_fn(|| world.poll_once(watch.next())).collect()
}

/// Runs `test` with the providers `old` (MQTT 3.1.1) and `new` (MQTT 5), both connected; a connection that
/// is lost is made again `retry_s` seconds later.
pub(crate) fn with_two(
    clock: &Clock,
    retry_s: u64,
    test: impl for<'r> FnOnce(&Two<'r>, [Handle<'r>; 2], &mut World<'_>, [&Broker; 2]),
) {
    clock.forget_timers();
    let (old, new) = (Broker::new(Version::V3), Broker::new(Version::V5));
    let (mut one, mut other) = (Memory::new(), Memory::new());
    let (first, run_first) = one.client(config(Version::V3));
    let (second, run_second) = other.client(config(Version::V5));
    let pubsub = Two::new();
    pubsub.add_provider("old", first).unwrap();
    pubsub.add_provider("new", second).unwrap();
    let backoff = Backoff::constant(retry_s * 1_000);
    let mut runners = [run_first, run_second].map(|runner| runner.with_backoff(backoff));
    let mut world = World::default();
    for broker in [&old, &new] {
        world.serve(broker);
    }
    for (runner, broker) in runners.iter_mut().zip([&old, &new]) {
        world.run(keep_connected(runner, broker));
    }
    world.settle();
    test(&pubsub, [first, second], &mut world, [&old, &new]);
}

#[test]
fn message_of_either_provider_comes_to_one_subscription_under_its_name() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, new]| {
        let mut all = world.finish(pubsub.subscribe(&["a/+", "b"])).unwrap();
        old.publish("a/1", b"from old");
        new.publish("b", b"from new");
        let mut both = [(); 2].map(|()| next(world, &mut all).unwrap().unwrap());
        both.sort();
        assert_eq!(both, [heard("new", "b", b"from new"), heard("old", "a/1", b"from old")]);
        world.settle();
        assert_eq!((old.acknowledged(), new.acknowledged()), (1, 1));
        // Neither hides the other, however much it has to say.
        for number in 0..4 {
            old.publish_unacknowledged("b", &[number]);
        }
        new.publish_unacknowledged("b", b"too");
        world.settle();
        let turns: Vec<_> = (0..5).map(|_| next(world, &mut all).unwrap().unwrap().0).collect();
        assert!(turns[..2].contains(&"new".to_owned()), "{turns:?}");
        drop(all);
        world.settle();
        assert_eq!((old.filters().len(), new.filters().len()), (0, 0));
    });
}

#[test]
fn message_that_two_topics_match_comes_once_and_is_lost_once() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, _]| {
        let topics = ["a/+", "a/#", "#"];
        let mut wide = world.finish(pubsub.subscribe(&topics).provider("old")).unwrap();
        let mut whole = world.finish(pubsub.subscribe(&["#"]).provider("old")).unwrap();
        old.publish("a/b", b"once");
        old.publish_unacknowledged("c", b"then");
        for deliveries in [&mut wide, &mut whole] {
            assert_eq!(next(world, deliveries), Some(Ok(heard("old", "a/b", b"once"))));
            assert_eq!(next(world, deliveries), Some(Ok(heard("old", "c", b"then"))));
        }
        // While somebody waits for what may stand behind them, messages without room are lost.
        for number in 0..6 {
            old.publish_unacknowledged("a/b", &[number]);
        }
        world.settle();
        let publish = pubsub.publish_bytes(["other"], b"").provider("old");
        world.finish(publish).unwrap().into_result().unwrap();
        assert_eq!((wide.lost(), whole.lost()), (2, 2));
    });
}

#[test]
fn publish_reports_what_each_provider_said_to_each_topic() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, new]| {
        let topics = ["a", "secret", "a/#", "b"];
        let report = world.finish(pubsub.publish_bytes(topics, b"x")).unwrap();
        let results: Vec<_> = report.results().collect();
        let names = |at: usize| (results[at].provider, results[at].topic);
        assert_eq!(
            [0, 3, 4, 7].map(names),
            [("old", "a"), ("old", "b"), ("new", "a"), ("new", "b")]
        );
        for (at, published) in results.iter().enumerate() {
            match (published.topic, published.provider) {
                ("a/#", _) => {
                    assert!(matches!(published.result, Err(PublishError::Rejected(_))), "{at}");
                }
                ("secret", "new") => {
                    let refused = Err(PublishError::Refused(ReasonCode::NOT_AUTHORIZED));
                    assert_eq!(published.result, refused);
                }
                _ => assert_eq!(published.result, Ok(ReasonCode::SUCCESS), "{at}"),
            }
        }
        assert!(report.into_result().is_err());
        assert_eq!((old.messages().len(), new.messages().len()), (3, 3));
        // More than there are receipts: each waits for the room that an earlier one leaves.
        let many = pubsub.publish_bytes(["a"; 9], b"y").qos(Qos::AtLeastOnce).provider("old");
        world.finish(many).unwrap().into_result().unwrap();
        assert_eq!((old.messages().len(), new.messages().len()), (12, 3));
    });
}

#[test]
fn publish_to_a_provider_that_is_away_refuses_when_it_is_full_and_holds_up_no_other() {
    let clock = Clock::moving();
    with_two(&clock, 3_600, |pubsub, _, world, [old, new]| {
        old.hang_up();
        world.settle();
        assert_eq!(pubsub.connection_state("old"), Ok(ConnectionDisrupted));
        let filled = pubsub.publish_bytes(["a"; 4], b"kept").provider("old");
        drop(world.begin(filled));
        let full = pubsub.publish_bytes(["a"], b"more").provider("old");
        let report = world.finish(full).unwrap();
        assert!(matches!(report.into_result(), Err(PublishError::Rejected(_))));
        let both = world.finish(pubsub.publish_bytes(["a"], b"more")).unwrap();
        let taken: Vec<_> = both.results().filter(|published| published.result.is_ok()).collect();
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].provider, new.messages()), ("new", vec![b"more".to_vec()]));
    });
}

#[test]
fn provider_removed_says_all_it_has_and_ends_its_part_while_the_other_goes_on() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, [first, _], world, [old, new]| {
        let mut all = world.finish(pubsub.subscribe(&["#"])).unwrap();
        let mut alone = world.finish(pubsub.subscribe(&["a"]).provider("old")).unwrap();
        let mut watch = pubsub.watch("old").unwrap();
        old.publish("a", b"before");
        let publish = pubsub.publish_bytes(["b"], b"last").provider("old");
        drop(world.begin(publish));
        assert_eq!(world.finish(pubsub.remove_provider("old")), Ok(Drained::All));
        assert_eq!(old.messages(), [b"last"]);
        assert_eq!(world.running(), 1);
        let removed = Undelivered::Removed { provider: "old" };
        for deliveries in [&mut all, &mut alone] {
            assert_eq!(next(world, deliveries), Some(Ok(heard("old", "a", b"before"))));
            assert_eq!(next(world, deliveries), Some(Err(removed)));
        }
        assert_eq!(next(world, &mut alone), None);
        new.publish("a", b"after");
        assert_eq!(next(world, &mut all), Some(Ok(heard("new", "a", b"after"))));
        let told = [Connected, ConnectedPendingDisconnect, Disconnected];
        assert_eq!(states(world, &mut watch), told);
        assert_eq!(pubsub.connection_state("old"), Err(Error::UnknownProvider));
        assert_eq!(world.finish(pubsub.remove_provider("old")), Err(Error::UnknownProvider));
        let gone = world.finish(pubsub.publish_bytes(["a"], b"").provider("old"));
        assert!(matches!(gone, Err(Error::UnknownProvider)));
        assert_eq!(pubsub.add_provider("new", first), Err(Error::DuplicateProvider));
        assert_eq!(world.finish(pubsub.close()), Drained::All);
        assert_eq!(next(world, &mut all), Some(Err(Undelivered::Removed { provider: "new" })));
        assert_eq!((next(world, &mut all), world.running()), (None, 0));
        let nobody = world.finish(pubsub.publish_bytes(["a"], b""));
        assert!(matches!(nobody, Err(Error::NoProvider)));
    });
}

#[test]
fn provider_replaced_under_its_name_leaves_the_other_undisturbed() {
    let _clock = Clock::moving();
    let brokers = [Version::V3, Version::V5, Version::V5].map(Broker::new);
    let mut memories = [Memory::new(), Memory::new(), Memory::new()];
    let [one, other, third] = memories.each_mut();
    let (first, mut run_first) = one.client(config(Version::V3));
    let (second, mut run_second) = other.client(config(Version::V5));
    let (third, mut run_third) = third.client(config(Version::V5));
    let pubsub = Two::new();
    pubsub.add_provider("home", first).unwrap();
    pubsub.add_provider("cloud", second).unwrap();
    assert_eq!(pubsub.add_provider("more", third), Err(Error::Full));
    let mut world = World::default();
    brokers.iter().for_each(|broker| world.serve(broker));
    world.run(keep_connected(&mut run_first, &brokers[0]));
    world.run(keep_connected(&mut run_second, &brokers[1]));
    let mut home = world.finish(pubsub.subscribe(&["a"]).provider("home")).unwrap();
    let mut cloud = world.finish(pubsub.subscribe(&["a"]).provider("cloud")).unwrap();

    // The name is free before the first provider has said good-bye.
    let removal = world.begin(pubsub.remove_provider("cloud"));
    pubsub.add_provider("cloud", third).unwrap();
    assert_eq!(world.finish(removal), Ok(Drained::All));
    world.run(keep_connected(&mut run_third, &brokers[2]));
    let mut again = world.finish(pubsub.subscribe(&["a"]).provider("cloud")).unwrap();
    for (broker, payload) in brokers.iter().zip([b"1", b"2", b"3"]) {
        broker.publish("a", payload);
    }
    assert_eq!(next(&mut world, &mut cloud), Some(Err(Undelivered::Removed { provider: "cloud" })));
    assert_eq!(next(&mut world, &mut cloud), None);
    assert_eq!(next(&mut world, &mut again), Some(Ok(heard("cloud", "a", b"3"))));
    assert_eq!(next(&mut world, &mut home), Some(Ok(heard("home", "a", b"1"))));
    assert_eq!(pubsub.connection_state("home"), Ok(Connected));
}

#[test]
fn client_removed_serves_another_broker_without_its_old_subscriptions() {
    let _clock = Clock::moving();
    let (here, there) = (Broker::new(Version::V5), Broker::new(Version::V5));
    let mut memory = Memory::new();
    let (client, mut runner) = memory.client(config(Version::V5));
    let pubsub = Two::new();
    pubsub.add_provider("region", client).unwrap();
    let mut before = {
        let mut world = World::default();
        world.serve(&here);
        world.run(keep_connected(&mut runner, &here));
        let deliveries = world.finish(pubsub.subscribe(&["a"])).unwrap();
        assert_eq!(world.finish(pubsub.remove_provider("region")), Ok(Drained::All));
        deliveries
    };
    pubsub.add_provider("region", client).unwrap();
    let mut world = World::default();
    world.serve(&there);
    world.run(keep_connected(&mut runner, &there));
    let mut after = world.finish(pubsub.subscribe(&["b"])).unwrap();
    assert_eq!(there.filters(), ["b"]);
    there.publish("a", b"not asked for");
    there.publish("b", b"asked for");
    assert_eq!(next(&mut world, &mut after), Some(Ok(heard("region", "b", b"asked for"))));
    assert_eq!(
        next(&mut world, &mut before),
        Some(Err(Undelivered::Removed { provider: "region" }))
    );
    assert_eq!(next(&mut world, &mut before), None);
}

#[test]
fn provider_removed_without_a_runner_ends_at_once() {
    let _clock = Clock::moving();
    let mut memory = Memory::new();
    let (client, _runner) = memory.client(config(Version::V3));
    let pubsub = Two::new();
    pubsub.add_provider("asleep", client).unwrap();
    let mut world = World::default();
    let mut all = pubsub.subscribe(&["a"]).begin().unwrap();
    assert_eq!(pubsub.connection_state("asleep"), Ok(Disconnected));
    assert_eq!(world.finish(pubsub.remove_provider("asleep")), Ok(Drained::Cut));
    assert_eq!(next(&mut world, &mut all), Some(Err(Undelivered::Removed { provider: "asleep" })));
    assert_eq!(next(&mut world, &mut all), None);
}

#[test]
fn removal_dropped_at_any_poll_still_ends_the_provider() {
    let clock = Clock::moving();
    let mut done = false;
    for polls in 0.. {
        with_two(&clock, 0, |pubsub, _, world, [old, _]| {
            let mut all = world.finish(pubsub.subscribe(&["a"])).unwrap();
            let publish = pubsub.publish_bytes(["b"], b"last").provider("old");
            drop(world.begin(publish));
            done = world.cut(pubsub.remove_provider("old"), polls).is_some();
            world.settle();
            if polls == 0 {
                assert_eq!(pubsub.connection_state("old"), Ok(Connected), "nothing was done");
                return;
            }
            assert_eq!((world.running(), old.messages()), (1, vec![b"last".to_vec()]));
            let removed = Undelivered::Removed { provider: "old" };
            assert_eq!(next(world, &mut all), Some(Err(removed)));
        });
        if done {
            assert!(polls > 1, "it was never dropped");
            return;
        }
    }
}

#[test]
fn provider_that_cannot_say_all_is_cut_off_when_its_time_is_over() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, _]| {
        old.fall_silent();
        let publish = pubsub.publish_bytes(["b"], b"unheard").provider("old");
        drop(world.begin(publish));
        let removal = world.begin(pubsub.remove_provider("old"));
        assert_eq!(world.running(), 2);
        clock.advance(11);
        let removal = world.begin(removal);
        world.settle();
        // Its good-bye is not heard either.
        clock.advance(11);
        assert_eq!(world.finish(removal), Ok(Drained::Cut));
        assert_eq!(world.running(), 1);
    });
}

#[test]
fn refusal_reaches_exactly_the_subscriber_that_asked() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, new]| {
        let mut open = world.finish(pubsub.subscribe(&["a"])).unwrap();
        for (provider, reason) in
            [("old", ReasonCode::UNSPECIFIED_ERROR), ("new", ReasonCode::NOT_AUTHORIZED)]
        {
            let refused = world.finish(pubsub.subscribe(&["a", "secret"]).provider(provider));
            let error = SubscribeError::Refused(reason);
            assert_eq!(refused.err(), Some(Error::Subscribe { provider, error }));
        }
        // Begun without waiting, it is told once by each of them.
        let mut begun = pubsub.subscribe(&["secret/+"]).begin().unwrap();
        let mut told = [(); 2].map(|()| match next(world, &mut begun) {
            Some(Err(Undelivered::Failed { provider, error: SubscribeError::Refused(_) })) => {
                provider
            }
            other => panic!("{other:?}"),
        });
        told.sort_unstable();
        assert_eq!((told, next(world, &mut begun)), (["new", "old"], None));
        world.settle();
        for broker in [old, new] {
            assert!(broker.filters().iter().all(|filter| filter == "a"), "others are left");
        }
        old.publish("a", b"still");
        assert_eq!(next(world, &mut open), Some(Ok(heard("old", "a", b"still"))));
        assert_eq!(pubsub.connection_state("old"), Ok(Connected));
        let nothing = world.finish(pubsub.subscribe(&[]));
        assert_eq!(nothing.err(), Some(Error::NoTopic));
    });
}

#[test]
fn refusal_of_one_provider_leaves_the_deliveries_of_the_other() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, [first, _], world, [_, new]| {
        // The memory for filters of one of them is full.
        let _full = first.listen(&"x".repeat(64), Qos::AtMostOnce).unwrap();
        let mut half = world.finish(pubsub.subscribe(&["a"])).unwrap();
        let full = Undelivered::Failed { provider: "old", error: SubscribeError::Full };
        assert_eq!(next(world, &mut half), Some(Err(full)));
        new.publish("a", b"one");
        assert_eq!(next(world, &mut half), Some(Ok(heard("new", "a", b"one"))));
    });
}

#[test]
fn connection_states_tell_of_a_drop_and_of_a_network_that_is_away() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, _]| {
        let mut watch = pubsub.watch("old").unwrap();
        let mut undisturbed = pubsub.watch("new").unwrap();
        assert_eq!(states(world, &mut watch), [Connected]);
        old.hang_up();
        assert_eq!(states(world, &mut watch), [ConnectionDisrupted, Connecting, Connected]);
        pubsub.handle_network(Reachability::Offline);
        assert_eq!(states(world, &mut watch), [ConnectedPendingNetwork]);
        pubsub.handle_network(Reachability::Online);
        assert_eq!(states(world, &mut watch), [Connected]);
        let both = [Connected, ConnectedPendingNetwork, Connected];
        assert_eq!(states(world, &mut undisturbed), both);
        assert_eq!(pubsub.connection_state("old"), Ok(Connected));
    });
}

#[test]
fn connection_states_tell_of_a_server_that_is_late_and_of_a_network_found_missing() {
    let clock = Clock::moving();
    with_two(&clock, 5, |pubsub, _, world, [old, _]| {
        let mut watch = pubsub.watch("old").unwrap();
        assert_eq!(states(world, &mut watch), [Connected]);
        old.fall_silent();
        let mut late = vec![];
        for _ in 0..60 {
            clock.advance(1);
            late.extend(states(world, &mut watch));
            if late == [ConnectedPendingKeepAlive] {
                old.wake_up();
            }
        }
        assert_eq!(late, [ConnectedPendingKeepAlive, Connected]);
        old.fail_with(Some(ErrorKind::NotConnected));
        old.hang_up();
        let mut away = vec![];
        for _ in 0..6 {
            away.extend(states(world, &mut watch));
            clock.advance(1);
        }
        away.extend(states(world, &mut watch));
        let offline = ConnectionDisruptedPendingNetwork;
        assert_eq!(away, [ConnectionDisrupted, Connecting, offline]);
        old.fail_with(None);
        clock.advance(5);
        assert_eq!(states(world, &mut watch), [Connecting, Connected]);
    });
}
