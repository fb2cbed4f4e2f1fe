//! Frames as bytes, and what a [`Deframer`] reads in them.

use crate::cuts::every_cut;
use dunlin::octet::{Inbox, Writer, mask};
use dunlin::ws::{
    CloseCode, Deframer, FRAME_HEADER_MAX, Header, Incoming, Malformed, Opcode, Role,
};

/// What came out, with the data of a message together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
    Failed(Malformed),
}

/// A message of bytes.
pub(crate) fn binary(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Binary(payload.as_ref().to_vec())
}

/// What a client reads in `bytes`, at every cut, and in memories of 1, 2, 7 and very many bytes.
pub(crate) fn read(bytes: impl AsRef<[u8]>) -> Vec<Seen> {
    let bytes = bytes.as_ref();
    let whole = every_cut(bytes, |parts| record(Role::Client, parts, bytes.len() + 1));
    for room in [1, 2, 7] {
        assert_eq!(record(Role::Client, &[bytes], room), whole, "in {room} bytes");
    }
    whole
}

/// Everything that comes of `parts`, in an inbox of `room` bytes.
pub(crate) fn record(role: Role, parts: &[&[u8]], room: usize) -> Vec<Seen> {
    let mut inbox = Inbox::new(vec![0; room]);
    let mut deframer = Deframer::new(role);
    let (mut seen, mut message) = (Vec::new(), Vec::new());
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            let len = inbox.receive(rest);
            assert!(len > 0, "a read of no bytes");
            rest = &rest[len..];
            while let Some(next) = poll(&mut deframer, &mut inbox, &mut message) {
                let failed = matches!(next, Seen::Failed(_));
                seen.push(next);
                if failed {
                    return seen;
                }
            }
            assert!(inbox.raw().is_empty(), "nothing waits");
        }
    }
    seen
}

/// The next thing; pieces of a message gather in `message`.
fn poll(
    deframer: &mut Deframer,
    inbox: &mut Inbox<Vec<u8>>,
    message: &mut Vec<u8>,
) -> Option<Seen> {
    loop {
        return match deframer.poll(inbox) {
            Ok(None) => None,
            Ok(Some(Incoming::Data { opcode, len, end })) => {
                assert!(len > 0 || end, "an event of nothing");
                message.extend_from_slice(&inbox.stream()[..len]);
                inbox.consume(len);
                if !end {
                    continue;
                }
                let whole = std::mem::take(message);
                Some(if opcode == Opcode::Text { Seen::Text(whole) } else { Seen::Binary(whole) })
            }
            Ok(Some(Incoming::Ping)) => Some(Seen::Ping(deframer.control().to_vec())),
            Ok(Some(Incoming::Pong)) => Some(Seen::Pong(deframer.control().to_vec())),
            Ok(Some(Incoming::Close(code))) => {
                let reason = deframer.control().get(2..).unwrap_or_default().to_vec();
                Some(Seen::Close(code.map(CloseCode::get), reason))
            }
            Err(error) => {
                assert_eq!(deframer.poll(inbox), Err(error), "for ever");
                Some(Seen::Failed(error))
            }
        };
    }
}

/// A frame of a server whose first byte is `first`.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    masked(first, None, payload.as_ref())
}

/// A frame, masked where a key is given.
pub(crate) fn masked(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let opcode = match first & 0x0f {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        other => panic!("{other} is no opcode"),
    };
    let header = Header { fin: first >= 0x80, opcode, mask: key, len: payload.len() as u64 };
    let mut memory = [0; FRAME_HEADER_MAX];
    let mut out = Writer::new(&mut memory);
    header.encode(&mut out).unwrap();
    let mut bytes = out.written().to_vec();
    let at = bytes.len();
    bytes.extend_from_slice(payload);
    mask(&mut bytes[at..], key.unwrap_or_default(), 0);
    bytes
}
