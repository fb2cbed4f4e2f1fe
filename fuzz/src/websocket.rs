//! Our frames beside tungstenite's.
//!
//! The same bytes go to both, at either end of a connection: what both take is the same messages and the
//! same end, each reads what the other writes, and what else they differ in is on the list of [`known`]
//! differences, each with what the standard says.

mod known;
mod theirs;

use dunlin_octet::{Inbox, Writer, mask};
use dunlin_ws::{CloseCode, Deframer, FRAME_HEADER_MAX, Header, Incoming, Malformed, Opcode, Role};
use theirs::End;

/// The longest frame that they take, in bytes; ours knows no limit.
const FRAME_MAX: usize = 4096;

/// Something whole that came out of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
}

/// Any bytes as frames, cut where the first of them says, for a client and for a server.
///
/// # Panics
/// When the two differ in a way that is not known.
pub fn websocket(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    for role in [Role::Client, Role::Server] {
        compare(role, bytes, usize::from(*cut));
    }
}

fn compare(role: Role, bytes: &[u8], cut: usize) {
    let (seen, failed) = ours(role, &[bytes]);
    let (front, back) = bytes.split_at_checked(cut).unwrap_or((bytes, &[]));
    assert_eq!(ours(role, &[front, back]), (seen.clone(), failed), "cut at {cut}");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(ours(role, &single), (seen.clone(), failed), "byte by byte");

    let taken: Vec<Seen> = seen.iter().cloned().map(known::as_they_say).collect();
    match failed {
        None => match theirs::read(role, bytes) {
            (theirs, End::TooLong) => assert!(taken.starts_with(&theirs), "{taken:?}, {theirs:?}"),
            (theirs, end) => {
                assert_eq!(theirs, taken);
                assert_eq!(end, End::Open, "we take {bytes:x?}");
            }
        },
        Some(error) => refused(role, bytes, &taken, error),
    }
    if seen.iter().map(Seen::len).sum::<usize>() <= FRAME_MAX {
        agree(role, &seen, &taken);
    }
}

/// We refuse what follows `taken`: they do, and say the same code.
fn refused(role: Role, bytes: &[u8], taken: &[Seen], error: Malformed) {
    // They look at a frame when all of it is there.
    let whole = [bytes, &[0; FRAME_MAX + FRAME_HEADER_MAX]].concat();
    let (theirs, end) = theirs::read(role, &whole);
    if known::goes_on_with_them(error, &theirs, taken, end) {
        return;
    }
    assert_eq!(theirs, taken, "{error}: {bytes:x?}, they say {end:?}");
    match end {
        End::TooLong => {}
        End::Failed(code) if code == error.close_code().get() => {}
        end => {
            let known = known::says_another_code(error, end);
            assert!(known, "{error}: {bytes:x?}, they say {end:?}");
        }
    }
}

/// What came out, written by each, is read by the other.
fn agree(role: Role, seen: &[Seen], taken: &[Seen]) {
    let written: Vec<u8> = seen.iter().flat_map(|seen| write(role, seen)).collect();
    assert_eq!(theirs::read(role, &written), (taken.to_vec(), End::Open), "we write {written:x?}");
    let written = theirs::write(role, seen);
    assert_eq!(ours(role, &[&written]), (seen.to_vec(), None), "they write {written:x?}");
}

/// Everything whole in `parts`, up to a Close or to what is malformed.
fn ours(role: Role, parts: &[&[u8]]) -> (Vec<Seen>, Option<Malformed>) {
    let mut inbox = Inbox::new([0; 512]);
    let mut deframer = Deframer::new(role);
    let (mut seen, mut message) = (Vec::new(), Vec::new());
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            let len = inbox.receive(rest);
            assert!(len > 0, "a read of no bytes");
            rest = &rest[len..];
            loop {
                match deframer.poll(&mut inbox) {
                    Ok(None) => break,
                    Ok(Some(incoming)) => {
                        let control = deframer.control();
                        seen.extend(whole(incoming, control, inbox.stream(), &mut message));
                        inbox.consume(inbox.stream().len());
                    }
                    Err(error) => return (seen, Some(error)),
                }
            }
        }
    }
    (seen, None)
}

/// What is whole now; data gathers in `message`.
fn whole(incoming: Incoming, control: &[u8], data: &[u8], message: &mut Vec<u8>) -> Option<Seen> {
    match incoming {
        Incoming::Data { opcode, len, end } => {
            assert_eq!(len, data.len());
            message.extend_from_slice(data);
            let whole = end.then(|| std::mem::take(message))?;
            Some(if opcode == Opcode::Text { Seen::Text(whole) } else { Seen::Binary(whole) })
        }
        Incoming::Ping => Some(Seen::Ping(control.to_vec())),
        Incoming::Pong => Some(Seen::Pong(control.to_vec())),
        Incoming::Close(code) => {
            let reason = control.get(2..).unwrap_or_default().to_vec();
            Some(Seen::Close(code.map(CloseCode::get), reason))
        }
    }
}

/// The frame that a `role` reads `seen` in.
fn write(role: Role, seen: &Seen) -> Vec<u8> {
    let (opcode, body) = match seen {
        Seen::Text(body) => (Opcode::Text, body.clone()),
        Seen::Binary(body) => (Opcode::Binary, body.clone()),
        Seen::Ping(body) => (Opcode::Ping, body.clone()),
        Seen::Pong(body) => (Opcode::Pong, body.clone()),
        Seen::Close(None, _) => (Opcode::Close, Vec::new()),
        Seen::Close(Some(code), reason) => {
            (Opcode::Close, [&code.to_be_bytes()[..], reason].concat())
        }
    };
    let key = (role == Role::Server).then_some([0x37, 0xfa, 0x21, 0x3d]);
    let header = Header { fin: true, opcode, mask: key, len: body.len() as u64 };
    let mut memory = [0; FRAME_HEADER_MAX];
    let mut out = Writer::new(&mut memory);
    header.encode(&mut out).expect("room for any header");
    let mut frame = out.written().to_vec();
    let at = frame.len();
    frame.extend_from_slice(&body);
    mask(&mut frame[at..], key.unwrap_or_default(), 0);
    frame
}

impl Seen {
    fn len(&self) -> usize {
        match self {
            Self::Text(body) | Self::Binary(body) | Self::Ping(body) | Self::Pong(body) => {
                body.len()
            }
            Self::Close(_, reason) => reason.len(),
        }
    }
}
