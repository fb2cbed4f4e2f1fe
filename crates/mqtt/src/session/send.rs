//! What a session has to send.

use super::{Asked, Current, Phase, Piece, Session, Turn, is_message_of};
use crate::{
    Ack, AckKind, AckToken, Connect, Disconnect, FixedHeader, PacketId, PacketType, Qos,
    ReasonCode, Token, Version, ack::Answer, outbox::STAMPS,
};
use dunlin_octet::Buffer;

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// A new connection begins with this CONNECT, which is of the session's version.
    ///
    /// Everything owed to the last one is void.
    pub fn handle_open(&mut self, connect: &Connect<'_>) {
        self.unanswered |= self.phase == Phase::Opening && self.connect_sent;
        self.phase = Phase::Opening;
        self.connect_sent = false;
        let properties = &connect.properties;
        let authenticates = properties.authentication_method().is_some();
        let inflight = u16::try_from(INFLIGHT).unwrap_or(u16::MAX);
        self.asked = Asked {
            clean: connect.clean_session,
            authenticates,
            fleeting: properties.session_expiry_interval_s().unwrap_or(0) == 0,
            expiry_s: match self.version() {
                // A session that is not clean is kept for as long as the server likes.
                Version::V3 => {
                    if connect.clean_session {
                        0
                    } else {
                        u32::MAX
                    }
                }
                Version::V5 => properties.session_expiry_interval_s().unwrap_or(0),
            },
            receive_maximum: properties
                .receive_maximum()
                .map_or(inflight, |maximum| maximum.get().min(inflight)),
        };
        self.current = Current::Nothing;
        // What was handed over last is not handed over again, and so counts as taken.
        self.handle_release();
        self.owed.reset();
        self.received.reset();
        self.released.clear();
        self.completed.clear();
        self.outbox.rewind(self.stamp);
        self.reset_long();
        self.resent = false;
        self.incoming = 0;
        self.parked_acks = 0;
        self.authenticating = false;
        self.turn = if authenticates { Turn::Server } else { Turn::Nobody };
        self.disconnecting = None;
        self.leaving = false;
        self.journal.handle_open();
    }

    /// The CONNECT has been handed to the transport, all of it: from now on the server may have a session.
    pub const fn handle_connect_sent(&mut self) {
        self.connect_sent = true;
    }

    /// The program has let go of the last event: its message may be acknowledged.
    #[inline]
    pub fn handle_release(&mut self) {
        // Nothing is held at most calls, nor to be written over.
        if let Some(AckToken { packet_id, place, epoch }) = &self.held {
            // By its fields, as it was put there: what has just been written in parts cannot be read in
            // one before all of them have arrived.
            let ack = AckToken { packet_id: *packet_id, place: *place, epoch: *epoch };
            self.held = None;
            self.settle(ack, ReasonCode::SUCCESS);
        }
    }

    /// The next packet to send, whole unless it is of [`Session::publish_stream`]; the same one until
    /// [`Session::handle_sent`].
    pub fn poll_packet(&mut self) -> Option<&[u8]> {
        self.poll_piece().map(|piece| piece.bytes)
    }

    /// The next packet to send, or the next piece of it; until [`Session::handle_sent`] the same one, to
    /// which [`Session::supply`] may have added.
    pub fn poll_piece(&mut self) -> Option<Piece<'_>> {
        if self.is_cut_off() {
            return None;
        }
        if matches!(self.current, Current::Nothing) {
            self.current = self.next_current();
        }
        match &self.current {
            Current::Nothing => None,
            Current::Short(bytes, len) => {
                bytes.get(..usize::from(*len)).map(|bytes| Piece { bytes, behind: None })
            }
            Current::Outbox => {
                self.outbox.lent_piece().map(|(bytes, behind)| Piece { bytes, behind })
            }
        }
    }

    /// What [`Session::poll_piece`] or [`Session::poll_packet`] lent out last has been handed to the
    /// transport, all of it.
    pub fn handle_sent(&mut self) {
        let first = match &self.current {
            Current::Nothing => None,
            Current::Short(bytes, _) => bytes.first().copied(),
            // The rest of the packet follows.
            Current::Outbox if !self.outbox.finish_piece() => return,
            Current::Outbox => self.outbox.lent().and_then(|packet| packet.first().copied()),
        };
        let first = first.unwrap_or(0);
        if first == PacketType::Disconnect.first() {
            self.part();
        }
        if matches!(self.current, Current::Outbox)
            && let Some(entry) = self.outbox.finish(self.stamp)
            && !entry.is_parked()
        {
            if is_message_of(self.least_followed(), first) && !entry.is_gone() {
                self.unfinished = self.unfinished.saturating_add(1);
            }
            let token = Token(entry.token);
            if self.sent.is_none_or(|sent| sent.is_up_to(token)) {
                self.sent = Some(token);
            }
        }
        self.authenticating &= first != PacketType::Auth.first();
        self.current = Current::Nothing;
    }

    /// The DISCONNECT that is lent out has gone out: nothing follows it ([MQTT-3.14.4-1]), and the session
    /// lasts for as long as it says.
    fn part(&mut self) {
        self.phase = Phase::Offline;
        self.disconnecting = None;
        self.leaving = false;
        let version = self.version();
        if version == Version::V3 {
            return;
        }
        let packet = self.poll_packet().unwrap_or_default();
        if let Ok(Some((_, len))) = FixedHeader::decode(version, packet)
            && let Ok(disconnect) =
                Disconnect::decode(version, packet.get(len..).unwrap_or_default())
            && let Some(expiry_s) = disconnect.properties.session_expiry_interval_s()
        {
            self.asked.expiry_s = expiry_s;
            // Should it get lost, the session is there all the same.
            self.unanswered |= self.established && expiry_s == 0;
            self.established = expiry_s > 0;
            self.journal.standing = true;
        }
    }

    /// A moment has passed on the caller's clock, one of at most 15 in the time that an answer may take.
    pub const fn handle_tick(&mut self) {
        self.stamp = self.stamp.wrapping_add(1) & STAMPS.wrapping_sub(1);
    }

    /// Whether something went out on this connection at least `ticks` ago, and has no answer.
    pub fn is_overdue(&self, ticks: u16) -> bool {
        self.phase == Phase::Open && self.outbox.is_overdue(self.stamp, ticks)
    }

    /// What went out on this connection at least `ticks` ago, and has no answer, goes out again: only
    /// in MQTT 3.1.1, for MQTT 5.0 forbids it ([MQTT-4.4.0-1]).
    pub fn resend_overdue(&mut self, ticks: u16) {
        if self.version() == Version::V3 && !matches!(self.current, Current::Outbox) {
            self.resent |= self.is_overdue(ticks);
            let released = &mut self.released;
            self.outbox.resend(self.stamp, ticks, |id| {
                if let Some(id) = PacketId::new(id) {
                    released.push_once(Answer::new(id, true));
                }
            });
        }
    }

    /// Drops a packet that was accepted before the limits of this server were known, and that they do
    /// not allow; says which, and why.
    ///
    /// Until this returns `None`, no packet that was accepted is sent.
    pub fn poll_rejected(&mut self) -> Option<(Token, ReasonCode)> {
        // Servers of MQTT 3.1.1 have no limits to name.
        if self.version() == Version::V3 || !self.unfit {
            return None;
        }
        let mut found = None;
        self.outbox.for_each(|at, entry| {
            if found.is_none() && !entry.is_released() && !entry.is_parked() {
                let packet = self.outbox.packet(at);
                let checked = self.limits.check_packet(self.version(), packet);
                found = checked.err().map(|reason| (at, entry, reason));
            }
        });
        self.unfit = found.is_some();
        let (at, entry, reason) = found?;
        let first = self.outbox.packet(at).first().copied().unwrap_or(0);
        self.drop_entry(at, entry);
        if let Some(id) = PacketId::new(entry.id)
            && entry.is_sent()
            && is_message_of(Qos::ExactlyOnce, first)
        {
            // The server may hold it: it would take the next message with the identifier for this one
            // (0x92 is no error during recovery, MQTT 5.0 §3.6.2.1).
            self.released.push_once(Answer::new(id, false));
        }
        Some((Token(entry.token), reason))
    }

    /// AUTH first, then acknowledgements, then packets in their order, then the good-bye.
    ///
    /// Nothing goes out on what a crash would forget.
    fn next_current(&mut self) -> Current {
        if !self.is_recorded() {
            return Current::Nothing;
        }
        if self.authenticating && self.phase != Phase::Offline {
            return self.lend_parked(PacketType::Auth, 0).unwrap_or(Current::Nothing);
        }
        if self.phase != Phase::Open {
            return Current::Nothing;
        }
        if let Some(ack) = self.owed.due() {
            self.owed.pop();
            return self.acknowledgement(ack);
        }
        if let Some(answer) = self.completed.pop() {
            return self.answer(AckKind::Pubcomp, answer);
        }
        if let Some(answer) = self.released.pop() {
            return self.answer(AckKind::Pubrel, answer);
        }
        if self.leaving {
            return self.good_bye(ReasonCode::SUCCESS);
        }
        if self.unfit {
            return Current::Nothing;
        }
        if !self.outbox.has_waiting() {
            return match self.disconnecting {
                Some(reason) => self.good_bye(reason),
                None => Current::Nothing,
            };
        }
        // [MQTT-4.9.0-2] No more messages above QoS 0 than the server follows.
        let full = self.unfinished >= self.followed_max();
        let least = self.least_followed();
        if self.outbox.lend(|first| full && is_message_of(least, first)).is_some() {
            self.outbox.begin_flow(self.version());
            return Current::Outbox;
        }
        // Those that lay there were of no more use: now none waits.
        match self.disconnecting {
            Some(reason) if !self.outbox.has_waiting() => self.good_bye(reason),
            _ => Current::Nothing,
        }
    }

    fn acknowledgement(&mut self, ack: Ack<'static>) -> Current {
        let refused = ack.reason.is_error();
        if ack.kind == AckKind::Puback {
            self.incoming = self.incoming.saturating_sub(1);
        } else if refused && self.received.verdict(ack.packet_id).is_some_and(ReasonCode::is_error)
        {
            // MQTT 5.0 §4.3.3: a PUBREC that says no ends the exchange, unless it answers a repetition,
            // and the identifier has come with another message since.
            self.received.remove(ack.packet_id);
        }
        if self.parked_acks > 0
            && let Some(parked) =
                self.lend_parked(ack.kind.packet_type(), ack.packet_id.value().into())
        {
            self.parked_acks = self.parked_acks.saturating_sub(1);
            return parked;
        }
        short(self.version(), ack)
    }

    fn answer(&self, kind: AckKind, answer: Answer) -> Current {
        let ack = Ack { reason: answer.reason, ..Ack::new(kind, answer.packet_id) };
        short(self.version(), ack)
    }

    fn good_bye(&mut self, reason: ReasonCode) -> Current {
        let packet_type = PacketType::Disconnect;
        let first = packet_type.first();
        if let Some(parked) = self.lend_parked(packet_type, 0) {
            return parked;
        }
        match reason {
            _ if self.version() == Version::V3 => Current::Short([first, 0, 0, 0, 0], 2),
            ReasonCode::SUCCESS => Current::Short([first, 0, 0, 0, 0], 2),
            _ => Current::Short([first, 1, reason.value(), 0, 0], 3),
        }
    }

    fn lend_parked(&mut self, packet_type: PacketType, key: u32) -> Option<Current> {
        if self.version() == Version::V3 {
            return None;
        }
        let at = self.outbox.find_parked(packet_type.first(), key)?;
        self.outbox.lend_parked(at);
        Some(Current::Outbox)
    }
}

/// An acknowledgement without properties.
fn short(version: Version, ack: Ack<'_>) -> Current {
    let [first, _, high, low] = ack.encode();
    match ack.reason {
        _ if version == Version::V3 => Current::Short([first, 2, high, low, 0], 4),
        ReasonCode::SUCCESS => Current::Short([first, 2, high, low, 0], 4),
        reason => Current::Short([first, 3, high, low, reason.value()], 5),
    }
}
