//! The properties of a packet (MQTT 5.0 §2.2.2).

mod field;
mod table;

use crate::{
    Malformed, PacketType, SubscriptionId, Version,
    header::{put_varint, take_varint, varint_len},
};
use core::fmt;
use dunlin_octet::{Count, Reader, Sink};
pub use table::Property;

/// Where properties stand: one bit for each packet type, and the lowest for the will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u16);

impl Place {
    /// In front of the will, in CONNECT.
    pub(crate) const WILL: Self = Self(table::WILL);

    /// In a packet of this type.
    pub(crate) const fn of(packet_type: PacketType) -> Self {
        Self(table::bit(packet_type))
    }
}

/// The properties of a packet: those that came with it, or those that it is to have.
///
/// What came was checked whole when the packet was decoded, and is read when it is asked for.
#[derive(Clone, Copy, Default)]
pub struct Properties<'a> {
    form: Form<'a>,
}

#[derive(Clone, Copy, Default)]
enum Form<'a> {
    #[default]
    None,
    /// Properties behind one another, checked.
    Wire(&'a [u8]),
    List(&'a [Property<'a>]),
}

impl<'a> Properties<'a> {
    /// No properties, as all packets of MQTT 3.1.1 have.
    pub const NONE: Self = Self { form: Form::None };

    /// Properties for a packet that is to be sent, which go out in this order; to be checked with
    /// [`Properties::check`].
    pub const fn new(list: &'a [Property<'a>]) -> Self {
        Self { form: Form::List(list) }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        match self.form {
            Form::None => true,
            Form::Wire(bytes) => !Version::V5.is_in_build() || bytes.is_empty(),
            Form::List(list) => list.is_empty(),
        }
    }

    /// Each property, in order.
    pub const fn iter(&self) -> Iter<'a> {
        match self.form {
            Form::None => Iter { wire: Reader::new(&[]), list: &[] },
            Form::Wire(bytes) => Iter { wire: Reader::new(bytes), list: &[] },
            Form::List(list) => Iter { wire: Reader::new(&[]), list },
        }
    }

    /// The names and values that the program made up (MQTT 5.0 §3.1.2.11.8), in order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.iter().filter_map(|property| match property {
            Property::UserProperty(pair) => Some(pair),
            _ => None,
        })
    }

    /// The subscriptions that a message comes for (MQTT 5.0 §3.3.2.3.8).
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = SubscriptionId> + use<'a> {
        self.iter().filter_map(|property| match property {
            Property::SubscriptionIdentifier(id) => Some(id),
            _ => None,
        })
    }

    /// Whether these can be sent in a packet of this type: each belongs there, stands once, and has a
    /// value that it may have.
    pub fn check(&self, packet_type: PacketType) -> Result<(), Malformed> {
        self.check_at(Place::of(packet_type))
    }

    /// The same for the properties of a will.
    pub fn check_will(&self) -> Result<(), Malformed> {
        self.check_at(Place::WILL)
    }

    fn check_at(&self, place: Place) -> Result<(), Malformed> {
        let mut seen = Seen::new(place);
        for property in self.iter() {
            seen.admit(property.id())?;
            property.check()?;
        }
        if self.len() > crate::PACKET_BODY_MAX { Err(Malformed::Length) } else { seen.finish() }
    }

    /// Takes the properties that stand at `place`, their length in front.
    // Apart from its callers, which stay as short for MQTT 3.1.1 as they are without it.
    #[inline(never)]
    pub(crate) fn take(place: Place, body: &mut Reader<'a>) -> Result<Self, Malformed> {
        if !Version::V5.is_in_build() {
            return Ok(Self::NONE);
        }
        Self::take_wire(place, body).map(Self::checked)
    }

    /// The same as bytes, for [`Properties::checked`].
    pub(crate) fn take_wire(place: Place, body: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
        let len = take_varint(body)?;
        let bytes = body.take(len).ok_or(Malformed::Length)?;
        let mut wire = Reader::new(bytes);
        let mut seen = Seen::new(place);
        while let Some(id) = wire.u8() {
            seen.admit(id)?;
            Property::take(id, &mut wire)?;
        }
        seen.finish()?;
        Ok(bytes)
    }

    /// Properties behind one another, which have been checked.
    #[inline]
    pub(crate) const fn checked(wire: &'a [u8]) -> Self {
        Self { form: Form::Wire(wire) }
    }

    /// The same in MQTT 5.0, and nothing in MQTT 3.1.1.
    #[inline]
    pub(crate) fn take_in(
        version: Version,
        place: Place,
        body: &mut Reader<'a>,
    ) -> Result<Self, Malformed> {
        match version.in_build() {
            Version::V3 => Ok(Self::NONE),
            Version::V5 => Self::take(place, body),
        }
    }

    /// How many bytes the properties are, without the length in front.
    pub(crate) fn len(&self) -> usize {
        match self.form {
            Form::None => 0,
            Form::Wire(bytes) => bytes.len(),
            Form::List(list) => list_len(list),
        }
    }

    /// How long the whole block is on the wire.
    #[inline]
    pub(crate) fn block_len(&self, version: Version) -> usize {
        self.block_len_behind(&[], version)
    }

    /// The same with these in front.
    #[inline]
    pub(crate) fn block_len_behind(&self, front: &[Property<'_>], version: Version) -> usize {
        match version.in_build() {
            Version::V3 => 0,
            Version::V5 => {
                let len = list_len(front).saturating_add(self.len());
                varint_len(len).saturating_add(len)
            }
        }
    }

    /// Puts the whole block: a length of zero where there are none ([MQTT-2.2.2-1]), and nothing in
    /// MQTT 3.1.1.
    #[inline]
    pub(crate) fn put(&self, version: Version, sink: &mut (impl Sink + ?Sized)) {
        self.put_behind(&[], version, sink);
    }

    /// The same with these in front.
    #[inline]
    pub(crate) fn put_behind(
        &self,
        front: &[Property<'_>],
        version: Version,
        sink: &mut (impl Sink + ?Sized),
    ) {
        if version.in_build() == Version::V3 {
            return;
        }
        put_varint(sink, list_len(front).saturating_add(self.len()));
        front.iter().for_each(|property| property.put(sink));
        match self.form {
            Form::None => {}
            Form::Wire(bytes) => sink.put(bytes),
            Form::List(list) => list.iter().for_each(|property| property.put(sink)),
        }
    }
}

fn list_len(list: &[Property<'_>]) -> usize {
    list.iter().map(Count::of).fold(0, usize::saturating_add)
}

/// Equal are those with the same properties in the same order, wherever they lie.
impl PartialEq for Properties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Properties<'_> {}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Properties<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for property in self.iter() {
            defmt::write!(f, "{} ", property);
        }
    }
}

/// The properties of a packet, one after the other.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Iter<'a> {
    wire: Reader<'a>,
    list: &'a [Property<'a>],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        if !Version::V5.is_in_build() {
            return None;
        }
        if let [first, rest @ ..] = self.list {
            self.list = rest;
            return Some(*first);
        }
        let id = self.wire.u8()?;
        Property::take(id, &mut self.wire).ok()
    }
}

/// Which properties have been seen at a place.
struct Seen {
    place: Place,
    /// A bit for each identifier; all are below 64.
    ids: u64,
}

impl Seen {
    const fn new(place: Place) -> Self {
        Self { place, ids: 0 }
    }

    /// Whether one more of these may stand here (MQTT 5.0 §2.2.2.2).
    fn admit(&mut self, id: u8) -> Result<(), Malformed> {
        if table::places(id) & self.place.0 == 0 {
            return Err(Malformed::Property);
        }
        let bit = Self::bit(id);
        // A message may have come for several subscriptions (MQTT 5.0 §3.3.2.3.8).
        let repeatable = id == table::USER_PROPERTY
            || (id == table::SUBSCRIPTION_IDENTIFIER
                && self.place == Place::of(PacketType::Publish));
        if self.ids & bit != 0 && !repeatable {
            return Err(Malformed::Repeated);
        }
        self.ids |= bit;
        Ok(())
    }

    /// No data without a method in CONNECT, and always a method in AUTH (MQTT 5.0 §3.1.2.11.10,
    /// §3.15.2.2.2).
    fn finish(&self) -> Result<(), Malformed> {
        let method = self.ids & Self::bit(table::AUTHENTICATION_METHOD) != 0;
        let data = self.ids & Self::bit(table::AUTHENTICATION_DATA) != 0;
        let wanted = (self.place == Place::of(PacketType::Connect) && data)
            || self.place == Place::of(PacketType::Auth);
        if wanted && !method { Err(Malformed::NoMethod) } else { Ok(()) }
    }

    const fn bit(id: u8) -> u64 {
        1_u64.wrapping_shl(u32::from_be_bytes([0, 0, 0, id]))
    }
}
