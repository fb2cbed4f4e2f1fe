//! Escapes of strings (RFC 8259 §7).

use dunlin_octet::Sink;

/// Puts what the inside of a well-formed string stands for.
///
/// Half of a surrogate pair becomes U+FFFD: it stands for no character.
pub(super) fn put_unescaped(inside: &str, sink: &mut dyn Sink) {
    let mut rest = inside.as_bytes();
    loop {
        let len = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
        let (plain, escape) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        sink.put(plain);
        rest = match escape {
            [] => return,
            [_, b'u', digits @ ..] => put_character(digits, sink),
            [_, sign, rest @ ..] => {
                sink.put(&[meant(*sign)]);
                rest
            }
            [_] => return,
        };
    }
}

/// Puts text as it stands inside of a string.
pub(super) fn put_escaped(text: &str, sink: &mut dyn Sink) {
    let mut rest = text.as_bytes();
    loop {
        let has_escape = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
        let len = rest.iter().position(has_escape).unwrap_or(rest.len());
        let (plain, special) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        sink.put(plain);
        let [byte, behind @ ..] = special else { return };
        match byte {
            b'"' | b'\\' => sink.put(&[b'\\', *byte]),
            _ => sink.put(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0x0f)]),
        }
        rest = behind;
    }
}

/// Puts the character of `\uXXXX`, or of two of them, and returns what stands behind.
fn put_character<'a>(digits: &'a [u8], sink: &mut dyn Sink) -> &'a [u8] {
    let [a, b, c, d, rest @ ..] = digits else { return &[] };
    let mut rest = rest;
    let mut code = unit([*a, *b, *c, *d]);
    if matches!(code, 0xd800..=0xdbff)
        && let [b'\\', b'u', a, b, c, d, behind @ ..] = rest
        && let low @ 0xdc00..=0xdfff = unit([*a, *b, *c, *d])
    {
        let high = code.wrapping_sub(0xd800) << 10;
        code = high.wrapping_add(low.wrapping_sub(0xdc00)).wrapping_add(0x1_0000);
        rest = behind;
    }
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    put_utf8(u32::from(character), sink);
    rest
}

/// The UTF-8 of a character (RFC 3629 §3).
// In place of `char::encode_utf8`, in which the linker finds a panic.
fn put_utf8(code: u32, sink: &mut dyn Sink) {
    let [low, middle, high, _] = code.to_le_bytes();
    let tail = |bits: u8| 0x80 | bits & 0x3f;
    let last = tail(low);
    let third = tail(low >> 6 | middle << 2);
    let second = tail(middle >> 4 | high << 4);
    match code {
        0..=0x7f => sink.put(&[low]),
        0x80..=0x7ff => sink.put(&[0xc0 | low >> 6 | middle << 2, last]),
        0x800..=0xffff => sink.put(&[0xe0 | middle >> 4, third, last]),
        _ => sink.put(&[0xf0 | high >> 2, second, third, last]),
    }
}

/// The value of four hexadecimal digits.
fn unit(digits: [u8; 4]) -> u32 {
    let add = |unit: u32, digit: u8| unit << 4 | char::from(digit).to_digit(16).unwrap_or_default();
    digits.into_iter().fold(0, add)
}

/// What stands behind a backslash means this.
const fn meant(sign: u8) -> u8 {
    match sign {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => sign,
    }
}

const fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0'.saturating_add(nibble),
        _ => b'a'.saturating_add(nibble.saturating_sub(10)),
    }
}
