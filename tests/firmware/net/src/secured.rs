//! TLS, and why a server was not believed.

use crate::{Random, host, order::Tls};
use core::cell::Cell;
use critical_section::Mutex;
use dunlin_embassy::{Connector, Talk};
use dunlin_embassy_tls::{Fault, RECORD_READ_MAX, TlsConnector, TlsMemory};
use static_cell::ConstStaticCell;

static FAULT: Mutex<Cell<Option<Fault>>> = Mutex::new(Cell::new(None));

/// Why the last handshake failed that did.
pub fn last_fault() -> Option<Fault> {
    critical_section::with(|cs| FAULT.borrow(cs).get())
}

/// TLS over what `below` makes; to be called once, for there is memory for one connection.
///
/// Its keys follow from the run's seed, as all randomness of this board: they are good for a test, and
/// keep nothing secret.
pub fn secured(
    below: impl Connector,
    tls: &'static Tls,
    mut random: Random,
) -> impl Connector<Error = Fault> {
    static READ: ConstStaticCell<[u8; RECORD_READ_MAX]> =
        ConstStaticCell::new([0; RECORD_READ_MAX]);
    static WRITE: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);
    static LEAF: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);
    Watched(TlsConnector {
        below,
        host: tls.host,
        anchors: &tls.roots,
        alpn: &[],
        identity: None,
        random: move |bytes: &mut [u8]| random.fill(bytes),
        clock: || Some(host::unix_time_s()),
        memory: TlsMemory { read: READ.take(), write: WRITE.take(), leaf: LEAF.take() },
    })
}

/// A connector whose faults are kept: to the runner, all of them are one kind of error.
struct Watched<C>(C);

impl<C: Connector<Error = Fault>> Connector for Watched<C> {
    type Error = Fault;

    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, Fault> {
        let carried = self.0.carry(talk).await;
        if let Err(fault) = &carried {
            critical_section::with(|cs| FAULT.borrow(cs).set(Some(*fault)));
        }
        carried
    }
}
