//! Strings and binary data with a 16-bit length in front.

use crate::Malformed;
use dunlin_octet::{Reader, Sink};

/// Longest string or binary field, in bytes (MQTT 3.1.1 §1.5.3).
pub const STRING_MAX: usize = 65_535;

/// Takes a UTF-8 string (v3.1.1: [MQTT-1.5.3-1]) without U+0000 ([MQTT-1.5.3-2]).
pub(crate) fn take_str<'a>(body: &mut Reader<'a>) -> Result<&'a str, Malformed> {
    let text = take_binary(body)?;
    if has_nul(text) {
        return Err(Malformed::Utf8);
    }
    as_utf8(text)
}

/// The bytes as a string (v3.1.1: [MQTT-1.5.3-1]), U+0000 included: the caller looks for it.
#[inline]
pub(crate) fn as_utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    core::str::from_utf8(bytes).map_err(|_| Malformed::Utf8)
}

/// Takes binary data.
pub(crate) fn take_binary<'a>(body: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let len = body.u16().ok_or(Malformed::Length)?;
    body.take(usize::from(len)).ok_or(Malformed::Length)
}

/// Puts a string or binary data; the caller has checked that it is not longer than [`STRING_MAX`].
pub(crate) fn put_field(sink: &mut (impl Sink + ?Sized), bytes: &[u8]) {
    sink.put(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    sink.put(bytes);
}

/// How long a field is on the wire.
pub(crate) const fn field_len(bytes: &[u8]) -> usize {
    bytes.len().saturating_add(2)
}

/// How many bytes are looked at in one step.
pub(crate) const WORD: usize = size_of::<usize>();

/// Whether `holds` for all words of `bytes`, of which the last may overlap the one before it; `None`
/// where there is not one.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn all_words(bytes: &[u8], holds: impl Fn(usize) -> bool) -> Option<bool> {
    let last = bytes.last_chunk()?;
    let (words, _) = bytes.as_chunks::<WORD>();
    let holds = |word: &[u8; WORD]| holds(usize::from_ne_bytes(*word));
    Some(holds(last) && words.iter().all(holds))
}

/// Whether U+0000 stands anywhere.
pub(crate) fn has_nul(bytes: &[u8]) -> bool {
    let without = all_words(bytes, |word| zero_bytes(word) == 0);
    // Not `contains`, which goes by words as well, in a hundred bytes of flash.
    !without.unwrap_or_else(|| bytes.iter().all(|byte| *byte != 0))
}

/// Not zero if a byte of `word` is zero: the lowest such byte borrows its top bit, and where there is
/// none, no byte borrows.
#[inline]
pub(crate) const fn zero_bytes(word: usize) -> usize {
    word.wrapping_sub(every(1)) & !word & every(0x80)
}

/// A word of which every byte is `byte`.
#[inline]
pub(crate) const fn every(byte: u8) -> usize {
    usize::from_ne_bytes([byte; WORD])
}
