//! Messages of QoS 2 that have come, and that the server has not released yet.

mod recorded;

use crate::{AckToken, PacketId, ReasonCode};
use dunlin_octet::{Entry, Places};

/// Stands in a token for a message of QoS 2, whose place is found by its identifier.
pub(crate) const EXACTLY_ONCE: u16 = u16::MAX;

/// What a store has under the identifier of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Nothing,
    /// The message.
    Same,
    /// An earlier one, which is to be removed there.
    Earlier,
    /// The message, which has been released since: only its removal there is missing.
    Gone,
}

/// The program has let go of the message.
const TAKEN: u8 = 1;
/// The server may have forgotten it, and use the identifier for another message.
const DOUBTFUL: u8 = 1 << 1;
/// It came on this connection, and counts towards the Receive Maximum.
const COUNTED: u8 = 1 << 2;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    id: u16,
    /// Tells this message from an earlier one with the same identifier.
    serial: u16,
    /// The same for a server that has forgotten the earlier one, and reuses its identifier.
    digest: u32,
    flags: u8,
    /// What the program said of it when it let go.
    reason: ReasonCode,
    stored: Stored,
}

impl Entry for Arrival {
    const EMPTY: Self = Self {
        id: 0,
        serial: 0,
        digest: 0,
        flags: 0,
        reason: ReasonCode::SUCCESS,
        stored: Stored::Nothing,
    };
}

impl Arrival {
    const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn is_held(&self, token: AckToken) -> bool {
        !self.is(TAKEN) && self.serial == token.epoch && self.is_live(token.packet_id.value())
    }

    fn is_live(&self, id: u16) -> bool {
        self.id == id && self.stored != Stored::Gone
    }

    /// Whether it is not to be handed over again after a crash: what the program has refused ends with
    /// its PUBREC, and may come again until then.
    const fn is_kept(&self) -> bool {
        self.is(TAKEN) && !self.reason.is_error()
    }

    /// Whether a store is to learn something of it.
    const fn is_unrecorded(&self) -> bool {
        match self.stored {
            Stored::Nothing => self.is_kept(),
            Stored::Same => false,
            Stored::Earlier | Stored::Gone => true,
        }
    }
}

/// The identifiers of up to `N` messages: one that comes again is not handed over again
/// (v3.1.1: [MQTT-4.3.3-2]). They outlive connections.
///
/// A server with more than `N` under way goes beyond what can be remembered: the oldest that the program
/// has taken are forgotten then, and would be handed over twice if they came again.
#[derive(Debug)]
pub(crate) struct Received<const N: usize, P = [Arrival; N]> {
    arrivals: P,
    len: usize,
    serial: u16,
    /// How many of them count towards the Receive Maximum.
    counted: u16,
    /// How many of them a store is to learn something of.
    unrecorded: u16,
    /// A store is to learn that all are in doubt.
    doubted: bool,
    /// The identifier of one that has made room, and that a store still has.
    evicted: Option<PacketId>,
}

impl<const N: usize, P: Places<Arrival>> Received<N, P> {
    pub(crate) const fn new() -> Self {
        Self {
            arrivals: P::EMPTY,
            len: 0,
            serial: 0,
            counted: 0,
            unrecorded: 0,
            doubted: false,
            evicted: None,
        }
    }

    /// The server has forgotten them, and so do we; a store is told of it all at once.
    pub(crate) const fn clear(&mut self) {
        self.len = 0;
        self.counted = 0;
        self.unrecorded = 0;
        self.doubted = false;
        self.evicted = None;
    }

    /// How many messages count towards the Receive Maximum of this connection.
    pub(crate) const fn counted(&self) -> u16 {
        self.counted
    }

    /// The server may have forgotten them: one that is not marked as a repetition is another message.
    pub(crate) fn doubt(&mut self) {
        for arrival in self.arrivals.made_mut() {
            arrival.flags |= DOUBTFUL;
        }
        self.doubted = true;
    }

    /// A new connection: nothing counts towards the Receive Maximum.
    pub(crate) fn reset(&mut self) {
        for arrival in self.arrivals.made_mut() {
            arrival.flags &= !COUNTED;
        }
        self.counted = 0;
    }

    /// Counts the message towards the Receive Maximum, once on a connection; the server knows it.
    pub(crate) fn count(&mut self, id: PacketId) {
        let Some((place, mut arrival)) = self.find(id) else { return };
        // A store has it in doubt, and is to have it again.
        if arrival.is(DOUBTFUL) && arrival.stored == Stored::Same {
            arrival.stored = Stored::Earlier;
        }
        arrival.flags = arrival.flags & !DOUBTFUL | COUNTED;
        self.update(place, arrival);
    }

    /// Whether the message counts towards the Receive Maximum.
    pub(crate) fn is_counted(&self, id: PacketId) -> bool {
        self.find(id).is_some_and(|(_, arrival)| arrival.is(COUNTED))
    }

    /// Whether a message has been handed over, and is not to be again.
    ///
    /// One that is not marked as a repetition, and has another content, is none: a server that was rolled
    /// back to an older state uses identifiers again.
    pub(crate) fn is_repeat(&self, id: PacketId, duplicate: bool, digest: u32) -> bool {
        self.find(id).is_some_and(|(_, arrival)| {
            let same = arrival.digest == digest;
            // In doubt, only what is both can be nothing else.
            if arrival.is(DOUBTFUL) { duplicate && same } else { duplicate || same }
        })
    }

    /// A message has come; says what stands for it until the program lets go.
    pub(crate) fn push(&mut self, id: PacketId, digest: u32) -> Option<AckToken> {
        // A server that knew those in doubt would neither use the identifier of one again, nor have
        // more under way than there is room for: it has forgotten them.
        if self.find(id).is_some() {
            self.drop_doubtful();
            self.remove(id);
            self.doubt();
        }
        let gone = self.live().iter().position(|arrival| arrival.id == id.value());
        if gone.is_none() {
            self.make_room();
        }
        let token = self.next_token(id);
        let serial = token.epoch;
        let stored = if gone.is_some() { Stored::Earlier } else { Stored::Nothing };
        let arrival = Arrival { id: id.value(), serial, digest, stored, ..Arrival::EMPTY };
        match gone {
            Some(place) => *self.arrivals.reach(place)? = arrival,
            None => self.append(arrival)?,
        }
        self.serial = serial;
        Some(token)
    }

    /// What [`Received::push`] will return for `id`, if nothing else is pushed before.
    pub(crate) const fn next_token(&self, id: PacketId) -> AckToken {
        AckToken { packet_id: id, place: EXACTLY_ONCE, epoch: self.serial.wrapping_add(1) }
    }

    /// What the program said of the message with this identifier, if it has let go of it.
    pub(crate) fn verdict(&self, id: PacketId) -> Option<ReasonCode> {
        let (_, arrival) = self.find(id)?;
        arrival.is(TAKEN).then_some(arrival.reason)
    }

    /// Whether the program still holds the message.
    pub(crate) fn is_held(&self, token: AckToken) -> bool {
        self.find(token.packet_id).is_some_and(|(_, arrival)| arrival.is_held(token))
    }

    /// The program lets go of a message; says whether it still held it.
    pub(crate) fn settle(&mut self, token: AckToken, reason: ReasonCode) -> bool {
        let Some((place, mut arrival)) = self.find(token.packet_id) else { return false };
        let held = arrival.is_held(token);
        if held {
            arrival.flags |= TAKEN;
            arrival.reason = reason;
            self.update(place, arrival);
        }
        held
    }

    /// The exchange is over, and the identifier may be used for another message; says whether there was
    /// one.
    pub(crate) fn remove(&mut self, id: PacketId) -> bool {
        let Some((place, mut arrival)) = self.find(id) else { return false };
        if arrival.stored == Stored::Nothing {
            self.erase(place);
        } else {
            arrival.stored = Stored::Gone;
            arrival.flags &= !COUNTED;
            self.update(place, arrival);
        }
        true
    }

    fn live(&self) -> &[Arrival] {
        self.arrivals.made().get(..self.len).unwrap_or_default()
    }

    /// Where the message is, and what is known of it.
    fn find(&self, id: PacketId) -> Option<(usize, Arrival)> {
        let mut live = self.live().iter().enumerate();
        live.find(|(_, arrival)| arrival.is_live(id.value())).map(|(place, it)| (place, *it))
    }

    fn append(&mut self, arrival: Arrival) -> Option<()> {
        *self.arrivals.reach(self.len)? = arrival;
        self.len = self.len.saturating_add(1);
        self.unrecorded = self.unrecorded.saturating_add(arrival.is_unrecorded().into());
        Some(())
    }

    /// Makes a place free, whatever a store has of it: for the last one.
    fn erase(&mut self, place: usize) {
        let last = self.len.saturating_sub(1);
        if let Some(arrival) = self.live().get(last).copied() {
            self.update(place, arrival);
            self.update(last, Arrival::EMPTY);
            self.len = last;
        }
    }

    /// Writes an arrival anew, and keeps the counts.
    fn update(&mut self, place: usize, after: Arrival) {
        let Some(arrival) = self.arrivals.reach(place) else { return };
        let before = core::mem::replace(arrival, after);
        let count = |count: u16, before: bool, after: bool| {
            count.saturating_add(after.into()).saturating_sub(before.into())
        };
        self.unrecorded = count(self.unrecorded, before.is_unrecorded(), after.is_unrecorded());
        self.counted = count(self.counted, before.is(COUNTED), after.is(COUNTED));
    }

    fn make_room(&mut self) {
        if self.len >= N {
            self.drop_doubtful();
        }
        if self.len >= N {
            self.drop_oldest();
        }
    }

    fn drop_doubtful(&mut self) {
        for _ in 0..N {
            let live = |arrival: &&Arrival| arrival.is(DOUBTFUL) && arrival.stored != Stored::Gone;
            let doubtful = self.live().iter().find(live);
            let Some(id) = doubtful.and_then(|arrival| PacketId::new(arrival.id)) else { return };
            self.remove(id);
        }
    }

    /// Forgets one of those that the program has let go of: the oldest, those that have come on this
    /// connection last. A server repeats what it has no PUBREC for before all else ([MQTT-4.6.0-1]), and
    /// so knows of the others that they have arrived.
    ///
    /// Before them go those that only a store has not forgotten yet.
    fn drop_oldest(&mut self) {
        // What goes first weighs most.
        let weight = |arrival: &Arrival| {
            let age = self.serial.wrapping_sub(arrival.serial);
            let gone = u32::from(arrival.stored == Stored::Gone) << 17;
            gone | u32::from(!arrival.is(COUNTED)) << 16 | u32::from(age)
        };
        let mut oldest = None;
        for (place, arrival) in self.live().iter().enumerate() {
            let spare = arrival.is(TAKEN) || arrival.stored == Stored::Gone;
            if spare && oldest.is_none_or(|(most, _)| weight(arrival) >= most) {
                oldest = Some((weight(arrival), place));
            }
        }
        let Some((_, place)) = oldest else { return };
        let oldest = self.live().get(place).filter(|it| it.stored != Stored::Nothing);
        self.evicted = oldest.and_then(|arrival| PacketId::new(arrival.id));
        self.erase(place);
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
