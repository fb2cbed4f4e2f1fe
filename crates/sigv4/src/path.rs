//! The canonical path ("Create a canonical request", canonical URI).

use crate::class::{TEXT, UNRESERVED, is};
use crate::encode::{Encoded, Encoding, Split};
use dunlin_octet::{Sink, Text};

/// What a service makes of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathRule {
    /// Amazon S3 and its kin take it as it is: a key may hold `//` and `..`.
    Verbatim,
    /// Every other service normalises it and encodes it once more.
    Normalised,
}

impl PathRule {
    /// The rule of the service that goes by this name in a credential scope.
    pub(crate) fn of(service: &str) -> Self {
        const VERBATIM: [&str; 4] = ["s3", "s3-object-lambda", "s3-outposts", "s3express"];
        if VERBATIM.contains(&service) { Self::Verbatim } else { Self::Normalised }
    }

    /// Whether the canonical form of `path` is beyond doubt.
    ///
    /// A verbatim path has to be encoded already, as canonical paths are: all but unreserved
    /// characters and slashes, with upper-case digits.
    pub(crate) fn allows(self, path: &str) -> bool {
        match self {
            Self::Verbatim => path.starts_with('/') && is_canonical(path),
            Self::Normalised => path.starts_with('/') && path.bytes().all(is_clean),
        }
    }
}

/// Whether a path can hold `byte`, whoever encodes it.
fn is_clean(byte: u8) -> bool {
    is(byte, TEXT) && !matches!(byte, b'?' | b'#')
}

/// Whether `path` can stand in a request line (RFC 3986 §3.3).
pub(crate) fn is_sendable(path: &str) -> bool {
    // With `sub-delims`, colon and at sign, as `pchar` has it.
    fn kept(byte: u8) -> bool {
        is(byte, UNRESERVED)
            || matches!(byte, b'!' | b'$' | b'&'..=b',' | b';' | b'=' | b':' | b'@')
    }
    is_encoded(path.as_bytes(), |digit| digit.is_ascii_hexdigit(), kept)
}

/// The canonical form of a path that its rule allows.
pub(crate) struct CanonicalPath<'a> {
    pub(crate) path: &'a str,
    pub(crate) rule: PathRule,
}

impl Text for CanonicalPath<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        match self.rule {
            PathRule::Verbatim => self.path.write(sink),
            PathRule::Normalised => {
                let encoding = Encoding::PercentPath;
                put_normalised(self.path, &mut Encoded { inner: sink, encoding });
            }
        }
    }
}

/// Removes dot segments (RFC 3986 §5.2.4) and empty ones.
///
/// In place of the stack that this is usually done with, each segment looks ahead for the `..` that
/// takes it away.
#[inline(never)]
fn put_normalised(path: &str, sink: &mut dyn Sink) {
    let mut segments = Split::new(path, b'/');
    let mut is_root = true;
    let mut last: &[u8] = b"";
    while let Some(segment) = segments.next() {
        last = segment;
        if is_name(segment) && !is_taken_away(segments) {
            sink.put(b"/");
            sink.put(segment);
            is_root = false;
        }
    }
    // What ends with a folder keeps the slash.
    if is_root || !is_name(last) {
        sink.put(b"/");
    }
}

/// Whether, behind a segment, comes the `..` that belongs to it.
fn is_taken_away(rest: Split<'_>) -> bool {
    let mut depth = 0_usize;
    for segment in rest {
        if segment == b".." {
            let Some(outer) = depth.checked_sub(1) else { return true };
            depth = outer;
        } else if is_name(segment) {
            depth = depth.saturating_add(1);
        }
    }
    false
}

const fn is_name(segment: &[u8]) -> bool {
    !matches!(segment, b"" | b"." | b"..")
}

/// Whether `path` is encoded as `UriEncode()` does it (also RFC 3986 §2.1).
fn is_canonical(path: &str) -> bool {
    let is_upper = |digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
    is_encoded(path.as_bytes(), is_upper, |byte| is(byte, UNRESERVED))
}

/// Whether all is percent-encoded, with such digits, but for slashes and what is `kept`.
#[inline(never)]
fn is_encoded(mut bytes: &[u8], digit: fn(u8) -> bool, kept: fn(u8) -> bool) -> bool {
    loop {
        bytes = match bytes {
            [] => return true,
            [b'%', high, low, rest @ ..] if digit(*high) && digit(*low) => rest,
            [byte, rest @ ..] if kept(*byte) || *byte == b'/' => rest,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_octet::Writer;
    use std::string::{String, ToString};

    fn canonical(path: &str, rule: PathRule) -> String {
        let mut memory = [0; 256];
        let mut writer = Writer::new(&mut memory);
        CanonicalPath { path, rule }.write(&mut writer);
        core::str::from_utf8(writer.written()).unwrap().to_string()
    }

    #[test]
    fn normalised_path_has_no_dots_no_empty_segments_and_is_encoded_once_more() {
        for (path, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/.", "/"),
            ("/..", "/"),
            ("/../..", "/"),
            ("/mqtt", "/mqtt"),
            ("/things/", "/things/"),
            ("//a//b//", "/a/b/"),
            ("/./a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../", "/a/"),
            ("/a/b/../..", "/"),
            ("/a/b/../../c", "/c"),
            ("/a/b/c/../../d/../e", "/a/e"),
            ("/../a", "/a"),
            ("/a/../../../b", "/b"),
            ("/a//../b", "/b"),
            ("/...", "/..."),
            ("/a%2Fb", "/a%252Fb"),
            ("/a b/é:~", "/a%20b/%C3%A9%3A~"),
        ] {
            assert!(PathRule::Normalised.allows(path), "{path}");
            assert_eq!(canonical(path, PathRule::Normalised), expected, "{path}");
        }
    }

    #[test]
    fn verbatim_path_stays_as_it_is() {
        for path in ["/", "//", "/a/../b/./", "/a%2Fb//%C3%A9~"] {
            assert!(PathRule::Verbatim.allows(path), "{path}");
            assert_eq!(canonical(path, PathRule::Verbatim), path);
        }
    }

    #[test]
    fn path_with_two_readings_is_not_allowed() {
        for path in ["", "a", "a/b", "/a?b", "/a#b", "/a\r\nb", "/\0", "/\u{7f}"] {
            assert!(!PathRule::Normalised.allows(path), "{path}");
            assert!(!PathRule::Verbatim.allows(path), "{path}");
        }
        for path in ["/a b", "/a:b", "/a+b", "/é", "/%", "/%2", "/%2f", "/%zz"] {
            assert!(PathRule::Normalised.allows(path), "{path}");
            assert!(!PathRule::Verbatim.allows(path), "{path}");
        }
    }

    #[test]
    fn path_that_a_request_line_can_hold_is_sendable() {
        for path in ["/", "//a/../b", "/a:b@c!$&'()*+,;=", "/%2f%2F", "/-._~"] {
            assert!(is_sendable(path), "{path}");
        }
        for path in
            ["/a b", "/é", "/%", "/%2", "/%zz", "/a?b", "/a#b", "/a\"b", "/a\tb", "/[", "/a|b"]
        {
            assert!(!is_sendable(path), "{path}");
        }
    }

    #[test]
    fn rule_of_object_stores_is_verbatim_and_of_others_is_not() {
        for service in ["s3", "s3express", "s3-outposts", "s3-object-lambda"] {
            assert!(PathRule::of(service) == PathRule::Verbatim, "{service}");
        }
        for service in ["", "S3", "s3tables", "iotdevicegateway", "execute-api"] {
            assert!(PathRule::of(service) == PathRule::Normalised, "{service}");
        }
    }
}
