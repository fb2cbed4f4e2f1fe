//! All subscriptions of a client, found by their name or by a topic.

use super::{
    Queue, Waiting,
    asking::{Remarks, Wish},
};
use crate::{Overflow, SubscribeError};
use dunlin_drive::pubsub::{Holders, Matching, Node, Route, Router as Index, Subscriber, matches};
use std::{collections::VecDeque, mem, sync::Arc, task::Waker};

/// Names a subscription of this client; none has the name of another, not even later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    subscriber: Subscriber,
    serial: u64,
}

/// One subscription: its wishes, and what has come for it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wishes: Vec<Wish>,
    pub(super) remarks: Remarks,
    pub(super) queue: VecDeque<Waiting>,
    pub(super) limit: Queue,
    pub(super) lost: u64,
    pub(super) end: Option<SubscribeError>,
    pub(super) waker: Option<Waker>,
    /// The program acknowledges itself.
    pub(super) is_manual: bool,
    /// Its filters go in no packet with those of others.
    pub(super) is_alone: bool,
}

impl Entry {
    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= self.limit.max
    }

    fn matches(&self, topic: &str, matching: Matching) -> bool {
        self.wishes.iter().any(|wish| matches(&wish.filter, topic, matching))
    }
}

/// How many queues have no room.
#[derive(Debug, Default)]
pub(super) struct Fill {
    pub(super) full: usize,
    /// Those of which nothing may be dropped.
    pub(super) blocked: usize,
}

impl Fill {
    fn enter(&mut self, entry: &Entry) {
        let full = usize::from(entry.is_full());
        self.full += full;
        self.blocked += if entry.limit.overflow == Overflow::Block { full } else { 0 };
    }

    fn leave(&mut self, entry: &Entry) {
        let full = usize::from(entry.is_full());
        self.full -= full;
        self.blocked -= if entry.limit.overflow == Overflow::Block { full } else { 0 };
    }

    /// Follows what `change` does to the queue of `entry`.
    pub(super) fn follow<T>(
        &mut self,
        entry: &mut Entry,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> T {
        self.leave(entry);
        let done = change(entry);
        self.enter(entry);
        done
    }
}

/// A place that a subscription has, or had.
type Slot = Option<(Id, Box<Entry>)>;

/// All subscriptions of a client.
#[derive(Debug)]
pub(super) struct Table {
    index: Index<Arc<str>, Vec<Route<Arc<str>>>, Vec<Node>>,
    /// Each where its subscriber's index says.
    slots: Vec<Slot>,
    serial: u64,
    pub(super) fill: Fill,
    matching: Matching,
}

impl Table {
    pub(super) fn new(matching: Matching) -> Self {
        Self {
            index: Index::new(Vec::new(), Vec::new(), matching),
            slots: Vec::new(),
            serial: 0,
            fill: Fill::default(),
            matching,
        }
    }

    /// Whether a message to `topic` belongs to `entry`.
    pub(super) fn belongs(&self, entry: &Entry, topic: &str) -> bool {
        entry.matches(topic, self.matching)
    }

    /// One more, which has one wish at least.
    pub(super) fn insert(&mut self, entry: Entry) -> Id {
        let mut subscriber = None;
        for wish in &entry.wishes {
            let mut filter = Arc::clone(&wish.filter);
            loop {
                match self.index.add(subscriber, filter) {
                    Ok(added) => break subscriber = Some(added),
                    Err(back) => filter = back,
                }
                self.grow();
            }
        }
        let subscriber = subscriber.expect("whoever subscribes has checked that there is a filter");
        self.serial += 1;
        let id = Id { subscriber, serial: self.serial };
        let at = subscriber.index();
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        self.fill.enter(&entry);
        self.slots[at] = Some((id, Box::new(entry)));
        id
    }

    /// The filter that has just come back needs more: twice as much of both.
    fn grow(&mut self) {
        /// Room for the first few filters.
        const FIRST: usize = 4;
        let none = Index::new(Vec::new(), Vec::new(), self.matching);
        let index = mem::replace(&mut self.index, none);
        let (routes, nodes) = index.capacity();
        let routes = vec![Route::EMPTY; (routes * 2).max(FIRST)];
        let nodes = vec![Node::EMPTY; (nodes * 2).max(2 * FIRST)];
        self.index = match index.moved_to(routes, nodes) {
            Ok(index) | Err((index, ..)) => index,
        };
    }

    /// Takes it out; says for each wish whether others have the same.
    pub(super) fn remove(&mut self, id: Id) -> Option<(Entry, Vec<Holders>)> {
        let slot = self.slots.get_mut(id.subscriber.index())?;
        let (_, entry) = slot.take_if(|(own, _)| *own == id)?;
        self.fill.leave(&entry);
        let mut holders = Vec::with_capacity(entry.wishes.len());
        self.index.remove(id.subscriber, |_, others| holders.push(others));
        // The first wish comes first, and then the others backwards.
        if let Some(others) = holders.get_mut(1..) {
            others.reverse();
        }
        Some((*entry, holders))
    }

    pub(super) fn get(&self, id: Id) -> Option<&Entry> {
        let (own, entry) = self.slots.get(id.subscriber.index())?.as_ref()?;
        (*own == id).then_some(entry)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Entry> {
        let (own, entry) = self.slots.get_mut(id.subscriber.index())?.as_mut()?;
        (*own == id).then_some(entry)
    }

    /// Those that a message to `topic` belongs to, each once.
    pub(super) fn for_topic(&mut self, topic: &str, mut each: impl FnMut(&mut Entry, &mut Fill)) {
        for subscriber in self.index.route(topic) {
            if let Some(Some((_, entry))) = self.slots.get_mut(subscriber.index())
                && entry.end.is_none()
            {
                each(entry, &mut self.fill);
            }
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.slots.iter_mut().flatten().map(|(_, entry)| &mut **entry)
    }

    /// The names of all, oldest first.
    pub(super) fn ids(&self) -> Vec<Id> {
        let mut ids: Vec<_> = self.slots.iter().flatten().map(|(id, _)| *id).collect();
        ids.sort_unstable_by_key(|id| id.serial);
        ids
    }

    /// An entry beside the counters that follow its queue.
    pub(super) fn with_fill(&mut self, id: Id) -> Option<(&mut Entry, &mut Fill)> {
        let (own, entry) = self.slots.get_mut(id.subscriber.index())?.as_mut()?;
        (*own == id).then_some((&mut **entry, &mut self.fill))
    }
}
