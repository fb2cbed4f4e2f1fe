//! What can be wrong with frames.

use crate::CloseCode;
use core::fmt;

/// Bytes that are not the frames of RFC 6455. The peer is at fault.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Malformed {
    /// A reserved bit is set, and no extension was agreed on (§5.2).
    ReservedBits,
    /// An opcode that the standard does not define (§5.2).
    Opcode,
    /// A control frame without FIN (§5.5).
    FragmentedControl,
    /// A control frame with more than 125 bytes (§5.5).
    ControlLength,
    /// A length in more bytes than it needs (§5.2).
    NotMinimal,
    /// A 64-bit length with its top bit set (§5.2).
    LengthOverflow,
    /// A server masked a frame (§5.1).
    Masked,
    /// A client did not mask a frame (§5.1).
    Unmasked,
    /// A continuation, and nothing to continue (§5.4).
    Continuation,
    /// A new message inside a fragmented one (§5.4).
    Interleaved,
    /// More than [`EMPTY_FRAGMENTS_MAX`](crate::EMPTY_FRAGMENTS_MAX) fragments in a row were empty.
    EmptyFragments,
    /// Text that is not UTF-8 (§8.1).
    Utf8,
    /// The body of a Close has one byte (§5.5.1).
    CloseBody,
    /// The code of a Close may not stand in a frame (§7.4).
    CloseCode,
}

impl Malformed {
    /// What to tell the peer before hanging up (§7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Utf8 => CloseCode::INVALID_PAYLOAD,
            Self::EmptyFragments => CloseCode::POLICY,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "reserved bits are set in a frame",
            Self::Opcode => "a frame has an unknown opcode",
            Self::FragmentedControl => "a control frame is fragmented",
            Self::ControlLength => "a control frame is longer than 125 bytes",
            Self::NotMinimal => "the length of a frame is not in its shortest form",
            Self::LengthOverflow => "the length of a frame has its top bit set",
            Self::Masked => "the server masked a frame",
            Self::Unmasked => "the client did not mask a frame",
            Self::Continuation => "a continuation frame continues nothing",
            Self::Interleaved => "a message began inside another message",
            Self::EmptyFragments => "too many empty fragments in a row",
            Self::Utf8 => "text is not UTF-8",
            Self::CloseBody => "the body of a close frame has one byte",
            Self::CloseCode => "a close frame has a reserved code",
        })
    }
}

impl core::error::Error for Malformed {}
