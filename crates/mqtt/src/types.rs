//! The small values that packets are made of.

use crate::PACKET_BODY_MAX;
use core::num::{NonZeroU16, NonZeroU32};

/// Which of the two versions a connection speaks; chosen when it opens, the same until it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Version {
    /// MQTT 3.1.1.
    #[default]
    V3,
    /// MQTT 5.0.
    V5,
}

impl Version {
    /// The same, or the one version that this build speaks: with one of the features `v3` and `v5`, the
    /// code of the other is left out, and a connection of the other cannot be opened.
    #[inline(always)]
    pub const fn in_build(self) -> Self {
        match (cfg!(feature = "v3"), cfg!(feature = "v5")) {
            (true, false) => Self::V3,
            (false, true) => Self::V5,
            _ => self,
        }
    }

    /// Whether this build speaks it.
    pub(crate) const fn is_in_build(self) -> bool {
        matches!((self, self.in_build()), (Self::V3, Self::V3) | (Self::V5, Self::V5))
    }

    /// The protocol level in CONNECT (MQTT 3.1.1 §3.1.2.2, MQTT 5.0 §3.1.2.2).
    pub const fn level(self) -> u8 {
        match self {
            Self::V3 => 4,
            Self::V5 => 5,
        }
    }

    /// The version of a protocol level; `None` for those that are not spoken here.
    pub const fn from_level(level: u8) -> Option<Self> {
        match level {
            4 => Some(Self::V3),
            5 => Some(Self::V5),
            _ => None,
        }
    }
}

/// How often a message may arrive (MQTT 3.1.1 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Qos {
    /// Once or never; never acknowledged.
    #[default]
    AtMostOnce,
    /// Once or more often; acknowledged by PUBACK.
    AtLeastOnce,
    /// Exactly once; acknowledged in two steps.
    ExactlyOnce,
}

impl Qos {
    /// Whether this build knows messages of it: without the feature `qos2`, none of QoS 2.
    #[inline(always)]
    pub const fn is_in_build(self) -> bool {
        cfg!(feature = "qos2") || !matches!(self, Self::ExactlyOnce)
    }

    /// The two bits on the wire.
    pub const fn bits(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }

    /// The QoS that the two bits mean; there is none for 3 (v3.1.1: [MQTT-3.3.1-4]).
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// Identifies one exchange in flight; never zero (v3.1.1: [MQTT-2.3.1-1]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The identifier `id`; there is none for 0.
    pub const fn new(id: u16) -> Option<Self> {
        match NonZeroU16::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn value(self) -> u16 {
        self.0.get()
    }
}

/// Names a subscription in the messages that come for it: 1 to 268,435,455 (MQTT 5.0 §3.8.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SubscriptionId(NonZeroU32);

impl SubscriptionId {
    /// The identifier `id`; there is none for 0, nor above 268,435,455.
    pub fn new(id: u32) -> Option<Self> {
        let fits = usize::try_from(id).is_ok_and(|id| id <= PACKET_BODY_MAX);
        NonZeroU32::new(id).filter(|_| fits).map(Self)
    }

    /// The number on the wire.
    pub const fn value(self) -> u32 {
        self.0.get()
    }
}
