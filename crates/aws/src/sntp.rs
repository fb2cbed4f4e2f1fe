//! The time from a time server: a client of SNTP (RFC 4330, RFC 5905).

use crate::UnixTime;
use core::fmt;
use dunlin::{
    Entropy,
    octet::{Reader, copy},
};

/// How long a request and the head of a response are, in bytes (RFC 5905 §7.3).
pub const SNTP_LEN: usize = 48;
/// Where time servers listen, with UDP.
pub const SNTP_PORT: u16 = 123;

/// Version 4 and mode 3, a client (RFC 5905 §7.3).
const CLIENT: u8 = 4 << 3 | 3;
/// The mode of a server.
const SERVER: u8 = 4;
/// Where a request says when it was sent.
const TRANSMITTED_AT: usize = 40;
/// Seconds from the start of 1900, where the first era begins, to that of 1970.
const UNIX_EPOCH_S: u64 = 2_208_988_800;
/// The length of an era, in seconds.
const ERA_S: u64 = 1 << 32;
/// The stratum of servers that have no time (RFC 5905 §7.3).
const STRATUM_MAX: u8 = 15;

/// One question for the time.
///
/// Send [`Sntp::request`] as a datagram, hand each datagram that comes from the server to
/// [`Sntp::response`], and give up after some seconds. Ask rarely: once at the start, and then at most
/// once an hour.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sntp {
    /// In place of the time of sending, which nobody needs to know.
    nonce: [u8; 8],
}

/// Why a datagram does not tell the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SntpError {
    /// It is no answer to this question: wait for another one.
    NotOurs,
    /// The server has no right time either: ask another one.
    Unsynchronised,
    /// The server wants to be left alone, with this code (RFC 5905 §7.4): ask another one.
    Denied([u8; 4]),
}

impl Sntp {
    /// A question that nobody can answer who has not seen it.
    pub fn new(entropy: &mut dyn Entropy) -> Self {
        let mut nonce = [0; 8];
        entropy.fill(&mut nonce);
        Self { nonce }
    }

    /// The datagram to send.
    pub fn request(&self) -> [u8; SNTP_LEN] {
        let mut request = [0; SNTP_LEN];
        let [first, ..] = &mut request;
        *first = CLIENT;
        copy(&self.nonce, request.get_mut(TRANSMITTED_AT..).unwrap_or_default());
        request
    }

    /// Reads a datagram: what time it was when the server sent it.
    ///
    /// That is early by the way back: with the time that question and answer took together, add half
    /// of it.
    pub fn response(&self, datagram: &[u8]) -> Result<UnixTime, SntpError> {
        let head = Head::decode(datagram).ok_or(SntpError::NotOurs)?;
        if head.mode != SERVER || head.originate != self.nonce {
            return Err(SntpError::NotOurs);
        }
        match head.stratum {
            0 => Err(SntpError::Denied(head.reference)),
            1..=STRATUM_MAX if head.leap != 3 && head.transmit_s != 0 => {
                Ok(UnixTime::from_secs(unix_s(head.transmit_s)))
            }
            _ => Err(SntpError::Unsynchronised),
        }
    }
}

/// The part of a response that counts.
struct Head<'a> {
    leap: u8,
    mode: u8,
    stratum: u8,
    reference: [u8; 4],
    originate: &'a [u8],
    transmit_s: u32,
}

impl<'a> Head<'a> {
    fn decode(datagram: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(datagram);
        let first = reader.u8()?;
        let stratum = reader.u8()?;
        let _poll_precision_delay_dispersion = reader.take(10)?;
        let reference = reader.u32()?.to_be_bytes();
        let _reference_time = reader.take(8)?;
        let originate = reader.take(8)?;
        let _receive_time = reader.take(8)?;
        let transmit_s = reader.u32()?;
        let _fraction = reader.take(4)?;
        let (leap, mode) = (first >> 6, first & 7);
        Some(Self { leap, mode, stratum, reference, originate, transmit_s })
    }
}

/// Seconds of an era as seconds since 1970: the second half of the first era, or the first half of the
/// next, which begins in 2036 (RFC 4330 §3).
fn unix_s(seconds: u32) -> u64 {
    let era = if seconds >> 31 == 1 { 0 } else { ERA_S };
    u64::from(seconds).saturating_add(era).saturating_sub(UNIX_EPOCH_S)
}

impl fmt::Display for SntpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("the datagram is no answer to this question"),
            Self::Unsynchronised => {
                f.write_str("the time server does not know the time itself: ask another one")
            }
            Self::Denied(code) => {
                write!(f, "the time server refuses ({}): ask another one", code.escape_ascii())
            }
        }
    }
}

impl core::error::Error for SntpError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn question() -> Sntp {
        Sntp::new(&mut |bytes: &mut [u8]| bytes.copy_from_slice(b"a nonce!"))
    }

    /// What a server of stratum 2 says at `seconds` of the era.
    fn answer(seconds: u32) -> Vec<u8> {
        let mut answer = std::vec![0; SNTP_LEN];
        answer[0] = 4 << 3 | 4;
        answer[1] = 2;
        answer[24..32].copy_from_slice(b"a nonce!");
        answer[40..44].copy_from_slice(&seconds.to_be_bytes());
        answer
    }

    fn changed(at: usize, value: u8) -> Result<UnixTime, SntpError> {
        let mut answer = answer(3_900_000_000);
        answer[at] = value;
        question().response(&answer)
    }

    #[test]
    fn request_is_that_of_a_client_of_version_4_with_a_nonce_for_a_time() {
        let request = question().request();
        assert_eq!(request[0], 0x23);
        assert_eq!(request[1..40], [0; 39]);
        assert_eq!(&request[40..], b"a nonce!");
    }

    #[test]
    fn response_tells_the_time_in_both_eras() {
        for (seconds, unix_s) in [
            // 1968 is before 1970, which has no earlier time.
            (0x8000_0000, 0),
            (2_208_988_800, 0),
            (2_208_988_801, 1),
            (3_913_056_000, 1_704_067_200),
            (u32::MAX, 2_085_978_495),
            // 2036-02-07T06:28:17Z
            (1, 2_085_978_497),
        ] {
            let time = question().response(&answer(seconds)).unwrap();
            assert_eq!(time.as_secs(), unix_s, "{seconds}");
        }
        let mut longer = answer(2_208_988_801);
        longer.extend_from_slice(&[0; 20]);
        assert_eq!(question().response(&longer), Ok(UnixTime::from_secs(1)), "with a signature");
    }

    #[test]
    fn response_to_another_question_is_not_ours() {
        assert_eq!(changed(24, b'A'), Err(SntpError::NotOurs));
        assert_eq!(changed(0, 4 << 3 | 3), Err(SntpError::NotOurs), "a client");
        assert_eq!(changed(0, 4 << 3 | 5), Err(SntpError::NotOurs), "a broadcast");
        for len in 0..SNTP_LEN {
            let cut = &answer(3_900_000_000)[..len];
            assert_eq!(question().response(cut), Err(SntpError::NotOurs), "{len}");
        }
    }

    #[test]
    fn response_of_a_server_without_the_time_is_refused() {
        assert_eq!(changed(0, 3 << 6 | 4 << 3 | 4), Err(SntpError::Unsynchronised));
        assert_eq!(changed(1, 16), Err(SntpError::Unsynchronised));
        assert_eq!(question().response(&answer(0)), Err(SntpError::Unsynchronised));
        assert!(changed(1, 15).is_ok());
    }

    #[test]
    fn response_that_asks_to_go_away_says_why() {
        let mut answer = answer(3_900_000_000);
        answer[1] = 0;
        answer[12..16].copy_from_slice(b"RATE");
        let error = question().response(&answer).unwrap_err();
        assert_eq!(error, SntpError::Denied(*b"RATE"));
        assert!(std::format!("{error}").contains("(RATE)"));
    }
}
