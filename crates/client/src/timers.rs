//! Points in time that a connection waits for.

#[cfg_attr(not(feature = "answers"), path = "timers/answers/absent.rs")]
mod answers;

use crate::Stage;
pub(crate) use answers::{ANSWER_TICKS, Answers};
use dunlin_mqtt::PacketType;

/// How long a peer's half of the good-bye is waited for, in milliseconds.
pub const CLOSE_TIMEOUT_MS: u64 = 2_000;

/// How long an answer to PINGREQ is waited for at most, in milliseconds; a shorter keep alive shortens
/// it to its half.
pub const PING_TIMEOUT_MAX_MS: u64 = 30_000;

/// A point in time on a clock that never goes back: milliseconds since any start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// The point `ms` milliseconds after the clock's start.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the clock's start.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The point `ms` milliseconds later, or the end of time.
    #[must_use]
    pub const fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`; zero if that lies ahead.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is time to say something, or to hear something.
    Ping,
    /// The peer has not answered in time.
    TimedOut(Stage),
    /// The peer's half of the good-bye does not come.
    Closed,
    /// A part of the time for answers is over.
    Tick,
}

/// What becomes of a packet whose acknowledgement does not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Overdue {
    /// The connection ends; the session sends it again on the next.
    #[default]
    Close,
    /// It is sent again on the same connection, marked as a duplicate: only in MQTT 3.1.1, for MQTT 5.0
    /// forbids it ([MQTT-4.4.0-1]), and the connection ends there.
    Resend,
}

/// Whether the server answers when it is asked for a sign of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeepAlive {
    /// As far as is known.
    #[default]
    Healthy,
    /// Half of the time that the answer to a PINGREQ has is over.
    Missed,
}

/// A point in time or none, in half of the memory of an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u64);

impl Moment {
    /// The end of time, which no clock reaches.
    const NONE: Self = Self(u64::MAX);

    const fn at(instant: Instant) -> Self {
        Self(instant.0)
    }

    const fn known(self) -> Option<Instant> {
        if self.0 == Self::NONE.0 { None } else { Some(Instant(self.0)) }
    }
}

/// The clockwork of one connection.
#[derive(Debug)]
pub(crate) struct Timers {
    /// By when the server must have accepted.
    deadline: Instant,
    /// Until it has: what is waited for.
    opening: Option<Stage>,
    /// Since when the opening is in its stage, and how long it may be in any.
    stage_since: Instant,
    stage_timeout_ms: u64,
    keep_alive_ms: u32,
    last_sent: Instant,
    last_received: Instant,
    /// Since when a PINGREQ waits for its answer.
    pinged: Moment,
    /// Since when the good-bye waits for its answer.
    closing: Moment,
    pub(crate) answers: Answers,
}

impl Timers {
    pub(crate) fn new(now: Instant, deadline: Instant, keep_alive_s: u16) -> Self {
        Self {
            deadline,
            opening: Some(Stage::Upgrade),
            stage_since: now,
            stage_timeout_ms: u64::MAX,
            keep_alive_ms: u32::from(keep_alive_s).saturating_mul(1_000),
            last_sent: now,
            last_received: now,
            pinged: Moment::NONE,
            closing: Moment::NONE,
            answers: Answers::NONE,
        }
    }

    /// The last byte that came has ended the upgrade, or there is none.
    pub(crate) const fn handle_upgraded(&mut self) {
        if let Some(stage) = &mut self.opening {
            *stage = Stage::Connack;
            self.stage_since = self.last_received;
        }
    }

    /// No stage of the opening may take longer than `timeout_ms`.
    pub(crate) const fn set_stage_timeout(&mut self, timeout_ms: u64) {
        self.stage_timeout_ms = timeout_ms;
    }

    /// A packet that is none of ours has come, and fits.
    pub(crate) const fn handle_packet(&mut self, packet_type: PacketType, now: Instant) {
        match packet_type {
            PacketType::Connack => self.opening = None,
            PacketType::Pingresp => self.pinged = Moment::NONE,
            // Our packets arrive, if slowly: the answer to PINGREQ is waited for anew.
            PacketType::Puback
            | PacketType::Pubrec
            | PacketType::Pubcomp
            | PacketType::Pubrel
            | PacketType::Suback
            | PacketType::Unsuback
                if self.pinged.known().is_some() =>
            {
                self.pinged = Moment::at(now);
            }
            _ => {}
        }
    }

    /// The server wants another keep alive ([MQTT-3.1.2-21]).
    pub(crate) fn set_keep_alive(&mut self, keep_alive_s: u16) {
        self.keep_alive_ms = u32::from(keep_alive_s).saturating_mul(1_000);
    }

    /// A control packet has gone out, or a part of one.
    pub(crate) const fn handle_sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    pub(crate) const fn handle_received(&mut self, now: Instant) {
        self.last_received = now;
    }

    /// The good-bye has been said.
    pub(crate) const fn handle_closing(&mut self, now: Instant) {
        self.closing = Moment::at(now);
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.known().is_some()
    }

    pub(crate) const fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// Whether parts of a packet went out after a PINGREQ was due.
    pub(crate) fn sent_since_ping(&self) -> bool {
        self.pinged.known().is_some_and(|since| self.last_sent > since)
    }

    /// Whether anything came after the PINGREQ that waits for its answer.
    pub(crate) fn heard_since_ping(&self) -> bool {
        self.pinged.known().is_some_and(|since| self.last_received > since)
    }

    /// A PINGREQ has gone out, or is due again: its answer is waited for from now on.
    pub(crate) const fn handle_pinged(&mut self, now: Instant) {
        self.pinged = Moment::at(now);
    }

    /// When the answer to the PINGREQ that is out will be late.
    pub(crate) fn late_at(&self) -> Option<Instant> {
        self.pinged.known().map(|since| since.after(self.ping_timeout_ms() >> 1))
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadline().known()
    }

    /// The same in a form that is easily compared: none lies behind all others.
    fn deadline(&self) -> Moment {
        if let Some(since) = self.closing.known() {
            return Moment::at(since.after(CLOSE_TIMEOUT_MS));
        }
        if self.opening.is_some() {
            return Moment::at(self.deadline.min(self.stage_since.after(self.stage_timeout_ms)));
        }
        let alive = match (self.keep_alive_ms, self.pinged.known()) {
            (0, _) => Moment::NONE,
            (_, Some(since)) => Moment::at(since.after(self.ping_timeout_ms())),
            (_, None) => Moment::at(self.next_ping()),
        };
        alive.min(self.answers.next())
    }

    /// What has run out at `now`; a ping that is due begins to wait for its answer.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        if Moment::at(now) < self.deadline() {
            return None;
        }
        if self.closing.known().is_some() {
            return Some(Due::Closed);
        }
        if let Some(stage) = self.opening {
            return Some(Due::TimedOut(stage));
        }
        if self.answers.handle_timeout(now) {
            return Some(Due::Tick);
        }
        if self.pinged.known().is_some() {
            return Some(Due::TimedOut(Stage::Pingresp));
        }
        self.pinged = Moment::at(now);
        Some(Due::Ping)
    }

    /// At three quarters of the keep alive, so that the silence never exceeds it ([MQTT-3.1.2-20],
    /// v3.1.1: [MQTT-3.1.2-23]); a side that only sends pings too, to learn whether the other is still
    /// there.
    fn next_ping(&self) -> Instant {
        let quiet_since = self.last_sent.min(self.last_received);
        quiet_since.after(self.keep_alive_ms.saturating_sub(self.keep_alive_ms >> 2).into())
    }

    fn ping_timeout_ms(&self) -> u64 {
        u64::from(self.keep_alive_ms >> 1).min(PING_TIMEOUT_MAX_MS)
    }
}
