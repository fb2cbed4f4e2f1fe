//! All the memory of a client.

use crate::{
    Client, Runner,
    runner::Buffers,
    shared::{Memory, Shared},
};
use dunlin_drive::dunlin::{Config, RECEIVE_MIN, TRANSMIT_MIN};
use embassy_sync::blocking_mutex::raw::RawMutex;

/// Memory for one read from the transport, in bytes.
const READ_LEN: usize = 512;

/// All the memory of a client, for a `StaticCell`.
///
/// - `M` is the lock: `NoopRawMutex` where all tasks run on one executor, `CriticalSectionRawMutex`
///   otherwise, which keeps interrupts away for as long as one message is copied.
/// - `RX` bytes receive: the longest packet that comes whole; longer ones end the connection, unless the
///   session's [`Oversize`](dunlin_drive::dunlin::Oversize) says otherwise.
/// - `TX` bytes send: as much as goes out in one write; a longer packet takes several.
/// - `OUTBOX` bytes keep what was published, until it is acknowledged.
/// - `QUEUE` bytes keep what has come, until its subscriptions take it; at least `RX`. With less than `RX`
///   of it free, nothing more is read, acknowledgements included: a task that awaits a publish before it
///   takes what has come needs twice as much, or another task that takes.
/// - `N` is how many exchanges can wait for an answer, receipts be held, and messages wait.
/// - `FILTERS` bytes keep the filters of subscriptions.
pub struct Resources<
    'r,
    M: RawMutex,
    const RX: usize,
    const TX: usize,
    const OUTBOX: usize,
    const QUEUE: usize,
    const N: usize = 8,
    const FILTERS: usize = 256,
> {
    rx: [u8; RX],
    tx: [u8; TX],
    read: [u8; READ_LEN],
    outbox: [u8; OUTBOX],
    queue: [u8; QUEUE],
    filters: [u8; FILTERS],
    shared: Option<Shared<'r, M, N>>,
}

impl<
    'r,
    M: RawMutex,
    const RX: usize,
    const TX: usize,
    const OUTBOX: usize,
    const QUEUE: usize,
    const N: usize,
    const FILTERS: usize,
> Resources<'r, M, RX, TX, OUTBOX, QUEUE, N, FILTERS>
{
    const ENOUGH: () = {
        assert!(RX >= RECEIVE_MIN, "RX is shorter than an answer to the upgrade");
        assert!(TX >= TRANSMIT_MIN, "TX is shorter than a control frame");
        assert!(QUEUE >= RX, "QUEUE has no room for the longest message");
    };

    /// Memory that nobody uses yet.
    pub const fn new() -> Self {
        const { Self::ENOUGH };
        Self {
            rx: [0; RX],
            tx: [0; TX],
            read: [0; READ_LEN],
            outbox: [0; OUTBOX],
            queue: [0; QUEUE],
            filters: [0; FILTERS],
            shared: None,
        }
    }

    /// A client in this memory: handles for the tasks, and the runner for a task of its own.
    pub fn client(&'r mut self, config: Config) -> (Client<'r, M, N>, Runner<'r, M, N>) {
        let memory = Memory {
            outbox: &mut self.outbox,
            queue: &mut self.queue,
            filters: &mut self.filters,
            packet_max: RX,
        };
        let shared: &'r Shared<'r, M, N> = self.shared.insert(Shared::new(memory, config));
        let buffers = Buffers { rx: &mut self.rx, tx: &mut self.tx, read: &mut self.read };
        (Client::new(shared), Runner::new(shared, buffers))
    }
}

impl<
    M: RawMutex,
    const RX: usize,
    const TX: usize,
    const OUTBOX: usize,
    const QUEUE: usize,
    const N: usize,
    const FILTERS: usize,
> Default for Resources<'_, M, RX, TX, OUTBOX, QUEUE, N, FILTERS>
{
    fn default() -> Self {
        Self::new()
    }
}

/// How long its memories are.
#[cfg(feature = "defmt")]
impl<
    M: RawMutex,
    const RX: usize,
    const TX: usize,
    const OUTBOX: usize,
    const QUEUE: usize,
    const N: usize,
    const FILTERS: usize,
> defmt::Format for Resources<'_, M, RX, TX, OUTBOX, QUEUE, N, FILTERS>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Resources {{ rx: {=usize}, tx: {=usize}, outbox: {=usize}, queue: {=usize} }}",
            RX,
            TX,
            OUTBOX,
            QUEUE
        );
    }
}
