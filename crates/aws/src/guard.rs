//! What AWS IoT Core would answer by dropping the connection, refused before it is sent.

use crate::{Breach, Rule, topic};
use core::num::NonZeroU16;
use dunlin::{Connect, Head, Message, Properties, Qos, Subscription};

/// Least keep alive that AWS IoT Core knows, in seconds; a shorter one counts as this.
pub const KEEP_ALIVE_MIN_S: u16 = 30;
/// Longest keep alive that it knows, in seconds; a longer one and none at all count as this.
pub const KEEP_ALIVE_MAX_S: u16 = 1_200;
/// Longest life of a session without a connection, in seconds: seven days.
pub const SESSION_EXPIRY_MAX_S: u32 = 7 * 86_400;
/// How many topic aliases it has in each direction.
pub const TOPIC_ALIASES_MAX: u16 = 8;
/// How many messages of QoS 1 it takes from one connection before they are acknowledged; it ends a
/// connection with one more, and says so beforehand in MQTT 5.0 alone.
pub const IN_FLIGHT_MAX: NonZeroU16 = NonZeroU16::MIN.saturating_add(99);
/// How long a connection stands at most, in milliseconds: a day.
pub const CONNECTION_MAX_MS: u64 = 86_400_000;
/// A client identifier that begins so was made by AWS, for one connection.
pub const GENERATED_CLIENT_ID: &str = "$GEN/";

/// What to ask for when `wanted_s` is wanted as keep alive, in seconds.
///
/// Less than [`KEEP_ALIVE_MIN_S`] stays: AWS waits as long as for that, but this side notices the sooner
/// that a connection is dead.
pub const fn keep_alive_s(wanted_s: u16) -> u16 {
    match wanted_s {
        1..=KEEP_ALIVE_MAX_S => wanted_s,
        _ => KEEP_ALIVE_MAX_S,
    }
}

/// The session expiry that holds when `wanted_s` is asked for, in seconds.
pub const fn session_expiry_s(wanted_s: u32) -> u32 {
    if wanted_s > SESSION_EXPIRY_MAX_S { SESSION_EXPIRY_MAX_S } else { wanted_s }
}

/// Knows the rules; ask it before each command, and send nothing that it refuses.
///
/// What MQTT itself forbids, it leaves to the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Guard;

impl Guard {
    /// Whether a CONNECT is taken, its will included.
    pub fn check_connect(&self, connect: &Connect<'_>) -> Result<(), Breach> {
        let Connect { client_id, will, .. } = connect;
        Breach::unless_within(Rule::ClientIdLength, client_id.len())?;
        if client_id.starts_with('$') {
            return Err(Breach::of(Rule::ClientIdReserved));
        }
        will.as_ref().map_or(Ok(()), |will| self.check_message(will))
    }

    /// Whether a message is taken.
    pub fn check_message(&self, message: &Message<'_>) -> Result<(), Breach> {
        self.check_publish(&message.head, message.payload.len())
    }

    /// Whether a message with a payload of `len` bytes is taken.
    pub fn check_publish(&self, head: &Head<'_>, len: usize) -> Result<(), Breach> {
        check_qos(head.qos)?;
        topic::check_topic(head.topic)?;
        Breach::unless_within(Rule::Payload, len)
    }

    /// Whether a SUBSCRIBE is taken by a connection that has `active` subscriptions.
    ///
    /// Split what has more than 8 filters, and count as active what has been asked for.
    pub fn check_subscribe(
        &self,
        wishes: &[Subscription<'_>],
        properties: Properties<'_>,
        active: usize,
    ) -> Result<(), Breach> {
        Breach::unless_within(Rule::FiltersPerPacket, wishes.len())?;
        self.check_subscriptions(wishes, properties)?;
        self.check_count(active.saturating_add(wishes.len()))
    }

    /// The same for wishes that will be split into packets, and without a count of subscriptions.
    pub fn check_subscriptions(
        &self,
        wishes: &[Subscription<'_>],
        properties: Properties<'_>,
    ) -> Result<(), Breach> {
        if properties.subscription_identifiers().next().is_some() {
            return Err(Breach::of(Rule::SubscriptionIdentifier));
        }
        wishes.iter().try_for_each(|wish| {
            check_qos(wish.qos)?;
            topic::check_filter(wish.filter)
        })
    }

    /// Whether a connection can have so many subscriptions.
    pub fn check_count(&self, subscriptions: usize) -> Result<(), Breach> {
        Breach::unless_within(Rule::Subscriptions, subscriptions)
    }
}

fn check_qos(qos: Qos) -> Result<(), Breach> {
    Breach::unless_within(Rule::Qos, usize::from(qos.bits()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin::{Property, mqtt::SubscriptionId};
    use std::{string::String, vec, vec::Vec};

    const GUARD: Guard = Guard;

    fn breach(rule: Rule, found: usize) -> Result<(), Breach> {
        Err(Breach { rule, found })
    }

    #[test]
    fn message_of_qos_2_is_refused_as_will_as_message_and_as_subscription() {
        let refused = breach(Rule::Qos, 2);
        let twice = Message::new("a", b"", Qos::ExactlyOnce);
        assert_eq!(GUARD.check_message(&twice), refused);
        let connect = Connect { will: Some(twice), ..Connect::new("c") };
        assert_eq!(GUARD.check_connect(&connect), refused);
        let wish = [Subscription::new("a", Qos::ExactlyOnce)];
        assert_eq!(GUARD.check_subscribe(&wish, Properties::NONE, 0), refused);
        let once = Message::new("a", b"", Qos::AtLeastOnce);
        assert_eq!(GUARD.check_message(&once), Ok(()));
        let connect = Connect { will: Some(once), ..Connect::new("c") };
        assert_eq!(GUARD.check_connect(&connect), Ok(()));
    }

    #[test]
    fn payload_of_128_kib_is_taken_and_one_byte_more_is_not() {
        let payload = vec![0; (128 << 10) + 1];
        let message = |len: usize| Message::new("a", &payload[..len], Qos::AtMostOnce);
        assert_eq!(GUARD.check_message(&message(128 << 10)), Ok(()));
        let longer = message(payload.len());
        assert_eq!(GUARD.check_message(&longer), breach(Rule::Payload, payload.len()));
        let connect = Connect { will: Some(longer), ..Connect::new("c") };
        assert_eq!(GUARD.check_connect(&connect), breach(Rule::Payload, payload.len()));
    }

    #[test]
    fn client_id_of_128_bytes_is_taken_and_a_longer_or_reserved_one_is_not() {
        let check = |id: &str| GUARD.check_connect(&Connect::new(id));
        assert_eq!(check(""), Ok(()));
        assert_eq!(check(&"c".repeat(128)), Ok(()));
        assert_eq!(check(&"c".repeat(129)), breach(Rule::ClientIdLength, 129));
        for id in ["$", "$GEN/9b1e", "$c"] {
            assert_eq!(check(id), Err(Breach::of(Rule::ClientIdReserved)), "{id}");
        }
    }

    fn filters(count: usize) -> Vec<String> {
        (0..count).map(|n| std::format!("f/{n}")).collect()
    }

    fn wishes(filters: &[String]) -> Vec<Subscription<'_>> {
        filters.iter().map(|filter| Subscription::new(filter, Qos::AtLeastOnce)).collect()
    }

    #[test]
    fn eight_filters_are_taken_and_a_ninth_is_not() {
        let nine = filters(9);
        let check =
            |count: usize| GUARD.check_subscribe(&wishes(&nine[..count]), Properties::NONE, 0);
        assert_eq!(check(8), Ok(()));
        assert_eq!(check(9), breach(Rule::FiltersPerPacket, 9));
        assert_eq!(GUARD.check_subscriptions(&wishes(&nine), Properties::NONE), Ok(()));
    }

    #[test]
    fn fiftieth_subscription_is_taken_and_the_next_is_not() {
        let one = filters(1);
        let check = |active| GUARD.check_subscribe(&wishes(&one), Properties::NONE, active);
        assert_eq!(check(49), Ok(()));
        assert_eq!(check(50), breach(Rule::Subscriptions, 51));
        assert_eq!(check(usize::MAX), breach(Rule::Subscriptions, usize::MAX));
    }

    #[test]
    fn filter_of_a_subscription_is_looked_at_with_its_qos() {
        let wish = [Subscription::new("1/2/3/4/5/6/7/8/9", Qos::AtLeastOnce)];
        let refused = breach(Rule::TopicDepth, 8);
        assert_eq!(GUARD.check_subscribe(&wish, Properties::NONE, 0), refused);
        assert_eq!(GUARD.check_subscriptions(&wish, Properties::NONE), refused);
    }

    #[test]
    fn subscription_identifier_is_refused() {
        let one = filters(1);
        let list = [Property::SubscriptionIdentifier(SubscriptionId::new(1).unwrap())];
        let refused = GUARD.check_subscribe(&wishes(&one), Properties::new(&list), 0);
        assert_eq!(refused, Err(Breach::of(Rule::SubscriptionIdentifier)));
    }

    #[test]
    fn keep_alive_and_session_expiry_are_brought_into_their_range() {
        for (wanted, holds) in
            [(0, 1_200), (1, 1), (30, 30), (1_200, 1_200), (1_201, 1_200), (u16::MAX, 1_200)]
        {
            assert_eq!(keep_alive_s(wanted), holds, "{wanted}");
        }
        assert_eq!(session_expiry_s(604_800), 604_800);
        assert_eq!(session_expiry_s(u32::MAX), 604_800);
    }
}
