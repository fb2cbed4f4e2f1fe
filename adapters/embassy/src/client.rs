//! The handle of a client.

use crate::{
    Error, Events, PublishError, Receipt, Status, SubscribeError, Subscription, events::Watch,
    shared::Shared,
};
use core::{
    future::poll_fn,
    task::{Context, Poll},
};
use dunlin_drive::{
    dunlin::{self, Message, Qos, ReasonCode, mqtt},
    pubsub::{Change, ConnectionState},
};
use embassy_sync::blocking_mutex::raw::RawMutex;

/// A client of one broker; copies are handles of the same one, for any task.
///
/// No call waits for the runner: publishing writes straight into the outbox, connected or not. Every
/// future can be dropped at any await; what it had handed over stays handed over.
pub struct Client<'r, M: RawMutex, const N: usize> {
    pub(crate) shared: &'r Shared<'r, M, N>,
}

impl<M: RawMutex, const N: usize> Clone for Client<'_, M, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: RawMutex, const N: usize> Copy for Client<'_, M, N> {}

impl<'r, M: RawMutex, const N: usize> Client<'r, M, N> {
    pub(crate) const fn new(shared: &'r Shared<'r, M, N>) -> Self {
        Self { shared }
    }

    /// Publishes; ready when the server has acknowledged, or all bytes are written (QoS 0).
    ///
    /// The reason is success, or that nobody has subscribed, where a server of MQTT 5.0 says so.
    /// Waits for room while the outbox is full. Dropping the future does not take the message back.
    pub async fn publish(&self, message: &Message<'_>) -> Result<ReasonCode, PublishError> {
        let receipt = poll_fn(|cx| self.poll_enqueue(message, cx)).await?;
        receipt.await
    }

    /// Accepts a message as soon as there is room.
    pub(crate) fn poll_enqueue(
        &self,
        message: &Message<'_>,
        cx: &Context<'_>,
    ) -> Poll<Result<Receipt<'r, M, N>, PublishError>> {
        match self.enqueue(message) {
            Err(PublishError::Rejected(
                dunlin::PublishError::OutboxFull | dunlin::PublishError::InflightFull,
            )) => {
                self.shared.with(|state| state.wait_for_room(cx));
                Poll::Pending
            }
            done => Poll::Ready(done),
        }
    }

    /// Accepts a message at once, connected or not, or says why not; the receipt is for later.
    ///
    /// There are `N` receipts at a time; one is free again when it is dropped.
    pub fn enqueue(&self, message: &Message<'_>) -> Result<Receipt<'r, M, N>, PublishError> {
        let place = self.shared.with(|state| state.enqueue(message))?;
        Ok(Receipt::new(self.shared, place))
    }

    /// Subscribes to a filter; ready when the server has granted it.
    ///
    /// Subscriptions outlive connections: where the server has forgotten one, it is made again. Before
    /// the runner runs, nothing can come in that nobody has asked for.
    pub async fn subscribe(
        &self,
        filter: &str,
        qos: Qos,
    ) -> Result<Subscription<'r, M, N>, SubscribeError> {
        let subscription = self.listen(filter, qos)?;
        subscription.granted().await?;
        Ok(subscription)
    }

    /// The same without waiting: messages can be awaited at once, connected or not.
    pub fn listen(&self, filter: &str, qos: Qos) -> Result<Subscription<'r, M, N>, SubscribeError> {
        self.listen_to(&[filter], qos)
    }

    /// One subscription of several filters: what belongs to more than one of them comes once.
    pub(crate) fn listen_to(
        &self,
        filters: &[&str],
        qos: Qos,
    ) -> Result<Subscription<'r, M, N>, SubscribeError> {
        for filter in filters {
            mqtt::check_filter(filter)
                .map_err(|error| SubscribeError::Rejected(dunlin::SubscribeError::Filter(error)))?;
        }
        let group = self.shared.with(|state| {
            if let Some(error) = state.desk.ended {
                return Err(SubscribeError::Closed(error));
            }
            let group = state.desk.filters.add(filters, qos).ok_or(SubscribeError::Full)?;
            state.desk.filters.pump(&mut state.session);
            state.driver.wake();
            Ok(group)
        })?;
        Ok(Subscription::new(self.shared, group))
    }

    /// Whether the client is connected, just now.
    pub fn status(&self) -> Status {
        self.shared.with(|state| state.desk.log.status())
    }

    pub(crate) fn connection_state(&self) -> ConnectionState {
        self.shared.with(|state| state.desk.log.state())
    }

    pub(crate) fn watch(&self) -> Watch<'r, M, N> {
        Watch::new(self.shared)
    }

    /// Something has happened beside the connection that its state follows from.
    pub(crate) fn handle_change(&self, change: Change) {
        self.shared.with(|state| state.desk.log.handle(change));
    }

    /// The runner is going to run, if it does not: what it is to do is accepted from now on.
    pub(crate) fn await_runner(&self) {
        self.shared.with(|state| state.desk.ended = None);
    }

    /// Whether both are handles of one client.
    pub(crate) fn is_same(&self, other: Self) -> bool {
        core::ptr::eq(self.shared, other.shared)
    }

    /// What happens to the connection from now on.
    pub fn events(&self) -> Events<'r, M, N> {
        Events::new(self.shared)
    }

    /// Waits until everything accepted so far has been written and, above QoS 0, acknowledged.
    pub async fn drain(&self) -> Result<(), Error> {
        poll_fn(|cx| {
            self.shared.with(|state| {
                if state.session.is_idle() {
                    return Poll::Ready(Ok(()));
                }
                match state.desk.ended {
                    Some(error) => Poll::Ready(Err(error)),
                    None => {
                        state.wait_for_room(cx);
                        Poll::Pending
                    }
                }
            })
        })
        .await
    }

    /// Sends what has been accepted and DISCONNECT, and ends the runner.
    ///
    /// Does not wait for acknowledgements, nor for the good-bye: [`Client::drain`] does the one, the end
    /// of [`Runner::run`](crate::Runner::run) tells of the other.
    pub fn close(&self) {
        self.shared.with(|state| {
            state.desk.closing = true;
            state.session.disconnect(ReasonCode::SUCCESS);
            state.driver.wake();
        });
    }
}

/// Where its connection stands; takes the lock for a moment.
#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize> defmt::Format for Client<'_, M, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Client {{ {} }}", self.status());
    }
}
