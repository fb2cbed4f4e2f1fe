//! Random requests, signed by Dunlin and by two signers that nobody here wrote.
//!
//! Ten thousand with each of them; `DUNLIN_SIGV4_REQUESTS` sets how many, `DUNLIN_SEED` which one is
//! the first. A case is drawn from its seed alone, so that one that fails can be run by itself.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "signatures/aws_sigv4.rs"]
mod aws_sigv4;
#[path = "signatures/botocore.rs"]
mod botocore;
#[path = "signatures/case.rs"]
mod case;

use std::hash::{BuildHasher, RandomState};

use botocore::Botocore;
use case::{Case, Form, Made};
use dunlin_octet::{Count, Text, Window, Writer};
use dunlin_sigv4::Key;

/// With each signer, when the environment does not say otherwise.
const REQUESTS: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}?")))
}

/// Has both sign every case, and compares what they make.
fn compare(draw: impl Fn(u64) -> Case, mut theirs: impl FnMut(&Case) -> Made) {
    let first = number("DUNLIN_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let count = number("DUNLIN_SIGV4_REQUESTS").unwrap_or(REQUESTS);
    println!("{count} requests, again with DUNLIN_SEED={first}");
    // One for all: it has to notice each change of scope by itself.
    let mut key = Key::new();
    for seed in (0..count).map(|nth| first.wrapping_add(nth)) {
        let case = draw(seed);
        let made = case.sign(&mut key).unwrap_or_else(|fault| panic!("{fault}: {case:#?}"));
        assert_eq!(
            made,
            theirs(&case),
            "again: DUNLIN_SEED={seed} DUNLIN_SIGV4_REQUESTS=1\n{case:#?}"
        );
    }
}

#[test]
fn random_requests_are_signed_as_aws_sigv4_signs_them() {
    compare(Case::for_aws_sigv4, aws_sigv4::sign);
}

#[test]
fn random_requests_are_signed_as_botocore_signs_them() {
    let mut botocore = Botocore::start();
    compare(Case::for_botocore, |case| botocore.sign(case));
}

#[test]
fn signed_text_through_windows_of_every_size_is_the_whole() {
    let mut key = Key::new();
    let seed = RandomState::new().hash_one(0);
    println!("seeds from {seed}");
    for nth in 0..4 {
        let case = Case::for_aws_sigv4(seed.wrapping_add(nth));
        case.with_text(&mut key, |text| {
            let mut whole = vec![0; Count::of(&text)];
            text.write(&mut Writer::new(&mut whole));
            for size in 1..=whole.len() + 1 {
                assert!(through(text, size) == whole, "windows of {size} bytes: {case:#?}");
            }
        });
    }
}

/// As a connection with an output buffer of `size` bytes writes it.
fn through(text: &dyn Text, size: usize) -> Vec<u8> {
    let (mut seen, mut memory) = (Vec::new(), vec![0; size]);
    loop {
        let mut window = Window::new(&mut memory, seen.len());
        text.write(&mut window);
        let (filled, is_last) = (window.filled(), !window.overflowed());
        seen.extend_from_slice(&memory[..filled]);
        if is_last {
            return seen;
        }
    }
}

/// The generators reach what they are for: otherwise two signers agree about nothing.
#[test]
fn random_requests_have_what_signers_can_stumble_over() {
    let cases: Vec<Case> = (0..200).map(Case::for_aws_sigv4).collect();
    let count = |wanted: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| wanted(case)).count();
    for (what, seen) in [
        ("S3", count(&|case| case.service == "s3")),
        ("query form", count(&|case| case.form == Form::Query)),
        ("a path with dots", count(&|case| case.path.contains("/../"))),
        ("an encoded path", count(&|case| case.path.contains('%'))),
        ("repeated names", count(&|case| has_repeated(&case.query))),
        ("repeated headers", count(&|case| has_repeated(&case.headers))),
        ("runs of spaces", count(&|case| case.headers.iter().any(|(_, v)| v.contains("  ")))),
        ("a token", count(&|case| case.session_token.is_some())),
        ("no body", count(&|case| case.body.is_none())),
    ] {
        assert!(seen >= 10, "{what}: {seen} of {}", cases.len());
    }
}

fn has_repeated(pairs: &[(String, String)]) -> bool {
    let mut names: Vec<String> = pairs.iter().map(|(name, _)| name.to_lowercase()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    names.len() < count
}
