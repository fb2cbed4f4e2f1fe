//! The proof that a server read the upgrade (§1.3, §4.2.2).

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
/// Written out, as base64 is: nothing secret is hashed, and once a connection. The crate's takes 3 KB of
/// flash for the speed of its unrolled rounds.
// Apart, so that its blocks are not on the stack while the answer is read.
#[inline(never)]
fn sha1(key: &[u8; 24]) -> [u8; 20] {
    /// FIPS 180-4 §5.3.1.
    const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    const BITS: [u8; 2] = (60_u16 * 8).to_be_bytes();
    let mut padded = [0; 128];
    let places = padded.iter_mut().zip(key.iter().chain(GUID).chain(&[0x80]));
    places.for_each(|(place, byte)| *place = *byte);
    let [.., high, low] = &mut padded;
    [*high, *low] = BITS;
    let mut state = INITIAL;
    let (blocks, _) = padded.as_chunks();
    for block in blocks {
        state = compress(state, block);
    }
    let mut digest = [0; 20];
    let (words, _) = digest.as_chunks_mut();
    for (place, word) in words.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    digest
}

/// What a block makes of the state (FIPS 180-4 §6.1.3, where the schedule is sixteen words long).
fn compress(state: [u32; 5], block: &[u8; 64]) -> [u32; 5] {
    let mut schedule = [0; 16];
    let (words, _) = block.as_chunks();
    for (place, word) in schedule.iter_mut().zip(words) {
        *place = u32::from_be_bytes(*word);
    }
    let [mut a, mut b, mut c, mut d, mut e] = state;
    for round in 0_usize..80 {
        let at = |ahead: usize| {
            schedule.get(round.wrapping_add(ahead) & 15).copied().unwrap_or_default()
        };
        let word = at(0);
        // The word of sixteen rounds later.
        let next = (at(13) ^ at(8) ^ at(2) ^ word).rotate_left(1);
        if let Some(place) = schedule.get_mut(round & 15) {
            *place = next;
        }
        let (mixed, constant) = match round {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let sum = e.wrapping_add(mixed).wrapping_add(constant).wrapping_add(word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, a.rotate_left(5).wrapping_add(sum));
    }
    let [a0, b0, c0, d0, e0] = state;
    [
        a0.wrapping_add(a),
        b0.wrapping_add(b),
        c0.wrapping_add(c),
        d0.wrapping_add(d),
        e0.wrapping_add(e),
    ]
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
