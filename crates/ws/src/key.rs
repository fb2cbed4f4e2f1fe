//! The proof that a server read the upgrade (§1.3, §4.2.2).

use sha1::block_api::compress;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Key` for a nonce (§4.1).
pub(crate) fn key(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [b'='; 24];
    base64(&nonce, &mut key);
    key
}

/// The value of `Sec-WebSocket-Accept` that answers a key (§4.2.2).
pub(crate) fn accept(key: &[u8; 24]) -> [u8; 28] {
    let mut accept = [b'='; 28];
    base64(&sha1(key), &mut accept);
    accept
}

/// SHA-1 of a key and what follows it, whose length never changes: two blocks, padded here (FIPS 180-4
/// §5.1.1).
///
/// The crate's own buffer, which takes any length, costs 300 bytes of flash more.
// Apart, so that its blocks are not on the stack while the answer is read.
#[inline(never)]
fn sha1(key: &[u8; 24]) -> [u8; 20] {
    /// FIPS 180-4 §5.3.1.
    const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    const BITS: [u8; 2] = (60_u16 * 8).to_be_bytes();
    let (mut first, mut second) = ([0; 64], [0; 64]);
    let places = first.iter_mut().zip(key.iter().chain(GUID).chain(&[0x80]));
    places.for_each(|(place, byte)| *place = *byte);
    let [.., high, low] = &mut second;
    [*high, *low] = BITS;
    let mut state = INITIAL;
    compress(&mut state, &[first, second]);
    let mut digest = [0; 20];
    let (words, _) = digest.as_chunks_mut();
    for (place, word) in words.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    digest
}

/// Base64 (RFC 4648 §4) over the front of `out`, which is padding already.
///
/// Written out because two short public values are all that is ever encoded: a crate would bring a
/// decoder, a constant-time alphabet and slicing that must be shown not to panic.
fn base64(bytes: &[u8], out: &mut [u8]) {
    let mut places = out.iter_mut();
    let (mut bits, mut pending): (u32, u32) = (0, 0);
    let mut put = |six: u32| {
        if let Some(place) = places.next() {
            *place = symbol(six);
        }
    };
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        pending = pending.wrapping_add(8);
        while pending >= 6 {
            pending = pending.wrapping_sub(6);
            put(bits.wrapping_shr(pending));
        }
    }
    if pending > 0 {
        put(bits.wrapping_shl(6_u32.wrapping_sub(pending)));
    }
}

/// The character for the lowest six bits.
fn symbol(bits: u32) -> u8 {
    let six = u8::try_from(bits & 63).unwrap_or_default();
    match six {
        0..=25 => six.wrapping_add(b'A'),
        26..=51 => six.wrapping_sub(26).wrapping_add(b'a'),
        52..=61 => six.wrapping_sub(52).wrapping_add(b'0'),
        62 => b'+',
        _ => b'/',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// §1.3: the example key and what a server makes of it.
    #[test]
    fn key_and_accept_of_the_example_in_the_standard() {
        let key = key(*b"the sample nonce");
        assert_eq!(&key, b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(&accept(&key), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    /// RFC 4648 §10.
    #[test]
    fn base64_of_every_remainder_is_padded() {
        let vectors: [(&[u8], &[u8]); 5] = [
            (b"f", b"Zg=="),
            (b"fo", b"Zm8="),
            (b"foo", b"Zm9v"),
            (b"foob", b"Zm9vYg=="),
            (b"\xfb\xff\xbf", b"+/+/"),
        ];
        for (bytes, expected) in vectors {
            let mut out = std::vec![b'='; expected.len()];
            base64(bytes, &mut out);
            assert_eq!(out, expected);
        }
    }
}
