//! What a signature says about the body.

use crate::encode::Hex;
use crate::hash::{DIGEST_LEN, Digest, Sha256, sha256};
use core::fmt;
use dunlin_octet::{Sink, Text};

/// SHA-256 of no bytes.
const EMPTY: Digest = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// What the signature says about the body of the request.
///
/// Writes itself as the value of `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Payload {
    /// There is none: AWS IoT.
    Empty,
    /// Nothing: `UNSIGNED-PAYLOAD`, as Amazon S3 has it for signed URLs.
    Unsigned,
    /// The SHA-256 digest of the body, known beforehand or made with [`Payload::of`] or
    /// [`PayloadHash`].
    Sha256([u8; 32]),
}

impl Payload {
    /// Hashes a body that can write itself.
    pub fn of(body: &dyn Text) -> Self {
        let mut digest = [0; DIGEST_LEN];
        sha256(body, &mut digest);
        Self::Sha256(digest)
    }
}

impl Text for Payload {
    fn write(&self, sink: &mut dyn Sink) {
        let digest = match self {
            Self::Empty => &EMPTY,
            Self::Sha256(digest) => digest,
            Self::Unsigned => return sink.put(b"UNSIGNED-PAYLOAD"),
        };
        Hex(digest).write(sink);
    }
}

/// Hashes a body that comes in pieces.
///
/// [`put`](Sink::put) each piece, then [`finish`](Self::finish).
#[derive(Clone)]
pub struct PayloadHash(Sha256);

impl PayloadHash {
    /// No bytes yet.
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// The payload that all the pieces are.
    pub fn finish(mut self) -> Payload {
        let mut digest = [0; DIGEST_LEN];
        self.0.finish(&mut digest);
        Payload::Sha256(digest)
    }
}

impl Default for PayloadHash {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for PayloadHash {
    fn put(&mut self, bytes: &[u8]) {
        self.0.put(bytes);
    }
}

/// Shows nothing of what was hashed.
impl fmt::Debug for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadHash").finish_non_exhaustive()
    }
}

/// Shows nothing of what was hashed.
#[cfg(feature = "defmt")]
impl defmt::Format for PayloadHash {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "PayloadHash");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_octet::Writer;
    use std::string::{String, ToString};

    fn written(payload: Payload) -> String {
        let mut memory = [0; 64];
        let mut writer = Writer::new(&mut memory);
        payload.write(&mut writer);
        core::str::from_utf8(writer.written()).unwrap().to_string()
    }

    #[test]
    fn payload_that_is_empty_is_the_hash_of_nothing() {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(written(Payload::of(&"")), digits);
        assert_eq!(written(Payload::Empty), digits);
    }

    /// The example "abc" of FIPS 180-4's test vectors.
    #[test]
    fn payload_in_pieces_is_hashed_like_the_whole() {
        let mut pieces = PayloadHash::default();
        for piece in ["a", "", "bc"] {
            pieces.put(piece.as_bytes());
        }
        assert_eq!(std::format!("{pieces:?}"), "PayloadHash { .. }");
        let payload = pieces.finish();
        assert_eq!(payload, Payload::of(&"abc"));
        assert_eq!(
            written(payload),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
