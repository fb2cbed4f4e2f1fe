//! The canonical request and its signature ("Create a signed AWS API request").

use crate::encode::{Hex, Percent};
use crate::key::{DIGEST_LEN, SigningKey, sha256};
use crate::time::Stamp;
use dunlin_octet::{Sink, Text};

/// The one algorithm of Signature Version 4.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Amazon S3 encodes the path once, every other service twice.
const ONCE_ENCODED_SERVICE: &str = "s3";
/// SHA-256 of no bytes.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What the signature says about the body of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// There is none: AWS IoT.
    Empty,
    /// Nothing: `UNSIGNED-PAYLOAD`, as Amazon S3 has it for signed URLs.
    Unsigned,
}

impl Text for Payload {
    fn write(&self, sink: &mut dyn Sink) {
        match self {
            Self::Empty => EMPTY_SHA256.write(sink),
            Self::Unsigned => "UNSIGNED-PAYLOAD".write(sink),
        }
    }
}

/// For which day, region and service a signature is good.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) stamp: Stamp,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

impl Text for Scope<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(&self.stamp.date);
        sink.put(b"/");
        self.region.write(sink);
        sink.put(b"/");
        self.service.write(sink);
        sink.put(b"/aws4_request");
    }
}

/// A header to sign: its name in lower case, and its value.
pub(crate) type Header<'r> = (&'static str, &'r dyn Text);

/// The parts of a request that are signed.
pub(crate) struct Request<'r> {
    pub(crate) method: &'static str,
    /// As in the request line.
    pub(crate) path: &'r str,
    /// Sorted and encoded.
    pub(crate) query: &'r dyn Text,
    /// Sorted by name.
    pub(crate) headers: &'r [Header<'r>],
    pub(crate) payload: Payload,
}

impl Request<'_> {
    /// Signs for `scope`, under the key that is derived from `secret` for it.
    pub(crate) fn sign(&self, secret: &str, scope: &Scope<'_>, signature: &mut [u8; DIGEST_LEN]) {
        let mut digest = [0; DIGEST_LEN];
        sha256(&Canonical { request: self, scope }, &mut digest);
        let mut key = SigningKey::new();
        key.derive(secret, &scope.stamp.date, scope.region, scope.service);
        key.sign(&StringToSign { scope, digest: &digest }, signature);
    }
}

/// The canonical request ("Create a canonical request").
struct Canonical<'r> {
    request: &'r Request<'r>,
    scope: &'r Scope<'r>,
}

impl Text for Canonical<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let Request { method, path, query, headers, payload } = self.request;
        method.write(sink);
        sink.put(b"\n");
        if self.scope.service == ONCE_ENCODED_SERVICE {
            path.write(sink);
        } else {
            path.write(&mut Percent::path(sink));
        }
        sink.put(b"\n");
        query.write(sink);
        sink.put(b"\n");
        for (name, value) in *headers {
            name.write(sink);
            sink.put(b":");
            value.write(sink);
            sink.put(b"\n");
        }
        sink.put(b"\n");
        SignedHeaders(headers).write(sink);
        sink.put(b"\n");
        payload.write(sink);
    }
}

/// Algorithm, time, scope, and the hash of the canonical request ("Create a string to sign").
struct StringToSign<'r> {
    scope: &'r Scope<'r>,
    digest: &'r [u8],
}

impl Text for StringToSign<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        ALGORITHM.write(sink);
        sink.put(b"\n");
        self.scope.stamp.write(sink);
        sink.put(b"\n");
        self.scope.write(sink);
        sink.put(b"\n");
        Hex::new(sink).put(self.digest);
    }
}

/// The names of the signed headers, with `;` between them.
struct SignedHeaders<'r>(&'r [Header<'r>]);

impl Text for SignedHeaders<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let mut separator = "";
        for (name, _) in self.0 {
            separator.write(sink);
            name.write(sink);
            separator = ";";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_octet::Writer;

    #[test]
    fn empty_payload_is_the_hash_of_nothing() {
        let mut memory = [0; 64];
        let mut writer = Writer::new(&mut memory);
        let mut digest = [0; DIGEST_LEN];
        sha256(&"", &mut digest);
        Hex::new(&mut writer).put(&digest);
        assert_eq!(writer.written(), EMPTY_SHA256.as_bytes());
    }
}
