//! Messages that wait for their subscriptions, in memory of the caller's.

use dunlin_drive::dunlin::{
    AckToken, Head, Message, Properties, Qos, Version,
    mqtt::{FixedHeader, Publish},
    octet::{self, Count, Text, Writer},
};
use heapless::Vec;

/// Which subscriptions have not taken a message yet: one bit for each.
pub(crate) type Takers = u8;

/// What is remembered of a message beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) duplicate: bool,
    /// Where in the whole payload this piece stands, in bytes.
    pub(crate) offset: usize,
    /// How long the whole payload is, in bytes.
    pub(crate) len: usize,
    /// Whether topic and properties stand in front of the payload.
    pub(crate) headed: bool,
}

struct Waiting {
    meta: Meta,
    takers: Takers,
    ack: Option<AckToken>,
    at: usize,
    bytes: usize,
}

/// Up to `N` messages or pieces of them, oldest first.
///
/// ```text
///   memory  | taken | waiting | hole | waiting | free       |
///            0                                  end          len
/// ```
pub(crate) struct Queue<'r, const N: usize> {
    memory: &'r mut [u8],
    waiting: Vec<Waiting, N>,
    end: usize,
    /// Bytes that wait, without the holes between them.
    used: usize,
    /// What came last still waits.
    newest_waits: bool,
    version: Version,
}

/// The buffer is too short for the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooShort {
    pub(crate) needed: usize,
}

impl<'r, const N: usize> Queue<'r, N> {
    pub(crate) const fn new(memory: &'r mut [u8], version: Version) -> Self {
        Self { memory, waiting: Vec::new(), end: 0, used: 0, newest_waits: false, version }
    }

    /// Whether a message whose packet is `len` bytes long finds room.
    pub(crate) fn has_room_for(&self, len: usize) -> bool {
        !self.waiting.is_full() && self.used.saturating_add(len) <= self.memory.len()
    }

    /// Puts a message, or what stands in front of a long one; says whether there was room.
    pub(crate) fn push(
        &mut self,
        message: &Message<'_>,
        meta: Meta,
        takers: Takers,
        ack: Option<AckToken>,
    ) -> bool {
        let head = Head { qos: Qos::AtMostOnce, retain: false, ..message.head };
        let message = Message { head, payload: message.payload };
        let publish = Publish { message, duplicate: false, packet_id: None };
        let text = publish.with(self.version);
        let Some(place) = self.place(Count::of(&text), meta, takers, ack) else { return false };
        text.write(&mut Writer::new(place));
        true
    }

    /// Puts a later piece of a long message; says whether there was room.
    pub(crate) fn push_piece(&mut self, payload: &[u8], meta: Meta, takers: Takers) -> bool {
        let Some(place) = self.place(payload.len(), meta, takers, None) else { return false };
        octet::copy(payload, place);
        true
    }

    fn place(
        &mut self,
        bytes: usize,
        meta: Meta,
        takers: Takers,
        ack: Option<AckToken>,
    ) -> Option<&mut [u8]> {
        if !self.has_room_for(bytes) {
            return None;
        }
        if self.end.saturating_add(bytes) > self.memory.len() {
            self.close_holes();
        }
        let at = self.end;
        self.waiting.push(Waiting { meta, takers, ack, at, bytes }).ok()?;
        self.newest_waits = true;
        self.end = at.saturating_add(bytes);
        self.used = self.used.saturating_add(bytes);
        self.memory.get_mut(at..self.end)
    }

    fn close_holes(&mut self) {
        let mut end: usize = 0;
        for waiting in &mut self.waiting {
            octet::shift(self.memory, waiting.at, end, waiting.bytes);
            waiting.at = end;
            end = end.saturating_add(waiting.bytes);
        }
        self.end = end;
    }

    /// Copies the next message for `taker` into `buffer`; with it comes what is to be acknowledged when
    /// no other taker waits for it. `None` when there is none.
    #[expect(clippy::type_complexity, reason = "one caller, which takes it apart at once")]
    pub(crate) fn take(
        &mut self,
        taker: Takers,
        buffer: &mut [u8],
    ) -> Option<Result<(Meta, usize, Option<AckToken>), TooShort>> {
        let index = self.waiting.iter().position(|waiting| waiting.takers & taker != 0)?;
        let waiting = self.waiting.get_mut(index)?;
        let bytes = self.memory.get(waiting.at..waiting.at.saturating_add(waiting.bytes))?;
        if buffer.len() < bytes.len() {
            return Some(Err(TooShort { needed: bytes.len() }));
        }
        let len = octet::copy(bytes, buffer);
        let meta = waiting.meta;
        Some(Ok((meta, len, self.let_go(index, taker))))
    }

    /// `taker` wants nothing more: hands over what is to be acknowledged, one after the other.
    pub(crate) fn drop_next(&mut self, taker: Takers) -> Option<Option<AckToken>> {
        let index = self.waiting.iter().position(|waiting| waiting.takers & taker != 0)?;
        Some(self.let_go(index, taker))
    }

    fn let_go(&mut self, index: usize, taker: Takers) -> Option<AckToken> {
        let waiting = self.waiting.get_mut(index)?;
        waiting.takers &= !taker;
        if waiting.takers != 0 {
            return None;
        }
        self.used = self.used.saturating_sub(waiting.bytes);
        let ack = waiting.ack;
        self.waiting.remove(index);
        self.newest_waits &= index < self.waiting.len();
        if self.waiting.is_empty() {
            self.end = 0;
        }
        ack
    }

    /// All of a long message has come: its last piece takes the acknowledgement with it, if it still
    /// waits; otherwise that comes back.
    pub(crate) fn finish(&mut self, ack: Option<AckToken>) -> Option<AckToken> {
        match self.waiting.last_mut().filter(|_| self.newest_waits) {
            Some(last) if last.meta.len > 0 && !last.meta.headed && last.is_last_piece() => {
                last.ack = ack;
                None
            }
            _ => ack,
        }
    }

    pub(crate) const fn version(&self) -> Version {
        self.version
    }
}

impl Waiting {
    const fn is_last_piece(&self) -> bool {
        self.meta.offset.saturating_add(self.bytes) == self.meta.len
    }
}

/// A message, or a piece of one, in the buffer of whoever took it.
pub(crate) fn read(bytes: &[u8], meta: Meta, version: Version) -> Message<'_> {
    let Meta { qos, retain, headed, .. } = meta;
    if !headed {
        let head = Head { topic: "", qos, retain, properties: Properties::NONE };
        return Message { head, payload: bytes };
    }
    let body = match FixedHeader::decode(version, bytes) {
        Ok(Some((_, at))) => bytes.get(at..).unwrap_or_default(),
        _ => &[],
    };
    match Publish::decode(version, 0, body) {
        Ok(publish) => {
            let head = Head { qos, retain, ..publish.message.head };
            Message { head, payload: publish.message.payload }
        }
        // It was written by `push`.
        Err(_) => Message::new("", &[], qos),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_drive::dunlin::{
        Config, Connect, ReasonCode, Session,
        mqtt::{Connack, Delivery, Packet, PacketId},
    };

    /// What two messages of QoS 1 owe the server.
    fn acks() -> [Option<AckToken>; 2] {
        let mut session = Session::<_, 4>::new([0; 64], Config::new().manual_acks());
        session.handle_open(&Connect::new("test"));
        let (reason, properties) = (ReasonCode::SUCCESS, Properties::NONE);
        let connack = Connack { session_present: false, reason, properties };
        session.handle_packet(&Packet::Connack(connack)).unwrap();
        [1, 2].map(|id| {
            let message = Message::new("t", &[], Qos::AtLeastOnce);
            let publish = Publish { message, duplicate: false, packet_id: PacketId::new(id) };
            match session.handle_publish(&publish).unwrap() {
                Delivery::New(ack) => ack,
                Delivery::Repeated => None,
            }
        })
    }

    #[test]
    fn end_of_a_message_that_was_taken_leaves_an_earlier_one_its_acknowledgement() {
        let mut memory = [0; 64];
        let mut queue = Queue::<4>::new(&mut memory, Version::V3);
        let qos = Qos::AtLeastOnce;
        let meta = Meta { qos, retain: false, duplicate: false, offset: 0, len: 4, headed: false };
        let [first, second] = acks();
        assert!(first.is_some() && first != second);
        assert!(queue.push_piece(b"1234", meta, 1));
        assert_eq!(queue.finish(first), None);
        assert!(queue.push_piece(b"5678", meta, 2));
        let mut buffer = [0; 8];
        assert_eq!(queue.take(2, &mut buffer), Some(Ok((meta, 4, None))));
        assert_eq!(queue.finish(second), second);
        assert_eq!(queue.take(1, &mut buffer), Some(Ok((meta, 4, first))));
        assert!(queue.push_piece(b"90ab", meta, 1));
        assert_eq!(queue.finish(second), None);
        assert_eq!(queue.drop_next(1), Some(second));
    }
}
