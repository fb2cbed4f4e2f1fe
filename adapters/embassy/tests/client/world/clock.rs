//! The time of all tests in this process.

use embassy_time::{Duration, MockDriver};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static TIME: RwLock<()> = RwLock::new(());

/// Who may move the time: nobody, or one test, which has it for itself.
#[expect(dead_code, reason = "the guards are held, not read")]
pub(crate) enum Clock {
    Still(RwLockReadGuard<'static, ()>),
    Moving(RwLockWriteGuard<'static, ()>),
}

impl Clock {
    /// Time stands still.
    pub(crate) fn still() -> Self {
        Self::Still(TIME.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Time is this test's.
    pub(crate) fn moving() -> Self {
        let clock = Self::Moving(TIME.write().unwrap_or_else(PoisonError::into_inner));
        clock.forget_timers();
        clock
    }

    /// What earlier tasks have left behind is taken out of the queue, which is not long.
    pub(crate) fn forget_timers(&self) {
        self.advance(86_400);
    }

    /// So many seconds pass at once.
    pub(crate) fn advance(&self, s: u64) {
        assert!(matches!(self, Self::Moving(_)), "others rely on it");
        MockDriver::get().advance(Duration::from_secs(s));
    }
}
