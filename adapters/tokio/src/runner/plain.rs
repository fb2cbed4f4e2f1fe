//! In place of what connections to AWS IoT Core need, where the feature `aws` is off.

use super::Attempt;
use crate::{Cause, Error, UpgradeRefusal};
use dunlin_drive::dunlin::{self, ws};

impl Attempt<'_> {
    /// Nobody has to wait.
    pub(super) async fn wait_for_turn(&self, _: &str) -> Result<(), ()> {
        Ok(())
    }

    /// Nothing is signed.
    pub(super) const fn correct_clock(&self, _: &Error) -> bool {
        false
    }

    /// The error says it.
    pub(super) const fn cause(&self, _: dunlin::Error) -> Option<Cause> {
        None
    }

    /// A refused upgrade.
    pub(super) fn refusal(&self, _: dunlin::Error, refusal: &ws::Refusal<'_>) -> Error {
        Error::Upgrade(Box::new(UpgradeRefusal::new(refusal, self.options)))
    }

    /// Nobody asks.
    pub(super) const fn short_lives_with_this(&self) -> u32 {
        self.short_lives
    }
}
