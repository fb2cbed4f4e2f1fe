//! The canonical path ("Create a canonical request", canonical URI).

use crate::class::{CANONICAL_HEX, Class, HEX, PATH, SLASH, TEXT, UNRESERVED, all, run};
use crate::encode::{Split, put};
use dunlin_octet::Sink;

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
        const VERBATIM: &[u8] = b"s3;s3-object-lambda;s3-outposts;s3express";
        let service = service.as_bytes();
        // Few services have to be looked up.
        let is_verbatim = matches!(service, [b's', b'3', ..])
            && Split::new(VERBATIM, b';').any(|name| name == service);
        if is_verbatim { Self::Verbatim } else { Self::Normalised }
    }

    /// Puts the canonical form of a path that is absolute.
    pub(crate) fn put(self, path: &[u8], sink: &mut dyn Sink) {
        match self {
            Self::Verbatim => sink.put(path),
            Self::Normalised => put_normalised(path, sink),
        }
    }
}

/// Whether `path` is absolute and has one reading, whoever encodes it.
pub(crate) fn is_clean(path: &[u8]) -> bool {
    path.starts_with(b"/")
        && all(path, TEXT)
        && !path.iter().any(|byte| matches!(byte, b'?' | b'#'))
}

/// Whether `path` is absolute and can stand in a request line (RFC 3986 §3.3).
pub(crate) fn is_sendable(path: &[u8]) -> bool {
    is_encoded(path, PATH, HEX)
}

/// Whether `path` is absolute and encoded as `UriEncode()` does it: all but unreserved characters and
/// slashes, with upper-case digits.
pub(crate) fn is_canonical(path: &[u8]) -> bool {
    is_encoded(path, UNRESERVED | SLASH, CANONICAL_HEX)
}

/// Whether all is percent-encoded, with such digits, but for what is `kept`.
#[inline(never)]
fn is_encoded(path: &[u8], kept: Class, digits: Class) -> bool {
    let mut rest = path;
    loop {
        rest = rest.get(run(rest, kept)..).unwrap_or_default();
        let [b'%', behind @ ..] = rest else { return rest.is_empty() && path.starts_with(b"/") };
        rest = match behind.split_at_checked(2) {
            Some((pair, behind)) if all(pair, digits) => behind,
            _ => return false,
        };
    }
}

/// Removes dot segments (RFC 3986 §5.2.4) and empty ones.
///
/// In place of the stack that this is usually done with, each segment looks ahead for the `..` that
/// takes it away.
#[inline(never)]
fn put_normalised(path: &[u8], sink: &mut dyn Sink) {
    let mut segments = Split::new(path, b'/');
    let mut is_root = true;
    let mut last = 0;
    while let Some(segment) = segments.next() {
        last = depth(segment);
        if last > 0 && !is_taken_away(segments) {
            sink.put(b"/");
            put(segment, UNRESERVED, sink);
            is_root = false;
        }
    }
    // What ends with a folder keeps the slash.
    if is_root || last <= 0 {
        sink.put(b"/");
    }
}

/// Whether, behind a segment, comes the `..` that belongs to it.
fn is_taken_away(rest: Split<'_>) -> bool {
    let mut deep = 0_isize;
    for segment in rest {
        deep = deep.saturating_add(depth(segment));
        if deep < 0 {
            return true;
        }
    }
    false
}

/// How much deeper a segment leads.
#[inline(never)]
const fn depth(segment: &[u8]) -> isize {
    match segment {
        [] | [b'.'] => 0,
        [b'.', b'.'] => -1,
        _ => 1,
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
        rule.put(path.as_bytes(), &mut writer);
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
            assert!(is_clean(path.as_bytes()), "{path}");
            assert_eq!(canonical(path, PathRule::Normalised), expected, "{path}");
        }
    }

    #[test]
    fn verbatim_path_stays_as_it_is() {
        for path in ["/", "//", "/a/../b/./", "/a%2Fb//%C3%A9~"] {
            assert!(is_canonical(path.as_bytes()), "{path}");
            assert_eq!(canonical(path, PathRule::Verbatim), path);
        }
    }

    #[test]
    fn path_with_two_readings_is_not_allowed() {
        for path in ["", "a", "a/b", "/a?b", "/a#b", "/a\r\nb", "/\0", "/\u{7f}"] {
            assert!(!is_clean(path.as_bytes()), "{path}");
            assert!(!is_canonical(path.as_bytes()), "{path}");
            assert!(!is_sendable(path.as_bytes()), "{path}");
        }
        for path in ["/a b", "/a:b", "/a+b", "/é", "/%", "/%2", "/%2f", "/%zz"] {
            assert!(is_clean(path.as_bytes()), "{path}");
            assert!(!is_canonical(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn path_that_a_request_line_can_hold_is_sendable() {
        for path in ["/", "//a/../b", "/a:b@c!$&'()*+,;=", "/%2f%2F", "/-._~"] {
            assert!(is_sendable(path.as_bytes()), "{path}");
        }
        for path in
            ["/a b", "/é", "/%", "/%2", "/%zz", "/a?b", "/a#b", "/a\"b", "/a\tb", "/[", "/a|b"]
        {
            assert!(!is_sendable(path.as_bytes()), "{path}");
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
