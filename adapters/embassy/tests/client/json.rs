//! Payloads as JSON.

use crate::pubsub::with_two;
use crate::world::{Clock, World};
use dunlin_embassy::pubsub::{Deliveries, Delivery, Error, InvalidJson, JSON_DEPTH_MAX};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use heapless::String as Text;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
struct Reading {
    celsius: f32,
    place: Text<16>,
    raw: [i64; 2],
}

/// What `read` makes of the next message.
fn of_next<T>(
    world: &mut World<'_>,
    deliveries: &mut Deliveries<'_, NoopRawMutex, 4, 2>,
    read: impl for<'b> FnOnce(&Delivery<'_, 'b>) -> T,
) -> T {
    let mut buffer = [0; 256];
    read(&world.finish(deliveries.next(&mut buffer)).unwrap().unwrap())
}

#[test]
fn value_comes_back_as_it_was_published() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, new]| {
        let mut readings = world.finish(pubsub.subscribe(&["readings"]).provider("old")).unwrap();
        let place = "K\u{fc}che \"2\"\n".try_into().unwrap();
        let reading = Reading { celsius: -21.5, place, raw: [i64::MIN, i64::MAX] };
        let mut memory = [0; 128];
        let publish = pubsub.publish(["readings"], &reading, &mut memory).provider("new");
        world.finish(publish).unwrap().into_result().unwrap();
        let [payload] = &new.messages()[..] else { panic!("{:?}", new.messages()) };
        old.publish("readings", payload);
        let read = of_next(world, &mut readings, |delivery| delivery.json::<Reading>());
        assert_eq!(read, Ok(reading));
    });
}

#[test]
fn value_without_room_is_refused_and_nothing_is_published() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, new]| {
        for len in 0..6 {
            let mut memory = vec![0; len];
            let publish = pubsub.publish(["a"], &[1, 23], &mut memory);
            assert_eq!(world.finish(publish).err(), Some(Error::Json), "{len}");
        }
        let mut memory = [0; 6];
        let publish = pubsub.publish(["a"], &[1, 23], &mut memory);
        world.finish(publish).unwrap().into_result().unwrap();
        assert_eq!([old.messages(), new.messages()], [[b"[1,23]"]; 2]);
    });
}

#[test]
fn payload_that_is_no_such_value_is_an_error_however_deep_it_goes() {
    let clock = Clock::moving();
    with_two(&clock, 0, |pubsub, _, world, [old, _]| {
        let mut all = world.finish(pubsub.subscribe(&["a"]).provider("old")).unwrap();
        let deep = [b"{\"x\":".to_vec(), b"[".repeat(JSON_DEPTH_MAX)].concat();
        for (payload, is_deep) in [
            (&b"{\"celsius\":"[..], false),
            (b"{\"celsius\":1}", false),
            (b"{} {}", false),
            (b"", false),
            (b"\xff\xfe", false),
            (&deep, true),
            (&deep[..deep.len() - 1], false),
        ] {
            old.publish("a", payload);
            let read = of_next(world, &mut all, |delivery| delivery.json::<Reading>());
            let error = read.expect_err("no reading");
            assert_eq!(error == InvalidJson::Depth, is_deep, "{payload:x?}: {error}");
        }
    });
}
