//! TLS connections, one at a time.

use crate::{clock::Clock, settings};
use core::cell::RefCell;
use dunlin_embassy::{Connector, Talk, TcpConnector};
use dunlin_embassy_tls::{Fault, RECORD_READ_MAX, TlsConnector, TlsMemory};
use embassy_net::Stack;
use embedded_io_async::ErrorKind;

const HTTPS_PORT: u16 = 443;

/// Memory of one TLS connection over TCP.
pub(crate) struct Wire {
    rx: [u8; 4096],
    tx: [u8; 2048],
    /// Who sends what is not known, so that the longest record has to fit.
    record_read: [u8; RECORD_READ_MAX],
    record_write: [u8; 2048],
    leaf: [u8; 2048],
}

impl Wire {
    pub(crate) const fn new() -> Self {
        Self {
            rx: [0; 4096],
            tx: [0; 2048],
            record_read: [0; RECORD_READ_MAX],
            record_write: [0; 2048],
            leaf: [0; 2048],
        }
    }
}

/// What every connection needs.
pub(crate) struct House<'h, F> {
    pub(crate) stack: Stack<'h>,
    /// Credentials are fetched before there is a connection to sign for: both use the same memory.
    pub(crate) wire: &'h RefCell<Wire>,
    pub(crate) random: RefCell<F>,
    pub(crate) clock: Clock,
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
        let Wire { rx, tx, record_read, record_write, leaf } = &mut *wire;
        let mut tls = TlsConnector {
            below: TcpConnector::new(house.stack, host, HTTPS_PORT, rx, tx),
            host,
            anchors: &[settings::ROOT],
            alpn: &[],
            identity: None,
            random: |bytes: &mut [u8]| house.fill(bytes),
            clock: || house.clock.now().map(|now| now.as_secs()),
            memory: TlsMemory { read: record_read, write: record_write, leaf },
        };
        tls.carry(talk).await
    }
}
