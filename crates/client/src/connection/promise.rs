//! What the CONNECT says that this side takes.

use super::Connection;
use crate::{Oversize, Properties, Property, Version};
use core::num::{NonZeroU16, NonZeroU32};
use dunlin_octet::Buffer;

impl<B: Buffer, A: Buffer> Connection<'_, B, A> {
    /// The properties of the CONNECT that follow from the memory of both ends.
    pub(super) fn own_properties<const N: usize>(&self) -> ([Property<'static>; 3], usize) {
        let mut list = [Property::TopicAliasMaximum(0); 3];
        if self.connect.version.in_build() == Version::V3 {
            return (list, 0);
        }
        let given = &self.connect.properties;
        let receive_maximum = u16::try_from(N).ok().and_then(NonZeroU16::new);
        let maximum_packet_size = u32::try_from(self.inbox.limit()).ok().and_then(NonZeroU32::new);
        let topic_alias_maximum = self.aliases.maximum();
        let own = [
            receive_maximum
                .filter(|_| given.receive_maximum().is_none())
                .map(Property::ReceiveMaximum),
            maximum_packet_size
                .filter(|_| given.maximum_packet_size().is_none())
                .filter(|_| self.oversize == Oversize::Refuse)
                .map(Property::MaximumPacketSize),
            (topic_alias_maximum > 0).then_some(Property::TopicAliasMaximum(topic_alias_maximum)),
        ];
        let mut len: usize = 0;
        for property in own.into_iter().flatten() {
            if let Some(place) = list.get_mut(len) {
                *place = property;
                len = len.saturating_add(1);
            }
        }
        (list, len)
    }
}

/// Whether a CONNECT promises to take more than the session and the connection hold.
pub(super) fn promises_too_much(
    properties: &Properties<'_>,
    inflight: usize,
    limit: usize,
    oversize: Oversize,
) -> bool {
    let messages = properties.receive_maximum().map_or(0, |maximum| usize::from(maximum.get()));
    messages > inflight
        || (oversize == Oversize::Refuse
            && properties.maximum_packet_size().is_some()
            && longest_promised(properties) > limit)
        || properties.topic_alias_maximum().is_some()
}

/// The longest packet that the properties of a CONNECT allow, in bytes.
pub(super) fn longest_promised(properties: &Properties<'_>) -> usize {
    let maximum = properties.maximum_packet_size();
    maximum.map_or(usize::MAX, |it| usize::try_from(it.get()).unwrap_or(usize::MAX))
}
