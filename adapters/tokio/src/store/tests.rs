//! The file itself: what a crash leaves of it, and what it refuses.

use super::*;
use std::{fs, path::Path};

/// An empty folder of its own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dunlin-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Records behind their lengths.
fn batch(records: &[&[u8]]) -> Vec<u8> {
    let framed = records.iter().flat_map(|record| {
        let len = u32::try_from(record.len()).unwrap().to_be_bytes();
        [&len, *record].concat()
    });
    framed.collect()
}

fn read(path: &Path) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut log = FileLog::open(path, Durability::System).unwrap();
    log.replay(|record| {
        records.push(record.to_vec());
        Ok(())
    })
    .unwrap()
    .unwrap();
    records
}

#[test]
fn log_cut_at_every_byte_has_the_whole_records_before_it_and_goes_on() {
    let folder = Folder::new("cut");
    let path = folder.log();
    let records = [&b"one"[..], b"", b"three three three"];
    let mut log = FileLog::open(&path, Durability::Disk).unwrap();
    assert_eq!(log.append(&batch(&records[..1])).unwrap(), Appended::Safe);
    log.append(&batch(&records[1..])).unwrap();
    drop(log);
    let bytes = fs::read(&path).unwrap();
    let ends = [8, 19, 27, 52];
    assert_eq!(bytes.len(), 52);
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let whole = ends[1..].iter().filter(|end| **end <= cut).count();
        let mut log = FileLog::open(&path, Durability::System).unwrap();
        let torn = if cut < 8 { cut } else { cut - ends[whole] };
        assert_eq!(log.torn(), u64::try_from(torn).unwrap());
        log.append(&batch(&[b"next"])).unwrap();
        drop(log);
        let expected = [&records[..whole], &[b"next"]].concat();
        assert_eq!(read(&path), expected, "cut at {cut}");
    }
}

#[test]
fn any_bit_that_flips_ends_the_log_before_its_record() {
    let folder = Folder::new("flip");
    let path = folder.log();
    FileLog::open(&path, Durability::System).unwrap().append(&batch(&[b"one", b"two"])).unwrap();
    let bytes = fs::read(&path).unwrap();
    for bit in HEAD.len() * 8..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        let expected: &[&[u8]] = if bit < 19 * 8 { &[] } else { &[b"one"] };
        assert_eq!(read(&path), expected, "bit {bit}");
    }
}

#[test]
fn rewriting_leaves_one_log_or_the_other_whenever_it_is_cut_off() {
    let folder = Folder::new("rewrite");
    let path = folder.log();
    let mut log = FileLog::open(&path, Durability::Disk).unwrap();
    log.append(&batch(&[b"old", b"older"])).unwrap();
    let old = fs::read(&path).unwrap();
    log.replace(&batch(&[b"new"])).unwrap();
    log.append(&batch(&[b"newer"])).unwrap();
    drop(log);
    assert_eq!(read(&path), [&b"new"[..], b"newer"]);
    let new = fs::read(&path).unwrap();
    for cut in 0..=new.len() {
        fs::write(&path, &old).unwrap();
        fs::write(folder.0.join("log.new"), &new[..cut]).unwrap();
        assert_eq!(read(&path), [&b"old"[..], b"older"]);
        assert!(!folder.0.join("log.new").exists());
    }
}

#[test]
fn log_wants_to_be_rewritten_once_it_is_several_times_its_state() {
    let folder = Folder::new("full");
    let mut log = FileLog::open(&folder.log(), Durability::System).unwrap();
    let large = batch(&[&[7; 30 << 10]]);
    assert_eq!(log.append(&large).unwrap(), Appended::Safe);
    assert_eq!(log.append(&large).unwrap(), Appended::Safe);
    assert_eq!(log.append(&large).unwrap(), Appended::Full);
    log.replace(&large).unwrap();
    assert_eq!(log.append(&large).unwrap(), Appended::Safe);
    assert_eq!(log.append(&large).unwrap(), Appended::Safe);
    assert_eq!(log.append(&large).unwrap(), Appended::Safe);
    assert_eq!(log.append(&large).unwrap(), Appended::Full);
}

#[test]
fn log_that_another_has_or_that_is_none_is_left_alone() {
    let folder = Folder::new("refused");
    let path = folder.log();
    let log = FileLog::open(&path, Durability::System).unwrap();
    assert!(matches!(FileLog::open(&path, Durability::System), Err(StoreError::InUse { .. })));
    drop(log);
    fs::write(&path, b"#!/bin/sh\n").unwrap();
    assert!(matches!(FileLog::open(&path, Durability::System), Err(StoreError::Foreign { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"#!/bin/sh\n");
    let nowhere = folder.0.join("no/such/folder");
    let error = FileLog::open(&nowhere, Durability::System).unwrap_err();
    assert!(error.to_string().ends_with("create its folder"), "{error}");
}
