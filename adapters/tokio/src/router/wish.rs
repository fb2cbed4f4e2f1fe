//! What subscriptions ask the server for.

use super::FILTERS_MAX;
use crate::{message::user_properties, shared::ClientSession};
use dunlin_drive::dunlin::{
    self, Properties, Property, ReasonCode, SubscribeError as Rejected, Token, mqtt::SubscriptionId,
};

/// What the server has been told of a filter, and has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Unasked,
    Asked(Token),
    Given(ReasonCode),
}

#[derive(Debug)]
pub(super) struct Wish {
    pub(super) filter: String,
    /// All but the filter.
    pub(super) options: dunlin::Subscription<'static>,
    pub(super) answer: Answer,
}

/// What a SUBSCRIBE says beside its filters.
#[derive(Debug, Default)]
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

/// Subscribes to all wishes that the server has not heard of, as far as the session has room.
pub(super) fn ask(
    wishes: &mut [Wish],
    remarks: &Remarks,
    session: &mut ClientSession,
) -> Result<(), Rejected> {
    let properties = remarks.list();
    loop {
        let asked: Vec<_> = wishes
            .iter_mut()
            .filter(|wish| wish.answer == Answer::Unasked)
            .take(FILTERS_MAX)
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        let filters: Vec<_> = asked
            .iter()
            .map(|wish| dunlin::Subscription { filter: &wish.filter, ..wish.options })
            .collect();
        let token = session.subscribe_with(&filters, Properties::new(&properties))?;
        drop(filters);
        asked.into_iter().for_each(|wish| wish.answer = Answer::Asked(token));
    }
}
