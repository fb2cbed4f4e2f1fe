//! Acknowledgements that this side owes, in the order in which the messages came.

use crate::{Ack, AckKind, AckToken, PacketId, ReasonCode};
use dunlin_octet::{Entry, Places};

/// It is a PUBREC, and otherwise a PUBACK.
const PUBREC: u8 = 1;
/// The program has let go of the message.
const DUE: u8 = 1 << 1;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Debt {
    id: u16,
    flags: u8,
    reason: ReasonCode,
}

impl Entry for Debt {
    const EMPTY: Self = Self { id: 0, flags: 0, reason: ReasonCode::SUCCESS };
}

impl Debt {
    const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    const fn kind(&self) -> AckKind {
        if self.is(PUBREC) { AckKind::Pubrec } else { AckKind::Puback }
    }

    const fn let_go(&mut self, reason: ReasonCode) {
        self.flags |= DUE;
        self.reason = reason;
    }
}

/// A queue of up to `N` acknowledgements; those in front go out as soon as they are due
/// (v3.1.1: [MQTT-4.6.0-2]).
// Whole words: on a small machine, it is cleared by the same function as what stands around it.
#[derive(Debug)]
#[repr(align(4))]
pub(crate) struct Owed<const N: usize, P = [Debt; N]> {
    debts: P,
    /// As many debts as there are slots: less than 65,535.
    first: u16,
    len: u16,
    /// Counts connections: what is owed to one dies with it.
    epoch: u16,
}

impl<const N: usize, P: Places<Debt>> Owed<N, P> {
    pub(crate) const fn new() -> Self {
        Self { debts: P::EMPTY, first: 0, len: 0, epoch: 0 }
    }

    pub(crate) fn is_full(&self) -> bool {
        usize::from(self.len) >= N
    }

    pub(crate) fn len(&self) -> usize {
        self.len.into()
    }

    /// A new connection: nothing is owed, and earlier tokens are void.
    pub(crate) const fn reset(&mut self) {
        self.first = 0;
        self.len = 0;
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Owes an acknowledgement for `id`, PUBACK or PUBREC; `None` when the queue is full.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn push(&mut self, id: PacketId, kind: AckKind) -> Option<AckToken> {
        let token = self.next_token(id)?;
        let debt = self.debts.reach(usize::from(token.place))?;
        let flags = if matches!(kind, AckKind::Pubrec) { PUBREC } else { 0 };
        *debt = Debt { id: id.value(), flags, ..Debt::EMPTY };
        self.len = self.len.saturating_add(1);
        Some(token)
    }

    /// What [`Owed::push`] will return for `id`, if nothing else is pushed before.
    pub(crate) fn next_token(&self, id: PacketId) -> Option<AckToken> {
        if self.is_full() {
            return None;
        }
        let place = u16::try_from(self.place(self.len.into())).ok()?;
        Some(AckToken { packet_id: id, place, epoch: self.epoch })
    }

    /// The program has let go of the message; says whether it still waited for that.
    pub(crate) fn settle(&mut self, token: AckToken, reason: ReasonCode) -> bool {
        let held = self.is_held(token);
        if held && let Some(debt) = self.debts.reach(usize::from(token.place)) {
            debt.let_go(reason);
        }
        held
    }

    /// Whether the message still waits for the program.
    pub(crate) fn is_held(&self, token: AckToken) -> bool {
        let place = usize::from(token.place);
        let Some(debt) = self.debts.made().get(place) else { return false };
        token.epoch == self.epoch
            && Self::is_within(place, self.first, self.len)
            && debt.id == token.packet_id.value()
            && !debt.is(DUE)
    }

    /// Whether an acknowledgement of this kind for `id` has yet to go out on this connection.
    pub(crate) fn owes(&self, id: PacketId, kind: AckKind) -> bool {
        (0..usize::from(self.len)).any(|behind| {
            let debt = self.debts.made().get(self.place(behind));
            debt.is_some_and(|debt| debt.id == id.value() && debt.kind() == kind)
        })
    }

    /// The program has let go of the message of QoS 2, however often it came on this connection.
    pub(crate) fn settle_repeats(&mut self, id: PacketId, reason: ReasonCode) {
        let (first, len) = (self.first, self.len);
        for (place, debt) in self.debts.made_mut().iter_mut().enumerate() {
            let is_its = debt.id == id.value() && debt.flags == PUBREC;
            if is_its && Self::is_within(place, first, len) {
                debt.let_go(reason);
            }
        }
    }

    /// The acknowledgement that goes out next, if the one in front is due.
    pub(crate) fn due(&self) -> Option<Ack<'static>> {
        let debt = self.debts.made().get(usize::from(self.first))?;
        if self.len == 0 || !debt.is(DUE) {
            return None;
        }
        let ack = Ack::new(debt.kind(), PacketId::new(debt.id)?);
        Some(Ack { reason: debt.reason, ..ack })
    }

    /// The acknowledgement in front has been taken to be sent.
    pub(crate) fn pop(&mut self) {
        if self.len > 0 {
            self.first = u16::try_from(self.place(1)).unwrap_or(0);
            self.len = self.len.saturating_sub(1);
        }
    }

    /// Where the debt is that stands so many behind the first.
    fn place(&self, behind: usize) -> usize {
        usize::from(self.first).saturating_add(behind).checked_rem(N).unwrap_or(0)
    }

    /// Whether a place is among the `len` from `first` on.
    fn is_within(place: usize, first: u16, len: u16) -> bool {
        let behind = place.saturating_add(N).saturating_sub(first.into());
        behind.checked_rem(N).unwrap_or(0) < len.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u16) -> PacketId {
        PacketId::new(id).unwrap()
    }

    /// v3.1.1: [MQTT-4.6.0-2] [MQTT-4.6.0-3]
    #[test]
    fn acknowledgements_leave_in_the_order_of_the_messages() {
        let mut owed = <Owed<2>>::new();
        let first = owed.push(id(7), AckKind::Puback).unwrap();
        let second = owed.push(id(8), AckKind::Pubrec).unwrap();
        assert_eq!(owed.push(id(9), AckKind::Puback), None);
        assert!(owed.settle(second, ReasonCode::SUCCESS));
        assert_eq!(owed.due(), None, "the first message is still held");
        assert!(owed.settle(first, ReasonCode::SUCCESS));
        assert!(!owed.settle(first, ReasonCode::SUCCESS), "once is enough");
        assert_eq!(owed.due(), Some(Ack::new(AckKind::Puback, id(7))));
        owed.pop();
        assert_eq!(owed.due(), Some(Ack::new(AckKind::Pubrec, id(8))));
        owed.pop();
        assert_eq!(owed.due(), None);
        assert!(!owed.settle(second, ReasonCode::SUCCESS));
    }

    #[test]
    fn tokens_of_an_earlier_connection_are_void() {
        let mut owed = <Owed<2>>::new();
        let stale = owed.push(id(7), AckKind::Puback).unwrap();
        owed.reset();
        let fresh = owed.push(id(7), AckKind::Puback).unwrap();
        assert!(!owed.settle(stale, ReasonCode::SUCCESS));
        assert_eq!(owed.due(), None);
        assert!(owed.settle(fresh, ReasonCode::SUCCESS));
    }
}
