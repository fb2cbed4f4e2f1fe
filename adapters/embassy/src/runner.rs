//! One connection after another.

use crate::{Connector, Error, Event, Provider, Talk, shared::Shared};
use core::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
};
use dunlin_drive::{
    Backoff, Ended, Host, Pipe, Scope, drive,
    dunlin::{self, Connect, Connection, Entropy, Opening, Version},
};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Error as _, Read, Write};

/// How long a connection may take to be established, as far as nothing else is said.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(20);

/// How long the good-bye of a closed client may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an orderly end of the transport may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Memory of one connection.
pub(crate) struct Buffers<'r> {
    pub(crate) rx: &'r mut [u8],
    pub(crate) tx: &'r mut [u8],
    pub(crate) read: &'r mut [u8],
}

/// Keeps a client connected, in a task of its own.
pub struct Runner<'r, M: RawMutex, const N: usize> {
    shared: &'r Shared<'r, M, N>,
    buffers: Buffers<'r>,
    connect_timeout: Duration,
    backoff: Backoff,
}

/// Says that nobody runs, even if the task was dropped.
struct Ending<'a, 'r, M: RawMutex, const N: usize> {
    shared: &'a Shared<'r, M, N>,
    error: Error,
}

impl<M: RawMutex, const N: usize> Ending<'_, '_, M, N> {
    /// Whoever waits is told that it is in vain.
    fn finish(self) -> Error {
        self.shared.with(|state| state.end(self.error));
        self.error
    }
}

impl<M: RawMutex, const N: usize> Drop for Ending<'_, '_, M, N> {
    fn drop(&mut self) {
        self.shared.with(|state| state.handle_stopped(self.error));
    }
}

impl<'r, M: RawMutex, const N: usize> Runner<'r, M, N> {
    pub(crate) fn new(shared: &'r Shared<'r, M, N>, buffers: Buffers<'r>) -> Self {
        let (connect_timeout, backoff) = (CONNECT_TIMEOUT_DEFAULT, Backoff::default());
        Self { shared, buffers, connect_timeout, backoff }
    }

    /// How long a connection may take to be established: credentials, transport, upgrade and CONNACK.
    #[must_use]
    pub fn with_connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// How long to wait before connecting again.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Connects, again whenever the connection is lost, until the client is closed or the server sends
    /// it away for good; says why it has ended.
    ///
    /// Can be called again then, and goes on with the same session. Dropping the future, as before a long
    /// sleep, cuts the connection off and ends nothing: what was accepted, and whoever waits, waits for
    /// the next call.
    pub async fn run<C: Connector, P: Provider>(
        &mut self,
        connector: &mut C,
        provider: &mut P,
        entropy: &mut dyn Entropy,
    ) -> Error {
        let shared = self.shared;
        let mut ending = Ending { shared, error: Error::Closed };
        shared.with(|state| state.desk.ended = None);
        loop {
            shared.with(|state| state.desk.handle_connecting());
            let error = self.attempt(connector, provider, entropy).await;
            let (connected, closing_now) = shared.with(|state| {
                state.handle_ended(error);
                (state.desk.connected.take(), state.desk.closing)
            });
            if closing_now || error.is_final() {
                ending.error = if closing_now { Error::Closed } else { error };
                return ending.finish();
            }
            if let Some(since) = connected {
                self.backoff.handle_connected(since);
            }
            let retry_in_ms = self.backoff.handle_ended(now(), error.ended(), entropy);
            let event = Event::Disconnected { error, retry_in_ms };
            shared.with(|state| state.desk.log.push(event));
            let wait = Timer::after(Duration::from_millis(retry_in_ms));
            if until(wait, closing(shared)).await.is_none() {
                return ending.finish();
            }
        }
    }

    /// One connection from its credentials to its end; says why it ended.
    async fn attempt<C: Connector, P: Provider>(
        &mut self,
        connector: &mut C,
        provider: &mut P,
        entropy: &mut dyn Entropy,
    ) -> Error {
        let shared = self.shared;
        let deadline = Instant::now().saturating_add(self.connect_timeout);
        let fresh = until(provider.refresh(), stop(shared, deadline)).await;
        match fresh {
            Some(Ok(())) => {}
            Some(Err(_)) => return Error::Unavailable,
            None => return self.stopped(),
        }
        let progress = Progress::new(deadline);
        let Self { buffers, .. } = self;
        let conversation =
            Conversation { shared, buffers, provider: &*provider, entropy, progress: &progress };
        let carried = until(connector.carry(conversation), progress.over(shared)).await;
        match (carried, progress.error.get()) {
            (_, Some(error)) => error,
            (Some(Err(error)), None) => Error::Connect(error.kind()),
            _ => self.stopped(),
        }
    }

    /// Why an attempt was given up.
    fn stopped(&self) -> Error {
        if self.shared.with(|state| state.desk.closing) {
            Error::Closed
        } else {
            Error::ConnectTimedOut
        }
    }
}

#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize> defmt::Format for Runner<'_, M, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Runner {{ {} }}", self.backoff);
    }
}

/// How far an attempt has come, for whoever decides that it takes too long.
struct Progress {
    /// When it must be connected.
    deadline: Instant,
    stage: Cell<Stage>,
    /// Why the conversation has ended.
    error: Cell<Option<Error>>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// There is no transport yet.
    Connecting,
    /// The connection has a deadline of its own.
    Talking,
    /// The client is to close: until when its good-bye may take.
    Leaving(Instant),
    /// Nothing more is said: until when the transport may take to close.
    Closing(Instant),
}

impl Progress {
    const fn new(deadline: Instant) -> Self {
        Self { deadline, stage: Cell::new(Stage::Connecting), error: Cell::new(None) }
    }

    /// The conversation is over; the transport is to be closed.
    fn handle_ended(&self, error: Error) {
        self.error.set(Some(error));
        self.stage.set(Stage::Closing(Instant::now().saturating_add(SHUTDOWN_TIMEOUT)));
    }

    /// Ready when the attempt is to be dropped.
    async fn over<M: RawMutex, const N: usize>(&self, shared: &Shared<'_, M, N>) {
        let mut timer: Option<(Instant, Timer)> = None;
        poll_fn(|cx| {
            let (closing, connected) = shared.with(|state| {
                state.driver.register(cx.waker());
                (state.desk.closing, state.desk.connected.is_some())
            });
            let until = match self.stage.get() {
                Stage::Connecting if closing => return Poll::Ready(()),
                Stage::Connecting => self.deadline,
                Stage::Talking if !closing => return Poll::Pending,
                Stage::Talking if !connected => return Poll::Ready(()),
                Stage::Talking => {
                    let until = Instant::now().saturating_add(CLOSE_TIMEOUT);
                    self.stage.set(Stage::Leaving(until));
                    until
                }
                Stage::Leaving(until) | Stage::Closing(until) => until,
            };
            let timer = match &mut timer {
                Some((set, timer)) if *set == until => timer,
                other => &mut other.insert((until, Timer::at(until))).1,
            };
            Pin::new(timer).poll(cx)
        })
        .await;
    }
}

/// Speaks with the server over an established transport until that ends.
struct Conversation<'a, 'r, M: RawMutex, P, const N: usize> {
    shared: &'r Shared<'r, M, N>,
    buffers: &'a mut Buffers<'r>,
    provider: &'a P,
    entropy: &'a mut dyn Entropy,
    progress: &'a Progress,
}

impl<M: RawMutex, P: Provider, const N: usize> Talk for Conversation<'_, '_, M, P, N> {
    /// The end stands in [`Progress`], for it must be known even if closing takes too long.
    type Output = ();

    async fn talk<R: Read, W: Write<Error = R::Error>>(self, reader: &mut R, writer: &mut W) {
        self.progress.stage.set(Stage::Talking);
        let progress = self.progress;
        let error = self.converse(reader, writer).await;
        progress.handle_ended(error);
    }
}

impl<M: RawMutex, P: Provider, const N: usize> Conversation<'_, '_, M, P, N> {
    async fn converse<R: Read, W: Write<Error = R::Error>>(
        self,
        reader: &mut R,
        writer: &mut W,
    ) -> Error {
        let Self { shared, buffers: Buffers { rx, tx, read }, provider, entropy, progress } = self;
        let Ok(transport) = provider.transport() else { return Error::Unavailable };
        let connect = provider.connect();
        let deadline = dunlin::Instant::from_millis(progress.deadline.as_millis());
        let opened = shared.with(|state| {
            let session = &mut state.session;
            // The server may have a session of this client's life, though none from before it.
            let resumes =
                state.desk.known && connect.version == Version::V5 && session.expiry_s() > 0;
            let clean_session = connect.clean_session && !resumes;
            let opening =
                Opening { transport, connect: Connect { clean_session, ..connect }, deadline };
            Connection::open(session, &mut **rx, opening, now(), entropy)
        });
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(error) => return Error::Open(error),
        };
        let mut host = TaskHost { shared, entropy, timer: None };
        let pipe = Pipe { reader, writer, rx: read, tx };
        let Ended { error, io } = drive(&mut connection, &mut host, pipe).await;
        if let Some(refusal) = connection.refusal() {
            provider.handle_refusal(&refusal);
        }
        Error::Ended { error, io: io.map(|error| error.kind()) }
    }
}

/// Ready when the client is to close.
async fn closing<M: RawMutex, const N: usize>(shared: &Shared<'_, M, N>) {
    poll_fn(|cx| {
        shared.with(|state| {
            state.driver.register(cx.waker());
            if state.desk.closing { Poll::Ready(()) } else { Poll::Pending }
        })
    })
    .await;
}

/// Ready when the client is to close, or the deadline has passed.
async fn stop<M: RawMutex, const N: usize>(shared: &Shared<'_, M, N>, deadline: Instant) {
    let _which = until(closing(shared), Timer::at(deadline)).await;
}

/// Awaits `future` unless `end` comes first.
async fn until<T>(future: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    let (mut future, mut end) = (pin!(future), pin!(end));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => end.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// Milliseconds since the device started.
pub(crate) fn now() -> dunlin::Instant {
    dunlin::Instant::from_millis(Instant::now().as_millis())
}

/// As far ahead as a timer is ever set, in milliseconds: thirty years.
const FAR_MS: u64 = 30 * 365 * 86_400 * 1_000;

/// The surroundings of a connection on Embassy.
struct TaskHost<'a, 'r, M: RawMutex, const N: usize> {
    shared: &'a Shared<'r, M, N>,
    entropy: &'a mut dyn Entropy,
    timer: Option<(dunlin::Instant, Timer)>,
}

impl<'r, M: RawMutex, const N: usize> Host<N> for TaskHost<'_, 'r, M, N> {
    type Outbox = &'r mut [u8];

    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Context<'_>, Scope<'_, &'r mut [u8], N>) -> T,
    ) -> T {
        let entropy = &mut *self.entropy;
        self.shared.with(|state| {
            state.driver.register(cx.waker());
            f(cx, Scope { session: &mut state.session, program: &mut state.desk, entropy })
        })
    }

    fn now(&self) -> dunlin::Instant {
        now()
    }

    fn wake_at(&mut self, cx: &mut Context<'_>, deadline: dunlin::Instant) {
        // Never early: a tick may be longer than a millisecond.
        let timer = || {
            let ms = deadline.since(now()).min(FAR_MS).saturating_add(1);
            (deadline, Timer::after(Duration::from_millis(ms)))
        };
        let timer = match &mut self.timer {
            Some((set, timer)) if *set == deadline => timer,
            other => &mut other.insert(timer()).1,
        };
        if Pin::new(timer).poll(cx).is_ready() {
            self.timer = None;
            cx.waker().wake_by_ref();
        }
    }
}
