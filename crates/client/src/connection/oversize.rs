//! Messages that are longer than the receive buffer.

use super::{
    Connection,
    intake::{Front, Ready},
    promise::longest_promised,
};
use crate::{Error, Event, Oversize, Session, mqtt};
use dunlin_mqtt::{FixedHeader, PacketType, Publish};
use dunlin_octet::Buffer;

/// A message whose front has come, and of whose payload the rest is coming.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long {
    offset: usize,
    left: usize,
    /// Whether the program is to see it.
    shown: bool,
}

impl Long {
    pub(super) const fn new(len: usize, event: Option<&Event<'_>>) -> Self {
        Self { offset: 0, left: len, shown: matches!(event, Some(Event::MessageBegin { .. })) }
    }

    const fn behind(self, len: usize) -> Self {
        let offset = self.offset.saturating_add(len);
        Self { offset, left: self.left.saturating_sub(len), ..self }
    }
}

impl<B: Buffer, A: Buffer> Connection<'_, B, A> {
    /// The front of a packet that the inbox cannot hold, if all but the payload is there.
    #[inline(never)]
    pub(super) fn long_front(
        &mut self,
        header: FixedHeader,
        header_len: usize,
    ) -> Result<Option<Front>, Error> {
        let too_large = mqtt::Misbehaved::PacketTooLarge;
        let len = header_len.saturating_add(header.remaining);
        let publish = header.packet_type == PacketType::Publish;
        // [MQTT-3.1.2-24] No packet is longer than the announced maximum.
        let longest = longest_promised(&self.opening.connect.properties);
        if self.oversize == Oversize::Refuse || !publish || len > longest {
            return Err(too_large.into());
        }
        let stream = self.inbox.stream();
        let body = stream.get(header_len..).unwrap_or_default();
        let version = self.opening.connect.version;
        let fields = Publish::head_len(version, header.flags, body);
        let len = header_len.saturating_add(fields);
        let Some(rest) = header.remaining.checked_sub(fields) else {
            return Err(mqtt::Malformed::Length.into());
        };
        if len > self.inbox.limit() {
            return Err(too_large.into());
        }
        let complete = stream.len() >= len;
        self.awaited = if complete { 0 } else { len };
        Ok(complete.then_some(Front { header, header_len, len, rest }))
    }

    /// Takes in more of the message that is coming in pieces; `None` when it is over, or more bytes are
    /// needed.
    pub(super) fn advance_long<S: Buffer, const N: usize>(
        &mut self,
        session: &mut Session<S, N>,
    ) -> Result<Option<Ready>, Error> {
        // Each turn consumes bytes or returns.
        while let Some(long) = self.long {
            if long.left == 0 {
                self.long = None;
                return Ok(session.handle_end()?.map(Ready::Event));
            }
            let len = self.inbox.stream().len().min(long.left);
            if len == 0 {
                if !self.deframe()? {
                    return Ok(None);
                }
                continue;
            }
            self.long = Some(long.behind(len));
            if long.shown {
                return Ok(Some(Ready::Chunk { offset: long.offset, len }));
            }
            self.inbox.consume(len);
        }
        Ok(None)
    }

    /// Makes an event of a piece of payload at the front of the stream.
    pub(super) fn surface_chunk(&mut self, offset: usize, len: usize) -> Event<'_> {
        self.surfaced = len;
        let payload = self.inbox.stream().get(..len).unwrap_or_default();
        Event::MessageChunk { offset, payload }
    }
}
