//! A Cortex-M on QEMU's mps2-an386, whose host prints and ends it (Arm semihosting).

use core::arch::asm;
use core::fmt;
use core::ptr::{read_volatile, write_volatile};

const WRITE_BYTE: usize = 0x03;
const EXIT: usize = 0x18;
const STOPPED: usize = 0x2_0026;

/// SysTick (Armv7-M §B3.3): control, reload, current value, counting down 24 bits.
const SYST: *mut u32 = 0xe000_e010 as *mut u32;
const ENABLED_BY_CORE_CLOCK: u32 = 0b101;
const RELOAD: u32 = 0xff_ffff;

/// A tick of 25 MHz takes 40 ns, an instruction 2^8 ns by `-icount shift=8`.
const TICK_NS: u64 = 40;
const INSTRUCTION_NS: u64 = 1 << 8;

#[unsafe(no_mangle)]
extern "C" fn begin() -> ! {
    // SAFETY: the registers are there on every Cortex-M, and nobody else uses them.
    unsafe {
        write_volatile(SYST.add(1), RELOAD);
        write_volatile(SYST.add(2), 0);
        write_volatile(SYST, ENABLED_BY_CORE_CLOCK);
    }
    crate::run()
}

/// How many instructions there have been, up to a constant.
pub fn instructions() -> u32 {
    // SAFETY: as above.
    let ticks = RELOAD - unsafe { read_volatile(SYST.add(2)) };
    (u64::from(ticks) * TICK_NS / INSTRUCTION_NS) as u32
}

fn call(operation: usize, argument: usize) {
    // SAFETY: semihosting reads what the argument points to, which lives on.
    unsafe { asm!("bkpt 0xab", inout("r0") operation => _, in("r1") argument) };
}

pub fn exit() -> ! {
    loop {
        call(EXIT, STOPPED);
    }
}

pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.as_bytes() {
            call(WRITE_BYTE, core::ptr::from_ref(byte) as usize);
        }
        Ok(())
    }
}
