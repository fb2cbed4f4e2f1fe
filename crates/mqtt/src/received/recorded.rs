//! What a store learns of messages that have come.

use super::{Arrival, DOUBTFUL, Received, Stored, TAKEN};
use crate::{PacketId, record::Record};
use dunlin_octet::{Entry, Places};

impl<const N: usize, P: Places<Arrival>> Received<N, P> {
    /// Whether a store is to learn something.
    pub(crate) const fn has_unrecorded(&self) -> bool {
        self.unrecorded > 0 || self.evicted.is_some()
    }

    /// Whether a store is to learn that all are in doubt.
    pub(crate) const fn is_doubted(&self) -> bool {
        self.doubted
    }

    /// The store knows that all are in doubt.
    pub(crate) const fn handle_doubt_recorded(&mut self) {
        self.doubted = false;
    }

    /// Whether another message has no place until the program lets go of one, or a store has learned of
    /// the end of one.
    pub(crate) fn is_clogged(&self) -> bool {
        let gone = |arrival: &Arrival| arrival.stored == Stored::Gone;
        let gives_way = |arrival: &Arrival| arrival.is(TAKEN) || arrival.is(DOUBTFUL);
        let mut live = self.live().iter();
        let waits = self.evicted.is_some() || self.live().iter().any(gone);
        self.len >= N && (waits || !live.any(gives_way))
    }

    /// Where something is that the store is to learn, and what.
    ///
    /// What is to be removed comes first: its identifier may be another's by now.
    pub(crate) fn unrecorded(&self) -> Option<(usize, Record<'static>)> {
        if let Some(id) = self.evicted {
            return Some((N, Record::Removed { id }));
        }
        if self.unrecorded == 0 {
            return None;
        }
        let earlier = |arrival: &Arrival| arrival.stored != Stored::Nothing;
        let live = || self.live().iter().enumerate().filter(|(_, arrival)| arrival.is_unrecorded());
        let (place, arrival) =
            live().find(|(_, arrival)| earlier(arrival)).or_else(|| live().next())?;
        let id = PacketId::new(arrival.id)?;
        let record = if earlier(arrival) { Record::Removed { id } } else { taken(id, arrival) };
        Some((place, record))
    }

    /// The store has learned what stands at `place`.
    pub(crate) fn handle_recorded(&mut self, place: usize) {
        if place >= N {
            self.evicted = None;
        }
        let Some(mut arrival) = self.live().get(place).copied() else { return };
        arrival.stored = match arrival.stored {
            Stored::Gone => return self.erase(place),
            Stored::Earlier => Stored::Nothing,
            Stored::Nothing | Stored::Same => Stored::Same,
        };
        self.update(place, arrival);
    }

    /// Calls `visit` with what must not be handed over again.
    pub(crate) fn for_each_taken(&self, mut visit: impl FnMut(Record<'static>)) {
        for arrival in self.live() {
            if arrival.is_kept()
                && arrival.stored != Stored::Gone
                && let Some(id) = PacketId::new(arrival.id)
            {
                visit(taken(id, arrival));
            }
        }
    }

    /// A store says that the program has let go of a message.
    pub(crate) fn restore(&mut self, id: PacketId, doubtful: bool, digest: u32) {
        if let Some((place, _)) = self.find(id) {
            self.erase(place);
        }
        if self.len >= N {
            // Records of a session that could follow more.
            self.drop_oldest();
            self.evicted = None;
        }
        let serial = self.serial.wrapping_add(1);
        let flags = if doubtful { TAKEN | DOUBTFUL } else { TAKEN };
        let stored = Stored::Same;
        self.append(Arrival { id: id.value(), serial, digest, flags, stored, ..Arrival::EMPTY });
        self.serial = serial;
    }

    /// A store says that the server has released a message.
    pub(crate) fn restore_removed(&mut self, id: PacketId) {
        if let Some((place, _)) = self.find(id) {
            self.erase(place);
        }
    }
}

const fn taken(id: PacketId, arrival: &Arrival) -> Record<'static> {
    Record::Taken { id, doubtful: arrival.is(DOUBTFUL), digest: arrival.digest }
}
