//! Order without a place to sort in: each step looks for what follows the one before.
//!
//! Takes time with the square of the number of pairs, and no memory.

use crate::class::{Class, LOWER, UNRESERVED};
use crate::encode::rank;
use crate::request::Pair;
use core::cmp::Ordering;

/// Queries are sorted by names, then values, by the bytes of their encoded forms ("Create a canonical
/// request", canonical query string).
pub(crate) const QUERY: Class = UNRESERVED;
/// Headers are sorted by names in lower case; those of one name stay as they stand (canonical
/// headers).
pub(crate) const HEADERS: Class = LOWER;

/// How two names follow each other.
#[inline(never)]
pub(crate) fn compare(mut one: &[u8], mut other: &[u8], order: Class) -> Ordering {
    while let ([first, behind @ ..], [second, rest @ ..]) = (one, other) {
        let ranks = rank(*first, order).cmp(&rank(*second, order));
        if ranks.is_ne() {
            return ranks;
        }
        (one, other) = (behind, rest);
    }
    one.len().cmp(&other.len())
}

/// Whether two names are one but for the case.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    compare(one, other, HEADERS).is_eq()
}

/// A pair, and how many stand behind it.
type Place<'a> = (&'a Pair<'a>, usize);

/// Pairs from the first to the last; equal ones as they stand.
pub(crate) struct Sorted<'a> {
    pairs: &'a [Pair<'a>],
    pub(crate) order: Class,
    last: Option<Place<'a>>,
}

impl<'a> Sorted<'a> {
    pub(crate) const fn new(pairs: &'a [Pair<'a>], order: Class) -> Self {
        Self { pairs, order, last: None }
    }

    #[inline(never)]
    fn compare(&self, one: Place<'_>, other: Place<'_>) -> Ordering {
        let ((one, behind), (other, behind_other)) = (one, other);
        let mut order = compare(one.0.as_bytes(), other.0.as_bytes(), self.order);
        if order.is_eq() && self.order == QUERY {
            order = compare(one.1.as_bytes(), other.1.as_bytes(), self.order);
        }
        order.then(behind_other.cmp(&behind))
    }
}

impl<'a> Iterator for Sorted<'a> {
    type Item = &'a Pair<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        let mut next = None;
        let mut rest = self.pairs;
        while let [pair, behind @ ..] = rest {
            let place = (pair, behind.len());
            let follows = self.last.is_none_or(|last| self.compare(place, last).is_gt());
            if follows && next.is_none_or(|next| self.compare(place, next).is_lt()) {
                next = Some(place);
            }
            rest = behind;
        }
        self.last = next.or(self.last);
        next.map(|(pair, _)| pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn sorted<'a>(pairs: &'a [Pair<'a>], order: Class) -> Vec<Pair<'a>> {
        Sorted::new(pairs, order).copied().collect()
    }

    #[test]
    fn query_is_sorted_by_name_then_value_and_keeps_what_is_repeated() {
        let pairs =
            [("b", "2"), ("a-", ""), ("b", "10"), ("a", "z"), ("B", ""), ("b", "2"), ("a", "é")];
        let expected =
            [("B", ""), ("a", "é"), ("a", "z"), ("a-", ""), ("b", "10"), ("b", "2"), ("b", "2")];
        assert_eq!(sorted(&pairs, QUERY), expected);
    }

    #[test]
    fn headers_are_sorted_by_lower_case_name_and_else_stay_as_they_stand() {
        let pairs = [("b", "2"), ("C", "x"), ("B", "1"), ("a", ""), ("b", "3")];
        let expected = [("a", ""), ("b", "2"), ("B", "1"), ("b", "3"), ("C", "x")];
        assert_eq!(sorted(&pairs, HEADERS), expected);
    }
}
