//! What must hold of a program's session at any time, and in the end.

use super::{INFLIGHT, Node};
use dunlin::{Connect, Message, Properties, Qos, ReasonCode, Token, Version};
use dunlin_mqtt::{Connack, FixedHeader, Packet};

/// What stands beside each packet in the outbox, in bytes.
const BESIDE_PACKET: usize = 12;

impl Node {
    /// Whether everything accepted has ended, and the connection stands.
    pub fn is_settled(&self) -> bool {
        self.session.is_idle()
            && self.session.in_flight() == 0
            && !self.asks
            && self.live.is_some()
            && self.session.is_open()
            && self.held.is_empty()
            && self.session.unacknowledged() == 0
    }

    /// Nothing leaks: every identifier and every byte of the outbox can be used again.
    pub fn conclude(&mut self) -> Result<(), String> {
        let allowed = 4 * self.causes + 100;
        if self.polls > allowed {
            return Err(format!("{} polls for {} causes", self.polls, self.causes));
        }
        self.lift_limits()?;
        for _ in 0..INFLIGHT {
            let message = Message::new("t", &[], Qos::AtLeastOnce);
            self.session.publish(&message).map_err(|error| format!("a slot leaks: {error}"))?;
        }
        let empty = BESIDE_PACKET + self.packet_len("t", Qos::AtLeastOnce, 0);
        let rest = self.traits.outbox - INFLIGHT * empty - BESIDE_PACKET;
        // A longer payload has a longer header.
        let payload = vec![0; rest - self.packet_len("t", Qos::AtMostOnce, 0) - 1];
        let message = Message::new("t", &payload, Qos::AtMostOnce);
        self.session.publish(&message).map_err(|error| format!("outbox leaks: {error}"))?;
        Ok(())
    }

    /// A peer that says nothing is found out within one and a half times the keep alive; a
    /// request goes out whatever messages wait ([MQTT-3.3.4-9]).
    pub(super) fn check(&self, now: u64) -> Result<(), String> {
        let Some(live) = &self.live else { return Ok(()) };
        let limit = u64::from(self.keep_alive_s) * 1_500;
        if self.session.is_open() && self.held.is_empty() && now > live.last_heard + limit {
            return Err(format!("silent for {} ms, unnoticed", now - live.last_heard));
        }
        let gone = |token: Token| self.session.sent().is_some_and(|sent| token.is_up_to(sent));
        if self.session.is_open() && self.asked.is_some_and(|(token, _)| !gone(token)) {
            return Err("a SUBSCRIBE waits".into());
        }
        Ok(())
    }

    /// The next server takes everything.
    fn lift_limits(&mut self) -> Result<(), String> {
        let connect = Connect { version: self.traits.version, ..Connect::new("last") };
        self.session.handle_open(&connect);
        let connack = Connack {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            properties: Properties::NONE,
        };
        let packet = Packet::Connack(connack);
        self.session.handle_packet(&packet).map(|_| ()).map_err(|error| error.to_string())
    }

    /// How long a PUBLISH of this program is.
    pub(super) fn packet_len(&self, topic: &str, qos: Qos, len: usize) -> usize {
        let id = if qos == Qos::AtMostOnce { 0 } else { 2 };
        let properties = usize::from(self.traits.version == Version::V5);
        let body = 2 + topic.len() + id + properties + len;
        FixedHeader::encoded_len(body) + body
    }
}
