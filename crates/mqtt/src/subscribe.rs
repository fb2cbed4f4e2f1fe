//! SUBSCRIBE and UNSUBSCRIBE (MQTT 3.1.1 §3.8, §3.10, MQTT 5.0 §3.8, §3.10).

use crate::{
    FixedHeader, Malformed, PacketId, PacketType, Properties, Qos, SharedFilter, TopicError,
    Version,
    ack::take_packet_id,
    check_filter,
    encode::text,
    header::take_varint,
    properties::Place,
    suback::put_front,
    text::{field_len, put_field, take_str},
};
use dunlin_octet::{Reader, Sink, Text};

const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;

/// One wish: a filter, and how its messages shall come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Subscription<'a> {
    /// The topic filter.
    pub filter: &'a str,
    /// The highest QoS wanted.
    pub qos: Qos,
    /// Whether the client's own messages stay away; only in MQTT 5.0.
    pub no_local: bool,
    /// Whether messages keep the retain flag that they were published with; only in MQTT 5.0.
    pub retain_as_published: bool,
    /// Which kept messages come first; only in MQTT 5.0.
    pub retain_handling: RetainHandling,
}

/// Which messages that the server has kept come when a subscription is made (MQTT 5.0 §3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RetainHandling {
    /// All of them, as always in MQTT 3.1.1.
    #[default]
    Send,
    /// All of them if the subscription is new.
    SendIfNew,
    /// None.
    DoNotSend,
}

impl RetainHandling {
    const fn bits(self) -> u8 {
        match self {
            Self::Send => 0,
            Self::SendIfNew => 0x10,
            Self::DoNotSend => 0x20,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        match bits & 0x30 {
            0 => Some(Self::Send),
            0x10 => Some(Self::SendIfNew),
            0x20 => Some(Self::DoNotSend),
            _ => None,
        }
    }
}

impl<'a> Subscription<'a> {
    /// A wish as MQTT 3.1.1 has it.
    pub const fn new(filter: &'a str, qos: Qos) -> Self {
        Self {
            filter,
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    /// Reads the options behind a filter (MQTT 5.0 §3.8.3.1).
    fn from_options(filter: &'a str, options: u8) -> Result<Self, Malformed> {
        // [MQTT-3.8.3-5] No reserved bits, and no QoS of 3.
        if options & 0xc0 != 0 {
            return Err(Malformed::Flags);
        }
        let wish = Self {
            filter,
            qos: Qos::from_bits(options & 3).ok_or(Malformed::Flags)?,
            no_local: options & NO_LOCAL != 0,
            retain_as_published: options & RETAIN_AS_PUBLISHED != 0,
            retain_handling: RetainHandling::from_bits(options).ok_or(Malformed::Options)?,
        };
        wish.check_sharing().map(|()| wish)
    }

    /// Whether the subscription is one that several clients share.
    pub(crate) fn is_shared(&self) -> bool {
        SharedFilter::is_meant(self.filter)
    }

    /// [MQTT-3.8.3-4] No Local has no meaning where clients share.
    fn check_sharing(&self) -> Result<(), Malformed> {
        if self.no_local && self.is_shared() { Err(Malformed::Options) } else { Ok(()) }
    }

    /// Whether the version has these options, and they fit together.
    pub(crate) fn check_options(&self, version: Version) -> Result<(), Malformed> {
        match version.in_build() {
            Version::V3 if *self != Self::new(self.filter, self.qos) => Err(Malformed::Options),
            _ => self.check_sharing(),
        }
    }

    fn options(&self, version: Version) -> u8 {
        match version.in_build() {
            Version::V3 => self.qos.bits(),
            Version::V5 => {
                self.qos.bits()
                    | if self.no_local { NO_LOCAL } else { 0 }
                    | if self.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 }
                    | self.retain_handling.bits()
            }
        }
    }
}

/// Whether a filter is one in this version: in MQTT 5.0, one that is shared has a name, without wildcards,
/// and a filter behind it ([MQTT-4.8.2-1], [MQTT-4.8.2-2]).
pub(crate) fn check_filter_in(version: Version, filter: &str) -> Result<(), TopicError> {
    check_filter(filter)?;
    match version.in_build() {
        Version::V3 => Ok(()),
        Version::V5 => SharedFilter::parse(filter).map(|_| ()),
    }
}

/// A list of wishes, on the wire or about to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wishes<'a> {
    Subscribe(&'a [Subscription<'a>]),
    Unsubscribe(&'a [&'a str]),
}

impl Wishes<'_> {
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Subscribe(wishes) => wishes.len(),
            Self::Unsubscribe(filters) => filters.len(),
        }
    }

    pub(crate) const fn packet_type(&self) -> PacketType {
        match self {
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
        }
    }

    /// How many bytes follow the fixed header.
    pub(crate) fn body_len(&self, version: Version, properties: &Properties<'_>) -> usize {
        self.list_len().saturating_add(properties.block_len(version)).saturating_add(2)
    }

    fn list_len(&self) -> usize {
        match self {
            Self::Subscribe(wishes) => wishes_len(wishes.iter().copied()),
            Self::Unsubscribe(filters) => filters_len(filters.iter().copied()),
        }
    }

    pub(crate) fn put(
        &self,
        version: Version,
        properties: Properties<'_>,
        sink: &mut dyn Sink,
        packet_id: PacketId,
    ) {
        // Not as a packet, which could be one that came, and would bring its decoder.
        let len = self.list_len();
        put_front(sink, self.packet_type(), version, packet_id, &properties, len);
        match self {
            Self::Subscribe(wishes) => put_wishes(version, wishes.iter().copied(), sink),
            Self::Unsubscribe(filters) => put_filters(filters.iter().copied(), sink),
        }
    }
}

/// What a packet lists: as it came, checked, or as it was given.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum List<'a, T> {
    Wire(Version, &'a [u8]),
    Given(&'a [T]),
}

/// The client's wish for messages.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Subscribe<'a> {
    /// The exchange.
    pub packet_id: PacketId,
    /// What MQTT 5.0 adds.
    pub properties: Properties<'a>,
    wishes: List<'a, Subscription<'a>>,
}

impl<'a> Subscribe<'a> {
    /// A SUBSCRIBE without properties; to be checked with [`Subscribe::check`].
    pub const fn new(packet_id: PacketId, wishes: &'a [Subscription<'a>]) -> Self {
        Self { packet_id, properties: Properties::NONE, wishes: List::Given(wishes) }
    }

    /// The same packet with these properties.
    #[must_use]
    pub const fn with_properties(self, properties: Properties<'a>) -> Self {
        Self { properties, ..self }
    }

    /// Reads the body of a SUBSCRIBE, all of its filters included.
    pub fn decode(version: Version, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        let place = Place::of(PacketType::Subscribe);
        let properties = Properties::take_in(version, place, &mut body)?;
        let wishes = body.rest();
        check_not_empty(version, wishes)?;
        while !body.is_empty() {
            take_wish(version, &mut body)?;
        }
        Ok(Self { packet_id, properties, wishes: List::Wire(version, wishes) })
    }

    /// The wishes, in order.
    pub fn subscriptions(&self) -> impl Iterator<Item = Subscription<'a>> + use<'a> {
        let (version, mut wire, given) = match self.wishes {
            List::Wire(version, bytes) => (version, Reader::new(bytes), &[][..]),
            List::Given(list) => (Version::V3, Reader::new(&[]), list),
        };
        let came = core::iter::from_fn(move || take_wish(version, &mut wire).ok());
        given.iter().copied().chain(came)
    }

    /// Whether this can be sent in either version: there are filters, each is one, shared or not, and
    /// options and properties fit.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.subscriptions().next().is_none() {
            return Err(Malformed::NoFilter);
        }
        for wish in self.subscriptions() {
            check_filter_in(Version::V5, wish.filter).map_err(|_| Malformed::Topic)?;
            wish.check_sharing()?;
        }
        self.properties.check(PacketType::Subscribe)
    }

    /// The whole packet; MQTT 3.1.1 has no place for options beside QoS.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        let len = wishes_len(self.subscriptions());
        let packet_type = PacketType::Subscribe;
        put_front(sink, packet_type, version, self.packet_id, &self.properties, len);
        put_wishes(version, self.subscriptions(), sink);
    }
}

impl PartialEq for Subscribe<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.packet_id == other.packet_id
            && self.properties == other.properties
            && self.subscriptions().eq(other.subscriptions())
    }
}

impl Eq for Subscribe<'_> {}

/// The client's wish for messages to end.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unsubscribe<'a> {
    /// The exchange.
    pub packet_id: PacketId,
    /// What MQTT 5.0 adds.
    pub properties: Properties<'a>,
    filters: List<'a, &'a str>,
}

impl<'a> Unsubscribe<'a> {
    /// An UNSUBSCRIBE without properties; to be checked with [`Unsubscribe::check`].
    pub const fn new(packet_id: PacketId, filters: &'a [&'a str]) -> Self {
        Self { packet_id, properties: Properties::NONE, filters: List::Given(filters) }
    }

    /// The same packet with these properties.
    #[must_use]
    pub const fn with_properties(self, properties: Properties<'a>) -> Self {
        Self { properties, ..self }
    }

    /// Reads the body of an UNSUBSCRIBE, all of its filters included.
    pub fn decode(version: Version, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        let place = Place::of(PacketType::Unsubscribe);
        let properties = Properties::take_in(version, place, &mut body)?;
        let filters = body.rest();
        check_not_empty(version, filters)?;
        while !body.is_empty() {
            take_filter(version, &mut body)?;
        }
        Ok(Self { packet_id, properties, filters: List::Wire(version, filters) })
    }

    /// The filters, in order.
    pub fn filters(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (version, mut wire, given) = match self.filters {
            List::Wire(version, bytes) => (version, Reader::new(bytes), &[][..]),
            List::Given(list) => (Version::V3, Reader::new(&[]), list),
        };
        let came = core::iter::from_fn(move || take_filter(version, &mut wire).ok());
        given.iter().copied().chain(came)
    }

    /// Whether this can be sent in either version: there are filters, each is one, shared or not, and
    /// the properties fit.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.filters().next().is_none() {
            return Err(Malformed::NoFilter);
        }
        for filter in self.filters() {
            check_filter_in(Version::V5, filter).map_err(|_| Malformed::Topic)?;
        }
        self.properties.check(PacketType::Unsubscribe)
    }

    /// The whole packet.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        let len = filters_len(self.filters());
        let packet_type = PacketType::Unsubscribe;
        put_front(sink, packet_type, version, self.packet_id, &self.properties, len);
        put_filters(self.filters(), sink);
    }
}

impl PartialEq for Unsubscribe<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.packet_id == other.packet_id
            && self.properties == other.properties
            && self.filters().eq(other.filters())
    }
}

impl Eq for Unsubscribe<'_> {}

/// How many filters a SUBSCRIBE or UNSUBSCRIBE has that this side has made, and so needs no other look.
pub(crate) fn count_filters(version: Version, packet: &[u8]) -> Option<usize> {
    let (header, len) = FixedHeader::decode(version, packet).ok()??;
    let mut body = Reader::new(packet.get(len..)?);
    body.u16()?;
    if version.in_build() == Version::V5 {
        let len = take_varint(&mut body).ok()?;
        body.take(len)?;
    }
    let options = usize::from(header.packet_type == PacketType::Subscribe);
    let mut count: usize = 0;
    // Each turn takes a filter: two bytes and more.
    while !body.is_empty() {
        let len = usize::from(body.u16()?).saturating_add(options);
        body.take(len)?;
        count = count.saturating_add(1);
    }
    Some(count)
}

/// v3.1.1: [MQTT-3.8.3-3], [MQTT-3.10.3-2] At least one.
const fn check_not_empty(version: Version, list: &[u8]) -> Result<(), Malformed> {
    match version.in_build() {
        _ if !list.is_empty() => Ok(()),
        Version::V3 => Err(Malformed::Length),
        Version::V5 => Err(Malformed::NoFilter),
    }
}

fn take_wish<'a>(version: Version, body: &mut Reader<'a>) -> Result<Subscription<'a>, Malformed> {
    let filter = take_filter(version, body)?;
    let options = body.u8().ok_or(Malformed::Length)?;
    match version.in_build() {
        Version::V3 => {
            Ok(Subscription::new(filter, Qos::from_bits(options).ok_or(Malformed::Flags)?))
        }
        Version::V5 => Subscription::from_options(filter, options),
    }
}

fn take_filter<'a>(version: Version, body: &mut Reader<'a>) -> Result<&'a str, Malformed> {
    let filter = take_str(body)?;
    check_filter_in(version, filter).map_err(|_| Malformed::Topic)?;
    Ok(filter)
}

fn wishes_len<'a>(wishes: impl Iterator<Item = Subscription<'a>>) -> usize {
    wishes
        .map(|wish| field_len(wish.filter.as_bytes()).saturating_add(1))
        .fold(0, usize::saturating_add)
}

fn put_wishes<'a>(
    version: Version,
    wishes: impl Iterator<Item = Subscription<'a>>,
    sink: &mut dyn Sink,
) {
    for wish in wishes {
        put_field(sink, wish.filter.as_bytes());
        sink.put(&[wish.options(version)]);
    }
}

fn put_filters<'a>(filters: impl Iterator<Item = &'a str>, sink: &mut dyn Sink) {
    filters.for_each(|filter| put_field(sink, filter.as_bytes()));
}

fn filters_len<'a>(filters: impl Iterator<Item = &'a str>) -> usize {
    filters.map(|filter| field_len(filter.as_bytes())).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: PacketId = PacketId::new(1).unwrap();

    /// [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    ///
    /// MQTT 3.1.1 has no shared subscriptions, and no rule for them.
    #[test]
    fn share_without_a_name_or_a_filter_is_malformed_in_the_newer_version_alone() {
        for (filter, legal) in
            [("$share/g/t", true), ("$share/g", false), ("$share//t", false), ("$share/g/", false)]
        {
            let field = [&[0, filter.len() as u8], filter.as_bytes()].concat();
            let expected = if legal { None } else { Some(Malformed::Topic) };
            let (old, new) = ([&[0, 1], &field[..]].concat(), [&[0, 1, 0], &field[..]].concat());
            assert_eq!(Unsubscribe::decode(Version::V5, &new).err(), expected, "{filter}");
            assert_eq!(Unsubscribe::decode(Version::V3, &old).err(), None, "{filter}");
            assert_eq!(Unsubscribe::new(ID, &[filter]).check().err(), expected, "{filter}");
            let (old, new) = ([&old[..], &[1]].concat(), [&new[..], &[1]].concat());
            assert_eq!(Subscribe::decode(Version::V5, &new).err(), expected, "{filter}");
            assert_eq!(Subscribe::decode(Version::V3, &old).err(), None, "{filter}");
            let wishes = [Subscription::new(filter, Qos::AtLeastOnce)];
            assert_eq!(Subscribe::new(ID, &wishes).check().err(), expected, "{filter}");
        }
    }
}
