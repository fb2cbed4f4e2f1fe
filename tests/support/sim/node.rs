//! A program with a Dunlin client in it.

mod bugs;

use super::{Bug, Key, Link, Random, Record, payload, read_key};
use dunlin::{
    AckMode, AckToken, Buffer, Closed, Config, Connect, Connection, Error, Event, Instant, Message,
    Opening, Qos, ReasonCode, Resumption, Session, Subscription, TRANSMIT_MIN, Token, Transport,
    ws,
};
use std::collections::VecDeque;

/// Exchanges in flight, each way.
pub const INFLIGHT: usize = 4;

/// The keep alive of every connection, in seconds.
pub const KEEP_ALIVE_S: u16 = 10;

/// How long a connection may take to open, in milliseconds.
const OPENING_MS: u64 = 5_000;

/// Most turns of the loop at one point in time: more is a loop without progress.
const TURNS_MAX: usize = 500;

/// Memory that grows up to a limit, or starts there.
#[derive(Debug)]
pub struct Memory {
    bytes: Vec<u8>,
    limit: usize,
}

impl Memory {
    fn new(limit: usize, grows: bool) -> Self {
        Self { bytes: vec![0; if grows { 0 } else { limit }], limit }
    }
}

impl Buffer for Memory {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn grow(&mut self, len: usize) -> bool {
        let fits = len <= self.limit;
        if fits && len > self.bytes.len() {
            self.bytes.resize(len, 0);
        }
        fits
    }
}

/// What distinguishes one node from another.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// WebSocket, or the bare stream.
    pub framed: bool,
    /// It asks for a session that ends with its connection.
    pub clean: bool,
    /// It wants messages.
    pub subscribes: bool,
    /// It acknowledges messages itself, some time later.
    pub manual: bool,
    /// The memory of its outbox.
    pub outbox: usize,
    /// The memory that it receives into.
    pub rx: usize,
    /// The memory that it sends from.
    pub tx: usize,
    /// Whether memory grows from nothing.
    pub grows: bool,
    /// What it asks for.
    pub qos: Qos,
    /// How often it drops its connection at an event, in percent.
    pub leaves: u64,
}

impl Traits {
    const fn filters(&self) -> [Subscription<'static>; 2] {
        let qos = self.qos;
        [Subscription::new("t/#", qos), Subscription::new("else/+", qos)]
    }
}

/// One connection and what lies before it.
#[derive(Debug)]
struct Live {
    connection: Connection<'static, Memory>,
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
    session: Session<Memory, INFLIGHT>,
    live: Option<Live>,
    /// The broker is to be asked for messages.
    asks: bool,
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
        let config = if traits.manual { Config::new().manual_acks() } else { Config::new() };
        assert_eq!(config.ack_mode == AckMode::Manual, traits.manual);
        Self {
            index,
            traits,
            bug,
            session: Session::new(Memory::new(traits.outbox, traits.grows), config),
            live: None,
            asks: traits.subscribes,
            reopen_at: Some(0),
            next: 0,
            pending: Vec::new(),
            held: Vec::new(),
            polls: 0,
            causes: 0,
        }
    }

    /// Whether frames are spoken.
    pub const fn is_framed(&self) -> bool {
        self.traits.framed
    }

    /// Whether there is a connection.
    pub const fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether it is time to connect.
    pub fn wants_to_open(&self, now: u64) -> bool {
        self.live.is_none() && self.reopen_at.is_some_and(|at| at <= now)
    }

    /// Begins a connection.
    pub fn open(&mut self, now: u64, random: &mut Random) -> Result<(), String> {
        self.forget_arrivals();
        let request = ws::Request::new("broker.test", &"/mqtt", &[]).map_err(|e| e.to_string())?;
        let transport =
            if self.traits.framed { Transport::WebSocket(request) } else { Transport::Stream };
        let connect = Connect {
            client_id: ["node-0", "node-1"][usize::from(self.index)],
            clean_session: self.traits.clean,
            keep_alive_s: KEEP_ALIVE_S,
            user_name: None,
            password: None,
            will: None,
            ..Connect::new("")
        };
        let now_at = Instant::from_millis(now);
        let opening = Opening { transport, connect, deadline: now_at.after(OPENING_MS) };
        let rx = Memory::new(self.traits.rx, self.traits.grows);
        let mut entropy = |bytes: &mut [u8]| random.fill(bytes);
        let connection = Connection::open(&mut self.session, rx, opening, now_at, &mut entropy)
            .map_err(|error| error.to_string())?;
        let (unread, is_over) = (VecDeque::new(), false);
        self.live = Some(Live { connection, unread, last_heard: now, is_over });
        self.reopen_at = None;
        Ok(())
    }

    /// Publishes; what the session refuses never happened.
    pub fn publish(&mut self, topic: &str, qos: Qos, len: usize, record: &mut Record) {
        let key = (self.index, self.next);
        let payload = payload(key, len);
        self.causes += 1;
        if let Ok(token) = self.session.publish(&Message::new(topic, &payload, qos)) {
            self.next += 1;
            record.accept(key, topic, qos, token);
            if qos != Qos::AtMostOnce {
                self.pending.push((key, token));
            }
        }
    }

    /// Says good-bye.
    pub const fn disconnect(&mut self) {
        if self.live.is_some() {
            self.session.disconnect(ReasonCode::SUCCESS);
        }
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

    /// Does everything that can be done at `now`.
    pub fn run(
        &mut self,
        now: u64,
        link: &mut Link,
        latency: u64,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        self.settle_acks(now, record)?;
        self.causes += 1;
        for _ in 0..TURNS_MAX {
            let Some(mut live) = self.live.take() else { return Ok(()) };
            let turn = self.turn(&mut live, now, link, latency, record, random)?;
            match turn {
                Turn::Ended(error) => {
                    self.transmit(&mut live, now, link, latency, random);
                    self.on_end(error, now, random)?;
                    return Ok(());
                }
                Turn::Again => self.live = Some(live),
                Turn::Quiet => {
                    self.live = Some(live);
                    return self.check(now);
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

    /// Whether everything accepted has ended, and the connection stands.
    pub fn is_settled(&self) -> bool {
        self.session.is_idle()
            && self.session.in_flight() == 0
            && !self.asks
            && self.live.is_some()
            && self.session.is_open()
            && self.held.is_empty()
            && self.session.unacknowledged() == 0
    }

    /// Nothing leaks: every identifier and every byte of the outbox can be used again.
    pub fn conclude(&mut self) -> Result<(), String> {
        let allowed = 4 * self.causes + 100;
        if self.polls > allowed {
            return Err(format!("{} polls for {} causes", self.polls, self.causes));
        }
        for _ in 0..INFLIGHT {
            let message = Message::new("t", &[], Qos::AtLeastOnce);
            self.session.publish(&message).map_err(|error| format!("a slot leaks: {error}"))?;
        }
        let rest = self.traits.outbox - INFLIGHT * (12 + 7);
        let payload = vec![0; rest - 12 - 6];
        let message = Message::new("t", &payload, Qos::AtMostOnce);
        self.session.publish(&message).map_err(|error| format!("outbox leaks: {error}"))?;
        Ok(())
    }

    fn turn(
        &mut self,
        live: &mut Live,
        now: u64,
        link: &mut Link,
        latency: u64,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<Turn, String> {
        let at = Instant::from_millis(now);
        let mut again = false;
        let due = live.connection.next_deadline().is_some_and(|deadline| deadline <= at);
        if due && self.bug != Some(Bug::ClockIgnored) {
            self.causes += 1;
            if let Err(error) = live.connection.handle_timeout(at) {
                return Ok(Turn::Ended(error));
            }
            if live.connection.next_deadline().is_some_and(|deadline| deadline <= at) {
                return Err("a deadline stays in the past".into());
            }
            again = true;
        }
        again |= feed(live, now, random, &mut self.causes);
        loop {
            self.polls += 1;
            match live.connection.poll(&mut self.session, at) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    again = true;
                    self.causes += 1;
                    let told = Told::from(event)?;
                    self.on_event(told, now, record, random)?;
                    // The program may end the connection before it asks again.
                    if random.chance(self.traits.leaves) {
                        record.faults += 1;
                        return Ok(Turn::Ended(Error::Closed(Closed::Local)));
                    }
                }
                Err(error) => {
                    let same = live.connection.poll(&mut self.session, at);
                    if same != Err(error) {
                        return Err(format!("{error:?} became {same:?}"));
                    }
                    return Ok(Turn::Ended(error));
                }
            }
        }
        // With a full outbox, at the next turn.
        if self.asks
            && self.session.is_open()
            && self.session.subscribe(&self.traits.filters()).is_ok()
        {
            self.asks = false;
            self.causes += 1;
        }
        self.misbehave(record, random)?;
        again |= self.transmit(live, now, link, latency, random);
        if live.is_over && live.unread.is_empty() && !again {
            return Ok(Turn::Ended(live.connection.handle_eof()));
        }
        Ok(if again { Turn::Again } else { Turn::Quiet })
    }

    fn transmit(
        &mut self,
        live: &mut Live,
        now: u64,
        link: &mut Link,
        latency: u64,
        random: &mut Random,
    ) -> bool {
        let at = Instant::from_millis(now);
        let mut out = vec![0; self.traits.tx];
        let mut any = false;
        let mut chance = random.clone();
        let mut entropy = |bytes: &mut [u8]| chance.fill(bytes);
        while let Some(len) =
            live.connection.poll_transmit(&mut self.session, at, &mut entropy, &mut out)
        {
            link.send_up(&out[..len], now, latency, random);
            self.causes += 1;
            any = true;
        }
        any
    }

    fn on_event(
        &mut self,
        told: Told,
        now: u64,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        match told {
            Told::Connected(resumption) => {
                self.asks |= self.traits.subscribes && resumption != Resumption::Resumed;
                while self.bug == Some(Bug::PubrelForgotten) && self.skip(0x62) {}
            }
            Told::Message { key, qos, ack } => {
                if self.bug == Some(Bug::AcknowledgedFirst) && random.chance(20) {
                    return Ok(());
                }
                record.deliver(key, qos)?;
                match ack.filter(|_| self.traits.manual) {
                    Some(ack) => self.held.push((now + random.below(1_500), ack, key)),
                    None => record.let_go(key)?,
                }
            }
            Told::Done(mut token) => {
                if self.bug == Some(Bug::WrongToken)
                    && let Some((_, other)) = self.pending.last()
                {
                    token = *other;
                }
                record.acknowledge(self.index, token)?;
                self.pending.retain(|(_, pending)| *pending != token);
            }
            Told::Subscribed(codes) => {
                if codes != self.traits.filters().len() {
                    return Err(format!("{codes} answers"));
                }
            }
        }
        Ok(())
    }

    fn on_end(&mut self, error: Error, now: u64, random: &mut Random) -> Result<(), String> {
        if matches!(error, Error::Malformed(dunlin::Malformed::Packet(_)) | Error::Misbehaved(_)) {
            return Err(format!("the broker behaves, and yet: {error}"));
        }
        if self.bug == Some(Bug::ResendForgotten) {
            let memory = Memory::new(self.traits.outbox, self.traits.grows);
            self.session = Session::new(memory, Config::new());
        }
        self.reopen_at = Some(now + 1 + random.below(500));
        Ok(())
    }

    /// The program lets go of messages in any order.
    fn settle_acks(&mut self, now: u64, record: &mut Record) -> Result<(), String> {
        let (due, held) =
            std::mem::take(&mut self.held).into_iter().partition(|(at, ..)| *at <= now);
        self.held = held;
        let due: Vec<(u64, AckToken, Key)> = due;
        for (_, ack, key) in due.into_iter().rev() {
            record.let_go(key)?;
            // Void when the connection has ended meanwhile, unless the message comes only once.
            let _ = self.session.acknowledge(ack, ReasonCode::SUCCESS);
            self.causes += 1;
        }
        Ok(())
    }

    /// A peer that says nothing is found out within one and a half times the keep alive.
    fn check(&self, now: u64) -> Result<(), String> {
        let Some(live) = &self.live else { return Ok(()) };
        let limit = u64::from(KEEP_ALIVE_S) * 1_500;
        if self.session.is_open() && self.held.is_empty() && now > live.last_heard + limit {
            return Err(format!("silent for {} ms, unnoticed", now - live.last_heard));
        }
        Ok(())
    }
}

/// What a turn came to.
enum Turn {
    Again,
    Quiet,
    Ended(Error),
}

/// An event, without what it borrows.
enum Told {
    Connected(Resumption),
    Message { key: Key, qos: Qos, ack: Option<AckToken> },
    Done(Token),
    Subscribed(usize),
}

impl Told {
    fn from(event: Event<'_>) -> Result<Self, String> {
        Ok(match event {
            Event::Connected { resumption, .. } => Self::Connected(resumption),
            Event::Message { message, ack, .. } => {
                Self::Message { key: read_key(message.payload)?, qos: message.head.qos, ack }
            }
            Event::Acknowledged { token, .. } | Event::Unsubscribed { token, .. } => {
                Self::Done(token)
            }
            Event::Subscribed { reasons, .. } => Self::Subscribed(reasons.len()),
            other => return Err(format!("an event without a meaning here: {other:?}")),
        })
    }
}

/// Gives the connection as many bytes as it has room for, by either way in.
fn feed(live: &mut Live, now: u64, random: &mut Random, causes: &mut u64) -> bool {
    let Some(mut bytes) = live.unread.pop_front() else { return false };
    let taken = if random.chance(50) {
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
        live.last_heard = now;
    }
    if taken < bytes.len() {
        live.unread.push_front(bytes.split_off(taken));
    }
    taken > 0
}

const _: () = assert!(TRANSMIT_MIN == 131, "traits of nodes begin here");
