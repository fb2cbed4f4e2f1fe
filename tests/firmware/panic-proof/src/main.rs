//! Links only if no panic can be reached: `cargo x panic-proof`.
//!
//! One module per crate of the core, each using all of it on input that the optimiser knows nothing
//! of. Never run: the linker's verdict is the result.
#![no_std]
#![no_main]

mod aws;
mod aws_exchanges;
mod client;
mod mqtt;
mod octet;
mod opaque;
mod pubsub;
mod sigv4;
mod sizes;
mod ws;

/// Where the linker starts looking.
#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    octet::all();
    sigv4::all();
    ws::all();
    mqtt::all();
    client::all();
    aws::all();
    aws_exchanges::all();
    pubsub::all();
    sizes::keep_table();
    #[cfg(feature = "planted")]
    planted();
}

/// Panics when the input is shorter than a number that is not known either.
#[cfg(feature = "planted")]
fn planted() {
    opaque::keep(opaque::bytes()[opaque::number()]);
}

#[cfg(not(feature = "lenient"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn dunlin_panic_is_reachable() -> !;
    }
    // SAFETY: it does not exist, so that nothing which could get here is ever linked.
    unsafe { dunlin_panic_is_reachable() }
}

#[cfg(feature = "lenient")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
