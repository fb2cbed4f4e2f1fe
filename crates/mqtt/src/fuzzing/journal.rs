//! Stores: whatever happens, they have what a crash must not lose.

use super::session::{
    EXPORT, Fuzzed, INFLIGHT, OUTBOX, Small, asking, export, tokens_are_in_order,
};
use crate::{Config, Records, Session, Version};
use dunlin_octet::Reader;

/// A store that follows a session has the same state, whatever the program and the server do and
/// whenever the session crashes; and what it has lets the session go on.
///
/// # Panics
/// When it has not.
pub fn journal(data: &[u8]) {
    let mut input = Reader::new(data);
    let flags = input.u8().unwrap_or_default();
    let version = if flags & 2 != 0 { Version::V5 } else { Version::V3 };
    let config = if flags & 1 != 0 { Config::new().manual_acks() } else { Config::new() };
    let config = config.adopting_sessions().version(version).journaled();
    let mut fuzzed = Fuzzed::new(config);
    let mut store = Session::new([0; OUTBOX], config);
    let mut held = None;
    while let Some(byte) = input.u8() {
        match byte & 0x0f {
            0..=5 => fuzzed.command(byte, &mut input),
            6 => fuzzed.open(&asking(version, byte & 0x30 == 0, false)),
            7 => fuzzed.send(),
            8 => fuzzed.session.handle_release(),
            9 => {
                if let Some(ack) = held.take() {
                    fuzzed.acknowledge(ack, byte);
                }
            }
            10 => follow(&mut fuzzed.session, &mut store, usize::from(byte >> 4)),
            11 => {
                follow(&mut fuzzed.session, &mut store, usize::MAX);
                fuzzed.session.handle_recorded();
                assert!(fuzzed.session.is_recorded());
                compare(&fuzzed.session, &store, fuzzed.handed_over.void);
            }
            12 => {
                fuzzed.crash(restored(&store, config), |id| store.has_taken(id));
                held = None;
            }
            13 | 14 => {
                let ack = input.u8().and_then(|byte| fuzzed.step(byte, &mut input));
                held = ack.or(held);
            }
            _ => held = fuzzed.receive(&mut input).or(held),
        }
        let session = &fuzzed.session;
        assert!(session.in_flight() <= INFLIGHT && session.unacknowledged() <= INFLIGHT);
    }
    fuzzed.crash(restored(&store, config), |_| true);
    fuzzed.complete(|session| {
        follow(session, &mut store, usize::MAX);
        session.handle_recorded();
    });
    follow(&mut fuzzed.session, &mut store, usize::MAX);
    assert!(store.is_idle() && store.in_flight() == 0);
}

/// Any bytes are taken in as records or refused; a session that has taken them works, and exports what
/// it would take in again.
///
/// # Panics
/// When it does not, or the second export is another one though the tokens stand in the order in which
/// every session writes them: records with others are taken as they come.
pub fn restore(data: &[u8]) {
    for version in [Version::V3, Version::V5] {
        let config = Config::new().version(version);
        let mut fuzzed = Fuzzed::new(config);
        if fuzzed.session.import(data).is_ok() && !data.is_empty() {
            let copy = restored(&fuzzed.session, config);
            let [one, other] = [&fuzzed.session, &copy].map(export);
            assert!(one == other || !tokens_are_in_order(&one.0), "{one:x?} became {other:x?}");
        }
        for record in Records::new(data) {
            let _ = fuzzed.session.restore(record);
        }
        let _ = fuzzed.session.restore(data);
        fuzzed.complete(|_| {});
    }
}

/// The store takes up to `most` records.
fn follow(session: &mut Small, store: &mut Small, most: usize) {
    let mut memory = [0; EXPORT];
    for _ in 0..most {
        let Ok(Some(len)) = session.poll_record(&mut memory) else { break };
        let written = memory.get(..len).unwrap_or_default();
        let mut records = Records::new(written);
        let record = records.next().unwrap_or_default();
        assert_eq!(store.restore(record), Ok(()), "{record:x?} in {store:?}");
        assert!(records.rest().is_empty());
    }
}

/// A session that begins with what the store has.
fn restored(store: &Small, config: Config) -> Small {
    let mut session: Small = Session::new([0; OUTBOX], config);
    if store.has_standing() {
        let (memory, len) = export(store);
        assert_eq!(session.import(memory.get(..len).unwrap_or_default()), Ok(()));
    }
    session
}

/// Everything the session has, the store has, and nothing else, but for the next token: messages of
/// QoS 0 are not recorded.
///
/// A server with more messages under way than can be followed leaves it open which of them are.
fn compare(session: &Small, store: &Small, void: bool) {
    const TAKEN: u8 = 5;
    let (left, right) = (export(session), export(store));
    for (one, other) in [(&left, &right), (&right, &left)] {
        let in_other = || Records::new(other.0.get(..other.1).unwrap_or_default());
        for record in Records::new(one.0.get(..one.1).unwrap_or_default()).skip(1) {
            let open = void && record.first() == Some(&TAKEN);
            assert!(
                open || in_other().any(|it| it == record),
                "{record:x?} of {session:?} is not in {store:?}, or the other way round"
            );
        }
    }
    let standing = |export: &([u8; EXPORT], usize)| {
        let first = Records::new(&export.0).next().unwrap_or_default();
        first
            .get(..8)
            .map(|bytes| bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte)))
    };
    assert_eq!(standing(&left), standing(&right));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random_bytes(seed: u64, rounds: usize, mut entry: impl FnMut(&[u8])) {
        std::println!("seed {seed:#x}");
        let mut state = seed;
        for _ in 0..rounds {
            let mut bytes = [0; 120];
            for byte in &mut bytes {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = (state >> 32) as u8;
            }
            entry(&bytes);
        }
    }

    #[test]
    fn journal_entry_point_holds_for_random_bytes() {
        random_bytes(0x6a09_e667_f3bc_c908, 8_000, journal);
    }

    const STANDING: [u8; 12] = [0, 0, 0, 12, 1, 1, 5, 0, 0, 0, 0, 0];

    fn imported(records: &[u8]) -> Small {
        let mut session: Small = Session::new([0; OUTBOX], Config::new().version(Version::V5));
        assert_eq!(session.import(records), Ok(()));
        session
    }

    #[test]
    fn tokens_that_no_session_writes_are_taken_as_they_come() {
        let message = |id, token| [2, 0, id, 0, 0, 0, token, 0x32, 6, 0, 1, b'a', 0, id, 0];
        let framed = |id, token| [&[0, 0, 0, 15][..], &message(id, token)].concat();
        let standing = |next: u8| [&STANDING[..], &[0, 0, 0, next]].concat();
        for (records, ordered) in [
            ([standing(0), framed(1, 9)].concat(), true),
            ([standing(0), framed(1, 9), framed(2, 10)].concat(), true),
            ([standing(0), framed(1, 9), standing(3)].concat(), false),
            ([standing(0), framed(1, 9), framed(2, 9)].concat(), false),
        ] {
            let (written, _) = export(&imported(&records));
            assert_eq!(tokens_are_in_order(&written), ordered);
            restore(&records);
        }
    }

    #[test]
    fn restored_packets_of_any_number_of_filters_are_completed() {
        for count in 1..=3 {
            let filters = [0, 1, b'a'].repeat(count);
            let unsubscribe = [&[0xa2, 3 + filters.len() as u8, 0, 1, 0][..], &filters].concat();
            let prefix = [0, 0, 0, 7 + unsubscribe.len() as u8, 2, 0, 1, 0, 0, 0, 0];
            let records = [&STANDING[..], &[0; 4], &prefix, &unsubscribe].concat();
            assert_eq!(imported(&records).in_flight(), 1);
            restore(&records);
        }
    }

    /// Random bytes are no records; these are, with random ones among them.
    #[test]
    fn restore_entry_point_holds_for_random_changes_of_an_export() {
        let mut fuzzed = Fuzzed::new(Config::new());
        for byte in [0, 1, 6, 5] {
            fuzzed.command(byte, &mut Reader::new(&[3]));
        }
        let (memory, len) = export(&fuzzed.session);
        restore(&memory[..len]);
        random_bytes(0xbb67_ae85_84ca_a73b, 5_000, |random| {
            let mut changed = memory;
            for change in random.chunks_exact(2).take(1 + usize::from(random[100] % 4)) {
                changed[usize::from(change[0]) % len] = change[1];
            }
            restore(&changed[..len]);
            restore(&changed[..usize::from(random[101]) % len]);
        });
    }
}
