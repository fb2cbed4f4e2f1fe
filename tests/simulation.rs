//! Random schedules of everything that goes wrong, in virtual time.
//!
//! `DUNLIN_SEEDS` sets how many are run, `DUNLIN_SEED` which one is the first.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "host code: a test may panic"
)]

use dunlin::Version;
use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use support::sim::{self, Bug, Plan, Summary};

/// How many schedules every run of the tests goes through.
const SEEDS: u64 = 10_000;

/// Within how many schedules a planted fault must be found.
const PLANTED_SEEDS: u64 = 2_000;

/// Promises 1 to 5: see the rules of `Record`, `Broker` and `Node`.
#[test]
fn every_schedule_keeps_every_promise() {
    let (first, count) = (number("DUNLIN_SEED").unwrap_or(1), number("DUNLIN_SEEDS"));
    let count = count.unwrap_or(SEEDS);
    println!("{count} schedules from seed {first}");
    let begun = Instant::now();
    let total = match search(first, count, |seed| Plan::of(seed, None), |_| true) {
        Ok(total) => total,
        Err((seed, problem)) => panic!(
            "seed {seed}: {problem}\nagain: DUNLIN_SEED={seed} DUNLIN_SEEDS=1 \
             cargo test -p tests --test simulation every_schedule"
        ),
    };
    let seconds = begun.elapsed().as_secs_f64();
    println!("{total:?} in {seconds:.1} s: {:.0} schedules a second", count as f64 / seconds);
    assert!(total.messages as u64 >= count && u64::from(total.connections) >= count);
}

#[test]
fn planted_fault_is_found_whatever_it_is() {
    let both = Bug::OF_BOTH.map(|bug| [(bug, Version::V3), (bug, Version::V5)]);
    let v5 = Bug::OF_V5.map(|bug| (bug, Version::V5));
    for (bug, version) in both.into_iter().flatten().chain(v5) {
        let plan = |seed| Plan::of(seed, Some(bug)).speaking(version);
        // Another rule may be broken first: each is to be shown to work.
        match search(1, PLANTED_SEEDS, plan, |problem| problem.contains(bug.verdict())) {
            Err((seed, problem)) => println!("{bug:?} in {version:?}: seed {seed}: {problem:.120}"),
            Ok(total) => panic!("{bug:?} was not found in {version:?}: {total:?}"),
        }
    }
}

#[test]
fn schedule_of_one_seed_is_always_the_same() {
    for seed in 1..50 {
        let runs = [(); 2].map(|()| sim::run(Plan::of(seed, None), seed));
        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
}

/// Runs `count` schedules on all processors; the first broken promise that `counts` ends it.
fn search(
    first: u64,
    count: u64,
    plan: impl Fn(u64) -> Plan + Sync,
    counts: impl Fn(&str) -> bool + Sync,
) -> Result<Summary, (u64, String)> {
    let next = AtomicU64::new(first);
    let found = Mutex::new(Ok(Summary::default()));
    let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while lock().is_ok() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let outcome = sim::run(plan(seed), seed);
                    let mut found = lock();
                    match (&mut *found, outcome) {
                        (Ok(total), Ok(run)) => {
                            total.messages += run.messages;
                            total.connections += run.connections;
                            total.took += run.took;
                        }
                        (Ok(_), Err(problem)) if counts(&problem) => *found = Err((seed, problem)),
                        _ => {}
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().expect("a number"))
}
