//! The values of properties on the wire (MQTT 5.0 §1.5).

use crate::{
    Malformed, Qos, SubscriptionId,
    header::{put_varint, take_varint},
    text::{STRING_MAX, has_nul, put_field, take_binary, take_str},
};
use core::num::{NonZeroU16, NonZeroU32};
use dunlin_octet::{Reader, Sink};

/// A type that a property's value can have.
pub(super) trait Field<'a>: Sized {
    /// Takes a value that the property may have.
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed>;

    fn put(&self, sink: &mut (impl Sink + ?Sized));

    /// Whether the value can be put: most can have no other.
    fn check(&self) -> Result<(), Malformed> {
        Ok(())
    }
}

impl<'a> Field<'a> for bool {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        match body.u8().ok_or(Malformed::Length)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Range),
        }
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        sink.put(&[u8::from(*self)]);
    }
}

/// Maximum QoS, which says 2 by not being there (MQTT 5.0 §3.2.2.3.4).
impl<'a> Field<'a> for Qos {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        let qos = Self::from_bits(body.u8().ok_or(Malformed::Length)?).ok_or(Malformed::Range)?;
        qos.check().map(|()| qos)
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        sink.put(&[self.bits()]);
    }

    fn check(&self) -> Result<(), Malformed> {
        if *self == Self::ExactlyOnce { Err(Malformed::Range) } else { Ok(()) }
    }
}

impl<'a> Field<'a> for u16 {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        body.u16().ok_or(Malformed::Length)
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        sink.put(&self.to_be_bytes());
    }
}

impl<'a> Field<'a> for u32 {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        body.u32().ok_or(Malformed::Length)
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        sink.put(&self.to_be_bytes());
    }
}

impl<'a> Field<'a> for NonZeroU16 {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        Self::new(u16::take(body)?).ok_or(Malformed::Range)
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        self.get().put(sink);
    }
}

impl<'a> Field<'a> for NonZeroU32 {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        Self::new(u32::take(body)?).ok_or(Malformed::Range)
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        self.get().put(sink);
    }
}

impl<'a> Field<'a> for SubscriptionId {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        let id = u32::try_from(take_varint(body)?).map_err(|_| Malformed::Length)?;
        Self::new(id).ok_or(Malformed::Range)
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        put_varint(sink, usize::try_from(self.value()).unwrap_or(usize::MAX));
    }
}

impl<'a> Field<'a> for &'a str {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        take_str(body)
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        put_field(sink, self.as_bytes());
    }

    fn check(&self) -> Result<(), Malformed> {
        self.as_bytes().check()?;
        if has_nul(self.as_bytes()) { Err(Malformed::Utf8) } else { Ok(()) }
    }
}

impl<'a> Field<'a> for &'a [u8] {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        take_binary(body)
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        put_field(sink, self);
    }

    fn check(&self) -> Result<(), Malformed> {
        if self.len() > STRING_MAX { Err(Malformed::Length) } else { Ok(()) }
    }
}

/// A string pair ([MQTT-1.5.7-1]).
impl<'a> Field<'a> for (&'a str, &'a str) {
    fn take(body: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok((take_str(body)?, take_str(body)?))
    }

    fn put(&self, sink: &mut (impl Sink + ?Sized)) {
        self.0.put(sink);
        self.1.put(sink);
    }

    fn check(&self) -> Result<(), Malformed> {
        self.0.check()?;
        self.1.check()
    }
}
