//! Keeps the session of a client in its store.

use crate::{
    Error, Options,
    buffer::Growing,
    shared::{ClientSession, INFLIGHT, Shared},
    store::{FileLog, FileStore, StoreError},
};
use dunlin_drive::{Ledger, record};
use std::{
    future::{Future, pending, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

/// First size of the memory for a batch, in bytes; it grows when it must.
const BATCH_FIRST: usize = 512;

/// Beside the outbox in an export: what stands for each exchange, in both directions.
const EXPORT_MORE: usize = 64 + 24 * INFLIGHT;

/// Opens the store, if there is to be one, and takes up the session in it.
pub(crate) fn open(shared: &Shared, options: &Options) -> Result<Option<FileStore>, StoreError> {
    let Some(path) = &options.store else { return Ok(None) };
    let mut log = FileLog::open(path, options.durability)?;
    let mut state = shared.lock();
    let restored = log.replay(|record| state.session.restore(record))?;
    restored.map_err(|error| StoreError::Restore { path: path.clone(), error })?;
    Ok(Some(FileStore::new(log, path.clone())))
}

/// Runs `connections` to its end, with the store beside it; a store that fails ends it.
pub(crate) async fn beside(
    shared: &Shared,
    store: Option<FileStore>,
    most: usize,
    mut connections: Pin<Box<impl Future<Output = Error>>>,
) -> Error {
    let mut recording: Pin<Box<dyn Future<Output = StoreError> + Send>> = match store {
        Some(mut store) => Box::pin(async move {
            let memory = Growing::new(BATCH_FIRST, most.saturating_add(EXPORT_MORE));
            StoreError::of_recording(record(&mut Book { shared }, &mut store, memory).await)
        }),
        None => Box::pin(pending()),
    };
    let error = poll_fn(|cx| {
        // In this order: what happens on a connection is recorded at once.
        if let Poll::Ready(error) = connections.as_mut().poll(cx) {
            return Poll::Ready(error);
        }
        recording.as_mut().poll(cx).map(Error::Store)
    })
    .await;
    if matches!(error, Error::Store(_)) {
        return error;
    }
    // What was accepted is recorded, though nothing of it is sent any more.
    poll_fn(|cx| match recording.as_mut().poll(cx) {
        Poll::Ready(failed) => Poll::Ready(Error::Store(failed)),
        Poll::Pending if shared.lock().session.is_recorded() => Poll::Ready(error.clone()),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// The session's lock, as the store sees it.
struct Book<'a> {
    shared: &'a Shared,
}

impl Ledger<INFLIGHT> for Book<'_> {
    type Outbox = Growing;

    fn with<T>(&mut self, cx: &mut Context<'_>, f: impl FnOnce(&mut ClientSession) -> T) -> T {
        let mut state = self.shared.lock();
        let state = &mut *state;
        // The same task as that of the connection.
        state.set_driver(cx);
        let result = f(&mut state.session);
        if !state.session.has_unrecorded() {
            state.desk.handle_recording();
        }
        result
    }

    fn handle_recorded(&mut self) {
        let mut state = self.shared.lock();
        let state = &mut *state;
        state.desk.handle_recorded(&state.session);
        state.wake_driver();
    }
}
