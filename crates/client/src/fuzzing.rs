//! Entry points for the fuzzer; any bytes may be given.
#![allow(clippy::unreachable, reason = "a broken promise is to stop the fuzzer")]

use crate::{
    Config, Connect, Connection, Entropy, Error, Event, Instant, Message, Misbehaved, Opening,
    Oversize, Qos, ReasonCode, Session, Subscription, TRANSMIT_MIN, Transport, ws,
};
use core::fmt::{self, Write};

/// The receive buffer: small, so that its end is met often.
const ROOM: usize = 400;

const NONCE: [u8; 16] = *b"the sample nonce";

/// The answer to an upgrade with that nonce (RFC 6455 §1.3).
const SWITCH: &[u8] = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

/// What a server sends, over frames or a bare stream, with the answer to the upgrade or without: the
/// same events and the same end whole and in pieces, no more polls than bytes and events explain, and
/// an end that stays.
///
/// # Panics
/// When one of these does not hold.
pub fn connection(data: &[u8]) {
    let [mode, step, bytes @ ..] = data else { return };
    let switched = mode & 3 == 0;
    let framed = mode & 3 != 3;
    let connack = mode & 4 != 0 && (switched || !framed);
    let oversize = match mode >> 3 & 3 {
        1 => Oversize::Skip,
        2 => Oversize::Stream,
        _ => Oversize::Refuse,
    };
    let step = usize::from(*step & 0x1f).saturating_add(1);
    let outcomes = [usize::MAX, step, 1].map(|step| {
        let mut run = Run::new(framed, oversize);
        if switched {
            run.give(SWITCH, step);
        }
        if connack {
            run.give(if framed { &[0x82, 4, 0x20, 2, 0, 0] } else { &[0x20, 2, 0, 0] }, step);
        }
        run.give(bytes, step);
        run.finish()
    });
    let [whole, pieces, single] = outcomes;
    assert_eq!(whole, pieces, "in pieces of {step}");
    assert_eq!(whole, single, "byte by byte");
}

/// One connection's life.
struct Run {
    framed: bool,
    session: Session<[u8; 1_024], 4>,
    connection: Connection<'static, [u8; ROOM]>,
    tape: Tape,
    end: Option<Error>,
    polls: usize,
    causes: usize,
}

impl Run {
    fn new(framed: bool, oversize: Oversize) -> Self {
        let mut session = Session::new([0; 1_024], Config::new().oversize(oversize));
        let connect = Connect {
            client_id: "fuzz",
            clean_session: true,
            keep_alive_s: 60,
            user_name: None,
            password: None,
            will: None,
            ..Connect::new("")
        };
        let transport = match ws::Request::new("h", &"/", &[]) {
            Ok(request) if framed => Transport::WebSocket(request),
            _ => Transport::Stream,
        };
        let now = Instant::default();
        let opening = Opening { transport, connect, deadline: now.after(10_000) };
        let connection = Connection::open(&mut session, [0; ROOM], opening, now, &mut nonce());
        let Ok(connection) = connection else { unreachable!("a valid opening") };
        let tape = Tape(0xcbf2_9ce4_8422_2325);
        let mut run = Self { framed, session, connection, tape, end: None, polls: 0, causes: 0 };
        run.transmit();
        run
    }

    fn give(&mut self, mut bytes: &[u8], step: usize) {
        while !bytes.is_empty() && self.end.is_none() {
            let piece = bytes.get(..step.min(bytes.len())).unwrap_or_default();
            let taken = self.connection.receive(piece);
            self.causes = self.causes.saturating_add(taken);
            self.drain();
            assert!(taken > 0 || self.end.is_some(), "no room, and nothing to do about it");
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    fn drain(&mut self) {
        let now = Instant::default();
        loop {
            self.polls = self.polls.saturating_add(1);
            let polled = self.connection.poll(&mut self.session, now);
            if let Ok(Some(event)) = &polled {
                self.causes = self.causes.saturating_add(1);
                self.tape.note(event);
                respond(&mut self.session, event);
                // What comes behind the good-bye is seen only as far as it has come already; behind
                // frames the peer's Close is waited for.
                if self.framed && matches!(event, Event::Subscribed { .. }) {
                    self.session.disconnect(ReasonCode::SUCCESS);
                }
            }
            let end = polled.err();
            let quiet = matches!(polled, Ok(None));
            if end.is_some() {
                self.end = end;
                let again = self.connection.poll(&mut self.session, now).err();
                assert_eq!(again, end, "the same error for ever");
            }
            let sent = self.transmit();
            if self.end.is_some() || (quiet && !sent && !self.supply()) {
                break;
            }
        }
        assert!(self.polls <= self.causes.saturating_mul(3).saturating_add(10), "a spin");
    }

    /// Supplies some of a payload that is wanted; returns whether there was one.
    fn supply(&mut self) -> bool {
        let Some(wanted) = self.session.wanted() else { return false };
        let taken = self.session.supply(wanted, &[9; 70]);
        assert!(taken == wanted.room.min(70), "what is wanted is taken");
        self.causes = self.causes.saturating_add(taken);
        true
    }

    /// Sends all there is; returns whether that was anything.
    fn transmit(&mut self) -> bool {
        let mut out = [0; TRANSMIT_MIN];
        let now = Instant::default();
        let (session, mut parts) = (&mut self.session, 0_usize);
        while self.connection.poll_transmit(session, now, &mut nonce(), &mut out).is_some() {
            parts = parts.saturating_add(1);
            assert!(parts < 100, "no end of bytes");
        }
        self.causes = self.causes.saturating_add(parts);
        parts > 0
    }

    /// Time passes, the transport ends; says what was seen and what the end was.
    fn finish(mut self) -> (u64, Error) {
        let mut now = Instant::default();
        for _ in 0..4 {
            let Some(deadline) = self.connection.next_deadline() else { break };
            assert!(deadline > now, "a deadline stays in the past");
            now = deadline;
            let _ = self.connection.handle_timeout(now);
        }
        let end = self.connection.handle_eof();
        assert_eq!(self.connection.handle_eof(), end);
        assert_eq!(self.connection.next_deadline(), None);
        assert!(self.end.is_none_or(|before| before == end));
        let _ = write!(self.tape, "{:?}", self.connection.close_reason());
        self.transmit();
        assert!(!self.transmit(), "the last word is said once");
        // Text that is not UTF-8 may be found out before or after it is found to be text.
        let utf8 = Error::from(ws::Malformed::Utf8);
        let end = if end == utf8 { Error::Misbehaved(Misbehaved::TextFrame) } else { end };
        (self.tape.0, end)
    }
}

/// What a program does about an event: it subscribes, publishes, echoes.
fn respond(session: &mut Session<[u8; 1_024], 4>, event: &Event<'_>) {
    match event {
        Event::Connected { .. } => {
            let filter = Subscription::new("t/#", Qos::ExactlyOnce);
            let _ = session.subscribe(&[filter]);
            let _ = session.publish(&Message::new("t/1", &[7; 200], Qos::AtLeastOnce));
        }
        Event::Message { message, .. } => {
            let _ = session.publish(&Message::new("t/2", message.payload, Qos::AtMostOnce));
        }
        Event::Subscribed { .. } => {
            let _ = session.publish(&Message::new("t/4", b"once", Qos::ExactlyOnce));
        }
        Event::Acknowledged { .. } => {
            let _ = session.publish(&Message::new("t/3", b"", Qos::AtLeastOnce));
        }
        Event::MessageBegin { head, .. } => {
            let reply = Message::new("t/5", b"", head.qos).head;
            let token = session.publish_stream(&reply, 1_500, 100);
            if let (true, Ok(token)) = (head.retain, token) {
                assert!(session.abandon(token), "nothing of it is out");
            }
        }
        _ => {}
    }
}

/// Entropy that nobody should have: the nonce of the standard's example, over and over.
fn nonce() -> impl Entropy {
    |bytes: &mut [u8]| {
        for (byte, known) in bytes.iter_mut().zip(NONCE.iter().cycle()) {
            *byte = *known;
        }
    }
}

/// What was seen, as a number (FNV-1a).
struct Tape(u64);

impl Tape {
    /// Pieces of a payload are one payload, wherever it was cut.
    fn note(&mut self, event: &Event<'_>) {
        if let Event::MessageChunk { payload, .. } = event {
            payload.iter().for_each(|byte| self.push(*byte));
        } else {
            let _ = write!(self, "{event:?}");
        }
    }

    fn push(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

impl Write for Tape {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const PACKETS: &[u8] =
        b"\x20\x02\0\0\x90\x03\0\x01\x01\x30\x05\0\x01thi\x32\x07\0\x01t\0\x09hi\
        \x34\x07\0\x01t\0\x0ahi\x3c\x07\0\x01t\0\x0ahi\x62\x02\0\x0a\x50\x02\0\x03\x70\x02\0\x03\
        \x40\x02\0\x02\xd0\0\xb0\x02\0\x07";

    fn framed(payload: &[u8]) -> Vec<u8> {
        [&[0x82, payload.len() as u8], payload, b"\x89\x02hi\x88\x04\x03\xe8ok"].concat()
    }

    /// A message of 452 bytes in three frames, a short one behind it.
    fn long() -> Vec<u8> {
        let long = [&b"\x34\xc1\x03\0\x01t\0\x0b"[..], &[b'x'; 444]].concat();
        let frame = |first, payload: &[u8]| {
            [&[first, 126, (payload.len() >> 8) as u8, payload.len() as u8], payload].concat()
        };
        let parts = [frame(2, &long[..130]), frame(0, &long[130..300]), frame(0x80, &long[300..])];
        [&parts.concat()[..], &framed(&PACKETS[4..])].concat()
    }

    #[test]
    fn connection_entry_point_holds_for_messages_longer_than_the_buffer() {
        let long = long();
        for oversize in 0..3 {
            let mode = 4 | oversize << 3;
            for step in [0, 1, 6, 30] {
                connection(&[&[mode, step], &long[..]].concat());
            }
            for at in (0..long.len()).filter(|at| *at < 24 || at % 13 == 0) {
                for flip in [0x01, 0x20, 0x80] {
                    let mut spoilt = [&[mode, 6], &long[..]].concat();
                    spoilt[at + 2] ^= flip;
                    connection(&spoilt);
                }
                connection(&[&[mode, 6], &long[..at]].concat());
            }
        }
    }

    #[test]
    fn connection_entry_point_holds_for_samples_and_their_neighbours() {
        connection(&[]);
        let refusal = b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nabc";
        for (mode, sample) in [(0, framed(PACKETS)), (3, PACKETS.to_vec()), (1, refusal.to_vec())] {
            for step in 0..32 {
                connection(&[&[mode, step], &sample[..]].concat());
            }
            for at in 0..sample.len() {
                for flip in [0x01, 0x21, 0x80] {
                    let mut spoilt = [&[mode, 6], &sample[..]].concat();
                    spoilt[at + 2] ^= flip;
                    connection(&spoilt);
                }
                connection(&[&[mode, 6], &sample[..at]].concat());
            }
        }
    }

    #[test]
    fn connection_entry_point_holds_for_random_bytes() {
        let seed: u64 = 0x9e37_79b9_7f4a_7c15;
        std::println!("seed {seed:#x}");
        let mut state = seed;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 20
        };
        for _ in 0..3_000 {
            let mut sample = if next() % 4 == 0 { long() } else { framed(PACKETS) };
            for _ in 0..next() % 4 {
                let at = next() as usize % sample.len();
                sample[at] = next() as u8;
            }
            connection(&[&[next() as u8, next() as u8], &sample[..]].concat());
        }
    }
}
