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
    /// The path does not start with a slash, is not percent-encoded with upper-case digits, or has
    /// empty, `.` or `..` segments.
    Path,
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
            Self::Path => "the path is not an encoded, normalised, absolute path",
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
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Regions and services.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A host with or without a port; the brackets and colons are those of an IPv6 address
/// (RFC 3986 §3.2.2).
pub(crate) fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| is_unreserved(byte) || matches!(byte, b':' | b'[' | b']');
    !text.is_empty() && text.bytes().all(allowed)
}

/// A path whose canonical form is beyond doubt.
///
/// "Create a canonical request" wants each byte but unreserved characters and slashes encoded, with
/// upper-case digits (also RFC 3986 §2.1), and the path normalised (RFC 3986 §6.2.2.3).
pub(crate) fn is_path(text: &str) -> bool {
    let Some(segments) = text.strip_prefix('/') else { return false };
    // Only the last segment may be empty: `/`, and `/things/`.
    let body = segments.strip_suffix('/').unwrap_or(segments);
    let normal = |segment: &str| !matches!(segment, "" | "." | "..");
    is_encoded(text.as_bytes()) && (segments.is_empty() || body.split('/').all(normal))
}

fn is_encoded(mut bytes: &[u8]) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    loop {
        bytes = match bytes {
            [] => return true,
            [b'%', high, low, rest @ ..] if digit(*high) && digit(*low) => rest,
            [byte, rest @ ..] if is_unreserved(*byte) || *byte == b'/' => rest,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_that_is_encoded_and_normal_is_one() {
        for path in ["/", "/mqtt", "/things/", "/a/b%2Fc/~d.e", "/...", "/%C3%A9"] {
            assert!(is_path(path), "{path}");
        }
    }

    #[test]
    fn path_with_two_readings_is_none() {
        for path in [
            "", "mqtt", "//", "//mqtt", "/a//b", "/a//", "/.", "/a/../b", "/a/.", "/mqtt?x",
            "/a#b", "/a b", "/a%", "/a%2", "/a%2f", "/a%zz", "/a+b", "/é", "/a\r\nb", "/a:b",
        ] {
            assert!(!is_path(path), "{path}");
        }
    }

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
}
