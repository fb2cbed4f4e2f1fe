//! JSON as AWS services speak it (RFC 8259): a document is checked once, then looked into.
//!
//! [`Value::parse`] takes a whole document and nothing else, in one pass without recursion; a value
//! borrows its part of it, and what nobody asks for costs nothing more. The crates that could have
//! done this were weighed on thumbv7em: `serde-json-core` has 24 KiB and `picojson` 10 KiB where this
//! has 4, and the linker finds panics in both.

mod check;
mod text;

use check::{DEPTH_MAX, value_len};
use core::fmt;
use dunlin_octet::{Sink, Text};
use text::{put_escaped, put_unescaped};

/// A value of a document that is well-formed as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// The document that `bytes` are; `None` for anything that is not JSON in UTF-8, or nests deeper
    /// than 32 levels.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?;
        let text = text.trim_matches(is_blank);
        (value_len(text.as_bytes(), DEPTH_MAX)? == text.len()).then_some(Self(text))
    }

    /// The member of that name, if this is an object that has one; the last of several.
    pub fn member(self, name: &str) -> Option<Self> {
        let mut found = None;
        for (key, value) in self.members() {
            if key.is(name) {
                found = Some(value);
            }
        }
        found
    }

    /// The members of an object; none of anything else.
    pub fn members(self) -> Members<'a> {
        Members(Items { rest: self.inside("{") })
    }

    /// The elements of an array; none of anything else.
    pub fn elements(self) -> Elements<'a> {
        Elements(Items { rest: self.inside("[") })
    }

    /// A string.
    pub fn string(self) -> Option<Str<'a>> {
        let inside = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(Str(inside))
    }

    /// A number that is not negative, without its fraction; `None` where it needs more than 64 bits.
    ///
    /// Without any floating point: `1.704168245E9` is `1704168245`.
    pub fn whole(self) -> Option<u64> {
        let (mantissa, exponent) = match self.0.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (self.0, 0),
        };
        let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let point = i64::try_from(before.len()).ok()?.checked_add(exponent)?;
        let mut number: u64 = 0;
        let mut at: i64 = 0;
        for digit in before.bytes().chain(behind.bytes()) {
            let digit = char::from(digit).to_digit(10)?;
            if at < point {
                number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
            }
            at = at.saturating_add(1);
        }
        while at < point && number > 0 {
            number = number.checked_mul(10)?;
            at = at.saturating_add(1);
        }
        (at > 0).then_some(number)
    }

    /// What stands behind the opening bracket; nothing where it is another one.
    fn inside(self, open: &str) -> &'a str {
        self.0.strip_prefix(open).unwrap_or_default()
    }
}

/// Shows nothing: an answer may hold a secret.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").finish_non_exhaustive()
    }
}

/// Shows nothing: an answer may hold a secret.
#[cfg(feature = "defmt")]
impl defmt::Format for Value<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Value");
    }
}

/// The members of an object, name by name.
#[derive(Clone)]
pub struct Members<'a>(Items<'a>);

#[cfg(feature = "defmt")]
impl defmt::Format for Members<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Members");
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Str<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.item()?.string()?;
        self.0.skip(':')?;
        let value = self.0.item()?;
        // The last one has a bracket behind it, which ends the items.
        let _end = self.0.skip(',');
        Some((name, value))
    }
}

/// The elements of an array.
#[derive(Clone)]
pub struct Elements<'a>(Items<'a>);

#[cfg(feature = "defmt")]
impl defmt::Format for Elements<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Elements");
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = self.0.item()?;
        let _end = self.0.skip(',');
        Some(value)
    }
}

/// What follows of a container.
#[derive(Clone)]
struct Items<'a> {
    rest: &'a str,
}

impl<'a> Items<'a> {
    /// The value at the front; each takes a byte at least, so that there is an end.
    fn item(&mut self) -> Option<Value<'a>> {
        let text = self.rest.trim_start_matches(is_blank);
        let (value, rest) = text.split_at_checked(value_len(text.as_bytes(), DEPTH_MAX)?)?;
        self.rest = rest;
        Some(Value(value))
    }

    fn skip(&mut self, sign: char) -> Option<()> {
        self.rest = self.rest.trim_start_matches(is_blank).strip_prefix(sign)?;
        Some(())
    }
}

/// A string of a document; writes itself without its escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Str<'a>(&'a str);

impl<'a> Str<'a> {
    /// The text itself, where it has no escapes.
    pub fn plain(self) -> Option<&'a str> {
        (!self.0.contains('\\')).then_some(self.0)
    }

    /// Whether it is `text`, once its escapes are undone.
    pub fn is(self, text: &str) -> bool {
        let mut same = Same { rest: text.as_bytes(), so_far: true };
        self.write(&mut same);
        same.so_far && same.rest.is_empty()
    }
}

impl Text for Str<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        put_unescaped(self.0, sink);
    }
}

/// Shows nothing: it may be a secret.
impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Str").finish_non_exhaustive()
    }
}

/// Shows nothing: it may be a secret.
#[cfg(feature = "defmt")]
impl defmt::Format for Str<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Str");
    }
}

/// Compares what comes with what is expected.
struct Same<'a> {
    rest: &'a [u8],
    so_far: bool,
}

impl Sink for Same<'_> {
    fn put(&mut self, bytes: &[u8]) {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => self.rest = rest,
            None => self.so_far = false,
        }
    }
}

/// Text as a JSON string: writes itself in quotes and with escapes (RFC 8259 §7).
#[derive(Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

#[cfg(feature = "defmt")]
impl defmt::Format for Quoted<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Quoted");
    }
}

impl Text for Quoted<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"\"");
        put_escaped(self.0, sink);
        sink.put(b"\"");
    }
}

/// Digits with or without a sign, as far as they matter.
fn exponent_of(text: &str) -> Option<i64> {
    /// A number of 64 bits has fewer digits; a fraction with so many is zero.
    const EXPONENT_MAX: i64 = 10_000;
    let digits = text.trim_start_matches(['+', '-']);
    let mut exponent: i64 = 0;
    for digit in digits.bytes() {
        let digit = i64::from(char::from(digit).to_digit(10)?);
        exponent = exponent.saturating_mul(10).saturating_add(digit).min(EXPONENT_MAX);
    }
    Some(if text.starts_with('-') { exponent.saturating_neg() } else { exponent })
}

/// RFC 8259 §2.
const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests;
