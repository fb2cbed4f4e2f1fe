//! The ring of packets.

use super::*;
use std::{collections::VecDeque, vec, vec::Vec};

fn push<B: Buffer>(outbox: &mut Outbox<B>, packet: &[u8], token: u32, id: u16) -> usize {
    let (at, _) = outbox.place(packet.len()).unwrap();
    outbox.push(at, packet.len(), token, id).copy_from_slice(packet);
    at
}

#[test]
fn packets_leave_in_the_order_they_came() {
    let mut outbox = Outbox::new([0; 64]);
    let first = push(&mut outbox, b"\x32one", 1, 1);
    push(&mut outbox, b"\x30two", 2, 0);
    assert_eq!(outbox.lend(|_| false), Some(&b"\x32one"[..]));
    assert_eq!(outbox.lend(|_| false), Some(&b"\x32one"[..]), "asking again changes nothing");
    assert_eq!(outbox.finish(0).unwrap().id, 1);
    assert_eq!(outbox.lend(|_| false), Some(&b"\x30two"[..]));
    outbox.finish(0);
    assert_eq!(outbox.lend(|_| false), None);
    assert!(!outbox.is_empty(), "one waits for its acknowledgement");
    outbox.release(first);
    assert!(outbox.is_empty());
}

#[test]
fn packet_half_out_stays_until_it_has_gone() {
    let mut outbox = Outbox::new([0; 64]);
    let at = push(&mut outbox, b"\x32one", 1, 1);
    outbox.lend(|_| false);
    outbox.release(at);
    assert_eq!(outbox.lend(|_| false), Some(&b"\x32one"[..]));
    outbox.finish(0);
    assert!(outbox.is_empty());
}

/// v3.1.1: [MQTT-3.3.1-1] [MQTT-4.6.0-1]
#[test]
fn packets_sent_before_go_again_as_duplicates_in_their_order() {
    let mut outbox = Outbox::new([0; 128]);
    push(&mut outbox, b"\x32one", 1, 1);
    push(&mut outbox, b"\x82sub", 2, 2);
    push(&mut outbox, b"\x32two", 3, 3);
    for _ in 0..2 {
        outbox.lend(|_| false);
        outbox.finish(0);
    }
    outbox.lend(|_| false);
    outbox.rewind(0);
    assert_eq!(outbox.lend(|_| false), Some(&b"\x3aone"[..]));
    outbox.finish(0);
    assert_eq!(outbox.lend(|_| false), Some(&b"\x82sub"[..]));
    outbox.finish(0);
    assert_eq!(outbox.lend(|_| false), Some(&b"\x32two"[..]), "it never went out whole");
    outbox.rewind(0);
    outbox.forget_sent();
    assert_eq!(outbox.lend(|_| false), Some(&b"\x32one"[..]), "the server has no session");
}

#[test]
fn ring_that_is_full_says_whether_waiting_helps() {
    let mut outbox = Outbox::new([0; 40]);
    push(&mut outbox, &[0x32; 10], 1, 1);
    assert_eq!(outbox.place(10), Err(NoRoom::Now));
    assert_eq!(outbox.place(29), Err(NoRoom::Ever));
    assert_eq!(outbox.place(usize::MAX), Err(NoRoom::Ever));
}

/// Every mix of pushes, sends, releases in any order and reconnects keeps order and content.
#[test]
fn ring_equals_a_queue_under_random_use() {
    for seed in 1..200u32 {
        let mut random = Lcg(seed);
        let growing = seed % 2 == 0;
        let mut outbox =
            Outbox::new(Grows { memory: vec![0; 100], limit: if growing { 700 } else { 100 } });
        let mut model: VecDeque<(u16, Vec<u8>, bool)> = VecDeque::new();
        let mut id = 0u16;
        for _ in 0..400 {
            match random.next(4) {
                0 | 1 => {
                    let packet = vec![0x82; random.next(30) as usize + 1];
                    if let Ok((at, _)) = outbox.place(packet.len()) {
                        id += 1;
                        outbox.push(at, packet.len(), 0, id).copy_from_slice(&packet);
                        model.push_back((id, packet, false));
                    }
                }
                2 => {
                    let expected = model.iter_mut().find(|entry| !entry.2);
                    assert_eq!(
                        outbox.lend(|_| false),
                        expected.as_ref().map(|entry| &entry.1[..]),
                        "seed {seed}"
                    );
                    if let Some(entry) = expected {
                        assert_eq!(outbox.finish(0).unwrap().id, entry.0);
                        entry.2 = true;
                    }
                }
                _ if random.next(10) == 0 => {
                    outbox.rewind(0);
                    model.iter_mut().for_each(|entry| entry.2 = false);
                }
                _ => {
                    let mut places = Vec::new();
                    outbox.for_each(|at, entry| places.push((at, entry.id)));
                    let ids: Vec<_> = model.iter().map(|entry| entry.0).collect();
                    assert_eq!(places.iter().map(|place| place.1).collect::<Vec<_>>(), ids);
                    if !places.is_empty() {
                        let (at, id) = places[random.next(places.len() as u32) as usize];
                        outbox.release(at);
                        model.retain(|entry| entry.0 != id);
                    }
                }
            }
        }
    }
}

struct Grows {
    memory: Vec<u8>,
    limit: usize,
}

impl Buffer for Grows {
    type Places<T: dunlin_octet::Entry, const N: usize> = [T; N];

    fn bytes(&self) -> &[u8] {
        &self.memory
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
    fn limit(&self) -> usize {
        self.limit
    }
    fn grow(&mut self, len: usize) -> bool {
        if len > self.limit {
            return false;
        }
        self.memory.resize(len.max(self.memory.len()), 0);
        true
    }
}

struct Lcg(u32);

impl Lcg {
    fn next(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % below
    }
}
