//! Messages of the server that are longer than the receive buffer.
//!
//! Until all of one has come, it leaves no trace in the session: what breaks off comes again whole.

use super::{Phase, Session};
use crate::{
    AckMode, AckToken, Error, Event, Misbehaved, Oversize, PacketId, Publish, Qos, ReasonCode,
    Version, received::digest,
};
use dunlin_octet::Buffer;

/// A message of which the front has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    qos: Qos,
    packet_id: Option<PacketId>,
    duplicate: bool,
    digest: u32,
    fate: Fate,
}

/// What becomes of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    HandedOver,
    Skipped,
    /// It has been handed over before.
    Repeated,
}

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// The front of a message has come whose payload, `len` bytes, the receive buffer cannot hold;
    /// `publish` has none.
    ///
    /// [`Event::MessageBegin`] when the payload is to be handed over, in the caller's own events;
    /// otherwise it is to be passed over. Either way, [`Session::handle_end`] is to be called behind it.
    // Apart from its callers, which stay as short for other messages as they are without it.
    #[inline(never)]
    pub fn handle_begin<'p>(
        &mut self,
        publish: &Publish<'p>,
        len: usize,
    ) -> Result<Option<Event<'p>>, Error> {
        if self.phase == Phase::Opening {
            return Err(Misbehaved::BeforeConnack.into());
        }
        let (qos, packet_id) = (publish.message.head.qos, publish.packet_id);
        if !qos.is_in_build() {
            return Err(Misbehaved::ExactlyOnce.into());
        }
        let repeated = self.is_long_repeat(publish, len);
        let ack = if repeated { None } else { self.expected_ack(qos, packet_id)? };
        let head = publish.message.head;
        let (fate, event) = match self.config.oversize {
            _ if repeated => (Fate::Repeated, None),
            Oversize::Refuse => return Err(Misbehaved::PacketTooLarge.into()),
            Oversize::Skip => (Fate::Skipped, Some(Event::Skipped { head, len })),
            Oversize::Stream => {
                let duplicate = publish.duplicate;
                (Fate::HandedOver, Some(Event::MessageBegin { head, len, duplicate, ack }))
            }
        };
        let digest = digest(head.topic, len, &[]);
        self.begun = Some(Begun { qos, packet_id, duplicate: publish.duplicate, digest, fate });
        Ok(event)
    }

    /// All of the payload has come of the message that had begun; [`Event::MessageEnd`] if it was handed
    /// over.
    #[inline(never)]
    pub fn handle_end(&mut self) -> Result<Option<Event<'static>>, Error> {
        let Some(begun) = self.begun.take() else { return Ok(None) };
        let ack = self.on_complete(begun)?;
        match begun.fate {
            Fate::Repeated => Ok(None),
            Fate::Skipped => {
                let reason = match self.version() {
                    Version::V3 => ReasonCode::SUCCESS,
                    // [MQTT-4.4.0-2] After a refusal it is not sent again.
                    Version::V5 => ReasonCode::QUOTA_EXCEEDED,
                };
                ack.map(|ack| self.settle(ack, reason));
                Ok(None)
            }
            Fate::HandedOver => {
                if self.config.ack_mode == AckMode::Automatic {
                    self.held = ack;
                }
                Ok(Some(Event::MessageEnd { ack }))
            }
        }
    }

    /// Whether a message of QoS 2 that is longer than the receive buffer, `len` bytes of payload, has been
    /// handed over whole before, and will not be again.
    #[inline(never)]
    pub fn is_long_repeat(&self, publish: &Publish<'_>, len: usize) -> bool {
        let head = publish.message.head;
        let id = publish.packet_id.filter(|_| head.qos == Qos::ExactlyOnce);
        let digest = digest(head.topic, len, &[]);
        id.is_some_and(|id| self.received.is_repeat(id, publish.duplicate, digest))
    }

    /// What will stand for a message that begins, once it is complete.
    fn expected_ack(
        &self,
        qos: Qos,
        packet_id: Option<PacketId>,
    ) -> Result<Option<AckToken>, Misbehaved> {
        let no_room = Misbehaved::ReceiveMaximum;
        let Some(id) = packet_id else { return Ok(None) };
        // [MQTT-4.9.0-2] Now, and not when all of it has come.
        if self.is_receive_maximum_reached() {
            return Err(no_room);
        }
        if qos == Qos::ExactlyOnce {
            return Ok(Some(self.received.next_token(id)));
        }
        self.owed.next_token(id).map(Some).ok_or(no_room)
    }

    /// Takes responsibility for a message; `None` where nothing is to be acknowledged by the program.
    fn on_complete(&mut self, begun: Begun) -> Result<Option<AckToken>, Misbehaved> {
        match (begun.qos, begun.packet_id) {
            (Qos::AtLeastOnce, Some(id)) => match self.on_at_least_once(id) {
                None => Err(Misbehaved::ReceiveMaximum),
                ack => Ok(ack),
            },
            (Qos::ExactlyOnce, Some(id)) => self.on_exactly_once(id, begun.duplicate, begun.digest),
            _ => Ok(None),
        }
    }
}
