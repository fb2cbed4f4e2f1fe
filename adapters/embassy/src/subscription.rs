//! Messages of one subscription, one after the other.

use crate::{
    Received, SubscribeError,
    queue::{Meta, Takers, TooShort},
    shared::{Shared, State},
};
use core::{
    future::poll_fn,
    task::{Context, Poll},
};
use dunlin_drive::dunlin::{Qos, Version};
use embassy_sync::blocking_mutex::raw::RawMutex;

/// The messages of one filter; dropping it unsubscribes.
///
/// A message above QoS 0 is acknowledged when it is taken. While messages wait that nobody takes, and
/// there is no memory for the longest one, nothing more is read from the server, for no subscription:
/// take what comes, or drop the subscription. Only when somebody waits for an answer of the server's, as
/// in [`Client::publish`](crate::Client::publish), reading goes on; a message that finds no room then is
/// [lost](Subscription::lost), so that the wait has an end.
pub struct Subscription<'r, M: RawMutex, const N: usize> {
    shared: &'r Shared<'r, M, N>,
    filters: Takers,
}

impl<'r, M: RawMutex, const N: usize> Subscription<'r, M, N> {
    pub(crate) const fn new(shared: &'r Shared<'r, M, N>, filters: Takers) -> Self {
        Self { shared, filters }
    }

    /// The QoS that the server has granted, as soon as it has.
    pub async fn granted(&self) -> Result<Qos, SubscribeError> {
        poll_fn(|cx| self.poll_granted(cx)).await
    }

    pub(crate) fn poll_granted(&self, cx: &Context<'_>) -> Poll<Result<Qos, SubscribeError>> {
        self.shared.with(|state| {
            let granted = state.desk.filters.poll_granted(self.filters, cx);
            state.handle_waiting();
            match (granted, state.desk.ended) {
                (Poll::Pending, Some(error)) => Poll::Ready(Err(SubscribeError::Closed(error))),
                (granted, _) => granted,
            }
        })
    }

    /// The next message, in `buffer`; waits until there is one.
    ///
    /// `buffer` must hold its packet: as long as the receive buffer it takes any. After
    /// [`SubscribeError::TooShort`] the message still waits; any other error is the end.
    pub async fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Received<'b>, SubscribeError> {
        let (meta, len, version) = poll_fn(|cx| self.poll_next(cx, buffer)).await?;
        Ok(Received::new(buffer.get(..len).unwrap_or_default(), meta, version))
    }

    /// The next message in `buffer`, not read yet.
    pub(crate) fn poll_next(
        &mut self,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<(Meta, usize, Version), SubscribeError>> {
        self.shared.with(|state| take(state, self.filters, cx, buffer))
    }

    /// How many messages found no room: above QoS 0 the server was told so in MQTT 5.0 (0x97, quota
    /// exceeded), and they were acknowledged in MQTT 3.1.1.
    pub fn lost(&self) -> u32 {
        self.shared.with(|state| state.desk.filters.lost(self.filters))
    }
}

fn take<const N: usize>(
    state: &mut State<'_, N>,
    filters: Takers,
    cx: &Context<'_>,
    buffer: &mut [u8],
) -> Poll<Result<(Meta, usize, Version), SubscribeError>> {
    match state.desk.queue.take(filters, buffer) {
        Some(Ok((meta, len, ack))) => {
            state.acknowledge(ack);
            Poll::Ready(Ok((meta, len, state.desk.queue.version())))
        }
        Some(Err(TooShort { needed })) => Poll::Ready(Err(SubscribeError::TooShort { needed })),
        None => match (state.desk.filters.poll_message(filters, cx), state.desk.ended) {
            (Some(error), _) => Poll::Ready(Err(error)),
            (None, Some(error)) => Poll::Ready(Err(SubscribeError::Closed(error))),
            (None, None) => Poll::Pending,
        },
    }
}

impl<M: RawMutex, const N: usize> Drop for Subscription<'_, M, N> {
    fn drop(&mut self) {
        self.shared.with(|state| state.leave(self.filters));
    }
}

/// What it has lost; takes the lock for a moment.
#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize> defmt::Format for Subscription<'_, M, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Subscription {{ lost: {=u32} }}", self.lost());
    }
}
