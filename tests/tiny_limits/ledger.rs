//! What was asked for, and what became of it.

use dunlin::{Qos, ReasonCode, Token};
use std::collections::{BTreeMap, HashMap};
use support::tiny::{Message, REFUSAL};

/// A message that was accepted.
#[derive(Debug)]
struct Entry {
    number: u32,
    topic: &'static str,
    qos: Qos,
    /// The server takes packets of this length.
    fits: bool,
    outcome: Option<ReasonCode>,
    rejected: bool,
}

/// Every message by its token.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: HashMap<Token, Entry>,
    tried: u32,
    knows_limits: bool,
}

/// The payload of a message: its number, and as many bytes that follow from it.
pub(crate) fn payload(number: u32, len: usize) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(len, number as u8);
    payload
}

fn number_of(bytes: &[u8]) -> u32 {
    let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    assert_eq!(bytes, payload(number, bytes.len()), "a payload was changed");
    number
}

/// The server refuses every seventeenth message.
pub(crate) fn is_refused(payload: &[u8]) -> bool {
    number_of(payload).is_multiple_of(17)
}

impl Ledger {
    /// How many messages have been decided on; also the number of the next.
    pub(crate) fn tried(&self) -> u32 {
        self.tried
    }

    pub(crate) fn knows_limits(&self) -> bool {
        self.knows_limits
    }

    pub(crate) fn learn_limits(&mut self) {
        self.knows_limits = true;
    }

    pub(crate) fn accept(
        &mut self,
        token: Token,
        number: u32,
        topic: &'static str,
        qos: Qos,
        fits: bool,
    ) {
        let entry = Entry { number, topic, qos, fits, outcome: None, rejected: false };
        assert!(self.entries.insert(token, entry).is_none(), "a token came twice");
        self.tried += 1;
    }

    /// Refused before a byte was sent.
    pub(crate) fn refuse(&mut self) {
        self.tried += 1;
    }

    pub(crate) fn acknowledge(&mut self, token: Token, reason: ReasonCode) {
        let entry = self.entries.get_mut(&token).expect("a token that was given");
        assert!(entry.qos != Qos::AtMostOnce && !entry.rejected, "{entry:?}");
        assert_eq!(entry.outcome.replace(reason), None, "{entry:?}");
    }

    pub(crate) fn reject(&mut self, token: Token, reason: ReasonCode) {
        let entry = self.entries.get_mut(&token).expect("a token that was given");
        assert_eq!(reason, ReasonCode::PACKET_TOO_LARGE);
        assert!(!entry.fits && !entry.rejected && entry.outcome.is_none(), "{entry:?}");
        entry.rejected = true;
    }

    /// Holds what was accepted against what has arrived.
    pub(crate) fn check(&self, messages: &[Message]) {
        let mut arrived: BTreeMap<u32, Vec<&Message>> = BTreeMap::new();
        for message in messages {
            arrived.entry(number_of(&message.payload)).or_default().push(message);
        }
        let mut rejected = 0;
        for entry in self.entries.values() {
            let arrived = arrived.remove(&entry.number).unwrap_or_default();
            assert!(arrived.iter().all(|it| it.topic == entry.topic && it.qos == entry.qos.bits()));
            let count = arrived.len();
            rejected += u32::from(entry.rejected);
            assert_eq!(entry.rejected, !entry.fits, "{entry:?}");
            if entry.rejected {
                assert_eq!(count, 0, "{entry:?}");
                continue;
            }
            let expected = match entry.qos {
                Qos::AtMostOnce => {
                    assert!(count <= 1 && entry.outcome.is_none(), "{entry:?}");
                    continue;
                }
                _ if entry.number.is_multiple_of(17) => REFUSAL,
                Qos::AtLeastOnce => {
                    assert!(count >= 1, "lost: {entry:?}");
                    0
                }
                Qos::ExactlyOnce => {
                    assert_eq!(count, 1, "{entry:?}");
                    0
                }
            };
            assert_eq!(entry.outcome, Some(ReasonCode::new(expected)), "{entry:?}");
        }
        assert!(arrived.is_empty(), "never sent: {arrived:?}");
        check_order(messages);
        println!("{} accepted, {rejected} rejected", self.entries.len());
        assert!(rejected >= 3, "they were accepted before the limits were known");
    }
}

/// Messages of a topic and a QoS arrive in their order, apart from repetitions.
fn check_order(messages: &[Message]) {
    let mut newest: HashMap<(&str, u8), u32> = HashMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for message in messages {
        let number = number_of(&message.payload);
        if seen.insert(number) {
            let before = newest.insert((&message.topic, message.qos), number);
            assert!(before.is_none_or(|before| before < number), "{number} behind {before:?}");
        }
    }
}
