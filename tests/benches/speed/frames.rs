//! WebSocket frames, out and in, for a client.

use crate::group::{Group, OURS, Target};
use crate::memory::{FROM, Memory, TO};
use crate::random::Random;
use dunlin_octet::{Inbox, Writer, copy_masked};
use dunlin_ws::{Deframer, FRAME_HEADER_MAX, Header, Incoming, Opcode, Role};
use std::hint::black_box;
use std::io::{self, Read, Write};
use tungstenite::protocol::{self, WebSocket, WebSocketConfig};

const TUNGSTENITE: &str = "tungstenite 0.29";
/// Most instructions at 32 B, either way.
const INSTRUCTIONS_MAX: u32 = 150;

/// How much the peer's bytes are copied at a time.
const PIECE: usize = 1 << 10;

/// A length of message, the targets for it in million messages a second, and the receive buffer.
struct Size {
    len: usize,
    label: &'static str,
    encode: f64,
    decode: f64,
    buffer: usize,
}

const SIZES: &[Size] = &[
    Size { len: 32, label: "32 B", encode: 100.0, decode: 100.0, buffer: 1 << 14 },
    Size { len: 1 << 10, label: "1 KiB", encode: 25.0, decode: 25.0, buffer: 1 << 14 },
    Size { len: 1 << 16, label: "64 KiB", encode: 0.42, decode: 0.45, buffer: 1 << 18 },
];

pub(crate) fn groups() -> Vec<Group> {
    SIZES.iter().flat_map(|size| [encode(size), decode(size)]).collect()
}

fn encode(size: &Size) -> Group {
    let title = format!("ws: encode {}", size.label);
    let (mut random, mut generator) = (Random::new(), rand::rng());
    let mut socket = socket(Stream::default(), size);
    let payload = bytes::Bytes::from(vec![7; size.len]);
    let group = Group::new(title)
        .case(OURS, encoder(size.len, move || random.key()))
        .case(TUNGSTENITE, move || {
            socket.send(tungstenite::Message::Binary(payload.clone())).unwrap();
        })
        // What a cryptographic source of keys costs, which the peer has and the core leaves to its
        // caller.
        .case("dunlin, keys by rand", encoder(size.len, move || rand::Rng::random(&mut generator)))
        .target(Target::Millions(size.encode));
    counted(group, size)
}

fn encoder(len: usize, mut key: impl FnMut() -> [u8; 4]) -> impl FnMut() {
    let (payload, mut memory) = (Memory::new(len, FROM), Memory::new(len + FRAME_HEADER_MAX, TO));
    move || {
        let (payload, key) = (black_box(payload.get()), key());
        let mut out = Writer::new(black_box(memory.get_mut()));
        let len = payload.len() as u64;
        let header = Header { fin: true, opcode: Opcode::Binary, mask: Some(key), len };
        header.encode(&mut out).unwrap();
        copy_masked(payload, out.reserve(payload.len()).unwrap(), key, 0);
        black_box(out.written());
    }
}

fn decode(size: &Size) -> Group {
    let mut wire = Stream::of_frames(size);
    let mut inbox = Inbox::new(vec![0; size.buffer]);
    let mut deframer = Deframer::new(Role::Client);
    let ours = move || {
        loop {
            match deframer.poll(&mut inbox).unwrap() {
                None => {
                    let len = wire.read(inbox.spare()).unwrap();
                    inbox.commit(len);
                }
                Some(Incoming::Data { end: true, .. }) => break,
                Some(_) => {}
            }
        }
        let len = black_box(inbox.stream()).len();
        inbox.consume(len);
    };
    let mut socket = socket(Stream::of_frames(size), size);
    let tungstenite = move || {
        black_box(socket.read().unwrap());
    };
    let group = Group::new(format!("ws: decode {}", size.label))
        .case(OURS, ours)
        .case(TUNGSTENITE, tungstenite)
        .target(Target::Millions(size.decode));
    counted(group, size)
}

fn counted(group: Group, size: &Size) -> Group {
    if size.len == 32 { group.instructions_max(INSTRUCTIONS_MAX) } else { group }
}

fn socket(stream: Stream, size: &Size) -> WebSocket<Stream> {
    let config = WebSocketConfig::default().read_buffer_size(size.buffer);
    WebSocket::from_raw_socket(stream, protocol::Role::Client, Some(config))
}

/// A peer that sends the same frames for ever and takes whatever comes.
#[derive(Default)]
struct Stream {
    frames: Vec<u8>,
    at: usize,
}

impl Stream {
    fn of_frames(size: &Size) -> Self {
        let mut memory = [0; FRAME_HEADER_MAX];
        let mut header = Writer::new(&mut memory);
        let len = size.len as u64;
        Header { fin: true, opcode: Opcode::Binary, mask: None, len }.encode(&mut header).unwrap();
        let frame = [header.written(), &vec![7; size.len]].concat();
        let count = (1 << 15_usize).max(4 * frame.len()) / frame.len();
        Self { frames: frame.repeat(count), at: 0 }
    }
}

impl Read for Stream {
    fn read(&mut self, memory: &mut [u8]) -> io::Result<usize> {
        let rest = &self.frames[self.at..];
        let len = rest.len().min(memory.len());
        // In pieces: long copies use an instruction that callgrind counts byte by byte.
        for (to, from) in memory[..len].chunks_mut(PIECE).zip(rest[..len].chunks(PIECE)) {
            to.copy_from_slice(from);
        }
        self.at = (self.at + len) % self.frames.len();
        Ok(len)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
