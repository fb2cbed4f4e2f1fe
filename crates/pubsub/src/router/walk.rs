//! From a topic to its subscribers, level by level, without recursion.

use super::{
    LEVELS_MAX, NONE, Route, Subscriber,
    nodes::{Node, ROOT, child, exact, find},
    place,
};
use crate::topic::{Matching, matches};

/// Nodes that wait to be looked at, at most: each level leaves two behind, the last one three.
const WAITING_MAX: usize = 2 * LEVELS_MAX + 2;

/// What holds for one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) matching: Matching,
    /// Which message it is.
    pub(super) turn: u32,
    /// Whether there are filters with wildcards.
    pub(super) wild: bool,
}

/// A node that may be there, and what is left of the topic below it.
#[derive(Clone, Copy, Debug)]
struct Step<'r> {
    hash: u64,
    rest: Rest<'r>,
    depth: usize,
}

/// What is left of the topic.
#[derive(Clone, Copy, Debug)]
enum Rest<'r> {
    /// One level at least.
    Levels(&'r [u8]),
    /// Nothing: filters end here, or with `#` one level below.
    Nothing,
    /// Whatever it is, filters end here.
    Any,
}

/// Each subscriber of a message, once.
#[derive(Debug)]
pub struct Subscribers<'r, F> {
    routes: &'r mut [Route<F>],
    nodes: &'r [Node],
    topic: &'r str,
    rules: Rules,
    /// The route to be looked at next.
    at: u32,
    waiting: [Step<'r>; WAITING_MAX],
    len: usize,
}

impl<'r, F: AsRef<str>> Subscribers<'r, F> {
    pub(super) fn new(
        routes: &'r mut [Route<F>],
        nodes: &'r [Node],
        topic: &'r str,
        rules: Rules,
    ) -> Self {
        let whole = Step { hash: exact(topic), rest: Rest::Any, depth: 0 };
        let mut subscribers =
            Self { routes, nodes, topic, rules, at: NONE, waiting: [whole; WAITING_MAX], len: 1 };
        if rules.wild {
            subscribers.descend(ROOT, topic.as_bytes(), 0);
        }
        subscribers
    }

    fn push(&mut self, hash: u64, rest: Rest<'r>, depth: usize) {
        if let Some(place) = self.waiting.get_mut(self.len) {
            *place = Step { hash, rest, depth };
            self.len = self.len.saturating_add(1);
        }
    }

    /// The nodes below `parent` that the next level leads to.
    fn descend(&mut self, parent: u64, levels: &'r [u8], depth: usize) {
        let below = depth.saturating_add(1);
        let mut parts = levels.splitn(2, |byte| *byte == b'/');
        let level = parts.next().unwrap_or_default();
        let rest = parts.next().map_or(Rest::Nothing, Rest::Levels);
        // [MQTT-4.7.2-1] No wildcard stands for a first level that begins with a dollar sign.
        if depth > 0 || level.first() != Some(&b'$') {
            self.push(child(parent, b"#"), Rest::Any, below);
            self.push(child(parent, b"+"), rest, below);
        }
        self.push(child(parent, level), rest, below);
    }

    /// The first route of the next node where filters end.
    fn next_list(&mut self) -> Option<u32> {
        // Each turn takes a step that waits; those that it adds lie one level lower.
        loop {
            self.len = self.len.checked_sub(1)?;
            let Step { hash, rest, depth } = *self.waiting.get(self.len)?;
            let Some(node) = find(self.nodes, hash).and_then(|at| self.nodes.get(at)) else {
                continue;
            };
            let Node { first, through, .. } = *node;
            match rest {
                // Deeper filters end here, too, and are compared.
                _ if depth >= LEVELS_MAX => return Some(first),
                Rest::Levels(levels) => {
                    if through > 0 {
                        self.descend(hash, levels, depth);
                    }
                    continue;
                }
                // The parent level is matched, too, but not at AWS.
                Rest::Nothing if through > 0 && self.rules.matching == Matching::Standard => {
                    self.push(child(hash, b"#"), Rest::Any, depth.saturating_add(1));
                }
                Rest::Nothing | Rest::Any => {}
            }
            if first != NONE {
                return Some(first);
            }
        }
    }
}

impl<F: AsRef<str>> Iterator for Subscribers<'_, F> {
    type Item = Subscriber;

    fn next(&mut self) -> Option<Subscriber> {
        // Each turn takes a route of a list, and a route is in one list.
        loop {
            if self.at == NONE {
                self.at = self.next_list()?;
            }
            let Some(route) = self.routes.get(place(self.at)) else {
                self.at = NONE;
                continue;
            };
            let Route { filter, owner, after, .. } = route;
            let (owner, after) = (*owner, *after);
            let belongs = filter
                .as_ref()
                .is_some_and(|filter| matches(filter.as_ref(), self.topic, self.rules.matching));
            self.at = after;
            if belongs
                && let Some(named) = self.routes.get_mut(place(owner))
                && named.turn != self.rules.turn
            {
                named.turn = self.rules.turn;
                return Some(Subscriber(owner));
            }
        }
    }
}
