//! A client, its store, and a broker; the client's process may end at any write.

use crate::{broker::Broker, disks::Disk};
use dunlin_mqtt::{
    Config, Connect, Event, FixedHeader, Message, Packet, Properties, Property, Qos, Session,
    Subscription, Token, Version,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many exchanges the client follows.
const INFLIGHT: usize = 4;

/// How many turns everything takes to come to an end, at most.
const TURNS_MAX: usize = 200;

/// How many turns [`Step::Settle`] is.
const SETTLE: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Publish(Qos),
    Subscribe,
    /// The broker has a message for the client.
    Send(Qos),
    Connect,
    /// Everything that can be recorded and sent is, and the first answer comes back.
    Turn,
    /// As many turns as bring most things to their end.
    Settle,
    /// The connection breaks.
    Cut,
    /// So it does, and the broker loses the session.
    Lose,
    /// The store is written anew.
    Rewrite,
}

/// What dies with the process.
struct Process {
    session: Session<Vec<u8>, INFLIGHT>,
    /// CONNECT waits to be recorded.
    opening: bool,
    /// What was handed over, and not yet recorded as taken.
    handed: Vec<String>,
    /// What was accepted, and not yet recorded.
    accepted: Vec<(String, Qos)>,
    tokens: BTreeSet<String>,
}

pub(crate) struct World<D> {
    version: Version,
    disk: D,
    process: Process,
    broker: Broker,
    count: usize,
    /// Messages that were accepted and recorded: they must arrive.
    promised: BTreeMap<String, Qos>,
    /// Which message a token stands for.
    tokens: BTreeMap<String, String>,
    /// Messages that the client knows to have arrived.
    acknowledged: BTreeSet<String>,
    /// Messages that may be delivered twice: under way when the broker lost the session.
    excused: BTreeSet<String>,
    /// Messages of QoS 2 that must not be handed over again.
    taken: BTreeSet<String>,
    /// Everything that was handed over.
    handed: BTreeSet<String>,
    crashes: usize,
}

/// The process has come to its end.
struct Crash;

impl<D: Disk> World<D> {
    pub(crate) fn new(version: Version, mut disk: D) -> Self {
        let process = Process::start(version, &mut disk);
        Self {
            version,
            disk,
            process,
            broker: Broker::new(version),
            count: 0,
            promised: BTreeMap::new(),
            tokens: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            excused: BTreeSet::new(),
            taken: BTreeSet::new(),
            handed: BTreeSet::new(),
            crashes: 0,
        }
    }

    pub(crate) fn run(&mut self, steps: &[Step]) {
        for step in steps {
            if self.step(*step).is_err() {
                self.restart();
                self.step(Step::Connect).unwrap_or(());
            }
        }
    }

    /// Everything comes to an end, and is as it should be.
    pub(crate) fn finish(&mut self) {
        self.step(Step::Cut).unwrap_or(());
        for _ in 0..TURNS_MAX {
            if self.is_done() {
                self.check();
                return;
            }
            let connected = self.broker.is_connected() || self.process.opening;
            let step = if connected { Step::Turn } else { Step::Connect };
            if self.step(step).is_err() {
                self.restart();
            }
        }
        panic!("no end: {:?}", self.process.session);
    }

    pub(crate) fn crashes(&self) -> usize {
        self.crashes
    }

    /// How many bytes the store has been given.
    pub(crate) fn written(&self) -> usize {
        self.disk.written()
    }

    /// Whether no crash is to come.
    pub(crate) fn is_whole(&self) -> bool {
        self.disk.budget().is_none()
    }

    pub(crate) fn crash_after(&mut self, bytes: usize) {
        self.disk.set_budget(Some(bytes));
    }

    fn is_done(&self) -> bool {
        let Process { session, .. } = &self.process;
        session.is_idle()
            && session.is_recorded()
            && session.is_open()
            && self.broker.owes_nothing()
    }

    fn step(&mut self, step: Step) -> Result<(), Crash> {
        match step {
            Step::Publish(qos) => self.publish(qos),
            Step::Subscribe => {
                let filter = Subscription::new("to/client", Qos::ExactlyOnce);
                // It may be that too much is under way.
                let _ = self.process.session.subscribe(&[filter]);
            }
            Step::Send(qos) => {
                self.count += 1;
                self.broker.send(format!("down-{}", self.count), qos);
            }
            Step::Connect => {
                self.broker.cut();
                self.process.open(self.version);
            }
            Step::Turn => self.turn()?,
            Step::Settle => {
                for _ in 0..SETTLE {
                    self.turn()?;
                }
            }
            Step::Cut => self.broker.cut(),
            Step::Lose => {
                // What the broker has of them it delivers again when they come as new ones.
                let accepted = self.process.accepted.iter().map(|(payload, _)| payload);
                let open = |payload: &&String| !self.acknowledged.contains(*payload);
                self.excused.extend(self.promised.keys().filter(open).chain(accepted).cloned());
                self.broker.lose();
            }
            Step::Rewrite => {
                self.record()?;
                let session = &self.process.session;
                let mut export = vec![0; session.export_len()];
                session.export(&mut export).unwrap();
                self.disk.replace(&export).map_err(|()| Crash)?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, qos: Qos) {
        self.count += 1;
        let payload = format!("up-{}", self.count);
        let message = Message::new("from/client", payload.as_bytes(), qos);
        let Ok(token) = self.process.session.publish(&message) else { return };
        self.process.note(token);
        self.tokens.insert(format!("{token:?}"), payload.clone());
        if qos != Qos::AtMostOnce {
            self.process.accepted.push((payload, qos));
        }
    }

    /// Everything new is in the store.
    fn record(&mut self) -> Result<(), Crash> {
        let session = &mut self.process.session;
        let mut memory = vec![0; 1_024];
        let mut len = 0;
        while let Some(more) = session.poll_record(&mut memory[len..]).unwrap() {
            len += more;
        }
        if len > 0 {
            self.disk.append(&memory[..len]).map_err(|()| Crash)?;
        }
        session.handle_recorded();
        assert!(session.is_recorded());
        self.promised.extend(self.process.accepted.drain(..));
        self.taken.extend(self.process.handed.drain(..));
        Ok(())
    }

    fn turn(&mut self) -> Result<(), Crash> {
        // What goes out before must not rest on what is not recorded.
        self.transmit();
        self.record()?;
        if std::mem::take(&mut self.process.opening) {
            self.process.session.handle_connect_sent();
            self.broker.connect();
        }
        self.transmit();
        self.receive();
        Ok(())
    }

    fn transmit(&mut self) {
        while let Some(packet) = self.process.session.poll_packet() {
            if self.broker.is_connected() {
                self.broker.handle(packet);
            }
            self.process.session.handle_sent();
        }
    }

    /// The first answer of the broker comes back, if the client has room.
    fn receive(&mut self) {
        let Some(reply) = self.broker.next_reply() else { return };
        let (header, _) = FixedHeader::decode(self.version, reply).unwrap().unwrap();
        let session = &mut self.process.session;
        if !session.has_room_for(header) {
            return;
        }
        let (packet, _) = Packet::decode_front(self.version, reply).unwrap().unwrap();
        let event = session.handle_packet(&packet).unwrap();
        if let Some(Event::Acknowledged { token, .. }) = &event {
            self.acknowledged.extend(self.tokens.get(&format!("{token:?}")).cloned());
        }
        if let Some(Event::Message { message, .. }) = event {
            let payload = String::from_utf8(message.payload.to_vec()).unwrap();
            if message.head.qos == Qos::ExactlyOnce {
                assert!(!self.taken.contains(&payload), "{payload} is handed over again");
                assert!(!self.broker.received.contains(&payload), "{payload} comes after PUBREC");
                assert!(!self.process.handed.contains(&payload), "{payload} is handed over twice");
                self.process.handed.push(payload.clone());
            }
            self.handed.insert(payload);
        }
        session.handle_release();
        self.broker.pop_reply();
    }

    fn restart(&mut self) {
        self.crashes += 1;
        self.broker.cut();
        self.disk.restart();
        self.process = Process::start(self.version, &mut self.disk);
    }

    fn check(&self) {
        for (payload, qos) in &self.promised {
            let times = self.broker.delivered.iter().filter(|it| *it == payload).count();
            assert!(times > 0, "{payload} is lost");
            let once = *qos == Qos::ExactlyOnce && !self.excused.contains(payload);
            assert!(!once || times == 1, "{payload} is delivered {times} times");
        }
        for payload in &self.broker.received {
            assert!(self.handed.contains(payload), "{payload} is not handed over");
        }
    }
}

impl Process {
    fn start<D: Disk>(version: Version, disk: &mut D) -> Self {
        let config = Config::new().version(version).journaled();
        let mut session = Session::new(vec![0; 512], config);
        disk.replay(&mut |record| session.restore(record)).unwrap();
        Self {
            session,
            opening: false,
            handed: Vec::new(),
            accepted: Vec::new(),
            tokens: BTreeSet::new(),
        }
    }

    fn open(&mut self, version: Version) {
        let properties = [Property::SessionExpiryInterval(600)];
        let properties = match version {
            Version::V3 => Properties::NONE,
            Version::V5 => Properties::new(&properties),
        };
        let connect =
            Connect { version, clean_session: false, properties, ..Connect::new("crash") };
        self.session.handle_open(&connect);
        self.opening = true;
    }

    /// Tokens of one process are all different.
    fn note(&mut self, token: Token) {
        assert!(self.tokens.insert(format!("{token:?}")), "{token:?} twice");
    }
}
