//! Planted faults: what a client would do that forgets, or does not listen.

use super::{INFLIGHT, Node, Told};
use crate::sim::{Bug, Moment};
use dunlin::{Properties, ReasonCode, Token};
use dunlin_mqtt::{Ack, AckKind, Connack, Packet, PacketId};

/// The broker's identifiers in one run end below this.
const IDS_MAX: u16 = 64;

impl Node {
    /// Forgets which messages have come, if that is the fault.
    pub(super) fn forget_arrivals(&mut self) {
        if self.bug == Some(Bug::ArrivalsForgotten) {
            for id in 1..IDS_MAX {
                let _ = self.pretend(AckKind::Pubrel, id);
            }
        }
    }

    /// Takes the connection for accepted, if that is the fault.
    pub(super) fn believe_connected(&mut self) {
        if self.bug == Some(Bug::ConnackNotAwaited) {
            let properties = Properties::NONE;
            let connack =
                Connack { session_present: false, reason: ReasonCode::SUCCESS, properties };
            let _ = self.session.handle_packet(&Packet::Connack(connack));
        }
    }

    /// What the program hears, right or wrong.
    pub(super) fn misread(&self, token: Token, reason: ReasonCode) -> (Token, ReasonCode) {
        match (self.bug, self.pending.last()) {
            (Some(Bug::WrongToken), Some((_, other))) => (*other, reason),
            (Some(Bug::ReasonLost), _) => (token, ReasonCode::SUCCESS),
            _ => (token, reason),
        }
    }

    /// Sends nothing, because of the fault.
    pub(super) fn withholds(&mut self) -> bool {
        let messages = !self.pending.is_empty();
        let request = |packet: &[u8]| packet.first() == Some(&0x82);
        self.bug == Some(Bug::RequestsWait)
            && messages
            && self.session.poll_packet().is_some_and(request)
    }

    /// What goes wrong between the events and the next transmission.
    pub(super) fn misbehave(&mut self, at: &mut Moment<'_>) -> Result<(), String> {
        match self.bug {
            Some(Bug::PubcompForgotten) if at.random.chance(20) => {
                self.skip(0x70);
            }
            Some(Bug::DoneAtPubrec) => {
                for id in 1..=INFLIGHT as u16 {
                    if let Some(told) = self.pretend(AckKind::Pubcomp, id) {
                        self.on_event(told, at)?;
                    }
                }
            }
            Some(Bug::RejectedTooMuch) => {
                if let Some((_, token)) = self.pending.last().copied() {
                    self.on_event(Told::Rejected(token, ReasonCode::QOS_NOT_SUPPORTED), at)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Drops the next packet, if it begins with `first`.
    pub(super) fn skip(&mut self, first: u8) -> bool {
        let skips = self.session.poll_packet().is_some_and(|packet| packet.first() == Some(&first));
        if skips {
            self.session.handle_sent();
        }
        skips
    }

    /// The session believes that the broker has said this.
    fn pretend(&mut self, kind: AckKind, id: u16) -> Option<Told> {
        let packet = Packet::Ack(Ack::new(kind, PacketId::new(id)?));
        let event = self.session.handle_packet(&packet).ok()??;
        Told::from(event).ok()
    }
}
