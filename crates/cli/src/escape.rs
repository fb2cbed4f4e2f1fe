//! Bytes as text that a terminal prints and a script can take apart again.

use std::fmt::Write as _;

/// Adds `bytes` to `into`: control characters as `\n`, `\t` or `\xNN` for each of their bytes,
/// what is not UTF-8 as `\xNN`, and a backslash as two.
pub(crate) fn push(bytes: &[u8], into: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => into.push_str("\\\\"),
                '\n' => into.push_str("\\n"),
                '\t' => into.push_str("\\t"),
                character if character.is_control() => {
                    push_hex(character.encode_utf8(&mut [0; 4]).as_bytes(), into);
                }
                character => into.push(character),
            }
        }
        push_hex(chunk.invalid(), into);
    }
}

/// Text for people: one line, backslashes as they are, and without the queries of URLs, since a
/// server's words may repeat a signed request.
pub(crate) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (index, part) in text.split('?').enumerate() {
        let end = if index == 0 { 0 } else { query_len(part) };
        let (query, rest) = part.split_at_checked(end).unwrap_or(("", part));
        if index > 0 {
            line.push('?');
        }
        if !query.is_empty() {
            line.push_str("***");
        }
        for character in rest.chars() {
            if character.is_control() {
                push(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut line);
            } else {
                line.push(character);
            }
        }
    }
    line
}

/// How many bytes of `text`, which stands behind a question mark, are a query: none without a `=`.
fn query_len(text: &str) -> usize {
    let ends = |character: char| character.is_whitespace() || "\"'<>()".contains(character);
    let end = text.find(ends).unwrap_or(text.len());
    if text.get(..end).is_some_and(|query| query.contains('=')) { end } else { 0 }
}

fn push_hex(bytes: &[u8], into: &mut String) {
    for byte in bytes {
        // A string takes all that is written.
        let _ = write!(into, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut text = String::new();
        push(bytes, &mut text);
        text
    }

    #[test]
    fn printable_text_stays_as_it_is() {
        for text in ["", "21.5 °C", "{\"a\":[1,2]}", "Grüße, 世界 🐦"] {
            assert_eq!(escaped(text.as_bytes()), text);
        }
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(escaped(b"a\nb\tc\rd\0e\x1b[31m\x7f"), r"a\nb\tc\x0dd\x00e\x1b[31m\x7f");
        // U+009B begins a command to a terminal, as two bytes.
        assert_eq!(escaped("\u{9b}2J".as_bytes()), r"\xc2\x9b2J");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_visible() {
        assert_eq!(escaped(b"\xff\xfe ok \xe2\x82"), r"\xff\xfe ok \xe2\x82");
    }

    #[test]
    fn backslash_is_doubled_so_that_nothing_is_ambiguous() {
        assert_eq!(escaped(br"\n"), r"\\n");
        assert_eq!(line(r"C:\new"), r"C:\new");
    }

    #[test]
    fn line_is_one_line() {
        assert_eq!(line("a\r\nb"), r"a\x0d\nb");
    }

    #[test]
    fn line_hides_what_a_server_repeats_of_a_request() {
        assert_eq!(line("GET /mqtt?X=1&T=s3cr3t HTTP"), "GET /mqtt?*** HTTP");
        assert_eq!(line("\"/mqtt?X=s3cr3t?Y=s3cr3t\": no"), "\"/mqtt?***?***\": no");
        assert_eq!(line("who? a?b (c?)"), "who? a?b (c?)");
        assert_eq!(line("?a=b"), "?***");
    }

    /// Every byte can be read back.
    #[test]
    fn escaped_text_can_be_taken_apart_again() {
        let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let text = escaped(&bytes);
        let mut back = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, more)) = rest.split_first() {
            rest = match (first, more) {
                (b'\\', [b'\\', more @ ..]) => (back.push(b'\\'), more).1,
                (b'\\', [b'n', more @ ..]) => (back.push(b'\n'), more).1,
                (b'\\', [b't', more @ ..]) => (back.push(b'\t'), more).1,
                (b'\\', [b'x', high, low, more @ ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    back.push(u8::from_str_radix(digits, 16).unwrap());
                    more
                }
                (byte, more) => (back.push(*byte), more).1,
            };
        }
        assert_eq!(back, bytes);
    }
}
