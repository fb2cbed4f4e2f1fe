//! The lines of a message head, as they come (RFC 9112 §2, §5).

/// Most bytes in front of the body or the first frame, 1xx heads included.
///
/// Servers limit their own heads to 8 or 16 KiB; whoever sends more wants to keep the reader busy.
pub const HEAD_MAX: usize = 16 * 1024;

/// Most header fields of one head.
pub const FIELDS_MAX: u8 = 100;

/// A byte or a length that a head must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadLine {
    /// A control character, a byte of 0x80 or more, or CR and LF that do not stand together.
    Byte,
    /// More than [`HEAD_MAX`] bytes.
    TooLong,
}

/// Finds the ends of lines, looking at each byte once however the bytes come.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Raw bytes of the line at the front that have been looked at.
    scanned: usize,
    /// The last of them was a CR.
    cr: bool,
    /// Bytes of all lines so far.
    total: usize,
}

impl Lines {
    pub(crate) const fn new() -> Self {
        Self { scanned: 0, cr: false, total: 0 }
    }

    /// Whether not one byte has come.
    pub(crate) const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many bytes have been looked at.
    #[cfg(test)]
    pub(crate) const fn total(&self) -> usize {
        self.total
    }

    /// The line at the front of `raw` without its CRLF; `None` until it is complete.
    ///
    /// After `Some`, the caller takes the line and its two more bytes off `raw`; after `None` it
    /// calls again with more bytes behind the same front.
    pub(crate) fn next<'r>(&mut self, raw: &'r [u8]) -> Result<Option<&'r [u8]>, BadLine> {
        for byte in raw.get(self.scanned..).unwrap_or_default() {
            if self.total >= HEAD_MAX {
                return Err(BadLine::TooLong);
            }
            self.total = self.total.saturating_add(1);
            match (self.cr, *byte) {
                (true, b'\n') => {
                    let end = self.scanned.saturating_sub(1);
                    (self.scanned, self.cr) = (0, false);
                    return Ok(raw.get(..end));
                }
                (false, b'\t' | b'\r' | b' '..=b'~') => {}
                _ => return Err(BadLine::Byte),
            }
            self.cr = *byte == b'\r';
            self.scanned = self.scanned.saturating_add(1);
        }
        Ok(None)
    }
}

/// Splits a header line into name and value, blanks around the value dropped (RFC 9112 §5.1).
///
/// `None` for what is no field: a folded line, a blank before the colon, no colon, no name.
pub(crate) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let [b':', value @ ..] = value else { return None };
    is_token(name).then_some((name, value.trim_ascii()))
}

/// Whether `bytes` are a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
        )
        || matches!(byte, b'`' | b'|' | b'~')
}

/// Whether the comma-separated list has `token` in it, in any case (RFC 9110 §5.6.1).
pub(crate) fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_found_at_its_crlf_and_each_byte_is_read_once() {
        let raw = b"ab\r\n\r\ncd";
        let mut lines = Lines::new();
        assert_eq!(lines.next(&raw[..2]), Ok(None));
        assert_eq!(lines.next(&raw[..3]), Ok(None));
        assert_eq!(lines.next(raw), Ok(Some(&b"ab"[..])));
        assert_eq!(lines.next(&raw[4..]), Ok(Some(&b""[..])));
        assert_eq!(lines.next(&raw[6..]), Ok(None));
        assert_eq!(lines.total(), raw.len());
    }

    #[test]
    fn line_with_a_byte_that_heads_do_not_have_is_refused() {
        for raw in [&b"a\rb"[..], b"a\n", b"\n", b"a\r\rb", b"\0", b"\x7f", b"\x80", b"\x1b"] {
            assert_eq!(Lines::new().next(raw), Err(BadLine::Byte), "{raw:x?}");
        }
    }

    #[test]
    fn field_without_a_plain_name_is_none() {
        for line in [&b" a: b"[..], b"\ta: b", b"a : b", b": b", b"a", b"", b"a b: c", b"a\r: b"] {
            assert_eq!(field(line), None, "{line:x?}");
        }
        assert_eq!(field(b"a:"), Some((&b"a"[..], &b""[..])));
        assert_eq!(field(b"a: \t b:c \t"), Some((&b"a"[..], &b"b:c"[..])));
    }

    #[test]
    fn token_in_a_list_is_compared_whole() {
        for list in [&b"upgrade"[..], b"keep-alive, Upgrade", b",UPGRADE\t,", b"a,upgrade,b"] {
            assert!(has_token(list, b"upgrade"), "{list:x?}");
        }
        for list in [&b""[..], b"upgrade2", b"up grade", b"xupgrade", b"upgrad", b"a;upgrade"] {
            assert!(!has_token(list, b"upgrade"), "{list:x?}");
        }
    }
}
