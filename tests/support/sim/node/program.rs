//! What a program wants, and what it does when it is told something.

use super::{KEEP_ALIVE_S, Node, Told, fresh_session};
use crate::sim::{Bug, Moment, Record, TOPICS, payload};
use dunlin::mqtt::{AckError, SendError};
use dunlin::{
    Closed, Error, Message, Properties, Property, Qos, ReasonCode, Resumption, Stage,
    SubscribeError, Version,
};

impl Node {
    /// Publishes; what the session refuses never happened.
    pub fn publish(&mut self, message: (u8, Qos, bool), len: usize, record: &mut Record) {
        let (topic, qos, retain) = message;
        let topic = TOPICS[usize::from(topic)];
        let key = (self.index, self.next);
        let payload = payload(key, len);
        self.causes += 1;
        let message = Message::new(topic, &payload, qos);
        let message = if retain { message.retained() } else { message };
        if let Ok(token) = self.session.publish(&message) {
            self.next += 1;
            record.accept(key, &message.head, self.packet_len(topic, qos, len), token);
            if qos != Qos::AtMostOnce {
                self.pending.push((key, token));
            }
        }
    }

    /// The program wants messages, though it may get them already.
    pub const fn subscribe(&mut self) {
        self.asks = self.traits.subscribes;
    }

    /// Says good-bye, in MQTT 5.0 perhaps with another end for the session.
    pub fn disconnect(&mut self, at: &mut Moment<'_>) -> Result<(), String> {
        if self.live.is_none() {
            return Ok(());
        }
        let v5 = self.traits.version == Version::V5;
        if v5 && self.session.expiry_s() > 0 && at.random.chance(50) {
            let expiry_s = [0, 2, 600][at.random.len(3)];
            let list = [Property::SessionExpiryInterval(expiry_s)];
            let properties = Properties::new(&list);
            match self.session.disconnect_with(ReasonCode::SUCCESS, properties) {
                Ok(()) => {
                    // Whether it arrives nobody knows.
                    self.expiry_s = None;
                    return Ok(());
                }
                Err(SendError::NotNow | SendError::OutboxFull) => {}
                Err(error) => return Err(format!("a good-bye is refused: {error}")),
            }
        }
        self.session.disconnect(ReasonCode::SUCCESS);
        Ok(())
    }

    /// Subscribes, if need be; with a full outbox, at the next turn.
    pub(super) fn ask(&mut self, stage: Stage) {
        if !self.asks || self.asked.is_some() || stage != Stage::Open || !self.session.is_open() {
            return;
        }
        let mut filters = self.traits.filters(true);
        let mut asked = self.session.subscribe(&filters);
        if matches!(asked, Err(SubscribeError::Limit(_))) {
            filters = self.traits.filters(false);
            asked = self.session.subscribe(&filters);
        }
        if let Ok(token) = asked {
            self.asked = Some((token, filters.len()));
            self.asks = false;
            self.causes += 1;
        }
    }

    pub(super) fn on_event(&mut self, told: Told, at: &mut Moment<'_>) -> Result<(), String> {
        match told {
            Told::Connected { resumption, keep_alive_s, expiry_s, name } => {
                self.keep_alive_s = keep_alive_s.unwrap_or(KEEP_ALIVE_S);
                self.name = name.unwrap_or(self.name);
                self.on_connected(resumption, expiry_s)?;
            }
            Told::Message { key, topic, qos, ack } => {
                if self.bug == Some(Bug::AcknowledgedFirst) && at.random.chance(20) {
                    return Ok(());
                }
                at.record.deliver(key, &topic, qos)?;
                match ack.filter(|_| self.traits.manual) {
                    Some(ack) => self.held.push((at.now + at.random.below(1_500), ack, key)),
                    None => at.record.let_go(key, self.link, ReasonCode::SUCCESS)?,
                }
            }
            Told::Done(token, reason) => {
                let (token, reason) = self.misread(token, reason);
                at.record.acknowledge(self.index, token, reason)?;
                self.pending.retain(|(_, pending)| *pending != token);
            }
            Told::Subscribed(reasons) => {
                let (_, filters) = self.asked.take().ok_or("an answer to nothing")?;
                if reasons.len() != filters {
                    return Err(format!("{} answers to {filters} filters", reasons.len()));
                }
                self.asks |= reasons.iter().any(|reason| reason.is_error());
            }
            Told::Rejected(token, reason) => {
                if self.asked.is_some_and(|(asked, _)| asked == token) {
                    self.asked = None;
                    self.asks = true;
                    return Ok(());
                }
                at.record.reject(self.index, token, reason, self.session.limits())?;
                self.pending.retain(|(_, pending)| *pending != token);
            }
        }
        Ok(())
    }

    fn on_connected(
        &mut self,
        resumption: Resumption,
        granted_s: Option<u32>,
    ) -> Result<(), String> {
        if resumption == Resumption::Lost && self.expiry_s == Some(0) {
            return Err("a session is lost that nobody was to keep".into());
        }
        let expiry_s = granted_s.unwrap_or(self.traits.expiry_s());
        if self.session.expiry_s() != expiry_s {
            return Err(format!("the session ends after {} s", self.session.expiry_s()));
        }
        self.expiry_s = Some(expiry_s);
        let is_lost = resumption != Resumption::Resumed;
        let forgets =
            self.bug == Some(Bug::SubscriptionsForgotten) && resumption == Resumption::Lost;
        self.asks |= self.traits.subscribes && is_lost && !forgets;
        while self.bug == Some(Bug::PubrelForgotten) && self.skip(0x62) {}
        Ok(())
    }

    pub(super) fn on_end(&mut self, error: Error, at: &mut Moment<'_>) -> Result<(), String> {
        if matches!(error, Error::Malformed(dunlin::Malformed::Packet(_)) | Error::Misbehaved(_)) {
            return Err(format!("the broker behaves, and yet: {error}"));
        }
        if let Error::Closed(Closed::Disconnected(reason)) = error {
            at.record.check_dismissed(self.index, reason)?;
        }
        if self.bug == Some(Bug::ResendForgotten) {
            self.session = fresh_session(&self.traits);
        }
        let nap = if at.random.chance(10) { 5_000 } else { 500 };
        self.reopen_at = Some(at.now + 1 + at.random.below(nap));
        Ok(())
    }

    /// The program lets go of messages in any order, or refuses them.
    pub(super) fn settle_acks(&mut self, at: &mut Moment<'_>) -> Result<(), String> {
        let (due, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|(due, ..)| *due <= at.now);
        self.held = held;
        for (_, ack, key) in due.into_iter().rev() {
            let v5 = self.traits.version == Version::V5;
            let reason = match at.random.below(10) {
                0 if v5 => ReasonCode::NOT_AUTHORIZED,
                _ => ReasonCode::SUCCESS,
            };
            at.record.let_go(key, self.link, reason)?;
            let list = [Property::ReasonString("for a reason")];
            let words = if v5 && at.random.chance(20) { &list[..] } else { &[] };
            // Void when the connection has ended meanwhile, unless the message comes only once.
            let said = self.session.acknowledge_with(ack, reason, Properties::new(words));
            if !matches!(said, Ok(()) | Err(AckError::Stale)) {
                let _ = self.session.acknowledge(ack, reason);
            }
            self.causes += 1;
        }
        Ok(())
    }
}
