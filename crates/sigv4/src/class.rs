//! What each byte may stand in, as a table: requests are checked and encoded byte by byte.

/// Bytes of some kinds, each of which is a bit.
pub(crate) type Class = u16;

const DIGIT: Class = 1;
/// `A` to `F`.
const UPPER_HEX: Class = 1 << 1;
/// `G` to `Z`.
const UPPER_REST: Class = 1 << 2;
/// `a` to `f`.
const LOWER_HEX: Class = 1 << 3;
/// `g` to `z`.
const LOWER_REST: Class = 1 << 4;
const HYPHEN: Class = 1 << 5;
/// `.`, `_` and `~`.
const MARK: Class = 1 << 6;
pub(crate) const SLASH: Class = 1 << 7;
const COLON: Class = 1 << 8;
/// Those of an IPv6 address (RFC 3986 §3.2.2).
const BRACKET: Class = 1 << 9;
/// What stands in paths and in tokens.
const PATH_TOKEN: Class = 1 << 10;
/// What else stands in tokens (RFC 9110 §5.6.2).
const TOKEN_ONLY: Class = 1 << 11;
/// What else stands in paths (RFC 3986 §3.3).
const PATH_ONLY: Class = 1 << 12;
/// All else that is visible.
const GRAPHIC: Class = 1 << 13;
/// The space, and what is not ASCII.
const FAINT: Class = 1 << 14;
const CONTROL: Class = 1 << 15;

const UPPER: Class = UPPER_HEX | UPPER_REST;
const ALPHANUMERIC: Class = DIGIT | UPPER | LOWER_HEX | LOWER_REST;

/// Every byte.
pub(crate) const ANY: Class = Class::MAX;
/// RFC 3986 §2.3: characters that mean the same whether encoded or not.
pub(crate) const UNRESERVED: Class = ALPHANUMERIC | HYPHEN | MARK;
/// The same, but for upper case.
pub(crate) const LOWER_UNRESERVED: Class = UNRESERVED & !UPPER;
/// All but ASCII's upper case.
pub(crate) const LOWER: Class = !UPPER;
/// The digits of percent-encoding (RFC 3986 §2.1).
pub(crate) const HEX: Class = DIGIT | UPPER_HEX | LOWER_HEX;
/// Those that `UriEncode()` writes.
pub(crate) const CANONICAL_HEX: Class = DIGIT | UPPER_HEX;
/// What a path has beside percent-encoded bytes: slashes, and `pchar` (RFC 3986 §3.3).
pub(crate) const PATH: Class = UNRESERVED | SLASH | COLON | PATH_TOKEN | PATH_ONLY;
/// Regions and services.
pub(crate) const NAME: Class = ALPHANUMERIC | HYPHEN;
/// A host with or without a port.
pub(crate) const HOST: Class = UNRESERVED | COLON | BRACKET;
/// Methods, and names of headers (RFC 9110 §5.6.2).
pub(crate) const TOKEN: Class = UNRESERVED | PATH_TOKEN | TOKEN_ONLY;
/// Keys and tokens: visible ASCII.
pub(crate) const VISIBLE: Class = !(FAINT | CONTROL);
/// Access key ids: a slash would end one within the credential.
pub(crate) const KEY_ID: Class = VISIBLE & !SLASH;
/// All but ASCII's control characters.
pub(crate) const TEXT: Class = !CONTROL;

/// Whether `byte` is of the class.
pub(crate) fn is(byte: u8, class: Class) -> bool {
    kind_of(byte) & class != 0
}

/// Its bit.
#[cfg(target_pointer_width = "64")]
fn kind_of(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(not(target_pointer_width = "64"))]
fn kind_of(byte: u8) -> Class {
    kind_by_number(byte)
}

/// Its bit, from less of a table.
#[cfg(any(test, not(target_pointer_width = "64")))]
fn kind_by_number(byte: u8) -> Class {
    let number = KINDS.get(usize::from(byte)).copied().unwrap_or(const { kind(u8::MAX) });
    Class::wrapping_shl(1, u32::from(number))
}

/// Whether each byte of `text` is of the class.
pub(crate) fn all(text: &[u8], class: Class) -> bool {
    run(text, class) == text.len()
}

/// How many bytes at the front of `text` are of the class.
// Not inlined: one loop for all.
#[inline(never)]
pub(crate) fn run(text: &[u8], class: Class) -> usize {
    // Most are whole, where code may be larger for it.
    let rest = if cfg!(target_pointer_width = "64") { behind::<8>(text, class) } else { text };
    text.len().saturating_sub(behind::<1>(rest, class).len())
}

/// What follows the front of `text` that is of the class, looked at `N` bytes at a time.
#[inline(always)]
fn behind<const N: usize>(mut text: &[u8], class: Class) -> &[u8] {
    while let Some((front, rest)) = text.split_first_chunk::<N>()
        && front.iter().fold(0, |kinds, byte| kinds | kind_of(*byte)) & !class == 0
    {
        text = rest;
    }
    text
}

#[cfg(target_pointer_width = "64")]
static CLASSES: [Class; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [Class] = &mut classes;
    let mut byte: u8 = 0;
    while let [first, behind @ ..] = rest {
        *first = class_of(byte);
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    classes
};

/// The kinds of ASCII.
#[cfg(any(test, not(target_pointer_width = "64")))]
static KINDS: [u8; 128] = {
    let mut kinds = [0; 128];
    let mut rest: &mut [u8] = &mut kinds;
    let mut byte: u8 = 0;
    while let [first, behind @ ..] = rest {
        *first = kind(byte);
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    kinds
};

/// The number of the bit that stands for its kind.
#[cfg(any(test, not(target_pointer_width = "64")))]
const fn kind(byte: u8) -> u8 {
    let [number, ..] = class_of(byte).trailing_zeros().to_le_bytes();
    number
}

const fn class_of(byte: u8) -> Class {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'A'..=b'F' => UPPER_HEX,
        b'G'..=b'Z' => UPPER_REST,
        b'a'..=b'f' => LOWER_HEX,
        b'g'..=b'z' => LOWER_REST,
        b'-' => HYPHEN,
        b'.' | b'_' | b'~' => MARK,
        b'/' => SLASH,
        b':' => COLON,
        b'[' | b']' => BRACKET,
        b'!' | b'$' | b'&' | b'\'' | b'*' | b'+' => PATH_TOKEN,
        b'#' | b'%' | b'^' | b'`' | b'|' => TOKEN_ONLY,
        b'(' | b')' | b',' | b';' | b'=' | b'@' => PATH_ONLY,
        b' ' | 0x80.. => FAINT,
        0..=0x1f | 0x7f => CONTROL,
        _ => GRAPHIC,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Of ASCII's visible characters.
    fn visible(class: Class) -> Vec<u8> {
        (b'!'..=b'~').filter(|byte| is(*byte, class)).collect()
    }

    fn with_alphanumeric(others: &[u8]) -> Vec<u8> {
        (b'!'..=b'~').filter(|b| b.is_ascii_alphanumeric() || others.contains(b)).collect()
    }

    /// RFC 3986 §2.3 and §3.3, RFC 9110 §5.6.2
    #[test]
    fn kind_of_every_byte_is_the_same_on_small_machines() {
        for byte in 0..=u8::MAX {
            assert_eq!((kind_of(byte), kind_by_number(byte)), (class_of(byte), class_of(byte)));
        }
    }

    #[test]
    fn class_has_the_characters_that_its_grammar_lists() {
        assert_eq!(visible(UNRESERVED), with_alphanumeric(b"-._~"));
        assert_eq!(visible(PATH), with_alphanumeric(b"-._~!$&'()*+,;=:@/"));
        assert_eq!(visible(TOKEN), with_alphanumeric(b"!#$%&'*+-.^_`|~"));
        assert_eq!(visible(NAME), with_alphanumeric(b"-"));
        assert_eq!(visible(HOST), with_alphanumeric(b"-._~:[]"));
        assert_eq!(visible(HEX), b"0123456789ABCDEFabcdef");
        assert_eq!(visible(CANONICAL_HEX), b"0123456789ABCDEF");
    }

    #[test]
    fn class_of_every_byte_agrees_with_the_standard_library() {
        for byte in 0..=u8::MAX {
            assert_eq!(is(byte, VISIBLE), byte.is_ascii_graphic(), "{byte}");
            assert_eq!(is(byte, KEY_ID), byte.is_ascii_graphic() && byte != b'/', "{byte}");
            assert_eq!(is(byte, TEXT), !byte.is_ascii_control(), "{byte}");
            assert_eq!(is(byte, LOWER), !byte.is_ascii_uppercase(), "{byte}");
            assert!(is(byte, ANY), "{byte}");
            let unreserved = is(byte, UNRESERVED) && !byte.is_ascii_uppercase();
            assert_eq!(is(byte, LOWER_UNRESERVED), unreserved, "{byte}");
        }
    }

    #[test]
    fn host_takes_names_addresses_and_ports_only() {
        for host in ["a", "example-ats.iot.us-east-1.amazonaws.com", "localhost:8443", "[::1]:443"]
        {
            assert!(all(host.as_bytes(), HOST), "{host}");
        }
        for host in [" ", "a b", "a\r\nx:y", "a\0", "a/b", "a?b", "user@a", "é", "a\u{7f}"] {
            assert!(!all(host.as_bytes(), HOST), "{host}");
        }
    }

    #[test]
    fn token_takes_the_characters_of_names_only() {
        for token in ["GET", "x-amz-date", "!#$%&'*+-.^_`|~", "M-SEARCH"] {
            assert!(all(token.as_bytes(), TOKEN), "{token}");
        }
        for token in ["a b", "a:", "a\r\n", "a/b", "é", "\"a\"", "a(b)", "a\0"] {
            assert!(!all(token.as_bytes(), TOKEN), "{token}");
        }
    }

    #[test]
    fn field_value_takes_all_but_control_characters() {
        for value in ["", " a  b ", "é", "\"q\", =;"] {
            assert!(all(value.as_bytes(), TEXT), "{value}");
        }
        for value in ["a\tb", "a\r\nx: y", "a\0", "\u{7f}"] {
            assert!(!all(value.as_bytes(), TEXT), "{value}");
        }
    }
}
