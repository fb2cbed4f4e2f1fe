//! What the broker takes on one connection, and holds the client to.

use crate::sim::{Bug, Random};
use dunlin_mqtt::{Connect, Packet, Property, Publish, Qos, Version};
use std::num::{NonZeroU16, NonZeroU32};

/// The limits of a CONNACK of MQTT 5.0; `None` and true are left out of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grants {
    pub(super) receive_maximum: Option<NonZeroU16>,
    pub(super) maximum_packet_size: Option<NonZeroU32>,
    pub(super) topic_alias_maximum: u16,
    pub(super) keep_alive_s: Option<u16>,
    pub(super) expiry_s: Option<u32>,
    maximum_qos: Option<Qos>,
    retain: bool,
    wildcards: bool,
}

impl Grants {
    pub(super) const NONE: Self = Self {
        receive_maximum: None,
        maximum_packet_size: None,
        topic_alias_maximum: 0,
        keep_alive_s: None,
        expiry_s: None,
        maximum_qos: None,
        retain: true,
        wildcards: true,
    };

    /// Any limits, in `percent` of a hundred cases.
    pub(super) fn draw(percent: u64, asked_expiry_s: u32, random: &mut Random) -> Self {
        if !random.chance(percent) {
            return Self { topic_alias_maximum: random.below(5) as u16, ..Self::NONE };
        }
        let mut some = |percent| random.chance(percent).then(|| random.number());
        Self {
            receive_maximum: some(60).and_then(|it| NonZeroU16::new(1 + (it % 8) as u16)),
            maximum_packet_size: some(40).and_then(|it| NonZeroU32::new(64 + (it % 600) as u32)),
            topic_alias_maximum: some(80).map_or(0, |it| (it % 5) as u16),
            keep_alive_s: some(40).map(|it| [3, 5, 15][(it % 3) as usize]),
            expiry_s: some(40)
                .filter(|_| asked_expiry_s > 0)
                .map(|it| [1, 10, 600][(it % 3) as usize]),
            maximum_qos: some(20)
                .map(|it| if it % 2 == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce }),
            retain: some(30).is_none(),
            wildcards: some(30).is_none(),
        }
    }

    /// What CONNACK says of it, unless the fault is not to listen.
    pub(super) fn properties(&self, bug: Option<Bug>) -> Vec<Property<'static>> {
        let says = |fault| bug != Some(fault);
        let quota = self.receive_maximum.filter(|_| says(Bug::QuotaIgnored));
        let mut list: Vec<_> = quota.map(Property::ReceiveMaximum).into_iter().collect();
        if self.topic_alias_maximum > 0 {
            list.push(Property::TopicAliasMaximum(self.topic_alias_maximum));
        }
        if says(Bug::KeepAliveIgnored) {
            list.extend(self.keep_alive_s.map(Property::ServerKeepAlive));
        }
        list.extend(self.expiry_s.map(Property::SessionExpiryInterval));
        if says(Bug::LimitsIgnored) {
            list.extend(self.maximum_packet_size.map(Property::MaximumPacketSize));
            list.extend(self.maximum_qos.map(Property::MaximumQos));
            list.extend((!self.retain).then_some(Property::RetainAvailable(false)));
            let no_wildcards = Property::WildcardSubscriptionAvailable(false);
            list.extend((!self.wildcards).then_some(no_wildcards));
        }
        list
    }

    /// [MQTT-3.2.2-11], [MQTT-3.2.2-14], [MQTT-3.2.2-15]
    pub(super) fn check(&self, packet: &Packet<'_>, len: usize) -> Result<(), String> {
        if self.maximum_packet_size.is_some_and(|most| len > most.get() as usize) {
            return Err(format!("{len} bytes, with {:?}", self.maximum_packet_size));
        }
        match packet {
            Packet::Publish(Publish { message, .. }) => {
                if self.maximum_qos.is_some_and(|most| message.head.qos > most) {
                    return Err(format!("{:?}, with {:?}", message.head.qos, self.maximum_qos));
                }
                if message.head.retain && !self.retain {
                    return Err("a message to be kept, where none is".into());
                }
            }
            Packet::Subscribe(subscribe) => {
                let mut wishes = subscribe.subscriptions();
                if !self.wildcards && wishes.any(|it| it.filter.contains(['+', '#'])) {
                    return Err("wildcards, where none are taken".into());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// What the client takes, as its CONNECT says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    pub(super) receive_maximum: usize,
    pub(super) maximum_packet_size: usize,
    pub(super) topic_alias_maximum: usize,
}

impl Asked {
    pub(super) fn of(connect: &Connect<'_>) -> Self {
        let properties = &connect.properties;
        let most = usize::MAX;
        Self {
            version: connect.version,
            receive_maximum: properties.receive_maximum().map_or(most, |it| it.get().into()),
            maximum_packet_size: properties
                .maximum_packet_size()
                .map_or(most, |it| it.get() as usize),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0).into(),
        }
    }
}
