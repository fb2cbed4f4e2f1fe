//! Messages of QoS 2 that have come, and that the server has not released yet.

use crate::{AckToken, PacketId};

/// Stands in a token for a message of QoS 2, whose place is found by its identifier.
pub(crate) const EXACTLY_ONCE: u16 = u16::MAX;

#[derive(Clone, Copy, Debug)]
struct Arrival {
    id: u16,
    /// Tells this message from an earlier one with the same identifier.
    serial: u16,
    /// The program has let go of it.
    taken: bool,
    /// The server may have forgotten it, and use the identifier for another message.
    doubtful: bool,
}

const NOTHING: Arrival = Arrival { id: 0, serial: 0, taken: false, doubtful: false };

/// The identifiers of up to `N` messages: one that comes again is not handed over again
/// ([MQTT-4.3.3-2]). They outlive connections.
#[derive(Debug)]
pub(crate) struct Received<const N: usize> {
    arrivals: [Arrival; N],
    len: usize,
    serial: u16,
}

impl<const N: usize> Received<N> {
    pub(crate) const fn new() -> Self {
        Self { arrivals: [NOTHING; N], len: 0, serial: 0 }
    }

    /// The server has forgotten them, and so do we.
    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    /// The server may have forgotten them: one that is not marked as a repetition is another message.
    pub(crate) fn doubt(&mut self) {
        for arrival in &mut self.arrivals {
            arrival.doubtful = true;
        }
    }

    /// Whether the message with this identifier has been handed over, and is not to be again.
    pub(crate) fn is_repeat(&self, id: PacketId, duplicate: bool) -> bool {
        self.live()
            .iter()
            .any(|arrival| arrival.id == id.value() && (duplicate || !arrival.doubtful))
    }

    /// A message has come; says what stands for it until the program lets go.
    pub(crate) fn push(&mut self, id: PacketId) -> Option<AckToken> {
        // A server that knew those in doubt would neither use the identifier of one again, nor have
        // more under way than there is room for: it has forgotten them.
        if self.len >= N || self.live().iter().any(|arrival| arrival.id == id.value()) {
            self.drop_doubtful();
        }
        let serial = self.serial.wrapping_add(1);
        let arrival = Arrival { id: id.value(), serial, ..NOTHING };
        *self.arrivals.get_mut(self.len)? = arrival;
        self.serial = serial;
        self.len = self.len.saturating_add(1);
        Some(AckToken { packet_id: id, place: EXACTLY_ONCE, epoch: serial })
    }

    /// Whether the program has let go of the message with this identifier.
    pub(crate) fn is_taken(&self, id: PacketId) -> bool {
        self.live().iter().any(|arrival| arrival.id == id.value() && arrival.taken)
    }

    /// The program lets go of a message; says whether it still held it.
    pub(crate) fn settle(&mut self, token: AckToken) -> bool {
        let live = self.arrivals.get_mut(..self.len).unwrap_or_default();
        let mut held = live.iter_mut().filter(|arrival| !arrival.taken);
        let id = token.packet_id.value();
        let arrival = held.find(|arrival| arrival.id == id && arrival.serial == token.epoch);
        arrival.map(|arrival| arrival.taken = true).is_some()
    }

    /// PUBREL has come: the identifier may be used for another message.
    pub(crate) fn remove(&mut self, id: PacketId) {
        let Some(place) = self.live().iter().position(|arrival| arrival.id == id.value()) else {
            return;
        };
        let last = self.len.saturating_sub(1);
        let Some(moved) = self.arrivals.get(last).copied() else { return };
        if let Some(gone) = self.arrivals.get_mut(place) {
            *gone = moved;
        }
        self.len = last;
    }

    fn live(&self) -> &[Arrival] {
        self.arrivals.get(..self.len).unwrap_or_default()
    }

    fn drop_doubtful(&mut self) {
        for _ in 0..N {
            let doubtful = self.live().iter().find(|arrival| arrival.doubtful);
            let Some(id) = doubtful.and_then(|arrival| PacketId::new(arrival.id)) else { return };
            self.remove(id);
        }
    }
}
