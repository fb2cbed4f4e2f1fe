//! Messages of QoS 2 that have come, and that the server has not released yet.

use crate::{AckToken, PacketId, ReasonCode};

/// Stands in a token for a message of QoS 2, whose place is found by its identifier.
pub(crate) const EXACTLY_ONCE: u16 = u16::MAX;

#[derive(Clone, Copy, Debug)]
struct Arrival {
    id: u16,
    /// Tells this message from an earlier one with the same identifier.
    serial: u16,
    /// The same for a server that has forgotten the earlier one, and reuses its identifier.
    digest: u32,
    /// The program has let go of it.
    taken: bool,
    /// What the program said of it then.
    reason: ReasonCode,
    /// The server may have forgotten it, and use the identifier for another message.
    doubtful: bool,
    /// It came on this connection, and counts towards the Receive Maximum.
    counted: bool,
}

const NOTHING: Arrival = Arrival {
    id: 0,
    serial: 0,
    digest: 0,
    taken: false,
    reason: ReasonCode::SUCCESS,
    doubtful: false,
    counted: false,
};

impl Arrival {
    const fn is_held(&self, token: AckToken) -> bool {
        !self.taken && self.id == token.packet_id.value() && self.serial == token.epoch
    }
}

/// The identifiers of up to `N` messages: one that comes again is not handed over again
/// (v3.1.1: [MQTT-4.3.3-2]). They outlive connections.
///
/// A server with more than `N` under way goes beyond what can be remembered: the oldest that the program
/// has taken are forgotten then, and would be handed over twice if they came again.
#[derive(Debug)]
pub(crate) struct Received<const N: usize> {
    arrivals: [Arrival; N],
    len: usize,
    serial: u16,
    /// How many of them count towards the Receive Maximum.
    counted: u16,
}

impl<const N: usize> Received<N> {
    pub(crate) const fn new() -> Self {
        Self { arrivals: [NOTHING; N], len: 0, serial: 0, counted: 0 }
    }

    /// The server has forgotten them, and so do we.
    pub(crate) const fn clear(&mut self) {
        self.len = 0;
        self.counted = 0;
    }

    /// How many messages count towards the Receive Maximum of this connection.
    pub(crate) const fn counted(&self) -> u16 {
        self.counted
    }

    /// The server may have forgotten them: one that is not marked as a repetition is another message.
    pub(crate) fn doubt(&mut self) {
        for arrival in &mut self.arrivals {
            arrival.doubtful = true;
        }
    }

    /// Whether another message has no place until the program lets go of one.
    pub(crate) fn is_held_full(&self) -> bool {
        let gives_way = |arrival: &Arrival| arrival.taken || arrival.doubtful;
        self.len >= N && !self.live().iter().any(gives_way)
    }

    /// A new connection: nothing counts towards the Receive Maximum.
    pub(crate) fn reset(&mut self) {
        for arrival in &mut self.arrivals {
            arrival.counted = false;
        }
        self.counted = 0;
    }

    /// Counts the message towards the Receive Maximum, once on a connection; the server knows it.
    pub(crate) fn count(&mut self, id: PacketId) {
        let live = self.arrivals.get_mut(..self.len).unwrap_or_default();
        if let Some(arrival) = live.iter_mut().find(|arrival| arrival.id == id.value()) {
            let before = core::mem::replace(&mut arrival.counted, true);
            self.counted = self.counted.saturating_add(u16::from(!before));
            arrival.doubtful = false;
        }
    }

    /// Whether the message counts towards the Receive Maximum.
    pub(crate) fn is_counted(&self, id: PacketId) -> bool {
        self.live().iter().any(|arrival| arrival.id == id.value() && arrival.counted)
    }

    /// Whether a message has been handed over, and is not to be again.
    ///
    /// One that is not marked as a repetition, and has another content, is none: a server that was rolled
    /// back to an older state uses identifiers again.
    pub(crate) fn is_repeat(&self, id: PacketId, duplicate: bool, digest: u32) -> bool {
        let known = self.live().iter().find(|arrival| arrival.id == id.value());
        known.is_some_and(|arrival| duplicate || (!arrival.doubtful && arrival.digest == digest))
    }

    /// A message has come; says what stands for it until the program lets go.
    pub(crate) fn push(&mut self, id: PacketId, digest: u32) -> Option<AckToken> {
        // A server that knew those in doubt would neither use the identifier of one again, nor have
        // more under way than there is room for: it has forgotten them.
        if self.live().iter().any(|arrival| arrival.id == id.value()) {
            self.drop_doubtful();
            self.remove(id);
            self.doubt();
        }
        if self.len >= N {
            self.drop_doubtful();
        }
        if self.len >= N {
            self.drop_oldest();
        }
        let token = self.next_token(id);
        let serial = token.epoch;
        let arrival = Arrival { id: id.value(), serial, digest, ..NOTHING };
        *self.arrivals.get_mut(self.len)? = arrival;
        self.serial = serial;
        self.len = self.len.saturating_add(1);
        Some(token)
    }

    /// What [`Received::push`] will return for `id`, if nothing else is pushed before.
    pub(crate) const fn next_token(&self, id: PacketId) -> AckToken {
        AckToken { packet_id: id, place: EXACTLY_ONCE, epoch: self.serial.wrapping_add(1) }
    }

    /// What the program said of the message with this identifier, if it has let go of it.
    pub(crate) fn verdict(&self, id: PacketId) -> Option<ReasonCode> {
        let arrival = self.live().iter().find(|arrival| arrival.id == id.value())?;
        arrival.taken.then_some(arrival.reason)
    }

    /// Whether the program still holds the message.
    pub(crate) fn is_held(&self, token: AckToken) -> bool {
        self.live().iter().any(|arrival| arrival.is_held(token))
    }

    /// The program lets go of a message; says whether it still held it.
    pub(crate) fn settle(&mut self, token: AckToken, reason: ReasonCode) -> bool {
        let live = self.arrivals.get_mut(..self.len).unwrap_or_default();
        let Some(arrival) = live.iter_mut().find(|arrival| arrival.is_held(token)) else {
            return false;
        };
        arrival.taken = true;
        arrival.reason = reason;
        true
    }

    /// The exchange is over, and the identifier may be used for another message; says whether there was
    /// one.
    pub(crate) fn remove(&mut self, id: PacketId) -> bool {
        let place = self.live().iter().position(|arrival| arrival.id == id.value());
        let last = self.len.saturating_sub(1);
        let moved = self.arrivals.get(last).copied().unwrap_or(NOTHING);
        let Some(place) = place.and_then(|place| self.arrivals.get_mut(place)) else {
            return false;
        };
        let gone = core::mem::replace(place, moved);
        self.len = last;
        self.counted = self.counted.saturating_sub(u16::from(gone.counted));
        true
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

    /// Forgets one of those that the program has let go of: the oldest, those that have come on this
    /// connection last. A server repeats what it has no PUBREC for before all else ([MQTT-4.6.0-1]), and
    /// so knows of the others that they have arrived.
    fn drop_oldest(&mut self) {
        let key = |arrival: &&Arrival| (!arrival.counted, self.serial.wrapping_sub(arrival.serial));
        let oldest = self.live().iter().filter(|arrival| arrival.taken).max_by_key(key);
        if let Some(id) = oldest.and_then(|arrival| PacketId::new(arrival.id)) {
            self.remove(id);
        }
    }
}

/// As much of a payload as tells two messages apart in practice, in bytes.
const DIGEST_MAX: usize = 1_024;

/// What tells a message from others: FNV-1a over the topic, the length of the payload, and its front.
///
/// Of a message that is longer than the receive buffer, `front` is empty on every connection.
pub(crate) fn digest(topic: &str, len: usize, front: &[u8]) -> u32 {
    let front = front.get(..DIGEST_MAX).unwrap_or(front);
    let len = len.to_le_bytes();
    topic
        .as_bytes()
        .iter()
        .chain(&len)
        .chain(front)
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
