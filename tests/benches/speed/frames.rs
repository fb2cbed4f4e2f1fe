//! WebSocket frames, out and in, for a client.

use crate::group::{Group, OURS, Target};
use crate::memory::{FROM, Memory, TO};
use crate::random::Random;
use crate::sockets::{self, FASTWEBSOCKETS, SOCKUDO, TUNGSTENITE, WTX};
use crate::wire::Wire;
use dunlin_octet::{Inbox, Writer, copy_masked, mask};
use dunlin_ws::{Deframer, FRAME_HEADER_MAX, Header, Incoming, Opcode, Role};
use std::hint::black_box;

/// No peer is to be faster.
const PEER_MAX: f64 = 1.0;
/// From here on, moving the payload is all that counts.
const LONG: usize = 1 << 16;
/// There the fastest do the same, as far as can be measured.
const SAME_MAX: f64 = 1.1;
/// Most instructions at 32 B, either way.
const INSTRUCTIONS_MAX: u32 = 150;

/// A length of message, the targets for it in million messages a second, and the receive buffer.
struct Size {
    len: usize,
    label: &'static str,
    encode: f64,
    decode: f64,
    /// Holds all that one read brings: no frame is cut, which would have to be moved.
    buffer: usize,
}

impl Size {
    /// How much of a peer's time ours may take.
    const fn peer_max(&self) -> f64 {
        if self.len < LONG { PEER_MAX } else { SAME_MAX }
    }
}

const SIZES: &[Size] = &[
    Size { len: 32, label: "32 B", encode: 100.0, decode: 100.0, buffer: 1 << 14 },
    Size { len: 1 << 10, label: "1 KiB", encode: 25.0, decode: 25.0, buffer: 1 << 14 },
    Size { len: 1 << 16, label: "64 KiB", encode: 0.42, decode: 0.45, buffer: 260 << 10 },
];

pub(crate) fn groups() -> Vec<Group> {
    let groups = SIZES.iter().flat_map(|size| [encode(size), decode(size)]);
    groups.chain(std::iter::once(encode_in_place())).collect()
}

fn encode(size: &Size) -> Group {
    let title = format!("ws: encode {}", size.label);
    let (mut random, mut generator) = (Random::new(), rand::rng());
    let group = Group::new(title)
        .case(OURS, encoder(size.len, move || random.key()))
        .peer(TUNGSTENITE, size.peer_max(), sockets::tungstenite_encoder(size.len))
        .peer(FASTWEBSOCKETS, size.peer_max(), sockets::fastwebsockets_encoder(size.len));
    let group = match size.len {
        // It copies nothing, and is measured beside what does not either.
        LONG.. => group,
        _ => group.peer(WTX, size.peer_max(), sockets::wtx_encoder(size.len)),
    };
    let group = group
        .peer(SOCKUDO, size.peer_max(), sockets::sockudo_encoder(size.len))
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

/// A long payload that is masked where it lies, behind a header of its own.
fn encode_in_place() -> Group {
    let (mut random, mut data) = (Random::new(), Memory::new(LONG, TO));
    let ours = move || {
        let (data, key) = (black_box(data.get_mut()), random.key());
        let mut memory = [0; FRAME_HEADER_MAX];
        let mut out = Writer::new(&mut memory);
        let len = data.len() as u64;
        let header = Header { fin: true, opcode: Opcode::Binary, mask: Some(key), len };
        header.encode(&mut out).unwrap();
        mask(data, key, 0);
        black_box((out.written(), data));
    };
    Group::new("ws: encode 64 KiB, in place").case(OURS, ours).peer(
        WTX,
        SAME_MAX,
        sockets::wtx_encoder(LONG),
    )
}

fn decode(size: &Size) -> Group {
    let mut wire = Wire::of_frames(size.len);
    let mut inbox = Inbox::new(vec![0; size.buffer]);
    let mut deframer = Deframer::new(Role::Client);
    let ours = move || {
        loop {
            match deframer.poll(&mut inbox).unwrap() {
                None => {
                    let len = wire.fill(inbox.spare());
                    inbox.commit(len);
                }
                Some(Incoming::Data { end: true, .. }) => break,
                Some(_) => {}
            }
        }
        let len = black_box(inbox.stream()).len();
        inbox.consume(len);
    };
    let wire = || Wire::of_frames(size.len);
    let group = Group::new(format!("ws: decode {}", size.label))
        .case(OURS, ours)
        .peer(TUNGSTENITE, size.peer_max(), sockets::tungstenite_decoder(wire(), size.buffer))
        .peer(FASTWEBSOCKETS, size.peer_max(), sockets::fastwebsockets_decoder(wire()))
        .peer(WTX, size.peer_max(), sockets::wtx_decoder(wire(), size.buffer))
        .peer(SOCKUDO, size.peer_max(), sockets::sockudo_decoder(wire()))
        .target(Target::Millions(size.decode));
    counted(group, size)
}

fn counted(group: Group, size: &Size) -> Group {
    if size.len == 32 { group.instructions_max(INSTRUCTIONS_MAX) } else { group }
}
