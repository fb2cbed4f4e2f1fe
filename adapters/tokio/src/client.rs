//! The handle of a client.

use crate::{
    Error, Granted, Options, PublishError, Receipt, Status, SubscribeError, Subscription, recorder,
    router::Queue,
    runner,
    shared::{Shared, State},
};
use dunlin_drive::dunlin::{
    self, AuthenticateError, Entropy, KeepAlive, Message, Properties, Qos, ReasonCode, Resumption,
    SubscribeError as Rejected, Version,
    mqtt::{self, PacketType, SendError},
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::broadcast;

/// Something that happened to a client's connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection is being made.
    Connecting,
    /// The server has accepted; says what it knew of this client.
    Connected(Resumption),
    /// The server wants others to be used (MQTT 5.0 §4.11); [`Options::server_reference`] says what
    /// becomes of it.
    Redirected {
        /// `host[:port]`, or several with blanks between them.
        to: String,
        /// Whether it is for good.
        permanent: bool,
    },
    /// The server has accepted another authentication on the connection that stands
    /// ([`Client::re_authenticate`]).
    Authenticated,
    /// New credentials could not be got; those that are there are good a little longer, and a connection
    /// is made with them.
    #[cfg(feature = "aws")]
    CredentialsNotRefreshed(Arc<crate::aws::ServiceError>),
    /// The server is late to answer a sign of life, or has answered after all.
    KeepAlive(KeepAlive),
    /// The machine's clock was found to be so far ahead, in seconds, or behind, that AWS has refused a
    /// signature: it is corrected, and the connection tried once more at once.
    #[cfg(feature = "aws")]
    ClockCorrected {
        /// How far it is ahead; negative while it is behind.
        ahead_s: i64,
    },
    /// The connection is changed for a new one on purpose ([`Options::renew_after`]).
    Renewing,
    /// The connection is lost, or did not come about.
    Disconnected {
        /// Why.
        error: Error,
        /// When the next one will be made.
        retry_in: Duration,
    },
    /// The client has ended: by its own wish, because its first connection failed, or because the server
    /// has said good-bye for a reason that will not go away, such as another client with its identifier.
    Closed(Error),
}

/// Ends the client when the last handle and the last subscription are gone.
pub(crate) struct Guard {
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// A client of one broker; clones are handles of the same one.
///
/// It connects by itself, again whenever the connection is lost, and ends with its last handle and
/// subscription. No call waits for the loop: publishing writes straight into the outbox, so that it can
/// be done from anywhere, a message handler included. Every future can be dropped at any time; what it
/// had handed over stays handed over.
#[derive(Clone, Debug)]
pub struct Client {
    guard: Arc<Guard>,
}

impl Client {
    /// Connects, and waits until the server has accepted.
    ///
    /// Must be called within a Tokio runtime. An error means that the first connection failed, and that
    /// the client has ended.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let (client, ()) = Self::begin(options, runner::First::MustSucceed, |_| ());
        client.connected().await?;
        Ok(client)
    }

    /// Starts to connect, and goes on until it succeeds; messages can be published meanwhile.
    ///
    /// Must be called within a Tokio runtime. The receiver gets every event from the first on.
    pub fn start(options: Options) -> (Self, broadcast::Receiver<Event>) {
        Self::begin(options, runner::First::MayFail, |shared| shared.lock().desk.events())
    }

    /// A client that goes its way; `before` looks at it before anything has happened.
    pub(crate) fn begin<T>(
        options: Options,
        first: runner::First,
        before: impl FnOnce(&Shared) -> T,
    ) -> (Self, T) {
        #[cfg(feature = "aws")]
        let (options, fits) = options.fitted();
        let shared = Arc::new(Shared::new(&options));
        let seen = before(&shared);
        #[cfg(feature = "aws")]
        if let Err(error) = fits {
            shared.lock().desk.end(&error);
            return (Self { guard: Arc::new(Guard { shared }) }, seen);
        }
        // Before anything is published: the messages of the last time come first.
        match recorder::open(&shared, &options) {
            Ok(store) => {
                let ending = runner::Ending(Arc::clone(&shared));
                tokio::spawn(runner::run(ending, Box::new(options), store, first));
            }
            Err(error) => shared.lock().desk.end(&Error::Store(error)),
        }
        (Self { guard: Arc::new(Guard { shared }) }, seen)
    }

    /// Publishes; ready when the server has acknowledged, or all bytes are written (QoS 0).
    ///
    /// The reason is success, or that nobody has subscribed, where a server of MQTT 5.0 says so.
    /// A server of MQTT 3.1.1 without QoS 2, such as RabbitMQ, acknowledges as for QoS 1.
    /// Waits for room while the outbox is full. Dropping the future does not take the message back.
    ///
    /// Over MQTT 3.1.1, a server that does not allow the topic can only hang up, as AWS IoT Core does: a
    /// message above QoS 0 is then sent again on each connection, ahead of later ones, and
    /// [`Client::events`] tell why each of them ended. In MQTT 5.0 it can refuse the one message.
    pub async fn publish(&self, message: &Message<'_>) -> Result<ReasonCode, PublishError> {
        loop {
            let mut room = pin!(self.guard.shared.room.notified());
            room.as_mut().enable();
            match self.enqueue(message) {
                Ok(receipt) => return receipt.await,
                Err(PublishError::Rejected(
                    dunlin::PublishError::OutboxFull | dunlin::PublishError::InflightFull,
                )) => room.await,
                #[cfg(feature = "aws")]
                Err(PublishError::TooFast { retry_in }) => tokio::time::sleep(retry_in).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Accepts a message at once, connected or not, or says why not; the receipt is for later.
    ///
    /// With a store, the message is sent once it is safe there, which [`Receipt::recorded`] waits for.
    pub fn enqueue(&self, message: &Message<'_>) -> Result<Receipt, PublishError> {
        self.guard.shared.enqueue(message)
    }

    /// Subscribes to one filter; ready when the server has granted it.
    ///
    /// AWS IoT Core hangs up upon a filter that its policies do not allow, and is asked again on each
    /// connection, until the future is dropped; [`Client::events`] tell why each of them ended.
    pub async fn subscribe(&self, filter: &str, qos: Qos) -> Result<Subscription, SubscribeError> {
        self.subscribe_all(&[dunlin::Subscription::new(filter, qos)]).await
    }

    /// Subscribes to several filters at once, whose messages come in one stream.
    ///
    /// If the server refuses one of them, none is kept.
    pub async fn subscribe_all(
        &self,
        filters: &[dunlin::Subscription<'_>],
    ) -> Result<Subscription, SubscribeError> {
        self.subscribe_with(filters, Properties::NONE).await
    }

    /// The same with properties: a subscription identifier, which the messages then carry, and user
    /// properties; only in MQTT 5.0.
    ///
    /// Of two subscriptions to the same filter, the server has the options of the later one.
    pub async fn subscribe_with(
        &self,
        filters: &[dunlin::Subscription<'_>],
        properties: Properties<'_>,
    ) -> Result<Subscription, SubscribeError> {
        self.begin_subscription(filters, properties, None)?.granted_by_server().await
    }

    /// A subscription that the server has not answered yet, with the client's queue unless it has one of
    /// its own.
    pub(crate) fn begin_subscription(
        &self,
        filters: &[dunlin::Subscription<'_>],
        properties: Properties<'_>,
        queue: Option<Queue>,
    ) -> Result<Subscription, SubscribeError> {
        #[cfg(feature = "aws")]
        self.guard.shared.lock().check_rules(filters, properties)?;
        check(filters, properties, self.guard.shared.qos_max).map_err(SubscribeError::Rejected)?;
        let mut state = self.guard.shared.lock();
        let state = &mut *state;
        if let Some(error) = &state.desk.ended {
            return Err(SubscribeError::Closed(error.clone()));
        }
        let id = state.desk.router.add(filters, properties, queue);
        state.desk.router.pump(&mut state.session);
        state.wake_driver();
        Ok(Subscription::new(Arc::clone(&self.guard), id))
    }

    /// Whether the client is connected, just now.
    pub fn status(&self) -> Status {
        *self.guard.shared.status.borrow()
    }

    /// What the server said when it accepted last; `None` as long as it has not.
    pub fn granted(&self) -> Option<Arc<Granted>> {
        self.guard.shared.lock().desk.granted.clone()
    }

    /// Authenticates again on the connection that stands (MQTT 5.0 §4.12.1), with the authenticator that
    /// it began with ([`Options::authenticator`]); [`Event::Authenticated`] tells of success, and the end
    /// of the connection of failure.
    pub fn re_authenticate(&self) -> Result<(), AuthenticateError> {
        let mut state = self.guard.shared.lock();
        let State { session, desk, .. } = &mut *state;
        let not_now = AuthenticateError::Send(SendError::NotNow);
        desk.authentication.as_mut().ok_or(not_now)?.begin_again(session)?;
        state.wake_driver();
        Ok(())
    }

    /// What happens to the connection from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.guard.shared.lock().desk.events()
    }

    /// Waits until everything accepted so far has been written and, above QoS 0, acknowledged.
    pub async fn drain(&self) -> Result<(), Error> {
        loop {
            let mut room = pin!(self.guard.shared.room.notified());
            room.as_mut().enable();
            {
                let state = self.guard.shared.lock();
                if state.session.is_idle() {
                    return Ok(());
                }
                if let Some(error) = &state.desk.ended {
                    return Err(error.clone());
                }
            }
            room.await;
        }
    }

    /// Sends what has been accepted and DISCONNECT, and ends the client and its subscriptions.
    ///
    /// Does not wait for acknowledgements: [`Client::drain`] does.
    pub async fn close(&self) {
        self.guard.shared.close();
        self.ended().await;
    }

    /// The same for this reason, and with properties: a reason string, user properties, another session
    /// expiry interval. MQTT 3.1.1 has no place for any of it.
    ///
    /// After an error nothing has changed.
    pub async fn close_with(
        &self,
        reason: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.guard.shared.close_with(reason, properties)?;
        self.ended().await;
        Ok(())
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.guard.shared
    }

    /// Which version is spoken.
    pub(crate) fn version(&self) -> Version {
        self.guard.shared.lock().session.version()
    }

    /// Fresh randomness, for a name that nobody else has.
    pub(crate) fn random(&self) -> u64 {
        let mut random = [0; 8];
        self.guard.shared.lock().entropy.fill(&mut random);
        u64::from_le_bytes(random)
    }

    /// Ready when the client has ended; does not keep it alive.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut status = self.guard.shared.status.clone();
        async move {
            // An error says that the last trace of the client is gone.
            let _ = status.wait_for(|status| *status == Status::Closed).await;
        }
    }

    /// Waits until the server has accepted, or the client has ended.
    pub(crate) async fn connected(&self) -> Result<(), Error> {
        let mut status = self.guard.shared.status.clone();
        let _ =
            status.wait_for(|status| matches!(status, Status::Connected | Status::Closed)).await;
        match &self.guard.shared.lock().desk.ended {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

/// What the session would refuse, found before anything is remembered.
fn check(
    filters: &[dunlin::Subscription<'_>],
    properties: Properties<'_>,
    qos_max: Qos,
) -> Result<(), Rejected> {
    properties.check(PacketType::Subscribe).map_err(Rejected::Properties)?;
    if filters.is_empty() {
        return Err(Rejected::NoFilter);
    }
    for wish in filters {
        mqtt::check_filter(wish.filter).map_err(Rejected::Filter)?;
        if wish.qos > qos_max {
            return Err(Rejected::Qos);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_drive::dunlin::{
        Connect,
        mqtt::{Connack, Packet},
    };
    use std::task::{Context, Waker};

    /// Nothing else would tell of it until the next connection, which may be far away.
    #[test]
    fn drain_ends_when_the_last_message_is_lost_with_its_connection() {
        let options = Options::parse("ws://broker").unwrap();
        let shared = Arc::new(Shared::new(&options));
        let client = Client { guard: Arc::new(Guard { shared: Arc::clone(&shared) }) };
        let (reason, properties) = (ReasonCode::SUCCESS, Properties::NONE);
        let connack = Connack { session_present: false, reason, properties };
        {
            let session = &mut shared.lock().session;
            session.handle_open(&Connect::new("test"));
            session.handle_packet(&Packet::Connack(connack)).unwrap();
        }
        let message = Message::new("t", b"", Qos::AtMostOnce);
        let mut receipt = pin!(client.enqueue(&message).unwrap());
        let mut drained = pin!(client.drain());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(drained.as_mut().poll(&mut cx).is_pending());
        {
            let mut state = shared.lock();
            assert!(state.session.poll_packet().is_some());
            state.session.handle_sent();
        }
        // It was written nowhere.
        assert!(receipt.as_mut().poll(&mut cx).is_pending());
        shared.lock().handle_ended(&Error::Closed);
        assert!(receipt.as_mut().poll(&mut cx).is_ready());
        assert!(drained.as_mut().poll(&mut cx).is_ready());
    }
}
