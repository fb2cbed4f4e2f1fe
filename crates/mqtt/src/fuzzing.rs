//! Entry points for the fuzzer; any bytes may be given.

mod input;
mod packets;
mod session;
mod streams;
mod values;

pub use packets::packets;
pub use session::session;
pub use values::{value, values};
