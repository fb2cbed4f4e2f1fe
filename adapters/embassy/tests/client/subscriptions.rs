//! Subscriptions beside each other, and over more than one connection.

use crate::world::{World, with_client};
use dunlin_embassy::{
    SubscribeError, Subscription,
    dunlin::{Qos, Version},
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;

const VERSIONS: [Version; 2] = [Version::V3, Version::V5];

/// The next payload, which is there already or comes.
fn next(world: &mut World<'_>, inbox: &mut Subscription<'_, NoopRawMutex, 4>) -> (String, Vec<u8>) {
    let mut buffer = [0; 256];
    let message = world.finish(inbox.next(&mut buffer)).unwrap();
    (message.topic().to_owned(), message.payload().to_vec())
}

#[test]
fn message_of_two_subscriptions_comes_to_both_and_is_acknowledged_once() {
    for version in VERSIONS {
        with_client(version, 64, |client, live, server| {
            live(&mut |world| {
                let mut one = world.finish(client.subscribe("a/+", Qos::AtLeastOnce)).unwrap();
                let mut all = world.finish(client.subscribe("#", Qos::AtLeastOnce)).unwrap();
                server.publish("a/b", b"both");
                assert_eq!(next(world, &mut one), ("a/b".to_owned(), b"both".to_vec()));
                world.settle();
                assert_eq!(server.acknowledged(), 0, "the other has not taken it");
                assert_eq!(next(world, &mut all), ("a/b".to_owned(), b"both".to_vec()));
                world.settle();
                assert_eq!(server.acknowledged(), 1);
            });
        });
    }
}

/// What is taken out of the middle leaves room for what comes, and moves nothing else.
#[test]
fn subscription_that_is_read_first_leaves_the_other_its_messages_in_order() {
    with_client(Version::V3, 64, |client, live, server| {
        live(&mut |world| {
            let mut slow = world.finish(client.subscribe("slow", Qos::AtMostOnce)).unwrap();
            let mut fast = world.finish(client.subscribe("fast", Qos::AtMostOnce)).unwrap();
            server.publish_unacknowledged("slow", &[0; 60]);
            for round in 0..20 {
                server.publish_unacknowledged("fast", &[round; 50]);
                assert_eq!(next(world, &mut fast), ("fast".to_owned(), vec![round; 50]));
            }
            server.publish_unacknowledged("slow", &[1; 60]);
            for number in 0..2 {
                assert_eq!(next(world, &mut slow), ("slow".to_owned(), vec![number; 60]));
            }
        });
    });
}

#[test]
fn filter_of_two_subscriptions_is_left_with_the_last_of_them() {
    with_client(Version::V5, 64, |client, live, server| {
        live(&mut |world| {
            let one = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
            let mut two = world.finish(client.subscribe("t", Qos::AtLeastOnce)).unwrap();
            drop(one);
            world.settle();
            server.publish("t", b"still");
            assert_eq!(next(world, &mut two).1, b"still");
            drop(two);
            world.settle();
            assert_eq!(server.filters(), [""; 0]);
        });
    });
}

#[test]
fn subscription_is_made_again_where_the_server_has_forgotten_it() {
    for version in VERSIONS {
        with_client(version, 64, |client, live, server| {
            let mut inbox = client.listen("t", Qos::AtLeastOnce).unwrap();
            for life in 0..3 {
                live(&mut |world| {
                    world.finish(inbox.granted()).unwrap();
                    world.settle();
                    assert_eq!(server.filters().len(), life + 1);
                    server.publish("t", &[7]);
                    assert_eq!(next(world, &mut inbox).1, [7]);
                });
            }
        });
    }
}

#[test]
fn filter_that_is_not_valid_is_rejected_before_anything_is_sent() {
    with_client(Version::V3, 64, |client, live, server| {
        let rejected = client.listen("a/#/b", Qos::AtLeastOnce);
        assert!(matches!(rejected, Err(SubscribeError::Rejected(_))));
        live(&mut |world| world.settle());
        assert_eq!(server.filters(), [""; 0]);
    });
}
