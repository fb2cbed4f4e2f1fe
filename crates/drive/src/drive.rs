//! The life of one connection.

use crate::{Host, Scope};
use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
};
use dunlin::{Buffer, CLOSE_TIMEOUT_MS, Connection, Error, Instant, KeepAlive};
use embedded_io_async::{Read, Write};

/// Most turns in one wake-up, so that a flood on one connection leaves time for others.
const TURNS_MAX: usize = 16;

/// Most events in one turn, so that what they cause is sent meanwhile.
const EVENTS_MAX: usize = 64;

/// A transport, and memory to read into and to write from.
///
/// Memory that can grow does so while there is much to read or to write.
#[derive(Debug)]
pub struct Pipe<'p, R, W, M = &'p mut [u8]> {
    /// The reading half.
    pub reader: &'p mut R,
    /// The writing half.
    pub writer: &'p mut W,
    /// Memory for one read.
    pub rx: M,
    /// Memory for one write, at least [`dunlin::TRANSMIT_MIN`] bytes.
    pub tx: M,
}

#[cfg(feature = "defmt")]
impl<R, W, M> defmt::Format for Pipe<'_, R, W, M> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Pipe");
    }
}

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
pub async fn drive<B, A, R, W, H, M, const N: usize>(
    connection: &mut Connection<'_, B, A>,
    host: &mut H,
    pipe: Pipe<'_, R, W, M>,
) -> Ended<R::Error>
where
    B: Buffer,
    A: Buffer,
    R: Read,
    W: Write<Error = R::Error>,
    H: Host<N>,
    M: Buffer,
{
    let Pipe { reader, writer, rx, tx } = pipe;
    let mut reading = pin!(Some(read(reader, rx)));
    let mut writing = pin!(None);
    let mut unread: Option<Unread<'_, R, M>> = None;
    let mut idle = Some((writer, tx));
    let mut end = End::new();
    let mut pulse = Pulse(KeepAlive::Healthy);
    poll_fn(|cx| {
        for _ in 0..TURNS_MAX {
            let mut progress = false;
            if let Some(mut bytes) = unread.take() {
                progress |= bytes.feed(connection);
                if bytes.is_empty() {
                    reading.set(Some(read(bytes.reader, bytes.memory)));
                } else {
                    unread = Some(bytes);
                }
            }
            let events = end.handle_events(connection, host, cx);
            progress |= events == Events::Some;
            if let Some((reader, memory, result)) = poll_slot(reading.as_mut(), cx) {
                progress = true;
                match result {
                    Ok(0) => end.eof = true,
                    Ok(len) => unread = Some(Unread { reader, memory, at: 0, len }),
                    Err(error) => end.handle_read_failure(error),
                }
            } else if end.eof && events == Events::None && unread.is_none() {
                end.handle_eof(connection, host.now());
            }
            if let Some((writer, mut memory)) = idle.take() {
                match end.transmit(connection, host, cx, memory.bytes_mut()) {
                    Some(len) => writing.set(Some(write(writer, memory, len))),
                    None => idle = Some((writer, memory)),
                }
            }
            if let Some(ended) = end.take(idle.is_some(), host.now()) {
                return Poll::Ready(ended);
            }
            if let Some((writer, memory, result)) = poll_slot(writing.as_mut(), cx) {
                progress = true;
                idle = Some((writer, memory));
                match result {
                    Ok(()) => host.with(cx, |_, Scope { session, program, .. }| {
                        program.handle_written(session);
                    }),
                    Err(error) => end.handle_write_failure(error, host.now()),
                }
            }
            // Only now: what has come in time is looked at in time.
            if !progress && !end.handle_time(connection, host.now()) {
                let late_at = pulse.take(connection, host, cx);
                let deadline = end.next_deadline(connection);
                if let Some(wake_at) = deadline.into_iter().chain(late_at).min() {
                    host.wake_at(cx, wake_at);
                }
                return Poll::Pending;
            }
        }
        end.handle_time(connection, host.now());
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// What one turn of polling has brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Events {
    /// Nothing more can come without new bytes.
    None,
    Some,
    /// The program takes no event now.
    Held,
}

/// The end of a connection, as it comes.
struct End<E> {
    ended: Option<Ended<E>>,
    /// What the transport said when it failed.
    io: Option<E>,
    /// When the last words, of either side, have had time enough.
    give_up: Option<Instant>,
    /// Nothing more will be read; what was may not have been polled yet.
    eof: bool,
    /// Nothing more can be written; why may still be read.
    mute: bool,
}

impl<E> End<E> {
    const fn new() -> Self {
        Self { ended: None, io: None, give_up: None, eof: false, mute: false }
    }

    /// The first end is the one that counts.
    fn set(&mut self, error: Error, now: Instant) {
        if self.ended.is_none() {
            self.ended = Some(Ended { error, io: self.io.take() });
            self.give_up.get_or_insert(now.after(CLOSE_TIMEOUT_MS));
        }
    }

    /// It says more than a write that has failed before: why the peer has hung up, with TLS.
    fn handle_read_failure(&mut self, error: E) {
        self.io = Some(error);
        self.eof = true;
    }

    /// Often the peer has said why before it hung up: reading goes on for a while.
    fn handle_write_failure(&mut self, error: Option<E>, now: Instant) {
        self.mute = true;
        self.give_up.get_or_insert(now.after(CLOSE_TIMEOUT_MS));
        if let Some(error) = error {
            self.io.get_or_insert(error);
        }
    }

    fn handle_eof<B: Buffer, A: Buffer>(
        &mut self,
        connection: &mut Connection<'_, B, A>,
        now: Instant,
    ) {
        self.set(connection.handle_eof(), now);
    }

    /// Asks the clock, whatever woke us.
    fn handle_time<B: Buffer, A: Buffer>(
        &mut self,
        connection: &mut Connection<'_, B, A>,
        now: Instant,
    ) -> bool {
        if self.ended.is_some() {
            return false;
        }
        if self.give_up.is_some_and(|give_up| now >= give_up) {
            self.handle_eof(connection, now);
            return true;
        }
        if connection.next_deadline().is_none_or(|deadline| now < deadline) {
            return false;
        }
        if let Err(error) = connection.handle_timeout(now) {
            self.set(error, now);
        }
        true
    }

    /// Hands events to the program.
    fn handle_events<B: Buffer, A: Buffer, H: Host<N>, const N: usize>(
        &mut self,
        connection: &mut Connection<'_, B, A>,
        host: &mut H,
        cx: &mut Context<'_>,
    ) -> Events {
        if self.ended.is_some() {
            return Events::None;
        }
        let now = host.now();
        host.with(cx, |cx, Scope { session, program, .. }| {
            let mut events = Events::None;
            for _ in 0..EVENTS_MAX {
                if program.poll_ready(cx).is_pending() {
                    return if events == Events::Some { events } else { Events::Held };
                }
                match connection.poll(session, now) {
                    Ok(Some(event)) => program.handle_event(session, event),
                    Ok(None) => return events,
                    Err(error) => {
                        self.set(error, now);
                        return Events::Some;
                    }
                }
                events = Events::Some;
            }
            events
        })
    }

    /// Fills `memory` with what there is to send.
    fn transmit<B: Buffer, A: Buffer, H: Host<N>, const N: usize>(
        &self,
        connection: &mut Connection<'_, B, A>,
        host: &mut H,
        cx: &mut Context<'_>,
        memory: &mut [u8],
    ) -> Option<usize> {
        if self.mute {
            return None;
        }
        let now = host.now();
        host.with(cx, |_, Scope { session, entropy, .. }| {
            connection.poll_transmit(session, now, entropy, memory)
        })
    }

    /// The end, once the last words are out or have had their time.
    fn take(&mut self, all_said: bool, now: Instant) -> Option<Ended<E>> {
        let late = self.give_up.is_some_and(|give_up| now >= give_up);
        if all_said || late { self.ended.take() } else { None }
    }

    fn next_deadline<B: Buffer, A: Buffer>(
        &self,
        connection: &Connection<'_, B, A>,
    ) -> Option<Instant> {
        let deadline = if self.ended.is_some() { None } else { connection.next_deadline() };
        match (self.give_up, deadline) {
            (Some(give_up), Some(deadline)) => Some(give_up.min(deadline)),
            (give_up, deadline) => give_up.or(deadline),
        }
    }
}

/// Whether the server is late, as the program knows.
struct Pulse(KeepAlive);

impl Pulse {
    /// Tells the program what has changed; says when it will again.
    fn take<B: Buffer, A: Buffer, H: Host<N>, const N: usize>(
        &mut self,
        connection: &Connection<'_, B, A>,
        host: &mut H,
        cx: &mut Context<'_>,
    ) -> Option<Instant> {
        let late_at = connection.late_at();
        let late = late_at.is_some_and(|late_at| host.now() >= late_at);
        let keep_alive = if late { KeepAlive::Missed } else { KeepAlive::Healthy };
        if keep_alive != self.0 {
            self.0 = keep_alive;
            host.with(cx, |_, Scope { program, .. }| program.handle_keep_alive(keep_alive));
        }
        late_at.filter(|_| !late)
    }
}

/// Bytes that have been read, and that the connection has had no room for yet.
struct Unread<'p, R, M> {
    reader: &'p mut R,
    memory: M,
    at: usize,
    len: usize,
}

impl<R, M: Buffer> Unread<'_, R, M> {
    fn feed<B: Buffer, A: Buffer>(&mut self, connection: &mut Connection<'_, B, A>) -> bool {
        let bytes = self.memory.bytes().get(self.at..self.len).unwrap_or_default();
        let taken = connection.receive(bytes);
        self.at = self.at.saturating_add(taken);
        taken > 0
    }

    const fn is_empty(&self) -> bool {
        self.at >= self.len
    }
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
async fn read<R: Read, M: Buffer>(
    reader: &mut R,
    mut memory: M,
) -> (&mut R, M, Result<usize, R::Error>) {
    let result = reader.read(memory.bytes_mut()).await;
    if result.as_ref().is_ok_and(|len| *len == memory.bytes().len()) {
        double(&mut memory);
    }
    (reader, memory, result)
}

/// Lends `writer` and `memory` out to write `len` bytes, and gives them back.
///
/// A writer that takes nothing fails without an error of its own.
async fn write<W: Write, M: Buffer>(
    writer: &mut W,
    mut memory: M,
    len: usize,
) -> (&mut W, M, Result<(), Option<W::Error>>) {
    let mut rest = memory.bytes().get(..len).unwrap_or_default();
    while !rest.is_empty() {
        match writer.write(rest).await {
            Ok(0) => return (writer, memory, Err(None)),
            Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
            Err(error) => return (writer, memory, Err(Some(error))),
        }
    }
    let result = writer.flush().await.map_err(Some);
    if len.saturating_mul(2) > memory.bytes().len() {
        double(&mut memory);
    }
    (writer, memory, result)
}

/// Makes `memory` twice as long, or as long as it can be.
fn double(memory: &mut impl Buffer) {
    let len = memory.bytes().len().saturating_mul(2).min(memory.limit());
    // What cannot grow stays as it is.
    let _grown = memory.grow(len);
}

#[cfg(test)]
mod tests;
