//! Messages as text: one line each, after a pattern in the manner of `mosquitto_sub -F`.

use crate::escape;
use dunlin_tokio::Received;
use std::fmt::Write as _;

/// A pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A letter of [`LETTERS`].
    Field(char),
}

/// What a percent sign may stand before, beside itself.
const LETTERS: &str = "tpxlqrCDEFPRS";

impl Format {
    /// Reads a pattern; `None` where a percent sign stands before something unknown.
    pub(crate) fn parse(pattern: &str) -> Option<Self> {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                text.push(character);
                continue;
            }
            match characters.next()? {
                '%' => text.push('%'),
                letter if LETTERS.contains(letter) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Field(letter));
                }
                _ => return None,
            }
        }
        pieces.push(Piece::Text(text));
        Some(Self { pieces })
    }

    /// Adds a message to `into`, without a line feed.
    pub(crate) fn push(&self, message: &Received, into: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => into.push_str(text),
                Piece::Field(letter) => push(*letter, message, into),
            }
        }
    }
}

fn push(letter: char, message: &Received, into: &mut String) {
    let properties = message.properties();
    let escaped = |text: Option<&str>, into: &mut String| {
        escape::push(text.unwrap_or_default().as_bytes(), into);
    };
    let number = |number: Option<u32>, into: &mut String| {
        if let Some(number) = number {
            // A string takes all that is written.
            let _ = write!(into, "{number}");
        }
    };
    match letter {
        't' => escape::push(message.topic().as_bytes(), into),
        'p' => escape::push(message.payload(), into),
        'x' => {
            for byte in message.payload() {
                let _ = write!(into, "{byte:02x}");
            }
        }
        'l' => {
            let _ = write!(into, "{}", message.payload().len());
        }
        'q' => number(Some(message.qos.bits().into()), into),
        'r' => number(Some(message.retained.into()), into),
        'C' => escaped(properties.content_type(), into),
        'D' => escape::push(properties.correlation_data().unwrap_or_default(), into),
        'E' => number(properties.message_expiry_interval_s(), into),
        'F' => number(properties.payload_format_indicator().map(u32::from), into),
        'R' => escaped(properties.response_topic(), into),
        'P' => {
            for (at, (name, value)) in properties.user_properties().enumerate() {
                into.push_str(if at == 0 { "" } else { " " });
                escaped(Some(name), into);
                into.push(':');
                escaped(Some(value), into);
            }
        }
        _ => {
            for (at, id) in properties.subscription_identifiers().enumerate() {
                into.push_str(if at == 0 { "" } else { "," });
                number(Some(id.value()), into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_text_and_letters_and_nothing_unknown() {
        let format = Format::parse("%t: %p %% %%t").unwrap();
        let expected = [
            Piece::Text(String::new()),
            Piece::Field('t'),
            Piece::Text(": ".to_owned()),
            Piece::Field('p'),
            Piece::Text(" % %t".to_owned()),
        ];
        assert_eq!(format.pieces, expected);
        for wrong in ["%", "100 %", "%z", "%ü"] {
            assert_eq!(Format::parse(wrong), None, "{wrong}");
        }
    }
}
