//! A small client on a Cortex-M4, to be weighed: it connects, subscribes, publishes at QoS 1 and receives.
//!
//! The server is a handful of known answers, so that it runs too, and tells how much stack it took.
#![no_std]
#![no_main]

#[cfg(any(feature = "stream", feature = "websocket"))]
mod client;
#[cfg(feature = "counted")]
mod count;
mod host;
#[cfg(feature = "presigned")]
mod presign;
mod stack;
mod wire;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    stack::paint();
    let mut wire = wire::server();
    #[cfg(any(feature = "stream", feature = "websocket"))]
    let passed = client::talk(&mut wire);
    #[cfg(all(feature = "presigned", not(feature = "websocket")))]
    let passed = presign::write(&mut wire);
    #[cfg(not(any(feature = "stream", feature = "websocket", feature = "presigned")))]
    let passed = {
        // What the client would call, so that it is weighed with the harness.
        let mut memory = [0; 64];
        let len = wire.read(&mut memory);
        wire.write(memory.get(..len).unwrap_or_default());
        len > 0
    };
    host::say("stack", stack::peak());
    host::say("written", wire.written);
    host::exit(passed)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    host::exit(false)
}
