//! Counts the instructions that masking takes on small machines, in QEMU: `cargo x masking`.
//!
//! Prints a line for each way and length: its name, bytes, instructions. With `-icount` QEMU's clock is
//! the number of instructions, and the figures are the same in every run.
#![no_std]
#![no_main]

#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv32.rs")]
mod board;

use core::fmt::Write;
use core::hint::black_box;
use dunlin_octet::{copy_masked, mask};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const LENGTHS: [usize; 3] = [16, 125, 1024];
/// Where the data begins: at no multiple of four, as behind most headers.
const OFFSET: usize = 6;

/// What each board calls first.
fn run() -> ! {
    let (mut data, mut out) = ([7; 1024 + OFFSET], [0; 1024]);
    for len in LENGTHS {
        let data = black_box(&mut data[OFFSET..][..len]);
        print("in place", len, || mask(data, black_box(KEY), 0));
        let to = black_box(&mut out[..len]);
        print("copying", len, || {
            black_box(copy_masked(data, to, black_box(KEY), 0));
        });
        assert!(
            to.iter()
                .zip(&*data)
                .zip(KEY.iter().cycle())
                .all(|((to, from), key)| *to == from ^ key)
        );
    }
    board::exit()
}

fn print(name: &str, len: usize, turn: impl FnOnce()) {
    let before = board::instructions();
    turn();
    let count = board::instructions().wrapping_sub(before);
    let nothing = board::instructions();
    let nothing = board::instructions().wrapping_sub(nothing);
    let _printed = writeln!(board::Console, "{name} {len} {}", count.wrapping_sub(nothing));
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    let _printed = writeln!(board::Console, "panic");
    board::exit()
}
