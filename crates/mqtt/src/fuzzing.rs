//! Entry points for the fuzzer; any bytes may be given.

mod input;
mod journal;
mod packets;
mod session;
mod streams;
mod values;

pub use journal::{journal, restore};
pub use packets::packets;
pub use session::session;
pub use values::{value, values};
