//! What the handles and the runner of a client share, behind one lock.

use crate::{
    Error, Event, PublishError,
    events::Log,
    filters::Filters,
    queue::{Meta, Queue, Takers},
    receipts::Receipts,
    runner::now,
};
use core::{
    cell::RefCell,
    task::{Context, Poll},
};
use dunlin_drive::{
    Program,
    dunlin::{
        self, AckToken, Config, Head, KeepAlive, Message, ReasonCode, Resumption, Session, Token,
    },
};
use embassy_sync::{
    blocking_mutex::{Mutex, raw::RawMutex},
    waitqueue::{MultiWakerRegistration, WakerRegistration},
};

/// How many tasks that wait for room are woken singly; with more of them, some are woken without it.
const WAITERS: usize = 4;

/// The session of a client.
pub(crate) type ClientSession<'r, const N: usize> = Session<&'r mut [u8], N>;

/// What is reached under the lock.
pub(crate) struct State<'r, const N: usize> {
    pub(crate) session: ClientSession<'r, N>,
    pub(crate) desk: Desk<'r, N>,
    /// Woken when the session has been given something to do.
    pub(crate) driver: WakerRegistration,
}

/// Where events go.
pub(crate) struct Desk<'r, const N: usize> {
    pub(crate) filters: Filters<'r>,
    pub(crate) queue: Queue<'r, N>,
    pub(crate) receipts: Receipts<N>,
    pub(crate) log: Log,
    /// The message that is coming in pieces.
    long: Option<Long>,
    pub(crate) ended: Option<Error>,
    pub(crate) closing: bool,
    /// When the server accepted the current connection.
    pub(crate) connected: Option<dunlin::Instant>,
    /// It has accepted one in this client's life.
    pub(crate) known: bool,
    /// The longest packet that comes, in bytes.
    packet_max: usize,
    room: MultiWakerRegistration<WAITERS>,
    /// Somebody waits for room.
    crowded: bool,
}

#[derive(Clone, Copy)]
struct Long {
    meta: Meta,
    takers: Takers,
    /// A piece of it has found no room.
    lost: bool,
}

/// Memory that a client works in.
pub(crate) struct Memory<'r> {
    pub(crate) outbox: &'r mut [u8],
    pub(crate) queue: &'r mut [u8],
    pub(crate) filters: &'r mut [u8],
    pub(crate) packet_max: usize,
}

/// The lock, and all that is behind it.
pub(crate) struct Shared<'r, M: RawMutex, const N: usize> {
    state: Mutex<M, RefCell<State<'r, N>>>,
}

impl<'r, M: RawMutex, const N: usize> Shared<'r, M, N> {
    pub(crate) const fn new(memory: Memory<'r>, config: Config) -> Self {
        let version = config.version;
        let desk = Desk {
            filters: Filters::new(memory.filters),
            queue: Queue::new(memory.queue, version),
            receipts: Receipts::new(),
            log: Log::new(),
            long: None,
            ended: None,
            closing: false,
            connected: None,
            known: false,
            packet_max: memory.packet_max,
            room: MultiWakerRegistration::new(),
            crowded: false,
        };
        let session = Session::new(memory.outbox, config.manual_acks());
        let state = State { session, desk, driver: WakerRegistration::new() };
        Self { state: Mutex::new(RefCell::new(state)) }
    }

    /// Runs `f` under the lock: short, and never across an await.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut State<'r, N>) -> T) -> T {
        self.state.lock(|state| f(&mut state.borrow_mut()))
    }
}

impl<const N: usize> State<'_, N> {
    /// Accepts a message, and says which receipt it has.
    pub(crate) fn enqueue(&mut self, message: &Message<'_>) -> Result<usize, PublishError> {
        if let Some(error) = self.desk.ended {
            return Err(PublishError::Closed(error));
        }
        let full = PublishError::Rejected(dunlin::PublishError::InflightFull);
        let place = self.desk.receipts.vacancy().ok_or(full)?;
        let token = self.session.publish(message).map_err(PublishError::Rejected)?;
        self.desk.receipts.insert(place, token, message.head.qos);
        self.driver.wake();
        Ok(place)
    }

    /// Waits for room, or for all to be acknowledged.
    pub(crate) fn wait_for_room(&mut self, cx: &Context<'_>) {
        self.desk.room.register(cx.waker());
        self.desk.crowded = true;
        self.handle_waiting();
    }

    /// Somebody has begun to wait for an answer of the server's.
    pub(crate) fn handle_waiting(&mut self) {
        if !self.desk.has_room() {
            self.driver.wake();
        }
    }

    /// A subscription has let go of messages, or is about to.
    pub(crate) fn acknowledge(&mut self, ack: Option<AckToken>) {
        acknowledge(&mut self.session, ack);
        self.driver.wake();
    }

    /// Nobody listens to a subscription any more.
    pub(crate) fn leave(&mut self, filters: Takers) {
        while let Some(ack) = self.desk.queue.drop_next(filters) {
            acknowledge(&mut self.session, ack);
        }
        if let Some(long) = &mut self.desk.long {
            long.takers &= !filters;
        }
        self.desk.filters.leave(filters);
        self.desk.filters.pump(&mut self.session);
        self.driver.wake();
    }

    /// The connection has ended, or did not come about.
    pub(crate) fn handle_ended(&mut self, error: Error) {
        let sent = self.session.sent();
        self.desk.receipts.settle_sent(sent, Err(PublishError::Lost(error)));
        self.desk.long = None;
        self.desk.make_room();
    }

    /// The client has ended: everything that waits is told.
    pub(crate) fn end(&mut self, error: Error) {
        self.desk.ended = Some(error);
        self.desk.receipts.end(error);
        self.desk.filters.wake(Takers::MAX);
    }

    /// The runner does not run any more.
    pub(crate) fn handle_stopped(&mut self, error: Error) {
        self.handle_ended(error);
        self.desk.closing = false;
        self.session.stay();
        self.desk.log.push(Event::Closed(error));
    }
}

impl<'r, const N: usize> Desk<'r, N> {
    /// A new attempt begins.
    pub(crate) fn handle_connecting(&mut self) {
        self.connected = None;
        self.log.push(Event::Connecting);
    }

    fn handle_connected(&mut self, resumption: Resumption) {
        self.connected = Some(now());
        self.known = true;
        self.long = None;
        if resumption != Resumption::Resumed {
            self.filters.forget_answers();
        }
        self.log.push(Event::Connected(resumption));
    }

    fn handle_message(
        &mut self,
        session: &mut ClientSession<'r, N>,
        message: &Message<'_>,
        meta: Meta,
        ack: Option<AckToken>,
    ) {
        let takers = self.filters.takers(message.head.topic);
        if takers == 0 {
            acknowledge(session, ack);
        } else if !self.queue.push(message, meta, takers, ack) {
            self.filters.handle_lost(takers);
            refuse(session, ack);
        }
    }

    fn handle_begin(&mut self, head: &Head<'_>, meta: Meta) {
        let takers = self.filters.takers(head.topic);
        let message = Message { head: *head, payload: &[] };
        let kept = takers == 0 || self.queue.push(&message, meta, takers, None);
        self.long = Some(Long { meta, takers, lost: false });
        if !kept {
            self.lose_long();
        }
    }

    /// What comes of a long message finds no room: its rest is passed over.
    fn lose_long(&mut self) {
        if let Some(long) = &mut self.long {
            self.filters.handle_lost(core::mem::take(&mut long.takers));
            long.lost = true;
        }
    }

    fn handle_end(&mut self, session: &mut ClientSession<'r, N>, ack: Option<AckToken>) {
        match self.long.take() {
            Some(Long { lost: true, .. }) => refuse(session, ack),
            Some(Long { takers: 1.., .. }) => acknowledge(session, self.queue.finish(ack)),
            _ => acknowledge(session, ack),
        }
    }

    /// Something has left the outbox: a publisher that waits may try again, and `drain` look.
    pub(crate) fn make_room(&mut self) {
        self.crowded = false;
        self.room.wake();
    }

    /// Whether the longest message finds room.
    fn has_room(&self) -> bool {
        self.queue.has_room_for(self.packet_max)
    }

    fn handle_chunk(&mut self, offset: usize, payload: &[u8]) {
        let Some(Long { meta, takers: takers @ 1.., .. }) = self.long else { return };
        let meta = Meta { offset, headed: false, ..meta };
        if self.queue.push_piece(payload, meta, takers) {
            self.filters.wake(takers);
        } else {
            self.lose_long();
        }
    }

    fn settle(&mut self, token: Token, reason: ReasonCode) {
        let outcome =
            if reason.is_error() { Err(PublishError::Refused(reason)) } else { Ok(reason) };
        self.receipts.settle(token, outcome);
        self.make_room();
    }
}

impl<'r, const N: usize> Program<&'r mut [u8], N> for Desk<'r, N> {
    /// While messages wait that nobody takes, nothing more is read, unless somebody waits for what may
    /// stand behind them; then what finds no room is lost.
    ///
    /// Whoever takes a message wakes the driver, and who begins to wait.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
        let awaited = self.crowded || self.receipts.are_awaited() || self.filters.are_awaited();
        if awaited || self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn handle_event(&mut self, session: &mut ClientSession<'r, N>, event: dunlin::Event<'_>) {
        match event {
            dunlin::Event::Connected { resumption, .. } => self.handle_connected(resumption),
            dunlin::Event::Message { message, duplicate, ack } => {
                let len = message.payload.len();
                let (qos, retain) = (message.head.qos, message.head.retain);
                let meta = Meta { qos, retain, duplicate, offset: 0, len, headed: true };
                self.handle_message(session, &message, meta, ack);
            }
            dunlin::Event::MessageBegin { head, len, duplicate, .. } => {
                let (qos, retain) = (head.qos, head.retain);
                let meta = Meta { qos, retain, duplicate, offset: 0, len, headed: true };
                self.handle_begin(&head, meta);
            }
            dunlin::Event::MessageChunk { offset, payload } => self.handle_chunk(offset, payload),
            dunlin::Event::MessageEnd { ack } => self.handle_end(session, ack),
            dunlin::Event::Acknowledged { token, reason, .. } => self.settle(token, reason),
            dunlin::Event::Subscribed { token, reasons, .. } => {
                let reason = reasons.iter().next().unwrap_or(ReasonCode::UNSPECIFIED_ERROR);
                self.filters.handle_subscribed(token, reason);
                self.make_room();
            }
            dunlin::Event::Unsubscribed { .. } => self.make_room(),
            dunlin::Event::Rejected { token, reason } => {
                let error = PublishError::Rejected(dunlin::PublishError::Limit(reason));
                self.receipts.settle(token, Err(error));
                self.filters.handle_rejected(token, reason);
                self.make_room();
            }
            _ => {}
        }
        self.filters.pump(session);
    }

    fn handle_written(&mut self, session: &mut ClientSession<'r, N>) {
        self.receipts.settle_sent(session.sent(), Ok(ReasonCode::SUCCESS));
        self.filters.pump(session);
        self.make_room();
    }

    fn handle_keep_alive(&mut self, keep_alive: KeepAlive) {
        self.log.push(Event::KeepAlive(keep_alive));
    }
}

/// Acknowledges; a message of an earlier connection will come again instead.
fn acknowledge<const N: usize>(session: &mut ClientSession<'_, N>, ack: Option<AckToken>) {
    if let Some(ack) = ack {
        let _stale = session.acknowledge(ack, ReasonCode::SUCCESS);
    }
}

/// There is no room for a message: in MQTT 5.0 the server learns of it, and it does not come again.
fn refuse<const N: usize>(session: &mut ClientSession<'_, N>, ack: Option<AckToken>) {
    if let Some(ack) = ack {
        let _stale = session.acknowledge(ack, ReasonCode::QUOTA_EXCEEDED);
    }
}
