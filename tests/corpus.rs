//! The fuzz corpus, replayed on stable: what a fuzzer has once reached stays tested.
#![allow(
    clippy::std_instead_of_core,
    clippy::alloc_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

type Target = (&'static str, fn(&[u8]));

/// Every target of `fuzz/`, and what it calls.
const TARGETS: &[Target] = &[
    ("aws_answers", dunlin_aws::fuzzing::answer),
    ("aws_topics", dunlin_aws::fuzzing::topics),
    ("connection", dunlin::fuzzing::connection),
    ("dates", dunlin_aws::fuzzing::date),
    ("differential", differential),
    ("frames", dunlin_ws::fuzzing::frames),
    ("journal", dunlin_mqtt::fuzzing::journal),
    ("packets", dunlin_mqtt::fuzzing::packets),
    ("restore", dunlin_mqtt::fuzzing::restore),
    ("session", dunlin_mqtt::fuzzing::session),
    ("signing", dunlin_sigv4::fuzzing::request),
    ("time_server", dunlin_aws::fuzzing::sntp),
    ("upgrade_response", dunlin_ws::fuzzing::response),
    ("values", dunlin_mqtt::fuzzing::values),
    // Our half of it: the frames of others are there for fuzzing alone.
    ("websocket", dunlin_ws::fuzzing::frames),
];

/// Our half of it: the codec that ours is compared with is there for fuzzing alone.
fn differential(data: &[u8]) {
    dunlin_mqtt::fuzzing::packets(data);
    dunlin_mqtt::fuzzing::values(data);
}

#[test]
fn corpus_of_every_target_holds() {
    for (target, entry) in TARGETS {
        let files = names(&format!("corpus/{target}"));
        assert!(!files.is_empty(), "no corpus for {target}");
        for file in files {
            // Shown when the input panics.
            println!("fuzz/corpus/{target}/{file}");
            entry(&fs::read(fuzz().join("corpus").join(target).join(file)).unwrap());
        }
    }
}

#[test]
fn every_fuzz_target_is_replayed() {
    let replayed = TARGETS.iter().map(|(target, _)| format!("{target}.rs")).collect();
    assert_eq!(names("fuzz_targets"), replayed);
}

fn fuzz() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"))
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
