//! Status codes of Close frames (§7.4).

use core::fmt;

/// Why a connection is closed, as the two bytes at the front of a Close body say it (§7.4).
///
/// Only codes that may stand in a frame: 1000 to 1003, 1007 to 1014 (the last three are in the IANA
/// registry that §11.7 opens), and 3000 to 4999. A Close without a body has no code at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose has been fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint goes away: a server stops, a program ends.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The peer sent a kind of data that is not taken here, such as text where bytes are expected.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// Data of the right kind with wrong content, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The peer did something that is not allowed here.
    pub const POLICY: Self = Self(1008);
    /// A message is too big to be processed.
    pub const TOO_BIG: Self = Self(1009);
    /// A client misses an extension that it asked for.
    pub const MISSING_EXTENSION: Self = Self(1010);
    /// A server met a condition that it did not expect.
    pub const INTERNAL: Self = Self(1011);
    /// The service starts again.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The service is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// A gateway got a bad answer from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code, if it is one that may stand in a Close frame (§7.4.1, §7.4.2).
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The code as a number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// §7.4.1 and §7.4.2.
    #[test]
    fn close_code_of_a_reserved_range_is_refused() {
        let bad = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX];
        for code in bad {
            assert_eq!(CloseCode::new(code), None, "{code}");
        }
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(CloseCode::new(code).map(CloseCode::get), Some(code));
        }
    }
}
