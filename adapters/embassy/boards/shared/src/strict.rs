//! TLS 1.3 by `dunlin-embassy-tls`, without a heap.

pub(crate) use dunlin_embassy_tls::Fault;

use crate::{door::House, settings};
use dunlin_embassy::Connector;
use dunlin_embassy_tls::{RECORD_READ_MAX, TlsConnector, TlsMemory};

/// Memory of one TLS connection.
pub(crate) struct Records {
    /// Who sends what is not known, so that the longest record has to fit.
    read: [u8; RECORD_READ_MAX],
    write: [u8; 2048],
    leaf: [u8; 2048],
}

impl Records {
    pub(crate) const fn new() -> Self {
        Self { read: [0; RECORD_READ_MAX], write: [0; 2048], leaf: [0; 2048] }
    }

    /// Puts TLS on top of `below`.
    pub(crate) fn secure<'s, F: FnMut(&mut [u8])>(
        &'s mut self,
        below: impl Connector,
        house: &'s House<'_, F>,
        host: &'s str,
    ) -> impl Connector<Error = Fault> {
        let Self { read, write, leaf } = self;
        TlsConnector {
            below,
            host,
            anchors: &[settings::ROOT],
            alpn: &[],
            identity: None,
            random: |bytes: &mut [u8]| house.fill(bytes),
            clock: || house.clock.now().map(|now| now.as_secs()),
            memory: TlsMemory { read, write, leaf },
        }
    }
}
