//! Entry points for the fuzzer; any bytes may be given.

use crate::Packet;

/// Whatever decodes lies inside its input, and encodes back to the same bytes.
///
/// # Panics
/// When it does not.
pub fn packets(data: &[u8]) {
    let Ok(Some((packet, len))) = Packet::decode_front(data) else { return };
    let bytes = data.get(..len).unwrap_or_default();
    let mut same = Same { expected: bytes };
    dunlin_octet::Text::write(&packet, &mut same);
    assert!(same.expected.is_empty(), "{packet:?} encodes to fewer bytes than it was decoded from");
}

/// A sink that has seen the bytes before.
struct Same<'a> {
    expected: &'a [u8],
}

impl dunlin_octet::Sink for Same<'_> {
    fn put(&mut self, bytes: &[u8]) {
        match self.expected.split_at_checked(bytes.len()) {
            Some((front, rest)) if front == bytes => self.expected = rest,
            _ => assert_eq!(self.expected, bytes, "encoded otherwise than decoded"),
        }
    }
}
