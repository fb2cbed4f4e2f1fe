//! Memory that grows with what comes, up to a stated limit.

use dunlin_drive::dunlin::{
    Buffer,
    octet::{Entry, Places},
};

/// How many places are made at first.
const PLACES_FIRST: usize = 8;

/// A vector with a limit: ten thousand idle connections stay small, and none grows without end.
#[derive(Debug)]
pub(crate) struct Growing {
    memory: Vec<u8>,
    limit: usize,
}

impl Growing {
    pub(crate) fn new(len: usize, limit: usize) -> Self {
        Self { memory: vec![0; len.min(limit)], limit }
    }
}

/// Places that are made when they are first used, twice as many each time.
#[derive(Debug)]
pub(crate) struct Made<T, const N: usize>(Vec<T>);

impl<T: Entry, const N: usize> Places<T> for Made<T, N> {
    const EMPTY: Self = Self(Vec::new());

    fn made(&self) -> &[T] {
        &self.0
    }

    fn made_mut(&mut self) -> &mut [T] {
        &mut self.0
    }

    fn reach(&mut self, at: usize) -> Option<&mut T> {
        if at >= N {
            return None;
        }
        if at >= self.0.len() {
            let len = (at + 1).next_power_of_two().max(PLACES_FIRST).min(N);
            self.0.reserve_exact(len - self.0.len());
            self.0.resize(len, T::EMPTY);
        }
        self.0.get_mut(at)
    }
}

impl Buffer for Growing {
    type Places<T: Entry, const N: usize> = Made<T, N>;

    fn bytes(&self) -> &[u8] {
        &self.memory
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn grow(&mut self, len: usize) -> bool {
        let fits = len <= self.limit;
        if fits && len > self.memory.len() {
            // Exactly: a vector's own way of growing would pass the limit.
            self.memory.reserve_exact(len - self.memory.len());
            self.memory.resize(len, 0);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_made_as_they_are_reached_and_never_beyond_their_number() {
        let mut places = Made::<Option<u16>, 20>::EMPTY;
        assert!(places.made().is_empty());
        assert_eq!(places.reach(20), None);
        assert!(places.made().is_empty(), "one too many makes none");
        for (at, made) in [(0, 8), (7, 8), (8, 16), (16, 20), (19, 20)] {
            assert_eq!(places.reach(at), Some(&mut None));
            assert_eq!(places.made_mut().len(), made);
            *places.reach(at).unwrap() = Some(1);
        }
        assert_eq!(places.made().iter().flatten().count(), 5, "what was there has stayed");
    }
}
