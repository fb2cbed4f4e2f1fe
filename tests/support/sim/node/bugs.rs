//! Planted faults of QoS 2: what a session would do that forgets.

use super::{INFLIGHT, Node, Told};
use crate::sim::{Bug, Random, Record};
use dunlin_mqtt::{Ack, AckKind, Packet, PacketId};

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

    /// What goes wrong between the events and the next transmission.
    pub(super) fn misbehave(
        &mut self,
        record: &mut Record,
        random: &mut Random,
    ) -> Result<(), String> {
        match self.bug {
            Some(Bug::PubcompForgotten) if random.chance(20) => {
                self.skip(0x70);
            }
            Some(Bug::DoneAtPubrec) => {
                for id in 1..=INFLIGHT as u16 {
                    if let Some(told) = self.pretend(AckKind::Pubcomp, id) {
                        self.on_event(told, 0, record, random)?;
                    }
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
