//! A broker of one client, which remembers what it must and checks what it is told.

use dunlin_mqtt::{
    Ack, AckKind, Connack, Message, Packet, PacketId, Properties, Publish, Qos, ReasonCode, Suback,
    Version,
};
use dunlin_octet::{Count, Text, Window};
use std::collections::{BTreeMap, VecDeque};

/// How many identifiers the broker uses, so that each comes again soon.
const IDS: usize = 12;

/// A message on its way to the client.
struct Outgoing {
    id: u16,
    payload: String,
    qos: Qos,
    sent: bool,
    received: bool,
}

#[derive(Default)]
pub(crate) struct Broker {
    version: Version,
    session: bool,
    /// Messages of QoS 2 that are not released.
    held: BTreeMap<u16, String>,
    /// What has been delivered, in order.
    pub(crate) delivered: Vec<String>,
    outgoing: VecDeque<Outgoing>,
    next_id: u16,
    /// Messages that the client has said it has.
    pub(crate) received: Vec<String>,
    replies: VecDeque<Vec<u8>>,
    connected: bool,
    /// How often the session has been lost.
    pub(crate) losses: usize,
}

impl Broker {
    pub(crate) fn new(version: Version) -> Self {
        Self { version, ..Self::default() }
    }

    /// A CONNECT has come.
    pub(crate) fn connect(&mut self) {
        self.cut();
        self.connected = true;
        let connack = Connack {
            session_present: self.session,
            reason: ReasonCode::SUCCESS,
            properties: Properties::NONE,
        };
        self.session = true;
        self.reply(&Packet::Connack(connack));
        for outgoing in &mut self.outgoing {
            outgoing.sent &= outgoing.received;
        }
        let released: Vec<_> =
            self.outgoing.iter().filter(|it| it.received).map(|it| it.id).collect();
        for id in released {
            self.acknowledge(AckKind::Pubrel, id);
        }
        self.flow();
    }

    /// The connection is gone, and what was on its way.
    pub(crate) fn cut(&mut self) {
        self.replies.clear();
        self.connected = false;
    }

    /// The session is gone, but what the client is to get is sent anew.
    pub(crate) fn lose(&mut self) {
        self.cut();
        self.session = false;
        self.held.clear();
        self.outgoing.retain(|outgoing| !outgoing.received);
        for outgoing in &mut self.outgoing {
            // Another message, as far as the client can know.
            outgoing.sent = false;
            outgoing.payload.push('\'');
        }
        self.losses += 1;
    }

    pub(crate) fn send(&mut self, payload: String, qos: Qos) {
        if self.outgoing.len() == IDS {
            return;
        }
        self.next_id = self.next_id % IDS as u16 + 1;
        while self.outgoing.iter().any(|it| it.id == self.next_id) {
            self.next_id = self.next_id % IDS as u16 + 1;
        }
        let id = self.next_id;
        self.outgoing.push_back(Outgoing { id, payload, qos, sent: false, received: false });
        self.flow();
    }

    pub(crate) const fn is_connected(&self) -> bool {
        self.connected
    }

    pub(crate) fn owes_nothing(&self) -> bool {
        self.outgoing.is_empty() && self.replies.is_empty()
    }

    pub(crate) fn next_reply(&self) -> Option<&[u8]> {
        self.replies.front().map(Vec::as_slice)
    }

    pub(crate) fn pop_reply(&mut self) {
        self.replies.pop_front();
    }

    /// A packet of the client's.
    pub(crate) fn handle(&mut self, bytes: &[u8]) {
        let (packet, len) = Packet::decode_front(self.version, bytes).unwrap().unwrap();
        assert_eq!(len, bytes.len());
        match packet {
            Packet::Publish(publish) => self.on_publish(&publish),
            Packet::Ack(ack) => self.on_ack(ack),
            Packet::Subscribe(subscribe) => {
                let reply = Packet::Suback(Suback::new(subscribe.packet_id, &[2]));
                self.reply(&reply);
            }
            other => panic!("{other:?}"),
        }
    }

    fn on_publish(&mut self, publish: &Publish<'_>) {
        let payload = String::from_utf8(publish.message.payload.to_vec()).unwrap();
        match (publish.message.head.qos, publish.packet_id.map(PacketId::value)) {
            (Qos::AtLeastOnce, Some(id)) => {
                assert!(!self.held.contains_key(&id), "{id} is in use by a message of QoS 2");
                self.delivered.push(payload);
                self.acknowledge(AckKind::Puback, id);
            }
            (Qos::ExactlyOnce, Some(id)) => {
                match self.held.get(&id) {
                    Some(held) => assert_eq!(*held, payload, "{id} is used early"),
                    None => {
                        self.held.insert(id, payload.clone());
                        self.delivered.push(payload);
                    }
                }
                self.acknowledge(AckKind::Pubrec, id);
            }
            _ => {}
        }
    }

    fn on_ack(&mut self, ack: Ack<'_>) {
        let id = ack.packet_id.value();
        let place = self.outgoing.iter().position(|it| it.id == id);
        match (ack.kind, place) {
            (AckKind::Pubrel, _) => {
                self.held.remove(&id);
                self.acknowledge(AckKind::Pubcomp, id);
            }
            (AckKind::Pubrec, Some(place)) => {
                let outgoing = &mut self.outgoing[place];
                outgoing.received = true;
                self.received.push(outgoing.payload.clone());
                self.acknowledge(AckKind::Pubrel, id);
            }
            (AckKind::Puback | AckKind::Pubcomp, Some(place)) => {
                self.outgoing.remove(place);
                self.flow();
            }
            _ => {}
        }
    }

    /// No more than two at a time, so that a session of four follows them.
    fn flow(&mut self) {
        let under_way = self.outgoing.iter().filter(|it| it.sent).count();
        let mut replies = Vec::new();
        let free = if self.connected { 2_usize.saturating_sub(under_way) } else { 0 };
        for outgoing in self.outgoing.iter_mut().filter(|it| !it.sent).take(free) {
            // Whether it went out before on another connection, this broker does not remember: always so.
            let message = Message::new("to/client", outgoing.payload.as_bytes(), outgoing.qos);
            let packet_id = PacketId::new(outgoing.id);
            replies.push(bytes(
                self.version,
                &Packet::Publish(Publish { message, duplicate: true, packet_id }),
            ));
            outgoing.sent = true;
        }
        self.replies.extend(replies);
    }

    fn acknowledge(&mut self, kind: AckKind, id: u16) {
        self.reply(&Packet::Ack(Ack::new(kind, PacketId::new(id).unwrap())));
    }

    fn reply(&mut self, packet: &Packet<'_>) {
        self.replies.push_back(bytes(self.version, packet));
    }
}

fn bytes(version: Version, packet: &Packet<'_>) -> Vec<u8> {
    let text = packet.with(version);
    let mut bytes = vec![0; Count::of(&text)];
    text.write(&mut Window::new(&mut bytes, 0));
    bytes
}
