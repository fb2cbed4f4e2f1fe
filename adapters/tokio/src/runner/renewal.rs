//! Changing connections on purpose, before a broker cuts them for their age.

use super::Attempt;
use crate::{Error, shared::State};
use dunlin_drive::dunlin::{self, Closed, Entropy};
use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};
use tokio::time::sleep;

/// How long to wait for a moment in which nothing is under way.
const MOMENT_MAX: Duration = Duration::from_secs(5);

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
        self.shared.lock().renew();
        sleep(MOMENT_MAX).await;
        self.shared.lock().leave();
        pending().await
    }

    /// Up to a tenth earlier, so that the clients of a fleet do not renew together.
    fn jittered(&self, after: Duration) -> Duration {
        let mut random = [0; 4];
        self.shared.lock().entropy.fill(&mut random);
        earlier(after, u32::from_le_bytes(random))
    }
}

/// Up to a tenth earlier, as `drawn` says.
fn earlier(after: Duration, drawn: u32) -> Duration {
    after.mul_f64(1.0 - f64::from(drawn) / f64::from(u32::MAX) / 10.0)
}

impl State {
    /// Changes the connection as soon as no acknowledgement is owed to us.
    fn renew(&mut self) {
        self.renewing = true;
        self.leave_when_quiet();
        self.wake_driver();
    }

    /// Says good-bye if the connection is due for renewal and nothing is under way.
    pub(super) fn leave_when_quiet(&mut self) {
        if self.renewing && self.session.in_flight() == 0 {
            self.leave();
        }
    }

    /// Says good-bye if the connection is due for renewal, whatever is under way.
    fn leave(&mut self) {
        // It stays due while the server has not accepted it.
        if !self.renewing || self.desk.connected().is_none() {
            return;
        }
        self.renewing = false;
        if !self.desk.closing {
            self.session.leave();
            self.wake_driver();
        }
    }
}

/// Whether the connection has ended because it was due for renewal.
pub(super) const fn is_renewal(error: &Error) -> bool {
    matches!(error, Error::Ended { error: dunlin::Error::Closed(Closed::Local), .. })
}

/// The output of `future`, with `other` polled beside it.
pub(super) async fn beside<T>(
    mut future: Pin<&mut impl Future<Output = T>>,
    mut other: Pin<&mut impl Future<Output = Infallible>>,
) -> T {
    poll_fn(|cx| {
        let Poll::Pending = other.as_mut().poll(cx);
        future.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_drawn_from_the_last_tenth_before_it_is_due_and_never_after() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(earlier(hour, 0), hour);
        assert_eq!(earlier(hour, u32::MAX), hour.mul_f64(0.9));
        let drawn = earlier(hour, u32::MAX / 2);
        assert!(drawn > hour.mul_f64(0.94) && drawn < hour.mul_f64(0.96), "{drawn:?}");
    }
}
