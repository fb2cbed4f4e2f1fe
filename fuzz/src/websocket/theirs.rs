//! tungstenite, over memory.

use super::{FRAME_MAX, Seen};
use dunlin_ws::Role;
use std::io::{self, Read, Write};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::{Role as Theirs, WebSocketConfig};
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

/// How it ended, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// More bytes are wanted, or there was a Close.
    Open,
    /// A frame is longer than [`FRAME_MAX`].
    TooLong,
    /// The connection fails, and this is the code to say.
    Failed(u16),
}

/// Everything whole in `bytes`, up to a Close or an error.
pub(super) fn read(role: Role, bytes: &[u8]) -> (Vec<Seen>, End) {
    let mut socket = socket(role, bytes);
    let mut seen = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => seen.push(Seen::Text(text.as_bytes().to_vec())),
            Ok(Message::Binary(body)) => seen.push(Seen::Binary(body.to_vec())),
            Ok(Message::Ping(body)) => seen.push(Seen::Ping(body.to_vec())),
            Ok(Message::Pong(body)) => seen.push(Seen::Pong(body.to_vec())),
            Ok(Message::Close(frame)) => {
                let reason = frame.as_ref().map(|frame| frame.reason.as_bytes().to_vec());
                let code = frame.map(|frame| u16::from(frame.code));
                seen.push(Seen::Close(code, reason.unwrap_or_default()));
                return (seen, End::Open);
            }
            Ok(Message::Frame(frame)) => unreachable!("never read: {frame}"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (seen, End::Open);
            }
            Err(Error::Capacity(_)) => return (seen, End::TooLong),
            Err(Error::Protocol(_)) => return (seen, End::Failed(1002)),
            Err(Error::Utf8(_)) => return (seen, End::Failed(1007)),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The frames that a `role` reads `seen` in.
pub(super) fn write(role: Role, seen: &[Seen]) -> Vec<u8> {
    let peer = match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let mut socket = socket(peer, &[]);
    for seen in seen {
        socket.send(message(seen)).expect("memory takes everything");
    }
    std::mem::take(&mut socket.get_mut().sent)
}

fn message(seen: &Seen) -> Message {
    let text = |bytes: &[u8]| Utf8Bytes::try_from(bytes.to_vec()).expect("text");
    match seen {
        Seen::Text(body) => Message::Text(text(body)),
        Seen::Binary(body) => Message::Binary(body.clone().into()),
        Seen::Ping(body) => Message::Ping(body.clone().into()),
        Seen::Pong(body) => Message::Pong(body.clone().into()),
        Seen::Close(code, reason) => {
            Message::Close(code.map(|code| CloseFrame { code: code.into(), reason: text(reason) }))
        }
    }
}

fn socket(role: Role, bytes: &[u8]) -> WebSocket<Wire<'_>> {
    let role = match role {
        Role::Client => Theirs::Client,
        Role::Server => Theirs::Server,
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(512)
        .write_buffer_size(0)
        .max_message_size(None)
        .max_frame_size(Some(FRAME_MAX));
    WebSocket::from_raw_socket(Wire { bytes, sent: Vec::new() }, role, Some(config))
}

/// A transport on which `bytes` have come, and more may.
#[derive(Debug)]
struct Wire<'a> {
    bytes: &'a [u8],
    sent: Vec<u8>,
}

impl Read for Wire<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes.read(out)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
