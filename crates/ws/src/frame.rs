//! Frame headers, as bytes and as values (§5.2).

use crate::Malformed;
use dunlin_octet::{Full, Reader, Writer};

/// Longest header: two bytes, a 64-bit length and a masking key (§5.2).
pub const FRAME_HEADER_MAX: usize = 14;

/// Longest payload of a control frame (§5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASK: u8 = 0x80;

/// Which end of the connection this is: a client masks what it sends, a server does not (§5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Role {
    /// Opened the connection.
    Client,
    /// Accepted it.
    Server,
}

/// What a frame is (§5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Opcode {
    // Each with its number: the compiler makes nothing of the matches below but a check.
    /// More of the message that has begun.
    Continuation = 0,
    /// Begins a message of UTF-8 text.
    Text = 1,
    /// Begins a message of bytes.
    Binary = 2,
    /// Ends the connection.
    Close = 8,
    /// Asks for a pong with the same body.
    Ping = 9,
    /// Answers a ping, or comes unasked.
    Pong = 10,
}

impl Opcode {
    /// Whether frames of this kind may come between the fragments of a message (§5.5).
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

/// Everything that stands in front of a payload (§5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The key that the payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload behind the header; less than 2^63.
    pub len: u64,
}

impl Header {
    /// Decodes the header at the front of `bytes`; the number is its length in bytes.
    ///
    /// `Ok(None)` means that more bytes are needed, at most [`FRAME_HEADER_MAX`] in all; what is
    /// wrong is refused at the first byte that shows it (§5.2, §5.5).
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let [first, behind @ ..] = bytes else { return Ok(None) };
        let (fin, opcode) = decode_first(*first)?;
        let [second, behind @ ..] = behind else { return Ok(None) };
        let short = second & !MASK;
        if opcode.is_control() && short > 125 {
            return Err(Malformed::ControlLength);
        }
        let mut rest = Reader::new(behind);
        let len = match short {
            126 => decode_medium(&mut rest)?,
            127 => decode_long(&mut rest)?,
            _ => Some(u64::from(short)),
        };
        let Some(len) = len else { return Ok(None) };
        let mut mask = None;
        if is_masked(*second) {
            let Some(key) = rest.u32() else { return Ok(None) };
            mask = Some(key.to_be_bytes());
        }
        let header = Self { fin, opcode, mask, len };
        Ok(Some((header, bytes.len().saturating_sub(rest.len()))))
    }

    /// Puts the header into `out`, its length in the shortest form, or puts nothing.
    // Part of its callers, which know most of the header when they are compiled.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn encode(&self, out: &mut Writer<'_>) -> Result<(), Full> {
        let first = self.opcode.bits() | if self.fin { FIN } else { 0 };
        let [h, g, f, e, d, c, high, low] = self.len.to_be_bytes();
        // Each form in one piece, of a length that the compiler knows.
        match (self.len, self.mask) {
            (0..=125, None) => out.put_slice(&[first, low]),
            (0..=125, Some([i, j, k, l])) => out.put_slice(&[first, MASK | low, i, j, k, l]),
            (126..=0xffff, None) => out.put_slice(&[first, 126, high, low]),
            (126..=0xffff, Some([i, j, k, l])) => {
                out.put_slice(&[first, MASK | 126, high, low, i, j, k, l])
            }
            (_, None) => out.put_slice(&[first, 127, h, g, f, e, d, c, high, low]),
            (_, Some([i, j, k, l])) => {
                out.put_slice(&[first, MASK | 127, h, g, f, e, d, c, high, low, i, j, k, l])
            }
        }
    }

    /// How many bytes [`Header::encode`] puts.
    pub const fn encoded_len(&self) -> usize {
        let len: usize = match self.len {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        };
        if self.mask.is_some() { len.saturating_add(4) } else { len }
    }
}

/// What the first byte says, and what it alone shows to be wrong.
pub(crate) const fn decode_first(byte: u8) -> Result<(bool, Opcode), Malformed> {
    if byte & RESERVED != 0 {
        return Err(Malformed::ReservedBits);
    }
    let fin = byte & FIN != 0;
    let opcode = match byte & 0x0f {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        _ => return Err(Malformed::Opcode),
    };
    if opcode.is_control() && !fin {
        return Err(Malformed::FragmentedControl);
    }
    Ok((fin, opcode))
}

/// Whether the second byte announces a masking key.
pub(crate) const fn is_masked(second: u8) -> bool {
    second & MASK != 0
}

fn decode_medium(rest: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
    match rest.u16() {
        Some(0..=125) => Err(Malformed::NotMinimal),
        len => Ok(len.map(u64::from)),
    }
}

fn decode_long(rest: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
    match rest.rest() {
        [0x80..=0xff, ..] => Err(Malformed::LengthOverflow),
        // Six zeros show already that two bytes would do.
        [0, 0, 0, 0, 0, 0, ..] => Err(Malformed::NotMinimal),
        _ => Ok(rest.u64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(header: Header) -> std::vec::Vec<u8> {
        let mut memory = [0; FRAME_HEADER_MAX];
        let mut out = Writer::new(&mut memory);
        header.encode(&mut out).unwrap();
        out.written().to_vec()
    }

    /// §5.7: the headers of its examples.
    #[test]
    fn header_of_each_example_in_the_standard_decodes() {
        let header = |fin, opcode, mask, len| Header { fin, opcode, mask, len };
        let key = Some([0x37, 0xfa, 0x21, 0x3d]);
        let examples: [(&[u8], Header); 8] = [
            (&[0x81, 0x05], header(true, Opcode::Text, None, 5)),
            (&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d], header(true, Opcode::Text, key, 5)),
            (&[0x01, 0x03], header(false, Opcode::Text, None, 3)),
            (&[0x80, 0x02], header(true, Opcode::Continuation, None, 2)),
            (&[0x89, 0x05], header(true, Opcode::Ping, None, 5)),
            (&[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d], header(true, Opcode::Pong, key, 5)),
            (&[0x82, 0x7e, 0x01, 0x00], header(true, Opcode::Binary, None, 256)),
            (&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0], header(true, Opcode::Binary, None, 65536)),
        ];
        for (bytes, expected) in examples {
            assert_eq!(Header::decode(bytes), Ok(Some((expected, bytes.len()))));
            assert_eq!(encoded(expected), bytes);
        }
    }

    /// Every cut of each header is incomplete, and bytes behind it stay out of it.
    #[test]
    fn header_of_every_length_class_comes_back() {
        let lens = [0, 1, 125, 126, 127, 0xffff, 0x1_0000, 1 << 31, 1 << 32, (1 << 63) - 1];
        for len in lens {
            for mask in [None, Some([0; 4]), Some([1, 2, 3, 4])] {
                for (fin, opcode) in [(true, Opcode::Binary), (false, Opcode::Continuation)] {
                    let header = Header { fin, opcode, mask, len };
                    let mut bytes = encoded(header);
                    assert_eq!(bytes.len(), header.encoded_len());
                    for cut in 0..bytes.len() {
                        assert_eq!(Header::decode(&bytes[..cut]), Ok(None), "{header:?} {cut}");
                    }
                    bytes.push(0xff);
                    assert_eq!(Header::decode(&bytes), Ok(Some((header, bytes.len() - 1))));
                }
            }
        }
    }

    /// Refused at the last byte given, and not before.
    #[test]
    fn header_that_breaks_the_standard_is_refused_at_the_byte_that_shows_it() {
        let bad: [(&[u8], Malformed); 13] = [
            (&[0xc2], Malformed::ReservedBits),
            (&[0xa2], Malformed::ReservedBits),
            (&[0x92], Malformed::ReservedBits),
            (&[0x83], Malformed::Opcode),
            (&[0x87], Malformed::Opcode),
            (&[0x8b], Malformed::Opcode),
            (&[0x8f], Malformed::Opcode),
            (&[0x09], Malformed::FragmentedControl),
            (&[0x89, 0x7e], Malformed::ControlLength),
            (&[0x88, 0xff], Malformed::ControlLength),
            (&[0x82, 0x7e, 0, 125], Malformed::NotMinimal),
            (&[0x82, 0x7f, 0, 0, 0, 0, 0, 0], Malformed::NotMinimal),
            (&[0x82, 0xff, 0x80], Malformed::LengthOverflow),
        ];
        for (bytes, error) in bad {
            assert_eq!(Header::decode(bytes), Err(error), "{bytes:x?}");
            assert_eq!(error.close_code(), crate::CloseCode::PROTOCOL_ERROR);
            assert_eq!(Header::decode(&bytes[..bytes.len() - 1]), Ok(None), "{bytes:x?}");
        }
    }

    #[test]
    fn header_without_room_is_not_put_at_all() {
        for len in [5, 300, 70_000] {
            let header = Header { fin: true, opcode: Opcode::Binary, mask: Some([1; 4]), len };
            for room in 0..header.encoded_len() {
                let mut memory = std::vec![0; room];
                let mut out = Writer::new(&mut memory);
                assert_eq!(header.encode(&mut out), Err(Full));
                assert!(out.is_empty());
            }
        }
    }
}
