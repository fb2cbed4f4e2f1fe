//! Topic aliases (MQTT 5.0 §3.3.2.3.4): numbers that stand for topics on one connection.

mod rewrite;
mod table;

use crate::{FixedHeader, Limits, Misbehaved, PacketType, Publish, Version};
use core::num::NonZeroU16;
use dunlin_octet::Buffer;
pub use rewrite::Parts;
use table::Table;

/// Most topics that get an alias towards the server at a time; the one unused longest gives way.
pub const OUTGOING_ALIASES_MAX: u16 = 64;

/// A shorter topic costs no more than the property that would stand for it.
const TOPIC_WORTH_AN_ALIAS: usize = 4;

/// The aliases of one connection, both ways ([MQTT-3.3.2-10]).
#[derive(Debug)]
pub struct Aliases<A> {
    incoming: Table<A>,
    maximum: u16,
    outgoing: Table<A>,
    choice: Choice,
}

/// What the packet that is lent out goes out as; the same until it is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Undecided,
    AsItIs,
    /// With the alias beside the topic, from now on known to the server.
    Announced(NonZeroU16),
    /// With the alias in place of the topic.
    Replaced(NonZeroU16),
}

impl Aliases<[u8; 0]> {
    /// No memory, no aliases.
    pub const NONE: Self = Self::new([], 0, []);
}

impl<A> Aliases<A> {
    /// Memory for the topics of the server's aliases, of which it may use 1 to `maximum`, and for the
    /// topics of this side's. Each topic takes 8 bytes beside its own.
    ///
    /// A server whose topics find no room in `incoming` loses the connection: 65,543 bytes for each
    /// alias are always enough.
    pub const fn new(incoming: A, maximum: u16, outgoing: A) -> Self {
        Self {
            incoming: Table::new(incoming),
            maximum,
            outgoing: Table::new(outgoing),
            choice: Choice::Undecided,
        }
    }

    /// The highest alias that the server may use.
    pub const fn maximum(&self) -> u16 {
        self.maximum
    }
}

impl<A: Buffer> Aliases<A> {
    /// The topic of a message: its own, which its alias stands for from now on, or that of its alias.
    pub fn resolve<'t>(&'t mut self, publish: &Publish<'t>) -> Result<&'t str, Misbehaved> {
        let head = &publish.message.head;
        if !Version::V5.is_in_build() {
            return Ok(head.topic);
        }
        let Some(alias) = head.properties.topic_alias() else { return Ok(head.topic) };
        // [MQTT-3.1.2-26], [MQTT-3.1.2-27]
        if alias.get() > self.maximum {
            return Err(Misbehaved::TopicAlias);
        }
        if head.topic.is_empty() {
            return self.incoming.topic(alias).ok_or(Misbehaved::UnknownAlias);
        }
        // [MQTT-3.3.2-12] The newest topic counts.
        if self.incoming.topic(alias) != Some(head.topic) {
            self.incoming.remove(alias);
            if !self.incoming.insert(alias, head.topic) {
                return Err(Misbehaved::TopicAlias);
            }
        }
        Ok(head.topic)
    }

    /// What the packet that a session has lent out goes out as, where an alias saves bytes; `None` where
    /// it goes out as it is. The same answer until [`Aliases::handle_sent`].
    #[inline]
    pub fn apply<'p>(&mut self, packet: &'p [u8], limits: &Limits) -> Option<Parts<'p>> {
        if !Version::V5.is_in_build() {
            return None;
        }
        if self.choice == Choice::Undecided {
            self.choice = self.choose(packet, limits);
        }
        match self.choice {
            Choice::Undecided | Choice::AsItIs => None,
            Choice::Announced(alias) => Parts::new(packet, alias, true),
            Choice::Replaced(alias) => Parts::new(packet, alias, false),
        }
    }

    /// The packet is out.
    pub const fn handle_sent(&mut self) {
        self.choice = Choice::Undecided;
    }

    #[inline]
    fn choose(&mut self, packet: &[u8], limits: &Limits) -> Choice {
        let most = limits.topic_alias_maximum.min(OUTGOING_ALIASES_MAX);
        let publish =
            packet.first().is_some_and(|first| first >> 4 == PacketType::Publish.first() >> 4);
        if most == 0 || !publish || self.outgoing.limit() == 0 {
            return Choice::AsItIs;
        }
        self.choose_alias(packet, limits, most)
    }

    /// The same for a PUBLISH, where there may be aliases up to `most`; apart, so that other packets pay
    /// for none of it.
    #[inline(never)]
    fn choose_alias(&mut self, packet: &[u8], limits: &Limits, most: u16) -> Choice {
        let Ok(Some((header, len))) = FixedHeader::decode(Version::V5, packet) else {
            return Choice::AsItIs;
        };
        let body = packet.get(len..).unwrap_or_default();
        let Ok(publish) = Publish::decode(Version::V5, header.flags, body) else {
            return Choice::AsItIs;
        };
        let topic = publish.message.head.topic;
        if topic.len() < TOPIC_WORTH_AN_ALIAS {
            return Choice::AsItIs;
        }
        if let Some(alias) = self.outgoing.find(topic) {
            return Choice::Replaced(alias);
        }
        // The property makes the packet longer, and perhaps its lengths.
        if limits.check_len(packet.len().saturating_add(rewrite::ADDED_MAX)).is_err() {
            return Choice::AsItIs;
        }
        match self.outgoing.insert_instead(topic, most) {
            Some(alias) => Choice::Announced(alias),
            None => Choice::AsItIs,
        }
    }
}

#[cfg(feature = "defmt")]
impl<A> defmt::Format for Aliases<A> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Aliases {{ maximum: {=u16} }}", self.maximum);
    }
}

#[cfg(test)]
mod tests;
