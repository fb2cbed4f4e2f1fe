//! A server of a few words: the answers are known, and come one after the other.

use core::ptr;

/// What one read brings at most.
#[cfg_attr(feature = "presigned", allow(dead_code, reason = "a signer alone reads no answer"))]
pub struct Wire {
    answers: &'static [&'static [u8]],
    /// Bytes that were written.
    pub written: usize,
}

#[cfg_attr(feature = "presigned", allow(dead_code, reason = "as above"))]
impl Wire {
    /// The next answer, copied to the front of `memory`; 0 when there is none.
    #[inline(never)]
    pub fn read(&mut self, memory: &mut [u8]) -> usize {
        let Some((answer, rest)) = self.answers.split_first() else { return 0 };
        self.answers = rest;
        for (to, from) in memory.iter_mut().zip(*answer) {
            *to = *from;
        }
        answer.len().min(memory.len())
    }

    /// Takes bytes, as a network card would.
    #[inline(never)]
    pub fn write(&mut self, bytes: &[u8]) {
        static mut LAST: u8 = 0;
        for byte in bytes {
            // SAFETY: nothing else runs, and nobody reads it.
            unsafe { ptr::write_volatile(&raw mut LAST, *byte) };
        }
        self.written += bytes.len();
    }
}

/// The server, before the first connection.
pub const fn server() -> Wire {
    Wire { answers: ANSWERS, written: 0 }
}

/// The answer to the key that sixteen sevens make (RFC 6455 §4.2.2).
#[cfg(feature = "websocket")]
const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: CdXSYUsvsaMthlEXWDNURGWA/1o=\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\r\n";

#[cfg(feature = "websocket")]
const ANSWERS: &[&[u8]] = &[
    UPGRADE,
    b"\x82\x04\x20\x02\0\0",
    b"\x82\x05\x90\x03\0\x01\x01",
    b"\x82\x04\x40\x02\0\x02",
    b"\x82\x0a\x32\x08\0\x01t\0\x07yes",
];

#[cfg(not(feature = "websocket"))]
const ANSWERS: &[&[u8]] =
    &[b"\x20\x02\0\0", b"\x90\x03\0\x01\x01", b"\x40\x02\0\x02", b"\x32\x08\0\x01t\0\x07yes"];
