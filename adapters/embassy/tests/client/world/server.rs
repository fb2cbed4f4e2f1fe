//! As much of a server as one client needs: it answers, and remembers what it was told.

use super::pipe::Pipe;
use dunlin_embassy::dunlin::{
    Message, Qos, ReasonCode, Version,
    mqtt::{
        Ack, AckKind, Connack, FixedHeader, Packet, PacketId, Properties, Publish, Suback, Unsuback,
    },
    octet::{Count, Text, Writer},
};
use std::cell::RefCell;

/// Topics and filters that begin with this are refused.
const REFUSED: &str = "secret";

/// The server's side of the line.
pub(crate) struct Server {
    version: Version,
    up: Pipe,
    down: Pipe,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    received: Vec<u8>,
    unsent: Vec<u8>,
    filters: Vec<String>,
    messages: Vec<Vec<u8>>,
    /// What the client has said to messages of this side.
    answers: Vec<ReasonCode>,
    /// Whether each CONNECT asked for a clean session.
    clean: Vec<bool>,
    next_id: u16,
    /// It takes what comes, and says nothing.
    mute: bool,
}

impl Server {
    pub(crate) fn new(version: Version, up: Pipe, down: Pipe) -> Self {
        Self { version, up, down, state: RefCell::default() }
    }

    /// What was on its way on the last connection is gone.
    pub(crate) fn forget_connection(&self) {
        self.up.take();
        self.down.take();
        let mut state = self.state.borrow_mut();
        state.received.clear();
        state.unsent.clear();
    }

    /// Ends the connection.
    pub(crate) fn hang_up(&self) {
        self.forget_connection();
        self.down.cut();
    }

    /// Answers nothing from now on.
    pub(crate) fn fall_silent(&self) {
        self.state.borrow_mut().mute = true;
    }

    /// Answers again, first to the PINGREQ that it has not answered.
    pub(crate) fn wake_up(&self) {
        let state = &mut *self.state.borrow_mut();
        state.mute = false;
        state.send(&Packet::Pingresp.with(self.version));
    }

    /// The payloads that have come, oldest first.
    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        self.state.borrow().messages.clone()
    }

    /// What the client has subscribed to.
    pub(crate) fn filters(&self) -> Vec<String> {
        self.state.borrow().filters.clone()
    }

    /// How many messages of this side were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.state.borrow().answers.len()
    }

    /// What was said to messages of this side.
    pub(crate) fn answers(&self) -> Vec<ReasonCode> {
        self.state.borrow().answers.clone()
    }

    /// Whether each CONNECT asked for a clean session.
    pub(crate) fn clean(&self) -> Vec<bool> {
        self.state.borrow().clean.clone()
    }

    /// Sends a message of QoS 1.
    pub(crate) fn publish(&self, topic: &str, payload: &[u8]) {
        let mut state = self.state.borrow_mut();
        state.next_id += 1;
        let packet_id = PacketId::new(state.next_id);
        let message = Message::new(topic, payload, Qos::AtLeastOnce);
        let publish = Publish { message, duplicate: false, packet_id };
        state.send(&publish.with(self.version));
    }

    /// Sends a message of QoS 0.
    pub(crate) fn publish_unacknowledged(&self, topic: &str, payload: &[u8]) {
        let message = Message::new(topic, payload, Qos::AtMostOnce);
        let publish = Publish { message, duplicate: false, packet_id: None };
        self.state.borrow_mut().send(&publish.with(self.version));
    }

    /// Reads, answers and writes as much as the line carries; says whether anything went over it.
    pub(crate) fn turn(&self) -> bool {
        let state = &mut *self.state.borrow_mut();
        let bytes = self.up.take();
        state.received.extend(&bytes);
        while let Ok(Some((header, at))) = FixedHeader::decode(self.version, &state.received) {
            let end = at + header.remaining;
            if state.received.len() < end {
                break;
            }
            let packet: Vec<u8> = state.received.drain(..end).collect();
            let packet = Packet::decode(self.version, header, &packet[at..]);
            let packet = packet.expect("the client's packets are whole");
            if !state.mute {
                state.answer(self.version, &packet);
            }
        }
        let sent = self.down.put(&state.unsent);
        state.unsent.drain(..sent);
        !bytes.is_empty() || sent > 0
    }
}

impl State {
    fn send(&mut self, packet: &dyn Text) {
        let at = self.unsent.len();
        self.unsent.resize(at + Count::of(packet), 0);
        packet.write(&mut Writer::new(&mut self.unsent[at..]));
    }

    fn answer(&mut self, version: Version, packet: &Packet<'_>) {
        match packet {
            Packet::Connect(connect) => {
                self.clean.push(connect.clean_session);
                let properties = Properties::NONE;
                let reason = ReasonCode::SUCCESS;
                let connack = Connack { session_present: false, reason, properties };
                self.send(&connack.with(version));
            }
            Packet::Subscribe(subscribe) => {
                let mut codes = Vec::new();
                for wish in subscribe.subscriptions() {
                    if wish.filter.starts_with(REFUSED) {
                        codes.push(if version == Version::V5 { 0x87 } else { 0x80 });
                    } else {
                        codes.push(1);
                        self.filters.push(wish.filter.to_owned());
                    }
                }
                self.send(&Suback::new(subscribe.packet_id, &codes).with(version));
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.filters.retain(|known| !unsubscribe.filters().any(|gone| gone == known));
                let codes: &[u8] = if version == Version::V5 { &[0] } else { &[] };
                self.send(&Unsuback::new(unsubscribe.packet_id, codes).with(version));
            }
            Packet::Publish(publish) => {
                self.messages.push(publish.message.payload.to_vec());
                let kind = match publish.message.head.qos {
                    Qos::AtMostOnce => return,
                    Qos::AtLeastOnce => AckKind::Puback,
                    Qos::ExactlyOnce => AckKind::Pubrec,
                };
                let packet_id = publish.packet_id.expect("above QoS 0 there is one");
                let mut ack = Ack::new(kind, packet_id);
                if version == Version::V5 && publish.message.head.topic.starts_with(REFUSED) {
                    ack.reason = ReasonCode::NOT_AUTHORIZED;
                }
                self.send(&ack.with(version));
            }
            Packet::Ack(ack) if ack.kind == AckKind::Pubrel => {
                self.send(&Ack::new(AckKind::Pubcomp, ack.packet_id).with(version));
            }
            Packet::Ack(ack) if ack.kind == AckKind::Puback => self.answers.push(ack.reason),
            Packet::Pingreq => self.send(&Packet::Pingresp.with(version)),
            _ => {}
        }
    }
}
