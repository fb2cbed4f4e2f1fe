//! How many bytes of packets a connection looks at for each one that comes.
//!
//! The frames around them have a bound of their own, beside the deframer.

use super::*;
use std::cell::Cell;

/// A fixed header, which is looked at until its packet is whole (MQTT 5.0 §2.1).
const HEADER_MAX: usize = 5;

/// Most bytes looked at for each one that comes: its packet's header before and after it, and the
/// packet when it is whole, at most three times.
const EXAMINED_PER_BYTE_MAX: usize = 2 * HEADER_MAX + 3;

std::thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Bytes of a packet are looked at on this thread.
pub(in crate::connection) fn count(len: usize) {
    BYTES.set(BYTES.get() + len);
}

/// The fixed header at the front of so many bytes is.
pub(in crate::connection) fn count_header(have: usize) {
    count(have.min(HEADER_MAX));
}

/// T-06, as in CVE-2026-44248: whatever the pieces, the work is in proportion to what has come.
#[test]
fn bytes_are_looked_at_a_bounded_number_of_times_however_they_come() {
    let long = vec![7; 400];
    let publish = |first: u8, id: &[u8]| {
        let len = 3 + id.len() + long.len();
        let head = [first, 0x80 | (len % 128) as u8, (len / 128) as u8, 0, 1, b't'];
        [&head[..], id, &long].concat()
    };
    for bytes in [
        publish(0x30, &[]).repeat(20),
        // Of QoS 2, and again and again the same; answers to nothing; answers to PINGREQ.
        publish(0x34, &[0, 1]).repeat(20),
        [0x40, 2, 0, 9].repeat(1_000),
        [0x62, 2, 0, 9].repeat(1_000),
        PINGRESP.repeat(1_000),
        // The front of a packet that never ends.
        publish(0x30, &[])[..300].to_vec(),
    ] {
        for framed in [true, false] {
            for size in [1, 2, 3, 7, 100, 409, 500] {
                let mut client = open(framed, Config::new());
                BYTES.set(0);
                for part in bytes.chunks(size) {
                    let part = if framed { frame(0x82, part) } else { part.to_vec() };
                    let mut rest = &part[..];
                    while !rest.is_empty() {
                        let len = client.connection.receive(rest);
                        rest = &rest[len..];
                        let heard = client.events().len();
                        assert!(len + heard + client.sent().len() > 0, "no progress");
                    }
                }
                let (examined, most) = (BYTES.take(), EXAMINED_PER_BYTE_MAX * bytes.len());
                assert!(examined > bytes.len() / size, "the counter counts");
                assert!(examined <= most, "{examined} of {most}, {size} at a time");
            }
        }
    }
}
