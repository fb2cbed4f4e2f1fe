//! One transport's life, from the first byte to the last.

mod intake;
#[cfg_attr(not(feature = "oversize"), path = "connection/oversize/absent.rs")]
mod oversize;
mod patience;
mod promise;
mod surface;
mod wire;

use crate::{
    Closed, Entropy, Error, Event, Instant, OpenError, Opening, Overdue, Oversize, Stage,
    Transport,
    timers::{Due, Timers},
    transmit::Transmit,
    ws,
};
use dunlin_mqtt::{Aliases, Connect, FixedHeader, Packet, Properties, Session};
use dunlin_octet::{Buffer, Inbox, Writer};
use intake::Ready;
use oversize::Long;
use promise::{longest_promised, promises_too_much};
use wire::{WebSocket, Wire};

/// Least receive buffer, in bytes: the lines of an upgrade's answer that matter are no longer.
pub const RECEIVE_MIN: usize = 128;

/// One transport's life; drop it when the transport is gone, and open another with the same session.
///
/// ```text
///   open ─▶ Upgrade ─101─▶ Connack ─CONNACK─▶ Open ─disconnect─▶ closing ─▶ Closed
///             (WebSocket)     │                 │
///                             └── any error ────┴──▶ the same error for ever, and one Close to send
/// ```
#[derive(Debug)]
pub struct Connection<'o, B, A = [u8; 0]> {
    inbox: Inbox<B>,
    aliases: Aliases<A>,
    wire: Wire<'o>,
    connect: Connect<'o>,
    transmit: Transmit,
    timers: Timers,
    /// Longest packet that the server may send, or that the inbox holds, in bytes.
    packet_max: usize,
    /// Length of the packet that the last event lies in.
    surfaced: usize,
    /// Length of the packet of which the front is there.
    awaited: usize,
    /// The message that is coming in pieces.
    long: Option<Long>,
    /// What becomes of a message that is longer than the inbox.
    oversize: Oversize,
    /// Bytes came since the last poll.
    touched: bool,
    /// A message waits until others are acknowledged.
    blocked: bool,
    /// The program has taken an event, and has not come back for the next.
    undrained: bool,
    failed: Option<Error>,
    /// The packet at the front of the stream brought the end.
    ended_by_packet: bool,
    /// What becomes of a packet without an answer.
    overdue: Overdue,
}

impl<'o, B: Buffer> Connection<'o, B> {
    /// Begins a connection over a transport that has just been established.
    ///
    /// `rx` receives: a packet larger than it is, or can grow, ends the connection, unless the session
    /// knows [what to do with it](Oversize). In MQTT 5.0 the CONNECT says so, and how many messages the
    /// session follows, unless its properties promise less.
    pub fn open<S: Buffer, const N: usize>(
        session: &mut Session<S, N>,
        rx: B,
        opening: Opening<'o>,
        now: Instant,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, OpenError> {
        opening.connect.check().map_err(OpenError::Connect)?;
        let properties = &opening.connect.properties;
        let mut inbox = Inbox::new(rx);
        if !inbox.grow(RECEIVE_MIN) {
            return Err(OpenError::BufferTooSmall);
        }
        if opening.connect.version != session.version() {
            return Err(OpenError::Version);
        }
        if promises_too_much(properties, N, inbox.limit(), session.oversize()) {
            return Err(OpenError::Promise);
        }
        session.handle_open(&opening.connect);
        let mut timers = Timers::new(now, opening.deadline, opening.connect.keep_alive_s);
        let wire = match opening.transport {
            Transport::WebSocket(request) => Wire::WebSocket(WebSocket::new(request, entropy)),
            Transport::Stream => {
                timers.handle_upgraded();
                Wire::Stream
            }
        };
        let framed = matches!(wire, Wire::WebSocket(_));
        Ok(Self {
            packet_max: longest_promised(properties).min(inbox.limit()),
            inbox,
            aliases: Aliases::NONE,
            wire,
            connect: opening.connect,
            transmit: Transmit::new(framed),
            timers,
            surfaced: 0,
            awaited: 0,
            long: None,
            oversize: session.oversize(),
            touched: false,
            blocked: false,
            undrained: false,
            failed: None,
            ended_by_packet: false,
            overdue: Overdue::Close,
        })
    }

    /// The same connection with memory for topic aliases; only MQTT 5.0 has them. To be called before the
    /// first bytes are sent.
    #[must_use]
    pub fn with_topic_aliases<C: Buffer>(self, aliases: Aliases<C>) -> Connection<'o, B, C> {
        Connection {
            packet_max: self.packet_max,
            inbox: self.inbox,
            aliases,
            wire: self.wire,
            connect: self.connect,
            transmit: self.transmit,
            timers: self.timers,
            surfaced: self.surfaced,
            awaited: self.awaited,
            long: self.long,
            oversize: self.oversize,
            touched: self.touched,
            blocked: self.blocked,
            undrained: self.undrained,
            failed: self.failed,
            ended_by_packet: self.ended_by_packet,
            overdue: self.overdue,
        }
    }
}

impl<B: Buffer, A: Buffer> Connection<'_, B, A> {
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
        // By hand: an event is large, and `?` moves it.
        let ready = self.advance(session, now);
        self.undrained = matches!(ready, Ok(Some(_)));
        match ready {
            Ok(Some(Ready::Packet(front))) => self.surface(front, session, now),
            Ok(Some(Ready::Event(event))) => Ok(Some(event)),
            #[cfg(feature = "oversize")]
            Ok(Some(Ready::Begin(front, len))) => self.surface_begin(front, len, session),
            #[cfg(feature = "oversize")]
            Ok(Some(Ready::Chunk { offset, len })) => Ok(Some(self.surface_chunk(offset, len))),
            Ok(None) => Ok(None),
            Err(error) => Err(self.fail(error)),
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
        let len = if self.wire.is_upgrading() {
            match &mut self.wire {
                Wire::WebSocket(websocket) if self.failed.is_none() => {
                    websocket.poll_transmit(out).unwrap_or(0)
                }
                _ => 0,
            }
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

    /// When the server will be late to answer the PINGREQ that is out, if one is: half-way to the
    /// deadline that ends the connection. Nothing has to be done then.
    pub fn late_at(&self) -> Option<Instant> {
        if self.failed.is_some() { None } else { self.timers.late_at() }
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
            Some(Due::Tick) => Ok(()),
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
        let error = match self.end_of_upgrade() {
            Some(error) => error.into(),
            None if self.timers.is_closing() => Error::Closed(Closed::Local),
            None => Error::Closed(Closed::Eof(self.stage())),
        };
        self.transmit.finish();
        self.fail(error)
    }

    /// How far the connection has come.
    pub fn stage(&self) -> Stage {
        match (self.wire.is_upgrading(), self.timers.is_opening()) {
            (true, _) => Stage::Upgrade,
            (_, true) => Stage::Connack,
            (_, false) => Stage::Open,
        }
    }

    /// What the server said when it refused the upgrade.
    pub fn refusal(&self) -> Option<ws::Refusal<'_>> {
        match (self.wire.is_upgrading(), self.failed) {
            (true, Some(Error::Refused(_))) => ws::Refusal::parse(self.inbox.stream()),
            _ => None,
        }
    }

    /// The words beside the code of the peer's Close; empty without any.
    pub fn close_reason(&self) -> &[u8] {
        match (&self.wire, self.failed) {
            (Wire::WebSocket(websocket), Some(Error::Closed(Closed::Peer(Some(_))))) => {
                websocket.close_reason()
            }
            _ => &[],
        }
    }

    /// What the server added to the CONNACK or DISCONNECT that ended the connection: a reason string, a
    /// server reference, user properties.
    pub fn last_properties(&self) -> Properties<'_> {
        let version = self.connect.version.in_build();
        let stream = if self.ended_by_packet { self.inbox.stream() } else { &[] };
        let Ok(Some((header, len))) = FixedHeader::decode(version, stream) else {
            return Properties::NONE;
        };
        let body = stream.get(len..len.saturating_add(header.remaining)).unwrap_or_default();
        match Packet::decode_from_server(version, header, body) {
            Ok(packet @ (Packet::Connack(_) | Packet::Disconnect(_))) => packet.properties(),
            _ => Properties::NONE,
        }
    }

    /// Puts as much as there is and as fits.
    fn put<S: Buffer, const N: usize>(
        &mut self,
        session: &mut Session<S, N>,
        now: Instant,
        entropy: &mut dyn Entropy,
        out: &mut Writer<'_>,
    ) {
        if self.failed.is_some() {
            self.transmit.put_control(out, entropy);
            return;
        }
        if !self.transmit.is_connect_sent() {
            // It may make a session at the server, which a crash must not forget.
            if !session.is_recorded() {
                return;
            }
            let (own, len) = self.own_properties::<N>();
            let connect = self.connect.with(own.get(..len).unwrap_or_default());
            if self.transmit.put_connect(&connect, out, entropy) {
                return;
            }
            session.handle_connect_sent();
        }
        let limits = *session.limits();
        let Self { transmit, aliases, .. } = self;
        // Each turn sends a packet or returns.
        while transmit.is_started()
            || !(transmit.put_control(out, entropy) || transmit.put_ping(out, entropy))
        {
            let Some(piece) = session.poll_piece() else { break };
            let done = match piece.behind {
                None => match aliases.apply(piece.bytes, &limits) {
                    None => transmit.put_packet(&[piece.bytes], 0, out, entropy),
                    Some(parts) => transmit.put_packet(&parts.as_slices(), 0, out, entropy),
                },
                Some(behind) => transmit.put_packet(&[piece.bytes], behind, out, entropy),
            };
            if !done {
                return;
            }
            aliases.handle_sent();
            session.handle_sent();
        }
        if session.is_offline() && !self.timers.is_closing() {
            self.timers.handle_closing(now);
            transmit.queue_last(None, ws::CloseCode::NORMAL);
            transmit.put_control(out, entropy);
        }
    }
}

/// How it stands, without the bytes that are in it.
#[cfg(feature = "defmt")]
impl<B: Buffer, A: Buffer> defmt::Format for Connection<'_, B, A> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Connection {{ {}, failed: {} }}", self.stage(), self.failed);
    }
}

#[cfg(test)]
mod tests;
