//! Changing connections on purpose, before a broker cuts them for their age.

use super::Attempt;
use crate::Error;
use dunlin_drive::dunlin::{self, Closed, Entropy};
use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::time::{interval, sleep};

/// How often to look for a moment in which nothing is under way, and how many times: five seconds.
const MOMENT_LOOK: Duration = Duration::from_millis(10);
const MOMENT_LOOKS_MAX: u32 = 500;

/// No connection is renewed sooner.
const RENEW_AFTER_MIN: Duration = Duration::from_millis(100);

impl Attempt<'_> {
    /// Says good-bye when the connection is due for renewal; never ready, for its end comes otherwise.
    ///
    /// It waits for a moment in which no acknowledgement is owed to us. What is then accepted and not
    /// sent goes out on the next connection, and what is not acknowledged is sent again there.
    pub(super) async fn renew(&self) -> Infallible {
        let Some(after) = self.options.renew_after else { return pending().await };
        sleep(self.jittered(after.max(RENEW_AFTER_MIN))).await;
        let mut looks = interval(MOMENT_LOOK);
        for _ in 0..MOMENT_LOOKS_MAX {
            looks.tick().await;
            if self.shared.lock().session.in_flight() == 0 {
                break;
            }
        }
        {
            let mut state = self.shared.lock();
            if state.desk.connected().is_some() && !state.desk.closing {
                state.session.leave();
                state.wake_driver();
            }
        }
        pending().await
    }

    /// Up to a tenth earlier, so that the clients of a fleet do not renew together.
    fn jittered(&self, after: Duration) -> Duration {
        let mut random = [0; 4];
        self.shared.lock().entropy.fill(&mut random);
        let drawn = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
        after.mul_f64(1.0 - drawn / 10.0)
    }
}

/// Whether the connection has ended because it was due for renewal.
pub(super) const fn is_renewal(error: &Error) -> bool {
    matches!(error, Error::Ended { error: dunlin::Error::Closed(Closed::Local), .. })
}

/// The output of `future`, with `other` polled beside it.
pub(super) async fn beside<T>(
    future: impl Future<Output = T>,
    other: impl Future<Output = Infallible>,
) -> T {
    let (mut future, mut other) = (pin!(future), pin!(other));
    poll_fn(|cx| {
        let Poll::Pending = other.as_mut().poll(cx);
        future.as_mut().poll(cx)
    })
    .await
}
