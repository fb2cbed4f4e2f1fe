//! Messages that are longer than the receive buffer.

use super::{
    Connection,
    intake::{Front, Ready},
    promise::longest_promised,
    surface::{disconnect_reason, resolve},
};
use crate::{Error, Event, Oversize, Session, mqtt};
use dunlin_mqtt::{FixedHeader, PacketType, Publish};
use dunlin_octet::Buffer;

/// A message that is coming in pieces.
#[derive(Clone, Copy, Debug)]
pub(super) enum Long {
    /// All but its payload, which is so long, is at the front of the stream.
    Front(Front, usize),
    /// Its payload comes, of which so much is left.
    Payload {
        offset: usize,
        left: usize,
        /// Whether the program is to see it.
        shown: bool,
    },
}

impl Long {
    const fn payload(left: usize, event: Option<&Event<'_>>) -> Self {
        let shown = matches!(event, Some(Event::MessageBegin { .. }));
        Self::Payload { offset: 0, left, shown }
    }
}

// Apart from what handles all other packets, which is as short as without it.
impl<B: Buffer, A: Buffer> Connection<'_, B, A> {
    /// Looks for the front of a packet that the inbox cannot hold.
    #[inline(never)]
    pub(super) fn find_long(
        &mut self,
        header: FixedHeader,
        header_len: usize,
    ) -> Result<(), Error> {
        let too_large = mqtt::Misbehaved::PacketTooLarge;
        let len = header_len.saturating_add(header.remaining);
        let publish = header.packet_type == PacketType::Publish;
        // [MQTT-3.1.2-24] No packet is longer than the announced maximum.
        let longest = longest_promised(&self.connect.properties);
        if self.oversize == Oversize::Refuse || !publish || len > longest {
            return Err(too_large.into());
        }
        let stream = self.inbox.stream();
        let body = stream.get(header_len..).unwrap_or_default();
        let version = self.connect.version.in_build();
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
        self.long = complete.then_some(Long::Front(Front { header, header_len, len }, rest));
        Ok(())
    }

    /// Takes in more of the message that is coming in pieces; `None` when it is over, or more bytes are
    /// needed, or something must be sent or acknowledged first.
    #[inline(never)]
    pub(super) fn advance_long<S: Buffer, const N: usize>(
        &mut self,
        session: &mut Session<S, N>,
    ) -> Result<Option<Ready>, Error> {
        // Each turn consumes bytes or returns.
        while let Some(long) = self.long {
            match long {
                // Behind the good-bye no room comes any more.
                Long::Front(front, len)
                    if self.timers.is_closing() && !session.has_room_for(front.header) =>
                {
                    self.inbox.consume(front.len);
                    self.long = Some(Long::payload(len, None));
                }
                Long::Front(front, _) if !session.has_room_for(front.header) => {
                    self.blocked = true;
                    return Ok(None);
                }
                Long::Front(front, len) => {
                    if !self.pass_over_long(front, len, session)? {
                        return Ok(Some(Ready::Begin(front, len)));
                    }
                }
                Long::Payload { left: 0, .. } => {
                    self.long = None;
                    return Ok(session.handle_end()?.map(Ready::Event));
                }
                Long::Payload { offset, left, shown } => {
                    let len = self.inbox.stream().len().min(left);
                    if len == 0 {
                        if self.deframe()? {
                            continue;
                        }
                        return Ok(None);
                    }
                    let behind = offset.saturating_add(len);
                    let left = left.saturating_sub(len);
                    self.long = Some(Long::Payload { offset: behind, left, shown });
                    if shown {
                        return Ok(Some(Ready::Chunk { offset, len }));
                    }
                    self.inbox.consume(len);
                }
            }
        }
        Ok(None)
    }

    /// Handles the front of a message that has been handed over before; says whether it was one.
    fn pass_over_long<S: Buffer, const N: usize>(
        &mut self,
        front: Front,
        len: usize,
        session: &mut Session<S, N>,
    ) -> Result<bool, Error> {
        let Self { inbox, aliases, long, connect, .. } = self;
        let version = connect.version.in_build();
        let publish = Publish::decode(version, front.header.flags, front.body(inbox))?;
        let publish = resolve(aliases, publish)?;
        if !session.is_long_repeat(&publish, len) {
            return Ok(false);
        }
        let event = session.handle_begin(&publish, len)?;
        *long = Some(Long::payload(len, event.as_ref()));
        self.inbox.consume(front.len);
        Ok(true)
    }

    /// Makes an event of the front of a message.
    #[inline(never)]
    pub(super) fn surface_begin<'t, S: Buffer, const N: usize>(
        &'t mut self,
        front: Front,
        len: usize,
        session: &mut Session<S, N>,
    ) -> Result<Option<Event<'t>>, Error> {
        let Self { inbox, aliases, long, surfaced, transmit, failed, connect, .. } = self;
        let version = connect.version.in_build();
        *surfaced = front.len;
        Publish::decode(version, front.header.flags, front.body(inbox))
            .map_err(Error::from)
            .and_then(|publish| resolve(aliases, publish))
            .and_then(|publish| Ok(session.handle_begin(&publish, len)?))
            .inspect(|event| *long = Some(Long::payload(len, event.as_ref())))
            .inspect_err(|error| {
                *failed = Some(*error);
                transmit.queue_last(disconnect_reason(version, *error), error.close_code());
            })
    }

    /// Makes an event of a piece of payload at the front of the stream.
    pub(super) fn surface_chunk(&mut self, offset: usize, len: usize) -> Event<'_> {
        self.surfaced = len;
        let payload = self.inbox.stream().get(..len).unwrap_or_default();
        Event::MessageChunk { offset, payload }
    }
}
