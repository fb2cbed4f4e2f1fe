//! How a connection is to begin.

use crate::{Instant, ws};
use dunlin_mqtt::Connect;

/// What lies between MQTT and the caller's transport.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Transport<'o> {
    /// WebSocket: the upgrade is asked for by this request.
    WebSocket(ws::Request<'o>),
    /// Nothing: MQTT straight over the stream.
    Stream,
}

/// How a connection is to begin; lives as long as the connection.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Opening<'o> {
    /// What lies between MQTT and the caller's transport.
    pub transport: Transport<'o>,
    /// The first packet.
    pub connect: Connect<'o>,
    /// When the server must have accepted, everything from the first byte on included.
    pub deadline: Instant,
}
