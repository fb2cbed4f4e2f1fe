//! Crashes: a session in a file or in flash, cut off at every byte of every write to the file and in every
//! write to the flash, loses no accepted
//! message, hands over none of QoS 2 twice, and uses no identifier that is still in use.
//!
//! A scenario runs against a scripted broker. Then it runs again for each of these points: up to
//! there the store has it, the rest and the process are gone; a new process takes the store up, does
//! what is left of the scenario, and comes to an end with the broker.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "host code for tests: a test that cannot go on panics"
)]

#[path = "crash/broker.rs"]
mod broker;
#[path = "crash/disks.rs"]
mod disks;
#[path = "crash/world.rs"]
mod world;

use disks::{Disk, Flash, LogFile};
use dunlin_mqtt::{Qos, Version};
use world::{Step, World};

const VERSIONS: [Version; 2] = [Version::V3, Version::V5];

/// Both QoS both ways, half-way answers, reconnects, a session that is lost, and the store written anew.
const SCENARIO: &[Step] = &[
    Step::Publish(Qos::AtLeastOnce),
    Step::Publish(Qos::ExactlyOnce),
    Step::Connect,
    Step::Turn,
    Step::Send(Qos::ExactlyOnce),
    Step::Send(Qos::AtLeastOnce),
    Step::Subscribe,
    Step::Publish(Qos::AtMostOnce),
    Step::Publish(Qos::ExactlyOnce),
    Step::Turn,
    Step::Cut,
    Step::Publish(Qos::ExactlyOnce),
    Step::Connect,
    Step::Turn,
    Step::Send(Qos::ExactlyOnce),
    Step::Settle,
    Step::Rewrite,
    Step::Publish(Qos::AtLeastOnce),
    Step::Settle,
    Step::Publish(Qos::ExactlyOnce),
    Step::Turn,
    Step::Lose,
    Step::Publish(Qos::ExactlyOnce),
    Step::Connect,
    Step::Turn,
    Step::Send(Qos::ExactlyOnce),
    Step::Turn,
];

#[test]
fn file_cut_at_every_byte_of_every_write_loses_and_repeats_nothing() {
    for version in VERSIONS {
        let cuts = every_cut::<LogFile>(version, SCENARIO);
        println!("{version:?}: {cuts} crashes of the file");
        assert!(cuts > 500, "the scenario writes too little");
    }
}

#[test]
fn flash_cut_in_every_write_and_erase_loses_and_repeats_nothing() {
    for version in VERSIONS {
        let cuts = every_cut::<Flash>(version, SCENARIO);
        println!("{version:?}: {cuts} crashes of the flash");
        assert!(cuts > 150, "the scenario writes too little");
    }
}

/// Random scenarios with a crash every now and then.
#[test]
fn random_scenarios_with_crashes_lose_and_repeat_nothing() {
    let first: u64 = 0x5eed_0000;
    for seed in first..first + 150 {
        let version = VERSIONS[(seed % 2) as usize];
        println!("seed {seed:#x}, {version:?}");
        random::<LogFile>(version, seed);
        random::<Flash>(version, seed);
    }
}

/// Runs a scenario once as it is, and once for each point of its writes; says how many those were.
fn every_cut<D: Disk>(version: Version, scenario: &[Step]) -> usize {
    let mut whole = World::new(version, D::new(None));
    whole.run(scenario);
    whole.finish();
    let written = whole.written();
    for cut in 0..written {
        let mut world = World::new(version, D::new(Some(cut)));
        world.run(scenario);
        world.finish();
        assert_eq!(world.crashes(), 1, "at {cut} of {written}");
    }
    written
}

fn random<D: Disk>(version: Version, seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let mut world = World::new(version, D::new(Some(next(300))));
    for _ in 0..60 {
        let step = match next(14) {
            0 => Step::Publish(Qos::AtLeastOnce),
            1 | 2 => Step::Publish(Qos::ExactlyOnce),
            3 => Step::Publish(Qos::AtMostOnce),
            4 => Step::Send(Qos::AtLeastOnce),
            5 | 6 => Step::Send(Qos::ExactlyOnce),
            7 => Step::Connect,
            8 => Step::Cut,
            9 if next(4) == 0 => Step::Lose,
            9 => Step::Rewrite,
            10 => Step::Subscribe,
            _ => Step::Turn,
        };
        world.run(&[step]);
        if world.is_whole() && next(4) == 0 {
            world.crash_after(next(200));
        }
    }
    world.finish();
}
