//! What the handles and the task of a client share, behind one lock.

use crate::{
    Error, Event, Granted, Offline, Options, Persistence, PublishError, Receipt,
    authentication::{Authentication, is_done},
    buffer::Growing,
    entropy::SystemEntropy,
    granted::said,
    router::{Queue, Router},
    statistics::{Statistics, Traffic},
    tally::Tally,
};
use dunlin_drive::{
    Program,
    dunlin::{
        self, Config, KeepAlive, Message, Properties, Qos, ReasonCode, Resumption, Session, Token,
        mqtt::{Malformed, PacketType, SendError},
    },
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio::{
    sync::{Notify, broadcast, oneshot, watch},
    time::Instant,
};

/// How many exchanges can wait for an answer at a time, in each direction.
pub(crate) const INFLIGHT: usize = 256;

/// First size of the outbox, in bytes; it grows when it must.
const OUTBOX_FIRST: usize = 256;

/// How many events wait for each reader; the oldest are dropped then.
const EVENTS_MAX: usize = 256;

/// The session of a client.
pub(crate) type ClientSession = Session<Growing, INFLIGHT>;

/// How a publish has ended.
pub(crate) type Outcome = Result<ReasonCode, PublishError>;

/// Whether a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// A connection is being made.
    Connecting,
    /// The server has accepted.
    Connected,
    /// The connection is lost; another will be made.
    Disconnected,
    /// The client has ended.
    Closed,
}

/// What is reached under the lock.
pub(crate) struct State {
    pub(crate) session: ClientSession,
    pub(crate) desk: Desk,
    pub(crate) entropy: SystemEntropy,
    /// Woken when the session has been given something to do.
    pub(crate) driver: Option<Waker>,
    /// Whether the connection is to be changed in the next moment in which nothing is under way.
    pub(crate) renewing: bool,
    /// Set where the broker is AWS IoT Core.
    #[cfg(feature = "aws")]
    judge: Option<crate::aws::Judge>,
}

impl State {
    /// Whether AWS IoT Core takes a subscription, if it is that.
    #[cfg(feature = "aws")]
    pub(crate) fn check_rules(
        &self,
        filters: &[dunlin::Subscription<'_>],
        properties: Properties<'_>,
    ) -> Result<(), crate::SubscribeError> {
        if self.judge.is_none() {
            return Ok(());
        }
        let guard = dunlin_aws::Guard;
        let checked = guard.check_subscriptions(filters, properties);
        checked
            .and_then(|()| guard.check_count(self.desk.router.filters_with(filters)))
            .map_err(crate::SubscribeError::Aws)
    }

    /// The task is to be woken by what `cx` says.
    pub(crate) fn set_driver(&mut self, cx: &Context<'_>) {
        match &self.driver {
            Some(driver) if driver.will_wake(cx.waker()) => {}
            _ => self.driver = Some(cx.waker().clone()),
        }
    }

    pub(crate) fn wake_driver(&self) {
        if let Some(driver) = &self.driver {
            driver.wake_by_ref();
        }
    }

    /// The connection has ended: messages of QoS 0 that were on their way to it may be lost, and have left
    /// the outbox.
    pub(crate) fn handle_ended(&mut self, error: &Error) {
        self.desk.handle_ended(self.session.sent(), error);
        self.desk.make_room(&self.session);
    }
}

/// Where events go.
pub(crate) struct Desk {
    pub(crate) router: Router,
    publishes: HashMap<Token, oneshot::Sender<Outcome>>,
    /// Messages of QoS 0 that have not been written yet, oldest first.
    unwritten: VecDeque<(Token, oneshot::Sender<Outcome>)>,
    pub(crate) ended: Option<Error>,
    pub(crate) closing: bool,
    room: Arc<Notify>,
    status: watch::Sender<Status>,
    /// As soon as somebody listens: there is room for all that wait.
    events: Option<broadcast::Sender<Event>>,
    /// When the server accepted the current connection.
    connected: Option<Instant>,
    /// When a message was accepted last, or sent again.
    published: Option<Instant>,
    /// How the current connection authenticates, if in steps.
    pub(crate) authentication: Option<Authentication>,
    /// The authentication does not go on.
    pub(crate) denied: Arc<Notify>,
    /// What it said then, or when it accepted the last one.
    pub(crate) granted: Option<Arc<Granted>>,
    /// How many messages above QoS 0 have been accepted, and how many of them are on their way into the
    /// store.
    accepted: u64,
    recording: u64,
    tally: Tally,
    recorded: watch::Sender<u64>,
}

/// The lock, and what is waited for outside of it.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) qos_max: Qos,
    offline: Offline,
    pub(crate) status: watch::Receiver<Status>,
    /// Something has left the outbox.
    pub(crate) room: Arc<Notify>,
    /// The last handle is gone, or the client is to close.
    pub(crate) closing: Notify,
    pub(crate) traffic: Traffic,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Self {
        let (status, watched) = watch::channel(Status::Connecting);
        let room = Arc::new(Notify::new());
        let outbox = Growing::new(OUTBOX_FIRST, options.outbox);
        let state = State {
            session: Session::new(outbox, config(options)),
            desk: Desk {
                router: Router::new(
                    Queue { max: options.queue, overflow: options.overflow },
                    options.matching(),
                ),
                publishes: HashMap::new(),
                unwritten: VecDeque::new(),
                ended: None,
                closing: false,
                room: Arc::clone(&room),
                status,
                events: None,
                connected: None,
                published: None,
                authentication: None,
                denied: Arc::new(Notify::new()),
                granted: None,
                accepted: 0,
                recording: 0,
                tally: Tally::new(options),
                recorded: watch::channel(0).0,
            },
            entropy: SystemEntropy::new(),
            driver: None,
            renewing: false,
            #[cfg(feature = "aws")]
            judge: options.iot.as_ref().map(crate::aws::Judge::new),
        };
        Self {
            state: Mutex::new(state),
            qos_max: options.qos_max(),
            offline: options.offline,
            status: watched,
            room,
            closing: Notify::new(),
            traffic: Traffic::default(),
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let state = self.lock();
        let State { session, desk, .. } = &*state;
        Statistics {
            dropped: desk.router.dropped(),
            pending: desk.publishes.len() + desk.unwritten.len(),
            unacknowledged: session.unacknowledged(),
            bytes_read: self.traffic.read(),
            bytes_written: self.traffic.written(),
            ..desk.tally.counts()
        }
    }

    /// Held for short calls, and never across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state as some call left it: each changes all or nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a message into the outbox.
    pub(crate) fn enqueue(&self, message: &Message<'_>) -> Result<Receipt, PublishError> {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(error) = &state.desk.ended {
            return Err(PublishError::Closed(error.clone()));
        }
        if self.offline == Offline::Refuse && *self.status.borrow() != Status::Connected {
            return Err(PublishError::Offline);
        }
        #[cfg(feature = "aws")]
        let judge = state.judge.map(|judge| judge.admit(message)).transpose()?;
        let token = state.session.publish(message).map_err(PublishError::Rejected)?;
        #[cfg(feature = "aws")]
        {
            state.judge = judge;
        }
        state.desk.published = Some(Instant::now());
        state.desk.tally.published(message);
        let (sender, receiver) = oneshot::channel();
        if message.head.qos == Qos::AtMostOnce {
            state.desk.unwritten.push_back((token, sender));
        } else {
            state.desk.publishes.insert(token, sender);
            state.desk.accepted += 1;
        }
        state.wake_driver();
        // Without a store there is nothing to wait for, and with QoS 0 nothing to record.
        let waits = !state.session.is_recorded() && message.head.qos != Qos::AtMostOnce;
        let recorded = waits.then(|| (state.desk.accepted, state.desk.recorded.subscribe()));
        Ok(Receipt::new(receiver, recorded))
    }

    /// Asks the task to say good-bye and end.
    pub(crate) fn close(&self) {
        let closed = self.close_with(ReasonCode::SUCCESS, Properties::NONE);
        debug_assert!(closed.is_ok(), "{closed:?}");
    }

    /// The same for this reason and with these properties; the first good-bye counts.
    pub(crate) fn close_with(
        &self,
        reason: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        if !reason.may_stand_in(PacketType::Disconnect) {
            return Err(SendError::Properties(Malformed::Value));
        }
        let mut state = self.lock();
        if !state.desk.closing {
            if properties.is_empty() || !state.session.is_open() {
                state.session.disconnect(reason);
            } else {
                state.session.disconnect_with(reason, properties)?;
            }
            state.desk.closing = true;
            state.wake_driver();
        }
        drop(state);
        self.closing.notify_one();
        Ok(())
    }
}

fn config(options: &Options) -> Config {
    let config = Config::new().version(options.version).manual_acks().qos_max(options.qos_max());
    let config = options.in_flight_max().map_or(config, |most| config.in_flight_max(most));
    let config = if options.store.is_some() { config.journaled() } else { config };
    // What the server has kept is the only memory that a program has which starts again.
    if options.persistence == Persistence::Kept { config.adopting_sessions() } else { config }
}

impl Desk {
    /// The server has accepted.
    fn handle_connected(&mut self, resumption: Resumption, granted: Granted) {
        self.connected = Some(Instant::now());
        self.published = if self.publishes.is_empty() { None } else { self.connected };
        self.granted = Some(Arc::new(granted));
        self.router.forget_acks();
        if resumption == Resumption::Resumed {
            self.router.expect_early();
        } else {
            self.router.forget_answers();
        }
        self.tell(Status::Connected, Event::Connected(resumption));
    }

    /// A message has come to its end; nothing happens where `token` is none of a message.
    fn settle(&mut self, token: Token, outcome: Outcome) {
        let sender = self.publishes.remove(&token).or_else(|| {
            let at = self.unwritten.iter().position(|(unwritten, _)| *unwritten == token)?;
            self.unwritten.remove(at).map(|(_, sender)| sender)
        });
        if let Some(sender) = sender {
            self.tally.settled(&outcome);
            let _nobody_waits = sender.send(outcome);
        }
    }

    /// A new attempt begins.
    pub(crate) fn handle_connecting(&mut self) {
        self.connected = None;
        self.tell(Status::Connecting, Event::Connecting);
    }

    /// Messages of QoS 0 up to this one may be lost.
    fn handle_ended(&mut self, sent: Option<Token>, error: &Error) {
        while let Some((token, _)) = self.unwritten.front()
            && sent.is_some_and(|sent| token.is_up_to(sent))
            && let Some((_, sender)) = self.unwritten.pop_front()
        {
            let outcome = Err(PublishError::Lost(error.clone()));
            self.tally.settled(&outcome);
            let _nobody_waits = sender.send(outcome);
        }
    }

    /// When the server accepted the current connection; `None` while it has not.
    pub(crate) const fn connected(&self) -> Option<Instant> {
        self.connected
    }

    /// How long ago a message went out to which no answer has come, or none will.
    #[cfg(feature = "aws")]
    pub(crate) fn publishing(&self) -> Option<std::time::Duration> {
        self.published.map(|published| published.elapsed())
    }

    /// The client identifier that the server has chosen, where it is to be used again.
    pub(crate) fn kept_client_id(&self) -> Option<&str> {
        self.granted.as_ref()?.kept_client_id()
    }

    /// A new listener to events.
    pub(crate) fn events(&mut self) -> broadcast::Receiver<Event> {
        self.events.get_or_insert_with(|| broadcast::Sender::new(EVENTS_MAX)).subscribe()
    }

    /// All records so far are on their way into the store.
    pub(crate) const fn handle_recording(&mut self) {
        self.recording = self.accepted;
    }

    /// What was on its way is safe.
    pub(crate) fn handle_recorded(&mut self, session: &ClientSession) {
        self.recorded.send_replace(self.recording);
        self.make_room(session);
    }

    /// Something has left the outbox: a publisher that waits may try again, and `drain` look.
    fn make_room(&self, session: &ClientSession) {
        if session.is_idle() { self.room.notify_waiters() } else { self.room.notify_one() }
    }

    /// Something has happened that leaves the status as it is.
    pub(crate) fn announce(&mut self, event: Event) {
        self.tally.event(&event);
        if let Some(events) = &self.events {
            // Nobody has to listen any more.
            let _ = events.send(event);
        }
    }

    pub(crate) fn tell(&mut self, status: Status, event: Event) {
        self.status.send_replace(status);
        self.announce(event);
    }

    /// The client has ended: everything that waits is told.
    pub(crate) fn end(&mut self, error: &Error) {
        self.ended = Some(error.clone());
        let unwritten = self.unwritten.drain(..).map(|(_, sender)| sender);
        for sender in self.publishes.drain().map(|(_, sender)| sender).chain(unwritten) {
            let _nobody_waits = sender.send(Err(PublishError::Closed(error.clone())));
        }
        self.router.end(error);
        self.room.notify_waiters();
        self.tell(Status::Closed, Event::Closed(error.clone()));
    }
}

impl Program<Growing, INFLIGHT> for Desk {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // Whoever takes a message wakes the driver.
        self.router.poll_ready()
    }

    fn handle_event(&mut self, session: &mut ClientSession, event: dunlin::Event<'_>) {
        if let Some(authentication) = &mut self.authentication {
            if !authentication.handle_event(session, &event) {
                self.denied.notify_one();
                return;
            }
            if is_done(&event) {
                self.announce(Event::Authenticated);
            }
        }
        match event {
            dunlin::Event::Connected { resumption, properties } => {
                let granted = Granted::new(&properties, *session.limits(), session.expiry_s());
                self.handle_connected(resumption, granted);
            }
            dunlin::Event::Message { message, duplicate, ack } => {
                self.tally.received(&message);
                self.router.handle_message(&message, duplicate, ack, session);
            }
            dunlin::Event::Acknowledged { token, reason, properties } => {
                let outcome = if reason.is_error() {
                    Err(PublishError::Refused { reason, said: said(&properties) })
                } else {
                    Ok(reason)
                };
                self.settle(token, outcome);
                if self.publishes.is_empty() && self.unwritten.is_empty() {
                    self.published = None;
                }
                self.make_room(session);
            }
            dunlin::Event::Subscribed { token, reasons, properties } => {
                self.router.handle_subscribed(token, reasons, &properties);
                self.make_room(session);
            }
            dunlin::Event::Unsubscribed { token, reasons, .. } => {
                self.router.handle_unsubscribed(token, reasons);
                self.make_room(session);
            }
            dunlin::Event::Rejected { token, reason } => {
                self.settle(
                    token,
                    Err(PublishError::Rejected(dunlin::PublishError::Limit(reason))),
                );
                self.router.handle_rejected(token, reason);
                self.make_room(session);
            }
            _ => {}
        }
        self.router.let_go_of_early(session);
        self.router.pump(session);
    }

    fn handle_keep_alive(&mut self, keep_alive: KeepAlive) {
        self.announce(Event::KeepAlive(keep_alive));
    }

    fn handle_written(&mut self, session: &mut ClientSession) {
        self.router.let_go_of_early(session);
        let Some(sent) = session.sent() else { return };
        while let Some((token, _)) = self.unwritten.front()
            && token.is_up_to(sent)
            && let Some((_, sender)) = self.unwritten.pop_front()
        {
            let outcome = Ok(ReasonCode::SUCCESS);
            self.tally.settled(&outcome);
            let _nobody_waits = sender.send(outcome);
        }
        self.make_room(session);
        self.router.pump(session);
    }
}

#[cfg(test)]
mod tests;
