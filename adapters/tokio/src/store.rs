//! A session in a file: an append-only log that survives a crash at any byte.
//!
//! The file is a head, then records, each behind its length and its CRC-32. What a crash has left
//! half-written at the end is cut off when the file is opened. Once it has become much longer than
//! the state it stands for, the state is written to a new file, which then takes its place.

mod crc;
mod error;
mod file;

pub use error::StoreError;
pub use file::{Durability, FileLog, HEAD};

use dunlin_drive::{
    Appended, Store,
    dunlin::mqtt::{Records, RestoreError},
};
use std::{io, path::PathBuf};
use tokio::task::spawn_blocking;

/// A [`FileLog`] as a [`Store`]: writes on Tokio's threads for blocking work.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    /// Away while something is being written; for good, if that was given up half-way.
    log: Option<FileLog>,
}

impl FileStore {
    /// Stands for a log that has been opened.
    pub const fn new(log: FileLog, path: PathBuf) -> Self {
        Self { path, log: Some(log) }
    }

    async fn with<T: Send + 'static>(
        &mut self,
        batch: &[u8],
        work: impl FnOnce(&mut FileLog, &[u8]) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || {
            let source = io::Error::other("an earlier write was given up half-way");
            StoreError::Io { doing: "write", path: self.path.clone(), source: source.into() }
        };
        let mut log = self.log.take().ok_or_else(gone)?;
        let batch = batch.to_vec();
        let done = spawn_blocking(move || {
            let result = work(&mut log, &batch);
            (log, result)
        });
        let (log, result) = done.await.map_err(|_| gone())?;
        self.log = Some(log);
        result
    }
}

impl Store for FileStore {
    type Error = StoreError;

    async fn append(&mut self, batch: &[u8]) -> Result<Appended, StoreError> {
        self.with(batch, FileLog::append).await
    }

    async fn replace(&mut self, export: &[u8]) -> Result<(), StoreError> {
        self.with(export, FileLog::replace).await
    }

    /// Reads the file at once: to be called where that may block.
    async fn replay(
        &mut self,
        restore: impl FnMut(&[u8]) -> Result<(), RestoreError>,
    ) -> Result<Result<(), RestoreError>, StoreError> {
        match &mut self.log {
            Some(log) => log.replay(restore),
            None => Ok(Ok(())),
        }
    }
}

/// The records of a batch, each behind its length and its checksum.
fn checked(batch: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(batch.len() * 2);
    for record in Records::new(batch) {
        // A record comes with a length of four bytes.
        let len = u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes();
        bytes.extend_from_slice(&len);
        bytes.extend_from_slice(&crc::of(&[&len, record]).to_be_bytes());
        bytes.extend_from_slice(record);
    }
    bytes
}

/// The records at the front of `bytes` that are whole, and how long they are together.
fn whole(bytes: &[u8]) -> (Vec<&[u8]>, usize) {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some((len, rest)) = bytes[at..].split_first_chunk::<4>()
        && let Some((checksum, rest)) = rest.split_first_chunk::<4>()
        && let Ok(wanted) = usize::try_from(u32::from_be_bytes(*len))
        && let Some(record) = rest.get(..wanted)
        && crc::of(&[len, record]) == u32::from_be_bytes(*checksum)
    {
        records.push(record);
        at += 8 + wanted;
    }
    (records, at)
}

#[cfg(test)]
mod tests;
