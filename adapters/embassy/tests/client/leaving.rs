//! What is left behind: by subscriptions that end without room to say so, in the middle of a message, and
//! by clients that are closed and run again.

use crate::world::{
    Broker, Clock, Memory, World, keep_connected, with_client, with_config, with_connect,
};
use dunlin_embassy::{
    Backoff, PubSub, PublishError, Status, Subscription,
    dunlin::{Config, Connect, Message, Oversize, Properties, Property, Qos, ReasonCode, Version},
    pubsub::Drained,
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_async::ErrorKind;
use std::task::Poll;

const VERSIONS: [Version; 2] = [Version::V3, Version::V5];

#[test]
fn filter_wanted_again_before_its_end_was_said_is_kept_by_the_server() {
    for version in VERSIONS {
        with_client(version, 64, |client, live, server| {
            live(&mut |world| {
                let first = world.finish(client.subscribe("z", Qos::AtLeastOnce)).unwrap();
                let before = world.finish(client.subscribe("a", Qos::AtLeastOnce)).unwrap();
                let message = Message::new("t", b"", Qos::AtLeastOnce);
                let receipts = [(); 3].map(|()| client.enqueue(&message).unwrap());
                // Its end takes the last place, so that the other's cannot be said yet.
                drop(first);
                drop(before);
                let mut again = client.listen("a", Qos::AtLeastOnce).unwrap();
                world.finish(again.granted()).unwrap();
                world.settle();
                assert!(server.filters().contains(&"a".to_owned()), "{:?}", server.filters());
                server.publish("a", b"heard");
                let mut buffer = [0; 256];
                assert_eq!(world.finish(again.next(&mut buffer)).unwrap().payload(), b"heard");
                drop((receipts, again));
                world.settle();
                assert_eq!(server.filters(), [""; 0]);
            });
        });
    }
}

#[test]
fn filter_of_two_subscriptions_that_both_end_without_room_is_left() {
    for version in VERSIONS {
        with_client(version, 64, |client, live, server| {
            live(&mut |world| {
                let one = world.finish(client.subscribe("a", Qos::AtLeastOnce)).unwrap();
                let message = Message::new("t", b"", Qos::AtLeastOnce);
                let receipts = [(); 4].map(|()| client.enqueue(&message).unwrap());
                let unasked = client.listen("a", Qos::AtLeastOnce).unwrap();
                drop(one);
                drop(unasked);
                world.settle();
                assert_eq!(server.filters(), [""; 0]);
                drop(receipts);
            });
        });
    }
}

#[test]
fn subscription_dropped_in_a_long_message_leaves_no_piece_of_it_behind() {
    for version in VERSIONS {
        let config = Config::new().version(version).oversize(Oversize::Stream);
        with_config(config, 64, |client, live, server| {
            live(&mut |world| {
                let mut buffer = [0; 256];
                let mut cut = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
                server.publish("t", &[7; 900]);
                assert_eq!(world.finish(cut.next(&mut buffer)).unwrap().topic(), "t");
                drop(cut);
                let mut inbox = world.finish(client.subscribe("u", Qos::AtLeastOnce)).unwrap();
                world.settle();
                assert_eq!(server.acknowledged(), 1);
                for number in 0..20 {
                    server.publish("u", &[number; 100]);
                    let message = world.finish(inbox.next(&mut buffer)).unwrap();
                    assert_eq!((message.topic(), message.payload()), ("u", &[number; 100][..]));
                }
                world.settle();
                assert_eq!(server.acknowledged(), 21);
            });
        });
    }
}

/// Takes pieces until a message is whole that began with a first piece; says how many there were.
fn take_whole(
    world: &mut World<'_>,
    inbox: &mut Subscription<'_, NoopRawMutex, 4>,
    expected: &[u8],
) -> usize {
    let mut buffer = [0; 256];
    let mut came: Option<Vec<u8>> = None;
    let mut pieces = 0;
    loop {
        let piece = world.finish(inbox.next(&mut buffer)).unwrap();
        pieces += 1;
        assert_eq!(piece.len, expected.len());
        if piece.topic() == "t" {
            assert_eq!((piece.offset, piece.payload()), (0, &[][..]));
            came = Some(vec![]);
        } else if let Some(came) = &mut came {
            assert_eq!((piece.offset, piece.topic()), (came.len(), ""));
            came.extend(piece.payload());
        }
        if piece.is_last() {
            assert_eq!(came.as_deref(), Some(expected));
            return pieces;
        }
    }
}

#[test]
fn long_message_comes_in_order_and_is_acknowledged_with_its_last_piece() {
    let payload: Vec<u8> = (0..=250).cycle().take(900).collect();
    for version in VERSIONS {
        let config = Config::new().version(version).oversize(Oversize::Stream);
        for chunk in [1, 64] {
            with_config(config, chunk, |client, live, server| {
                live(&mut |world| {
                    let mut one = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
                    for taken in 0..3 {
                        server.publish("t", &payload);
                        assert!(take_whole(world, &mut one, &payload) > 2);
                        world.settle();
                        assert_eq!(server.acknowledged(), taken + 1);
                    }
                });
            });
        }
    }
}

#[test]
fn long_message_cut_off_with_its_connection_begins_anew_on_the_next() {
    let payload: Vec<u8> = (0..=250).cycle().take(900).collect();
    for version in VERSIONS {
        let config = Config::new().version(version).oversize(Oversize::Stream);
        with_config(config, 64, |client, live, server| {
            let mut inbox = client.listen("t", Qos::AtLeastOnce).unwrap();
            for taken in 1..4 {
                live(&mut |world| {
                    world.settle();
                    world.finish(inbox.granted()).unwrap();
                    server.publish("t", &payload);
                    let mut buffer = [0; 256];
                    for _ in 0..taken {
                        assert!(!world.finish(inbox.next(&mut buffer)).unwrap().is_last());
                    }
                });
                assert_eq!(server.acknowledged(), 0);
            }
            live(&mut |world| {
                world.settle();
                world.finish(inbox.granted()).unwrap();
                server.publish("t", &payload);
                take_whole(world, &mut inbox, &payload);
                world.settle();
                assert_eq!((server.acknowledged(), inbox.lost()), (1, 0));
            });
        });
    }
}

/// While somebody waits for an answer of the server's, what finds no room is given up; then it says so.
#[test]
fn message_without_room_is_refused_long_or_not_and_counted_once() {
    for len in [200, 900] {
        for version in VERSIONS {
            let config = Config::new().version(version).oversize(Oversize::Stream);
            with_config(config, 64, |client, live, server| {
                live(&mut |world| {
                    let inbox = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
                    for number in 0..2 {
                        server.publish("t", &[number; 200]);
                    }
                    server.publish("t", &vec![5; len]);
                    let message = Message::new("other", b"", Qos::AtLeastOnce);
                    world.finish(client.publish(&message)).unwrap();
                    drop(client.enqueue(&message));
                    assert_eq!((inbox.lost(), server.answers()), (1, vec![]));
                    // Acknowledgements go out in the order of the messages.
                    drop(inbox);
                    world.settle();
                    let quota = [ReasonCode::SUCCESS, ReasonCode::QUOTA_EXCEEDED]
                        [usize::from(version == Version::V5)];
                    let expected = [ReasonCode::SUCCESS, ReasonCode::SUCCESS, quota];
                    assert_eq!(server.answers(), expected);
                });
            });
        }
    }
}

#[test]
fn message_below_qos_1_that_is_half_written_is_lost_with_its_connection() {
    with_client(Version::V3, 1, |client, live, server| {
        let mut lost = None;
        live(&mut |world| {
            world.settle();
            let message = Message::new("t", &[0; 64], Qos::AtMostOnce);
            lost = Some(client.enqueue(&message).unwrap());
            // As many turns, and bytes.
            let turns = std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            assert_eq!(world.cut(turns, 20), None);
        });
        live(&mut |world| {
            let lost = world.finish(lost.take().unwrap());
            assert!(matches!(lost, Err(PublishError::Lost(_))), "{lost:?}");
        });
        assert_eq!(server.messages(), [[0_u8; 0]; 0]);
    });
}

/// The session that may be there is this client's own, and no other's.
#[test]
fn session_is_taken_up_again_where_it_outlives_a_connection() {
    for (expiry_s, clean) in [(0, [true, true]), (60, [true, false])] {
        let version = Version::V5;
        let list = [Property::SessionExpiryInterval(expiry_s)];
        let properties = Properties::new(&list);
        let connect = Connect { version, properties, ..Connect::new("test") };
        with_connect(Config::new().version(version), connect, 64, |_, live, server| {
            for _ in 0..2 {
                live(&mut |world| world.settle());
            }
            assert_eq!(server.clean(), clean);
        });
    }
}

/// The program's loop is quicker than whoever removes it.
#[test]
fn provider_whose_runner_runs_again_at_once_is_removed_all_the_same() {
    let clock = Clock::moving();
    clock.forget_timers();
    let broker = Broker::new(Version::V5);
    let mut memory = Memory::new();
    let (client, mut runner) = memory.client(Config::new().version(Version::V5));
    let pubsub = PubSub::<NoopRawMutex, 4, 1>::new();
    pubsub.add_provider("one", client).unwrap();
    let mut world = World::default();
    world.serve(&broker);
    world.run(async {
        keep_connected(&mut runner, &broker).await;
        keep_connected(&mut runner, &broker).await
    });
    world.settle();
    assert_eq!(world.finish(pubsub.remove_provider("one")), Ok(Drained::All));
}

#[test]
fn client_closed_without_a_connection_accepts_messages_when_it_runs_again() {
    let clock = Clock::moving();
    for was_connected in [false, true] {
        clock.forget_timers();
        let broker = Broker::new(Version::V5);
        let mut memory = Memory::new();
        let (client, runner) = memory.client(Config::new().version(Version::V5));
        let mut runner = runner.with_backoff(Backoff::constant(3_600_000));
        let mut world = World::default();
        world.serve(&broker);
        world.run(async {
            keep_connected(&mut runner, &broker).await;
            keep_connected(&mut runner, &broker).await
        });
        if was_connected {
            world.settle();
            broker.fail_with(Some(ErrorKind::NotConnected));
            client.close();
            broker.hang_up();
        } else {
            broker.fail_with(Some(ErrorKind::NotConnected));
            world.settle();
            client.close();
        }
        world.settle();
        assert_eq!((client.status(), world.running()), (Status::Disconnected, 1));
        let message = Message::new("t", b"later", Qos::AtLeastOnce);
        let receipt = client.enqueue(&message).unwrap();
        broker.fail_with(None);
        clock.advance(3_601);
        world.finish(receipt).unwrap();
        assert_eq!(broker.messages(), [b"later"]);
    }
}
