//! Values as JSON, in memory that is lent.

use super::{Delivery, Error, PubSub, Publish};
use core::fmt;
use embassy_sync::blocking_mutex::raw::RawMutex;
use serde::{Deserialize, Serialize};

/// Most lists and objects within each other; each takes its share of the stack.
pub const JSON_DEPTH_MAX: usize = 16;

/// Longest string in which something is escaped, in bytes.
pub const JSON_ESCAPED_MAX: usize = 128;

/// Why a payload is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidJson {
    /// More lists and objects stand within each other than [`JSON_DEPTH_MAX`].
    Depth,
    /// Not JSON, or not of this type.
    Value(serde_json_core::de::Error),
}

impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth => write!(f, "the payload is nested deeper than {JSON_DEPTH_MAX} levels"),
            Self::Value(error) => write!(f, "the payload is not such a value: {error}"),
        }
    }
}

impl core::error::Error for InvalidJson {}

impl<'r, M: RawMutex, const N: usize, const PROVIDERS: usize> PubSub<'r, M, N, PROVIDERS> {
    /// Publishes a value as JSON, written into `memory`, to all providers or to
    /// [one](Publish::provider).
    pub fn publish<'p, T: Serialize + ?Sized, const TOPICS: usize>(
        &'p self,
        topics: [&'p str; TOPICS],
        value: &T,
        memory: &'p mut [u8],
    ) -> Publish<'p, 'r, M, N, PROVIDERS, TOPICS> {
        let written = serde_json_core::to_slice(value, memory);
        let payload = written.ok().and_then(|len| memory.get(..len)).ok_or(Error::Json);
        Publish::new(self, topics, payload)
    }
}

impl<'b> Delivery<'_, 'b> {
    /// The payload as a value; an error if it is not JSON, not of this type, or only a piece of it.
    ///
    /// A string that is borrowed has nothing escaped in it; one that may have takes a type that owns
    /// its bytes, and is at most [`JSON_ESCAPED_MAX`] bytes long.
    pub fn json<T: Deserialize<'b>>(&self) -> Result<T, InvalidJson> {
        if depth(self.payload()) > JSON_DEPTH_MAX {
            return Err(InvalidJson::Depth);
        }
        let mut unescaped = [0; JSON_ESCAPED_MAX];
        let value = serde_json_core::from_slice_escaped(self.payload(), &mut unescaped);
        value.map(|(value, _)| value).map_err(InvalidJson::Value)
    }
}

/// How many lists and objects are open at most at once.
fn depth(text: &[u8]) -> usize {
    let (mut deepest, mut open) = (0_usize, 0_usize);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                open = open.saturating_add(1);
                deepest = deepest.max(open);
            }
            b']' | b'}' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn depth_of_a_text_counts_what_is_open_and_not_what_is_written() {
        for (text, expected) in [
            ("1", 0),
            ("[]", 1),
            ("[[],[{}]]", 3),
            (r#"{"a":"[[[["}"#, 1),
            (r#"["\"[[", "\\", []]"#, 2),
            ("]]]][", 1),
            (r"\[[", 2),
        ] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
    }
}
