//! What QEMU's host does for the board: arguments, a console, the end (Arm semihosting).

use core::{arch::asm, fmt};

/// Where the host's own servers are, on QEMU's user network.
pub const ADDRESS: &str = "10.0.2.2";

const WRITE: usize = 0x04;
const TIME: usize = 0x11;
const GET_COMMAND_LINE: usize = 0x15;
const EXIT: usize = 0x18;

const STOPPED: usize = 0x2_0026;
const FAILED: usize = 0x2_0023;

fn call(operation: usize, argument: usize) -> usize {
    let mut result = operation;
    // SAFETY: semihosting reads what the argument points to, which lives on.
    unsafe { asm!("bkpt 0xab", inout("r0") result, in("r1") argument) };
    result
}

/// Ends the machine; its exit status says how.
pub fn exit(outcome: Result<(), &dyn fmt::Display>) -> ! {
    let reason = match outcome {
        Ok(()) => STOPPED,
        Err(why) => {
            say(format_args!("FAILED: {why}"));
            FAILED
        }
    };
    loop {
        call(EXIT, reason);
    }
}

/// One line for whoever watches.
pub fn say(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; 256], len: 0 };
    let _cut = fmt::write(&mut line, text);
    let _cut = fmt::write(&mut line, format_args!("\n"));
    if let Some(end) = line.bytes.get_mut(line.len) {
        *end = 0;
    }
    call(WRITE, line.bytes.as_ptr() as usize);
}

struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // The last byte ends the line.
            if self.len + 1 < self.bytes.len() {
                self.bytes[self.len] = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

/// What the host's clock says: seconds since 1970.
pub fn unix_time_s() -> u64 {
    call(TIME, 0) as u64
}

/// The words behind the program's name.
pub fn arguments(memory: &mut [u8]) -> impl Iterator<Item = &str> {
    let mut block = [memory.as_mut_ptr() as usize, memory.len()];
    let len = match call(GET_COMMAND_LINE, block.as_mut_ptr() as usize) {
        0 => block[1],
        _ => 0,
    };
    let text = core::str::from_utf8(memory.get(..len).unwrap_or_default()).unwrap_or_default();
    text.trim_end_matches('\0').split_ascii_whitespace().skip(1)
}
