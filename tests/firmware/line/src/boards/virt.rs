//! QEMU's virt: RISC-V with a UART of the PC's kind.

use super::{read, write};
use core::arch::{asm, global_asm};

const UART: usize = 0x1000_0000;
const DATA: usize = UART;
const STATUS: usize = UART + 5;
const HAS_BYTE: u8 = 1;
const HAS_ROOM: u8 = 1 << 5;

/// Ten million ticks a second, in two halves.
const TIME_LOW: usize = 0x0200_bff8;
const TIME_HIGH: usize = 0x0200_bffc;
const TICKS_PER_MS: u64 = 10_000;

global_asm!(
    ".section .text.start",
    ".global _start",
    "_start:",
    "la sp, _stack_start",
    "la t0, __sbss",
    "la t1, __sheap",
    "1: bgeu t0, t1, 2f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 1b",
    "2: tail start_rust",
);

#[unsafe(no_mangle)]
extern "C" fn start_rust() -> ! {
    crate::run()
}

/// A byte from the UART, if there is one.
pub fn receive() -> Option<u8> {
    (read::<u8>(STATUS) & HAS_BYTE != 0).then(|| read::<u8>(DATA))
}

/// Sends a byte; waits until there is room for it.
pub fn send(byte: u8) {
    while read::<u8>(STATUS) & HAS_ROOM == 0 {}
    write(DATA, byte);
}

/// Milliseconds since the start.
pub fn now_ms() -> u64 {
    loop {
        let high = read::<u32>(TIME_HIGH);
        let low = read::<u32>(TIME_LOW);
        if high == read::<u32>(TIME_HIGH) {
            return (u64::from(high) << 32 | u64::from(low)) / TICKS_PER_MS;
        }
    }
}

/// Asks the emulator's host for something.
#[inline(never)]
pub fn call_host(operation: usize, argument: usize) -> usize {
    let mut result = operation;
    // SAFETY: semihosting reads what the argument points to, which lives on. The three instructions
    // must be as they are, none of them compressed.
    unsafe {
        asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inout("a0") result,
            in("a1") argument,
        );
    }
    result
}

/// Where the stack is now.
pub fn stack_pointer() -> usize {
    let here: usize;
    // SAFETY: only reads a register.
    unsafe { asm!("mv {}, sp", out(reg) here) };
    here
}
