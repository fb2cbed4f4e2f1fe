//! What each byte may stand in, as a table: requests are checked and encoded byte by byte.

/// RFC 3986 §2.3: characters that mean the same whether encoded or not.
pub(crate) const UNRESERVED: u8 = 1;
/// The same and the slash that separates the segments of a path.
pub(crate) const PATH: u8 = 1 << 1;
/// Regions and services.
pub(crate) const NAME: u8 = 1 << 2;
/// A host with or without a port; the brackets and colons are those of an IPv6 address
/// (RFC 3986 §3.2.2).
pub(crate) const HOST: u8 = 1 << 3;
/// Methods, and names of headers (RFC 9110 §5.6.2).
pub(crate) const TOKEN: u8 = 1 << 4;
/// Keys and tokens: visible ASCII.
pub(crate) const VISIBLE: u8 = 1 << 5;
/// All but ASCII's upper case.
pub(crate) const LOWER: u8 = 1 << 6;
/// All but ASCII's control characters.
pub(crate) const TEXT: u8 = 1 << 7;

/// Whether `byte` is of the class.
pub(crate) fn is(byte: u8, class: u8) -> bool {
    TABLE.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

/// Whether each byte of `text` is of the class.
// Not inlined: one loop for all.
#[inline(never)]
pub(crate) fn all(text: &str, class: u8) -> bool {
    text.bytes().all(|byte| is(byte, class))
}

static TABLE: [u8; 256] = table();

const fn table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut rest: &mut [u8] = &mut table;
    let mut byte: u8 = 0;
    while let [first, behind @ ..] = rest {
        *first = classes(byte);
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    table
}

const fn classes(byte: u8) -> u8 {
    let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let token = matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'^' | b'`' | b'|');
    let mut classes = 0;
    if unreserved {
        classes |= UNRESERVED | PATH | HOST | TOKEN;
    }
    if byte == b'/' {
        classes |= PATH;
    }
    if byte.is_ascii_alphanumeric() || byte == b'-' {
        classes |= NAME;
    }
    if matches!(byte, b':' | b'[' | b']') {
        classes |= HOST;
    }
    if token {
        classes |= TOKEN;
    }
    if byte.is_ascii_graphic() {
        classes |= VISIBLE;
    }
    if !byte.is_ascii_uppercase() {
        classes |= LOWER;
    }
    if !byte.is_ascii_control() {
        classes |= TEXT;
    }
    classes
}
