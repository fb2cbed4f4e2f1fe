//! How a provider is reached, connection by connection.

use dunlin::{Connect, Transport, ws};

/// How a broker is reached: the request and the CONNECT of each connection, made afresh, for a signature
/// lives for minutes and a token for an hour.
///
/// Whoever connects calls [`Provider::refresh`] before each connection, then the others.
pub trait Provider {
    /// Fetches credentials and signs, where that is needed; after an error there is another attempt, when
    /// [`Backoff`](crate::Backoff) says so.
    ///
    /// May be dropped at any await, when the client is closed or the time to connect has passed.
    #[expect(async_fn_in_trait, reason = "firmware's executor does not send futures")]
    async fn refresh(&mut self) -> Result<(), Unavailable> {
        Ok(())
    }

    /// What lies between MQTT and the transport.
    fn transport(&self) -> Result<Transport<'_>, Unavailable>;

    /// The first packet; its version is the session's.
    fn connect(&self) -> Connect<'_>;

    /// The HTTP server has refused the upgrade: its `Date` may tell that the clock is wrong.
    fn handle_refusal(&self, _refusal: &ws::Refusal<'_>) {}
}

/// There is nothing to connect with, for now: no credentials, no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unavailable;

/// Any broker that wants nothing but the same for every connection, over WebSocket or not.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fixed<'a> {
    /// What lies between MQTT and the transport.
    pub transport: Transport<'a>,
    /// The first packet.
    pub connect: Connect<'a>,
}

impl Provider for Fixed<'_> {
    fn transport(&self) -> Result<Transport<'_>, Unavailable> {
        Ok(self.transport)
    }

    fn connect(&self) -> Connect<'_> {
        self.connect
    }
}
