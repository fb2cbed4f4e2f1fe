//! A line between the client and the server, one direction of it.

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// Bytes on their way, at most `chunk` of them at a time.
#[derive(Clone)]
pub(crate) struct Pipe(Rc<RefCell<State>>);

struct State {
    bytes: VecDeque<u8>,
    chunk: usize,
    waker: Option<Waker>,
    /// The reader is to learn that the line is dead.
    cut: bool,
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Pipe {
    pub(crate) fn new(chunk: usize) -> Self {
        let bytes = VecDeque::new();
        Self(Rc::new(RefCell::new(State { bytes, chunk, waker: None, cut: false })))
    }

    /// Takes what is there, and makes room for more.
    pub(crate) fn take(&self) -> Vec<u8> {
        let mut state = self.0.borrow_mut();
        state.wake();
        state.bytes.drain(..).collect()
    }

    /// Whoever reads finds the end, once.
    pub(crate) fn cut(&self) {
        let mut state = self.0.borrow_mut();
        state.bytes.clear();
        state.cut = true;
        state.wake();
    }

    /// Puts as much as there is room for; returns how much that was.
    pub(crate) fn put(&self, bytes: &[u8]) -> usize {
        let mut state = self.0.borrow_mut();
        let len = bytes.len().min(state.chunk - state.bytes.len());
        state.bytes.extend(&bytes[..len]);
        if len > 0 {
            state.wake();
        }
        len
    }
}

/// The end that the client reads from.
pub(crate) struct Reader(pub(crate) Pipe);

impl ErrorType for Reader {
    type Error = ErrorKind;
}

impl Read for Reader {
    async fn read(&mut self, memory: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            let mut state = self.0.0.borrow_mut();
            if std::mem::take(&mut state.cut) {
                return Poll::Ready(Ok(0));
            }
            if state.bytes.is_empty() {
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let len = memory.len().min(state.bytes.len());
            for (to, from) in memory.iter_mut().zip(state.bytes.drain(..len)) {
                *to = from;
            }
            Poll::Ready(Ok(len))
        })
        .await
    }
}

/// The end that the client writes to.
pub(crate) struct Writer(pub(crate) Pipe);

impl ErrorType for Writer {
    type Error = ErrorKind;
}

impl Write for Writer {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| match self.0.put(bytes) {
            0 => {
                self.0.0.borrow_mut().waker = Some(cx.waker().clone());
                Poll::Pending
            }
            len => Poll::Ready(Ok(len)),
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
