//! A program with a Dunlin client in it.

mod bugs;
mod program;
mod told;
mod traits;
mod verdict;

use super::{Bug, Guest, Key, Link, Moment};
use dunlin::{
    AckToken, Aliases, Closed, Config, Connect, Connection, Error, Instant, Opening, Overdue,
    Properties, Session, Token, Transport, Version, ws,
};
use std::collections::VecDeque;
use told::Told;
pub(super) use traits::PROMISES;
pub use traits::{Memory, Traits};

/// Exchanges in flight, each way.
pub const INFLIGHT: usize = 4;

/// The keep alive of every connection, in seconds, unless the broker wants another.
pub const KEEP_ALIVE_S: u16 = 10;

/// How long a connection may take to open, in milliseconds.
const OPENING_MS: u64 = 5_000;

/// Most turns of the loop at one point in time: more is a loop without progress.
const TURNS_MAX: usize = 500;

/// Memory for the topics of aliases: enough for what the broker may use, and for two of its own.
const ALIASES_IN: usize = 96;
const ALIASES_OUT: usize = 32;

/// One connection and what lies before it.
#[derive(Debug)]
struct Live {
    connection: Connection<'static, Memory, Memory>,
    unread: VecDeque<Vec<u8>>,
    last_heard: u64,
    is_over: bool,
}

/// A program with a session, and a connection now and then.
#[derive(Debug)]
pub struct Node {
    index: u8,
    traits: Traits,
    bug: Option<Bug>,
    /// What it calls itself, or was called.
    name: &'static str,
    session: Session<Memory, INFLIGHT>,
    live: Option<Live>,
    /// The number of the connection.
    link: u32,
    keep_alive_s: u16,
    /// For how long the last session that stood was to outlive its connection.
    expiry_s: Option<u32>,
    /// The broker is to be asked for messages.
    asks: bool,
    /// The SUBSCRIBE that waits for its answer, and how many filters it has.
    asked: Option<(Token, usize)>,
    /// When it connects again.
    reopen_at: Option<u64>,
    next: u32,
    pending: Vec<(Key, Token)>,
    held: Vec<(u64, AckToken, Key)>,
    /// Polls, and what they are made for: runs, bytes, events, transmissions.
    polls: u64,
    causes: u64,
}

impl Node {
    /// A program that will connect at once.
    pub fn new(index: u8, traits: Traits, bug: Option<Bug>) -> Self {
        let nameless = traits.nameless && traits.version == Version::V5;
        let name = if nameless { "" } else { ["node-0", "node-1"][usize::from(index)] };
        Self {
            index,
            traits,
            bug,
            name,
            session: fresh_session(&traits),
            live: None,
            link: 0,
            keep_alive_s: KEEP_ALIVE_S,
            expiry_s: None,
            asks: traits.subscribes,
            asked: None,
            reopen_at: Some(0),
            next: 0,
            pending: Vec::new(),
            held: Vec::new(),
            polls: 0,
            causes: 0,
        }
    }

    /// What the broker's host knows of its connections.
    pub fn guest(&self) -> Guest {
        let resends_after = match self.traits.answers {
            Some((timeout_ms, Overdue::Resend)) => Some(timeout_ms),
            _ => None,
        };
        Guest { node: self.index, framed: self.traits.framed, resends_after }
    }

    /// The client identifier of the connection that stands, if it gets messages there.
    pub fn subscriber(&self) -> Option<&'static str> {
        self.traits.subscribes.then_some(self.name)
    }

    /// Whether there is a connection.
    pub const fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether it is time to connect.
    pub fn wants_to_open(&self, now: u64) -> bool {
        self.live.is_none() && self.reopen_at.is_some_and(|at| at <= now)
    }

    /// Begins the connection `link`.
    pub fn open(&mut self, link: u32, at: &mut Moment<'_>) -> Result<(), String> {
        self.forget_arrivals();
        let request = ws::Request::new("broker.test", &"/mqtt", &[]).map_err(|e| e.to_string())?;
        let transport =
            if self.traits.framed { Transport::WebSocket(request) } else { Transport::Stream };
        let promise = match self.traits.version {
            Version::V3 => &[],
            Version::V5 => PROMISES[self.traits.promise],
        };
        let connect = Connect {
            version: self.traits.version,
            clean_session: self.traits.clean,
            keep_alive_s: KEEP_ALIVE_S,
            properties: Properties::new(promise),
            ..Connect::new(self.name)
        };
        let now = Instant::from_millis(at.now);
        let opening = Opening { transport, connect, deadline: now.after(OPENING_MS) };
        let rx = Memory::new(self.traits.rx, self.traits.grows);
        let mut entropy = |bytes: &mut [u8]| at.random.fill(bytes);
        let connection = Connection::open(&mut self.session, rx, opening, now, &mut entropy)
            .map_err(|error| error.to_string())?;
        let incoming = Memory::new(ALIASES_IN, self.traits.grows);
        let outgoing = Memory::new(ALIASES_OUT, self.traits.grows);
        let aliases = Aliases::new(incoming, self.traits.aliases, outgoing);
        let mut connection = connection.with_topic_aliases(aliases);
        if let Some((timeout_ms, overdue)) = self.traits.patience() {
            connection = connection.with_answer_timeout(timeout_ms, overdue);
        }
        let (unread, is_over) = (VecDeque::new(), false);
        self.live = Some(Live { connection, unread, last_heard: at.now, is_over });
        self.link = link;
        self.keep_alive_s = KEEP_ALIVE_S;
        self.reopen_at = None;
        self.believe_connected();
        Ok(())
    }

    /// Bytes have arrived.
    pub fn receive(&mut self, bytes: Vec<u8>) {
        if let Some(live) = &mut self.live {
            live.unread.push_back(bytes);
        }
    }

    /// The transport has ended.
    pub const fn handle_end(&mut self) {
        if let Some(live) = &mut self.live {
            live.is_over = true;
        }
    }

    /// Does everything that can be done now.
    pub fn run(
        &mut self,
        link: &mut Link,
        latency: u64,
        at: &mut Moment<'_>,
    ) -> Result<(), String> {
        self.settle_acks(at)?;
        self.causes += 1;
        for _ in 0..TURNS_MAX {
            let Some(mut live) = self.live.take() else { return Ok(()) };
            match self.turn(&mut live, link, latency, at)? {
                Turn::Ended(error) => {
                    self.transmit(&mut live, link, latency, at);
                    self.on_end(error, at)?;
                    return Ok(());
                }
                Turn::Again => self.live = Some(live),
                Turn::Quiet => {
                    self.live = Some(live);
                    return self.check(at.now);
                }
            }
        }
        Err(format!("more than {TURNS_MAX} turns at one point in time"))
    }

    /// When something is to be done next.
    pub fn next_event(&self) -> Option<u64> {
        let deadline = self.live.as_ref().and_then(|live| live.connection.next_deadline());
        let deadline = deadline.filter(|_| self.bug != Some(Bug::ClockIgnored));
        let held = self.held.iter().map(|(due, ..)| *due).min();
        [deadline.map(Instant::as_millis), held, self.reopen_at].into_iter().flatten().min()
    }

    fn turn(
        &mut self,
        live: &mut Live,
        link: &mut Link,
        latency: u64,
        at: &mut Moment<'_>,
    ) -> Result<Turn, String> {
        let now = Instant::from_millis(at.now);
        let mut again = false;
        if let Some(error) = self.keep_deadlines(live, now, &mut again)? {
            return Ok(Turn::Ended(error));
        }
        again |= feed(live, at, &mut self.causes);
        match self.drain(live, at)? {
            Turn::Quiet => {}
            Turn::Again => again = true,
            ended @ Turn::Ended(_) => return Ok(ended),
        }
        self.ask(live.connection.stage());
        self.misbehave(at)?;
        again |= self.transmit(live, link, latency, at);
        if live.is_over && live.unread.is_empty() && !again {
            return Ok(Turn::Ended(live.connection.handle_eof()));
        }
        Ok(if again { Turn::Again } else { Turn::Quiet })
    }

    /// Tells the connection that time has passed: once for each thing that it may wait for.
    fn keep_deadlines(
        &mut self,
        live: &mut Live,
        now: Instant,
        again: &mut bool,
    ) -> Result<Option<Error>, String> {
        /// A keep alive, and answers.
        const DEADLINES: usize = 2;
        let due =
            |live: &Live| live.connection.next_deadline().is_some_and(|deadline| deadline <= now);
        for _ in 0..DEADLINES {
            if self.bug == Some(Bug::ClockIgnored) || !due(live) {
                return Ok(None);
            }
            *again = true;
            self.causes += 1;
            if let Err(error) = live.connection.handle_timeout(now) {
                return Ok(Some(error));
            }
        }
        if due(live) { Err("a deadline stays in the past".into()) } else { Ok(None) }
    }

    /// Takes all events that there are.
    fn drain(&mut self, live: &mut Live, at: &mut Moment<'_>) -> Result<Turn, String> {
        let now = Instant::from_millis(at.now);
        let mut turn = Turn::Quiet;
        loop {
            self.polls += 1;
            match live.connection.poll(&mut self.session, now) {
                Ok(None) => return Ok(turn),
                Ok(Some(event)) => {
                    turn = Turn::Again;
                    self.causes += 1;
                    let told = Told::from(event)?;
                    self.on_event(told, at)?;
                    // The program may end the connection before it asks again.
                    if at.random.chance(self.traits.leaves) {
                        at.record.faults += 1;
                        return Ok(Turn::Ended(Error::Closed(Closed::Local)));
                    }
                }
                Err(error) => {
                    let same = live.connection.poll(&mut self.session, now);
                    if same != Err(error) {
                        return Err(format!("{error:?} became {same:?}"));
                    }
                    return Ok(Turn::Ended(error));
                }
            }
        }
    }

    fn transmit(
        &mut self,
        live: &mut Live,
        link: &mut Link,
        latency: u64,
        at: &mut Moment<'_>,
    ) -> bool {
        if self.withholds() {
            return false;
        }
        let now = Instant::from_millis(at.now);
        let mut out = vec![0; self.traits.tx];
        let mut any = false;
        let mut chance = at.random.clone();
        let mut entropy = |bytes: &mut [u8]| chance.fill(bytes);
        while let Some(len) =
            live.connection.poll_transmit(&mut self.session, now, &mut entropy, &mut out)
        {
            link.send_up(&out[..len], at.now, latency, at.random);
            self.causes += 1;
            any = true;
        }
        any
    }
}

/// What a turn came to.
enum Turn {
    Again,
    Quiet,
    Ended(Error),
}

fn fresh_session(traits: &Traits) -> Session<Memory, INFLIGHT> {
    let config = Config::new().version(traits.version);
    let config = if traits.manual { config.manual_acks() } else { config };
    Session::new(Memory::new(traits.outbox, traits.grows), config)
}

/// Gives the connection as many bytes as it has room for, by either way in.
fn feed(live: &mut Live, at: &mut Moment<'_>, causes: &mut u64) -> bool {
    let Some(mut bytes) = live.unread.pop_front() else { return false };
    let taken = if at.random.chance(50) {
        live.connection.receive(&bytes)
    } else {
        let spare = live.connection.spare();
        let len = spare.len().min(bytes.len());
        spare[..len].copy_from_slice(&bytes[..len]);
        live.connection.commit(len);
        len
    };
    *causes += 1;
    if taken > 0 {
        live.last_heard = at.now;
    }
    if taken < bytes.len() {
        live.unread.push_front(bytes.split_off(taken));
    }
    taken > 0
}

const _: () = assert!(dunlin::TRANSMIT_MIN == Traits::PLAIN.tx, "traits of nodes begin here");
