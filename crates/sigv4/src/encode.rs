//! Encodings as adapters around a sink.

use dunlin_octet::Sink;

/// Percent-encodes everything but the unreserved characters (RFC 3986 §2.1 and §2.3), with
/// upper-case digits, as "Create a canonical request" asks of `UriEncode()`.
pub(crate) struct Percent<'s> {
    inner: &'s mut dyn Sink,
    slash: Slash,
}

/// What becomes of a slash.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    /// It separates segments of a path.
    Kept,
    /// It is a character of a query like any other.
    Encoded,
}

impl<'s> Percent<'s> {
    /// For names and values of a query.
    pub(crate) fn query(inner: &'s mut dyn Sink) -> Self {
        Self { inner, slash: Slash::Encoded }
    }

    /// For a path, whose slashes stay.
    pub(crate) fn path(inner: &'s mut dyn Sink) -> Self {
        Self { inner, slash: Slash::Kept }
    }
}

impl Sink for Percent<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let slash = self.slash;
        let kept = |byte: u8| is_unreserved(byte) || (byte == b'/' && slash == Slash::Kept);
        put_runs(bytes, self.inner, kept, |byte, sink| {
            let [high, low] = hex_digits(byte).map(|digit| digit.to_ascii_uppercase());
            sink.put(&[b'%', high, low]);
        });
    }
}

/// Turns ASCII letters to lower case.
pub(crate) struct Lower<'s> {
    inner: &'s mut dyn Sink,
}

impl<'s> Lower<'s> {
    pub(crate) fn new(inner: &'s mut dyn Sink) -> Self {
        Self { inner }
    }
}

impl Sink for Lower<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let kept = |byte: u8| !byte.is_ascii_uppercase();
        put_runs(bytes, self.inner, kept, |byte, sink| sink.put(&[byte.to_ascii_lowercase()]));
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

/// Writes `value` in decimal, without leading zeros.
pub(crate) fn decimal(value: u32, sink: &mut dyn Sink) {
    const U32_DIGITS: usize = 10;
    let digits: [u8; U32_DIGITS] = padded(value);
    let first = digits.iter().position(|digit| *digit != b'0');
    sink.put(digits.get(first.unwrap_or(U32_DIGITS.saturating_sub(1))..).unwrap_or_default());
}

/// The last `N` decimal digits of `value`, with leading zeros.
pub(crate) fn padded<const N: usize>(mut value: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for place in digits.iter_mut().rev() {
        let [.., digit] = (value % 10).to_be_bytes();
        *place = b'0'.saturating_add(digit);
        value /= 10;
    }
    digits
}

/// RFC 3986 §2.3: characters that mean the same whether encoded or not.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Puts runs of bytes that are `kept` as they are, and the bytes between them through `replace`.
fn put_runs(
    mut bytes: &[u8],
    sink: &mut dyn Sink,
    kept: impl Fn(u8) -> bool,
    replace: impl Fn(u8, &mut dyn Sink),
) {
    // Not `chunk_by`, which the linker finds to be able to panic.
    loop {
        let len = bytes.iter().position(|byte| !kept(*byte)).unwrap_or(bytes.len());
        let (run, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
        sink.put(run);
        let [byte, rest @ ..] = rest else { return };
        replace(*byte, sink);
        bytes = rest;
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

    /// RFC 3986 §2.3
    #[test]
    fn percent_of_every_byte_keeps_the_unreserved_and_encodes_the_rest() {
        for byte in 0..=u8::MAX {
            let encoded = written(|sink| Percent::query(sink).put(&[byte]));
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
            written(|sink| Percent::query(sink).put(text)),
            "%2Fa%20b%2F%2F~c%2F%C3%A9%252F"
        );
        assert_eq!(written(|sink| Percent::path(sink).put(text)), "/a%20b//~c/%C3%A9%252F");
    }

    #[test]
    fn lower_changes_capital_letters_only() {
        let text = b"Example-ATS.iot.EU.Amazonaws.COM:8443[Z";
        assert_eq!(
            written(|sink| Lower::new(sink).put(text)),
            "example-ats.iot.eu.amazonaws.com:8443[z"
        );
    }

    #[test]
    fn hex_writes_two_lower_case_digits_a_byte() {
        assert_eq!(written(|sink| Hex::new(sink).put(&[0, 0x9a, 0xff])), "009aff");
    }

    #[test]
    fn decimal_has_no_leading_zeros_and_at_least_one_digit() {
        for value in [0, 1, 9, 10, 86_400, u32::MAX] {
            assert_eq!(written(|sink| decimal(value, sink)), value.to_string());
        }
        assert_eq!(padded::<4>(42), *b"0042");
    }
}
