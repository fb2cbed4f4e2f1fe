//! The UART as a stream: asked again and again, for nothing else runs.

use crate::board;
use core::{
    convert::Infallible,
    future::poll_fn,
    task::{Poll, Waker},
};
use embassy_time_driver::Driver;
use embedded_io_async::{ErrorType, Read, Write};

/// Either half of it.
pub struct Uart;

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    async fn read(&mut self, memory: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            let mut len = 0;
            for place in &mut *memory {
                let Some(byte) = board::receive() else { break };
                *place = byte;
                len += 1;
            }
            if len > 0 { Poll::Ready(Ok(len)) } else { Poll::Pending }
        })
        .await
    }
}

impl Write for Uart {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            board::send(*byte);
        }
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Nobody is woken: everything is polled all the time.
struct Clock;

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock);

impl Driver for Clock {
    fn now(&self) -> u64 {
        board::now_ms()
    }

    fn schedule_wake(&self, _: u64, _: &Waker) {}
}

/// Nothing interrupts.
struct Alone;

critical_section::set_impl!(Alone);

// SAFETY: one core, and no interrupt is ever enabled.
unsafe impl critical_section::Impl for Alone {
    unsafe fn acquire() {}

    unsafe fn release(_: ()) {}
}
