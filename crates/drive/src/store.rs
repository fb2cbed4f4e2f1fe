//! Where a session survives a crash.

use core::{
    future::poll_fn,
    task::{Context, Poll},
};
use dunlin::{
    Buffer, Session,
    mqtt::{RestoreError, TooShort},
};

/// What is to be done after records have been appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Appended {
    /// They are safe.
    Safe,
    /// There is no room for them, or too much of what is there is outdated: the store wants to begin
    /// anew with the whole state, by [`Store::replace`].
    Full,
}

/// A place that keeps bytes in order and over a crash: a file, flash memory.
///
/// Batches are records behind their lengths ([`dunlin::mqtt::Records`] takes them apart). After a crash
/// the store has all batches that it said were safe, and whole records from the front of the one that
/// was being written, or none of it.
#[expect(async_fn_in_trait, reason = "whether the futures can be sent is up to each store")]
pub trait Store {
    /// What can go wrong.
    type Error;

    /// Brings a batch to where it is safe, behind all others.
    async fn append(&mut self, batch: &[u8]) -> Result<Appended, Self::Error>;

    /// Keeps an export instead of all that was kept so far; a crash leaves one or the other.
    async fn replace(&mut self, export: &[u8]) -> Result<(), Self::Error>;

    /// Calls `restore` with each record, in order, without its length; ends early when it fails.
    ///
    /// To be called before the first append.
    async fn replay(
        &mut self,
        restore: impl FnMut(&[u8]) -> Result<(), RestoreError>,
    ) -> Result<Result<(), RestoreError>, Self::Error>;
}

/// The surroundings of a journaled session, for [`record`]: its lock, and who waits for it.
///
/// `N` is the session's `INFLIGHT`.
pub trait Ledger<const N: usize> {
    /// The memory of the session's outbox.
    type Outbox: Buffer;

    /// Runs `f` under the lock: short, and never across an await.
    ///
    /// From now on `cx` is to be woken whenever the session [has something to
    /// record](Session::has_unrecorded).
    fn with<T>(
        &mut self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Session<Self::Outbox, N>) -> T,
    ) -> T;

    /// Everything is safe that was recorded so far: whoever sends is to be woken, and whoever waits for
    /// room.
    fn handle_recorded(&mut self);
}

/// Why recording has ended. Nothing more is sent then: what has been accepted would not survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RecordError<E> {
    /// The store has failed.
    Store(E),
    /// The memory is too short for a record, or for the whole state.
    Memory(TooShort),
}

/// Records what happens to a session until its store fails, which it returns.
///
/// Runs beside [`drive`](crate::drive()) and between connections. All that has gathered while one batch
/// was being written is in the next, and goes out together. `memory` holds one batch; as long as the
/// outbox and 64 bytes it takes any record, and an export with 24 bytes more for each exchange in
/// flight, in both directions. Dropping the future is a crash as far as the store is concerned: begin
/// again with [`Store::replace`] and an export.
pub async fn record<L, S, M, const N: usize>(
    ledger: &mut L,
    store: &mut S,
    mut memory: M,
) -> RecordError<S::Error>
where
    L: Ledger<N>,
    S: Store,
    M: Buffer,
{
    loop {
        let len = match next_batch(ledger, &mut memory).await {
            Ok(len) => len,
            Err(error) => return RecordError::Memory(error),
        };
        let batch = memory.bytes().get(..len).unwrap_or_default();
        let appended = match batch {
            [] => Ok(Appended::Safe),
            batch => store.append(batch).await,
        };
        match appended {
            Ok(Appended::Safe) => {}
            Ok(Appended::Full) => {
                let len = match with(ledger, |session| whole(session, &mut memory)).await {
                    Ok(len) => len,
                    Err(error) => return RecordError::Memory(error),
                };
                let export = memory.bytes().get(..len).unwrap_or_default();
                if let Err(error) = store.replace(export).await {
                    return RecordError::Store(error);
                }
            }
            Err(error) => return RecordError::Store(error),
        }
        with(ledger, Session::handle_recorded).await;
        ledger.handle_recorded();
    }
}

async fn with<L: Ledger<N>, T, const N: usize>(
    ledger: &mut L,
    f: impl FnOnce(&mut Session<L::Outbox, N>) -> T,
) -> T {
    let mut f = Some(f);
    poll_fn(|cx| match f.take() {
        Some(f) => Poll::Ready(ledger.with(cx, f)),
        None => Poll::Pending,
    })
    .await
}

/// Waits until there is something to record, and fills `memory` with it; says how long it is.
async fn next_batch<L: Ledger<N>, M: Buffer, const N: usize>(
    ledger: &mut L,
    memory: &mut M,
) -> Result<usize, TooShort> {
    poll_fn(|cx| {
        ledger.with(cx, |session| {
            if session.is_recorded() { Poll::Pending } else { Poll::Ready(fill(session, memory)) }
        })
    })
    .await
}

/// As many records as fit.
fn fill<B: Buffer, M: Buffer, const N: usize>(
    session: &mut Session<B, N>,
    memory: &mut M,
) -> Result<usize, TooShort> {
    let mut len: usize = 0;
    loop {
        let free = memory.bytes_mut().get_mut(len..).unwrap_or_default();
        match session.poll_record(free) {
            Ok(Some(more)) => len = len.saturating_add(more),
            Ok(None) => return Ok(len),
            Err(TooShort { needed }) => {
                if !memory.grow(len.saturating_add(needed)) {
                    return if len > 0 { Ok(len) } else { Err(TooShort { needed }) };
                }
            }
        }
    }
}

/// The whole state, and nothing that a store would have to see beside it.
fn whole<B: Buffer, M: Buffer, const N: usize>(
    session: &mut Session<B, N>,
    memory: &mut M,
) -> Result<usize, TooShort> {
    // What is new is in the export; here it is only taken off the list.
    while fill(session, memory)? > 0 {}
    let needed = session.export_len();
    if needed > memory.bytes().len() {
        memory.grow(needed);
    }
    session.export(memory.bytes_mut())
}
