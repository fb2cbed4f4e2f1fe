//! The filters of a client's subscriptions, and what the server has said to each.

use crate::{SUBSCRIPTIONS_MAX, SubscribeError, queue::Takers};
use core::task::{Context, Poll};
use dunlin_drive::{
    dunlin::{self, Qos, ReasonCode, Session, SubscribeError as Rejected, Token, octet},
    pubsub::{Matching, matches},
};
use embassy_sync::waitqueue::WakerRegistration;

/// What the server knows of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Unasked,
    Asked(Token),
    Granted(Qos),
    Refused(ReasonCode),
    Rejected(Rejected),
    /// Nothing comes any more, whatever the server has said.
    Removed,
}

struct Entry {
    at: usize,
    len: usize,
    qos: Qos,
    /// All filters of the same subscription.
    group: Takers,
    answer: Answer,
    /// Nobody listens any more; the server is to be told.
    leaving: bool,
    /// The server may have it from a subscription that is gone.
    inherited: bool,
    /// Messages that found no room, and for which no filter of the group stands before it.
    lost: u32,
    waker: WakerRegistration,
}

impl Entry {
    const fn is_leaving(&self) -> bool {
        self.leaving || matches!(self.answer, Answer::Removed)
    }

    const fn error(&self) -> Option<SubscribeError> {
        match self.answer {
            Answer::Refused(reason) => Some(SubscribeError::Refused(reason)),
            Answer::Rejected(error) => Some(SubscribeError::Rejected(error)),
            Answer::Removed => Some(SubscribeError::Removed),
            Answer::Unasked | Answer::Asked(_) | Answer::Granted(_) => None,
        }
    }
}

/// Names a filter: its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(usize);

impl Id {
    /// The bit that stands for it.
    pub(crate) fn taker(self) -> Takers {
        u32::try_from(self.0).ok().and_then(|place| 1_u8.checked_shl(place)).unwrap_or(0)
    }
}

/// A table of filters, whose texts lie in memory of the caller's.
pub(crate) struct Filters<'r> {
    memory: &'r mut [u8],
    used: usize,
    entries: [Option<Entry>; SUBSCRIPTIONS_MAX],
    /// The server does not know all of it yet.
    behind: bool,
}

impl<'r> Filters<'r> {
    pub(crate) const fn new(memory: &'r mut [u8]) -> Self {
        Self { memory, used: 0, entries: [const { None }; SUBSCRIPTIONS_MAX], behind: false }
    }

    /// A new subscription of some filters, if there is room for all of them; the server hears of it at
    /// the next [`Filters::pump`].
    pub(crate) fn add(&mut self, filters: &[&str], qos: Qos) -> Option<Takers> {
        let mut group = 0;
        for filter in filters {
            let Some(id) = self.add_one(filter, qos) else {
                self.of(group).for_each(|id| self.remove(id));
                return None;
            };
            group |= id.taker();
        }
        for id in self.of(group) {
            if let Some(Some(entry)) = self.entries.get_mut(id.0) {
                entry.group = group;
            }
        }
        self.behind = true;
        Some(group)
    }

    fn add_one(&mut self, filter: &str, qos: Qos) -> Option<Id> {
        let at = self.used;
        let end = at.checked_add(filter.len())?;
        let place = self.entries.iter().position(Option::is_none)?;
        octet::copy(filter.as_bytes(), self.memory.get_mut(at..end)?);
        self.used = end;
        let (len, waker) = (filter.len(), WakerRegistration::new());
        let answer = Answer::Unasked;
        let (leaving, inherited) = (false, false);
        let entry = Entry { at, len, qos, group: 0, answer, leaving, inherited, lost: 0, waker };
        *self.entries.get_mut(place)? = Some(entry);
        Some(Id(place))
    }

    /// Nobody listens any more: the server is told at the next [`Filters::pump`], if it must be.
    pub(crate) fn leave(&mut self, group: Takers) {
        self.of(group).for_each(|id| self.leave_one(id));
    }

    fn leave_one(&mut self, id: Id) {
        let Some(Some(entry)) = self.entries.get_mut(id.0) else { return };
        entry.leaving = true;
        let known =
            entry.inherited || matches!(entry.answer, Answer::Asked(_) | Answer::Granted(_));
        if known && !self.bequeath(id) {
            self.behind = true;
        } else {
            self.remove(id);
        }
    }

    /// Leaves what the server has to the other subscriptions of the same filter, if there are any.
    fn bequeath(&mut self, id: Id) -> bool {
        let mut found = false;
        for heir in self.ids().filter(|heir| *heir != id) {
            if self.text(heir) == self.text(id)
                && !self.is_leaving(heir)
                && let Some(Some(entry)) = self.entries.get_mut(heir.0)
            {
                entry.inherited = true;
                found = true;
            }
        }
        found
    }

    fn is_leaving(&self, id: Id) -> bool {
        matches!(self.entries.get(id.0), Some(Some(entry)) if entry.is_leaving())
    }

    fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..SUBSCRIPTIONS_MAX).map(Id)
    }

    fn of(&self, group: Takers) -> impl Iterator<Item = Id> + use<> {
        self.ids().filter(move |id| group & id.taker() != 0)
    }

    fn text(&self, id: Id) -> Option<&str> {
        let entry = self.entries.get(id.0)?.as_ref()?;
        text(self.memory, entry)
    }

    fn remove(&mut self, id: Id) {
        let Some(gone) = self.entries.get_mut(id.0).and_then(Option::take) else { return };
        let behind = gone.at.saturating_add(gone.len);
        octet::shift(self.memory, behind, gone.at, self.used.saturating_sub(behind));
        self.used = self.used.saturating_sub(gone.len);
        for entry in self.entries.iter_mut().flatten().filter(|entry| entry.at > gone.at) {
            entry.at = entry.at.saturating_sub(gone.len);
        }
    }

    /// Tells the server what it does not know yet, as far as the session has room.
    pub(crate) fn pump<const N: usize>(&mut self, session: &mut Session<&mut [u8], N>) {
        if !core::mem::take(&mut self.behind) {
            return;
        }
        for id in self.ids() {
            // Somebody may want it again.
            if self.is_leaving(id) && self.bequeath(id) {
                self.remove(id);
            }
            let Some(Some(entry)) = self.entries.get_mut(id.0) else { continue };
            let Some(filter) = text(self.memory, entry) else { continue };
            if entry.leaving {
                match session.unsubscribe(&[filter]) {
                    Err(error) if comes_right(error) => self.behind = true,
                    _ => self.remove(id),
                }
            } else if entry.answer == Answer::Unasked {
                match session.subscribe(&[dunlin::Subscription::new(filter, entry.qos)]) {
                    Ok(token) => entry.answer = Answer::Asked(token),
                    Err(error) if comes_right(error) => self.behind = true,
                    Err(never) => entry.answer = Answer::Rejected(never),
                }
                entry.waker.wake();
            }
        }
    }

    /// The server knows of no subscription: all are to be made again.
    pub(crate) fn forget_answers(&mut self) {
        self.behind = true;
        for id in self.ids() {
            match self.entries.get_mut(id.0) {
                Some(Some(entry)) if entry.leaving => self.remove(id),
                Some(Some(entry)) => {
                    entry.inherited = false;
                    if matches!(entry.answer, Answer::Granted(_)) {
                        entry.answer = Answer::Unasked;
                    }
                }
                _ => {}
            }
        }
    }

    /// A SUBACK has come.
    pub(crate) fn handle_subscribed(&mut self, token: Token, reason: ReasonCode) {
        self.answer(
            token,
            match Qos::from_bits(reason.value()) {
                Some(qos) if !reason.is_error() => Answer::Granted(qos),
                _ => Answer::Refused(reason),
            },
        );
    }

    /// A SUBSCRIBE cannot be sent to this server.
    pub(crate) fn handle_rejected(&mut self, token: Token, reason: ReasonCode) {
        self.answer(token, Answer::Rejected(Rejected::Limit(reason)));
    }

    fn answer(&mut self, token: Token, answer: Answer) {
        for entry in self.entries.iter_mut().flatten() {
            if entry.answer == Answer::Asked(token) {
                entry.answer = answer;
                entry.waker.wake();
            }
        }
    }

    /// Every subscription has ended, though its holder does not know yet; what has come can be taken.
    pub(crate) fn end_all(&mut self) {
        for id in self.ids() {
            match self.entries.get_mut(id.0) {
                Some(Some(entry)) if entry.leaving => self.remove(id),
                Some(Some(entry)) => {
                    entry.answer = Answer::Removed;
                    entry.inherited = false;
                    entry.waker.wake();
                }
                _ => {}
            }
        }
    }

    /// The least QoS that was granted, or why there is none; whoever asks is woken when it changes.
    pub(crate) fn poll_granted(
        &mut self,
        group: Takers,
        cx: &Context<'_>,
    ) -> Poll<Result<Qos, SubscribeError>> {
        let mut least = Poll::Ready(Ok(Qos::ExactlyOnce));
        for id in self.of(group) {
            let Some(Some(entry)) = self.entries.get_mut(id.0) else { return Poll::Pending };
            entry.waker.register(cx.waker());
            least = match (entry.answer, entry.error(), least) {
                (_, Some(error), _) => return Poll::Ready(Err(error)),
                (Answer::Granted(qos), None, Poll::Ready(Ok(least))) => {
                    Poll::Ready(Ok(least.min(qos)))
                }
                _ => Poll::Pending,
            };
        }
        least
    }

    /// Why no message can come any more, if so; whoever asks is woken when that changes, or one comes.
    pub(crate) fn poll_message(
        &mut self,
        group: Takers,
        cx: &Context<'_>,
    ) -> Option<SubscribeError> {
        let mut error = None;
        for id in self.of(group) {
            if let Some(Some(entry)) = self.entries.get_mut(id.0) {
                entry.waker.register(cx.waker());
                error = error.or(entry.error());
            }
        }
        error
    }

    /// Which filters a message on `topic` belongs to; whoever holds them is woken.
    pub(crate) fn takers(&mut self, topic: &str) -> Takers {
        let mut takers = 0;
        for id in self.ids() {
            if let Some(Some(entry)) = self.entries.get_mut(id.0)
                && !entry.is_leaving()
                && text(self.memory, entry)
                    .is_some_and(|filter| matches(filter, topic, Matching::Standard))
            {
                takers |= id.taker();
                entry.waker.wake();
            }
        }
        takers
    }

    /// Whether a subscription waits for its answer.
    pub(crate) fn are_awaited(&self) -> bool {
        let unanswered = |entry: &Entry| matches!(entry.answer, Answer::Unasked | Answer::Asked(_));
        self.entries.iter().flatten().any(|entry| !entry.leaving && unanswered(entry))
    }

    /// A message for these found no room.
    pub(crate) fn handle_lost(&mut self, takers: Takers) {
        for id in self.of(takers) {
            let before = id.taker().saturating_sub(1);
            if let Some(Some(entry)) = self.entries.get_mut(id.0)
                && takers & entry.group & before == 0
            {
                entry.lost = entry.lost.saturating_add(1);
            }
        }
    }

    /// How many messages found no room.
    pub(crate) fn lost(&self, group: Takers) -> u32 {
        let entries = self.of(group).filter_map(|id| self.entries.get(id.0)?.as_ref());
        entries.fold(0, |lost, entry| lost.saturating_add(entry.lost))
    }

    /// Something has come for these.
    pub(crate) fn wake(&mut self, takers: Takers) {
        for id in self.of(takers) {
            if let Some(Some(entry)) = self.entries.get_mut(id.0) {
                entry.waker.wake();
            }
        }
    }
}

/// Whether the session only has no room now.
const fn comes_right(error: Rejected) -> bool {
    matches!(error, Rejected::OutboxFull | Rejected::InflightFull | Rejected::Disconnecting)
}

fn text<'m>(memory: &'m [u8], entry: &Entry) -> Option<&'m str> {
    let bytes = memory.get(entry.at..entry.at.checked_add(entry.len)?)?;
    core::str::from_utf8(bytes).ok()
}
