//! Encodings as adapters around a sink.

use crate::class::{LOWER, PATH, UNRESERVED, is};
use crate::hash::{DIGEST_LEN, Digest};
use dunlin_octet::{Sink, Text};

/// Encodes what goes through it, and keeps the rest.
pub(crate) struct Encoded<'s> {
    pub(crate) inner: &'s mut dyn Sink,
    pub(crate) encoding: Encoding,
}

/// What becomes of each byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Percent-encoded but for unreserved characters (RFC 3986 §2.1 and §2.3), with upper-case
    /// digits, as "Create a canonical request" asks of `UriEncode()`: names and values of a query.
    Percent,
    /// The same, but a slash stays: it separates the segments of a path.
    PercentPath,
    /// ASCII letters in lower case: names of headers, and the host.
    Lower,
}

impl Encoding {
    /// What is kept.
    const fn kept(self) -> u8 {
        match self {
            Self::Percent => UNRESERVED,
            Self::PercentPath => PATH,
            Self::Lower => LOWER,
        }
    }
}

impl Sink for Encoded<'_> {
    fn put(&mut self, mut bytes: &[u8]) {
        let kept = self.encoding.kept();
        // Not `chunk_by`, which the linker finds to be able to panic.
        loop {
            let len = bytes.iter().position(|byte| !is(*byte, kept)).unwrap_or(bytes.len());
            let (run, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
            if !run.is_empty() {
                self.inner.put(run);
            }
            let [byte, rest @ ..] = rest else { return };
            match self.encoding {
                Encoding::Lower => self.inner.put(&[byte.to_ascii_lowercase()]),
                Encoding::Percent | Encoding::PercentPath => {
                    let [high, low] = hex_digits(*byte).map(|digit| digit.to_ascii_uppercase());
                    self.inner.put(&[b'%', high, low]);
                }
            }
            bytes = rest;
        }
    }
}

/// Text as it stands in a path's segment, or in a name or value of a query: percent-encoded but for
/// unreserved characters (RFC 3986 §2.3).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PercentEncoded<'a>(pub &'a str);

impl Text for PercentEncoded<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        Encoded { inner: sink, encoding: Encoding::Percent }.put(self.0.as_bytes());
    }
}

/// A header's value without the spaces around it, and with one space in place of several
/// ("Create a canonical request", canonical headers).
pub(crate) struct Trimmed<'a>(pub(crate) &'a str);

impl Text for Trimmed<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let mut separator = "";
        for word in Split::new(self.0, b' ').filter(|word| !word.is_empty()) {
            separator.write(sink);
            sink.put(word);
            separator = " ";
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
    pub(crate) const fn new(text: &'a str, separator: u8) -> Self {
        Self { rest: Some(text.as_bytes()), separator }
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
        digits.iter_mut().zip(self.0).for_each(|(place, byte)| *place = hex_digits(*byte));
        sink.put(digits.as_flattened());
    }
}

/// Writes `value` in decimal.
#[inline(never)]
pub(crate) fn decimal(value: u32, sink: &mut dyn Sink) {
    const U32_DIGITS: usize = 10;
    let mut digits = [b'0'; U32_DIGITS];
    put_digits(value, &mut digits);
    let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(const { U32_DIGITS - 1 });
    sink.put(digits.get(first..).unwrap_or_default());
}

/// Fills `place` with the last digits of `value`.
#[inline(never)]
pub(crate) fn put_digits(mut value: u32, place: &mut [u8]) {
    for place in place.iter_mut().rev() {
        let [digit, ..] = (value % 10).to_le_bytes();
        *place = b'0'.saturating_add(digit);
        value /= 10;
    }
}

const fn hex_digits(byte: u8) -> [u8; 2] {
    const fn digit(nibble: u8) -> u8 {
        match nibble {
            0..=9 => b'0'.saturating_add(nibble),
            _ => b'a'.saturating_add(nibble.saturating_sub(10)),
        }
    }
    [digit(byte >> 4), digit(byte & 0x0f)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_octet::Writer;
    use std::string::{String, ToString};

    fn written(write: impl FnOnce(&mut dyn Sink)) -> String {
        let mut memory = [0; 1024];
        let mut writer = Writer::new(&mut memory);
        write(&mut writer);
        core::str::from_utf8(writer.written()).unwrap().to_string()
    }

    fn encoded(inner: &mut dyn Sink, encoding: Encoding) -> Encoded<'_> {
        Encoded { inner, encoding }
    }

    /// RFC 3986 §2.3
    #[test]
    fn percent_of_every_byte_keeps_the_unreserved_and_encodes_the_rest() {
        for byte in 0..=u8::MAX {
            let encoded = written(|sink| encoded(sink, Encoding::Percent).put(&[byte]));
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
        let text = "/a b//~c/é%2F".as_bytes();
        assert_eq!(
            written(|sink| encoded(sink, Encoding::Percent).put(text)),
            "%2Fa%20b%2F%2F~c%2F%C3%A9%252F"
        );
        assert_eq!(
            written(|sink| encoded(sink, Encoding::PercentPath).put(text)),
            "/a%20b//~c/%C3%A9%252F"
        );
    }

    #[test]
    fn lower_changes_capital_letters_only() {
        let text = b"Example-ATS.iot.EU.Amazonaws.COM:8443[Z";
        assert_eq!(
            written(|sink| encoded(sink, Encoding::Lower).put(text)),
            "example-ats.iot.eu.amazonaws.com:8443[z"
        );
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

    #[test]
    fn decimal_has_the_digits_it_needs() {
        for value in [0, 1, 9, 10, 86_400, u32::MAX] {
            assert_eq!(written(|sink| decimal(value, sink)), value.to_string());
        }
    }
}
