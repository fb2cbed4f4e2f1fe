//! What can be signed, and what cannot.

use crate::encode::is_unreserved;
use core::fmt;

/// Input that no signature can be made for. The caller is at fault; nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidInput {
    /// The access key id is empty, or has a slash, a blank or a control character.
    AccessKeyId,
    /// The secret access key is empty, or has a blank or a control character.
    SecretAccessKey,
    /// The session token is there but empty, or has a blank or a control character.
    SessionToken,
    /// The region is empty, or has anything but letters, digits and hyphens.
    Region,
    /// The service is empty, or has anything but letters, digits and hyphens.
    Service,
    /// The host is empty, or has a character that no host and port have.
    Host,
    /// The method is empty, or is no token.
    Method,
    /// The path does not start with a slash, or has characters that no path has; for a signed URL
    /// and for Amazon S3, it is not percent-encoded as it has to be.
    Path,
    /// A name in the query is one that the signature itself uses.
    Query,
    /// A header's name is empty, is no token, or is one that the signature itself uses; or a value
    /// has a control character.
    Header,
    /// The time is after the year 9999.
    Time,
    /// The life of the signature is zero, or longer than a week.
    Expires,
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessKeyId => "the access key id is empty or malformed",
            Self::SecretAccessKey => "the secret access key is empty or malformed",
            Self::SessionToken => "the session token is empty or malformed",
            Self::Region => "the region is empty or malformed",
            Self::Service => "the service name is empty or malformed",
            Self::Host => "the host is empty or malformed",
            Self::Method => "the method is empty or malformed",
            Self::Path => "the path is not an absolute path, encoded as needed",
            Self::Query => "the query has a name that the signature itself uses",
            Self::Header => "a header is malformed, or is one that the signature itself makes",
            Self::Time => "the time is after the year 9999",
            Self::Expires => "a signature lives for 1 to 604800 seconds",
        })
    }
}

impl core::error::Error for InvalidInput {}

impl InvalidInput {
    /// `self`, unless `valid` holds.
    pub(crate) fn unless(self, valid: bool) -> Result<(), Self> {
        if valid { Ok(()) } else { Err(self) }
    }
}

/// Keys and tokens: visible ASCII, at least one character.
pub(crate) fn is_visible(text: &str) -> bool {
    !text.is_empty() && all(text, |byte| byte.is_ascii_graphic())
}

/// Regions and services.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && all(text, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A host with or without a port; the brackets and colons are those of an IPv6 address
/// (RFC 3986 §3.2.2).
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty() && all(text, |byte| is_unreserved(byte) || matches!(byte, b':' | b'[' | b']'))
}

/// Methods, and names of headers (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    const fn allowed(byte: u8) -> bool {
        is_unreserved(byte)
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'^' | b'`' | b'|')
    }
    !text.is_empty() && all(text, allowed)
}

/// Values of headers: no control characters, not even the tab, which signers trim differently.
pub(crate) fn is_field_value(text: &str) -> bool {
    all(text, |byte| !byte.is_ascii_control())
}

/// Whether each byte of `text` is `allowed`.
// Not inlined: one loop for all.
#[inline(never)]
pub(crate) fn all(text: &str, allowed: fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_takes_names_addresses_and_ports_only() {
        for host in ["a", "example-ats.iot.us-east-1.amazonaws.com", "localhost:8443", "[::1]:443"]
        {
            assert!(is_host(host), "{host}");
        }
        for host in ["", " ", "a b", "a\r\nx:y", "a\0", "a/b", "a?b", "user@a", "é", "a\u{7f}"] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn token_takes_the_characters_of_names_only() {
        for token in ["GET", "x-amz-date", "!#$%&'*+-.^_`|~", "M-SEARCH"] {
            assert!(is_token(token), "{token}");
        }
        for token in ["", "a b", "a:", "a\r\n", "a/b", "é", "\"a\"", "a(b)", "a\0"] {
            assert!(!is_token(token), "{token}");
        }
    }

    #[test]
    fn field_value_takes_all_but_control_characters() {
        for value in ["", " a  b ", "é", "\"q\", =;"] {
            assert!(is_field_value(value), "{value}");
        }
        for value in ["a\tb", "a\r\nx: y", "a\0", "\u{7f}"] {
            assert!(!is_field_value(value), "{value}");
        }
    }
}
