//! Finding who gets a message among many subscriptions.

use crate::group::{Group, OURS, Target};
use dunlin_drive::pubsub::{Matching, Node, Route, Router, matches};
use std::cell::Cell;
use std::hint::black_box;

/// Most time for a message among exact filters, in nanoseconds.
const EXACT_MAX: f64 = 200.0;
/// Most instructions for one, which say more on a busy machine.
const EXACT_INSTRUCTIONS_MAX: u32 = 400;
/// Ten thousand filters may take so much of the time of one hundred: the ratio of their logarithms.
const GROWTH_MAX: f64 = 2.0;

const MANY: usize = 10_000;
const FEW: usize = 100;

type Memory = Router<String, Vec<Route<String>>, Vec<Node>>;

fn exact(at: usize) -> String {
    format!("site/{}/machine/{at}/temperature", at % 10)
}

/// Of three kinds, so that each topic of [`exact`] belongs to two of them.
fn wild(at: usize) -> String {
    match at % 3 {
        0 => format!("site/+/machine/{at}/temperature"),
        1 => format!("site/{}/machine/{at}/#", at % 10),
        _ => format!("+/+/+/{at}/+"),
    }
}

fn router(filters: impl Iterator<Item = String>) -> Memory {
    let mut router =
        Router::new(vec![Route::EMPTY; MANY], vec![Node::EMPTY; 8 * MANY], Matching::Standard);
    for filter in filters {
        router.add(None, filter).expect("there is room");
    }
    router
}

/// The topics of all `len` filters in turn, in an order that no cache foresees.
fn topics(len: usize) -> impl FnMut() -> usize {
    let at = Cell::new(0_usize);
    move || {
        at.set((at.get() + 7_919) % len);
        at.get()
    }
}

fn turn(filter: fn(usize) -> String, len: usize) -> impl FnMut() {
    let mut router = router((0..len).map(filter));
    let all: Vec<String> = (0..len).map(exact).collect();
    let mut next = topics(len);
    move || {
        let found = router.route(&all[next()]).count();
        assert!(black_box(found) > 0, "each topic has a subscriber");
    }
}

pub(crate) fn groups() -> Vec<Group> {
    let filters: Vec<String> = (0..MANY).map(exact).collect();
    let all = filters.clone();
    let mut next = topics(MANY);
    let compared = move || {
        let topic = &all[next()];
        let found = filters.iter().filter(|filter| matches(filter, topic, Matching::Standard));
        assert!(black_box(found.count()) > 0, "each topic has a subscriber");
    };
    vec![
        Group::new("route among 10,000 exact filters")
            .case(OURS, turn(exact, MANY))
            .peer("compare each", 0.01, compared)
            .target(Target::Nanos(EXACT_MAX))
            .instructions_max(EXACT_INSTRUCTIONS_MAX),
        Group::new("route among 10,000 filters with wildcards").case(OURS, turn(wild, MANY)).peer(
            "among 100",
            GROWTH_MAX,
            turn(wild, FEW),
        ),
    ]
}
