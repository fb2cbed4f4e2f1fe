//! Subscriptions that are over.

use super::FILTERS_MAX;
use crate::shared::ClientSession;
use dunlin_drive::dunlin::{ReasonCode, Reasons, Token};
use std::collections::HashMap;
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

    /// These are wanted again: the server keeps them.
    pub(super) fn take_back(&mut self, wanted: impl Fn(&str) -> bool) {
        for unwanted in self.unwanted.extract_if(.., |unwanted| wanted(&unwanted.filter)) {
            unwanted.end(ReasonCode::SUCCESS);
        }
    }

    /// Tells the server, as far as the session has room; says whether it had.
    pub(super) fn pump(&mut self, session: &mut ClientSession) -> bool {
        while !self.unwanted.is_empty() {
            let len = self.unwanted.len().min(FILTERS_MAX);
            let filters: Vec<&str> =
                self.unwanted[..len].iter().map(|unwanted| unwanted.filter.as_str()).collect();
            // What was subscribed to can be unsubscribed from, in the end.
            let Ok(token) = session.unsubscribe(&filters) else { return false };
            self.asked.insert(token, self.unwanted.drain(..len).collect());
        }
        true
    }

    /// The server knows of no subscription.
    pub(super) fn forget(&mut self) {
        for unwanted in self.unwanted.drain(..) {
            unwanted.end(ReasonCode::NO_SUBSCRIPTION_EXISTED);
        }
    }

    /// An UNSUBACK has come: without reasons in MQTT 3.1.1, where it is always yes.
    pub(super) fn handle_unsubscribed(&mut self, token: Token, reasons: Reasons<'_>) {
        let reasons = reasons.iter().chain(std::iter::repeat(ReasonCode::SUCCESS));
        for (unwanted, reason) in self.asked.remove(&token).into_iter().flatten().zip(reasons) {
            unwanted.end(reason);
        }
    }
}
