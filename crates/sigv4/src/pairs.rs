//! What the caller adds to a query or to headers, among what signing adds.
//!
//! Nothing in a program refers to it but what makes [`Pairs`], so that a program without them has none
//! of it.

use crate::canonical::{Field, List, Plan, Step};
use crate::check::InvalidInput;
use crate::class::{Class, LOWER, LOWER_UNRESERVED, TEXT, TOKEN, UNRESERVED, all};
use crate::encode::{Split, Trimmed, put};
use crate::request::Pair;
use crate::sorted::{self, Sorted, compare, is_same};
use core::fmt;
use dunlin_octet::{Sink, Text};

/// Names and values that are signed with a request: in any order, and as often as they are in it.
#[derive(Clone, Copy)]
pub struct Pairs<'a> {
    pairs: &'a [Pair<'a>],
    pub(crate) merge: Option<&'static Merge>,
}

impl<'a> Pairs<'a> {
    /// None at all; a program that has no others does not link what sorts them.
    pub const NONE: Self = Self { pairs: &[], merge: None };

    /// These.
    pub const fn of(pairs: &'a [Pair<'a>]) -> Self {
        Self { pairs, merge: Some(&MERGE) }
    }
}

impl Default for Pairs<'_> {
    fn default() -> Self {
        Self::NONE
    }
}

/// How many there are, not what.
impl fmt::Debug for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairs").field("len", &self.pairs.len()).finish_non_exhaustive()
    }
}

/// How many there are, not what.
#[cfg(feature = "defmt")]
impl defmt::Format for Pairs<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Pairs {{ len: {=usize} }}", self.pairs.len());
    }
}

/// What is done with pairs.
pub(crate) struct Merge {
    pub(crate) check: fn(&Plan<'_>, List) -> Result<(), InvalidInput>,
    pub(crate) write: fn(&Plan<'_>, List, &mut dyn Sink),
}

pub(crate) static MERGE: Merge = Merge { check, write };

/// The parameter that carries the signature, and so is not signed itself.
const SIGNATURE: &[&str] = &["X-Amz-Signature"];
/// Headers that are never the caller's to sign.
const RESERVED: &[&str] = &["authorization", "x-amz-date", "x-amz-security-token"];

/// Whether the pairs may stand in `list`, of a query or of headers.
fn check(plan: &Plan<'_>, list: List) -> Result<(), InvalidInput> {
    let (Pairs { pairs, .. }, ours) = plan.parts(list);
    for (name, value) in *pairs {
        if list == List::Query {
            let is_free = ours.is_empty() || !makes(plan, list, SIGNATURE, name);
            InvalidInput::Query.unless(is_free)?;
        } else {
            // No control characters, not even the tab, which signers trim differently.
            let is_header = !name.is_empty()
                && all(name.as_bytes(), TOKEN)
                && all(value.as_bytes(), TEXT)
                && !makes(plan, list, RESERVED, name);
            InvalidInput::Header.unless(is_header)?;
        }
    }
    Ok(())
}

/// Whether the caller may not have a parameter or header of that name.
fn makes(plan: &Plan<'_>, list: List, reserved: &[&str], name: &str) -> bool {
    let is_same = |own: &[u8]| is_same(own, name.as_bytes());
    let has_name = |step: &Step| {
        let mut names = list.parts(step).filter_map(|part| list.name(part));
        // Of those that may be missing, it alone may then be the caller's.
        let may_be_theirs = step.field == Field::PayloadHeader;
        names.any(is_same) && !(may_be_theirs && plan.text(step.field).is_none())
    };
    reserved.iter().any(|other| is_same(other.as_bytes()))
        || plan.parts(list).1.iter().any(has_name)
}

/// Puts a list in its order, encoded, without the signature.
fn write(plan: &Plan<'_>, list: List, sink: &mut dyn Sink) {
    let order = if list == List::Query { sorted::QUERY } else { sorted::HEADERS };
    let (pairs, ours) = plan.parts(list);
    let mut theirs = Sorted::new(pairs.pairs, order);
    let next = theirs.next();
    let mut writer = ListWriter { list, theirs, next, last: None, is_open: false, sink };
    for step in ours {
        if let Some(text) = plan.text(step.field) {
            list.parts(step).for_each(|part| writer.write_part(part));
            if list.has_values() {
                plan.write_field(step, text, writer.sink);
            }
        }
    }
    writer.write_theirs(None);
}

impl List {
    pub(crate) const fn has_values(self) -> bool {
        matches!(self, Self::Query | Self::Headers)
    }

    /// What the list has between two of its members.
    const fn between(self) -> &'static str {
        match self {
            Self::Query => "&",
            Self::Headers => "\n",
            Self::Names => ";",
            Self::QueryNames => "%3B",
        }
    }

    /// What is kept of the names.
    const fn kept(self) -> Class {
        match self {
            Self::Query => UNRESERVED,
            Self::Headers | Self::Names => LOWER,
            Self::QueryNames => LOWER_UNRESERVED,
        }
    }

    /// The end of what stands before, if there is one, and beginnings of our own.
    fn parts(self, step: &Step) -> Split<'static> {
        let separator = if self == Self::Query { b'&' } else { b'\n' };
        Split::new(step.before.as_bytes(), separator)
    }

    /// The name, if the part begins with one.
    #[inline(never)]
    fn name(self, part: &[u8]) -> Option<&[u8]> {
        let equals = if self == Self::Query { b'=' } else { b':' };
        part.get(..part.iter().position(|byte| *byte == equals)?)
    }
}

/// Merges what signing adds with what the caller has; a name is never in both.
struct ListWriter<'a, 's> {
    list: List,
    theirs: Sorted<'a>,
    next: Option<&'a Pair<'a>>,
    /// The name of theirs that was last.
    last: Option<&'a str>,
    /// Whether there is something that a separator has to follow.
    is_open: bool,
    sink: &'s mut dyn Sink,
}

impl ListWriter<'_, '_> {
    /// Puts what stands in front of a value of ours, behind those of theirs that come first.
    #[inline(never)]
    fn write_part(&mut self, part: &'static [u8]) {
        let name = self.list.name(part);
        if name.is_some() {
            self.write_theirs(name);
            self.separate();
        }
        let kept = if self.list.has_values() { part } else { name.unwrap_or_default() };
        self.sink.put(kept);
    }

    /// Puts those that stand before `end`.
    #[inline(never)]
    fn write_theirs(&mut self, end: Option<&[u8]>) {
        while let Some((name, value)) = self.next {
            let (bytes, order) = (name.as_bytes(), self.theirs.order);
            if end.is_some_and(|end| compare(bytes, end, order).is_gt()) {
                return;
            }
            let is_again = |last: &str| is_same(last.as_bytes(), bytes);
            let is_repeated = self.list != List::Query && self.last.is_some_and(is_again);
            self.last = Some(name);
            if !is_repeated {
                self.separate();
                put(bytes, self.list.kept(), self.sink);
            }
            self.write_value(value, is_repeated);
            self.next = self.theirs.next();
        }
    }

    fn write_value(&mut self, value: &str, is_repeated: bool) {
        match self.list {
            List::Query => {
                self.sink.put(b"=");
                put(value.as_bytes(), UNRESERVED, self.sink);
            }
            List::Headers => {
                self.sink.put(if is_repeated { b"," } else { b":" });
                Trimmed(value).write(self.sink);
            }
            List::Names | List::QueryNames => {}
        }
    }

    fn separate(&mut self) {
        if self.is_open {
            self.sink.put(self.list.between().as_bytes());
        }
        self.is_open = true;
    }
}
