//! Which subscription a message belongs to, and which filters the server still has to hear of.

mod asking;
mod early;
mod farewells;
mod table;

use crate::{Overflow, Received, SubscribeError, shared::ClientSession};
use asking::{Answer, Asking, Remarks, Wish};
use dunlin_drive::{
    dunlin::{
        self, AckToken, Message, Properties, Qos, ReasonCode, Reasons, Token, mqtt::AckError,
    },
    pubsub::{Holders, Matching},
};
use early::Early;
use farewells::{Farewells, Unwanted};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    task::{Context, Poll},
};
pub(crate) use table::Id;
use table::{Entry, Table};
use tokio::sync::oneshot;

/// Most filters in one SUBSCRIBE: AWS IoT Core drops a connection that sends nine.
const FILTERS_MAX: usize = 8;

/// A message, and what to acknowledge when it is taken.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) message: Received,
    pub(crate) ack: Option<AckToken>,
}

/// How many messages a subscription holds, and what happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) max: usize,
    pub(crate) overflow: Overflow,
}

/// A message that more than one subscription has to let go of.
#[derive(Debug)]
struct Shared {
    takers: usize,
    /// What they say: the first refusal counts.
    reason: ReasonCode,
}

/// All subscriptions of a client.
#[derive(Debug)]
pub(crate) struct Router {
    table: Table,
    asking: Asking,
    farewells: Farewells,
    /// What others subscribe to as well, and the server may have from subscriptions that are gone.
    inherited: HashSet<Arc<str>>,
    /// Messages that more than one subscription has to take.
    shared_acks: HashMap<AckToken, Shared>,
    early: Early,
    limit: Queue,
    /// Messages that had no room, in all.
    dropped: u64,
}

impl Router {
    /// The queues have this `limit` unless a subscription has another one.
    pub(crate) fn new(limit: Queue, matching: Matching) -> Self {
        Self {
            table: Table::new(matching),
            asking: Asking::default(),
            farewells: Farewells::default(),
            inherited: HashSet::new(),
            shared_acks: HashMap::new(),
            early: Early::default(),
            limit,
            dropped: 0,
        }
    }

    /// A new subscription; the server hears of it at the next [`Router::pump`].
    pub(crate) fn add(
        &mut self,
        wishes: &[dunlin::Subscription<'_>],
        properties: Properties<'_>,
        queue: Option<Queue>,
    ) -> Id {
        let wishes = wishes
            .iter()
            .map(|wish| Wish {
                filter: Arc::from(wish.filter),
                options: dunlin::Subscription { filter: "", ..*wish },
                answer: Answer::Unasked,
            })
            .collect::<Vec<_>>();
        let back =
            self.farewells.take_back(|filter| wishes.iter().any(|wish| *wish.filter == *filter));
        self.inherited.extend(back);
        let mut entry = Entry {
            wishes,
            remarks: Remarks::new(properties),
            queue: VecDeque::new(),
            limit: queue.unwrap_or(self.limit),
            lost: 0,
            end: None,
            waker: None,
            is_manual: false,
            is_alone: false,
        };
        entry.queue = self.early.take(|topic| self.table.belongs(&entry, topic));
        let id = self.table.insert(entry);
        self.asking.push(id);
        id
    }

    /// How many different filters there would be with these.
    #[cfg(feature = "aws")]
    pub(crate) fn filters_with(&self, wishes: &[dunlin::Subscription<'_>]) -> usize {
        let ids = self.table.ids();
        let entries = ids.iter().filter_map(|id| self.table.get(*id));
        let active = entries.filter(|entry| entry.end.is_none());
        let own = active.flat_map(|entry| entry.wishes.iter().map(|wish| &*wish.filter));
        let all: std::collections::HashSet<&str> =
            own.chain(wishes.iter().map(|wish| wish.filter)).collect();
        all.len()
    }

    /// Whether a SUBSCRIBE waits for its answer.
    #[cfg(feature = "aws")]
    pub(crate) fn is_asking(&self) -> bool {
        self.asking.is_waiting()
    }

    /// Nobody listens any more: what waits is given up, and the server is told; it answers for each
    /// filter, unless the client ends before.
    pub(crate) fn remove(
        &mut self,
        id: Id,
        session: &mut ClientSession,
    ) -> Vec<oneshot::Receiver<ReasonCode>> {
        let Some((entry, holders)) = self.table.remove(id) else { return Vec::new() };
        let mut answers = Vec::new();
        for waiting in entry.queue {
            self.let_go(waiting.ack, session);
        }
        if entry.wishes.iter().any(|wish| wish.answer == Answer::Unasked) {
            self.asking.forget(id);
        }
        for (wish, holders) in entry.wishes.into_iter().zip(holders) {
            let (unwanted, answer) = Unwanted::new(wish.filter.to_string());
            answers.push(answer);
            match (wish.is_known() || self.inherited.contains(&wish.filter), holders) {
                (false, _) => unwanted.end(ReasonCode::NO_SUBSCRIPTION_EXISTED),
                (true, Holders::Others) => {
                    self.inherited.insert(wish.filter);
                    unwanted.end(ReasonCode::SUCCESS);
                }
                (true, Holders::None) => {
                    self.inherited.remove(&wish.filter);
                    self.farewells.push(unwanted);
                }
            }
        }
        self.pump(session);
        answers
    }

    /// Tells the server what it does not know yet, as far as the session has room.
    pub(crate) fn pump(&mut self, session: &mut ClientSession) {
        if self.farewells.pump(session) {
            self.asking.pump(&mut self.table, session);
        }
    }

    /// The server knows of no subscription: all are to be made again.
    pub(crate) fn forget_answers(&mut self) {
        self.inherited.clear();
        for wish in self.table.iter_mut().flat_map(|entry| &mut entry.wishes) {
            // What was refused is never asked for again: its subscription has ended.
            if let Answer::Given(_) = wish.answer {
                wish.answer = Answer::Unasked;
            }
        }
        self.asking.push_all(&self.table);
    }

    /// Whether every subscription that blocks has room.
    pub(crate) fn poll_ready(&self) -> Poll<()> {
        if self.table.fill.blocked > 0 { Poll::Pending } else { Poll::Ready(()) }
    }

    /// A SUBACK has come.
    pub(crate) fn handle_subscribed(
        &mut self,
        token: Token,
        reasons: Reasons<'_>,
        properties: &Properties<'_>,
    ) {
        self.asking.handle_subscribed(token, reasons, properties, &mut self.table);
    }

    /// An UNSUBACK has come.
    pub(crate) fn handle_unsubscribed(&mut self, token: Token, reasons: Reasons<'_>) {
        self.farewells.handle_unsubscribed(token, reasons);
    }

    /// A SUBSCRIBE or an UNSUBSCRIBE cannot be sent to this server.
    pub(crate) fn handle_rejected(&mut self, token: Token, reason: ReasonCode) {
        self.farewells.handle_rejected(token, reason);
        self.asking.handle_rejected(token, reason, &mut self.table);
    }

    /// A message has come: each subscription that it belongs to gets it.
    pub(crate) fn handle_message(
        &mut self,
        message: &Message<'_>,
        duplicate: bool,
        ack: Option<AckToken>,
        session: &mut ClientSession,
    ) {
        let topic = message.head.topic;
        let mut received = None;
        let mut takers = 0;
        let mut evicted = Vec::new();
        self.table.for_topic(topic, |entry, fill| {
            if entry.is_full() && (ack.is_none() || entry.limit.overflow == Overflow::DropOldest) {
                entry.lost += 1;
                self.dropped += 1;
                if entry.limit.overflow != Overflow::DropOldest {
                    return;
                }
                let oldest = fill.follow(entry, |entry| entry.queue.pop_front());
                evicted.extend(oldest.map(|oldest| oldest.ack));
            }
            let message = received.get_or_insert_with(|| Received::new(message, duplicate)).clone();
            fill.follow(entry, |entry| entry.queue.push_back(Waiting { message, ack }));
            takers += 1;
            entry.wake();
        });
        match (ack, takers) {
            (Some(ack), 0) if self.early.is_open() => {
                let message = Received::new(message, duplicate);
                self.early.waiting.push_back(Waiting { message, ack: Some(ack) });
            }
            (_, 0) => self.let_go(ack, session),
            (Some(ack), 2..) => {
                self.shared_acks.insert(ack, Shared { takers, reason: ReasonCode::SUCCESS });
            }
            _ => {}
        }
        for ack in evicted {
            self.let_go(ack, session);
        }
        self.hurry(session);
    }

    /// Acknowledges what waits in the queues when nearly as much is owed as can be: with that, the
    /// connection would not be read from, and answers to publishes would not come.
    ///
    /// While a queue is full, it does not: then the server is to stop. Nor does it when as many
    /// messages as a queue holds wait for the first subscription.
    fn hurry(&mut self, session: &mut ClientSession) {
        let owed = session.unacknowledged();
        if owed <= crate::shared::INFLIGHT / 2 || self.table.fill.full > 0 {
            return;
        }
        let entries = self.table.iter_mut().filter(|entry| !entry.is_manual);
        let early = Some(&mut self.early.waiting).filter(|early| early.len() < self.limit.max);
        let queues = entries.map(|entry| &mut entry.queue).chain(early);
        let acks: Vec<_> = queues.flatten().map(|waiting| waiting.ack.take()).collect();
        for ack in acks {
            self.let_go(ack, session);
        }
    }

    /// The messages of `id` wait for the program's word.
    pub(crate) fn hold(&mut self, id: Id) {
        if let Some(entry) = self.table.get_mut(id) {
            entry.is_manual = true;
        }
    }

    /// A message for the subscription `id` and what it owes the server, or its end, with which it is to be
    /// removed; whoever asks is woken when there is one.
    pub(crate) fn poll_next(
        &mut self,
        id: Id,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Waiting, SubscribeError>>> {
        let Some((entry, fill)) = self.table.with_fill(id) else { return Poll::Ready(None) };
        if let Some(waiting) = fill.follow(entry, |entry| entry.queue.pop_front()) {
            return Poll::Ready(Some(Ok(waiting)));
        }
        if let Some(end) = entry.end.clone() {
            return Poll::Ready(Some(Err(end)));
        }
        entry.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ready when each filter is granted, or the subscription has come to its end.
    pub(crate) fn poll_granted(
        &mut self,
        id: Id,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<Qos>, SubscribeError>> {
        let Some(entry) = self.table.get_mut(id) else { return Poll::Pending };
        if let Some(end) = entry.end.clone() {
            return Poll::Ready(Err(end));
        }
        let granted = entry.wishes.iter().map(|wish| match wish.answer {
            Answer::Given(reason) => Qos::from_bits(reason.value()),
            Answer::Unasked | Answer::Asked => None,
        });
        match granted.collect() {
            Some(granted) => Poll::Ready(Ok(granted)),
            None => {
                entry.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// How many messages had no room in the queue of `id`.
    pub(crate) fn lost(&self, id: Id) -> u64 {
        self.table.get(id).map_or(0, |entry| entry.lost)
    }

    /// How many messages had no room in any queue so far.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The client has ended: what waits can still be taken.
    pub(crate) fn end(&mut self, error: &crate::Error) {
        self.farewells = Farewells::default();
        for entry in self.table.iter_mut() {
            entry.end.get_or_insert_with(|| SubscribeError::Closed(error.clone()));
            entry.wake();
        }
    }

    /// One subscription has let go of a message, and says so; the last one's word goes to the server.
    ///
    /// An error says that the connection it came over is gone.
    pub(crate) fn release(
        &mut self,
        ack: Option<AckToken>,
        reason: ReasonCode,
        session: &mut ClientSession,
    ) -> Result<(), AckError> {
        let Some(ack) = ack else { return Ok(()) };
        let Some(shared) = self.shared_acks.get_mut(&ack) else {
            return session.acknowledge(ack, reason);
        };
        if !shared.reason.is_error() {
            shared.reason = reason;
        }
        shared.takers -= 1;
        if shared.takers > 0 {
            return Ok(());
        }
        let reason = shared.reason;
        self.shared_acks.remove(&ack);
        session.acknowledge(ack, reason)
    }

    /// The same without a reason; a message of an earlier connection will come again instead.
    pub(crate) fn let_go(&mut self, ack: Option<AckToken>, session: &mut ClientSession) {
        let _stale = self.release(ack, ReasonCode::SUCCESS, session);
    }

    /// A new connection: what was owed to the last one for QoS 1 is void, and comes again.
    pub(crate) fn forget_acks(&mut self) {
        let once = |ack: &AckToken| ack.is_exactly_once();
        self.shared_acks.retain(|ack, _| once(ack));
        self.early.waiting.retain(|waiting| waiting.ack.as_ref().is_some_and(once));
    }

    /// The server goes on with a kept session: its messages may come before the first subscription.
    pub(crate) fn expect_early(&mut self) {
        self.early.open();
    }

    /// Messages that nobody has asked for in time are given up.
    pub(crate) fn let_go_of_early(&mut self, session: &mut ClientSession) {
        if !self.early.waiting.is_empty() && !self.early.is_open() {
            let acks: Vec<_> = self.early.waiting.drain(..).map(|waiting| waiting.ack).collect();
            for ack in acks {
                self.let_go(ack, session);
            }
        }
    }
}

#[cfg(test)]
mod tests;
