//! Who gets a message: subscribers and their filters, in the caller's memory.

mod nodes;
mod walk;

use crate::topic::{Matching, is_exact, without_share};
use core::marker::PhantomData;
pub use nodes::Node;
use nodes::Nodes;
pub use walk::Subscribers;

/// How many levels of a filter with wildcards are looked up; further ones are compared.
pub const LEVELS_MAX: usize = 16;

/// Names a subscriber of a [`Router`], which gives its name away again when it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Subscriber(u32);

impl Subscriber {
    /// A small number, less than the router has routes, and different from that of any other.
    pub fn index(self) -> usize {
        place(self.0)
    }
}

/// Whether somebody else subscribes to the same filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Holders {
    /// Others do.
    Others,
    /// Nobody does.
    None,
}

/// No route.
const NONE: u32 = u32::MAX;

fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// One filter of one subscriber.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Route<F> {
    /// `None` where the route is free.
    filter: Option<F>,
    /// The subscriber's first route, which names it.
    owner: u32,
    /// The subscriber's next route.
    sibling: u32,
    /// Beside it at the same node; `after` of a free one is the next free one.
    before: u32,
    after: u32,
    /// Of a first route: which message the subscriber has got last.
    turn: u32,
}

impl<F> Route<F> {
    /// Memory for one.
    pub const EMPTY: Self =
        Self { filter: None, owner: NONE, sibling: NONE, before: NONE, after: NONE, turn: 0 };
}

impl<F> Default for Route<F> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Who gets a message: filters and their subscribers.
///
/// A filter without wildcards is found by its hash; the others level by level, each by its hash, so that
/// it does not matter how many there are. Shared subscriptions are found by what they match. All lies in
/// the caller's memory, `[T; N]`, `&mut [T]` or `Vec<T>`: a [`Route`] for each filter of each
/// subscriber, and [`Node`]s, of which a filter takes one, or as many as it has levels if it has
/// wildcards; an eighth of them stays free.
#[derive(Debug)]
pub struct Router<F, R, N> {
    routes: R,
    nodes: Nodes<N>,
    matching: Matching,
    /// The first of the routes that were given back.
    free: u32,
    /// From here on, no route was ever taken.
    fresh: u32,
    /// Which message is being routed; zero is none.
    turn: u32,
    /// How many filters have wildcards.
    wildcards: usize,
    filter: PhantomData<F>,
}

impl<F, R, N> Router<F, R, N>
where
    F: AsRef<str>,
    R: AsRef<[Route<F>]> + AsMut<[Route<F>]>,
    N: AsRef<[Node]> + AsMut<[Node]>,
{
    /// Without subscribers, in memory that is all [`Route::EMPTY`] and [`Node::EMPTY`].
    pub const fn new(routes: R, nodes: N, matching: Matching) -> Self {
        Self {
            routes,
            nodes: Nodes::new(nodes),
            matching,
            free: NONE,
            fresh: 0,
            turn: 0,
            wildcards: 0,
            filter: PhantomData,
        }
    }

    /// Adds a filter: to a subscriber that is there, or to a new one.
    ///
    /// Without room for it, the filter comes back, and nothing has changed.
    pub fn add(&mut self, to: Option<Subscriber>, filter: F) -> Result<Subscriber, F> {
        if !self.nodes.has_room_for(nodes_of(filter.as_ref())) {
            return Err(filter);
        }
        let Some(at) = self.take_free() else { return Err(filter) };
        let owner = to.map_or(at, |subscriber| subscriber.0);
        let first = self.nodes.put(without_share(filter.as_ref()), at);
        if !is_exact(filter.as_ref()) {
            self.wildcards = self.wildcards.saturating_add(1);
        }
        if let Some(next) = self.route_mut(first) {
            next.before = at;
        }
        let sibling = match self.route_mut(owner) {
            Some(named) if owner != at => core::mem::replace(&mut named.sibling, at),
            _ => NONE,
        };
        if let Some(route) = self.route_mut(at) {
            *route =
                Route { filter: Some(filter), owner, sibling, before: NONE, after: first, turn: 0 };
        }
        Ok(Subscriber(owner))
    }

    /// Removes a subscriber; `each` gets its filters back: the first one, then the others, latest first.
    pub fn remove(&mut self, subscriber: Subscriber, mut each: impl FnMut(F, Holders)) {
        let mut at = subscriber.0;
        // Each turn gives one route back.
        while let Some(route) = self.route_mut(at)
            && route.owner == subscriber.0
            && let Some(filter) = route.filter.take()
        {
            let Route { sibling, before, after, .. } = core::mem::take(route);
            let first = if before == NONE { Some(after) } else { None };
            if let Some(previous) = self.route_mut(before) {
                previous.after = after;
            }
            if let Some(next) = self.route_mut(after) {
                next.before = before;
            }
            let first = self.nodes.take(without_share(filter.as_ref()), first);
            if !is_exact(filter.as_ref()) {
                self.wildcards = self.wildcards.saturating_sub(1);
            }
            let free = core::mem::replace(&mut self.free, at);
            if let Some(route) = self.route_mut(at) {
                route.after = free;
            }
            let holders = self.holders(first, filter.as_ref());
            each(filter, holders);
            at = sibling;
        }
    }

    /// Each subscriber that a message to `topic` belongs to, once, however many of its filters match.
    pub fn route<'r>(&'r mut self, topic: &'r str) -> Subscribers<'r, F> {
        self.turn = self.turn.wrapping_add(1);
        if self.turn == 0 {
            // What was noted 2³² messages ago must not be taken for this one.
            self.routes.as_mut().iter_mut().for_each(|route| route.turn = 0);
            self.turn = 1;
        }
        let wild = self.wildcards > 0;
        Subscribers::new(
            self.routes.as_mut(),
            self.nodes.lend(),
            topic,
            walk::Rules { matching: self.matching, turn: self.turn, wild },
        )
    }

    /// Whether no subscriber is there.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many routes and nodes the memory holds.
    pub fn capacity(&self) -> (usize, usize) {
        (self.routes.as_ref().len(), self.nodes.lend().len())
    }

    /// Everything, moved into other memory: subscribers keep their names.
    ///
    /// Where that has less room than is taken, it comes back unchanged, with the memory.
    pub fn moved_to<S, M>(
        mut self,
        mut routes: S,
        nodes: M,
    ) -> Result<Router<F, S, M>, (Self, S, M)>
    where
        S: AsRef<[Route<F>]> + AsMut<[Route<F>]>,
        M: AsRef<[Node]> + AsMut<[Node]>,
    {
        let taken = place(self.fresh);
        let mut moved = Nodes::new(nodes);
        if routes.as_ref().len() < taken || !moved.has_room_for(self.nodes.len()) {
            return Err((self, routes, moved.into_memory()));
        }
        moved.adopt(self.nodes.lend());
        for (from, to) in self.routes.as_mut().iter_mut().take(taken).zip(routes.as_mut()) {
            *to = core::mem::take(from);
        }
        Ok(Router {
            routes,
            nodes: moved,
            matching: self.matching,
            free: self.free,
            fresh: self.fresh,
            turn: self.turn,
            wildcards: self.wildcards,
            filter: PhantomData,
        })
    }

    fn route_mut(&mut self, at: u32) -> Option<&mut Route<F>> {
        self.routes.as_mut().get_mut(place(at))
    }

    fn take_free(&mut self) -> Option<u32> {
        if let Some(route) = self.routes.as_ref().get(place(self.free)) {
            let next = route.after;
            return Some(core::mem::replace(&mut self.free, next));
        }
        let at = self.fresh;
        if at == NONE || place(at) >= self.routes.as_ref().len() {
            return None;
        }
        self.fresh = at.saturating_add(1);
        Some(at)
    }

    /// Whether a route of the node that begins with `first` has this filter.
    fn holders(&self, first: u32, filter: &str) -> Holders {
        let routes = self.routes.as_ref();
        let mut at = first;
        // Usually the first has, and at most all.
        while let Some(route) = routes.get(place(at)) {
            if route.filter.as_ref().is_some_and(|other| other.as_ref() == filter) {
                return Holders::Others;
            }
            at = route.after;
        }
        Holders::None
    }
}

#[cfg(feature = "defmt")]
impl<F, R, N> defmt::Format for Router<F, R, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Router {{ {}, wildcards: {=usize} }}", self.matching, self.wildcards);
    }
}

/// How many nodes a filter takes at most.
fn nodes_of(filter: &str) -> usize {
    let filter = without_share(filter);
    if is_exact(filter) { 1 } else { filter.split('/').take(LEVELS_MAX).count() }
}

#[cfg(test)]
mod tests;
