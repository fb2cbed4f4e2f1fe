//! Copies that stop where either side ends.

/// Copies the front of `from` to the front of `to`; returns how many bytes fitted.
pub fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        // A loop becomes the same `memcpy`, but not where the compiler builds for size.
        #[expect(clippy::disallowed_methods, reason = "both are `len` bytes long")]
        to.copy_from_slice(from);
    }
    len
}

/// Up to here two moves do, which is less than a call takes.
const SHORT_MAX: usize = 64;
/// Whether there are registers for them.
const HAS_SHORT: bool = cfg!(target_pointer_width = "64");

/// Copies `from` to the front of `to` if it is short and fits; says whether it did.
///
/// Faster than [`copy`] for what is not read at once: a processor waits where it reads together what was
/// written apart.
#[inline]
pub fn copy_short(from: &[u8], to: &mut [u8]) -> bool {
    let Some(to) = to.get_mut(..from.len()).filter(|to| HAS_SHORT && to.len() <= SHORT_MAX) else {
        return false;
    };
    let _ = match from.len() {
        32.. => copy_ends::<32>(from, to),
        16.. => copy_ends::<16>(from, to),
        8.. => copy_ends::<8>(from, to),
        4.. => copy_ends::<4>(from, to),
        2.. => copy_ends::<2>(from, to),
        _ => copy_ends::<1>(from, to),
    };
    true
}

/// Copies the first and the last `N` bytes, which may be partly the same.
#[inline]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) -> Option<()> {
    let (first, last) = (*from.first_chunk::<N>()?, *from.last_chunk::<N>()?);
    *to.first_chunk_mut()? = first;
    *to.last_chunk_mut()? = last;
    Some(())
}

/// Moves `len` bytes within `memory` from `from` down to `to`; the places may overlap.
///
/// Only moves towards the front are made: with `to` behind `from`, or a place that reaches past the
/// end, nothing happens.
pub fn shift(memory: &mut [u8], from: usize, to: usize, len: usize) {
    let (Some(distance), Some(end)) = (from.checked_sub(to), from.checked_add(len)) else { return };
    let Some(window) = memory.get_mut(to..end) else { return };
    if distance <= window.len() {
        shift_to_front(window, distance);
    }
}

#[cfg(target_pointer_width = "64")]
fn shift_to_front(window: &mut [u8], distance: usize) {
    #[expect(clippy::disallowed_methods, reason = "the caller has checked the range")]
    window.copy_within(distance.., 0);
}

/// The same in a hundred bytes of flash instead of the 1,600 of `memmove`, which nothing else needs.
#[cfg(not(target_pointer_width = "64"))]
fn shift_to_front(window: &mut [u8], distance: usize) {
    const WORD: usize = size_of::<u32>();
    let mut window = window;
    while let Some(word) =
        window.get(distance..).and_then(|rest| rest.first_chunk::<WORD>().copied())
        && distance >= WORD
        && let Some((place, _)) = window.split_first_chunk_mut::<WORD>()
    {
        *place = word;
        window = window.get_mut(WORD..).unwrap_or_default();
    }
    while let Some(byte) = window.get(distance).copied()
        && let [place, rest @ ..] = window
    {
        *place = byte;
        window = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_stops_at_the_shorter_side() {
        let mut to = [0; 3];
        assert_eq!(copy(&[1, 2, 3, 4], &mut to), 3);
        assert_eq!(to, [1, 2, 3]);
        assert_eq!(copy(&[9], &mut to), 1);
        assert_eq!(to, [9, 2, 3]);
    }

    #[test]
    fn copy_of_every_length_is_whole_and_no_longer() {
        let from: std::vec::Vec<u8> = (1..=150).collect();
        for len in 0..from.len() {
            let mut to = [0; 150];
            assert_eq!(copy(&from[..len], &mut to), len);
            assert_eq!((&to[..len], to[len]), (&from[..len], 0), "{len}");
            let mut short = std::vec![0; len / 2];
            assert_eq!(copy(&from[..len], &mut short), len / 2);
            assert_eq!(short, from[..len / 2]);
        }
    }

    #[test]
    fn short_copy_is_whole_or_not_made() {
        let from: std::vec::Vec<u8> = (1..=150).collect();
        for len in 0..from.len() {
            let mut to = [0; 150];
            let copied = copy_short(&from[..len], &mut to);
            assert_eq!(copied, HAS_SHORT && len <= SHORT_MAX, "{len}");
            let copied = if copied { len } else { 0 };
            assert_eq!((&to[..copied], to[copied]), (&from[..copied], 0), "{len}");
            let mut short = std::vec![0; len.saturating_sub(1)];
            assert!(len == 0 || !copy_short(&from[..len], &mut short));
            assert!(short.iter().all(|byte| *byte == 0), "{len}");
        }
    }

    #[test]
    fn shift_moves_overlapping_bytes_to_the_front() {
        let mut memory = [0, 1, 2, 3, 4, 5, 6, 7];
        shift(&mut memory, 2, 1, 5);
        assert_eq!(memory, [0, 2, 3, 4, 5, 6, 6, 7]);
    }

    #[test]
    fn shift_equals_byte_by_byte_at_every_length_and_distance() {
        let memory: std::vec::Vec<u8> = (0..=200).collect();
        for len in 0..=96 {
            for distance in 1..=34 {
                let mut expected = memory.clone();
                expected.copy_within(distance + 1..distance + 1 + len, 1);
                let mut moved = memory.clone();
                shift(&mut moved, distance + 1, 1, len);
                assert_eq!(moved, expected, "{len} bytes by {distance}");
            }
        }
    }

    #[test]
    fn shift_out_of_bounds_or_backwards_changes_nothing() {
        let mut memory = [0, 1, 2, 3];
        shift(&mut memory, 2, 0, 3);
        shift(&mut memory, 0, 1, 2);
        shift(&mut memory, usize::MAX, 0, 2);
        assert_eq!(memory, [0, 1, 2, 3]);
    }
}
