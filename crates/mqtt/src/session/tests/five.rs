//! MQTT 5.0, byte by byte.

mod acknowledging;
mod arriving;
mod authenticating;
mod leaving;
mod limits;
mod resuming;
mod sending;

use super::*;
use crate::{Properties, Property, SendError, SubscriptionId, Version};
use core::num::NonZeroU16;

/// A session of MQTT 5.0 that follows three exchanges, with what it is given decoded from bytes.
struct Five {
    session: Small,
}

/// An answer to CONNECT: accepted, with these properties.
fn accepted(session_present: bool, properties: &[u8]) -> Vec<u8> {
    let mut packet =
        vec![0x20, 3 + properties.len() as u8, session_present.into(), 0, properties.len() as u8];
    packet.extend_from_slice(properties);
    packet
}

/// The session outlives the connection, and three messages are taken at a time.
const KEPT: &[Property<'_>] = &[Property::SessionExpiryInterval(100)];

const METHOD: Property<'_> = Property::AuthenticationMethod("m");

const RECEIVE_MAXIMUM_2: &[u8] = &[0x21, 0, 2];

impl Five {
    fn new(config: Config) -> Self {
        Self { session: Session::new(vec![0; 400], config.version(Version::V5)) }
    }

    /// Accepted by a server that keeps the session, and says `properties` of itself.
    fn open(properties: &[u8]) -> Self {
        let mut five = Self::new(Config::new());
        five.connect(KEPT, &accepted(false, properties)).unwrap();
        assert_eq!(five.session.poll_rejected(), None);
        five
    }

    fn manual() -> Self {
        let mut five = Self::new(Config::new().manual_acks());
        five.connect(KEPT, &accepted(false, &[])).unwrap();
        five
    }

    fn ask(&mut self, clean_session: bool, properties: &[Property<'_>]) {
        let properties = Properties::new(properties);
        let connect =
            Connect { version: Version::V5, clean_session, properties, ..Connect::new("c") };
        self.session.handle_open(&connect);
        self.session.handle_connect_sent();
    }

    /// Connects without Clean Start.
    fn connect(&mut self, asked: &[Property<'_>], connack: &[u8]) -> Result<Resumption, Error> {
        self.ask(false, asked);
        self.answer(connack)
    }

    fn answer(&mut self, connack: &[u8]) -> Result<Resumption, Error> {
        match self.give(connack)? {
            Some(Event::Connected { resumption, .. }) => Ok(resumption),
            other => panic!("{other:?}"),
        }
    }

    /// On to the next connection, of the same session.
    fn resume(&mut self, properties: &[u8]) {
        let resumption = self.connect(KEPT, &accepted(true, properties));
        assert_eq!(resumption, Ok(Resumption::Resumed));
        assert_eq!(self.session.poll_rejected(), None);
    }

    /// A packet of the server has come, whole.
    fn give<'p>(&mut self, packet: &'p [u8]) -> Result<Option<Event<'p>>, Error> {
        match Packet::decode_front(Version::V5, packet)? {
            Some((decoded, len)) => {
                assert_eq!(len, packet.len());
                self.session.handle_packet(&decoded)
            }
            None => panic!("cut off: {packet:?}"),
        }
    }

    /// The same for what the program hears nothing of.
    fn pass(&mut self, packet: &[u8]) {
        assert_eq!(self.give(packet), Ok(None), "{packet:?}");
    }

    fn publish(&mut self, payload: &[u8], qos: Qos) -> Token {
        self.session.publish(&Message::new("t", payload, qos)).unwrap()
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        sent(&mut self.session)
    }

    /// A message of the server; says what acknowledges it.
    fn arrive(&mut self, qos: u8, id: u8) -> AckToken {
        match self.give(&message(qos, id, false)) {
            Ok(Some(Event::Message { ack: Some(ack), .. })) => ack,
            other => panic!("{other:?}"),
        }
    }

    /// The program knows of nothing that waits, and the server of nothing that is to be sent.
    fn assert_idle(&mut self) {
        assert!(self.session.is_idle() && self.session.in_flight() == 0);
        assert_eq!(self.sent(), NOTHING);
    }
}

const NOTHING: [&[u8]; 0] = [];

/// A message of the server.
fn message(qos: u8, id: u8, duplicate: bool) -> [u8; 9] {
    [0x30 | qos << 1 | u8::from(duplicate) << 3, 7, 0, 1, b't', 0, id, 0, b'x']
}

/// A message of this side.
fn publication(qos: u8, id: u8, payload: u8) -> [u8; 9] {
    [0x30 | qos << 1, 7, 0, 1, b't', 0, id, 0, payload]
}

/// The same once more.
fn again(qos: u8, id: u8, payload: u8) -> [u8; 9] {
    let mut packet = publication(qos, id, payload);
    packet[0] |= 8;
    packet
}

fn done(token: Token, reason: ReasonCode) -> Result<Option<Event<'static>>, Error> {
    Ok(Some(Event::Acknowledged { token, reason, properties: Properties::NONE }))
}
