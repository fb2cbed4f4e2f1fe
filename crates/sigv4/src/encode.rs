//! Encodings on the way into a sink.

use crate::class::{Class, UNRESERVED, is, run};
use crate::hash::{DIGEST_LEN, Digest};
use dunlin_octet::{Sink, Text};

/// Puts `bytes` with those that are `kept` as they are.
///
/// Of the others, an upper-case letter becomes a lower-case one; any other byte is percent-encoded
/// (RFC 3986 §2.1), with upper-case digits, as "Create a canonical request" asks of `UriEncode()`.
#[inline(never)]
pub(crate) fn put(mut bytes: &[u8], kept: Class, sink: &mut dyn Sink) {
    // Not `chunk_by`, which the linker finds to be able to panic.
    loop {
        let (front, rest) = bytes.split_at_checked(run(bytes, kept)).unwrap_or((bytes, &[]));
        sink.put(front);
        let [byte, rest @ ..] = rest else { return };
        if byte.is_ascii_uppercase() {
            sink.put(&[byte.to_ascii_lowercase()]);
        } else {
            let [high, low] = hex_digits(*byte);
            sink.put(&[b'%', high, low]);
        }
        bytes = rest;
    }
}

/// Orders a byte as [`put`] writes it: `%` stands before all that are kept, and upper-case
/// hexadecimal digits stand in the order of their values.
pub(crate) fn rank(byte: u8, kept: Class) -> u16 {
    let (byte, is_encoded) = match byte {
        _ if is(byte, kept) => (byte, false),
        b'A'..=b'Z' => (byte.to_ascii_lowercase(), false),
        _ => (byte, true),
    };
    u16::from_le_bytes([byte, u8::from(!is_encoded)])
}

/// Text as it stands in a path's segment, or in a name or value of a query: percent-encoded but for
/// unreserved characters (RFC 3986 §2.3).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PercentEncoded<'a>(pub &'a str);

impl Text for PercentEncoded<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        put(self.0.as_bytes(), UNRESERVED, sink);
    }
}

/// A header's value without the spaces around it, and with one space in place of several
/// ("Create a canonical request", canonical headers).
pub(crate) struct Trimmed<'a>(pub(crate) &'a str);

impl Text for Trimmed<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let mut separator = "".as_bytes();
        for word in Split::new(self.0.as_bytes(), b' ').filter(|word| !word.is_empty()) {
            sink.put(separator);
            sink.put(word);
            separator = b" ";
        }
    }
}

/// What stands between separators of one byte.
// In place of `str::split`, which searches for any pattern and takes some hundred bytes of code.
#[derive(Clone, Copy)]
pub(crate) struct Split<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Split<'a> {
    pub(crate) const fn new(text: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(text), separator }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest?;
        let len = bytes.iter().position(|byte| *byte == self.separator).unwrap_or(bytes.len());
        let (piece, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
        self.rest = rest.get(1..);
        Some(piece)
    }
}

/// A digest in lower-case hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a Digest);

impl Text for Hex<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let mut digits = [[0; 2]; DIGEST_LEN];
        for (place, byte) in digits.iter_mut().zip(self.0) {
            let [high, low] = hex_digits(*byte);
            // The bit is set in digits, and makes letters lower case.
            *place = [high | 0x20, low | 0x20];
        }
        sink.put(digits.as_flattened());
    }
}

/// Fills `place` with the last digits of `value`: of ones up to ten, and of tens up to `tens`, so that
/// 6 makes minutes and seconds.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn put_digits(mut value: u32, place: &mut [u8], tens: u32) {
    let (mut base, mut next) = (10, tens);
    for place in place.iter_mut().rev() {
        let [digit, ..] = value.checked_rem(base).unwrap_or_default().to_le_bytes();
        *place = b'0'.saturating_add(digit);
        value = value.checked_div(base).unwrap_or_default();
        (base, next) = (next, base);
    }
}

/// In upper case.
const fn hex_digits(byte: u8) -> [u8; 2] {
    const fn digit(nibble: u8) -> u8 {
        let first = if nibble < 10 { b'0' } else { const { b'A' - 10 } };
        first.wrapping_add(nibble)
    }
    [digit(byte >> 4), digit(byte & 0x0f)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::{ANY, LOWER, LOWER_UNRESERVED, SLASH};
    use dunlin_octet::Writer;
    use std::string::{String, ToString};

    fn written(write: impl FnOnce(&mut dyn Sink)) -> String {
        let mut memory = [0; 1024];
        let mut writer = Writer::new(&mut memory);
        write(&mut writer);
        core::str::from_utf8(writer.written()).unwrap().to_string()
    }

    fn encoded(text: &[u8], kept: Class) -> String {
        written(|sink| put(text, kept, sink))
    }

    /// RFC 3986 §2.3
    #[test]
    fn percent_of_every_byte_keeps_the_unreserved_and_encodes_the_rest() {
        for byte in 0..=u8::MAX {
            let encoded = encoded(&[byte], UNRESERVED);
            let kept = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
            if kept.as_bytes().contains(&byte) {
                assert_eq!(encoded.as_bytes(), [byte]);
            } else {
                assert_eq!(encoded, std::format!("%{byte:02X}"));
            }
        }
    }

    #[test]
    fn percent_of_runs_encodes_what_stands_between() {
        let text = "/A b//~c/é%2F".as_bytes();
        assert_eq!(encoded(text, UNRESERVED), "%2FA%20b%2F%2F~c%2F%C3%A9%252F");
        assert_eq!(encoded(text, UNRESERVED | SLASH), "/A%20b//~c/%C3%A9%252F");
        assert_eq!(encoded(text, LOWER_UNRESERVED), "%2Fa%20b%2F%2F~c%2F%C3%A9%252f");
    }

    #[test]
    fn lower_changes_capital_letters_only() {
        let text = b"Example-ATS.iot.EU.Amazonaws.COM:8443[Z";
        assert_eq!(encoded(text, LOWER), "example-ats.iot.eu.amazonaws.com:8443[z");
        assert_eq!(encoded(text, ANY).as_bytes(), text);
    }

    #[test]
    fn rank_orders_all_bytes_like_their_encoded_forms() {
        for kept in [UNRESERVED, LOWER, LOWER_UNRESERVED] {
            for one in 0..=u8::MAX {
                for other in 0..=u8::MAX {
                    let [first, second] = [one, other].map(|byte| {
                        let mut memory = [0; 3];
                        let mut writer = Writer::new(&mut memory);
                        put(&[byte], kept, &mut writer);
                        writer.written().to_vec()
                    });
                    let ranks = rank(one, kept).cmp(&rank(other, kept));
                    assert_eq!(ranks, first.cmp(&second), "{one} {other}");
                }
            }
        }
    }

    #[test]
    fn trimmed_value_has_single_spaces_between_words_only() {
        for (value, expected) in [
            ("", ""),
            ("   ", ""),
            ("a", "a"),
            ("  a  ", "a"),
            ("a   b c", "a b c"),
            (" \"a   b\" ", "\"a b\""),
            ("é\u{a0} ü", "é\u{a0} ü"),
        ] {
            assert_eq!(written(|sink| Trimmed(value).write(sink)), expected);
        }
    }

    #[test]
    fn hex_writes_two_lower_case_digits_a_byte() {
        let mut digest = [0; DIGEST_LEN];
        digest[1..3].copy_from_slice(&[0x9a, 0xff]);
        let expected = String::from("009aff") + &"0".repeat(58);
        assert_eq!(written(|sink| Hex(&digest).write(sink)), expected);
    }
}
