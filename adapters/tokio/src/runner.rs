//! The task of a client: one connection after another.

#[cfg(feature = "aws")]
mod iot;
mod late;
#[cfg(not(feature = "aws"))]
mod plain;
mod redirect;
mod renewal;

use crate::{
    ENDPOINT_STABLE, Error, Event, Options, Status, Url,
    authentication::{Authentication, First as FirstStep, Make},
    buffer::Growing,
    error::printable,
    granted::said,
    options::Lists,
    recorder,
    shared::{INFLIGHT, Shared, State},
    statistics::Counted,
    store::FileStore,
    transport,
};
use dunlin_drive::{
    Ended, Host, Pipe, Scope, drive,
    dunlin::{
        self, Aliases, AuthenticateError, Connect, Connection, Entropy, OpenError, Opening,
        Transport, Version, octet::Text, ws,
    },
};
use redirect::{Next, Redirect};
use renewal::{beside, is_renewal};
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, Sleep, sleep_until},
};

/// Memory for one read or one write at first, in bytes: enough for a client that says little.
const TRANSFER_FIRST: usize = 256;

/// Memory for one read or one write at most, in bytes.
const TRANSFER_MAX: usize = 8 << 10;

/// First size of the receive buffer, in bytes; it grows with what comes.
const RECEIVE_FIRST: usize = 256;

/// How long the good-bye of a closed client may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an orderly end of the transport may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Memory for the topic of one alias, at most, in bytes ([`Aliases::new`]).
const ALIAS_LEN_MAX: usize = 65_543;

/// Whether the client goes on when its first connection fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    MustSucceed,
    MayFail,
}

/// Tells everybody who waits that the task has ended, even if its runtime has dropped it, perhaps before
/// it was first polled.
pub(crate) struct Ending(pub(crate) Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.desk.ended.is_none() {
            state.desk.end(&Error::Closed);
        }
    }
}

/// Connects again and again until the client is closed, or its store fails.
pub(crate) async fn run(
    ending: Ending,
    options: Box<Options>,
    store: Option<FileStore>,
    first: First,
) {
    let shared = &ending.0;
    let connections = Box::pin(connect(shared, &options, first));
    let error = recorder::beside(shared, store, options.outbox, connections).await;
    shared.lock().desk.end(&error);
}

/// One connection after another; says why there is to be none any more.
async fn connect(shared: &Shared, options: &Options, first: First) -> Error {
    let clock = Clock { start: Instant::now() };
    let mut backoff = options.backoff;
    let mut client_id = options.client_id.clone().unwrap_or_else(|| random_client_id(shared));
    let mut redirect = Redirect::new(options);
    let mut must_succeed = first == First::MustSucceed;
    let (mut short_lives, mut is_corrected) = (0, false);
    loop {
        if race(options.turn(), shared.closing.notified()).await.is_err() {
            return Error::Closed;
        }
        shared.lock().desk.handle_connecting();
        let attempt = Attempt { shared, options, url: redirect.url(), clock, short_lives };
        if !is_corrected && attempt.wait_for_turn(&client_id).await.is_err() {
            return Error::Closed;
        }
        let error = attempt.run(&client_id).await;
        // Once for each connection: a server may say whatever it likes.
        is_corrected = !is_corrected && attempt.correct_clock(&error);
        if is_corrected {
            continue;
        }
        short_lives = if is_renewal(&error) { 0 } else { attempt.short_lives_with_this() };
        let retry_in = {
            let mut state = shared.lock();
            state.handle_ended(&error);
            if let Some(since) = state.desk.connected() {
                backoff.handle_connected(clock.at(since));
                must_succeed = false;
            }
            if state.desk.closing {
                return Error::Closed;
            }
            // A connection that is renewed has stood long enough.
            let stood = state
                .desk
                .connected()
                .map(|since| if is_renewal(&error) { ENDPOINT_STABLE } else { since.elapsed() });
            let next = redirect.handle_ended(&error, stood);
            if let Some((to, permanent)) = error.reference() {
                state.desk.announce(Event::Redirected { to: to.to_owned(), permanent });
            }
            if (must_succeed && next == Next::Again) || error.is_final() {
                return error;
            }
            if let Some(kept) = state.desk.kept_client_id() {
                kept.clone_into(&mut client_id);
            }
            if is_renewal(&error) {
                state.desk.announce(Event::Renewing);
                continue;
            }
            let wait_ms = match next {
                Next::Untried => 0,
                // That is not the server that has hung up.
                Next::Named => backoff.handle_ended(clock.now(), None, &mut state.entropy),
                Next::Again => backoff.handle_ended(clock.now(), error.ended(), &mut state.entropy),
            };
            let retry_in = Duration::from_millis(wait_ms);
            state.desk.tell(Status::Disconnected, Event::Disconnected { error, retry_in });
            retry_in
        };
        if race(tokio::time::sleep(retry_in), shared.closing.notified()).await.is_err() {
            return Error::Closed;
        }
    }
}

/// One connection from TCP to its end.
struct Attempt<'a> {
    shared: &'a Shared,
    options: &'a Options,
    url: &'a Url,
    clock: Clock,
    /// How many connections before it ended soon.
    short_lives: u32,
}

impl Attempt<'_> {
    /// Says why it ended.
    async fn run(&self, client_id: &str) -> Error {
        let Self { shared, options, url, .. } = *self;
        #[cfg(feature = "aws")]
        if let Err(error) = self.refresh_credentials().await {
            return error;
        }
        let deadline = Instant::now() + options.connect_timeout;
        // Of its memory nothing is left once there is a transport.
        let connecting =
            Box::pin(transport::connect(url, &options.tls, &options.network, deadline));
        let (mut reader, mut writer) = match race(connecting, shared.closing.notified()).await {
            Ok(Ok(halves)) => halves,
            Ok(Err(error)) => return Error::Connect(Arc::new(error)),
            Err(()) => return Error::Closed,
        };
        let ended = {
            // Pinned here: a future that is an argument of another is kept twice.
            let talking = pin!(self.open(client_id, deadline, &mut reader, &mut writer));
            let renewing = pin!(self.renew());
            let mut talking = pin!(beside(talking, renewing));
            match race(&mut talking, shared.closing.notified()).await {
                Ok(error) => error,
                // The good-bye is under way, if the server knows us at all.
                Err(()) if shared.lock().desk.connected().is_some() => {
                    tokio::time::timeout(CLOSE_TIMEOUT, talking).await.unwrap_or(Error::Closed)
                }
                Err(()) => return Error::Closed,
            }
        };
        // The peer sees an orderly end where there can be one; it has had its words already.
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, writer.shutdown()).await;
        ended
    }

    /// Gets credentials anew where they are about to end; never goes on with those that have ended.
    #[cfg(feature = "aws")]
    async fn refresh_credentials(&self) -> Result<(), Error> {
        let Some(signing) = &self.options.aws else { return Ok(()) };
        let refreshing = signing.refresh(self.options.now());
        match race(refreshing, self.shared.closing.notified()).await {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(error))) => {
                let event = Event::CredentialsNotRefreshed(Arc::new(error));
                self.shared.lock().desk.announce(event);
                Ok(())
            }
            Ok(Err(error)) => Err(Error::Credentials(Arc::new(error))),
            Err(()) => Err(Error::Closed),
        }
    }

    /// Makes what the connection is to begin with, and speaks until it ends.
    async fn open(
        &self,
        client_id: &str,
        deadline: Instant,
        reader: &mut transport::ReadHalf,
        writer: &mut transport::WriteHalf,
    ) -> Error {
        let Self { options, url, .. } = *self;
        let host = url.host_header();
        let target = match target(options, url, &host) {
            Ok(target) => target,
            Err(error) => return error,
        };
        let fields: Vec<_> =
            options.fields.iter().map(|(name, value)| ws::Field { name, value }).collect();
        let transport = if url.scheme().is_websocket() {
            match ws::Request::new(&host, &*target, &fields) {
                Ok(request) => Transport::WebSocket(request),
                Err(error) => return Error::Request(error),
            }
        } else {
            Transport::Stream
        };
        let first = match self.authenticate() {
            Ok(first) => first,
            Err(error) => return Error::Authentication(error),
        };
        let lists = Lists::new(options, first.as_ref());
        let connect: Connect<'_> = lists.connect(options, client_id, self.resumes());
        let opening = Opening { transport, connect, deadline: self.clock.at(deadline) };
        self.talk(opening, reader, writer).await
    }

    /// Begins the authentication of this connection, if there is to be one.
    fn authenticate(&self) -> Result<Option<FirstStep>, AuthenticateError> {
        let begun = self.options.wants.authenticator.as_ref().map(Make::begin).transpose()?;
        let (authentication, first) = begun.unzip();
        let mut state = self.shared.lock();
        state.desk.authentication = authentication;
        state.desk.denied = Arc::new(Notify::new());
        Ok(first)
    }

    /// Whether the server may have a session of this client's life, though none from before it.
    fn resumes(&self) -> bool {
        let state = self.shared.lock();
        self.options.version == Version::V5
            && state.desk.granted.is_some()
            && state.session.expiry_s() > 0
    }

    /// A connection over a transport that has just been established.
    fn begin<'o>(
        &self,
        opening: Opening<'o>,
    ) -> Result<Connection<'o, Growing, Growing>, OpenError> {
        let Self { shared, options, clock, .. } = *self;
        let rx = Growing::new(RECEIVE_FIRST, options.receive);
        let mut state = shared.lock();
        state.renewing = false;
        let State { session, entropy, .. } = &mut *state;
        let mut connection = Connection::open(session, rx, opening, clock.now(), entropy)?
            .with_topic_aliases(aliases(options));
        if let Some(stage) = options.network.tcp.stage {
            connection = connection.with_stage_timeout(millis(stage));
        }
        if let Some((timeout, overdue)) = options.answers {
            connection = connection.with_answer_timeout(millis(timeout), overdue);
        }
        Ok(connection)
    }

    /// Speaks with the broker over a connected transport until that ends.
    async fn talk(
        &self,
        opening: Opening<'_>,
        reader: &mut transport::ReadHalf,
        writer: &mut transport::WriteHalf,
    ) -> Error {
        let Self { shared, clock, .. } = *self;
        let mut connection = match self.begin(opening) {
            Ok(connection) => connection,
            Err(error) => return Error::Open(error),
        };
        let mut host = TaskHost { shared, clock, timer: Box::pin(sleep_until(clock.start)) };
        let transfer = || Growing::new(TRANSFER_FIRST, TRANSFER_MAX);
        let traffic = &shared.traffic;
        let (mut reader, mut writer) =
            (Counted { half: reader, traffic }, Counted { half: writer, traffic });
        let pipe =
            Pipe { reader: &mut reader, writer: &mut writer, rx: transfer(), tx: transfer() };
        let denied = Arc::clone(&shared.lock().desk.denied);
        let ended = {
            let driving = pin!(drive(&mut connection, &mut host, pipe));
            race(driving, denied.notified()).await
        };
        let Ok(Ended { error, io }) = ended else {
            let state = shared.lock();
            let denied = state.desk.authentication.as_ref().and_then(Authentication::denied);
            return denied.map_or(Error::Closed, Error::Authentication);
        };
        if let Some(refusal) = connection.refusal() {
            return self.refusal(error, &refusal);
        }
        let io = match io.map(|io| self.late_refusal(io)) {
            Some(Ok(refused)) => return refused,
            Some(Err(io)) => Some(Arc::new(io)),
            None => None,
        };
        let last = connection.last_properties();
        let said = match said(&last) {
            said if said.is_empty() => printable(connection.close_reason()),
            said => said,
        };
        let server_reference = last.server_reference().map(str::to_owned);
        let cause = self.cause(error);
        Error::Ended { error, io, said, server_reference, cause }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Memory for topic aliases, which is taken when it is needed.
fn aliases(options: &Options) -> Aliases<Growing> {
    let (incoming, outgoing) = match options.version {
        Version::V3 => (0, 0),
        Version::V5 => (options.aliases_in, options.aliased_out),
    };
    let room = usize::from(incoming).saturating_mul(ALIAS_LEN_MAX);
    Aliases::new(Growing::new(0, room), incoming, Growing::new(0, outgoing))
}

/// What goes into the request line, signed if it must be: afresh at each connect.
fn target<'a>(
    options: &'a Options,
    url: &'a Url,
    host: &'a str,
) -> Result<Box<dyn Text + Send + Sync + 'a>, Error> {
    #[cfg(feature = "aws")]
    if let Some(signing) = &options.aws {
        let signed = signing.presign(host, url.target(), options.now(), None);
        return signed
            .map(|signed| -> Box<dyn Text + Send + Sync + 'a> { Box::new(signed) })
            .inspect_err(|_| signing.doubt())
            .map_err(Error::Sign);
    }
    let _ = (options, host);
    Ok(Box::new(url.target()))
}

/// A name of 22 letters and digits, which every server must take (v3.1.1: [MQTT-3.1.3-5]).
fn random_client_id(shared: &Shared) -> String {
    let mut random = [0; 8];
    shared.lock().entropy.fill(&mut random);
    format!("dunlin{:016x}", u64::from_le_bytes(random))
}

/// Awaits `future` until `end` comes first.
pub(crate) async fn race<T, E>(
    future: impl Future<Output = T>,
    end: impl Future<Output = E>,
) -> Result<T, E> {
    let (mut future, mut end) = (pin!(future), pin!(end));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => end.as_mut().poll(cx).map(Err),
    })
    .await
}

/// Milliseconds since the client began.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
}

impl Clock {
    fn now(self) -> dunlin::Instant {
        self.at(Instant::now())
    }

    fn at(self, instant: Instant) -> dunlin::Instant {
        let since = instant.saturating_duration_since(self.start);
        dunlin::Instant::from_millis(millis(since))
    }

    /// Never early: the fraction of a millisecond that `at` cuts off is waited for.
    fn tokio(self, instant: dunlin::Instant) -> Instant {
        let since =
            Duration::from_millis(instant.as_millis().min(FAR_MS)) + Duration::from_millis(1);
        self.start + since
    }
}

/// As far ahead as a timer is ever set, in milliseconds: thirty years.
const FAR_MS: u64 = 30 * 365 * 86_400 * 1_000;

/// The surroundings of a connection on Tokio.
struct TaskHost<'a> {
    shared: &'a Shared,
    clock: Clock,
    timer: Pin<Box<Sleep>>,
}

impl Host<INFLIGHT> for TaskHost<'_> {
    type Outbox = Growing;

    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Context<'_>, Scope<'_, Growing, INFLIGHT>) -> T,
    ) -> T {
        let mut state = self.shared.lock();
        state.set_driver(cx);
        let State { session, desk, entropy, .. } = &mut *state;
        let outcome = f(cx, Scope { session, program: desk, entropy });
        state.leave_when_quiet();
        outcome
    }

    fn now(&self) -> dunlin::Instant {
        self.clock.now()
    }

    fn wake_at(&mut self, cx: &mut Context<'_>, deadline: dunlin::Instant) {
        let deadline = self.clock.tokio(deadline);
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}
