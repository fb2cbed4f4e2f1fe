//! A client without sockets, which publishes at random.

use crate::ledger::{Ledger, payload};
use dunlin::{
    Config, Connect, Connection, Event, Instant, Message, Opening, PublishError, Qos, ReasonCode,
    Session, SubscribeError, Subscription, TRANSMIT_MIN, Transport,
};
use dunlin_mqtt::{Aliases, Properties, Property, Version};
use support::sim::Random;
use support::tiny::TINY;

const TOPICS: [&str; 5] = ["t", "sensors/kitchen", "sensors/cellar", "a/longer/topic/by/far", "x"];
const KEPT: &[Property<'_>] = &[Property::SessionExpiryInterval(1_000)];
const NOW: Instant = Instant::from_millis(0);

type Line = Connection<'static, Vec<u8>, Vec<u8>>;

/// The client, what it was asked for, and what became of it.
pub(crate) struct Client {
    session: Session<Vec<u8>, 8>,
    line: Line,
    random: Random,
    connected: bool,
    pub(crate) ledger: Ledger,
}

impl Client {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(!seed);
        let mut session = Session::new(vec![0; 1_500], Config::new().version(Version::V5));
        let line = open(&mut session, &mut random);
        let ledger = Ledger::default();
        let mut client = Self { session, line, random, connected: false, ledger };
        // Too long for the server, whose limits nobody knows yet.
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
            client.publish_of(qos, 300);
        }
        client
    }

    /// The transport is gone; here is another.
    pub(crate) fn connect(&mut self) {
        self.line = open(&mut self.session, &mut self.random);
        self.connected = false;
    }

    /// Tries to publish a message of any size and QoS.
    pub(crate) fn publish(&mut self) {
        let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][self.random.len(3)];
        let len = 4 + self.random.len(250);
        self.publish_of(qos, len);
    }

    fn publish_of(&mut self, qos: Qos, len: usize) {
        let number = self.ledger.tried();
        let topic = TOPICS[self.random.len(TOPICS.len())];
        let payload = payload(number, len);
        let overhead = 1 + 2 + topic.len() + 1 + if qos == Qos::AtMostOnce { 0 } else { 2 };
        let rest = overhead - 1 + payload.len();
        let len = 1 + if rest < 128 { 1 } else { 2 } + rest;
        let fits = len <= TINY.maximum_packet_size as usize;
        match self.session.publish(&Message::new(topic, &payload, qos)) {
            Ok(token) => {
                assert!(fits || !self.ledger.knows_limits(), "{len} bytes were accepted");
                self.ledger.accept(token, number, topic, qos, fits);
            }
            Err(PublishError::Limit(reason)) => {
                assert_eq!((reason, fits), (ReasonCode::PACKET_TOO_LARGE, false), "{len} bytes");
                self.ledger.refuse();
            }
            Err(PublishError::OutboxFull | PublishError::InflightFull) => {}
            Err(other) => panic!("{other}"),
        }
    }

    /// Subscribes, if there is room: it overtakes what waits.
    pub(crate) fn request(&mut self) {
        let wish = Subscription::new("s/#", Qos::AtLeastOnce);
        match self.session.subscribe(&[wish]) {
            Ok(_) | Err(SubscribeError::OutboxFull | SubscribeError::InflightFull) => {}
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) fn leave(&mut self) {
        self.session.disconnect(ReasonCode::SUCCESS);
    }

    /// All that is to be sent, in pieces of any size.
    pub(crate) fn transmit(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Self { session, line, random, .. } = self;
        loop {
            let mut out = vec![0; TRANSMIT_MIN + random.len(300)];
            let entropy = &mut |bytes: &mut [u8]| random.fill(bytes);
            let Some(len) = line.poll_transmit(session, NOW, entropy, &mut out) else { break };
            bytes.extend_from_slice(&out[..len]);
        }
        bytes
    }

    /// Takes bytes of the server in, and notes what they say.
    pub(crate) fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.line.receive(bytes);
            bytes = &bytes[taken..];
            loop {
                match self.line.poll(&mut self.session, NOW).unwrap() {
                    None => break,
                    Some(Event::Connected { .. }) => {
                        self.connected = true;
                        self.ledger.learn_limits();
                    }
                    Some(Event::Acknowledged { token, reason, .. }) => {
                        self.ledger.acknowledge(token, reason);
                    }
                    Some(Event::Rejected { token, reason }) => self.ledger.reject(token, reason),
                    Some(Event::Subscribed { .. }) => {}
                    Some(other) => panic!("{other:?}"),
                }
            }
        }
    }

    /// Whether all that was accepted is sent and acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.connected && self.session.is_idle()
    }

    /// Whether the server has something to answer.
    pub(crate) fn waits(&self) -> bool {
        !self.connected || self.session.in_flight() > 0
    }
}

fn open(session: &mut Session<Vec<u8>, 8>, random: &mut Random) -> Line {
    let connect = Connect {
        version: Version::V5,
        clean_session: false,
        properties: Properties::new(KEPT),
        ..Connect::new("tiny")
    };
    let opening = Opening { transport: Transport::Stream, connect, deadline: NOW.after(1_000) };
    let entropy = &mut |bytes: &mut [u8]| random.fill(bytes);
    let line = Connection::open(session, vec![0; 200], opening, NOW, entropy).unwrap();
    line.with_topic_aliases(Aliases::new(Vec::new(), 0, vec![0; 100]))
}
