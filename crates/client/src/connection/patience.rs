//! How long things may take.

use super::Connection;
#[cfg(feature = "answers")]
use crate::{Overdue, timers::Answers};
use dunlin_octet::Buffer;

impl<B: Buffer, A: Buffer> Connection<'_, B, A> {
    /// The same connection with a deadline for the acknowledgement of every packet: `timeout_ms` after it
    /// went out, or up to a quarter of that later.
    #[cfg(feature = "answers")]
    #[must_use]
    pub const fn with_answer_timeout(mut self, timeout_ms: u64, overdue: Overdue) -> Self {
        self.timers.answers = Answers::within(timeout_ms);
        self.overdue = overdue;
        self
    }

    /// The same connection with a deadline for each stage of its opening as well: the upgrade and CONNACK
    /// may take `timeout_ms` each, and both together as long as the [`Opening`](crate::Opening) says.
    ///
    /// To be called at once, before time has passed.
    #[must_use]
    pub const fn with_stage_timeout(mut self, timeout_ms: u64) -> Self {
        self.timers.set_stage_timeout(timeout_ms);
        self
    }
}
