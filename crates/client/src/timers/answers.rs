//! When to look for answers that are overdue.

use super::{Instant, Moment};

/// In how many parts the time for an answer is measured.
pub(crate) const ANSWER_TICKS: u16 = 4;

/// The time that answers have, if it is limited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers(Option<Ticks>);

#[derive(Clone, Copy, Debug)]
struct Ticks {
    tick_ms: u64,
    /// While something waits for its answer: when the next part is over.
    next: Moment,
    /// A part is over that nobody has taken.
    ticked: bool,
}

impl Answers {
    /// Answers may take for ever.
    pub(crate) const NONE: Self = Self(None);

    /// Answers are to come within `timeout_ms`.
    pub(crate) const fn within(timeout_ms: u64) -> Self {
        // Rounded up: no answer is overdue too early.
        let tick_ms = timeout_ms.saturating_add(3) >> 2;
        Self(Some(Ticks { tick_ms, next: Moment::NONE, ticked: false }))
    }

    /// Whether something waits for its answer.
    pub(crate) fn set_waiting(&mut self, waits: bool, now: Instant) {
        if let Some(ticks) = &mut self.0 {
            let next = ticks.next.known().unwrap_or(now.after(ticks.tick_ms));
            ticks.next = if waits { Moment::at(next) } else { Moment::NONE };
        }
    }

    /// Whether another part of the time is over; once.
    pub(crate) fn take_tick(&mut self) -> bool {
        self.0.as_mut().is_some_and(|ticks| core::mem::take(&mut ticks.ticked))
    }

    /// When the next part of the time is over.
    pub(super) fn next(&self) -> Moment {
        self.0.map_or(Moment::NONE, |ticks| ticks.next)
    }

    /// Whether a part is over at `now`, which is to be taken first; the next one begins.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if let Some(ticks) = &mut self.0
            && Moment::at(now) >= ticks.next
        {
            ticks.ticked = true;
            ticks.next = Moment::at(now.after(ticks.tick_ms));
            return true;
        }
        false
    }
}
