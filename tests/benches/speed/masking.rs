//! Masking, beside a copy of the same length.

use crate::group::{Group, OURS};
use crate::memory::{FROM, Memory, TO};
use crate::random::Random;
use dunlin_octet::{copy_masked, mask};
use std::hint::black_box;

const LENGTHS: &[(usize, &str)] =
    &[(16, "16 B"), (125, "125 B"), (1 << 10, "1 KiB"), (1 << 16, "64 KiB"), (1 << 20, "1 MiB")];

const COPY: &str = "copy_from_slice";

/// From here on, masking keeps up with a copy.
const LONG: usize = 1 << 16;
/// 0.95 of a copy's throughput.
const IN_PLACE_MAX: f64 = 1.0 / 0.95;
/// The C library copies with instructions for strings, or with registers of 64 bytes, which the default
/// target leaves out: both spare the processor reading what is to be written over. On a Sapphire Rapids,
/// loops with registers of 16 bytes took 1.00 to 1.09 of its time at 64 KiB, however far they were
/// unrolled, and up to 1.22 at 1 MiB, where neighbours use the same cache.
const COPYING_MAX: f64 = 1.25;

pub(crate) fn groups() -> Vec<Group> {
    LENGTHS.iter().flat_map(|(len, label)| [copying(*len, label), in_place(*len, label)]).collect()
}

fn copying(len: usize, label: &str) -> Group {
    let (from, mut to, mut random) = (Memory::new(len, FROM), Memory::new(len, TO), Random::new());
    let ours = move || {
        copy_masked(black_box(from.get()), black_box(to.get_mut()), random.key(), 0);
    };
    let group = Group::new(format!("mask while copying, {label}")).case(OURS, ours);
    finish(group, len, COPYING_MAX)
}

fn in_place(len: usize, label: &str) -> Group {
    let (mut data, mut random) = (Memory::new(len, TO), Random::new());
    let ours = move || mask(black_box(data.get_mut()), random.key(), 0);
    let group = Group::new(format!("mask in place, {label}")).case(OURS, ours);
    finish(group, len, IN_PLACE_MAX)
}

fn finish(group: Group, len: usize, most: f64) -> Group {
    let (from, mut to) = (Memory::new(len, FROM), Memory::new(len, TO));
    let copy = move || black_box(to.get_mut()).copy_from_slice(black_box(from.get()));
    let group = group.bytes(len);
    if len >= LONG { group.peer(COPY, most, copy) } else { group.case(COPY, copy) }
}
