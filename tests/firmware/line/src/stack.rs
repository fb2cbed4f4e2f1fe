//! How deep the stack has been: painted at the start, scanned at the end.

const PAINT: u32 = 0x5ca1_ab1e;
/// What the painter itself may use, in bytes.
const OWN: usize = 256;

unsafe extern "C" {
    static mut __sheap: u32;
    static _stack_start: u32;
}

fn bottom() -> *mut u32 {
    &raw mut __sheap
}

/// Paints all of the stack that is not in use.
#[inline(never)]
pub fn paint() {
    let mut here = bottom();
    let end = crate::board::stack_pointer() - OWN;
    while (here as usize) < end {
        // SAFETY: between the last static and the stack nothing lives.
        unsafe {
            here.write_volatile(PAINT);
            here = here.add(1);
        }
    }
}

/// The deepest it has been since, in bytes.
pub fn peak() -> usize {
    let mut here = bottom();
    // SAFETY: as above, and only read.
    while unsafe { here.read_volatile() } == PAINT {
        here = unsafe { here.add(1) };
    }
    &raw const _stack_start as usize - here as usize
}
