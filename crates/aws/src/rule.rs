//! The rules that AWS IoT Core enforces by dropping the connection, by name.

use core::fmt;

/// A rule of AWS IoT Core beyond MQTT ("AWS IoT Core message broker and protocol limits and quotas",
/// AWS General Reference; "AWS IoT differences from MQTT specifications" and "Reserved topics", AWS IoT
/// Core developer guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Rule {
    /// Nothing goes with QoS 2.
    Qos,
    /// A payload has 128 KiB at most.
    Payload,
    /// A topic or filter has 256 bytes at most, not counting `$aws/rules/<rule>/` and `$share/<group>/`.
    TopicLength,
    /// A topic or filter has 7 slashes at most, not counting those of the same prefixes.
    TopicDepth,
    /// Topics that begin with `$` are those that AWS has defined, for whom it has defined them.
    ReservedTopic,
    /// A SUBSCRIBE has 8 filters at most.
    FiltersPerPacket,
    /// A connection has 50 subscriptions at most.
    Subscriptions,
    /// Subscriptions have no identifier.
    SubscriptionIdentifier,
    /// A client identifier has 128 bytes at most.
    ClientIdLength,
    /// A client identifier does not begin with `$`.
    ClientIdReserved,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Qos,
        Self::Payload,
        Self::TopicLength,
        Self::TopicDepth,
        Self::ReservedTopic,
        Self::FiltersPerPacket,
        Self::Subscriptions,
        Self::SubscriptionIdentifier,
        Self::ClientIdLength,
        Self::ClientIdReserved,
    ];

    /// How the rule is called in errors and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qos => "qos",
            Self::Payload => "payload",
            Self::TopicLength => "topic-length",
            Self::TopicDepth => "topic-depth",
            Self::ReservedTopic => "reserved-topic",
            Self::FiltersPerPacket => "filters-per-packet",
            Self::Subscriptions => "subscriptions",
            Self::SubscriptionIdentifier => "subscription-identifier",
            Self::ClientIdLength => "client-id-length",
            Self::ClientIdReserved => "client-id-reserved",
        }
    }

    /// The most that there may be; `None` for a rule without a number.
    pub const fn limit(self) -> Option<usize> {
        match self {
            Self::Qos => Some(1),
            Self::Payload => Some(128 << 10),
            Self::TopicLength => Some(256),
            Self::TopicDepth => Some(7),
            Self::FiltersPerPacket => Some(8),
            Self::Subscriptions => Some(50),
            Self::ClientIdLength => Some(128),
            Self::ReservedTopic | Self::SubscriptionIdentifier | Self::ClientIdReserved => None,
        }
    }

    /// What is counted, behind the number.
    const fn unit(self) -> &'static str {
        match self {
            Self::Qos => "as QoS",
            Self::Payload | Self::TopicLength | Self::ClientIdLength => "bytes",
            Self::TopicDepth => "slashes",
            Self::FiltersPerPacket => "filters",
            Self::Subscriptions => "subscriptions",
            Self::ReservedTopic | Self::SubscriptionIdentifier | Self::ClientIdReserved => "",
        }
    }

    /// What AWS would do.
    const fn consequence(self) -> &'static str {
        match self {
            Self::Qos => "would never answer",
            Self::SubscriptionIdentifier => "takes no subscription identifiers",
            Self::ClientIdReserved => "keeps client identifiers that begin with $ for itself",
            Self::ReservedTopic => {
                "keeps topics that begin with $ for itself, and would drop the connection"
            }
            _ => "would drop the connection",
        }
    }

    /// What to do instead.
    const fn advice(self) -> &'static str {
        match self {
            Self::Qos => "use QoS 1, and an identifier of your own against repetitions",
            Self::Payload => "split it, or put it into S3 and publish where it is",
            Self::TopicLength => "use shorter names",
            Self::TopicDepth => "use fewer levels",
            Self::ReservedTopic => {
                "use a topic without $, or one of those that AWS documents, in the direction that \
                 it documents"
            }
            Self::FiltersPerPacket => "subscribe in several packets",
            Self::Subscriptions => {
                "use wildcards, unsubscribe from what is not needed, or open another connection"
            }
            Self::SubscriptionIdentifier => "tell messages apart by their topics",
            Self::ClientIdLength => "choose a shorter one",
            Self::ClientIdReserved => "choose another one",
        }
    }
}

/// What breaks a rule of AWS IoT Core, found before anything was sent. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// How much there is of what the rule counts; 0 where it counts nothing.
    pub found: usize,
}

impl Breach {
    /// A breach of a rule without a number.
    pub(crate) const fn of(rule: Rule) -> Self {
        Self { rule, found: 0 }
    }

    /// The breach, if there is more than the rule allows.
    pub(crate) fn unless_within(rule: Rule, found: usize) -> Result<(), Self> {
        match rule.limit() {
            Some(limit) if found > limit => Err(Self { rule, found }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, found } = *self;
        write!(f, "AWS IoT rule {}", rule.name())?;
        if let Some(limit) = rule.limit() {
            write!(f, " (at most {limit} {}, not {found})", rule.unit())?;
        }
        write!(f, ": it {}; {}", rule.consequence(), rule.advice())
    }
}

impl core::error::Error for Breach {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, string::ToString};

    #[test]
    fn breach_displayed_names_rule_number_consequence_and_advice() {
        let names: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), Rule::ALL.len(), "each has its own name");
        for rule in Rule::ALL {
            let text = Breach { rule, found: 4_711 }.to_string();
            assert!(text.contains(rule.name()) && text.contains(": it "), "{text}");
            assert!(text.contains(rule.advice()), "{text}");
            let Some(limit) = rule.limit() else { continue };
            assert!(text.contains(&limit.to_string()) && text.contains("4711"), "{text}");
        }
        let depth = Breach { rule: Rule::TopicDepth, found: 9 };
        assert_eq!(
            depth.to_string(),
            "AWS IoT rule topic-depth (at most 7 slashes, not 9): it would drop the connection; \
             use fewer levels"
        );
    }
}
