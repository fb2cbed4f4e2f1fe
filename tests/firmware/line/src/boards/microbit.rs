//! The BBC micro:bit: a Cortex-M0 with 16 KiB of memory.

use super::{read, write};
use core::arch::asm;
use cortex_m_rt::entry;

const UART: usize = 0x4000_2000;
const START_RX: usize = UART;
const START_TX: usize = UART + 0x008;
const RX_READY: usize = UART + 0x108;
const TX_READY: usize = UART + 0x11c;
const ENABLE: usize = UART + 0x500;
const RX: usize = UART + 0x518;
const TX: usize = UART + 0x51c;

const TIMER: usize = 0x4000_8000;
const START: usize = TIMER;
const CAPTURE: usize = TIMER + 0x040;
const WIDTH: usize = TIMER + 0x508;
const PRESCALER: usize = TIMER + 0x510;
const CAPTURED: usize = TIMER + 0x540;

#[entry]
fn main() -> ! {
    write(ENABLE, 4_u32);
    write(START_RX, 1_u32);
    write(START_TX, 1_u32);
    // 32 bits at 1 MHz: it wraps after an hour.
    write(WIDTH, 3_u32);
    write(PRESCALER, 4_u32);
    write(START, 1_u32);
    crate::run()
}

/// A byte from the UART, if there is one.
pub fn receive() -> Option<u8> {
    if read::<u32>(RX_READY) == 0 {
        return None;
    }
    write(RX_READY, 0_u32);
    Some(read::<u32>(RX) as u8)
}

/// Sends a byte; waits until it is gone.
pub fn send(byte: u8) {
    write(TX_READY, 0_u32);
    write(TX, u32::from(byte));
    while read::<u32>(TX_READY) == 0 {}
}

/// Milliseconds since the start.
pub fn now_ms() -> u64 {
    write(CAPTURE, 1_u32);
    u64::from(read::<u32>(CAPTURED)) / 1_000
}

/// Asks the emulator's host for something.
pub fn call_host(operation: usize, argument: usize) -> usize {
    let mut result = operation;
    // SAFETY: semihosting reads what the argument points to, which lives on.
    unsafe { asm!("bkpt 0xab", inout("r0") result, in("r1") argument) };
    result
}

/// Where the stack is now.
pub fn stack_pointer() -> usize {
    let here: usize;
    // SAFETY: only reads a register.
    unsafe { asm!("mov {}, sp", out(reg) here) };
    here
}
