//! What comes of signing: a request target, or headers.

use crate::canonical::{Field, HEADER_FORM, List, MADE, Marks, Plan, QUERY_FORM, Step, step};
use crate::class::{ANY, UNRESERVED};
use crate::request::Request;
use core::fmt;
use dunlin_octet::{Sink, Text};

const TARGET: &[Step] = &[
    step("", Field::Path, ANY),
    step("?", Field::List(List::Query), MADE),
    step("&X-Amz-Signature=", Field::Digest, MADE),
    step("&X-Amz-Security-Token=", Field::AppendedToken, UNRESERVED),
];
/// "Create a signed request", add the signature.
const AUTHORIZATION: &[Step] = &[
    step("AWS4-HMAC-SHA256 Credential=", Field::AccessKeyId, ANY),
    step("/", Field::Day, ANY),
    step("/", Field::Region, ANY),
    step("/", Field::Service, ANY),
    step("/aws4_request, SignedHeaders=", Field::List(List::Names), MADE),
    step(", Signature=", Field::Digest, MADE),
];
/// Behind the value of `Authorization`.
const LINES: &[Step] = &[
    step("\r\nX-Amz-Date: ", Field::Stamp, ANY),
    step("\r\nX-Amz-Security-Token: ", Field::Token, ANY),
    step("\r\nX-Amz-Content-Sha256: ", Field::PayloadHeader, MADE),
    step("\r\n", Field::Nothing, ANY),
];

/// A signed request target, `/path?query`; writing it again gives the same bytes.
///
/// Holds the signature, and borrows the rest but for the secret. Whoever reads the target can use
/// it until it expires, so keep it out of logs.
#[derive(Clone, Copy)]
pub struct Presigned<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) marks: Marks,
}

impl Presigned<'_> {
    /// The signature in bytes; the target has it as 64 hexadecimal digits.
    pub const fn signature(&self) -> &[u8; 32] {
        &self.marks.digest
    }
}

impl Text for Presigned<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        Plan { request: &self.request, form: &QUERY_FORM, marks: self.marks }.write(TARGET, sink);
    }
}

/// Shows the path and the access key id only.
impl fmt::Debug for Presigned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_redacted("Presigned", &self.request, f)
    }
}

/// Shows the path and the access key id only.
#[cfg(feature = "defmt")]
impl defmt::Format for Presigned<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Presigned {{ path: {=str}, access_key_id: {=str} }}",
            self.request.path,
            self.request.credentials.access_key_id
        );
    }
}

/// The headers that make a request a signed one; writing them again gives the same bytes.
///
/// Writes itself as header lines, each with its line end, to be put behind the request line and
/// among the headers that were signed: `Authorization`, `X-Amz-Date`, with a session token
/// `X-Amz-Security-Token`, for Amazon S3 `X-Amz-Content-Sha256`. The Host header is not among them.
/// Whoever reads them can use them for some minutes, so keep them out of logs.
#[derive(Clone, Copy)]
pub struct Authorized<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) marks: Marks,
}

impl<'a> Authorized<'a> {
    /// The signature in bytes; the header has it as 64 hexadecimal digits.
    pub const fn signature(&self) -> &[u8; 32] {
        &self.marks.digest
    }

    /// The value of the `Authorization` header alone, for a client that makes its own header lines.
    ///
    /// The others' values are the request's: its time, its session token, its payload.
    pub const fn authorization(&self) -> Authorization<'_, 'a> {
        Authorization(self)
    }

    fn write_steps(&self, steps: &[Step], sink: &mut dyn Sink) {
        Plan { request: &self.request, form: &HEADER_FORM, marks: self.marks }.write(steps, sink);
    }
}

impl Text for Authorized<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"Authorization: ");
        self.write_steps(AUTHORIZATION, sink);
        self.write_steps(LINES, sink);
    }
}

/// Shows the path and the access key id only.
impl fmt::Debug for Authorized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_redacted("Authorized", &self.request, f)
    }
}

/// Shows the path and the access key id only.
#[cfg(feature = "defmt")]
impl defmt::Format for Authorized<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Authorized {{ path: {=str}, access_key_id: {=str} }}",
            self.request.path,
            self.request.credentials.access_key_id
        );
    }
}

/// The value of an `Authorization` header ("Create a signed request", add the signature).
#[derive(Clone, Copy)]
pub struct Authorization<'r, 'a>(&'r Authorized<'a>);

impl Text for Authorization<'_, '_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.0.write_steps(AUTHORIZATION, sink);
    }
}

/// Shows the path and the access key id only.
impl fmt::Debug for Authorization<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_redacted("Authorization", &self.0.request, f)
    }
}

/// Shows the path and the access key id only.
#[cfg(feature = "defmt")]
impl defmt::Format for Authorization<'_, '_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Authorization {{ path: {=str}, access_key_id: {=str} }}",
            self.0.request.path,
            self.0.request.credentials.access_key_id
        );
    }
}

fn fmt_redacted(name: &str, request: &Request<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("path", &request.path)
        .field("access_key_id", &request.credentials.access_key_id)
        .finish_non_exhaustive()
}
