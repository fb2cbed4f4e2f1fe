//! The receiving half of a connection: frames into a stream of payload (§5, §6.2).

use crate::frame::{decode_first, is_masked};
use crate::utf8::Utf8;
use crate::{CONTROL_PAYLOAD_MAX, CloseCode, FRAME_HEADER_MAX, Header, Malformed, Opcode, Role};
use dunlin_octet::{Buffer, Inbox, copy, copy_masked};

/// How many fragments in a row may be empty: enough for any encoder, and an end to a stream of
/// frames that never brings a byte.
pub const EMPTY_FRAGMENTS_MAX: u8 = 64;

/// Memory for [`FRAME_HEADER_MAX`] and [`CONTROL_PAYLOAD_MAX`] bytes, in whole words: a small machine has
/// a function of its own to clear what is not.
const HEAD_LEN: usize = FRAME_HEADER_MAX.next_multiple_of(4);
const CONTROL_LEN: usize = CONTROL_PAYLOAD_MAX.next_multiple_of(4);

/// Something that a [`Deframer`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Incoming {
    /// Payload of a message joined the stream.
    Data {
        /// What the message is, [`Opcode::Text`] or [`Opcode::Binary`], whichever frame this was.
        opcode: Opcode,
        /// How many bytes joined just now; zero where an empty frame ends a message.
        len: usize,
        /// Whether the message is complete.
        end: bool,
    },
    /// A ping: answer it with a pong that has the same [`Deframer::control`] (§5.5.2).
    Ping,
    /// A pong, asked for or not (§5.5.3).
    Pong,
    /// The peer closes; its code, if it gave one, and its reason in `control()[2..]` (§5.5.1).
    Close(Option<CloseCode>),
}

/// Takes frames apart, in place, for either role.
///
/// Payload joins the stream as soon as it is there, control bodies and cut headers are kept here,
/// so that no byte ever waits in the inbox: after `Ok(None)` its raw part is empty, and any inbox
/// of one byte or more makes progress. Text is checked while it arrives (§8.1).
///
/// ```text
///           ┌─ data header ──▶ Data ── payload complete ──┐
///  Header ──┤                                             ├──▶ Header
///    ▲      └─ control header ▶ Control ─ ping, pong ─────┘
///    │                             └───── close ─────────────▶ Closed (reads on, keeps nothing)
///    └─ any state ─ bytes that break the standard ───────────▶ Failed
/// ```
#[derive(Clone, Debug)]
pub struct Deframer {
    role: Role,
    state: State,
    /// The message that has begun and not ended.
    message: Option<Opcode>,
    /// Of the frame that is being read: its FIN, what is left of its payload, its key, all zeros if it
    /// has none, and where in the key the next byte stands.
    fin: bool,
    left: u64,
    key: [u8; 4],
    phase: usize,
    /// Complete between messages, for a message that ends otherwise is the end of everything.
    utf8: Utf8,
    empty: u8,
    /// A header of which more bytes must come.
    head: [u8; HEAD_LEN],
    head_len: usize,
    control: [u8; CONTROL_LEN],
    control_len: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Data,
    Control(Opcode),
    Closed,
    Failed(Malformed),
}

/// What to do with the raw bytes of an inbox.
enum Step {
    More,
    Skip(usize),
    /// Payload of so many bytes behind so many that are of no further use.
    Join(usize, usize),
    Report(usize, Incoming),
}

impl Deframer {
    /// The receiving half of an endpoint that is `role`, before its first frame.
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            state: State::Header,
            message: None,
            fin: true,
            left: 0,
            key: [0; 4],
            phase: 0,
            utf8: Utf8::new(),
            empty: 0,
            head: [0; HEAD_LEN],
            head_len: 0,
            control: [0; CONTROL_LEN],
            control_len: 0,
        }
    }

    /// The kind of the message that has begun and not ended, also when it ended in an error.
    pub const fn message(&self) -> Option<Opcode> {
        self.message
    }

    /// Takes raw bytes of `inbox` up to the next thing to report.
    ///
    /// Call again until `Ok(None)`: everything has been read then, and more bytes are needed. After
    /// a [`Incoming::Close`] all that follows is dropped (§1.4); after an error every call returns
    /// the same error.
    pub fn poll<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> Result<Option<Incoming>, Malformed> {
        #[cfg(test)]
        tests::examined::count(inbox.raw().len().min(4));
        if let Some((header, len)) = self.whole_message(inbox.raw()) {
            inbox.accept_behind(header, len);
            return Ok(Some(Incoming::Data { opcode: Opcode::Binary, len, end: true }));
        }
        let result = self.advance(inbox);
        if let Err(error) = result {
            self.state = State::Failed(error);
        }
        result
    }

    /// The body of the control frame that was reported last; good until the next poll.
    pub fn control(&self) -> &[u8] {
        self.control.get(..self.control_len).unwrap_or_default()
    }

    /// The lengths of the commonest thing by far, a message of less than 64 KiB in one frame of a
    /// server, where all of it is there: its header and its payload. It needs none of the states, and
    /// costs a third without them.
    #[inline]
    fn whole_message(&self, raw: &[u8]) -> Option<(usize, usize)> {
        let (header, len, payload) = match raw {
            [0x82, len @ 0..=125, payload @ ..] => (2, usize::from(*len), payload),
            // Anything shorter is not in the shortest form.
            [0x82, 126, high, low, payload @ ..] if *high > 0 || *low > 125 => {
                (4, usize::from(u16::from_be_bytes([*high, *low])), payload)
            }
            _ => return None,
        };
        let idle = matches!((self.state, self.message), (State::Header, None));
        let fits = idle && self.head_len == 0 && payload.len() >= len;
        (fits && self.role == Role::Client).then_some((header, len))
    }

    /// Apart from [`Deframer::poll`], so that a whole message pays for none of it.
    #[inline(never)]
    fn advance<B: Buffer>(&mut self, inbox: &mut Inbox<B>) -> Result<Option<Incoming>, Malformed> {
        // Each turn takes at least one raw byte, or leaves the state of an empty payload.
        loop {
            match self.step(inbox.raw())? {
                Step::More => return Ok(None),
                Step::Skip(len) => inbox.skip(len),
                Step::Report(len, incoming) => {
                    inbox.skip(len);
                    return Ok(Some(incoming));
                }
                Step::Join(skipped, len) => {
                    // Unmasked, and checked if it is text.
                    #[cfg(test)]
                    tests::examined::count(len.saturating_mul(2));
                    inbox.skip(skipped);
                    match self.role {
                        Role::Server => inbox.accept_masked(len, self.key, self.phase),
                        Role::Client => inbox.accept(len),
                    }
                    let stream = inbox.stream();
                    let from = stream.len().saturating_sub(len);
                    let joined = self.on_joined(stream.get(from..).unwrap_or_default())?;
                    if joined.is_some() {
                        return Ok(joined);
                    }
                }
            }
        }
    }

    fn step(&mut self, raw: &[u8]) -> Result<Step, Malformed> {
        match self.state {
            State::Header => self.on_header_bytes(raw),
            State::Data if raw.is_empty() && self.left > 0 => Ok(Step::More),
            State::Data => Ok(Step::Join(0, raw.len().min(self.left_here()))),
            State::Control(opcode) => self.on_control_bytes(opcode, raw),
            State::Closed if raw.is_empty() => Ok(Step::More),
            State::Closed => Ok(Step::Skip(raw.len())),
            State::Failed(error) => Err(error),
        }
    }

    fn on_header_bytes(&mut self, raw: &[u8]) -> Result<Step, Malformed> {
        let [byte, ..] = raw else { return Ok(Step::More) };
        let waiting = self.head_len > 0;
        if waiting && let Some(place) = self.head.get_mut(self.head_len) {
            *place = *byte;
            self.head_len = self.head_len.saturating_add(1);
        }
        let head = self.head.get(..self.head_len).unwrap_or_default();
        #[cfg(test)]
        tests::examined::count(if waiting { head.len() } else { raw.len().min(FRAME_HEADER_MAX) });
        let Some((header, len)) = self.decode(if waiting { head } else { raw })? else {
            let kept = if waiting { 1 } else { copy(raw, &mut self.head) };
            self.head_len = if waiting { self.head_len } else { kept };
            return Ok(Step::Skip(kept));
        };
        self.head_len = 0;
        Ok(self.on_header(header, if waiting { 1 } else { len }, raw.len()))
    }

    /// Decodes a header.
    ///
    /// What is wrong with it is found byte by byte, so that the error does not depend on how many
    /// bytes have come: first what each byte says by itself, then what it means here.
    fn decode(&self, bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
        let decoded = Header::decode(bytes);
        if let Ok(Some((header, _))) = &decoded {
            self.check_order(header.opcode)?;
            self.check_mask(header.mask.is_some())?;
        } else if let [first, rest @ ..] = bytes {
            self.check_order(decode_first(*first)?.1)?;
            if let [second, ..] = rest {
                self.check_mask(is_masked(*second))?;
            }
        }
        decoded
    }

    const fn check_order(&self, opcode: Opcode) -> Result<(), Malformed> {
        match (opcode, self.message) {
            (Opcode::Continuation, None) => Err(Malformed::Continuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(Malformed::Interleaved),
            _ => Ok(()),
        }
    }

    const fn check_mask(&self, masked: bool) -> Result<(), Malformed> {
        match (self.role, masked) {
            (Role::Client, true) => Err(Malformed::Masked),
            (Role::Server, false) => Err(Malformed::Unmasked),
            _ => Ok(()),
        }
    }

    /// A header of `len` bytes is complete, the last of them at the front of `available` raw bytes.
    fn on_header(&mut self, header: Header, len: usize, available: usize) -> Step {
        self.left = header.len;
        self.key = header.mask.unwrap_or_default();
        self.phase = 0;
        if header.opcode.is_control() {
            self.control_len = 0;
            self.state = State::Control(header.opcode);
            return Step::Skip(len);
        }
        if header.opcode != Opcode::Continuation {
            self.message = Some(header.opcode);
            self.empty = 0;
        }
        self.fin = header.fin;
        self.state = State::Data;
        match available.saturating_sub(len).min(self.left_here()) {
            0 => Step::Skip(len),
            payload => Step::Join(len, payload),
        }
    }

    /// Payload has joined the stream; `Ok(None)` when it was an empty fragment, which nobody needs.
    fn on_joined(&mut self, joined: &[u8]) -> Result<Option<Incoming>, Malformed> {
        let len = joined.len();
        self.on_taken(len);
        let opcode = self.message.unwrap_or(Opcode::Binary);
        let text = opcode == Opcode::Text;
        if text && !self.utf8.push(joined) {
            return Err(Malformed::Utf8);
        }
        if self.left > 0 {
            return Ok(Some(Incoming::Data { opcode, len, end: false }));
        }
        self.state = State::Header;
        if self.fin {
            // A message must not end inside a character, even where its last frame is empty.
            if text && !self.utf8.is_complete() {
                return Err(Malformed::Utf8);
            }
            self.message = None;
            return Ok(Some(Incoming::Data { opcode, len, end: true }));
        }
        if len > 0 {
            self.empty = 0;
            return Ok(Some(Incoming::Data { opcode, len, end: false }));
        }
        if self.empty >= EMPTY_FRAGMENTS_MAX {
            return Err(Malformed::EmptyFragments);
        }
        self.empty = self.empty.saturating_add(1);
        Ok(None)
    }

    fn on_control_bytes(&mut self, opcode: Opcode, raw: &[u8]) -> Result<Step, Malformed> {
        if raw.is_empty() && self.left > 0 {
            return Ok(Step::More);
        }
        let raw = raw.get(..self.left_here()).unwrap_or(raw);
        let place = self.control.get_mut(self.control_len..).unwrap_or_default();
        let len = copy_masked(raw, place, self.key, self.phase);
        // The reason of a Close is checked behind it.
        #[cfg(test)]
        tests::examined::count(len.saturating_mul(2));
        self.control_len = self.control_len.saturating_add(len);
        self.on_taken(len);
        if self.left > 0 {
            return Ok(Step::Skip(len));
        }
        self.state = State::Header;
        let incoming = match opcode {
            Opcode::Ping => Incoming::Ping,
            Opcode::Pong => Incoming::Pong,
            _ => {
                self.state = State::Closed;
                Incoming::Close(close_code(self.control())?)
            }
        };
        Ok(Step::Report(len, incoming))
    }

    fn on_taken(&mut self, len: usize) {
        self.left = self.left.saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
        self.phase = self.phase.wrapping_add(len) % 4;
    }

    /// What is left of the payload, as far as this machine can count it.
    fn left_here(&self) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX)
    }
}

/// Where it is, without what has come.
#[cfg(feature = "defmt")]
impl defmt::Format for Deframer {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Deframer {{ {}, message: {}, left: {=u64} }}",
            self.role,
            self.message,
            self.left
        );
    }
}

/// The code in the body of a Close; the reason behind it must be UTF-8 (§5.5.1).
fn close_code(body: &[u8]) -> Result<Option<CloseCode>, Malformed> {
    let (code, reason) = match body {
        [] => return Ok(None),
        [_] => return Err(Malformed::CloseBody),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    let code = CloseCode::new(code).ok_or(Malformed::CloseCode)?;
    let mut utf8 = Utf8::new();
    if utf8.push(reason) && utf8.is_complete() { Ok(Some(code)) } else { Err(Malformed::Utf8) }
}

#[cfg(test)]
mod tests;
