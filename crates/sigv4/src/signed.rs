//! What comes of signing: a request target, or headers.

use crate::canonical::{ALGORITHM, Form, List, Plan};
use crate::encode::{Encoded, Encoding, Hex};
use crate::hash::Digest;
use crate::request::{Request, Token};
use crate::time::Stamp;
use core::fmt;
use dunlin_octet::{Sink, Text};

/// A signed request target, `/path?query`; writing it again gives the same bytes.
///
/// Holds the signature, and borrows the rest but for the secret. Whoever reads the target can use
/// it until it expires, so keep it out of logs.
#[derive(Clone, Copy)]
pub struct Presigned<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) stamp: Stamp,
    pub(crate) expires: Option<u32>,
    pub(crate) signature: Digest,
}

impl Presigned<'_> {
    /// The signature in bytes; the target has it as 64 hexadecimal digits.
    pub const fn signature(&self) -> &[u8; 32] {
        &self.signature
    }

    const fn plan(&self) -> Plan<'_> {
        let form = Form::Query { expires: self.expires };
        Plan { request: &self.request, stamp: self.stamp, form }
    }
}

impl Text for Presigned<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let plan = self.plan();
        self.request.path.write(sink);
        sink.put(b"?");
        plan.write_list(List::Query, sink);
        sink.put(b"&X-Amz-Signature=");
        Hex(&self.signature).write(sink);
        if let Some(token) = plan.token(Token::Appended) {
            sink.put(b"&X-Amz-Security-Token=");
            token.write(&mut Encoded { inner: sink, encoding: Encoding::Percent });
        }
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
    pub(crate) stamp: Stamp,
    pub(crate) signature: Digest,
}

impl<'a> Authorized<'a> {
    /// The signature in bytes; the header has it as 64 hexadecimal digits.
    pub const fn signature(&self) -> &[u8; 32] {
        &self.signature
    }

    /// The value of the `Authorization` header alone, for a client that makes its own header lines.
    ///
    /// The others' values are the request's: its time, its session token, its payload.
    pub const fn authorization(&self) -> Authorization<'_, 'a> {
        Authorization(self)
    }

    const fn plan(&self) -> Plan<'_> {
        Plan { request: &self.request, stamp: self.stamp, form: Form::Headers }
    }
}

impl Text for Authorized<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"Authorization: ");
        self.authorization().write(sink);
        sink.put(b"\r\nX-Amz-Date: ");
        self.stamp.write(sink);
        if let Some(token) = self.request.credentials.session_token {
            sink.put(b"\r\nX-Amz-Security-Token: ");
            token.write(sink);
        }
        if self.plan().has_hash() {
            sink.put(b"\r\nX-Amz-Content-Sha256: ");
            self.request.payload.write(sink);
        }
        sink.put(b"\r\n");
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
        let plan = self.0.plan();
        ALGORITHM.write(sink);
        sink.put(b" Credential=");
        plan.write_credential(sink);
        sink.put(b", SignedHeaders=");
        plan.write_list(List::Names, sink);
        sink.put(b", Signature=");
        Hex(&self.0.signature).write(sink);
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
