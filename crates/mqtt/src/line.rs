//! Identifiers that wait in line.

use crate::PacketId;

/// A queue of up to `N` packet identifiers.
#[derive(Debug)]
pub(crate) struct Line<const N: usize> {
    ids: [u16; N],
    first: usize,
    len: usize,
}

impl<const N: usize> Line<N> {
    pub(crate) const fn new() -> Self {
        Self { ids: [0; N], first: 0, len: 0 }
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.len >= N
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    /// Puts `id` at the end, if there is room.
    pub(crate) fn push(&mut self, id: PacketId) {
        let place = self.first.saturating_add(self.len).checked_rem(N).unwrap_or(0);
        if !self.is_full()
            && let Some(place) = self.ids.get_mut(place)
        {
            *place = id.value();
            self.len = self.len.saturating_add(1);
        }
    }

    /// The same, unless it waits there already.
    pub(crate) fn push_once(&mut self, id: PacketId) {
        let mut places = (0..self.len).map(|behind| self.first.saturating_add(behind));
        let waits = places.any(|place| {
            let place = place.checked_rem(N).unwrap_or(0);
            self.ids.get(place) == Some(&id.value())
        });
        if !waits {
            self.push(id);
        }
    }

    /// Takes the one in front.
    pub(crate) fn pop(&mut self) -> Option<PacketId> {
        if self.len == 0 {
            return None;
        }
        let id = self.ids.get(self.first).copied()?;
        self.first = self.first.saturating_add(1).checked_rem(N).unwrap_or(0);
        self.len = self.len.saturating_sub(1);
        PacketId::new(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_leave_in_the_order_they_came() {
        let id = |id| PacketId::new(id).unwrap();
        let mut line = Line::<2>::new();
        for round in 1..=5 {
            line.push(id(round));
            line.push(id(round + 10));
            assert!(line.is_full());
            line.push(id(99));
            assert_eq!(line.pop(), Some(id(round)));
            assert_eq!(line.pop(), Some(id(round + 10)));
            assert_eq!(line.pop(), None);
        }
        line.push_once(id(1));
        line.push_once(id(1));
        line.push_once(id(2));
        assert_eq!((line.pop(), line.pop(), line.pop()), (Some(id(1)), Some(id(2)), None));
        line.push(id(1));
        line.clear();
        assert_eq!(line.pop(), None);
    }
}
