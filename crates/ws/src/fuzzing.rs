//! Entry points for fuzzers, each of which checks what must hold for any input.
#![allow(clippy::unreachable, reason = "a broken promise is to stop the fuzzer")]

use crate::{CloseCode, Deframer, Header, Incoming, Malformed, Opcode, Refusal, Request, Role};
use crate::{FRAME_HEADER_MAX, Upgrade, UpgradeError};
use dunlin_octet::{Inbox, Writer};

/// Room for any input that is worth looking at.
const ROOM: usize = 20 * 1024;

/// An answer to an upgrade: no panic, no spin, and the same outcome whole, cut in two where the
/// first byte says, and byte by byte in a memory of 64 bytes as far as that reaches.
pub fn response(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let bytes = bytes.get(..ROOM).unwrap_or(bytes);
    let (mut whole, mut split) = (Inbox::new([0; ROOM + 1]), Inbox::new([0; ROOM + 1]));
    let outcome = answered(&mut whole, bytes, bytes.len());
    assert_eq!(answered(&mut split, bytes, usize::from(*cut)), outcome);
    assert_eq!(split.stream(), whole.stream());
    match outcome {
        Ok(()) => assert_eq!((split.raw(), whole.stream()), (whole.raw(), &[][..])),
        Err(UpgradeError::Refused(status)) => {
            let refusal = Refusal::parse(whole.stream());
            assert_eq!(refusal.map(|refusal| refusal.status()), Some(status));
        }
        Err(_) => {}
    }
    trickled(bytes);
}

/// Frames, at both ends: no panic, no spin, the same events however the bytes are cut, and a header
/// that decodes encodes to the same bytes.
pub fn frames(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let bytes = bytes.get(..ROOM).unwrap_or(bytes);
    for role in [Role::Client, Role::Server] {
        let mut whole = Tape::new(role);
        whole.feed(bytes);
        let (front, back) = bytes.split_at_checked(usize::from(*cut)).unwrap_or((bytes, &[]));
        let mut split = Tape::new(role);
        split.feed(front);
        split.feed(back);
        assert_eq!((split.hash, split.end), (whole.hash, whole.end));
    }
    if let Ok(Some((header, len))) = Header::decode(bytes) {
        let mut memory = [0; FRAME_HEADER_MAX];
        let mut out = Writer::new(&mut memory);
        assert_eq!(header.encode(&mut out), Ok(()));
        assert_eq!(out.written(), bytes.get(..len).unwrap_or_default());
    }
}

/// What comes of an answer that arrives in two parts and then ends.
fn answered(
    inbox: &mut Inbox<[u8; ROOM + 1]>,
    bytes: &[u8],
    cut: usize,
) -> Result<(), UpgradeError> {
    let mut upgrade = example();
    let (front, back) = bytes.split_at_checked(cut).unwrap_or((bytes, &[]));
    for part in [front, back] {
        inbox.receive(part);
        match upgrade.poll(inbox) {
            Ok(true) => {}
            Ok(false) => assert!(inbox.raw().len() < ROOM),
            Err(error) => {
                assert_eq!(upgrade.poll(inbox), Err(error));
                return Err(error);
            }
        }
    }
    if upgrade.poll(inbox) == Ok(true) {
        return Ok(());
    }
    let error = upgrade.handle_eof(inbox);
    assert_eq!(upgrade.poll(inbox), Err(error));
    Err(error)
}

/// A small memory either has room for the next byte or ends the upgrade.
fn trickled(bytes: &[u8]) {
    let mut upgrade = example();
    let mut inbox = Inbox::new([0; 64]);
    for byte in bytes {
        assert_eq!(inbox.receive(&[*byte]), 1);
        if upgrade.poll(&mut inbox) != Ok(false) {
            return;
        }
    }
}

/// The upgrade of RFC 6455 §1.3, with the subprotocol of MQTT.
fn example() -> Upgrade<'static> {
    match Request::new("server.example.com", &"/chat", &[]) {
        Ok(request) => Upgrade::new(request, "mqtt", *b"the sample nonce"),
        Err(_) => unreachable!("a valid request"),
    }
}

/// What a deframer reported, so that it does not depend on how data was cut.
struct Tape {
    deframer: Deframer,
    inbox: Inbox<[u8; 300]>,
    hash: u64,
    end: Option<Result<Option<CloseCode>, Malformed>>,
    /// The hash before the text message that has begun: bad text may be reported before any of it.
    before_text: Option<u64>,
}

impl Tape {
    const fn new(role: Role) -> Self {
        let (deframer, inbox) = (Deframer::new(role), Inbox::new([0; 300]));
        Self { deframer, inbox, hash: 0xcbf2_9ce4_8422_2325, end: None, before_text: None }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            let received = self.inbox.receive(rest);
            rest = rest.get(received..).unwrap_or_default();
            self.drain();
            // Nothing waits, so that there is room again.
            if self.end.is_none_or(|end| end.is_ok()) {
                assert!(self.inbox.raw().is_empty());
            }
            if rest.is_empty() || received == 0 {
                return;
            }
        }
    }

    fn drain(&mut self) {
        loop {
            match self.deframer.poll(&mut self.inbox) {
                Ok(None) => return,
                Ok(Some(incoming)) => self.on(incoming),
                Err(error) => {
                    assert_eq!(self.deframer.poll(&mut self.inbox), Err(error));
                    if let (Malformed::Utf8, Some(hash)) = (error, self.before_text) {
                        self.hash = hash;
                    }
                    self.end = Some(Err(error));
                    return;
                }
            }
        }
    }

    fn on(&mut self, incoming: Incoming) {
        assert_eq!(self.end, None, "nothing is reported behind the end");
        match incoming {
            Incoming::Data { opcode, len, end } => {
                if opcode == Opcode::Text && self.before_text.is_none() {
                    self.before_text = Some(self.hash);
                }
                for at in 0..len {
                    let byte = self.inbox.stream().get(at).copied().unwrap_or_default();
                    self.mix(byte);
                }
                assert_eq!(self.inbox.stream().len(), len);
                self.inbox.consume(len);
                if end {
                    self.mix(if opcode == Opcode::Text { 1 } else { 2 });
                    self.before_text = None;
                }
            }
            Incoming::Ping | Incoming::Pong => {
                for at in 0..self.deframer.control().len() {
                    let byte = self.deframer.control().get(at).copied().unwrap_or_default();
                    self.mix(byte);
                }
                self.mix(if incoming == Incoming::Ping { 3 } else { 4 });
            }
            Incoming::Close(code) => self.end = Some(Ok(code)),
        }
    }

    /// FNV-1a.
    fn mix(&mut self, byte: u8) {
        self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const SWITCH: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n\x82\x01x";
    const REFUSE: &[u8] = b"HTTP/1.1 403 Forbidden\r\nDate: x\r\nServer: y\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    fn with_cut(cut: u8, bytes: &[u8]) -> Vec<u8> {
        [&[cut], bytes].concat()
    }

    #[test]
    fn response_entry_point_holds_for_samples_and_their_neighbours() {
        response(&[]);
        response(&[0]);
        for sample in [SWITCH, REFUSE, b"\x15\x03\x03\x00\x02\x02\x28"] {
            for cut in 0..=u8::MAX {
                response(&with_cut(cut, sample));
            }
            for at in 0..sample.len() {
                let mut spoilt = sample.to_vec();
                spoilt[at] ^= 0x21;
                response(&with_cut(40, &spoilt));
                response(&with_cut(40, &sample[..at]));
            }
        }
    }

    #[test]
    fn frames_entry_point_holds_for_samples_and_random_bytes() {
        frames(&[]);
        let sample =
            b"\x01\x02h\xc3\x89\x01p\x80\x01\xa9\x82\x03abc\x81\x02\xc3\x28\x88\x02\x03\xe8x";
        for cut in 0..=u8::MAX {
            frames(&with_cut(cut, sample));
        }
        let seed: u64 = 0x9e37_79b9_7f4a_7c15;
        std::println!("seed {seed:#x}");
        let mut state = seed;
        for _ in 0..20_000 {
            let mut bytes = [0; 40];
            for byte in &mut bytes {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Small values make headers that are right now and then.
                *byte = if state & 0x300 == 0 {
                    (state >> 16) as u8
                } else {
                    (state >> 16) as u8 & 0x83
                };
            }
            frames(&bytes);
        }
    }
}
