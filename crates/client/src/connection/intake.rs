//! What comes in over a connection.

use super::{
    Connection, Wire,
    surface::{check_unasked, disconnect_reason, resolve},
};
use crate::{Closed, Error, Event, Instant, Overdue, Session, Stage, timers::ANSWER_TICKS, ws};
use dunlin_mqtt::{
    Ack, AckKind, FixedHeader, Packet, PacketType, Publish, Qos, Suback, Unsuback, Version,
};
use dunlin_octet::{Buffer, Inbox};

/// A whole packet at the front of the stream, `len` bytes long with its fixed header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    pub(super) header: FixedHeader,
    pub(super) header_len: usize,
    pub(super) len: usize,
}

impl Front {
    /// Whether it is a PUBLISH that is handed over, or refused, whatever came before: one below QoS 2, or
    /// any in a build without it.
    const fn is_message(&self) -> bool {
        matches!(self.header.packet_type, PacketType::Publish)
            && !(Qos::ExactlyOnce.is_in_build() && self.header.flags & 0b0110 == 0b0100)
    }

    pub(super) fn body<'t, B: Buffer>(&self, inbox: &'t Inbox<B>) -> &'t [u8] {
        #[cfg(test)]
        super::tests::examined::count(self.len);
        inbox.stream().get(self.header_len..self.len).unwrap_or_default()
    }
}

/// What [`Connection::poll`] has found, before anything is borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ready {
    /// An event that lies nowhere.
    Event(Event<'static>),
    /// A packet that an event will lie in.
    Packet(Front),
    /// All of a message but its payload, which is so long.
    #[cfg(feature = "oversize")]
    Begin(Front, usize),
    /// A piece of a payload, at the front of the stream.
    #[cfg(feature = "oversize")]
    Chunk { offset: usize, len: usize },
}

impl<B: Buffer, A: Buffer> Connection<'_, B, A> {
    /// Takes bytes in until an event can be surfaced; handles all that is none.
    pub(super) fn advance<S: Buffer, const N: usize>(
        &mut self,
        session: &mut Session<S, N>,
        now: Instant,
    ) -> Result<Option<Ready>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if session.take_cut_off() && self.transmit.is_started() {
            return Err(Error::Closed(Closed::Abandoned));
        }
        session.handle_release();
        self.inbox.consume(core::mem::take(&mut self.surfaced));
        if core::mem::take(&mut self.touched) {
            self.timers.handle_received(now);
        }
        self.keep_answer_deadlines(session, now)?;
        if let Some((token, reason)) = session.poll_rejected() {
            return Ok(Some(Ready::Event(Event::Rejected { token, reason })));
        }
        self.blocked = false;
        // Each turn consumes bytes or returns.
        loop {
            if self.long.is_some() {
                let ready = self.advance_long(session)?;
                if ready.is_some() {
                    return Ok(ready);
                }
                if self.long.is_some() {
                    return self.wait(session);
                }
            }
            if self.inbox.stream().is_empty() && !self.deframe()? {
                return self.wait(session);
            }
            let Some(front) = self.front()? else {
                if self.long.is_some() || self.deframe()? {
                    continue;
                }
                return self.wait(session);
            };
            if !session.has_room_for(front.header) {
                // Room comes with what is sent, and behind the good-bye nothing is: the server keeps
                // what nobody has acknowledged, and its own good-bye is still to be read.
                if self.timers.is_closing() {
                    self.inbox.consume(front.len);
                    continue;
                }
                self.blocked = true;
                return self.wait(session);
            }
            if front.is_message() {
                return Ok(Some(Ready::Packet(front)));
            }
            if self.pass_over(front, session)? {
                continue;
            }
            let decoded = self.decode_owned(front, session);
            let packet = match &decoded {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(Some(Ready::Packet(front))),
                Err(error) => return Err(*error),
            };
            self.inbox.consume(front.len);
            let event = session.handle_packet(packet)?;
            self.timers.handle_packet(packet.packet_type(), now);
            if let Some(event) = event {
                return Ok(Some(Ready::Event(event)));
            }
        }
    }

    /// Handles a message of QoS 2 that has been handed over before, and of which no event comes; says
    /// whether it was one.
    fn pass_over<S: Buffer, const N: usize>(
        &mut self,
        front: Front,
        session: &mut Session<S, N>,
    ) -> Result<bool, Error> {
        // Below QoS 2, it is not asked for.
        if front.header.packet_type != PacketType::Publish {
            return Ok(false);
        }
        let Self { inbox, aliases, connect, .. } = self;
        let body = front.body(inbox);
        let publish = Publish::decode(connect.version.in_build(), front.header.flags, body)?;
        let publish = resolve(aliases, publish)?;
        let repeats = session.is_repeat(&publish);
        if repeats {
            session.handle_publish(&publish)?;
            self.inbox.consume(front.len);
        }
        Ok(repeats)
    }

    /// Decodes a packet of which nothing lies in the event; `None` for all others.
    fn decode_owned<S: Buffer, const N: usize>(
        &self,
        front: Front,
        session: &Session<S, N>,
    ) -> Result<Option<Packet<'static>>, Error> {
        let version = self.connect.version.in_build();
        let header = front.header;
        if !matches!(
            header.packet_type,
            PacketType::Puback
                | PacketType::Pubrec
                | PacketType::Pubrel
                | PacketType::Pubcomp
                | PacketType::Suback
                | PacketType::Unsuback
                | PacketType::Pingresp
        ) {
            return Ok(None);
        }
        let packet = Packet::decode_from_server(version, header, front.body(&self.inbox))?;
        check_unasked(&self.connect, &packet)?;
        // No event comes of an answer to nothing, whatever lies in it.
        let silent = |id| !session.is_waiting_for(id);
        Ok(match packet {
            Packet::Ack(ack) => {
                let proceeds = ack.kind == AckKind::Pubrec && !ack.reason.is_error();
                let owned = ack.properties.is_empty()
                    || ack.kind == AckKind::Pubrel
                    || proceeds
                    || silent(ack.packet_id);
                let bare = Ack { reason: ack.reason, ..Ack::new(ack.kind, ack.packet_id) };
                owned.then_some(Packet::Ack(bare))
            }
            Packet::Suback(suback) if silent(suback.packet_id) => {
                Some(Packet::Suback(Suback::new(suback.packet_id, &[])))
            }
            Packet::Unsuback(unsuback) if version == Version::V3 || silent(unsuback.packet_id) => {
                Some(Packet::Unsuback(Unsuback::new(unsuback.packet_id, &[])))
            }
            Packet::Pingresp => Some(Packet::Pingresp),
            _ => None,
        })
    }

    /// Sees to packets that have waited for their answer for too long.
    fn keep_answer_deadlines<S: Buffer, const N: usize>(
        &mut self,
        session: &mut Session<S, N>,
        now: Instant,
    ) -> Result<(), Error> {
        self.timers.answers.set_waiting(session.in_flight() > 0, now);
        if !self.timers.answers.take_tick() {
            return Ok(());
        }
        session.handle_tick();
        // What went out within a tick has waited for less than that when it is over.
        let age = ANSWER_TICKS.saturating_add(1);
        if session.is_overdue(age) {
            // [MQTT-4.4.0-1] Never again on the same connection in MQTT 5.0.
            if self.overdue == Overdue::Close || session.version() == Version::V5 {
                return Err(Error::TimedOut(Stage::Answer));
            }
            session.resend_overdue(age);
        }
        Ok(())
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
    // Always: by a call, its answer takes the way over memory, twice a message.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn front(&mut self) -> Result<Option<Front>, Error> {
        // What the stream holds until then is the text of a refusal.
        if self.wire.is_upgrading() {
            return Ok(None);
        }
        let stream = self.inbox.stream();
        let have = stream.len();
        #[cfg(test)]
        super::tests::examined::count_header(have);
        let Some((header, header_len)) =
            FixedHeader::decode(self.connect.version.in_build(), stream)?
        else {
            self.awaited = if have == 0 { 0 } else { have.saturating_add(1) };
            return Ok(None);
        };
        let len = header_len.saturating_add(header.remaining);
        if len > self.packet_max {
            // By its fields: what a call is given lies in memory, and so would all other headers.
            return self.find_long(FixedHeader { ..header }, header_len).map(|()| None);
        }
        self.awaited = if have < len { len } else { 0 };
        Ok((have >= len).then_some(Front { header, header_len, len }))
    }

    /// Whether the answer to a PINGREQ is late through no fault of the peer's: it may be among bytes
    /// that nobody has taken yet, behind a long packet, or the PINGREQ itself is behind one.
    pub(super) fn is_behind(&self) -> bool {
        let waiting = self.blocked || self.touched || self.undrained;
        let half_in = self.long.is_some() || !self.inbox.is_empty();
        let coming = self.timers.heard_since_ping() && half_in;
        let going = self.timers.sent_since_ping() && self.transmit.ping_due;
        waiting || coming || going
    }

    /// What it means that the time for `stage` is over: a refusal whose head has come stays one,
    /// however slow its body.
    pub(super) fn late(&mut self, stage: Stage) -> Error {
        match self.end_of_upgrade() {
            Some(error @ ws::UpgradeError::Refused(_)) => error.into(),
            _ => Error::TimedOut(stage),
        }
    }

    /// What it means for the upgrade that nothing more comes; `None` when it is over.
    pub(super) fn end_of_upgrade(&mut self) -> Option<ws::UpgradeError> {
        match &mut self.wire {
            Wire::WebSocket(websocket) => websocket.handle_eof(&mut self.inbox),
            Wire::Stream => None,
        }
    }

    /// Ends the connection, and says why to the peer if it can still be said.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        if self.failed.is_none() {
            self.failed = Some(error);
            if self.wire.is_upgrading() {
                self.transmit.finish();
            } else {
                let reason = disconnect_reason(self.connect.version.in_build(), error);
                self.transmit.queue_last(reason, error.close_code());
            }
        }
        error
    }

    /// Lets the next raw bytes join the stream; returns whether anything happened.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn deframe(&mut self) -> Result<bool, Error> {
        let Self { inbox, wire, transmit, timers, .. } = self;
        match wire {
            Wire::WebSocket(websocket) => websocket.deframe(inbox, transmit, timers),
            Wire::Stream => {
                let len = inbox.raw().len();
                inbox.accept(len);
                Ok(len > 0)
            }
        }
    }
}
