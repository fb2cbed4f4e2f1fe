//! What packets are made of, made of the fuzzer's bytes.
#![allow(clippy::expect_used, reason = "a program does not call this, and each says why it holds")]

use crate::{
    Message, PacketId, Properties, Property, Qos, ReasonCode, RetainHandling, Subscription,
    SubscriptionId, Version,
};
use core::num::{NonZeroU16, NonZeroU32};
use dunlin_octet::Reader;

/// The fuzzer's bytes; zeros behind their end.
pub(super) struct Input<'a> {
    bytes: Reader<'a>,
}

/// What a packet lists, and cannot hold itself.
pub(super) struct Parts<'a> {
    properties: List<Property<'a>, 6>,
    will_properties: List<Property<'a>, 4>,
    wishes: List<Subscription<'a>, 3>,
    filters: List<&'a str, 3>,
    codes: List<u8, 4>,
}

struct List<T, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Copy, const N: usize> List<T, N> {
    /// As many as the next byte says.
    fn take<'a>(
        input: &mut Input<'a>,
        first: T,
        mut item: impl FnMut(&mut Input<'a>) -> T,
    ) -> Self {
        let len = usize::from(input.byte()).checked_rem(N.saturating_add(1)).unwrap_or_default();
        let mut items = [first; N];
        items.iter_mut().take(len).for_each(|place| *place = item(input));
        Self { items, len }
    }

    fn items(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or_default()
    }
}

impl<'a> Parts<'a> {
    /// What the version has a place for, right or wrong.
    pub(super) fn take(version: Version, input: &mut Input<'a>) -> Self {
        let nothing = Property::TopicAliasMaximum(0);
        let wish = Subscription::new("", Qos::AtMostOnce);
        let mut parts = Self {
            properties: List { items: [nothing; 6], len: 0 },
            will_properties: List { items: [nothing; 4], len: 0 },
            wishes: List::take(input, wish, |input| input.wish(version)),
            filters: List::take(input, "", Input::filter),
            codes: List::take(input, 0, |input| match version {
                Version::V3 => *input.pick(&[0, 1, 2, 0x80, 3]),
                Version::V5 => input.reason().value(),
            }),
        };
        if version == Version::V5 {
            parts.properties = List::take(input, nothing, Input::property);
            parts.will_properties = List::take(input, nothing, Input::property);
        }
        parts
    }

    pub(super) fn properties(&self) -> Properties<'_> {
        Properties::new(self.properties.items())
    }

    pub(super) fn will_properties(&self) -> Properties<'_> {
        Properties::new(self.will_properties.items())
    }

    pub(super) fn wishes(&self) -> &[Subscription<'_>] {
        self.wishes.items()
    }

    pub(super) fn filters(&self) -> &[&str] {
        self.filters.items()
    }

    pub(super) fn codes(&self) -> &[u8] {
        self.codes.items()
    }
}

/// Long enough for a remaining length of three bytes.
static LONG: [u8; 17_000] = [b'a'; 17_000];

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Reader::new(bytes) }
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.bytes.u8().unwrap_or_default()
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    pub(super) fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        let at = usize::from(self.byte()).checked_rem(list.len()).unwrap_or_default();
        list.get(at).expect("a list that is picked from has items")
    }

    pub(super) fn packet_id(&mut self) -> PacketId {
        PacketId::new(self.u16().max(1)).expect("1 is an identifier")
    }

    pub(super) fn qos(&mut self) -> Qos {
        *self.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce])
    }

    /// Any code up to the last one that there is, and often success.
    pub(super) fn reason(&mut self) -> ReasonCode {
        match self.byte() {
            code @ 0..=0xa3 => ReasonCode::new(code),
            _ => ReasonCode::SUCCESS,
        }
    }

    pub(super) fn binary(&mut self) -> &'a [u8] {
        match self.byte() {
            // The lengths from which on a length takes one more byte are within reach.
            len @ 0xf0.. => {
                let long = 16_300_usize.saturating_add(usize::from(len & 0x0f).saturating_mul(8));
                LONG.get(..long).unwrap_or_default()
            }
            len => {
                let len = usize::from(len).min(self.bytes.len());
                self.bytes.take(len).unwrap_or_default()
            }
        }
    }

    /// A string, which may contain U+0000.
    pub(super) fn text(&mut self) -> &'a str {
        let bytes = self.binary();
        let valid = core::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        let valid = bytes.get(..valid).map(core::str::from_utf8);
        valid.and_then(Result::ok).unwrap_or_default()
    }

    /// Any string, or one that is a topic or nearly one.
    pub(super) fn topic(&mut self) -> &'a str {
        match self.byte() {
            0..=0x7f => self.text(),
            0x80..=0x8f => "",
            0x90..=0x9f => "a/+",
            _ => "t/x",
        }
    }

    /// Any string, or one that is a filter or nearly one.
    fn filter(&mut self) -> &'a str {
        match self.byte() {
            0..=0x5f => self.text(),
            0x60..=0x6f => "",
            0x70..=0x7f => "a/b+",
            0x80..=0x8f => "$share/g",
            0x90..=0x9f => "$share//t",
            0xa0..=0xaf => "$share/g/+",
            0xb0..=0xbf => "#/a",
            0xc0..=0xcf => "#",
            _ => "t/+/#",
        }
    }

    fn wish(&mut self, version: Version) -> Subscription<'a> {
        let plain = Subscription::new(self.filter(), self.qos());
        if version == Version::V3 {
            return plain;
        }
        let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
        Subscription {
            no_local: self.flag(),
            retain_as_published: self.flag(),
            retain_handling: *self.pick(&handling),
            ..plain
        }
    }

    pub(super) fn message(&mut self, properties: Properties<'a>) -> Message<'a> {
        let message = Message::new(self.topic(), self.binary(), self.qos());
        let message = if self.flag() { message.retained() } else { message };
        message.with_properties(properties)
    }

    /// Any property with any value of its type.
    fn property(&mut self) -> Property<'a> {
        let small = |number: u16| NonZeroU16::new(number).unwrap_or(NonZeroU16::MIN);
        let large = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        match self.byte() % 27 {
            0 => Property::PayloadFormatIndicator(self.flag()),
            1 => Property::MessageExpiryInterval(self.u32()),
            2 => Property::ContentType(self.text()),
            3 => Property::ResponseTopic(self.topic()),
            4 => Property::CorrelationData(self.binary()),
            5 => Property::SessionExpiryInterval(self.u32()),
            6 => Property::AssignedClientIdentifier(self.text()),
            7 => Property::ServerKeepAlive(self.u16()),
            8 => Property::AuthenticationMethod(self.text()),
            9 => Property::AuthenticationData(self.binary()),
            10 => Property::RequestProblemInformation(self.flag()),
            11 => Property::WillDelayInterval(self.u32()),
            12 => Property::RequestResponseInformation(self.flag()),
            13 => Property::ResponseInformation(self.text()),
            14 => Property::ServerReference(self.text()),
            15 => Property::ReasonString(self.text()),
            16 => Property::ReceiveMaximum(small(self.u16())),
            17 => Property::TopicAliasMaximum(self.u16()),
            18 => Property::TopicAlias(small(self.u16())),
            19 => Property::MaximumQos(self.qos()),
            20 => Property::RetainAvailable(self.flag()),
            21 => Property::MaximumPacketSize(large(self.u32())),
            22 => Property::WildcardSubscriptionAvailable(self.flag()),
            23 => Property::SubscriptionIdentifierAvailable(self.flag()),
            24 => Property::SharedSubscriptionAvailable(self.flag()),
            25 => Property::SubscriptionIdentifier(self.subscription_id()),
            _ => Property::UserProperty((self.text(), self.text())),
        }
    }

    fn subscription_id(&mut self) -> SubscriptionId {
        // Of one to four bytes on the wire, each as often.
        let id = self.u32() >> 4 >> (self.byte() & 3).saturating_mul(7);
        SubscriptionId::new(id.max(1)).expect("28 bits fit")
    }
}
