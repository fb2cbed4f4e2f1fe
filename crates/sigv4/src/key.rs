//! The signing key, and the two hashes over streamed text.
//!
//! HMAC is made of [`sha256`] as RFC 2104 §2 has it, one hash after the other: the states that the
//! `hmac` crate holds side by side cost some hundred bytes of stack more.

use dunlin_octet::{Count, Sink, Text, Writer};
use sha2::Digest;
use sha2::digest::FixedOutputReset;
use zeroize::Zeroizing;

/// Bytes of a SHA-256 digest.
pub(crate) const DIGEST_LEN: usize = 32;
/// Bytes of a SHA-256 block (FIPS 180-4 §1).
const BLOCK_LEN: usize = 64;

/// What signs for one day, region and service ("Create a signed request", derive a signing key).
///
/// Good for as long as none of the three changes; wiped when dropped.
pub(crate) struct SigningKey(Key);

impl SigningKey {
    /// A key of zeros, to be derived.
    pub(crate) fn new() -> Self {
        Self(Key(Zeroizing::new([0; BLOCK_LEN])))
    }

    /// Derives the key in its place, where it leaves no copy; `date` is the day as `YYYYMMDD`.
    pub(crate) fn derive(&mut self, secret: &str, date: &[u8], region: &str, service: &str) {
        self.0.set(&FirstKey(secret));
        self.0.advance(&date);
        self.0.advance(&region);
        self.0.advance(&service);
        self.0.advance(&"aws4_request");
    }

    /// Signs `text`.
    pub(crate) fn sign(&self, text: &dyn Text, signature: &mut [u8; DIGEST_LEN]) {
        self.0.authenticate(text, signature);
    }
}

/// SHA-256 of `text` (FIPS 180-4 §6.2).
// Two functions that are not inlined, so that only one state is on the stack while `text` writes
// itself, and none when the caller goes on.
#[inline(never)]
pub(crate) fn sha256(text: &dyn Text, digest: &mut [u8; DIGEST_LEN]) {
    let mut state = sha2::Sha256::new();
    text.write(&mut Sha256(&mut state));
    finish(&mut state, digest);
}

#[inline(never)]
fn finish(state: &mut sha2::Sha256, digest: &mut [u8; DIGEST_LEN]) {
    FixedOutputReset::finalize_into_reset(state, digest.into());
}

struct Sha256<'s>(&'s mut sha2::Sha256);

impl Sink for Sha256<'_> {
    fn put(&mut self, bytes: &[u8]) {
        Digest::update(self.0, bytes);
    }
}

/// The secret with the prefix that all derivation starts with.
struct FirstKey<'a>(&'a str);

impl Text for FirstKey<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"AWS4");
        self.0.write(sink);
    }
}

/// A key as HMAC takes it, padded with zeros to a block; wiped when dropped.
struct Key(Zeroizing<[u8; BLOCK_LEN]>);

impl Key {
    /// Becomes `text`, or its hash when it is longer than a block (RFC 2104 §2).
    fn set(&mut self, text: &dyn Text) {
        self.0.fill(0);
        if Count::of(&text) <= BLOCK_LEN {
            text.write(&mut Writer::new(&mut *self.0));
        } else if let Some(digest) = self.0.first_chunk_mut() {
            sha256(text, digest);
        }
    }

    /// Becomes the code of `text` under itself.
    fn advance(&mut self, text: &dyn Text) {
        let mut code = Zeroizing::new([0; DIGEST_LEN]);
        self.authenticate(text, &mut code);
        self.set(&code.as_slice());
    }

    /// HMAC-SHA-256 of `text` (RFC 2104 §2).
    fn authenticate(&self, text: &dyn Text, code: &mut [u8; DIGEST_LEN]) {
        let mut inner = Zeroizing::new([0; DIGEST_LEN]);
        sha256(&Padded { key: self, pad: 0x36, text }, &mut inner);
        sha256(&Padded { key: self, pad: 0x5c, text: &inner.as_slice() }, code);
    }
}

/// A text behind the key, each byte of which is combined with `pad`.
struct Padded<'a> {
    key: &'a Key,
    pad: u8,
    text: &'a dyn Text,
}

impl Text for Padded<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        for byte in self.key.0.iter() {
            sink.put(&[byte ^ self.pad]);
        }
        self.text.write(sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};
    use std::string::String;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| std::format!("{byte:02x}")).collect()
    }

    /// The example of "Derive a signing key" in the AWS General Reference.
    #[test]
    fn signing_key_of_the_documented_example_is_the_documented_one() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let mut key = SigningKey::new();
        key.derive(secret, b"20120215", "us-east-1", "iam");
        assert_eq!(
            hex(&key.0.0[..DIGEST_LEN]),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
        );
    }

    /// RFC 2104 §2
    #[test]
    fn first_key_of_every_length_is_the_key_hmac_makes_of_the_whole() {
        for len in 0..=200 {
            let secret = "s".repeat(len);
            let whole = std::format!("AWS4{secret}");
            let mut expected = Hmac::<sha2::Sha256>::new_from_slice(whole.as_bytes()).unwrap();
            Mac::update(&mut expected, b"text");
            let mut code = [0; DIGEST_LEN];
            let mut key = SigningKey::new();
            key.0.set(&FirstKey(&secret));
            key.sign(&"text", &mut code);
            assert_eq!(code[..], expected.finalize().into_bytes()[..], "{len} bytes");
        }
    }
}
