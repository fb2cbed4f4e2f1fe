//! What a service says when it says no.

use crate::json::{Str, Value};
use core::fmt::{self, Write as _};
use dunlin::ws::{Refusal, Status};
use dunlin_octet::{Sink, Text};

/// Longest message that is repeated to a person, in bytes.
pub const MESSAGE_SHOWN_MAX: usize = 200;

/// Kinds of errors that pass, whatever their status.
const PASSING: [&str; 9] = [
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "InternalErrorException",
    "InternalFailureException",
    "InternalServerError",
    "ServiceUnavailableException",
    "ExternalServiceException",
];

/// A no: its status, the kind of error by its name, and the service's own words.
///
/// The name stands in the field `x-amzn-errortype` or in the member `__type` of the body, where other
/// things may stand around it ("Error response" of the AWS JSON 1.1 and REST JSON protocols).
#[derive(Clone, Copy)]
pub struct Denied<'a> {
    status: Status,
    kind: &'a str,
    message: Option<Str<'a>>,
}

impl<'a> Denied<'a> {
    pub(crate) fn new(head: &Refusal<'a>) -> Self {
        let document = Value::parse(head.body());
        let member = |names: [&str; 2]| {
            let document = document?;
            names.into_iter().find_map(|name| document.member(name)).and_then(Value::string)
        };
        let kind = head.field("x-amzn-errortype");
        let kind = kind.or_else(|| member(["__type", "code"]).and_then(Str::plain));
        Self {
            status: head.status(),
            kind: kind.map(bare).unwrap_or_default(),
            message: member(["message", "Message"]),
        }
    }

    /// The status of the answer.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The name of the error, such as `NotAuthorizedException`; empty where none was said.
    pub const fn kind(&self) -> &'a str {
        self.kind
    }

    /// The service's own words; they may repeat what was sent.
    pub const fn message(&self) -> Option<Str<'a>> {
        self.message
    }

    /// Whether the same request may well succeed later: rate limits, and trouble at the service.
    pub fn is_retryable(&self) -> bool {
        self.status.is_retryable() || PASSING.contains(&self.kind)
    }
}

/// One line: kind, status, and the first of the service's words, in printable ASCII.
impl fmt::Display for Denied<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind.is_empty() { "refused" } else { self.kind };
        write!(f, "{kind} (status {})", self.status)?;
        let Some(message) = self.message else { return Ok(()) };
        f.write_str(": ")?;
        let mut printed = Printed { f, left: MESSAGE_SHOWN_MAX, outcome: Ok(()) };
        message.write(&mut printed);
        printed.outcome
    }
}

/// As displayed, but for the service's words, which may repeat what was sent.
impl fmt::Debug for Denied<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denied")
            .field("status", &self.status)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// As displayed, but for the service's words, which may repeat what was sent.
#[cfg(feature = "defmt")]
impl defmt::Format for Denied<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Denied {{ {}, kind: {=str} }}", self.status, self.kind);
    }
}

/// Writes bytes as characters that no terminal obeys.
struct Printed<'f, 'b> {
    f: &'f mut fmt::Formatter<'b>,
    left: usize,
    outcome: fmt::Result,
}

impl Sink for Printed<'_, '_> {
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(self.left) {
            let shown = if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
            self.outcome = self.outcome.and_then(|()| self.f.write_char(shown));
        }
        self.left = self.left.saturating_sub(bytes.len());
    }
}

/// The name alone: `aws.protocol#Name:http://…` has it between the signs.
fn bare(kind: &str) -> &str {
    let mut kind = kind.split_once(':').map_or(kind, |(front, _)| front);
    // Not from the back, where the linker finds a panic.
    while let Some((_, back)) = kind.split_once('#') {
        kind = back;
    }
    if kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') { kind } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::{stream, written};
    use std::string::{String, ToString};

    fn denied(status: &str, fields: &str, body: &str) -> (String, String, bool) {
        let stream = stream(status, fields, body);
        let denied = Denied::new(&Refusal::parse(&stream).unwrap());
        let message = denied.message().map(|message| written(&message)).unwrap_or_default();
        (denied.kind().to_string(), message, denied.is_retryable())
    }

    #[test]
    fn denial_is_named_by_field_or_body() {
        for (fields, body, kind, message) in [
            (
                "",
                r#"{"__type":"NotAuthorizedException","message":"no"}"#,
                "NotAuthorizedException",
                "no",
            ),
            (
                "",
                r#"{"__type":"com.amazon#ResourceNotFound","Message":"n\"o"}"#,
                "ResourceNotFound",
                "n\"o",
            ),
            (
                "x-amzn-ErrorType: ForbiddenException:http://x/y\r\n",
                r#"{"message":null}"#,
                "ForbiddenException",
                "",
            ),
            ("x-amzn-errortype: A\r\n", r#"{"__type":"B"}"#, "A", ""),
            ("", r#"{"__type":"a b"}"#, "", ""),
            ("", r#"{"__type":7}"#, "", ""),
            ("", "<html>", "", ""),
            ("", "", "", ""),
        ] {
            let (seen_kind, seen_message, retryable) = denied("400 Bad Request", fields, body);
            assert_eq!((seen_kind.as_str(), seen_message.as_str()), (kind, message), "{body}");
            assert!(!retryable);
        }
    }

    #[test]
    fn denial_is_retryable_by_status_or_kind() {
        for kind in [
            "TooManyRequestsException",
            "ThrottlingException",
            "Throttling",
            "RequestLimitExceeded",
            "InternalErrorException",
            "InternalFailureException",
            "InternalServerError",
            "ServiceUnavailableException",
            "ExternalServiceException",
        ] {
            let body = std::format!(r#"{{"__type":"{kind}"}}"#);
            assert!(denied("400 Bad Request", "", &body).2, "{kind}");
        }
        for (status, expected) in
            [("429 x", true), ("503 x", true), ("403 x", false), ("404 x", false)]
        {
            assert_eq!(denied(status, "", "").2, expected, "{status}");
        }
    }

    #[test]
    fn denial_displayed_is_one_line_without_control_characters() {
        let long = "x".repeat(1_000);
        let body = std::format!(r#"{{"__type":"A","message":"\u001b[31m\n\u00e9{long}"}}"#);
        let stream = stream("400 x", "", &body);
        let denied = Denied::new(&Refusal::parse(&stream).unwrap());
        let shown = denied.to_string();
        assert!(shown.starts_with("A (status 400): ?[31m???xxx"), "{shown}");
        assert_eq!(shown.len(), "A (status 400): ".len() + MESSAGE_SHOWN_MAX);
        assert!(!std::format!("{denied:?}").contains("xxx"));
    }
}
