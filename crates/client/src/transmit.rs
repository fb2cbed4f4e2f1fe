//! The sending half of a connection.

use crate::Entropy;
use dunlin_mqtt::{FixedHeader, PacketType, ReasonCode};
use dunlin_octet::{Count, Text, Window, Writer, copy, copy_masked, mask};
use dunlin_ws::{CONTROL_PAYLOAD_MAX, CloseCode, FRAME_HEADER_MAX, Header, Opcode};

/// Least length of the memory given to [`Connection::poll_transmit`](crate::Connection::poll_transmit),
/// in bytes: the longest control frame, a header of 2 + 4 and 125 bytes behind it (RFC 6455 §5.5).
pub const TRANSMIT_MIN: usize = 131;

const _: () = assert!(TRANSMIT_MIN == MASKED_HEADER_MIN + CONTROL_PAYLOAD_MAX);

/// The shortest header in front of what this side sends: 2 bytes, and the mask.
const MASKED_HEADER_MIN: usize = 6;

const PINGREQ: [u8; 2] = [PacketType::Pingreq.first(), 0];

const _: () = assert!(FixedHeader::encoded_len(0) == PINGREQ.len(), "PINGREQ has no body");

/// Longest pong, in bytes; without frames there are none.
const PONG_MAX: usize = if cfg!(feature = "ws") { CONTROL_PAYLOAD_MAX } else { 0 };

/// A packet of which some bytes are out.
#[derive(Clone, Copy, Debug)]
struct Started {
    key: [u8; 4],
    /// Of the piece that is given now.
    sent: usize,
    /// Of the pieces before.
    before: usize,
}

impl Started {
    /// Where in the frame the next byte stands.
    const fn at(&self) -> usize {
        self.before.saturating_add(self.sent)
    }
}

/// Puts packets and control frames into the caller's memory, each packet in a frame of its own.
///
/// A frame that does not fit goes on in the next memory, with the same mask; whatever else is to be
/// sent waits behind it.
#[derive(Debug)]
pub(crate) struct Transmit {
    framed: bool,
    started: Option<Started>,
    connect_sent: bool,
    /// Bytes of a packet have been put since somebody asked.
    moved: bool,
    pub(crate) ping_due: bool,
    pong: Option<([u8; PONG_MAX], u8)>,
    /// Why this side hangs up, to be said by DISCONNECT.
    good_bye: Option<ReasonCode>,
    close: Option<CloseCode>,
    /// A Close has gone out, or nothing can: nothing may follow.
    finished: bool,
}

impl Transmit {
    pub(crate) const fn new(framed: bool) -> Self {
        Self {
            framed,
            started: None,
            connect_sent: false,
            moved: false,
            ping_due: false,
            pong: None,
            good_bye: None,
            close: None,
            finished: false,
        }
    }

    /// Whether packets go out in frames: in a build without WebSocket, never.
    const fn is_framed(&self) -> bool {
        cfg!(feature = "ws") && self.framed
    }

    pub(crate) const fn is_connect_sent(&self) -> bool {
        self.connect_sent
    }

    /// Whether bytes of a packet have been put since the last call.
    pub(crate) const fn take_moved(&mut self) -> bool {
        core::mem::replace(&mut self.moved, false)
    }

    /// A ping has come; only the latest is answered (RFC 6455 §5.5.3).
    #[cfg_attr(not(feature = "ws"), expect(dead_code, reason = "a bare stream has no pings"))]
    pub(crate) fn queue_pong(&mut self, payload: &[u8]) {
        let mut kept = [0; PONG_MAX];
        let len = copy(payload, &mut kept);
        self.pong = u8::try_from(len).ok().map(|len| (kept, len));
    }

    /// Nothing but a DISCONNECT, if a reason is given, and a Close will be sent from now on: no Close on
    /// a bare stream, and neither when a packet is half out, for the peer would take what follows for
    /// its rest.
    pub(crate) const fn queue_last(&mut self, reason: Option<ReasonCode>, code: CloseCode) {
        // [MQTT-3.14.4-1] The good-bye has been said, and its Close waits for room.
        if self.close.is_some() {
            return;
        }
        if self.started.is_some() || !(self.is_framed() || self.connect_sent && reason.is_some()) {
            self.finish();
            return;
        }
        self.good_bye = if self.connect_sent { reason } else { None };
        self.close = Some(code);
    }

    /// Nothing at all will be sent from now on.
    pub(crate) const fn finish(&mut self) {
        self.started = None;
        self.finished = true;
    }

    /// Whether a packet is half out.
    pub(crate) const fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// Puts what is owed to the frame layer: a pong, a Close. Returns whether something had no room.
    #[inline]
    pub(crate) fn put_control(&mut self, out: &mut Writer<'_>, entropy: &mut dyn Entropy) -> bool {
        let owed = self.pong.is_some() || self.good_bye.is_some() || self.close.is_some();
        self.finished || owed && self.put_owed(out, entropy)
    }

    /// The same when something is owed.
    #[inline(never)]
    fn put_owed(&mut self, out: &mut Writer<'_>, entropy: &mut dyn Entropy) -> bool {
        if self.is_framed()
            && let Some((payload, len)) = self.pong
        {
            let payload = payload.get(..usize::from(len)).unwrap_or_default();
            // Memory of less than `TRANSMIT_MIN` bytes never has room for it; nothing waits for that.
            if !put_control_frame(out, entropy, Opcode::Pong, payload) && !out.is_empty() {
                return true;
            }
            self.pong = None;
        }
        if let Some(reason) = self.good_bye {
            let disconnect = [PacketType::Disconnect.first(), 1, reason.value()];
            if out.room() < disconnect.len().saturating_add(MASKED_HEADER_MIN) {
                return true;
            }
            self.good_bye = None;
            self.put_packet(&[&disconnect], 0, out, entropy);
        }
        if let Some(code) = self.close {
            if self.is_framed()
                && !put_control_frame(out, entropy, Opcode::Close, &code.get().to_be_bytes())
            {
                return true;
            }
            self.close = None;
            self.finished = true;
        }
        false
    }

    /// Puts a PINGREQ if one is due and there is room; returns whether it had none.
    pub(crate) fn put_ping(&mut self, out: &mut Writer<'_>, entropy: &mut dyn Entropy) -> bool {
        if !self.ping_due {
            return false;
        }
        // Never half out: a short packet that began would be taken for the session's.
        if out.room() < PINGREQ.len().saturating_add(MASKED_HEADER_MIN) {
            return true;
        }
        self.ping_due = !self.put_packet(&[&PINGREQ], 0, out, entropy);
        self.ping_due
    }

    /// Puts the CONNECT, or the next part of it; returns whether it has no room for the rest.
    pub(crate) fn put_connect(
        &mut self,
        connect: &impl Text,
        out: &mut Writer<'_>,
        entropy: &mut dyn Entropy,
    ) -> bool {
        let len = Count::of(connect);
        let Some(started) = self.start(len, out, entropy) else { return true };
        let room = out.room().min(len.saturating_sub(started.sent));
        let Ok(place) = out.reserve(room) else { return true };
        let mut window = Window::new(place, started.sent);
        connect.write(&mut window);
        if self.is_framed() {
            mask(place, started.key, started.sent);
        }
        self.connect_sent = self.advance(started, room, len, 0);
        !self.connect_sent
    }

    /// Puts the parts of one packet, or as much of them as there is room for; returns whether all of it
    /// is out. If it is only a piece, `behind` more bytes follow, and are put by the next calls.
    pub(crate) fn put_packet(
        &mut self,
        parts: &[&[u8]],
        behind: usize,
        out: &mut Writer<'_>,
        entropy: &mut dyn Entropy,
    ) -> bool {
        if let ([packet], 0) = (parts, behind)
            && self.put_whole(packet, out, entropy)
        {
            return true;
        }
        self.put_parts(parts, behind, out, entropy)
    }

    /// Puts a packet that has not begun, if all of it fits; says whether it did. Nearly all do.
    fn put_whole(
        &mut self,
        packet: &[u8],
        out: &mut Writer<'_>,
        entropy: &mut dyn Entropy,
    ) -> bool {
        let header_max = if self.is_framed() { FRAME_HEADER_MAX } else { 0 };
        if self.started.is_some() || out.room() < packet.len().saturating_add(header_max) {
            return false;
        }
        self.moved = true;
        if !self.is_framed() {
            return out.put_slice(packet).is_ok();
        }
        let mut key = [0; 4];
        entropy.fill(&mut key);
        if data_header(packet.len(), key).encode(out).is_ok()
            && let Ok(place) = out.reserve(packet.len())
        {
            put_masked(packet, place, key, 0);
        }
        true
    }

    /// Puts the rest of a packet, or as much of it as fits.
    #[inline(never)]
    fn put_parts(
        &mut self,
        parts: &[&[u8]],
        behind: usize,
        out: &mut Writer<'_>,
        entropy: &mut dyn Entropy,
    ) -> bool {
        let len = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
        let whole = len.saturating_add(behind);
        let Some(started) = self.start(whole, out, entropy) else { return false };
        let mut begin: usize = 0;
        let mut sent = started.sent;
        for part in parts {
            let end = begin.saturating_add(part.len());
            let rest = part.get(sent.saturating_sub(begin)..).unwrap_or_default();
            let room = if sent < end { out.room().min(rest.len()) } else { 0 };
            if let Ok(place) = out.reserve(room) {
                put_masked(rest, place, started.key, started.before.saturating_add(sent));
                sent = sent.saturating_add(room);
            }
            begin = end;
        }
        self.advance(started, sent.saturating_sub(started.sent), len, behind)
    }

    /// Goes on with the packet that is half out, or begins one with its frame header.
    fn start(
        &mut self,
        len: usize,
        out: &mut Writer<'_>,
        entropy: &mut dyn Entropy,
    ) -> Option<Started> {
        if let Some(started) = self.started {
            return Some(started);
        }
        let mut key = [0; 4];
        if self.is_framed() {
            // The header and some payload go out together, and a short packet whole.
            if out.room()
                < FRAME_HEADER_MAX.saturating_add(1).min(len.saturating_add(MASKED_HEADER_MIN))
            {
                return None;
            }
            entropy.fill(&mut key);
            data_header(len, key).encode(out).ok()?;
        }
        Some(Started { key, sent: 0, before: 0 })
    }

    /// Notes that `more` bytes are out; returns whether those were the last of the piece, which is `len`
    /// bytes long.
    fn advance(&mut self, started: Started, more: usize, len: usize, behind: usize) -> bool {
        self.moved |= more > 0;
        let sent = started.sent.saturating_add(more);
        let done = sent >= len;
        let started = Started { sent, ..started };
        // Nothing of it is on the wire: a bare stream without room has not begun.
        self.started = match done {
            false => (started.at() > 0 || self.is_framed()).then_some(started),
            true if behind == 0 => None,
            true => Some(Started { sent: 0, before: started.at(), ..started }),
        };
        done
    }
}

/// Copies as much as there is room for, masked if packets go out in frames.
fn put_masked(from: &[u8], to: &mut [u8], key: [u8; 4], at: usize) {
    if cfg!(feature = "ws") {
        copy_masked(from, to, key, at);
    } else {
        copy(from, to);
    }
}

fn data_header(len: usize, key: [u8; 4]) -> Header {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    Header { fin: true, opcode: Opcode::Binary, mask: Some(key), len }
}

/// Puts a whole control frame; returns whether there was room for it.
fn put_control_frame(
    out: &mut Writer<'_>,
    entropy: &mut dyn Entropy,
    opcode: Opcode,
    payload: &[u8],
) -> bool {
    let mut key = [0; 4];
    entropy.fill(&mut key);
    let len = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let header = Header { fin: true, opcode, mask: Some(key), len };
    if out.room() < header.encoded_len().saturating_add(payload.len()) {
        return false;
    }
    if header.encode(out).is_err() {
        return false;
    }
    if let Ok(place) = out.reserve(payload.len()) {
        copy_masked(payload, place, key, 0);
    }
    true
}
