//! One transport's life, from the first byte to the last.

use crate::{
    Closed, Entropy, Error, Event, Instant, Misbehaved, OpenError, Opening, Stage, Transport, mqtt,
    timers::{Due, Timers},
    transmit::Transmit,
    ws,
};
use dunlin_mqtt::{FixedHeader, Packet, PacketType, Properties, Publish, Session, Version};
use dunlin_octet::{Buffer, Inbox, Writer};
use dunlin_ws::{Deframer, Incoming, Opcode, Role, Upgrade};

/// Least receive buffer, in bytes: the lines of an upgrade's answer that matter are no longer.
pub const RECEIVE_MIN: usize = 128;

/// The WebSocket subprotocol of MQTT (v3.1.1: [MQTT-6.0.0-3], [MQTT-6.0.0-4]).
const SUBPROTOCOL: &str = "mqtt";

/// What makes stream bytes of raw ones.
#[derive(Debug)]
enum Wire<'o> {
    Upgrade(Upgrade<'o>),
    Frames(Deframer),
    Stream,
}

/// A whole packet at the front of the stream, `len` bytes long with its fixed header.
#[derive(Clone, Copy, Debug)]
struct Front {
    header: FixedHeader,
    header_len: usize,
    len: usize,
}

/// What [`Connection::poll`] has found, before anything is borrowed.
#[derive(Clone, Copy, Debug)]
enum Ready {
    /// An event that lies nowhere.
    Event(Event<'static>),
    /// A packet that an event will lie in.
    Packet(Front),
}

/// One transport's life; drop it when the transport is gone, and open another with the same session.
///
/// ```text
///   open ─▶ Upgrade ─101─▶ Connack ─CONNACK─▶ Open ─disconnect─▶ closing ─▶ Closed
///             (WebSocket)     │                 │
///                             └── any error ────┴──▶ the same error for ever, and one Close to send
/// ```
#[derive(Debug)]
pub struct Connection<'o, B> {
    inbox: Inbox<B>,
    wire: Wire<'o>,
    opening: Opening<'o>,
    transmit: Transmit,
    timers: Timers,
    /// Length of the packet that the last event lies in.
    surfaced: usize,
    /// Length of the packet of which the front is there.
    awaited: usize,
    /// Bytes came since the last poll.
    touched: bool,
    /// A message waits until others are acknowledged.
    blocked: bool,
    /// The program has taken an event, and has not come back for the next.
    undrained: bool,
    failed: Option<Error>,
}

impl<'o, B: Buffer> Connection<'o, B> {
    /// Begins a connection over a transport that has just been established.
    ///
    /// `rx` receives: a packet larger than it is, or can grow, ends the connection.
    pub fn open<S: Buffer, const N: usize>(
        session: &mut Session<S, N>,
        rx: B,
        opening: Opening<'o>,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, OpenError> {
        opening.connect.check().map_err(OpenError::Connect)?;
        let mut inbox = Inbox::new(rx);
        if !inbox.grow(RECEIVE_MIN) {
            return Err(OpenError::BufferTooSmall);
        }
        session.handle_open(opening.connect.clean_session);
        let mut timers = Timers::new(now, opening.deadline, opening.connect.keep_alive_s);
        let wire = match opening.transport {
            Transport::WebSocket(request) => {
                let mut nonce = [0; 16];
                entropy.fill(&mut nonce);
                Wire::Upgrade(Upgrade::new(request, SUBPROTOCOL, nonce))
            }
            Transport::Stream => {
                timers.handle_upgraded();
                Wire::Stream
            }
        };
        let framed = matches!(wire, Wire::Upgrade(_));
        Ok(Self {
            inbox,
            wire,
            opening,
            transmit: Transmit::new(framed),
            timers,
            surfaced: 0,
            awaited: 0,
            touched: false,
            blocked: false,
            undrained: false,
            failed: None,
        })
    }

    /// Memory for bytes from the transport, to be followed by [`Connection::commit`].
    ///
    /// Empty only when events wait to be polled, or messages to be acknowledged.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.inbox.spare().is_empty() && self.awaited > 0 {
            let capacity = self.inbox.capacity();
            // Twice what has come, whatever the length field claims.
            let roomy = self.awaited.min(capacity.saturating_mul(2));
            self.inbox.grow(roomy.min(self.inbox.limit()));
        }
        self.inbox.spare()
    }

    /// The first `len` bytes of [`Connection::spare`] have been read from the transport.
    pub fn commit(&mut self, len: usize) {
        self.touched |= len > 0;
        self.inbox.commit(len);
    }

    /// Copies from the front of `bytes` as much as there is room for; returns how much that was.
    ///
    /// Poll, and give the rest again.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let len = dunlin_octet::copy(bytes, self.spare());
        self.commit(len);
        len
    }

    /// The next event; `None` when more bytes are needed, or something must be sent or acknowledged
    /// first.
    ///
    /// Call it after bytes came in and after something was sent, until it returns `None`. A message of
    /// QoS 1 counts as delivered at the next call. After an error, send what
    /// [`Connection::poll_transmit`] still has, and drop the connection.
    pub fn poll<'t, S: Buffer, const N: usize>(
        &'t mut self,
        session: &mut Session<S, N>,
        now: Instant,
    ) -> Result<Option<Event<'t>>, Error> {
        let ready = self.advance(session, now).map_err(|error| self.fail(error))?;
        self.undrained = ready.is_some();
        match ready {
            Some(ready) => self.surface(ready, session),
            None => Ok(None),
        }
    }

    /// Writes bytes for the transport to the front of `out`; returns how many, or `None` when there is
    /// nothing to send.
    ///
    /// `out` is at least [`TRANSMIT_MIN`](crate::TRANSMIT_MIN) bytes long. All of the bytes must reach
    /// the transport, in order. Call it until it returns `None`, then poll again.
    pub fn poll_transmit<S: Buffer, const N: usize>(
        &mut self,
        session: &mut Session<S, N>,
        now: Instant,
        entropy: &mut dyn Entropy,
        out: &mut [u8],
    ) -> Option<usize> {
        let len = if let Wire::Upgrade(upgrade) = &mut self.wire {
            if self.failed.is_some() { 0 } else { upgrade.poll_transmit(out) }
        } else {
            let mut out = Writer::new(out);
            let ping_due = self.transmit.ping_due;
            self.put(session, now, entropy, &mut out);
            if ping_due && !self.transmit.ping_due {
                self.timers.handle_pinged(now);
            }
            out.len()
        };
        // v3.1.1: [MQTT-3.1.2-23] counts control packets: a pong does not keep the session alive.
        if self.transmit.take_moved() {
            self.timers.handle_sent(now);
        }
        (len > 0).then_some(len)
    }

    /// When to call [`Connection::handle_timeout`], if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.failed.is_some() { None } else { self.timers.next_deadline() }
    }

    /// Time has passed; early calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.timers.handle_timeout(now) {
            None => Ok(()),
            Some(Due::Ping) => {
                self.transmit.ping_due = true;
                Ok(())
            }
            // Asked again, so that the silence stays shorter than the keep alive meanwhile.
            Some(Due::TimedOut(Stage::Pingresp)) if self.is_behind() => {
                self.timers.handle_pinged(now);
                self.transmit.ping_due = true;
                Ok(())
            }
            Some(Due::TimedOut(stage)) => {
                let error = self.late(stage);
                Err(self.fail(error))
            }
            Some(Due::Closed) => Err(self.fail(Error::Closed(Closed::Local))),
        }
    }

    /// The transport has ended, or failed: says what that means. Poll until `None` before.
    pub fn handle_eof(&mut self) -> Error {
        if let Some(error) = self.failed {
            return error;
        }
        let error = match &mut self.wire {
            Wire::Upgrade(upgrade) => upgrade.handle_eof(&mut self.inbox).into(),
            _ if self.timers.is_closing() => Error::Closed(Closed::Local),
            _ => Error::Closed(Closed::Eof(self.stage())),
        };
        self.transmit.finish();
        self.fail(error)
    }

    /// How far the connection has come.
    pub fn stage(&self) -> Stage {
        match (&self.wire, self.timers.is_opening()) {
            (Wire::Upgrade(_), _) => Stage::Upgrade,
            (_, true) => Stage::Connack,
            (_, false) => Stage::Open,
        }
    }

    /// What the server said when it refused the upgrade.
    pub fn refusal(&self) -> Option<ws::Refusal<'_>> {
        match (&self.wire, self.failed) {
            (Wire::Upgrade(_), Some(Error::Refused(_))) => ws::Refusal::parse(self.inbox.stream()),
            _ => None,
        }
    }

    /// The words beside the code of the peer's Close; empty without any.
    pub fn close_reason(&self) -> &[u8] {
        match (&self.wire, self.failed) {
            (Wire::Frames(deframer), Some(Error::Closed(Closed::Peer(Some(_))))) => {
                deframer.control().get(2..).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Takes bytes in until an event can be surfaced; handles all that is none.
    fn advance<S: Buffer, const N: usize>(
        &mut self,
        session: &mut Session<S, N>,
        now: Instant,
    ) -> Result<Option<Ready>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        session.handle_release();
        self.inbox.consume(core::mem::take(&mut self.surfaced));
        if core::mem::take(&mut self.touched) {
            self.timers.handle_received(now);
        }
        self.blocked = false;
        // Each turn consumes bytes or returns.
        loop {
            let Some(front) = self.front()? else {
                if self.deframe()? {
                    continue;
                }
                return self.wait(session);
            };
            if is_owed_for(front.header) && !session.has_room_for_message() {
                self.blocked = true;
                return Ok(None);
            }
            if self.pass_over_repeat(front, session)? {
                continue;
            }
            let body = self.inbox.stream().get(front.header_len..front.len).unwrap_or_default();
            let decoded = decode_owned(front.header, body);
            let packet = match &decoded {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(Some(Ready::Packet(front))),
                Err(malformed) => return Err(Error::from(*malformed)),
            };
            self.inbox.consume(front.len);
            if let Some(event) = self.handle_owned(packet, session, now)? {
                return Ok(Some(Ready::Event(event)));
            }
        }
    }

    /// Handles a message of QoS 2 that has been handed over before; says whether it was one.
    fn pass_over_repeat<S: Buffer, const N: usize>(
        &mut self,
        front: Front,
        session: &mut Session<S, N>,
    ) -> Result<bool, Error> {
        if front.header.packet_type != PacketType::Publish || front.header.flags & 0b0110 != 0b0100
        {
            return Ok(false);
        }
        let body = self.inbox.stream().get(front.header_len..front.len).unwrap_or_default();
        let publish = Publish::decode(Version::V3, front.header.flags, body)?;
        if !session.is_repeat(&publish) {
            return Ok(false);
        }
        session.handle_packet(&Packet::Publish(publish))?;
        self.inbox.consume(front.len);
        Ok(true)
    }

    /// Handles a packet that nothing can lie in.
    fn handle_owned<S: Buffer, const N: usize>(
        &mut self,
        packet: &Packet<'static>,
        session: &mut Session<S, N>,
        now: Instant,
    ) -> Result<Option<Event<'static>>, Error> {
        let event = session.handle_packet(packet)?;
        match packet {
            Packet::Connack(_) => self.timers.handle_connected(),
            Packet::Pingresp => self.timers.handle_pingresp(),
            // Our packets arrive, if slowly: the PINGREQ is on its way behind them.
            Packet::Ack(_) | Packet::Unsuback(_) => self.timers.handle_acknowledged(now),
            _ => {}
        }
        Ok(event)
    }

    /// Nothing more can be taken in: if the good-bye is complete, so is the connection.
    fn wait<S: Buffer, const N: usize>(
        &mut self,
        session: &Session<S, N>,
    ) -> Result<Option<Ready>, Error> {
        let bare = matches!(self.wire, Wire::Stream);
        // v3.1.1: [MQTT-3.14.4-1] After DISCONNECT the client closes the connection.
        if bare && self.transmit.is_connect_sent() && session.is_offline() {
            return Err(Error::Closed(Closed::Local));
        }
        Ok(None)
    }

    /// The packet at the front of the stream, if all of it is there.
    fn front(&mut self) -> Result<Option<Front>, Error> {
        // What the stream holds until then is the text of a refusal.
        if matches!(self.wire, Wire::Upgrade(_)) {
            return Ok(None);
        }
        let stream = self.inbox.stream();
        let have = stream.len();
        let Some((header, header_len)) = FixedHeader::decode(Version::V3, stream)? else {
            self.awaited = if have == 0 { 0 } else { have.saturating_add(1) };
            return Ok(None);
        };
        let len = header_len.saturating_add(header.remaining);
        if len > self.inbox.limit() {
            return Err(mqtt::Misbehaved::PacketTooLarge.into());
        }
        self.awaited = if have < len { len } else { 0 };
        Ok((have >= len).then_some(Front { header, header_len, len }))
    }

    /// Whether the answer to a PINGREQ is late through no fault of the peer's: it may be among bytes
    /// that nobody has taken yet, behind a long packet, or the PINGREQ itself is behind one.
    fn is_behind(&self) -> bool {
        let waiting = self.blocked || self.touched || self.undrained;
        let coming = self.timers.heard_since_ping() && !self.inbox.is_empty();
        let going = self.timers.sent_since_ping() && self.transmit.ping_due;
        waiting || coming || going
    }

    /// What it means that the time for `stage` is over: a refusal whose head has come stays one,
    /// however slow its body.
    fn late(&mut self, stage: Stage) -> Error {
        if let Wire::Upgrade(upgrade) = &mut self.wire
            && let error @ ws::UpgradeError::Refused(_) = upgrade.handle_eof(&mut self.inbox)
        {
            return error.into();
        }
        Error::TimedOut(stage)
    }

    /// Ends the connection, and says why to the peer if it can still be said.
    fn fail(&mut self, error: Error) -> Error {
        if self.failed.is_none() {
            self.failed = Some(error);
            if matches!(self.wire, Wire::Upgrade(_)) {
                self.transmit.finish();
            } else {
                self.transmit.queue_last(error.close_code());
            }
        }
        error
    }

    /// Puts as much as there is and as fits.
    fn put<S: Buffer, const N: usize>(
        &mut self,
        session: &mut Session<S, N>,
        now: Instant,
        entropy: &mut dyn Entropy,
        out: &mut Writer<'_>,
    ) {
        let transmit = &mut self.transmit;
        if self.failed.is_some() {
            transmit.put_control(out, entropy);
            return;
        }
        if !transmit.is_connect_sent() && transmit.put_connect(&self.opening.connect, out, entropy)
        {
            return;
        }
        // Each turn sends a packet or returns.
        while transmit.is_started()
            || !(transmit.put_control(out, entropy) || transmit.put_ping(out, entropy))
        {
            let Some(packet) = session.poll_packet() else { break };
            if !transmit.put_packet(packet, out, entropy) {
                return;
            }
            session.handle_sent();
        }
        if session.is_offline() && !self.timers.is_closing() {
            self.timers.handle_closing(now);
            transmit.queue_last(ws::CloseCode::NORMAL);
            transmit.put_control(out, entropy);
        }
    }

    /// Lets the next raw bytes join the stream; returns whether anything happened.
    fn deframe(&mut self) -> Result<bool, Error> {
        match &mut self.wire {
            Wire::Upgrade(upgrade) => {
                if !upgrade.poll(&mut self.inbox)? {
                    return Ok(false);
                }
                self.wire = Wire::Frames(Deframer::new(Role::Client));
                self.timers.handle_upgraded();
                Ok(true)
            }
            Wire::Stream => {
                let len = self.inbox.raw().len();
                self.inbox.accept(len);
                Ok(len > 0)
            }
            Wire::Frames(deframer) => match deframer.poll(&mut self.inbox)? {
                None => Ok(false),
                // v3.1.1: [MQTT-6.0.0-1] Anything but a binary frame closes the connection.
                Some(Incoming::Data { opcode: Opcode::Text, .. }) => {
                    Err(Error::Misbehaved(Misbehaved::TextFrame))
                }
                Some(Incoming::Data { .. } | Incoming::Pong) => Ok(true),
                Some(Incoming::Ping) => {
                    self.transmit.queue_pong(deframer.control());
                    Ok(true)
                }
                Some(Incoming::Close(_)) if self.timers.is_closing() => {
                    Err(Error::Closed(Closed::Local))
                }
                Some(Incoming::Close(code)) => Err(Error::Closed(Closed::Peer(code))),
            },
        }
    }

    /// Makes an event of what is ready.
    fn surface<'t, S: Buffer, const N: usize>(
        &'t mut self,
        ready: Ready,
        session: &mut Session<S, N>,
    ) -> Result<Option<Event<'t>>, Error> {
        let front = match ready {
            Ready::Event(event) => return Ok(Some(event)),
            Ready::Packet(front) => front,
        };
        // Borrowed field by field: the event lies in the inbox, the rest may change beside it.
        let Self { inbox, transmit, surfaced, failed, .. } = self;
        *surfaced = front.len;
        let body = inbox.stream().get(front.header_len..front.len).unwrap_or_default();
        // By reference: a packet is large, and moving one costs more than decoding it.
        let handled = match &Packet::decode(Version::V3, front.header, body) {
            Ok(packet) => session.handle_packet(packet).map_err(Error::from),
            Err(malformed) => Err(Error::from(*malformed)),
        };
        match handled {
            Ok(event) => Ok(event),
            Err(error) => {
                *failed = Some(error);
                transmit.queue_last(error.close_code());
                Err(error)
            }
        }
    }
}

/// Whether an answer will be owed for a packet.
fn is_owed_for(header: FixedHeader) -> bool {
    match header.packet_type {
        PacketType::Publish => header.flags & 0b0110 != 0,
        PacketType::Pubrel => true,
        _ => false,
    }
}

/// Decodes a packet that has neither strings nor a payload; `None` for those that have.
fn decode_owned(
    header: FixedHeader,
    body: &[u8],
) -> Result<Option<Packet<'static>>, mqtt::Malformed> {
    let ack = |kind| {
        mqtt::Ack::decode(Version::V3, kind, body)
            .map(|ack| Some(Packet::Ack(mqtt::Ack::new(kind, ack.packet_id))))
    };
    match header.packet_type {
        PacketType::Connack => mqtt::Connack::decode(Version::V3, body).map(|it| {
            Some(Packet::Connack(mqtt::Connack {
                properties: Properties::NONE,
                session_present: it.session_present,
                reason: it.reason,
            }))
        }),
        PacketType::Puback => ack(mqtt::AckKind::Puback),
        PacketType::Pubrec => ack(mqtt::AckKind::Pubrec),
        PacketType::Pubrel => ack(mqtt::AckKind::Pubrel),
        PacketType::Pubcomp => ack(mqtt::AckKind::Pubcomp),
        PacketType::Unsuback => mqtt::Unsuback::decode(Version::V3, body)
            .map(|it| Some(Packet::Unsuback(mqtt::Unsuback::new(it.packet_id, &[])))),
        PacketType::Pingresp if body.is_empty() => Ok(Some(Packet::Pingresp)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
