//! Futures of a client that are dropped, at each of their polls: nothing is lost, nothing leaks.

use crate::world::{Handle, Server, World, with_client};
use dunlin_embassy::{
    Event, PublishError, SUBSCRIPTIONS_MAX, Status, SubscribeError,
    dunlin::{Message, Qos, Version},
};

const VERSIONS: [Version; 2] = [Version::V3, Version::V5];

/// Bytes that the line carries at a time: the fewer, the more often everything is polled.
const CHUNKS: [usize; 3] = [1, 3, 64];

type Live<'l> = dyn FnMut(&mut dyn FnMut(&mut World<'_>)) + 'l;

/// Runs `test` with ever later ends of its future, until that comes to its own.
fn at_each_poll(mut test: impl FnMut(Handle<'_>, &mut Live<'_>, &Server, usize) -> bool) {
    for version in VERSIONS {
        for chunk in CHUNKS {
            let mut polls = 0;
            let mut done = false;
            while !done {
                with_client(version, chunk, |client, live, server| {
                    done = test(client, live, server, polls);
                });
                polls += 1;
            }
            println!("{version:?}, {chunk} bytes at a time: dropped at {polls} polls");
            assert!(polls > 1, "it was never dropped");
        }
    }
}

/// All that can be taken is free: receipts, subscriptions, memory.
fn check_pools(client: Handle<'_>, world: &mut World<'_>) {
    world.finish(client.drain()).unwrap();
    let message = Message::new("pool", &[0; 64], Qos::AtLeastOnce);
    let receipts = [(); 4].map(|()| client.enqueue(&message).unwrap());
    assert!(matches!(client.enqueue(&message), Err(PublishError::Rejected(_))));
    for receipt in receipts {
        world.finish(receipt).unwrap();
    }
    // The texts fill their memory.
    let subscriptions: Vec<_> = (0..SUBSCRIPTIONS_MAX)
        .map(|_| world.finish(client.subscribe("12345678", Qos::AtLeastOnce)).unwrap())
        .collect();
    let full = client.listen("12345678", Qos::AtLeastOnce);
    assert!(matches!(full, Err(SubscribeError::Full)));
    drop(full);
    drop(subscriptions);
    world.settle();
}

#[test]
fn publish_dropped_at_any_poll_still_arrives_once() {
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        at_each_poll(|client, live, server, polls| {
            let mut done = false;
            live(&mut |world| {
                done = world.cut(client.publish(&Message::new("t", b"one", qos)), polls).is_some();
                world.finish(client.drain()).unwrap();
                // Accepted at its first poll.
                let expected = if polls == 0 { vec![] } else { vec![b"one".to_vec()] };
                assert_eq!(server.messages(), expected);
                check_pools(client, world);
            });
            done
        });
    }
}

#[test]
fn publish_that_waits_for_room_dropped_leaves_nothing_behind() {
    at_each_poll(|client, live, server, polls| {
        let mut done = false;
        // Before the runner runs, nothing makes room.
        let mut filled = 0;
        let fill = Message::new("t", &[1; 100], Qos::AtLeastOnce);
        while let Ok(receipt) = client.enqueue(&fill) {
            drop(receipt);
            filled += 1;
        }
        live(&mut |world| {
            let late = Message::new("t", &[2; 100], Qos::AtLeastOnce);
            done = world.cut(client.publish(&late), polls).is_some();
            world.finish(client.drain()).unwrap();
            let late = server.messages().iter().filter(|payload| payload[0] == 2).count();
            assert_eq!(server.messages().len(), filled + late);
            assert!(late <= 1 && (late == 1 || !done));
            check_pools(client, world);
        });
        done
    });
}

#[test]
fn subscribe_dropped_at_any_poll_is_taken_back() {
    at_each_poll(|client, live, server, polls| {
        let mut done = false;
        live(&mut |world| {
            let subscribed = world.cut(client.subscribe("t/#", Qos::AtLeastOnce), polls);
            done = subscribed.is_some();
            world.settle();
            assert_eq!(server.filters().len(), usize::from(done));
            drop(subscribed);
            world.settle();
            assert_eq!(server.filters(), [""; 0]);
            check_pools(client, world);
        });
        done
    });
}

#[test]
fn next_dropped_at_any_poll_loses_no_message() {
    at_each_poll(|client, live, server, polls| {
        let mut done = false;
        live(&mut |world| {
            let mut inbox = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
            let mut heard: Vec<u8> = Vec::new();
            let mut buffer = [0; 256];
            // As many as the client says that it follows in MQTT 5.0.
            for number in 0..4_u8 {
                server.publish("t", &[number]);
            }
            while heard.len() < 4 {
                // Given up at first, then awaited.
                let early = world.cut(inbox.next(&mut buffer), polls);
                done = early.is_some();
                if let Some(message) = early {
                    heard.extend(message.unwrap().payload());
                } else {
                    let message = world.finish(inbox.next(&mut buffer)).unwrap();
                    heard.extend(message.payload());
                }
            }
            assert_eq!(heard, [0, 1, 2, 3]);
            world.settle();
            assert_eq!(server.acknowledged(), 4);
            drop(inbox);
            check_pools(client, world);
        });
        done
    });
}

#[test]
fn next_with_a_short_buffer_keeps_the_message() {
    with_client(Version::V3, 64, |client, live, server| {
        live(&mut |world| {
            let mut inbox = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
            server.publish("t", &[1; 20]);
            let needed = match world.finish(inbox.next(&mut [0; 4])) {
                Err(SubscribeError::TooShort { needed }) => needed,
                other => panic!("{other:?}"),
            };
            assert_eq!(server.acknowledged(), 0);
            let mut buffer = vec![0; needed];
            assert_eq!(world.finish(inbox.next(&mut buffer)).unwrap().payload(), [1; 20]);
        });
    });
}

#[test]
fn subscription_dropped_with_messages_waiting_acknowledges_them() {
    with_client(Version::V5, 64, |client, live, server| {
        live(&mut |world| {
            let inbox = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
            for number in 0..3 {
                server.publish("t", &[number]);
            }
            world.settle();
            assert_eq!(server.acknowledged(), 0);
            drop(inbox);
            world.settle();
            assert_eq!((server.acknowledged(), server.filters().len()), (3, 0));
            check_pools(client, world);
        });
    });
}

#[test]
fn events_dropped_at_any_poll_miss_nothing() {
    at_each_poll(|client, live, _, polls| {
        let mut done = false;
        let mut events = client.events();
        live(&mut |world| {
            let mut seen = Vec::new();
            while seen.len() < 2 {
                let early = world.cut(events.next(), polls);
                done = early.is_some();
                seen.push(early.unwrap_or_else(|| world.finish(events.next())));
            }
            assert!(matches!(seen[..], [Event::Connecting, Event::Connected(_)]), "{seen:?}");
            assert_eq!(client.status(), Status::Connected);
        });
        done
    });
}

#[test]
fn runner_dropped_at_any_turn_keeps_what_was_accepted() {
    for chunk in CHUNKS {
        let mut polls = 0;
        let mut done = false;
        while !done {
            with_client(Version::V3, chunk, |client, live, server| {
                let message = Message::new("t", b"one", Qos::AtLeastOnce);
                live(&mut |world| {
                    drop(client.enqueue(&message));
                    done = world.cut(client.drain(), polls).is_some();
                });
                assert_eq!(client.status(), Status::Closed);
                live(&mut |world| {
                    world.finish(client.drain()).unwrap();
                    check_pools(client, world);
                });
                let copies = server.messages().iter().filter(|payload| *payload == b"one").count();
                assert!((1..=2).contains(&copies), "{copies} copies");
            });
            polls += 1;
        }
        assert!(polls > 1);
    }
}

#[test]
fn messages_that_nobody_takes_wait_at_the_server_and_none_is_lost() {
    for version in VERSIONS {
        with_client(version, 64, |client, live, server| {
            live(&mut |world| {
                let mut inbox = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
                for number in 0..20 {
                    server.publish_unacknowledged("t", &[number]);
                }
                world.settle();
                let mut buffer = [0; 256];
                for number in 0..20 {
                    let message = world.finish(inbox.next(&mut buffer)).unwrap();
                    assert_eq!(message.payload(), [number]);
                }
                assert_eq!(inbox.lost(), 0);
            });
        });
    }
}

#[test]
fn publish_behind_messages_that_nobody_takes_is_acknowledged() {
    for version in VERSIONS {
        with_client(version, 64, |client, live, server| {
            live(&mut |world| {
                let mut inbox = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
                for number in 0..20 {
                    server.publish_unacknowledged("t", &[number]);
                }
                world.settle();
                let message = Message::new("other", b"one", Qos::AtLeastOnce);
                world.finish(client.publish(&message)).unwrap();
                let mut buffer = [0; 256];
                for number in 0..4 {
                    let message = world.finish(inbox.next(&mut buffer)).unwrap();
                    assert_eq!(message.payload(), [number]);
                }
                assert_eq!(inbox.lost(), 16);
            });
        });
    }
}
