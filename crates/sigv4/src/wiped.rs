//! Whether what is dropped is wiped: its place is read as the kernel has it, whoever lives there.

use crate::hash::Sha256;
use crate::{Credentials, Key, Request, UnixTime};
use dunlin_octet::Sink;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::vec::Vec;

/// The bytes at the place of a value while it is alive, and when it has been dropped there.
fn before_and_after<T>(value: T, fill: impl FnOnce(&mut T)) -> [Vec<u8>; 2] {
    let mut values = std::vec![value];
    fill(&mut values[0]);
    let place = u64::try_from(values.as_ptr().addr()).unwrap();
    let read = || {
        let mut memory = File::open("/proc/self/mem").unwrap();
        memory.seek(SeekFrom::Start(place)).unwrap();
        let mut bytes = std::vec![0; size_of::<T>()];
        memory.read_exact(&mut bytes).unwrap();
        bytes
    };
    let before = read();
    // Drops it, and keeps its memory.
    values.clear();
    let after = read();
    assert_eq!((values.len(), values.capacity()), (0, 1));
    [before, after]
}

fn nonzero(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte != 0).count()
}

#[test]
fn key_that_is_dropped_leaves_nothing_where_it_was() {
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "the-secret",
        session_token: None,
    };
    let at = UnixTime::from_secs(1_704_164_645);
    let request = Request::iot(credentials, "us-east-1", "example.com", at);
    let [before, after] = before_and_after(Key::new(), |key| key.renew(&request).unwrap());
    assert!(nonzero(&before) > size_of::<Key>() / 2, "{before:?}");
    assert_eq!(nonzero(&after), 0, "{after:?}");
}

#[test]
fn hash_that_is_dropped_leaves_its_lengths_alone() {
    for len in [7, 63, 100] {
        let text = std::vec![b's'; len];
        let [before, after] = before_and_after(Sha256::new(), |hash| hash.put(&text));
        assert!(before.contains(&b's'), "{before:?}");
        // How many bytes it held and had been given is told by one byte each.
        assert!(nonzero(&after) <= 2, "{len}: {after:?}");
    }
}
