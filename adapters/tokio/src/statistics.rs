//! What a client has done so far, in numbers.

use crate::{Client, transport};
use embedded_io_async::{ErrorType, Read, Write};
use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

/// What a client has done so far; counts go on over lost connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many connections the server has accepted.
    pub connections: u64,
    /// How many connections have ended, or did not come about.
    pub failures: u64,
    /// Messages that were taken for sending.
    pub published: u64,
    /// Messages that came to a good end: acknowledged or, with QoS 0, written.
    pub delivered: u64,
    /// Messages that the server has refused, or that can never be sent to it.
    pub refused: u64,
    /// Messages of QoS 0 that may be lost with a connection.
    pub uncertain: u64,
    /// Messages that have come, duplicates included.
    pub received: u64,
    /// Messages of QoS 0 that had no room in a subscription's queue.
    pub dropped: u64,
    /// Messages that wait for their end, now.
    pub pending: usize,
    /// Messages above QoS 0 that have come and are not acknowledged, now.
    pub unacknowledged: usize,
    /// Bytes read, without what TLS and TCP add.
    pub bytes_read: u64,
    /// Bytes written, without what TLS and TCP add.
    pub bytes_written: u64,
}

impl Client {
    /// What the client has done so far.
    pub fn statistics(&self) -> Statistics {
        self.shared().statistics()
    }
}

/// Bytes that went through all of a client's transports.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    read: AtomicU64,
    written: AtomicU64,
}

impl Traffic {
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

/// Half a transport whose bytes are counted.
pub(crate) struct Counted<'t, T> {
    pub(crate) half: &'t mut T,
    pub(crate) traffic: &'t Traffic,
}

impl<T> ErrorType for Counted<'_, T> {
    type Error = io::Error;
}

impl Read for Counted<'_, transport::ReadHalf> {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.half.read(buf).await?;
        count(&self.traffic.read, len);
        Ok(len)
    }
}

impl Write for Counted<'_, transport::WriteHalf> {
    async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.half.write(buf).await?;
        count(&self.traffic.written, len);
        Ok(len)
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.half.flush().await
    }
}

/// Nobody relies on an order between the counts.
fn count(counter: &AtomicU64, len: usize) {
    counter.fetch_add(u64::try_from(len).unwrap_or(u64::MAX), Ordering::Relaxed);
}
