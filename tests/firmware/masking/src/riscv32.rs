//! QEMU's riscv32 virt, with a serial port and a device that ends it.

use core::arch::{asm, naked_asm};
use core::fmt;
use core::ptr::write_volatile;

const SERIAL: *mut u8 = 0x1000_0000 as *mut u8;
const END: *mut u32 = 0x10_0000 as *mut u32;
const STOPPED: u32 = 0x5555;

#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.begin")]
unsafe extern "C" fn begin() -> ! {
    // The stack begins at the end of the memory.
    naked_asm!("lui sp, 0x80400", "j {run}", run = sym run)
}

extern "C" fn run() -> ! {
    crate::run()
}

/// How many instructions there have been, up to a constant.
pub fn instructions() -> u32 {
    let count;
    // SAFETY: the machine's own counter, which may be read in machine mode.
    unsafe { asm!("csrr {}, minstret", out(reg) count) };
    count
}

pub fn exit() -> ! {
    loop {
        // SAFETY: a device that is there on this machine.
        unsafe { write_volatile(END, STOPPED) };
    }
}

pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: as above.
            unsafe { write_volatile(SERIAL, byte) };
        }
        Ok(())
    }
}
