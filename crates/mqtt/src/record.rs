//! What a session must not forget, as bytes: the records of a store, and the parts of an export.

use crate::{PacketId, Token, Version, publish::DUP};
use core::fmt;
use dunlin_octet::{Reader, Sink, Text};

/// How records are written; a store with another number was written by another version of Dunlin.
pub const FORMAT: u8 = 1;

/// What stands before each record in an export and in what [`Session::poll_record`] writes: its length,
/// in four bytes, most significant first.
///
/// [`Session::poll_record`]: crate::Session::poll_record
pub const RECORD_PREFIX: usize = 4;

/// How much longer than its packet a record is at most, with its prefix; one without a packet is no
/// longer than twice this.
pub const RECORD_OVERHEAD: usize = 12;

/// Memory is too short for what was to be written into it; nothing was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooShort {
    /// How many bytes it takes.
    pub needed: usize,
}

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the memory is too short: {} bytes are needed", self.needed)
    }
}

impl core::error::Error for TooShort {}

/// Why a record was not taken into a session; it changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RestoreError {
    /// The bytes are not a record, or one that does not fit those before it.
    Malformed,
    /// It was written by another version of Dunlin.
    Format,
    /// It belongs to a session of the other MQTT version ([`Config::version`](crate::Config::version)).
    Version,
    /// The outbox has no room for a message.
    OutboxFull,
    /// More exchanges are in flight than the session can follow.
    InflightFull,
    /// The session has done something already: only a fresh one takes records.
    NotFresh,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the store holds something that is no record of a session",
            Self::Format => {
                "the store was written by another version of Dunlin: finish with that one, or \
                 remove the store, and the messages in it"
            }
            Self::Version => {
                "the store belongs to the other MQTT version: connect with that one, or remove the \
                 store, and the messages in it"
            }
            Self::OutboxFull => "the messages in the store need a larger outbox",
            Self::InflightFull => "the exchanges in the store need more in flight",
            Self::NotFresh => "a session takes records only before it does anything else",
        })
    }
}

impl core::error::Error for RestoreError {}

/// Whether the server has a session of ours, and what goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) version: Version,
    /// The server has had a session of ours.
    pub(crate) established: bool,
    /// A CONNECT has had no answer.
    pub(crate) unanswered: bool,
    /// The server knew nothing of the exchanges recorded so far.
    pub(crate) forgets: bool,
    /// The server may know nothing of the messages recorded so far.
    pub(crate) doubts: bool,
    pub(crate) expiry_s: u32,
    pub(crate) next_token: u32,
}

/// One change of a session, in the order of each exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Standing(Standing),
    /// A packet was accepted, which is to be acknowledged.
    Added {
        id: PacketId,
        token: Token,
        packet: &'a [u8],
    },
    /// PUBREC has come for it.
    Released {
        id: PacketId,
        unmatched: bool,
    },
    /// The identifier was in use, and is not any more.
    Done {
        id: PacketId,
    },
    /// The program has let go of a message of QoS 2.
    Taken {
        id: PacketId,
        doubtful: bool,
        digest: u32,
    },
    /// The server has released it.
    Removed {
        id: PacketId,
    },
}

const STANDING: u8 = 1;
const ADDED: u8 = 2;
const RELEASED: u8 = 3;
const DONE: u8 = 4;
const TAKEN: u8 = 5;
const REMOVED: u8 = 6;

impl<'a> Record<'a> {
    pub(crate) fn decode(record: &'a [u8]) -> Result<Self, RestoreError> {
        let mut bytes = Reader::new(record);
        let kind = bytes.u8().ok_or(RestoreError::Malformed)?;
        let decoded = match kind {
            STANDING => Some(Self::Standing(standing(&mut bytes)?)),
            ADDED => added(&mut bytes),
            RELEASED => take_id(&mut bytes)
                .zip(take_flag(&mut bytes))
                .map(|(id, unmatched)| Self::Released { id, unmatched }),
            DONE => take_id(&mut bytes).map(|id| Self::Done { id }),
            TAKEN => taken(&mut bytes),
            REMOVED => take_id(&mut bytes).map(|id| Self::Removed { id }),
            _ => None,
        };
        decoded.filter(|_| bytes.is_empty()).ok_or(RestoreError::Malformed)
    }
}

fn standing(bytes: &mut Reader<'_>) -> Result<Standing, RestoreError> {
    let malformed = RestoreError::Malformed;
    if bytes.u8().ok_or(malformed)? != FORMAT {
        return Err(RestoreError::Format);
    }
    let version = bytes.u8().and_then(Version::from_level).ok_or(malformed)?;
    let flags = bytes.u8().filter(|flags| *flags < 1 << 4).ok_or(malformed)?;
    let expiry_s = bytes.u32().ok_or(malformed)?;
    let next_token = bytes.u32().ok_or(malformed)?;
    Ok(Standing {
        version,
        established: flags & 1 != 0,
        unanswered: flags & 2 != 0,
        forgets: flags & 4 != 0,
        doubts: flags & 8 != 0,
        expiry_s,
        next_token,
    })
}

fn added<'a>(bytes: &mut Reader<'a>) -> Option<Record<'a>> {
    let id = take_id(bytes)?;
    let token = Token(bytes.u32()?);
    let packet = bytes.take(bytes.len())?;
    Some(Record::Added { id, token, packet })
}

fn taken<'a>(bytes: &mut Reader<'_>) -> Option<Record<'a>> {
    let id = take_id(bytes)?;
    let doubtful = take_flag(bytes)?;
    let digest = bytes.u32()?;
    Some(Record::Taken { id, doubtful, digest })
}

fn take_id(bytes: &mut Reader<'_>) -> Option<PacketId> {
    bytes.u16().and_then(PacketId::new)
}

fn take_flag(bytes: &mut Reader<'_>) -> Option<bool> {
    match bytes.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

impl Text for Record<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let with_id = |sink: &mut dyn Sink, kind: u8, id: PacketId| {
            let [high, low] = id.value().to_be_bytes();
            sink.put(&[kind, high, low]);
        };
        match *self {
            Self::Standing(standing) => {
                let flags = [
                    (standing.established, 1),
                    (standing.unanswered, 2),
                    (standing.forgets, 4),
                    (standing.doubts, 8),
                ];
                let flags = flags.iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit);
                sink.put(&[STANDING, FORMAT, standing.version.level(), flags]);
                sink.put(&standing.expiry_s.to_be_bytes());
                sink.put(&standing.next_token.to_be_bytes());
            }
            Self::Added { id, token, packet } => {
                with_id(sink, ADDED, id);
                sink.put(&token.0.to_be_bytes());
                // Whether it is a repetition is found out when it goes out.
                if let [first, rest @ ..] = packet {
                    sink.put(&[first & !DUP]);
                    sink.put(rest);
                }
            }
            Self::Released { id, unmatched } => {
                with_id(sink, RELEASED, id);
                sink.put(&[u8::from(unmatched)]);
            }
            Self::Done { id } => with_id(sink, DONE, id),
            Self::Taken { id, doubtful, digest } => {
                with_id(sink, TAKEN, id);
                sink.put(&[u8::from(doubtful)]);
                sink.put(&digest.to_be_bytes());
            }
            Self::Removed { id } => with_id(sink, REMOVED, id),
        }
    }
}

/// The records in an export, or in what [`Session::poll_record`](crate::Session::poll_record) has
/// written, one after another.
///
/// Ends where the bytes end, or where they are not whole records; [`Records::rest`] tells the two apart.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Records<'a> {
    bytes: Reader<'a>,
}

impl<'a> Records<'a> {
    /// The records in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Reader::new(bytes) }
    }

    /// What has not been taken: empty at the end of whole records.
    pub const fn rest(&self) -> &'a [u8] {
        self.bytes.rest()
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut bytes = self.bytes;
        let len = usize::try_from(bytes.u32()?).ok()?;
        let record = bytes.take(len)?;
        self.bytes = bytes;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_octet::{Count, Window};
    use std::vec::Vec;

    fn id(id: u16) -> PacketId {
        PacketId::new(id).unwrap()
    }

    fn bytes(record: &Record<'_>) -> Vec<u8> {
        let mut bytes = std::vec![0; Count::of(record)];
        record.write(&mut Window::new(&mut bytes, 0));
        bytes
    }

    fn examples() -> [Record<'static>; 6] {
        let standing = Standing {
            version: Version::V5,
            established: true,
            unanswered: false,
            forgets: true,
            doubts: false,
            expiry_s: 60,
            next_token: 0x0102_0304,
        };
        [
            Record::Standing(standing),
            Record::Added { id: id(1), token: Token(2), packet: b"\x32\x04\0\x01t!" },
            Record::Released { id: id(513), unmatched: true },
            Record::Done { id: id(65_535) },
            Record::Taken { id: id(7), doubtful: true, digest: 0xdead_beef },
            Record::Removed { id: id(8) },
        ]
    }

    #[test]
    fn record_reads_as_it_was_written_and_at_no_other_length() {
        for record in examples() {
            let written = bytes(&record);
            assert_eq!(Record::decode(&written), Ok(record));
            let packet_len =
                if let Record::Added { packet, .. } = record { packet.len() } else { 12 };
            assert!(written.len() + RECORD_PREFIX <= packet_len + RECORD_OVERHEAD);
            if matches!(record, Record::Added { .. }) {
                continue;
            }
            for len in 0..written.len() {
                assert_eq!(Record::decode(&written[..len]), Err(RestoreError::Malformed));
            }
            let longer = [&written[..], &[0]].concat();
            assert_eq!(Record::decode(&longer), Err(RestoreError::Malformed));
        }
    }

    #[test]
    fn record_of_another_format_says_so() {
        let mut written = bytes(&examples()[0]);
        written[1] = FORMAT + 1;
        assert_eq!(Record::decode(&written), Err(RestoreError::Format));
    }

    #[test]
    fn packet_is_written_without_its_mark_of_repetition() {
        let again = Record::Added { id: id(1), token: Token(2), packet: b"\x3a\x04\0\x01t!" };
        assert_eq!(bytes(&again), bytes(&examples()[1]));
    }
}
