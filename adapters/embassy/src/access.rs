//! What each connection begins with.

use dunlin_drive::dunlin::{Connect, Transport, ws};

/// The request and the CONNECT of each connection, made afresh: a signature lives for minutes, a token
/// for an hour.
///
/// The runner calls [`Access::refresh`] before each connection, then the others.
pub trait Access {
    /// Fetches credentials and signs, where that is needed; after an error the runner waits and tries
    /// again.
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

/// The same for every connection: nothing is signed.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fixed<'a> {
    /// What lies between MQTT and the transport.
    pub transport: Transport<'a>,
    /// The first packet.
    pub connect: Connect<'a>,
}

impl Access for Fixed<'_> {
    fn transport(&self) -> Result<Transport<'_>, Unavailable> {
        Ok(self.transport)
    }

    fn connect(&self) -> Connect<'_> {
        self.connect
    }
}
