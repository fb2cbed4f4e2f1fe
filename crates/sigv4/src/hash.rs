//! SHA-256 and HMAC over streamed text.
//!
//! The compression function is RustCrypto's, with the instructions that the processor has for it; what
//! stands around it, the block that fills up and the padding, is here, where each of it costs a copy
//! and no more.

use core::slice;
use dunlin_octet::{Sink, Text, copy, copy_short};
use sha2::block_api::compress256;
use zeroize::Zeroize;

/// Bytes of a SHA-256 digest.
pub(crate) const DIGEST_LEN: usize = 32;
/// Bytes of a SHA-256 block (FIPS 180-4 §1).
pub(crate) const BLOCK_LEN: usize = 64;
/// Bytes at the end of the last block that say how long the message is (FIPS 180-4 §5.1.1).
const LENGTH_LEN: usize = 8;

/// What inner and outer hash have in front of them (RFC 2104 §2).
const INNER_PAD: u8 = 0x36;
/// Takes the inner pad off and puts the outer one on.
const OTHER_PAD: u8 = INNER_PAD ^ 0x5c;

/// A SHA-256 digest, or a code made of one.
pub(crate) type Digest = [u8; DIGEST_LEN];

type State = [u32; 8];
type Block = [u8; BLOCK_LEN];

/// The state before the first block (FIPS 180-4 §5.3.3).
const START: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// SHA-256 of `text` (FIPS 180-4 §6.2).
// Not inlined, so that only one state is on the stack, and none when the caller goes on.
#[inline(never)]
pub(crate) fn sha256(text: &dyn Text, digest: &mut Digest) {
    let mut hash = Sha256::new();
    text.write(&mut hash);
    hash.finish(digest);
}

/// Puts a digest.
#[inline(never)]
fn put_state(state: &State, place: &mut [u8]) {
    let (words, _) = place.as_chunks_mut();
    words.iter_mut().zip(state).for_each(|(place, word)| *place = word.to_be_bytes());
}

/// Blocks that are held until all are full. A processor waits where it reads together what has just been
/// written in pieces, so that it is made to wait once for several, where there is memory for them.
const HELD: usize = if cfg!(target_pointer_width = "64") { 2 } else { 1 };

/// A hash under way; wiped when dropped.
#[derive(Clone)]
pub(crate) struct Sha256 {
    state: State,
    held: [Block; HELD],
    /// How many bytes are held.
    filled: usize,
    /// How many there were.
    len: u64,
}

impl Sha256 {
    pub(crate) const fn new() -> Self {
        Self { state: START, held: [[0; BLOCK_LEN]; HELD], filled: 0, len: 0 }
    }

    /// Behind one block, which has made that state.
    const fn behind_block(state: State) -> Self {
        Self { state, held: [[0; BLOCK_LEN]; HELD], filled: 0, len: 64 }
    }

    /// Pads the message and gives its digest.
    pub(crate) fn finish(&mut self, digest: &mut Digest) {
        self.pad();
        put_state(&self.state, digest);
    }

    /// Ends the message, so that the state is its digest.
    #[inline(never)]
    fn pad(&mut self) {
        let bits = self.len.wrapping_shl(3);
        let held = self.held.as_flattened_mut();
        if let [end, zeros @ ..] = held.get_mut(self.filled..).unwrap_or_default() {
            *end = 0x80;
            zeros.fill(0);
        }
        let mut last = self.filled.saturating_add(LENGTH_LEN) / BLOCK_LEN;
        if last >= HELD {
            compress256(&mut self.state, &self.held);
            self.held.as_flattened_mut().fill(0);
            last = 0;
        }
        let blocks = self.held.get_mut(..=last).unwrap_or_default();
        if let Some(place) = blocks.as_flattened_mut().last_chunk_mut() {
            *place = bits.to_be_bytes();
        }
        compress256(&mut self.state, blocks);
    }

    /// Starts with the key that stands in the first block, under `pad`.
    fn start_keyed(&mut self, pad: u8) {
        let [key, ..] = &mut self.held;
        key.iter_mut().for_each(|byte| *byte ^= pad);
        self.state = START;
        compress256(&mut self.state, slice::from_ref(key));
    }

    /// Puts what is long, or fills the blocks up.
    // Most pieces are short, and do not come here.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn put_long(&mut self, bytes: &[u8]) {
        let place = self.held.as_flattened_mut().get_mut(self.filled..).unwrap_or_default();
        let room = place.len();
        let len = copy(bytes, place);
        self.filled = self.filled.wrapping_add(len);
        if len == room {
            compress256(&mut self.state, &self.held);
            let (blocks, rest) = bytes.get(len..).unwrap_or_default().as_chunks();
            if !blocks.is_empty() {
                compress256(&mut self.state, blocks);
            }
            self.filled = copy(rest, self.held.as_flattened_mut());
        }
    }
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        self.len = self.len.wrapping_add(u64::try_from(bytes.len()).unwrap_or_default());
        let place = self.held.as_flattened_mut().get_mut(self.filled..).unwrap_or_default();
        if bytes.len() < place.len() && copy_short(bytes, place) {
            self.filled = self.filled.wrapping_add(bytes.len());
        } else {
            self.put_long(bytes);
        }
    }
}

impl Drop for Sha256 {
    fn drop(&mut self) {
        // As slices, which are wiped at once, and not item by item as arrays are.
        self.state.as_mut_slice().zeroize();
        self.held.as_flattened_mut().zeroize();
    }
}

/// A key of HMAC-SHA-256 as the two states behind its pads (RFC 2104 §4); wiped when dropped.
pub(crate) struct Mac {
    inner: State,
    outer: State,
}

impl Mac {
    pub(crate) const fn new() -> Self {
        Self { inner: START, outer: START }
    }

    /// Takes `key`, or its hash when it is longer than a block (RFC 2104 §2).
    #[inline(never)]
    pub(crate) fn set(&mut self, key: &dyn Text) {
        // What has just filled the block up still stands in it.
        let mut hash = Sha256::new();
        key.write(&mut hash);
        if hash.len > 64 {
            hash.pad();
            let held = hash.held.as_flattened_mut();
            held.fill(0);
            put_state(&hash.state, held);
        }
        hash.start_keyed(INNER_PAD);
        self.inner = hash.state;
        hash.start_keyed(OTHER_PAD);
        self.outer = hash.state;
    }

    /// The code of `text`.
    #[inline(never)]
    pub(crate) fn code(&self, text: &dyn Text, code: &mut Digest) {
        let mut hash = Sha256::behind_block(self.inner);
        text.write(&mut hash);
        hash.finish(code);
        (hash.state, hash.filled, hash.len) = (self.outer, 0, 64);
        hash.put(code);
        hash.finish(code);
    }
}

impl Drop for Mac {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::hmac::{Hmac, KeyInit, Mac as _};
    use sha2::Digest as _;
    use std::vec::Vec;

    fn message(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 % 251) as u8).collect()
    }

    /// FIPS 180-4 §5.1
    #[test]
    fn hash_of_every_length_in_pieces_of_every_size_is_that_of_the_sha2_crate() {
        for len in 0..=260 {
            let message = message(len);
            let expected = sha2::Sha256::digest(&message);
            for size in [1, 3, 55, 56, 63, 64, 65, 128, 300] {
                let mut hash = Sha256::new();
                message.chunks(size).for_each(|piece| hash.put(piece));
                let mut digest = [0; DIGEST_LEN];
                hash.finish(&mut digest);
                assert_eq!(digest[..], expected[..], "{len} bytes by {size}");
            }
        }
    }

    /// RFC 2104 §2
    #[test]
    fn hmac_under_every_key_is_that_of_the_hmac_crate() {
        let mut mac = Mac::new();
        for len in 0..=200 {
            let (key, text) = (message(len), message(3 * len));
            let mut expected = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
            expected.update(&text);
            mac.set(&key.as_slice());
            let mut code = [0; DIGEST_LEN];
            mac.code(&text.as_slice(), &mut code);
            assert_eq!(code[..], expected.finalize().into_bytes()[..], "{len} bytes");
        }
    }
}
