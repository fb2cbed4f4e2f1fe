//! What subscriptions ask the server for, many in one packet.

use super::{
    FILTERS_MAX, Id,
    table::{Entry, Table},
};
use crate::{SubscribeError, granted::said, message::user_properties, shared::ClientSession};
use dunlin_drive::dunlin::{
    self, Properties, Property, ReasonCode, Reasons, SubscribeError as Rejected, Token,
    mqtt::SubscriptionId,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// What the server has been told of a filter, and has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Unasked,
    Asked,
    Given(ReasonCode),
}

#[derive(Debug)]
pub(super) struct Wish {
    pub(super) filter: Arc<str>,
    /// All but the filter.
    pub(super) options: dunlin::Subscription<'static>,
    pub(super) answer: Answer,
}

impl Wish {
    /// Whether the server may have it: it was asked for, and not refused.
    pub(super) const fn is_known(&self) -> bool {
        match self.answer {
            Answer::Unasked => false,
            Answer::Asked => true,
            Answer::Given(reason) => !reason.is_error(),
        }
    }
}

/// What a SUBSCRIBE says beside its filters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    id: Option<SubscriptionId>,
    user_properties: Vec<(String, String)>,
}

impl Remarks {
    pub(super) fn new(properties: Properties<'_>) -> Self {
        let mut remarks = Self::default();
        for property in properties.iter() {
            match property {
                Property::SubscriptionIdentifier(id) => remarks.id = Some(id),
                Property::UserProperty((name, value)) => {
                    remarks.user_properties.push((name.to_owned(), value.to_owned()));
                }
                // Whoever takes them has checked that there are no others.
                _ => {}
            }
        }
        remarks
    }

    fn list(&self) -> Vec<Property<'_>> {
        let id = self.id.map(Property::SubscriptionIdentifier);
        id.into_iter().chain(user_properties(&self.user_properties)).collect()
    }
}

/// A filter of a subscription: which of its wishes.
type Place = (Id, usize);

/// Filters that the server is to hear of, and those that it has not answered.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Subscriptions that may have filters of which the server has not heard.
    unasked: VecDeque<Id>,
    asked: HashMap<Token, Vec<Place>>,
}

impl Asking {
    /// The server is to hear of what it has not heard of `id`.
    pub(super) fn push(&mut self, id: Id) {
        self.unasked.push_back(id);
    }

    /// The server need not hear of `id` any more.
    pub(super) fn forget(&mut self, id: Id) {
        self.unasked.retain(|other| *other != id);
    }

    /// The server is to hear of all that it has not heard.
    pub(super) fn push_all(&mut self, table: &Table) {
        self.unasked = table.ids().into();
    }

    /// Subscribes to all that the server has not heard of, as far as the session has room.
    pub(super) fn pump(&mut self, table: &mut Table, session: &mut ClientSession) {
        // Each turn asks for filters, or takes some out of those that are to be asked for together.
        while let Some(batch) = self.batch(table) {
            match subscribe(&batch, table, session) {
                Ok(token) => {
                    for_each(&batch, table, |entry, at| entry.wishes[at].answer = Answer::Asked);
                    self.asked.insert(token, batch);
                }
                Err(Rejected::OutboxFull | Rejected::InflightFull | Rejected::Disconnecting) => {
                    return;
                }
                Err(never) if is_one(&batch) => end(&batch, table, &never),
                // Perhaps only one of them cannot be asked for.
                Err(_) => separate(&batch, table),
            }
        }
    }

    /// Whether a SUBSCRIBE waits for its answer.
    #[cfg(feature = "aws")]
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// A SUBACK has come.
    pub(super) fn handle_subscribed(
        &mut self,
        token: Token,
        reasons: Reasons<'_>,
        properties: &Properties<'_>,
        table: &mut Table,
    ) {
        let batch = self.asked.remove(&token).unwrap_or_default();
        let mut reasons = reasons.iter();
        for (id, at) in batch {
            let reason = reasons.next().unwrap_or(ReasonCode::UNSPECIFIED_ERROR);
            let Some(entry) = table.get_mut(id) else { continue };
            let wish = &mut entry.wishes[at];
            wish.answer = Answer::Given(reason);
            if reason.is_error() && entry.end.is_none() {
                let (filter, said) = (wish.filter.to_string(), said(properties));
                entry.end = Some(SubscribeError::Refused { filter, reason, said });
            }
            entry.wake();
        }
    }

    /// A SUBSCRIBE cannot be sent to this server.
    pub(super) fn handle_rejected(&mut self, token: Token, reason: ReasonCode, table: &mut Table) {
        let Some(batch) = self.asked.remove(&token) else { return };
        if is_one(&batch) {
            for_each(&batch, table, |entry, at| entry.wishes[at].answer = Answer::Given(reason));
            end(&batch, table, &Rejected::Limit(reason));
        } else {
            separate(&batch, table);
            for_each(&batch, table, |entry, at| entry.wishes[at].answer = Answer::Unasked);
            for (id, _) in batch {
                if !self.unasked.contains(&id) {
                    self.unasked.push_back(id);
                }
            }
        }
    }

    /// The next filters that go into one packet.
    fn batch(&mut self, table: &Table) -> Option<Vec<Place>> {
        let unasked = |id: Id| {
            let entry = table.get(id).filter(|entry| entry.end.is_none());
            let wishes = entry.map_or(&[][..], |entry| &entry.wishes).iter().enumerate();
            wishes.filter(|(_, wish)| wish.answer == Answer::Unasked).map(move |(at, _)| (id, at))
        };
        while self.unasked.front().is_some_and(|id| unasked(*id).next().is_none()) {
            self.unasked.pop_front();
        }
        let first = *self.unasked.front()?;
        let leader = table.get(first)?;
        let fits = |id: &Id| {
            *id == first
                || table.get(*id).is_some_and(|entry| {
                    !entry.is_alone && !leader.is_alone && entry.remarks == leader.remarks
                })
        };
        let ids = self.unasked.iter().copied().take_while(fits);
        Some(ids.flat_map(unasked).take(FILTERS_MAX).collect())
    }
}

fn subscribe(
    batch: &[Place],
    table: &Table,
    session: &mut ClientSession,
) -> Result<Token, Rejected> {
    let mut filters = Vec::with_capacity(batch.len());
    let mut properties = Vec::new();
    for (id, at) in batch {
        let Some(entry) = table.get(*id) else { continue };
        let wish = &entry.wishes[*at];
        filters.push(dunlin::Subscription { filter: &wish.filter, ..wish.options });
        properties = entry.remarks.list();
    }
    session.subscribe_with(&filters, Properties::new(&properties))
}

/// Whether all filters are those of one subscription.
fn is_one(batch: &[Place]) -> bool {
    batch.iter().all(|(id, _)| *id == batch[0].0)
}

/// Calls the subscriptions of `batch` up, one for each of its filters.
fn for_each(batch: &[Place], table: &mut Table, mut each: impl FnMut(&mut Entry, usize)) {
    for (id, at) in batch {
        if let Some(entry) = table.get_mut(*id) {
            each(entry, *at);
        }
    }
}

/// From now on each is asked for by itself.
fn separate(batch: &[Place], table: &mut Table) {
    for_each(batch, table, |entry, _| entry.is_alone = true);
}

fn end(batch: &[Place], table: &mut Table, error: &Rejected) {
    for_each(batch, table, |entry, _| {
        entry.end.get_or_insert(SubscribeError::Rejected(*error));
        entry.wake();
    });
}
