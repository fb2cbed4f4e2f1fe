//! A WebSocket, from its upgrade on.

use crate::{Closed, Entropy, Error, Misbehaved, timers::Timers, transmit::Transmit, ws};
use dunlin_octet::{Buffer, Inbox};
use dunlin_ws::{Deframer, Incoming, Opcode, Role, Upgrade};

/// The WebSocket subprotocol of MQTT (v3.1.1: [MQTT-6.0.0-3], [MQTT-6.0.0-4]).
const SUBPROTOCOL: &str = "mqtt";

#[derive(Debug)]
pub(in crate::connection) enum WebSocket<'o> {
    Upgrade(Upgrade<'o>),
    Frames(Deframer),
}

impl<'o> WebSocket<'o> {
    pub(in crate::connection) fn new(request: ws::Request<'o>, entropy: &mut dyn Entropy) -> Self {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        Self::Upgrade(Upgrade::new(request, SUBPROTOCOL, nonce))
    }

    pub(in crate::connection) const fn is_upgrading(&self) -> bool {
        matches!(self, Self::Upgrade(_))
    }

    /// Puts the rest of the request, or as much of it as fits; `None` when the upgrade is over.
    pub(in crate::connection) fn poll_transmit(&mut self, out: &mut [u8]) -> Option<usize> {
        match self {
            Self::Upgrade(upgrade) => Some(upgrade.poll_transmit(out)),
            Self::Frames(_) => None,
        }
    }

    /// What it means for the upgrade that nothing more comes; `None` when it is over.
    pub(in crate::connection) fn handle_eof<B: Buffer>(
        &mut self,
        inbox: &mut Inbox<B>,
    ) -> Option<ws::UpgradeError> {
        match self {
            Self::Upgrade(upgrade) => Some(upgrade.handle_eof(inbox)),
            Self::Frames(_) => None,
        }
    }

    /// The words beside the code of the peer's Close.
    pub(in crate::connection) fn close_reason(&self) -> &[u8] {
        match self {
            Self::Upgrade(_) => &[],
            Self::Frames(deframer) => deframer.control().get(2..).unwrap_or_default(),
        }
    }

    /// Lets the next raw bytes join the stream; returns whether anything happened.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(in crate::connection) fn deframe<B: Buffer>(
        &mut self,
        inbox: &mut Inbox<B>,
        transmit: &mut Transmit,
        timers: &mut Timers,
    ) -> Result<bool, Error> {
        match self {
            Self::Upgrade(_) => self.upgrade(inbox, timers),
            // A frame is reported with its last byte: none is left to be.
            Self::Frames(_) if inbox.raw().is_empty() => Ok(false),
            Self::Frames(deframer) => take_frame(deframer, inbox, transmit, timers),
        }
    }

    #[inline(never)]
    fn upgrade<B: Buffer>(
        &mut self,
        inbox: &mut Inbox<B>,
        timers: &mut Timers,
    ) -> Result<bool, Error> {
        let Self::Upgrade(upgrade) = self else { return Ok(false) };
        if !upgrade.poll(inbox)? {
            return Ok(false);
        }
        *self = Self::Frames(Deframer::new(Role::Client));
        timers.handle_upgraded();
        Ok(true)
    }
}

#[inline(never)]
fn take_frame<B: Buffer>(
    deframer: &mut Deframer,
    inbox: &mut Inbox<B>,
    transmit: &mut Transmit,
    timers: &Timers,
) -> Result<bool, Error> {
    match deframer.poll(inbox) {
        // [MQTT-6.0.0-1] Anything but a binary frame closes the connection, whatever is in it and
        // wherever it is cut.
        Ok(Some(Incoming::Data { opcode: Opcode::Text, .. })) => {
            Err(Error::Misbehaved(Misbehaved::TextFrame))
        }
        Err(_) if deframer.message() == Some(Opcode::Text) => {
            Err(Error::Misbehaved(Misbehaved::TextFrame))
        }
        Err(malformed) => Err(malformed.into()),
        Ok(None) => Ok(false),
        Ok(Some(Incoming::Data { .. } | Incoming::Pong)) => Ok(true),
        Ok(Some(Incoming::Ping)) => {
            transmit.queue_pong(deframer.control());
            Ok(true)
        }
        Ok(Some(Incoming::Close(_))) if timers.is_closing() => Err(Error::Closed(Closed::Local)),
        Ok(Some(Incoming::Close(code))) => Err(Error::Closed(Closed::Peer(code))),
    }
}
