//! Where the two differ, and what RFC 6455 says: there is no other difference.

use super::Seen;
use super::theirs::End;
use dunlin_ws::Malformed;

/// What they report for what we take.
///
/// 1014 is in the registry that §11.7 opens, and they do not know it yet; a code that they do not know
/// becomes 1002.
pub(super) fn as_they_say(seen: Seen) -> Seen {
    match seen {
        Seen::Close(Some(1014), _) => violation(),
        seen => seen,
    }
}

/// Whether they take what we refuse, rightly refused; what they make of the rest does not matter.
pub(super) fn goes_on_with_them(
    error: Malformed,
    theirs: &[Seen],
    taken: &[Seen],
    end: End,
) -> bool {
    let Some(behind) = theirs.strip_prefix(taken) else { return false };
    match error {
        // §5.2: the minimal number of bytes must be used for a length; a control frame that needs more
        // than seven bits for it is too long, and one that does not need them has them all the same.
        Malformed::NotMinimal | Malformed::ControlLength => true,
        // §10.4: an implementation should protect itself by limits; theirs is on bytes, and empty
        // fragments have none.
        Malformed::EmptyFragments => true,
        // §7.4: the code is wrong, which they report as a Close that has the code of their answer.
        Malformed::CloseCode => behind.first() == Some(&violation()) && end == End::Open,
        _ => false,
    }
}

/// Whether both refuse, and each for another of two faults.
pub(super) fn says_another_code(error: Malformed, end: End) -> bool {
    // §5.5.1: code and reason of a Close are both wrong, and they look at the reason first.
    error == Malformed::CloseCode && end == End::Failed(1007)
}

fn violation() -> Seen {
    Seen::Close(Some(1002), b"Protocol violation".to_vec())
}
