//! The life of one connection.

use crate::{Host, Scope};
use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
};
use dunlin::{Buffer, CLOSE_TIMEOUT_MS, Connection, Error, Instant};
use embedded_io_async::{Read, Write};

/// Most turns in one wake-up, so that a flood on one connection leaves time for others.
const TURNS_MAX: usize = 16;

/// Most events in one turn, so that what they cause is sent meanwhile.
const EVENTS_MAX: usize = 64;

/// A transport, and memory to read into and to write from.
#[derive(Debug)]
pub struct Pipe<'p, R, W> {
    /// The reading half.
    pub reader: &'p mut R,
    /// The writing half.
    pub writer: &'p mut W,
    /// Memory for one read.
    pub rx: &'p mut [u8],
    /// Memory for one write, at least [`dunlin::TRANSMIT_MIN`] bytes.
    pub tx: &'p mut [u8],
}

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended<E> {
    /// What it means.
    pub error: Error,
    /// What the transport said, where it was the transport that failed.
    pub io: Option<E>,
}

/// Drives `connection` until it has ended, and says why.
///
/// A pending read is kept over all turns and dropped only at the end, for readers that lose bytes when
/// they are cancelled. What the connection has to say at its end is still written, within
/// [`CLOSE_TIMEOUT_MS`]. Dropping the future cuts the connection off; the session stands.
pub async fn drive<B, R, W, H, const N: usize>(
    connection: &mut Connection<'_, B>,
    host: &mut H,
    pipe: Pipe<'_, R, W>,
) -> Ended<R::Error>
where
    B: Buffer,
    R: Read,
    W: Write<Error = R::Error>,
    H: Host<N>,
{
    let Pipe { reader, writer, rx, tx } = pipe;
    let mut reading = pin!(Some(read(reader, rx)));
    let mut writing = pin!(None);
    let mut unread: Option<Unread<'_, R>> = None;
    let mut idle = Some((writer, tx));
    let mut end = End { ended: None, give_up: Instant::default(), eof: false };
    poll_fn(|cx| {
        for _ in 0..TURNS_MAX {
            let mut progress = end.handle_time(connection, host.now());
            if let Some(mut bytes) = unread.take() {
                progress |= bytes.feed(connection);
                if bytes.is_empty() {
                    reading.set(Some(read(bytes.reader, bytes.memory)));
                } else {
                    unread = Some(bytes);
                }
            }
            let quiet = !end.handle_events(connection, host, cx);
            progress |= !quiet;
            if let Some((reader, memory, result)) = poll_slot(reading.as_mut(), cx) {
                progress = true;
                match result {
                    Ok(0) => end.eof = true,
                    Ok(len) => unread = Some(Unread { reader, memory, at: 0, len }),
                    Err(error) => end.handle_failure(connection, error, host.now()),
                }
            } else if end.eof && quiet && unread.is_none() {
                end.set(connection.handle_eof(), None, host.now());
            }
            if let Some((writer, memory)) = idle.take() {
                match transmit(connection, host, cx, memory) {
                    Some(len) => writing.set(Some(write(writer, memory, len))),
                    None => idle = Some((writer, memory)),
                }
            }
            if let Some((writer, memory, result)) = poll_slot(writing.as_mut(), cx) {
                progress = true;
                idle = Some((writer, memory));
                match result {
                    Ok(()) => host.with(cx, |_, Scope { session, program, .. }| {
                        program.handle_written(session);
                    }),
                    Err(error) => end.handle_write_failure(connection, error, host.now()),
                }
            }
            if let Some(ended) = end.take(idle.is_some(), host.now()) {
                return Poll::Ready(ended);
            }
            if !progress {
                if let Some(deadline) = end.next_deadline(connection) {
                    host.wake_at(cx, deadline);
                }
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// The end of a connection, as it comes.
struct End<E> {
    ended: Option<Ended<E>>,
    /// When the last words have had time enough.
    give_up: Instant,
    /// The transport has ended; what it brought may not have been polled yet.
    eof: bool,
}

impl<E> End<E> {
    /// The first end is the one that counts.
    fn set(&mut self, error: Error, io: Option<E>, now: Instant) {
        if self.ended.is_none() {
            self.ended = Some(Ended { error, io });
            self.give_up = now.after(CLOSE_TIMEOUT_MS);
        }
    }

    /// Reading has failed: nothing more will come.
    fn handle_failure<B: Buffer>(
        &mut self,
        connection: &mut Connection<'_, B>,
        error: E,
        now: Instant,
    ) {
        self.set(connection.handle_eof(), Some(error), now);
    }

    /// Writing has failed: there are no last words.
    fn handle_write_failure<B: Buffer>(
        &mut self,
        connection: &mut Connection<'_, B>,
        error: Option<E>,
        now: Instant,
    ) {
        self.set(connection.handle_eof(), error, now);
        self.give_up = now;
    }

    /// Asks the clock, whatever woke us.
    fn handle_time<B: Buffer>(&mut self, connection: &mut Connection<'_, B>, now: Instant) -> bool {
        if self.ended.is_some() || connection.next_deadline().is_none_or(|deadline| now < deadline)
        {
            return false;
        }
        if let Err(error) = connection.handle_timeout(now) {
            self.set(error, None, now);
        }
        true
    }

    /// Hands events to the program; returns whether there was one.
    fn handle_events<B: Buffer, H: Host<N>, const N: usize>(
        &mut self,
        connection: &mut Connection<'_, B>,
        host: &mut H,
        cx: &mut Context<'_>,
    ) -> bool {
        if self.ended.is_some() {
            return false;
        }
        let now = host.now();
        host.with(cx, |cx, Scope { session, program, .. }| {
            for turn in 0..EVENTS_MAX {
                if program.poll_ready(cx).is_pending() {
                    return turn > 0;
                }
                match connection.poll(session, now) {
                    Ok(Some(event)) => program.handle_event(session, event),
                    Ok(None) => return turn > 0,
                    Err(error) => {
                        self.set(error, None, now);
                        return true;
                    }
                }
            }
            true
        })
    }

    /// The end, once the last words are out or have had their time.
    fn take(&mut self, written: bool, now: Instant) -> Option<Ended<E>> {
        if written || now >= self.give_up { self.ended.take() } else { None }
    }

    fn next_deadline<B: Buffer>(&self, connection: &Connection<'_, B>) -> Option<Instant> {
        match self.ended {
            Some(_) => Some(self.give_up),
            None => connection.next_deadline(),
        }
    }
}

/// Bytes that have been read, and that the connection has had no room for yet.
struct Unread<'p, R> {
    reader: &'p mut R,
    memory: &'p mut [u8],
    at: usize,
    len: usize,
}

impl<R> Unread<'_, R> {
    fn feed<B: Buffer>(&mut self, connection: &mut Connection<'_, B>) -> bool {
        let bytes = self.memory.get(self.at..self.len).unwrap_or_default();
        let taken = connection.receive(bytes);
        self.at = self.at.saturating_add(taken);
        taken > 0
    }

    const fn is_empty(&self) -> bool {
        self.at >= self.len
    }
}

/// Fills `memory` with what there is to send.
fn transmit<B: Buffer, H: Host<N>, const N: usize>(
    connection: &mut Connection<'_, B>,
    host: &mut H,
    cx: &mut Context<'_>,
    memory: &mut [u8],
) -> Option<usize> {
    let now = host.now();
    host.with(cx, |_, Scope { session, entropy, .. }| {
        connection.poll_transmit(session, now, entropy, memory)
    })
}

/// Polls the future in `slot`, if there is one, and takes it away when it is done.
fn poll_slot<F: Future>(mut slot: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> Option<F::Output> {
    match slot.as_mut().as_pin_mut()?.poll(cx) {
        Poll::Ready(output) => {
            slot.set(None);
            Some(output)
        }
        Poll::Pending => None,
    }
}

/// Lends `reader` and `memory` out for one read, and gives them back.
async fn read<'p, R: Read>(
    reader: &'p mut R,
    memory: &'p mut [u8],
) -> (&'p mut R, &'p mut [u8], Result<usize, R::Error>) {
    let result = reader.read(memory).await;
    (reader, memory, result)
}

/// Lends `writer` and `memory` out to write `len` bytes, and gives them back.
///
/// A writer that takes nothing fails without an error of its own.
async fn write<'p, W: Write>(
    writer: &'p mut W,
    memory: &'p mut [u8],
    len: usize,
) -> (&'p mut W, &'p mut [u8], Result<(), Option<W::Error>>) {
    let mut rest = memory.get(..len).unwrap_or_default();
    while !rest.is_empty() {
        match writer.write(rest).await {
            Ok(0) => return (writer, memory, Err(None)),
            Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
            Err(error) => return (writer, memory, Err(Some(error))),
        }
    }
    let result = writer.flush().await.map_err(Some);
    (writer, memory, result)
}
