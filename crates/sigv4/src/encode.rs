//! Encodings as adapters around a sink.

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
    const fn keeps(self, byte: u8) -> bool {
        match self {
            Self::Percent => is_unreserved(byte),
            Self::PercentPath => is_unreserved(byte) || byte == b'/',
            Self::Lower => !byte.is_ascii_uppercase(),
        }
    }
}

impl Sink for Encoded<'_> {
    fn put(&mut self, mut bytes: &[u8]) {
        // Not `chunk_by`, which the linker finds to be able to panic.
        loop {
            let is_other = |byte: &u8| !self.encoding.keeps(*byte);
            let len = bytes.iter().position(is_other).unwrap_or(bytes.len());
            let (run, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
            self.inner.put(run);
            let [byte, rest @ ..] = rest else { return };
            let [high, low] = hex_digits(*byte).map(|digit| digit.to_ascii_uppercase());
            match self.encoding {
                Encoding::Lower => self.inner.put(&[byte.to_ascii_lowercase()]),
                Encoding::Percent | Encoding::PercentPath => self.inner.put(&[b'%', high, low]),
            }
            bytes = rest;
        }
    }
}

/// Text as it stands in a path's segment, or in a name or value of a query: percent-encoded but for
/// unreserved characters (RFC 3986 §2.3).
#[derive(Clone, Copy, Debug)]
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

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) struct Hex<'s> {
    inner: &'s mut dyn Sink,
}

impl<'s> Hex<'s> {
    pub(crate) fn new(inner: &'s mut dyn Sink) -> Self {
        Self { inner }
    }
}

impl Sink for Hex<'_> {
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.inner.put(&hex_digits(*byte));
        }
    }
}

/// Writes `value` in decimal, with zeros in front until there are `least` digits, at most ten.
#[inline(never)]
pub(crate) fn decimal(value: u32, least: usize, sink: &mut dyn Sink) {
    const U32_DIGITS: usize = 10;
    let mut digits = [b'0'; U32_DIGITS];
    let mut left = value;
    for place in digits.iter_mut().rev() {
        let [.., digit] = (left % 10).to_be_bytes();
        *place = b'0'.saturating_add(digit);
        left /= 10;
    }
    let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(U32_DIGITS);
    sink.put(digits.get(first.min(U32_DIGITS.saturating_sub(least))..).unwrap_or_default());
}

/// RFC 3986 §2.3: characters that mean the same whether encoded or not.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
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
        assert_eq!(written(|sink| Hex::new(sink).put(&[0, 0x9a, 0xff])), "009aff");
    }

    #[test]
    fn decimal_has_the_digits_it_needs_or_as_many_as_asked_for() {
        for value in [0, 1, 9, 10, 86_400, u32::MAX] {
            assert_eq!(written(|sink| decimal(value, 1, sink)), value.to_string());
        }
        assert_eq!(written(|sink| decimal(42, 6, sink)), "000042");
        assert_eq!(written(|sink| decimal(u32::MAX, 6, sink)), u32::MAX.to_string());
    }
}
