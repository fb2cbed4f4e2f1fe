//! How a connection is to begin.

use crate::Instant;
use dunlin_mqtt::Connect;
#[cfg(feature = "ws")]
use dunlin_ws::Request;

/// What asks for a WebSocket; without the feature `ws` nothing can.
#[cfg(not(feature = "ws"))]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request<'o> {
    pub(crate) never: core::convert::Infallible,
    of: core::marker::PhantomData<&'o ()>,
}

/// What lies between MQTT and the caller's transport.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Transport<'o> {
    /// WebSocket: the upgrade is asked for by this request, of which there are none without the feature
    /// `ws`.
    WebSocket(Request<'o>),
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
