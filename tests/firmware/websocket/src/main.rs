//! The upgrade and the frames of a WebSocket client, and nothing else: `cargo x size` weighs it.
//!
//! Only [`weighed`] counts, with all that it uses. Never run: the transport is memory that the
//! optimiser knows nothing of.
#![no_std]
#![no_main]

mod weighed;

use core::hint::black_box;
use dunlin_octet::{Inbox, Writer};
use dunlin_ws::{Deframer, Incoming, Opcode, Role, UpgradeError};

/// Where the linker starts looking.
#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    let mut memory = [0; 1024];
    let mut inbox = Inbox::new(&mut memory[..]);
    black_box(upgrade(&mut inbox).is_ok());
    converse(&mut inbox);
}

/// What has come from the peer.
fn received() -> &'static [u8] {
    static BYTES: [u8; 16] = [0; 16];
    black_box(&BYTES)
}

/// Asks for the upgrade, and waits until it is there.
fn upgrade(inbox: &mut Inbox<&mut [u8]>) -> Result<(), UpgradeError> {
    let mut upgrade = weighed::request(black_box("broker.example"), black_box([7; 16]))?;
    let mut out = [0; 256];
    while weighed::write(&mut upgrade, &mut out) > 0 {
        black_box(&out);
    }
    while !weighed::read(&mut upgrade, inbox)? {
        weighed::receive(inbox, received());
    }
    Ok(())
}

/// Sends back what comes, and answers pings, until the peer closes or breaks the rules.
fn converse(inbox: &mut Inbox<&mut [u8]>) {
    let mut deframer = Deframer::new(Role::Client);
    while let Ok(incoming) = weighed::deframe(&mut deframer, inbox) {
        match incoming {
            None => {
                weighed::receive(inbox, received());
            }
            Some(Incoming::Data { opcode, len, .. }) => {
                send(opcode, inbox.stream());
                inbox.consume(len);
            }
            Some(Incoming::Ping) => send(Opcode::Pong, deframer.control()),
            Some(Incoming::Close(_)) => return send(Opcode::Close, deframer.control()),
            Some(Incoming::Pong) => {}
        }
    }
}

/// Hands a frame to the peer.
fn send(opcode: Opcode, payload: &[u8]) {
    let mut memory = [0; 512];
    let mut out = Writer::new(&mut memory);
    weighed::frame(&mut out, opcode, black_box([1, 2, 3, 4]), payload);
    black_box(out.written());
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
