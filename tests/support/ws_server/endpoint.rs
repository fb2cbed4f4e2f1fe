//! One connection of the server, without I/O.

use dunlin_octet::{Inbox, Writer};
use dunlin_ws::{
    Acceptance, CloseCode, Deframer, FRAME_HEADER_MAX, Header, Incoming, Opcode, Role,
};
use tokio::sync::mpsc;

/// What it sends comes in fragments of at most so many bytes.
pub const FRAGMENT: usize = 1000;
/// What it pings with, in front of everything that it sends back.
pub const PING: &[u8] = b"are you there?";

/// Memory for the longest message.
const MEMORY: usize = 256 * 1024;

/// What a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The upgrade is done; whether the subprotocol was offered.
    Opened {
        /// It was.
        agreed: bool,
    },
    /// A message of text.
    Text(String),
    /// A message of bytes.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close, with its code and its reason.
    Close(Option<u16>, String),
    /// Not WebSocket any more, or never.
    Failed(String),
    /// The transport is closed.
    Ended,
}

/// Have [`Endpoint::take_out`] sent after each [`Endpoint::handle_read`].
pub(super) struct Endpoint {
    acceptance: Option<Acceptance<'static>>,
    inbox: Inbox<Vec<u8>>,
    frames: Deframer,
    out: Vec<u8>,
    tell: mpsc::UnboundedSender<Heard>,
    /// Has sent a Close of its own, and waits for the answer.
    closing: bool,
    over: bool,
}

impl Endpoint {
    pub(super) fn new(tell: mpsc::UnboundedSender<Heard>) -> Self {
        Self {
            acceptance: Some(Acceptance::new("mqtt")),
            inbox: Inbox::new(vec![0; MEMORY]),
            frames: Deframer::new(Role::Server),
            out: Vec::new(),
            tell,
            closing: false,
            over: false,
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn spare(&mut self) -> &mut [u8] {
        self.inbox.spare()
    }

    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn handle_read(&mut self, len: usize) {
        self.inbox.commit(len);
        self.accept();
        while !self.over && self.acceptance.is_none() {
            match self.frames.poll(&mut self.inbox) {
                Ok(Some(incoming)) => self.on(incoming),
                Ok(None) => break,
                Err(error) => self.fail(&error.to_string(), error.close_code()),
            }
        }
        if self.inbox.spare().is_empty() {
            self.fail("a message is too long", CloseCode::TOO_BIG);
        }
    }

    pub(super) fn handle_end(&self) {
        self.say(Heard::Ended);
    }

    fn accept(&mut self) {
        let Some(acceptance) = &mut self.acceptance else { return };
        let accepted = acceptance.poll(&mut self.inbox);
        let mut chunk = [0; 64];
        while let len @ 1.. = acceptance.poll_transmit(&mut chunk) {
            self.out.extend_from_slice(&chunk[..len]);
        }
        let agreed = acceptance.is_agreed();
        match accepted {
            Ok(false) => {}
            Ok(true) => {
                self.acceptance = None;
                self.inbox.consume(self.inbox.stream().len());
                self.say(Heard::Opened { agreed });
            }
            Err(error) => {
                self.over = true;
                self.say(Heard::Failed(error.to_string()));
            }
        }
    }

    fn on(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Data { end: false, .. } => {}
            Incoming::Data { opcode, end: true, .. } => {
                let message = self.inbox.stream().to_vec();
                self.inbox.consume(message.len());
                self.answer(opcode, &message);
                self.say(match opcode {
                    Opcode::Text => Heard::Text(text(&message)),
                    _ => Heard::Binary(message),
                });
            }
            Incoming::Ping => {
                let body = self.frames.control().to_vec();
                self.put(true, Opcode::Pong, &body);
                self.say(Heard::Ping(body));
            }
            Incoming::Pong => self.say(Heard::Pong(self.frames.control().to_vec())),
            Incoming::Close(code) => {
                let body = self.frames.control().to_vec();
                if !self.closing {
                    self.put(true, Opcode::Close, &body);
                }
                self.over = true;
                let reason = text(body.get(2..).unwrap_or_default());
                self.say(Heard::Close(code.map(CloseCode::get), reason));
            }
        }
    }

    fn answer(&mut self, opcode: Opcode, message: &[u8]) {
        match told_to_close(message) {
            Some(body) => {
                self.put(true, Opcode::Close, &body);
                self.closing = true;
            }
            None => {
                self.put(true, Opcode::Ping, PING);
                self.send_back(opcode, message);
            }
        }
    }

    /// In fragments, the last of them with FIN.
    fn send_back(&mut self, opcode: Opcode, message: &[u8]) {
        let (mut rest, mut opcode) = (message, opcode);
        while rest.len() > FRAGMENT {
            let (front, behind) = rest.split_at(FRAGMENT);
            self.put(false, opcode, front);
            (rest, opcode) = (behind, Opcode::Continuation);
        }
        self.put(true, opcode, rest);
    }

    fn put(&mut self, fin: bool, opcode: Opcode, body: &[u8]) {
        let header = Header { fin, opcode, mask: None, len: body.len() as u64 };
        let mut memory = [0; FRAME_HEADER_MAX];
        let mut out = Writer::new(&mut memory);
        header.encode(&mut out).expect("room for any header");
        self.out.extend_from_slice(out.written());
        self.out.extend_from_slice(body);
    }

    fn fail(&mut self, why: &str, code: CloseCode) {
        self.put(true, Opcode::Close, &code.get().to_be_bytes());
        self.over = true;
        self.say(Heard::Failed(why.to_owned()));
    }

    fn say(&self, heard: Heard) {
        // Nobody listens any more: the test is over.
        let _ = self.tell.send(heard);
    }
}

/// The body of the Close that a client has asked for, by `close CODE REASON`.
fn told_to_close(message: &[u8]) -> Option<Vec<u8>> {
    let words = std::str::from_utf8(message).ok()?.strip_prefix("close ")?;
    let (code, reason) = words.split_once(' ')?;
    let code: u16 = code.parse().ok()?;
    Some([&code.to_be_bytes(), reason.as_bytes()].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text was checked")
}
