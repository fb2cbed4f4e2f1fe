use super::*;
use dunlin_octet::{Writer, mask};
use std::vec::Vec;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
    Failed(Malformed),
}

/// Everything that comes of `parts`, in an inbox of `room` bytes; data is put together by message.
fn record(role: Role, parts: &[&[u8]], room: usize) -> Vec<Seen> {
    let mut inbox = Inbox::new(std::vec![0; room]);
    let mut deframer = Deframer::new(role);
    let (mut seen, mut message) = (Vec::new(), Vec::new());
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            let len = inbox.receive(rest);
            assert!(len > 0, "no room, and nothing to read");
            rest = &rest[len..];
            loop {
                match deframer.poll(&mut inbox) {
                    Ok(None) => break,
                    Ok(Some(Incoming::Data { opcode, len, end })) => {
                        message.extend_from_slice(inbox.stream());
                        assert_eq!(inbox.stream().len(), len);
                        assert!(len > 0 || end, "an event of nothing");
                        inbox.consume(len);
                        if end {
                            let message = std::mem::take(&mut message);
                            let text = opcode == Opcode::Text;
                            seen.push(if text {
                                Seen::Text(message)
                            } else {
                                Seen::Binary(message)
                            });
                        }
                    }
                    Ok(Some(Incoming::Ping)) => seen.push(Seen::Ping(deframer.control().to_vec())),
                    Ok(Some(Incoming::Pong)) => seen.push(Seen::Pong(deframer.control().to_vec())),
                    Ok(Some(Incoming::Close(code))) => {
                        let reason = deframer.control().get(2..).unwrap_or_default().to_vec();
                        seen.push(Seen::Close(code.map(CloseCode::get), reason));
                    }
                    Err(error) => {
                        assert_eq!(deframer.poll(&mut inbox), Err(error), "poisoned");
                        seen.push(Seen::Failed(error));
                        return seen;
                    }
                }
            }
            assert!(inbox.raw().is_empty(), "nothing waits");
        }
    }
    seen
}

/// The same for every way of splitting in two, byte by byte, and in a memory of one byte.
fn every_cut(role: Role, bytes: &[u8]) -> Vec<Seen> {
    let whole = record(role, &[bytes], bytes.len().max(1));
    for cut in 0..=bytes.len() {
        let (front, back) = bytes.split_at(cut);
        assert_eq!(record(role, &[front, back], bytes.len() + 1), whole, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    for room in [1, 2, 7, bytes.len() + 1] {
        assert_eq!(record(role, &single, room), whole, "byte by byte in {room}");
        assert_eq!(record(role, &[bytes], room), whole, "whole in {room}");
    }
    whole
}

fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let (fin, opcode) = decode_first(first).unwrap();
    let header = Header { fin, opcode, mask: key, len: payload.len() as u64 };
    let mut memory = [0; FRAME_HEADER_MAX];
    let mut out = Writer::new(&mut memory);
    header.encode(&mut out).unwrap();
    let mut frame = out.written().to_vec();
    let mut payload = payload.to_vec();
    mask(&mut payload, key.unwrap_or_default(), 0);
    frame.extend_from_slice(&payload);
    frame
}

fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, None, payload)
}

fn close(body: &[u8]) -> Vec<Seen> {
    every_cut(Role::Client, &server_frame(0x88, body))
}

/// §5.7: all of its examples, in the order of the standard.
#[test]
fn frames_of_the_examples_in_the_standard_are_read() {
    let hello = b"Hello".to_vec();
    let unmasked = [
        &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f][..],
        &[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f],
        &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
        &server_frame(0x82, &[7; 256]),
    ]
    .concat();
    let expected = [
        Seen::Text(hello.clone()),
        Seen::Text(hello.clone()),
        Seen::Ping(hello.clone()),
        Seen::Binary(std::vec![7; 256]),
    ];
    assert_eq!(every_cut(Role::Client, &unmasked), expected);
    let masked = [
        &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58][..],
        &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
    ]
    .concat();
    let expected = [Seen::Text(hello.clone()), Seen::Pong(hello)];
    assert_eq!(every_cut(Role::Server, &masked), expected);
    let long = server_frame(0x82, &[9; 65536]);
    assert_eq!(long[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(record(Role::Client, &[&long], 1000), [Seen::Binary(std::vec![9; 65536])]);
}

/// Several frames a read, frames larger than the memory, one byte of payload each.
#[test]
fn frames_however_cut_give_the_same_messages() {
    let payload: Vec<u8> = (0..=255).collect();
    for (role, key) in [(Role::Client, None), (Role::Server, Some([1, 2, 3, 4]))] {
        let mut bytes = Vec::new();
        for (at, byte) in payload[..50].iter().enumerate() {
            let first = if at == 0 { 0x02 } else { 0 } | if at == 49 { 0x80 } else { 0 };
            bytes.extend(frame(first, key, &[*byte]));
            if at == 20 {
                bytes.extend(frame(0x89, key, b"between"));
            }
        }
        bytes.extend(frame(0x82, key, &payload));
        bytes.extend(frame(0x82, key, b""));
        let expected = [
            Seen::Ping(b"between".to_vec()),
            Seen::Binary(payload[..50].to_vec()),
            Seen::Binary(payload.clone()),
            Seen::Binary(Vec::new()),
        ];
        assert_eq!(every_cut(role, &bytes), expected);
    }
}

/// No byte is read as a header where none stands, also not on the way past the states.
#[test]
fn payload_and_lengths_that_look_like_frames_are_none() {
    let likeness = [0x82, 0x01, b'x', 0x82, 0x00, 0x89, 0x00];
    let bytes = [
        server_frame(0x02, &likeness),
        server_frame(0x89, &likeness),
        server_frame(0x00, &likeness),
        server_frame(0x80, &likeness),
        server_frame(0x82, &likeness),
        server_frame(0x82, &[0x82; 0x8200]),
    ];
    let expected = [
        Seen::Ping(likeness.to_vec()),
        Seen::Binary(likeness.repeat(3)),
        Seen::Binary(likeness.to_vec()),
    ];
    assert_eq!(every_cut(Role::Client, &bytes[..5].concat()), expected);
    for cut in 0..5 {
        let (front, back) = bytes[5].split_at(cut);
        let expected = [Seen::Binary(std::vec![0x82; 0x8200])];
        assert_eq!(record(Role::Client, &[front, back], 0x9000), expected, "cut at {cut}");
    }
}

/// A packet that spans frames is contiguous, in a memory that it fills exactly.
#[test]
fn payload_over_frames_fills_the_memory_exactly() {
    let mut inbox = Inbox::new([0; 16]);
    let mut deframer = Deframer::new(Role::Client);
    let bytes = [
        server_frame(0x02, b"abcdefghijklmno"),
        server_frame(0x89, b"x"),
        server_frame(0x80, b"p"),
    ]
    .concat();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let len = inbox.receive(rest);
        assert!(len > 0);
        rest = &rest[len..];
        while deframer.poll(&mut inbox).unwrap().is_some() {}
    }
    assert_eq!(inbox.stream(), b"abcdefghijklmnop");
    assert!(inbox.spare().is_empty());
    inbox.consume(16);
    assert_eq!(inbox.spare().len(), 16);
}

#[test]
fn memory_of_no_bytes_asks_for_more_and_stays_in_order() {
    let mut inbox = Inbox::new([0; 0]);
    let mut deframer = Deframer::new(Role::Client);
    assert_eq!(inbox.receive(b"\x82\x00"), 0);
    assert_eq!(deframer.poll(&mut inbox), Ok(None));
}

/// A length is only counted down, whatever it is, and on 32 bits too.
#[test]
fn payload_of_any_announced_length_begins_at_once() {
    for len in [1u64 << 16, 1 << 31, 1 << 32, (1 << 63) - 1] {
        let mut bytes = std::vec![0x82, 0x7f];
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(b"abc");
        let mut inbox = Inbox::new([0; 16]);
        inbox.receive(&bytes);
        let mut deframer = Deframer::new(Role::Client);
        let data = Incoming::Data { opcode: Opcode::Binary, len: 3, end: false };
        assert_eq!(deframer.poll(&mut inbox), Ok(Some(data)));
        assert_eq!(deframer.left, len - 3);
        assert_eq!(deframer.poll(&mut inbox), Ok(None));
    }
}

/// After a good frame; the same error at every cut.
#[test]
fn frame_that_breaks_the_standard_ends_everything() {
    let bad: [(&[u8], Malformed); 9] = [
        (&[0xc2, 0], Malformed::ReservedBits),
        (&[0x93, 0x80], Malformed::ReservedBits),
        (&[0x83, 0x80], Malformed::Opcode),
        (&[0x8b, 0], Malformed::Opcode),
        (&[0x09, 0], Malformed::FragmentedControl),
        (&[0x89, 0x7e, 0, 126], Malformed::ControlLength),
        (&[0x82, 0x7e, 0, 125], Malformed::NotMinimal),
        (&[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 255, 255], Malformed::NotMinimal),
        (&[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0], Malformed::LengthOverflow),
    ];
    for (bytes, error) in bad {
        let bytes = [&server_frame(0x82, b"a")[..], bytes, b"more"].concat();
        let expected = [Seen::Binary(b"a".to_vec()), Seen::Failed(error)];
        assert_eq!(every_cut(Role::Client, &bytes), expected);
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    }
}

/// §5.1, seen at the second byte; a key of zeros is a mask too.
#[test]
fn frame_masked_by_the_wrong_side_is_malformed() {
    for key in [[0; 4], [1, 2, 3, 4]] {
        for first in [0x82, 0x81, 0x89, 0x88] {
            let bytes = frame(first, Some(key), b"");
            assert_eq!(every_cut(Role::Client, &bytes), [Seen::Failed(Malformed::Masked)]);
            assert_eq!(record(Role::Client, &[&bytes[..2]], 9), [Seen::Failed(Malformed::Masked)]);
        }
    }
    for first in [0x82, 0x81, 0x89, 0x88] {
        let bytes = server_frame(first, b"");
        assert_eq!(every_cut(Role::Server, &bytes), [Seen::Failed(Malformed::Unmasked)]);
    }
}

/// Control frames of every length, between fragments, in floods.
#[test]
fn control_frames_come_through_at_any_place() {
    for len in [0, 1, 124, 125] {
        let body: Vec<u8> = (0..len).collect();
        let bytes = [
            server_frame(0x02, b"ab"),
            server_frame(0x89, &body),
            server_frame(0x8a, &body),
            server_frame(0x80, b"c"),
        ]
        .concat();
        let expected = [Seen::Ping(body.clone()), Seen::Pong(body), Seen::Binary(b"abc".to_vec())];
        assert_eq!(every_cut(Role::Client, &bytes), expected);
    }
    let flood = server_frame(0x89, b"p").repeat(10_000);
    assert_eq!(record(Role::Client, &[&flood], 100).len(), 10_000);
}

#[test]
fn fragments_out_of_order_are_malformed() {
    let lone = server_frame(0x80, b"x");
    assert_eq!(every_cut(Role::Client, &lone), [Seen::Failed(Malformed::Continuation)]);
    let lone = [server_frame(0x82, b"x"), server_frame(0x00, b"y")].concat();
    let expected = [Seen::Binary(b"x".to_vec()), Seen::Failed(Malformed::Continuation)];
    assert_eq!(every_cut(Role::Client, &lone), expected);
    for first in [0x81, 0x82, 0x01, 0x02] {
        let inside = [server_frame(0x02, b""), server_frame(first, b"y")].concat();
        assert_eq!(every_cut(Role::Client, &inside), [Seen::Failed(Malformed::Interleaved)]);
    }
}

/// Empty fragments are fine up to a limit, which bytes set back.
#[test]
fn empty_fragments_without_end_are_refused() {
    let empty = server_frame(0x00, b"").repeat(usize::from(EMPTY_FRAGMENTS_MAX) - 1);
    let begin = server_frame(0x02, b"");
    let fine = [&begin[..], &empty, &server_frame(0, b"x"), &empty, &server_frame(0x80, b"")];
    let seen = every_cut(Role::Client, &fine.concat().repeat(2));
    assert_eq!(seen, [Seen::Binary(b"x".to_vec()), Seen::Binary(b"x".to_vec())]);
    let endless = [begin, server_frame(0x00, b"").repeat(100_000)].concat();
    let failed = [Seen::Failed(Malformed::EmptyFragments)];
    assert_eq!(record(Role::Client, &[&endless], 4096), failed);
    let first = 2 * (usize::from(EMPTY_FRAGMENTS_MAX) + 1);
    assert_eq!(record(Role::Client, &[&endless[..first]], 4096), failed);
    assert_eq!(record(Role::Client, &[&endless[..first - 2]], 4096), []);
    assert_eq!(Malformed::EmptyFragments.close_code(), CloseCode::POLICY);
}

/// §5.5.1, §7.4.
#[test]
fn close_is_read_by_its_body() {
    assert_eq!(close(b""), [Seen::Close(None, Vec::new())]);
    assert_eq!(close(b"\x03"), [Seen::Failed(Malformed::CloseBody)]);
    assert_eq!(close(b"\x03\xe8"), [Seen::Close(Some(1000), Vec::new())]);
    assert_eq!(close(b"\x03\xe8bye \xc3\xa9"), [Seen::Close(Some(1000), b"bye \xc3\xa9".to_vec())]);
    for reason in [&b"\x03\xe8\xc3"[..], b"\x03\xe8\xc3\x28", b"\x03\xe8\xff"] {
        assert_eq!(close(reason), [Seen::Failed(Malformed::Utf8)]);
    }
    let long = [&b"\x03\xe9"[..], &[b'x'; 123]].concat();
    assert_eq!(close(&long), [Seen::Close(Some(1001), std::vec![b'x'; 123])]);
    for code in 0..=u16::MAX {
        let bytes = server_frame(0x88, &code.to_be_bytes());
        let expected = match CloseCode::new(code) {
            Some(_) => Seen::Close(Some(code), Vec::new()),
            None => Seen::Failed(Malformed::CloseCode),
        };
        assert_eq!(record(Role::Client, &[&bytes], 16), [expected], "{code}");
    }
}

/// Data, a second Close and rubbish behind a Close are dropped.
#[test]
fn bytes_behind_a_close_are_dropped() {
    let close = server_frame(0x88, b"\x03\xe8");
    let bytes = [&close[..], &server_frame(0x82, b"late"), &close, b"\xff\xff\xff"].concat();
    assert_eq!(every_cut(Role::Client, &bytes), [Seen::Close(Some(1000), Vec::new())]);
}

/// Text is told apart, and fails at its first wrong byte, borders or not.
#[test]
fn text_is_checked_while_it_arrives() {
    let kosme = "κόσμε".as_bytes();
    for cut in 0..=kosme.len() {
        let bytes = [server_frame(0x01, &kosme[..cut]), server_frame(0x80, &kosme[cut..])].concat();
        assert_eq!(every_cut(Role::Client, &bytes), [Seen::Text(kosme.to_vec())]);
    }
    let bad = [Seen::Failed(Malformed::Utf8)];
    for text in [&b"\xce\xba\xed\xa0\x80"[..], b"\xf4\x90\x80\x80", b"\xc0\xaf", b"abc\xff"] {
        assert_eq!(every_cut(Role::Client, &server_frame(0x81, text)), bad);
    }
    // Inside a frame that is far from complete.
    let mut begun = std::vec![0x81, 0x7e, 0xff, 0xff];
    begun.extend_from_slice(b"good\xf4\x90");
    assert_eq!(record(Role::Client, &[&begun], 64), bad);
    // At the end of a message, also when an empty fragment ends it.
    assert_eq!(every_cut(Role::Client, &server_frame(0x81, b"\xce")), bad);
    let cut = [server_frame(0x01, b"\xce"), server_frame(0x80, b"")].concat();
    assert_eq!(every_cut(Role::Client, &cut), bad);
    // A new message starts afresh, and bytes are never checked.
    let bytes = [server_frame(0x82, b"\xff"), server_frame(0x81, b"ok")].concat();
    let expected = [Seen::Binary(b"\xff".to_vec()), Seen::Text(b"ok".to_vec())];
    assert_eq!(every_cut(Role::Client, &bytes), expected);
    assert_eq!(Malformed::Utf8.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn frames_of_random_messages_come_back() {
    let seed: u64 = 0x2545_f491_4f6c_dd1d;
    std::println!("seed {seed:#x}");
    let mut state = seed;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..200 {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..random(6) {
            let payload: Vec<u8> = (0..random(400)).map(|_| random(256) as u8).collect();
            let key = [random(256) as u8, random(256) as u8, 0, random(256) as u8];
            let cut = random(payload.len() as u64 + 1) as usize;
            bytes.extend(frame(0x02, Some(key), &payload[..cut]));
            bytes.extend(frame(0x80, Some(key), &payload[cut..]));
            expected.push(Seen::Binary(payload));
        }
        let room = random(600) as usize + 1;
        let step = random(97) as usize + 1;
        let parts: Vec<&[u8]> = bytes.chunks(step).collect();
        assert_eq!(record(Role::Server, &parts, room), expected, "step {step}, room {room}");
    }
}

/// Ten thousand connections, or one microcontroller: the body of a control frame is what is stored.
#[test]
fn deframer_is_small() {
    assert!(size_of::<Deframer>() <= 224, "{} bytes", size_of::<Deframer>());
}

/// How many bytes have been looked at on this thread.
pub(super) mod examined {
    use core::cell::Cell;

    std::thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    pub(in crate::deframe) fn count(len: usize) {
        BYTES.set(BYTES.get() + len);
    }

    pub(super) fn take() -> usize {
        BYTES.take()
    }
}

/// Most bytes looked at for each one that comes: a header that comes byte by byte is looked at from its
/// first byte on each time, and is [`FRAME_HEADER_MAX`] bytes long at most.
const EXAMINED_PER_BYTE_MAX: usize = FRAME_HEADER_MAX.div_ceil(2) + 4;

#[test]
fn bytes_are_looked_at_a_bounded_number_of_times_however_they_come() {
    let long = std::vec![b'x'; 70_000];
    let key = Some([1, 2, 3, 4]);
    let frame = |fin, opcode, payload: &[u8]| {
        let header = Header { fin, opcode, mask: key, len: payload.len() as u64 };
        let mut memory = [0; FRAME_HEADER_MAX];
        let mut out = Writer::new(&mut memory);
        header.encode(&mut out).unwrap();
        let mut bytes = out.written().to_vec();
        let at = bytes.len();
        bytes.extend_from_slice(payload);
        mask(&mut bytes[at..], [1, 2, 3, 4], 0);
        bytes
    };
    for bytes in [
        frame(true, Opcode::Binary, &long),
        frame(true, Opcode::Text, &long),
        frame(true, Opcode::Binary, &long[..126]).repeat(100),
        frame(true, Opcode::Binary, b"").repeat(1_000),
        frame(true, Opcode::Ping, &long[..125]).repeat(100),
        frame(true, Opcode::Pong, b"").repeat(1_000),
        [frame(false, Opcode::Text, b"a"), frame(false, Opcode::Continuation, b"b").repeat(1_000)]
            .concat(),
    ] {
        for size in [1, 2, 3, 5, 13, 14, 15, 4_096, bytes.len()] {
            let parts: Vec<&[u8]> = bytes.chunks(size).collect();
            for room in [1, 16, bytes.len()] {
                examined::take();
                record(Role::Server, &parts, room);
                let examined = examined::take();
                assert!(examined >= bytes.len(), "the counter counts");
                let most = EXAMINED_PER_BYTE_MAX * bytes.len();
                assert!(examined <= most, "{examined} of {most}, {size} at a time in {room}");
            }
        }
    }
}
