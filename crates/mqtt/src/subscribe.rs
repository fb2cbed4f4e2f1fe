//! SUBSCRIBE, SUBACK, UNSUBSCRIBE (MQTT 3.1.1 §3.8 to §3.10).

use crate::{
    Malformed, PacketId, PacketType, Qos, ReasonCode,
    ack::take_packet_id,
    check_filter,
    header::put_header,
    text::{field_len, put_field, take_str},
};
use dunlin_octet::{Reader, Sink, Text};

/// One wish: a filter, and the highest QoS that its messages shall come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// The topic filter.
    pub filter: &'a str,
    /// The highest QoS wanted.
    pub qos: Qos,
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

    /// How many bytes follow the fixed header.
    pub(crate) fn body_len(&self) -> usize {
        let filters = match self {
            Self::Subscribe(wishes) => wishes
                .iter()
                .map(|wish| field_len(wish.filter.as_bytes()).saturating_add(1))
                .fold(0, usize::saturating_add),
            Self::Unsubscribe(filters) => filters
                .iter()
                .map(|filter| field_len(filter.as_bytes()))
                .fold(0, usize::saturating_add),
        };
        filters.saturating_add(2)
    }

    pub(crate) fn put(&self, sink: &mut dyn Sink, packet_id: PacketId) {
        let packet_type = match self {
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
        };
        put_header(sink, packet_type.first(), self.body_len());
        sink.put(&packet_id.value().to_be_bytes());
        match self {
            Self::Subscribe(wishes) => wishes.iter().for_each(|wish| {
                put_field(sink, wish.filter.as_bytes());
                sink.put(&[wish.qos.bits()]);
            }),
            Self::Unsubscribe(filters) => {
                filters.iter().for_each(|filter| put_field(sink, filter.as_bytes()));
            }
        }
    }
}

/// A SUBSCRIBE that came in: a server's side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The exchange.
    pub packet_id: PacketId,
    wishes: &'a [u8],
}

impl<'a> Subscribe<'a> {
    /// Reads the body of a SUBSCRIBE, all of its filters included.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        let wishes = body.rest();
        // [MQTT-3.8.3-3] At least one.
        if body.is_empty() {
            return Err(Malformed::Length);
        }
        while !body.is_empty() {
            take_wish(&mut body)?;
        }
        Ok(Self { packet_id, wishes })
    }

    /// The wishes, in order.
    pub fn subscriptions(&self) -> impl Iterator<Item = Subscription<'a>> + use<'a> {
        let mut rest = Reader::new(self.wishes);
        core::iter::from_fn(move || take_wish(&mut rest).ok())
    }
}

fn take_wish<'a>(body: &mut Reader<'a>) -> Result<Subscription<'a>, Malformed> {
    let filter = take_filter(body)?;
    let qos = body.u8().ok_or(Malformed::Length)?;
    Ok(Subscription { filter, qos: Qos::from_bits(qos).ok_or(Malformed::Flags)? })
}

fn take_filter<'a>(body: &mut Reader<'a>) -> Result<&'a str, Malformed> {
    let filter = take_str(body)?;
    check_filter(filter).map_err(|_| Malformed::Topic)?;
    Ok(filter)
}

impl Text for Subscribe<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        put_list(sink, PacketType::Subscribe, self.packet_id, self.wishes);
    }
}

/// An UNSUBSCRIBE that came in: a server's side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// The exchange.
    pub packet_id: PacketId,
    filters: &'a [u8],
}

impl<'a> Unsubscribe<'a> {
    /// Reads the body of an UNSUBSCRIBE, all of its filters included.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        let filters = body.rest();
        // [MQTT-3.10.3-2] At least one.
        if body.is_empty() {
            return Err(Malformed::Length);
        }
        while !body.is_empty() {
            take_filter(&mut body)?;
        }
        Ok(Self { packet_id, filters })
    }

    /// The filters, in order.
    pub fn filters(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = Reader::new(self.filters);
        core::iter::from_fn(move || take_filter(&mut rest).ok())
    }
}

impl Text for Unsubscribe<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        put_list(sink, PacketType::Unsubscribe, self.packet_id, self.filters);
    }
}

/// The server's answer to SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suback<'a> {
    /// The exchange.
    pub packet_id: PacketId,
    /// One answer for each filter, in their order ([MQTT-3.9.3-1]).
    pub reasons: Reasons<'a>,
}

impl<'a> Suback<'a> {
    /// Reads the body of a SUBACK.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = Reader::new(body);
        let packet_id = take_packet_id(&mut body)?;
        let codes = body.rest();
        // [MQTT-3.9.3-2] All other codes are reserved.
        if !codes.iter().all(|code| matches!(code, 0..=2 | 0x80)) {
            return Err(Malformed::Value);
        }
        Ok(Self { packet_id, reasons: Reasons { codes } })
    }

    /// An answer to the exchange `packet_id`, one code a filter.
    pub const fn new(packet_id: PacketId, codes: &'a [u8]) -> Self {
        Self { packet_id, reasons: Reasons { codes } }
    }
}

impl Text for Suback<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        put_list(sink, PacketType::Suback, self.packet_id, self.reasons.codes);
    }
}

/// The answers to a SUBSCRIBE, in the order of its filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reasons<'a> {
    codes: &'a [u8],
}

impl<'a> Reasons<'a> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Each answer: the granted QoS, or the refusal.
    pub fn iter(&self) -> impl Iterator<Item = ReasonCode> + use<'a> {
        self.codes.iter().map(|code| ReasonCode::new(*code))
    }
}

fn put_list(sink: &mut dyn Sink, packet_type: PacketType, packet_id: PacketId, rest: &[u8]) {
    put_header(sink, packet_type.first(), rest.len().saturating_add(2));
    sink.put(&packet_id.value().to_be_bytes());
    sink.put(rest);
}
