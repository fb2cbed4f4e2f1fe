//! An echo of `dunlin-ws` alone, for either role: bytes in, bytes out, no I/O.

use dunlin_octet::{Buffer, Inbox, Writer, copy_masked};
use dunlin_ws::{
    Acceptance, CloseCode, Deframer, FRAME_HEADER_MAX, Header, Incoming, InvalidRequest, Opcode,
    Request, Role, Upgrade, UpgradeError,
};

/// The longest message that is echoed: the longest in the cases (section 9).
const MESSAGE_MAX: usize = 16 * 1024 * 1024;
/// Memory to begin with.
const MEMORY: usize = 16 * 1024;

/// What a client does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Sends it back.
    Echo,
    /// Keeps it, for [`Echo::message`], and closes.
    Listen,
}

/// One connection, from its upgrade to its Close.
///
/// Have [`Echo::poll_transmit`] sent, then read into [`Echo::spare`] and tell [`Echo::handle_read`],
/// until [`Echo::is_over`].
pub(crate) struct Echo<'a> {
    role: Role,
    purpose: Purpose,
    stage: Stage<'a>,
    inbox: Inbox<Memory>,
    frames: Deframer,
    out: Vec<u8>,
    frames_sent: u32,
}

enum Stage<'a> {
    Asking(Upgrade<'a>),
    Answering(Acceptance<'static>),
    Open,
    Over,
}

/// The request for `target`, as [`Echo::connect`] takes it.
pub(crate) fn request<'a>(
    host: &'a str,
    target: &'a &'a str,
) -> Result<Request<'a>, InvalidRequest> {
    Request::new(host, target, &[])
}

impl<'a> Echo<'a> {
    /// A client's connection.
    pub(crate) fn connect(request: Request<'a>, purpose: Purpose) -> Self {
        let mut upgrade = Upgrade::new(request, "", *b"any sixteen byte");
        let mut out = Vec::new();
        take_all(|chunk| upgrade.poll_transmit(chunk), &mut out);
        Self::new(Role::Client, purpose, Stage::Asking(upgrade), out)
    }

    /// A server's connection.
    pub(crate) fn accept() -> Self {
        let stage = Stage::Answering(Acceptance::new(""));
        Self::new(Role::Server, Purpose::Echo, stage, Vec::new())
    }

    /// Which end it is.
    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// Everything that is to be sent now.
    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out))
    }

    /// Whether nothing more is wanted from the peer than that it hangs up.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Room for what comes; never empty before it is over.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.inbox.spare()
    }

    /// Says that `len` bytes have been read into [`Echo::spare`].
    ///
    /// An error is a client's that was not let in.
    pub(crate) fn handle_read(&mut self, len: usize) -> Result<(), UpgradeError> {
        self.inbox.commit(len);
        self.on_opening()?;
        while matches!(self.stage, Stage::Open) {
            match self.frames.poll(&mut self.inbox) {
                Ok(Some(incoming)) => self.on_incoming(incoming),
                Ok(None) if self.has_room() => break,
                Ok(None) => self.close(Some(CloseCode::TOO_BIG)),
                Err(malformed) => self.close(Some(malformed.close_code())),
            }
        }
        Ok(())
    }

    /// Says that the peer has hung up.
    pub(crate) fn handle_eof(&mut self) -> Result<(), UpgradeError> {
        match &mut self.stage {
            Stage::Asking(upgrade) => Err(upgrade.handle_eof(&mut self.inbox)),
            _ => Ok(()),
        }
    }

    /// What came last and was not sent back.
    pub(crate) fn message(&self) -> &[u8] {
        self.inbox.stream()
    }

    fn new(role: Role, purpose: Purpose, stage: Stage<'a>, out: Vec<u8>) -> Self {
        let inbox = Inbox::new(Memory(vec![0; MEMORY]));
        Self { role, purpose, stage, inbox, frames: Deframer::new(role), out, frames_sent: 0 }
    }

    fn on_opening(&mut self) -> Result<(), UpgradeError> {
        match &mut self.stage {
            Stage::Asking(upgrade) => {
                if upgrade.poll(&mut self.inbox)? {
                    self.stage = Stage::Open;
                }
            }
            Stage::Answering(acceptance) => {
                let accepted = acceptance.poll(&mut self.inbox);
                take_all(|chunk| acceptance.poll_transmit(chunk), &mut self.out);
                match accepted {
                    Ok(false) => {}
                    Ok(true) => {
                        self.inbox.consume(self.inbox.stream().len());
                        self.stage = Stage::Open;
                    }
                    Err(_) => self.stage = Stage::Over,
                }
            }
            Stage::Open | Stage::Over => {}
        }
        Ok(())
    }

    fn on_incoming(&mut self, incoming: Incoming) {
        let key = self.next_key();
        match incoming {
            Incoming::Data { end: true, .. } if self.purpose == Purpose::Listen => {
                self.close(Some(CloseCode::NORMAL));
            }
            Incoming::Data { opcode, end: true, .. } => {
                put_frame(&mut self.out, opcode, key, self.inbox.stream());
                self.inbox.consume(self.inbox.stream().len());
            }
            Incoming::Ping => put_frame(&mut self.out, Opcode::Pong, key, self.frames.control()),
            Incoming::Close(code) => self.close(code),
            Incoming::Data { end: false, .. } | Incoming::Pong => {}
        }
    }

    /// Answers a Close, or says the first.
    fn close(&mut self, code: Option<CloseCode>) {
        let body = code.map(|code| code.get().to_be_bytes());
        let key = self.next_key();
        put_frame(&mut self.out, Opcode::Close, key, body.as_ref().map_or(&[], |body| &body[..]));
        self.stage = Stage::Over;
    }

    /// A key that differs from the last; not at random, so that each run is the same.
    fn next_key(&mut self) -> Option<[u8; 4]> {
        self.frames_sent = self.frames_sent.wrapping_add(1);
        let key = self.frames_sent.wrapping_mul(0x9e37_79b9).to_be_bytes();
        (self.role == Role::Client).then_some(key)
    }

    /// Whether more can come in; memory grows for it, up to the longest message.
    fn has_room(&mut self) -> bool {
        let wanted = self.inbox.capacity().saturating_mul(2).min(self.inbox.limit());
        !self.inbox.spare().is_empty() || self.inbox.grow(wanted) && !self.inbox.spare().is_empty()
    }
}

/// Memory for one message, and for the header of an empty frame that may end it.
struct Memory(Vec<u8>);

impl Buffer for Memory {
    type Places<T: dunlin::octet::Entry, const N: usize> = [T; N];

    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn limit(&self) -> usize {
        MESSAGE_MAX + FRAME_HEADER_MAX
    }

    fn grow(&mut self, len: usize) -> bool {
        let fits = len <= self.limit();
        if fits && len > self.0.len() {
            self.0.resize(len, 0);
        }
        fits
    }
}

/// Appends everything that `poll_transmit` has to give, in pieces so small that it has to resume.
fn take_all(mut poll_transmit: impl FnMut(&mut [u8]) -> usize, out: &mut Vec<u8>) {
    let mut chunk = [0; 64];
    while let len @ 1.. = poll_transmit(&mut chunk) {
        out.extend(chunk.iter().take(len));
    }
}

/// Appends a whole message, or a control frame.
fn put_frame(out: &mut Vec<u8>, opcode: Opcode, mask: Option<[u8; 4]>, body: &[u8]) {
    let len = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let header = Header { fin: true, opcode, mask, len };
    let at = out.len();
    out.resize(at + header.encoded_len() + body.len(), 0);
    let mut frame = Writer::new(out.get_mut(at..).unwrap_or_default());
    let payload = header.encode(&mut frame).and_then(|()| frame.reserve(body.len()));
    // Unmasked is masked with zeros.
    copy_masked(body, payload.expect("room was made"), mask.unwrap_or_default(), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries bytes between the two, `chunk` at a time, until neither has any.
    fn exchange(one: &mut Echo<'_>, other: &mut Echo<'_>, chunk: usize) {
        loop {
            let (to_other, to_one) = (one.poll_transmit(), other.poll_transmit());
            if to_other.is_none() && to_one.is_none() {
                return;
            }
            deliver(other, &to_other.unwrap_or_default(), chunk);
            deliver(one, &to_one.unwrap_or_default(), chunk);
        }
    }

    fn deliver(echo: &mut Echo<'_>, mut bytes: &[u8], chunk: usize) {
        while !bytes.is_empty() && !echo.is_over() {
            let spare = echo.spare();
            let len = bytes.len().min(chunk).min(spare.len());
            assert!(len > 0, "no room, and not over");
            spare[..len].copy_from_slice(&bytes[..len]);
            echo.handle_read(len).unwrap();
            bytes = &bytes[len..];
        }
    }

    fn frame(fin: bool, opcode: Opcode, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_frame(&mut bytes, opcode, Some([1, 2, 3, 4]), body);
        bytes[0] &= if fin { 0xff } else { 0x7f };
        bytes
    }

    /// A server behind its upgrade.
    fn open_server() -> Echo<'static> {
        let mut server = Echo::accept();
        let mut client = Echo::connect(request("host", &"/").unwrap(), Purpose::Echo);
        exchange(&mut client, &mut server, usize::MAX);
        assert!(matches!(server.stage, Stage::Open) && matches!(client.stage, Stage::Open));
        server
    }

    #[test]
    fn listener_keeps_the_message_and_closes() {
        for chunk in [1, 2, 3, 7, usize::MAX] {
            let mut server = Echo::accept();
            let mut client = Echo::connect(request("host", &"/").unwrap(), Purpose::Listen);
            exchange(&mut client, &mut server, chunk);
            put_frame(&mut server.out, Opcode::Text, None, b"301");
            exchange(&mut client, &mut server, chunk);
            assert_eq!(client.message(), b"301");
            assert!(client.is_over() && server.is_over());
        }
    }

    #[test]
    fn longest_message_in_two_frames_comes_back() {
        let mut server = open_server();
        let half = vec![b'*'; MESSAGE_MAX / 2];
        deliver(&mut server, &frame(false, Opcode::Binary, &half), 100_000);
        deliver(&mut server, &frame(false, Opcode::Continuation, &half), 100_000);
        assert_eq!(server.poll_transmit(), None);
        deliver(&mut server, &frame(true, Opcode::Continuation, &[]), 1);
        let sent = server.poll_transmit().unwrap();
        assert_eq!(sent.len(), MESSAGE_MAX + 10);
        assert!(sent[10..].iter().all(|byte| *byte == b'*') && !server.is_over());
    }

    #[test]
    fn longer_message_is_too_big() {
        let mut server = open_server();
        deliver(&mut server, &frame(true, Opcode::Binary, &vec![0; MESSAGE_MAX + 100]), 100_000);
        assert_eq!(server.poll_transmit().unwrap(), [0x88, 2, 0x03, 0xf1]);
        assert!(server.is_over());
    }

    #[test]
    fn request_that_is_none_is_answered_and_over() {
        let mut server = Echo::accept();
        deliver(&mut server, b"POST / HTTP/1.1\r\n", 1);
        assert!(server.poll_transmit().unwrap().starts_with(b"HTTP/1.1 400 "));
        assert!(server.is_over());
    }
}
