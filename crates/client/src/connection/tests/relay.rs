//! A scripted server for one client, of our own codecs, and a link to it that can break.

use super::*;
use crate::{Head, Limits, Property, Version, mqtt::Properties};
use dunlin_mqtt::{Ack, AckKind, Connack, PacketId, Publish};
use dunlin_octet::{Count, Text, Window};
use dunlin_ws::{Acceptance, Deframer, Header, Opcode, Role};

/// Sessions of MQTT 5.0 outlive their connections too.
pub(super) const KEPT: [Property<'static>; 1] = [Property::SessionExpiryInterval(1_000)];

/// As large as any payload of the tests, and more.
const ROOM: usize = 400_000;

pub(super) fn bytes_of(text: &impl Text) -> Vec<u8> {
    let mut bytes = vec![0; Count::of(text)];
    text.write(&mut Window::new(&mut bytes, 0));
    bytes
}

/// A payload of which no two parts are alike.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A PUBLISH of the server.
pub(super) fn publish(
    version: Version,
    head: Head<'_>,
    payload: &[u8],
    duplicate: bool,
) -> Vec<u8> {
    let packet_id = PacketId::new(9).filter(|_| head.qos != Qos::AtMostOnce);
    bytes_of(&Publish { message: Message { head, payload }, duplicate, packet_id }.with(version))
}

/// What a server has of a client, over all of its connections.
#[derive(Default)]
pub(super) struct Memory {
    /// Identifiers of QoS 2 that the client has not released.
    pub(super) unreleased: Vec<u16>,
    /// Payloads that have come whole.
    pub(super) payloads: Vec<Vec<u8>>,
    /// Packets that have come, by their first byte.
    pub(super) firsts: Vec<u8>,
}

/// One connection of the server.
pub(super) struct Server {
    version: Version,
    inbox: Inbox<Vec<u8>>,
    acceptance: Option<Acceptance<'static>>,
    deframer: Option<Deframer>,
    /// For the client.
    pub(super) out: Vec<u8>,
}

impl Server {
    pub(super) fn new(framed: bool, version: Version) -> Self {
        let acceptance = framed.then(|| Acceptance::new("mqtt"));
        let inbox = Inbox::new(vec![0; ROOM]);
        Self { version, inbox, acceptance, deframer: None, out: Vec::new() }
    }

    /// Bytes of the client.
    pub(super) fn receive(&mut self, bytes: &[u8], memory: &mut Memory) {
        assert_eq!(self.inbox.receive(bytes), bytes.len());
        if let Some(acceptance) = &mut self.acceptance {
            if !acceptance.poll(&mut self.inbox).unwrap() {
                return;
            }
            let mut answer = [0; 300];
            let len = acceptance.poll_transmit(&mut answer);
            self.out.extend_from_slice(&answer[..len]);
            self.inbox.consume(usize::MAX);
            self.acceptance = None;
            self.deframer = Some(Deframer::new(Role::Server));
        }
        match &mut self.deframer {
            Some(deframer) => while deframer.poll(&mut self.inbox).unwrap().is_some() {},
            None => self.inbox.accept(usize::MAX),
        }
        let stream = self.inbox.stream().to_vec();
        let mut at = 0;
        while let Some((packet, len)) = Packet::decode_front(self.version, &stream[at..]).unwrap() {
            memory.firsts.push(stream[at]);
            self.handle(&packet, memory);
            at += len;
        }
        self.inbox.consume(at);
    }

    fn handle(&mut self, packet: &Packet<'_>, memory: &mut Memory) {
        let (kind, id) = match packet {
            Packet::Connect(_) => {
                let session_present = memory.firsts.len() > 1;
                let (reason, properties) = (ReasonCode::SUCCESS, Properties::NONE);
                let connack = Connack { session_present, reason, properties };
                return self.send(&bytes_of(&connack.with(self.version)));
            }
            Packet::Publish(publish) => match (publish.message.head.qos, publish.packet_id) {
                (Qos::ExactlyOnce, Some(id)) if memory.unreleased.contains(&id.value()) => {
                    (AckKind::Pubrec, id)
                }
                (qos, id) => {
                    memory.payloads.push(publish.message.payload.to_vec());
                    let Some(id) = id else { return };
                    if qos == Qos::AtLeastOnce {
                        (AckKind::Puback, id)
                    } else {
                        memory.unreleased.push(id.value());
                        (AckKind::Pubrec, id)
                    }
                }
            },
            Packet::Ack(ack) => match ack.kind {
                AckKind::Pubrel => {
                    memory.unreleased.retain(|id| *id != ack.packet_id.value());
                    (AckKind::Pubcomp, ack.packet_id)
                }
                AckKind::Pubrec if !ack.reason.is_error() => (AckKind::Pubrel, ack.packet_id),
                _ => return,
            },
            Packet::Pingreq => return self.send(PINGRESP),
            other => panic!("{other:?}"),
        };
        self.send(&bytes_of(&Ack::new(kind, id).with(self.version)));
    }

    /// Stream bytes for the client: in frames of up to 5,000 bytes, with pings between them.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.deframer.is_none() {
            return self.out.extend_from_slice(bytes);
        }
        let count = bytes.chunks(5_000).count();
        for (at, part) in bytes.chunks(5_000).enumerate() {
            let opcode = if at == 0 { Opcode::Binary } else { Opcode::Continuation };
            let header =
                Header { fin: at + 1 == count, opcode, mask: None, len: part.len() as u64 };
            let mut place = [0; 14];
            let mut writer = Writer::new(&mut place);
            header.encode(&mut writer).unwrap();
            self.out.extend_from_slice(writer.written());
            self.out.extend_from_slice(part);
            if !header.fin {
                self.out.extend_from_slice(b"\x89\x02hi");
            }
        }
    }
}

/// A client with small memory, and a link to a server that takes so many more bytes each way.
pub(super) struct Device {
    pub(super) session: Session<Vec<u8>, 4>,
    pub(super) connection: Connection<'static, Vec<u8>>,
    pub(super) server: Server,
    pub(super) memory: Memory,
    pub(super) up: usize,
    pub(super) down: usize,
    framed: bool,
    rx: usize,
    given: usize,
    masks: u8,
}

fn connection(
    session: &mut Session<Vec<u8>, 4>,
    framed: bool,
    rx: usize,
) -> Connection<'static, Vec<u8>> {
    let version = session.version();
    let properties = match version {
        Version::V3 => Properties::NONE,
        Version::V5 => Properties::new(&KEPT),
    };
    let connect = Connect { version, properties, clean_session: false, ..Connect::new("c") };
    let request = ws::Request::new("h", &"/mqtt", &[]).unwrap();
    let transport = if framed { Transport::WebSocket(request) } else { Transport::Stream };
    let opening = Opening { transport, connect, deadline: Instant::from_millis(10_000) };
    let entropy = &mut |bytes: &mut [u8]| bytes.fill(7);
    Connection::open(session, vec![0; rx], opening, Instant::default(), entropy).unwrap()
}

impl Device {
    pub(super) fn new(framed: bool, config: Config, rx: usize, outbox: usize) -> Self {
        let mut session = Session::new(vec![0; outbox], config);
        let connection = connection(&mut session, framed, rx);
        let server = Server::new(framed, config.version);
        let memory = Memory::default();
        let (up, down) = (usize::MAX, usize::MAX);
        Self { session, connection, server, memory, up, down, framed, rx, given: 0, masks: 0 }
    }

    /// The link is gone; another one takes its place, as good as it can be.
    pub(super) fn reconnect(&mut self) {
        self.connection = connection(&mut self.session, self.framed, self.rx);
        self.server = Server::new(self.framed, self.session.version());
        (self.up, self.down, self.given) = (usize::MAX, usize::MAX, 0);
        assert_eq!(*self.session.limits(), Limits::NONE);
    }

    /// Hands over what either side has to say, and each event to `program`, until both are silent.
    pub(super) fn run(&mut self, mut program: impl FnMut(&mut Session<Vec<u8>, 4>, &Event<'_>)) {
        loop {
            let mut moved = false;
            let now = Instant::default();
            while let Some(event) = self.connection.poll(&mut self.session, now).unwrap() {
                program(&mut self.session, &event);
                self.transmit(&mut program);
                moved = true;
            }
            moved |= self.transmit(&mut program);
            let waiting = &self.server.out[self.given..];
            let waiting = &waiting[..waiting.len().min(self.down).min(1_500)];
            let taken = self.connection.receive(waiting);
            self.given += taken;
            self.down -= taken;
            if !moved && taken == 0 {
                assert!(waiting.is_empty(), "no room, and nothing to do about it");
                return;
            }
        }
    }

    /// Sends all there is, and all that the program supplies meanwhile: it is told by an event that never
    /// comes otherwise.
    fn transmit(&mut self, program: &mut impl FnMut(&mut Session<Vec<u8>, 4>, &Event<'_>)) -> bool {
        let mut moved = false;
        loop {
            let mut out = [0; 700];
            let masks = &mut self.masks;
            let entropy = &mut |bytes: &mut [u8]| {
                bytes.iter_mut().for_each(|byte| {
                    *masks = masks.wrapping_mul(5).wrapping_add(77);
                    *byte = *masks;
                });
            };
            let now = Instant::default();
            let len = self.connection.poll_transmit(&mut self.session, now, entropy, &mut out);
            if let Some(len) = len {
                let through = len.min(self.up);
                self.up -= through;
                self.server.receive(&out[..through], &mut self.memory);
                moved = true;
                continue;
            }
            let before = self.session.wanted();
            program(&mut self.session, &Event::MessageChunk { offset: 0, payload: &[] });
            if self.session.wanted() == before {
                return moved;
            }
        }
    }
}
