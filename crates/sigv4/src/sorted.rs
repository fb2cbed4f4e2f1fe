//! Order without a place to sort in: each step looks for what follows the one before.
//!
//! Takes time with the square of the number of pairs, and no memory.

use crate::class::{UNRESERVED, is};
use crate::request::Pair;
use core::cmp::Ordering;

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Names, then values, by the bytes of their encoded forms ("Create a canonical request",
    /// canonical query string).
    Query,
    /// Names in lower case; headers of one name stay as they stand (canonical headers).
    Headers,
}

impl Order {
    /// How two names follow each other.
    #[inline(never)]
    pub(crate) fn names(self, one: &str, other: &str) -> Ordering {
        let rank = |byte: u8| match self {
            Self::Query => encoded_rank(byte),
            Self::Headers => u16::from(byte.to_ascii_lowercase()),
        };
        one.bytes().map(rank).cmp(other.bytes().map(rank))
    }

    fn pairs(self, one: &Pair<'_>, other: &Pair<'_>) -> Ordering {
        match (self, self.names(one.0, other.0)) {
            (Self::Query, Ordering::Equal) => self.names(one.1, other.1),
            (_, order) => order,
        }
    }
}

/// Orders bytes as their percent-encoded forms are ordered: `%` stands before all that are kept,
/// and upper-case hexadecimal digits stand in the order of their values.
fn encoded_rank(byte: u8) -> u16 {
    u16::from_le_bytes([byte, u8::from(is(byte, UNRESERVED))])
}

/// A pair, and how many stand behind it.
type Place<'a> = (&'a Pair<'a>, usize);

/// Pairs from the first to the last; equal ones as they stand.
#[derive(Clone, Copy)]
pub(crate) struct Sorted<'a> {
    pairs: &'a [Pair<'a>],
    order: Order,
    last: Option<Place<'a>>,
}

impl<'a> Sorted<'a> {
    pub(crate) const fn new(pairs: &'a [Pair<'a>], order: Order) -> Self {
        Self { pairs, order, last: None }
    }

    pub(crate) const fn order(&self) -> Order {
        self.order
    }

    /// The pair that comes next, and stays next.
    pub(crate) fn peek(&self) -> Option<Place<'a>> {
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
        next
    }

    /// Lets `place` be the last that was taken.
    pub(crate) fn take(&mut self, place: Place<'a>) {
        self.last = Some(place);
    }

    #[inline(never)]
    fn compare(&self, one: Place<'_>, other: Place<'_>) -> Ordering {
        self.order.pairs(one.0, other.0).then(other.1.cmp(&one.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn sorted<'a>(pairs: &'a [Pair<'a>], order: Order) -> Vec<Pair<'a>> {
        let mut sorted = Sorted::new(pairs, order);
        let mut taken = Vec::new();
        while let Some(next) = sorted.peek() {
            taken.push(*next.0);
            sorted.take(next);
        }
        taken
    }

    #[test]
    fn encoded_rank_orders_all_bytes_like_their_encoded_forms() {
        let encoded = |byte: u8| match is(byte, UNRESERVED) {
            true => String::from(char::from(byte)),
            false => format!("%{byte:02X}"),
        };
        for one in 0..=u8::MAX {
            for other in 0..=u8::MAX {
                let ranks = encoded_rank(one).cmp(&encoded_rank(other));
                assert_eq!(ranks, encoded(one).cmp(&encoded(other)), "{one} {other}");
            }
        }
    }

    #[test]
    fn query_is_sorted_by_name_then_value_and_keeps_what_is_repeated() {
        let pairs =
            [("b", "2"), ("a-", ""), ("b", "10"), ("a", "z"), ("B", ""), ("b", "2"), ("a", "é")];
        let expected =
            [("B", ""), ("a", "é"), ("a", "z"), ("a-", ""), ("b", "10"), ("b", "2"), ("b", "2")];
        assert_eq!(sorted(&pairs, Order::Query), expected);
    }

    #[test]
    fn headers_are_sorted_by_lower_case_name_and_else_stay_as_they_stand() {
        let pairs = [("b", "2"), ("C", "x"), ("B", "1"), ("a", ""), ("b", "3")];
        let expected = [("a", ""), ("b", "2"), ("B", "1"), ("b", "3"), ("C", "x")];
        assert_eq!(sorted(&pairs, Order::Headers), expected);
    }
}
