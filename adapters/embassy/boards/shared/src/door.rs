//! TLS connections, one at a time.

#[cfg(feature = "mbedtls")]
use crate::mbedtls as tls;
#[cfg(not(feature = "mbedtls"))]
use crate::strict as tls;

use crate::clock::Clock;
use core::cell::RefCell;
use dunlin_embassy::{Connector, Talk, TcpConnector};
use embassy_net::Stack;
use embedded_io_async::ErrorKind;
use tls::{Fault, Records};

const HTTPS_PORT: u16 = 443;

/// Memory of one TLS connection over TCP.
pub(crate) struct Wire {
    rx: [u8; 4096],
    tx: [u8; 2048],
    records: Records,
}

impl Wire {
    pub(crate) const fn new() -> Self {
        Self { rx: [0; 4096], tx: [0; 2048], records: Records::new() }
    }
}

/// What every connection needs.
pub(crate) struct House<'h, F> {
    pub(crate) stack: Stack<'h>,
    /// Credentials are fetched before there is a connection to sign for: both use the same memory.
    pub(crate) wire: &'h RefCell<Wire>,
    pub(crate) random: RefCell<F>,
    pub(crate) clock: Clock,
    #[cfg(feature = "mbedtls")]
    pub(crate) tls: mbedtls_rs::TlsReference<'h>,
}

impl<F: FnMut(&mut [u8])> House<'_, F> {
    /// Overwrites all of `bytes` with randomness.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        let mut random = self.random.borrow_mut();
        (*random)(bytes);
    }
}

/// Makes TLS connections to one host.
pub(crate) struct Door<'h, F> {
    pub(crate) house: &'h House<'h, F>,
    pub(crate) host: &'h str,
}

impl<F: FnMut(&mut [u8])> Connector for Door<'_, F> {
    type Error = Fault;

    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "a second borrow is an error, not a panic"
    )]
    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, Fault> {
        let Self { house, host } = *self;
        let busy = Fault::Transport(ErrorKind::AddrInUse);
        let mut wire = house.wire.try_borrow_mut().map_err(|_| busy)?;
        let Wire { rx, tx, records } = &mut *wire;
        let below = TcpConnector::new(house.stack, host, HTTPS_PORT, rx, tx);
        records.secure(below, house, host).carry(talk).await
    }
}
