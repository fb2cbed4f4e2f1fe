//! Memory that looks like a transport, for synchronous and for asynchronous users.

use dunlin_octet::Writer;
use dunlin_ws::{FRAME_HEADER_MAX, Header, Opcode};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wtx::stream::{StreamReader, StreamWriter};

/// How much the peer's bytes are copied at a time: long copies use an instruction that callgrind counts
/// byte by byte.
const PIECE: usize = 1 << 10;

/// A peer that sends the same frames for ever and takes whatever comes.
#[derive(Default)]
pub(crate) struct Wire {
    frames: Vec<u8>,
    at: usize,
}

impl Wire {
    /// Brings frames with `len` bytes of payload.
    pub(crate) fn of_frames(len: usize) -> Self {
        let mut memory = [0; FRAME_HEADER_MAX];
        let mut header = Writer::new(&mut memory);
        let mask = None;
        Header { fin: true, opcode: Opcode::Binary, mask, len: len as u64 }
            .encode(&mut header)
            .unwrap();
        let frame = [header.written(), &vec![7; len]].concat();
        let count = (1 << 15_usize).max(4 * frame.len()) / frame.len();
        Self { frames: frame.repeat(count), at: 0 }
    }

    /// Fills `memory`, or what there is of it before the frames begin again; returns how far.
    pub(crate) fn fill(&mut self, memory: &mut [u8]) -> usize {
        let rest = &self.frames[self.at..];
        let len = rest.len().min(memory.len());
        for (to, from) in memory[..len].chunks_mut(PIECE).zip(rest[..len].chunks(PIECE)) {
            to.copy_from_slice(from);
        }
        self.at = (self.at + len) % self.frames.len();
        len
    }
}

impl Read for Wire {
    fn read(&mut self, memory: &mut [u8]) -> io::Result<usize> {
        Ok(self.fill(memory))
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        memory: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.fill(memory.initialize_unfilled());
        memory.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(black_box(bytes).len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(black_box(slices).iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl StreamReader for Wire {
    async fn read(&mut self, memory: &mut [u8]) -> wtx::Result<usize> {
        Ok(self.fill(memory))
    }
}

impl StreamWriter for Wire {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        black_box(bytes);
        Ok(())
    }

    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        black_box(slices);
        Ok(())
    }
}
