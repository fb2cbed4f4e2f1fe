//! What fuzz targets call that the crates cannot have: they need codecs of others.

mod differential;
mod websocket;

pub use differential::differential;
pub use websocket::websocket;
