//! What differs between the boards: where the UART and the timer are, and how the machine starts.

#[cfg_attr(target_arch = "arm", path = "boards/microbit.rs")]
#[cfg_attr(target_arch = "riscv32", path = "boards/virt.rs")]
mod own;

pub use own::*;

/// The registers of a device.
fn read<T: Copy>(register: usize) -> T {
    // SAFETY: the boards name registers that are there.
    unsafe { core::ptr::read_volatile(register as *const T) }
}

fn write<T: Copy>(register: usize, value: T) {
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(register as *mut T, value) };
}
