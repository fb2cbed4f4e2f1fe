//! Subscriptions that are over.

use super::FILTERS_MAX;
use crate::shared::ClientSession;
use dunlin_drive::dunlin::{ReasonCode, Reasons, SubscribeError as Rejected, Token};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::oneshot;

/// A filter that nobody wants any more.
#[derive(Debug)]
pub(super) struct Unwanted {
    filter: String,
    answer: oneshot::Sender<ReasonCode>,
}

impl Unwanted {
    pub(super) fn new(filter: String) -> (Self, oneshot::Receiver<ReasonCode>) {
        let (answer, receiver) = oneshot::channel();
        (Self { filter, answer }, receiver)
    }

    pub(super) fn end(self, reason: ReasonCode) {
        let _nobody_waits = self.answer.send(reason);
    }
}

/// Filters that nobody wants any more, until the server has let go of them.
#[derive(Debug, Default)]
pub(super) struct Farewells {
    /// Of these the server has not been told.
    unwanted: Vec<Unwanted>,
    /// Of these it has, and has not answered.
    asked: HashMap<Token, Vec<Unwanted>>,
}

impl Farewells {
    pub(super) fn push(&mut self, unwanted: Unwanted) {
        self.unwanted.push(unwanted);
    }

    /// These are wanted again, and the server keeps them: says which it has.
    pub(super) fn take_back(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        let back = self.unwanted.extract_if(.., |unwanted| wanted(&unwanted.filter));
        back.map(|unwanted| {
            let filter = Arc::from(unwanted.filter.as_str());
            unwanted.end(ReasonCode::SUCCESS);
            filter
        })
        .collect()
    }

    /// Tells the server, as far as the session has room; says whether it had.
    pub(super) fn pump(&mut self, session: &mut ClientSession) -> bool {
        let mut most = FILTERS_MAX;
        // Each turn tells of one at least, or tells of each by itself from now on.
        while !self.unwanted.is_empty() {
            let len = self.unwanted.len().min(most);
            let filters: Vec<&str> =
                self.unwanted[..len].iter().map(|unwanted| unwanted.filter.as_str()).collect();
            match session.unsubscribe(&filters) {
                Ok(token) => {
                    self.asked.insert(token, self.unwanted.drain(..len).collect());
                }
                Err(Rejected::OutboxFull | Rejected::InflightFull | Rejected::Disconnecting) => {
                    return false;
                }
                // Perhaps only together they are too long for the server.
                Err(_) if len > 1 => most = 1,
                Err(never) => {
                    let reason = match never {
                        Rejected::Limit(reason) => reason,
                        _ => ReasonCode::UNSPECIFIED_ERROR,
                    };
                    self.unwanted.drain(..len).for_each(|unwanted| unwanted.end(reason));
                }
            }
        }
        true
    }

    /// An UNSUBSCRIBE cannot be sent to this server.
    pub(super) fn handle_rejected(&mut self, token: Token, reason: ReasonCode) {
        let mut rejected = self.asked.remove(&token).unwrap_or_default();
        if rejected.len() > 1 {
            self.unwanted.append(&mut rejected);
        }
        rejected.into_iter().for_each(|unwanted| unwanted.end(reason));
    }

    /// An UNSUBACK has come: without reasons in MQTT 3.1.1, where it is always yes.
    pub(super) fn handle_unsubscribed(&mut self, token: Token, reasons: Reasons<'_>) {
        let reasons = reasons.iter().chain(std::iter::repeat(ReasonCode::SUCCESS));
        for (unwanted, reason) in self.asked.remove(&token).into_iter().flatten().zip(reasons) {
            unwanted.end(reason);
        }
    }
}
