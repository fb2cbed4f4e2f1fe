//! Strings and binary data with a 16-bit length in front.

use crate::Malformed;
use dunlin_octet::{Reader, Sink};

/// Longest string or binary field, in bytes (MQTT 3.1.1 §1.5.3).
pub const STRING_MAX: usize = 65_535;

/// Takes a UTF-8 string (v3.1.1: [MQTT-1.5.3-1]), U+0000 included: the caller looks for it.
pub(crate) fn take_utf8<'a>(body: &mut Reader<'a>) -> Result<&'a str, Malformed> {
    core::str::from_utf8(take_binary(body)?).map_err(|_| Malformed::Utf8)
}

/// Takes a UTF-8 string (v3.1.1: [MQTT-1.5.3-1]) without U+0000 ([MQTT-1.5.3-2]).
pub(crate) fn take_str<'a>(body: &mut Reader<'a>) -> Result<&'a str, Malformed> {
    let text = take_utf8(body)?;
    if text.as_bytes().contains(&0) {
        return Err(Malformed::Utf8);
    }
    Ok(text)
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
