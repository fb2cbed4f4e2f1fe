//! SHA-256 and HMAC over streamed text.
//!
//! HMAC is made of [`sha256`] as RFC 2104 §2 has it, one hash after the other: the states that the
//! `hmac` crate holds side by side cost some hundred bytes of stack more.

use dunlin_octet::{Sink, Text, copy};
use sha2::digest::FixedOutputReset;
use zeroize::Zeroizing;

/// Bytes of a SHA-256 digest.
pub(crate) const DIGEST_LEN: usize = 32;
/// Bytes of a SHA-256 block (FIPS 180-4 §1).
pub(crate) const BLOCK_LEN: usize = 64;

/// Bytes of a key that are combined at a time: few, for the sake of the stack.
const PIECE_LEN: usize = 16;

/// A SHA-256 digest, or a code made of one.
pub(crate) type Digest = [u8; DIGEST_LEN];

/// SHA-256 of `text` (FIPS 180-4 §6.2).
// Two functions that are not inlined, so that only one state is on the stack while `text` writes
// itself, and none when the caller goes on.
#[inline(never)]
pub(crate) fn sha256(text: &dyn Text, digest: &mut Digest) {
    let mut state = Sha256::new();
    text.write(&mut state);
    state.finish(digest);
}

/// HMAC-SHA-256 of `text` under a `key` of at most a block (RFC 2104 §2).
pub(crate) fn hmac(key: &dyn Text, text: &dyn Text, code: &mut Digest) {
    let mut inner = Zeroizing::new([0; DIGEST_LEN]);
    sha256(&Padded { key, pad: 0x36, text }, &mut inner);
    sha256(&Padded { key, pad: 0x5c, text: &inner.as_slice() }, code);
}

/// A hash under way; wiped when dropped.
#[derive(Clone)]
pub(crate) struct Sha256(sha2::Sha256);

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self(<sha2::Sha256 as sha2::Digest>::new())
    }

    #[inline(never)]
    pub(crate) fn finish(&mut self, digest: &mut Digest) {
        FixedOutputReset::finalize_into_reset(&mut self.0, digest.into());
    }
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }
}

/// A text behind the key, which is filled up to a block and combined with `pad`.
struct Padded<'a> {
    key: &'a dyn Text,
    pad: u8,
    text: &'a dyn Text,
}

impl Text for Padded<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let mut pad = Pad { inner: sink, pad: self.pad, left: BLOCK_LEN };
        self.key.write(&mut pad);
        pad.fill();
        self.text.write(sink);
    }
}

/// Combines what goes through it with `pad`, and counts down what is left of a block.
struct Pad<'s> {
    inner: &'s mut dyn Sink,
    pad: u8,
    left: usize,
}

impl Pad<'_> {
    /// Puts what is missing, as if it were zeros.
    fn fill(&mut self) {
        while self.left > 0 {
            let piece = [0; PIECE_LEN];
            self.put(piece.get(..self.left).unwrap_or(&piece));
        }
    }
}

impl Sink for Pad<'_> {
    fn put(&mut self, mut bytes: &[u8]) {
        self.left = self.left.saturating_sub(bytes.len());
        let mut piece = Zeroizing::new([0; PIECE_LEN]);
        while !bytes.is_empty() {
            let len = copy(bytes, &mut *piece);
            for byte in piece.iter_mut() {
                *byte ^= self.pad;
            }
            self.inner.put(piece.get(..len).unwrap_or_default());
            bytes = bytes.get(len..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::hmac::{Hmac, KeyInit, Mac};

    /// RFC 2104 §2
    #[test]
    fn hmac_under_every_key_up_to_a_block_is_that_of_the_hmac_crate() {
        for len in 0..=BLOCK_LEN {
            let key = "k".repeat(len);
            let mut expected = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
            Mac::update(&mut expected, b"text");
            let mut code = [0; DIGEST_LEN];
            hmac(&key.as_str(), &"text", &mut code);
            assert_eq!(code[..], expected.finalize().into_bytes()[..], "{len} bytes");
        }
    }
}
