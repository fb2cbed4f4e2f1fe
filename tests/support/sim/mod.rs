//! A world in virtual time: Dunlin clients, a network that fails, and a broker that judges.
//!
//! Everything follows from one seed. Other than the peers beside it, this broker reads and writes with
//! Dunlin's own codecs: what is tested here is what happens when, not what a byte means.

mod broker;
mod bug;
mod link;
mod node;
mod peer;
mod plan;
mod random;
mod record;
mod world;

pub use broker::{Broker, Guest, Manners, Moment};
pub use bug::Bug;
pub use link::{Link, Pipe};
pub use node::{INFLIGHT, KEEP_ALIVE_S, Memory, Node, Traits};
pub use peer::{Incoming, Peer};
pub use plan::{Act, Plan};
pub use random::Random;
pub use record::{Key, Life, Record};
pub use world::{Summary, run};

/// The topics that messages go to, by number.
pub const TOPICS: [&str; 4] = ["t/0", "t/11", "t/2/22", "t/3/33/333"];

/// The names that the broker gives to clients without one.
pub const NAMES: [&str; 32] = [
    "given-00", "given-01", "given-02", "given-03", "given-04", "given-05", "given-06", "given-07",
    "given-08", "given-09", "given-10", "given-11", "given-12", "given-13", "given-14", "given-15",
    "given-16", "given-17", "given-18", "given-19", "given-20", "given-21", "given-22", "given-23",
    "given-24", "given-25", "given-26", "given-27", "given-28", "given-29", "given-30", "given-31",
];

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
