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
struct Step {
    hash: u64,
    /// Where the topic goes on, whose length is one of 16 bits (MQTT 5.0 §1.5.4).
    at: u32,
    rest: Rest,
    depth: u8,
}

/// What is left of the topic.
#[derive(Clone, Copy, Debug)]
enum Rest {
    /// One level at least.
    Levels,
    /// Nothing: filters end here, or with `#` one level below.
    Nothing,
    /// Whatever it is, filters end here.
    Any,
}

/// What is still to be looked at among filters with wildcards.
#[derive(Clone, Copy, Debug)]
struct Waiting<'r> {
    topic: &'r [u8],
    steps: [Step; WAITING_MAX],
    len: usize,
}

impl<'r> Waiting<'r> {
    fn new(topic: &'r str) -> Self {
        let root = Step { hash: ROOT, at: 0, rest: Rest::Levels, depth: 0 };
        let mut waiting = Self { topic: topic.as_bytes(), steps: [root; WAITING_MAX], len: 0 };
        waiting.descend(root);
        waiting
    }

    fn push(&mut self, step: Step) {
        if let Some(place) = self.steps.get_mut(self.len) {
            *place = step;
            self.len = self.len.saturating_add(1);
        }
    }

    /// The nodes that the next level leads to.
    fn descend(&mut self, from: Step) {
        let depth = from.depth.saturating_add(1);
        let levels = self.topic.get(place(from.at)..).unwrap_or_default();
        let end = levels.iter().position(|byte| *byte == b'/');
        let level = levels.get(..end.unwrap_or(levels.len())).unwrap_or_default();
        let rest = if end.is_some() { Rest::Levels } else { Rest::Nothing };
        let len = u32::try_from(level.len()).unwrap_or(u32::MAX);
        let at = from.at.saturating_add(len).saturating_add(1);
        // [MQTT-4.7.2-1] No wildcard stands for a first level that begins with a dollar sign.
        if from.depth > 0 || level.first() != Some(&b'$') {
            self.push(Step { hash: child(from.hash, b"#"), at, rest: Rest::Any, depth });
            self.push(Step { hash: child(from.hash, b"+"), at, rest, depth });
        }
        self.push(Step { hash: child(from.hash, level), at, rest, depth });
    }

    /// The first route of the next node where filters end.
    fn next_list(&mut self, nodes: &[Node], matching: Matching) -> Option<u32> {
        // Each turn takes a step that waits; those that it adds lie one level lower.
        loop {
            self.len = self.len.checked_sub(1)?;
            let step = *self.steps.get(self.len)?;
            let Some(node) = find(nodes, step.hash) else { continue };
            match step.rest {
                // Deeper filters end here, too, and are compared.
                _ if usize::from(step.depth) >= LEVELS_MAX => return Some(node.first),
                Rest::Levels => {
                    if node.through > 0 {
                        self.descend(step);
                    }
                    continue;
                }
                // The parent level is matched, too, but not at AWS.
                Rest::Nothing if node.through > 0 && matching == Matching::Standard => {
                    let hash = child(step.hash, b"#");
                    let depth = step.depth.saturating_add(1);
                    self.push(Step { hash, rest: Rest::Any, depth, ..step });
                }
                Rest::Nothing | Rest::Any => {}
            }
            if node.first != NONE {
                return Some(node.first);
            }
        }
    }
}

/// Each subscriber of a message, once.
#[derive(Debug)]
pub struct Subscribers<'r, F> {
    routes: &'r mut [Route<F>],
    nodes: &'r [Node],
    topic: &'r str,
    rules: Rules,
    /// The route to be looked at next; at first of those without wildcards.
    at: u32,
    /// `None` if no filter has wildcards: there is nothing to fill then.
    waiting: Option<Waiting<'r>>,
}

impl<'r, F: AsRef<str>> Subscribers<'r, F> {
    pub(super) fn new(
        routes: &'r mut [Route<F>],
        nodes: &'r [Node],
        topic: &'r str,
        rules: Rules,
    ) -> Self {
        let at = find(nodes, exact(topic)).map_or(NONE, |node| node.first);
        let waiting = if rules.wild { Some(Waiting::new(topic)) } else { None };
        Self { routes, nodes, topic, rules, at, waiting }
    }

    fn next_list(&mut self) -> Option<u32> {
        self.waiting.as_mut()?.next_list(self.nodes, self.rules.matching)
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

#[cfg(feature = "defmt")]
impl<F> defmt::Format for Subscribers<'_, F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Subscribers {{ topic: {=str} }}", self.topic);
    }
}
