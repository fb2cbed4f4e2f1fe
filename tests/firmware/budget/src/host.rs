//! What QEMU's host does for the board: a console, and the end (Arm semihosting).

use core::arch::asm;

const WRITE: usize = 0x04;
const EXIT: usize = 0x18;

const STOPPED: usize = 0x2_0026;
const FAILED: usize = 0x2_0023;

fn call(operation: usize, argument: usize) {
    // SAFETY: semihosting reads what the argument points to, which lives on.
    unsafe { asm!("bkpt 0xab", inout("r0") operation => _, in("r1") argument) };
}

/// A name and a number, on a line.
#[inline(never)]
pub fn say(name: &str, number: usize) {
    for byte in name.bytes().chain([b' ']) {
        put(byte);
    }
    let mut divisor = 1_000_000_000;
    while divisor > 0 {
        put(b'0' + (number / divisor % 10) as u8);
        divisor /= 10;
    }
    put(b'\n');
}

fn put(byte: u8) {
    let text = [byte, 0];
    call(WRITE, text.as_ptr() as usize);
}

/// Ends the machine; its exit status says how.
pub fn exit(passed: bool) -> ! {
    loop {
        call(EXIT, if passed { STOPPED } else { FAILED });
    }
}
