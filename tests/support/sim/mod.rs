//! A world in virtual time: Dunlin clients, a network that fails, and a broker that judges.
//!
//! Everything follows from one seed. Other than the peers beside it, this broker reads and writes with
//! Dunlin's own codecs: what is tested here is what happens when, not what a byte means.

mod broker;
mod link;
mod node;
mod peer;
mod random;
mod record;
mod world;

pub use broker::{Broker, Manners};
pub use link::{Link, Pipe};
pub use node::{INFLIGHT, KEEP_ALIVE_S, Memory, Node, Traits};
pub use peer::{Incoming, Peer};
pub use random::Random;
pub use record::{Key, Life, Record};
pub use world::{Act, Plan, Summary, run};

/// A fault planted to show that the checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A message is acknowledged before the program has it, and then dropped.
    AcknowledgedFirst,
    /// What was not acknowledged is not sent again.
    ResendForgotten,
    /// What is sent again has no DUP flag.
    DupForgotten,
    /// An identifier is used again while it is in flight.
    IdReusedEarly,
    /// An acknowledgement completes another message.
    WrongToken,
    /// A message is acknowledged and gets lost.
    Swallowed,
    /// Messages overtake each other.
    OrderLost,
    /// No deadline is honoured.
    ClockIgnored,
    /// A connection that goes on with a session begins without the PUBRELs that are owed.
    PubrelForgotten,
    /// PUBREL is not always answered.
    PubcompForgotten,
    /// Which messages of QoS 2 have come is forgotten with the connection.
    ArrivalsForgotten,
    /// A message of QoS 2 is taken for complete when its PUBREC comes.
    DoneAtPubrec,
}

/// The shortest payload: a key, and the length.
pub const PAYLOAD_MIN: usize = 7;

/// A payload that says what it is, and shows it when it is damaged.
pub fn payload(key: Key, len: usize) -> Vec<u8> {
    let mut bytes = vec![key.0];
    bytes.extend_from_slice(&key.1.to_be_bytes());
    bytes.extend_from_slice(&(len as u16).to_be_bytes());
    bytes.extend((PAYLOAD_MIN..len).map(|at| (key.1 as usize * 31 + at) as u8));
    bytes
}

/// The key in a payload that is whole.
pub fn read_key(bytes: &[u8]) -> Result<Key, String> {
    let [publisher, a, b, c, d, ..] = bytes else { return Err("a payload is too short".into()) };
    let key = (*publisher, u32::from_be_bytes([*a, *b, *c, *d]));
    if payload(key, bytes.len()) == bytes { Ok(key) } else { Err(format!("{key:?} is damaged")) }
}
