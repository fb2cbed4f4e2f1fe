//! The server's end of one connection: frames, or a bare stream.

use super::Random;
use dunlin::octet::{Inbox, Writer};
use dunlin::ws::{self, Acceptance, CloseCode, Deframer, Header, Opcode, Role};
use dunlin_mqtt::FixedHeader;

const MEMORY: usize = 4 * 1024;

/// What came from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole control packet.
    Packet(Vec<u8>),
    /// An answer to a ping.
    Pong(Vec<u8>),
    /// A Close.
    Close(Option<CloseCode>),
}

#[derive(Debug)]
enum Wire {
    Upgrade(Acceptance<'static>),
    Frames(Deframer),
    Stream,
}

/// Takes apart what a client sends, and frames what a broker says in every legal way.
#[derive(Debug)]
pub struct Peer {
    wire: Wire,
    inbox: Inbox<Vec<u8>>,
    stream: Vec<u8>,
    out: Vec<u8>,
    pinged: Vec<Vec<u8>>,
}

impl Peer {
    /// The server's end, with frames or without.
    pub fn new(framed: bool) -> Self {
        let wire = if framed { Wire::Upgrade(Acceptance::new("mqtt")) } else { Wire::Stream };
        let inbox = Inbox::new(vec![0; MEMORY]);
        Self { wire, inbox, stream: Vec::new(), out: Vec::new(), pinged: Vec::new() }
    }

    /// Bytes have come; says what they are, or what is wrong with them.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<Vec<Incoming>, String> {
        let mut seen = Vec::new();
        loop {
            let len = self.inbox.receive(bytes);
            bytes = &bytes[len..];
            while self.step(&mut seen)? {}
            if bytes.is_empty() {
                return Ok(seen);
            }
            if len == 0 {
                return Err("the client sent a packet larger than the peer's memory".into());
            }
        }
    }

    /// Whether the upgrade, if there is one, is over.
    pub const fn is_ready(&self) -> bool {
        !matches!(self.wire, Wire::Upgrade(_))
    }

    /// Sends stream bytes with the next flush.
    pub fn put(&mut self, packet: &[u8]) {
        self.stream.extend_from_slice(packet);
    }

    /// What has been put, framed as chance wills: over many frames, all in one, pings between.
    pub fn flush(&mut self, random: &mut Random) -> Vec<u8> {
        let stream = std::mem::take(&mut self.stream);
        if matches!(self.wire, Wire::Stream) {
            self.out.extend_from_slice(&stream);
            return std::mem::take(&mut self.out);
        }
        let mut rest = &stream[..];
        let mut opcode = Opcode::Binary;
        while !rest.is_empty() {
            let len = if random.chance(60) { rest.len() } else { 1 + random.len(rest.len()) };
            let fin = len == rest.len() || random.chance(50);
            self.frame(fin, opcode, &rest[..len]);
            opcode = if fin { Opcode::Binary } else { Opcode::Continuation };
            rest = &rest[len..];
            if random.chance(10) {
                let mut body = vec![0; random.len(126)];
                random.fill(&mut body);
                self.ping(&body);
            }
        }
        if opcode == Opcode::Continuation {
            self.frame(true, opcode, &[]);
        }
        std::mem::take(&mut self.out)
    }

    /// Sends a ping with the next flush.
    pub fn ping(&mut self, body: &[u8]) {
        if matches!(self.wire, Wire::Frames(_)) {
            self.frame(true, Opcode::Ping, body);
            self.pinged.push(body.to_vec());
        }
    }

    /// A ping that another peer has sent may be answered here.
    pub fn expect_pong(&mut self, body: &[u8]) {
        self.pinged.push(body.to_vec());
    }

    /// Sends a Close with the next flush.
    pub fn close(&mut self, code: CloseCode) {
        if matches!(self.wire, Wire::Frames(_)) {
            self.frame(true, Opcode::Close, &code.get().to_be_bytes());
        }
    }

    fn frame(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) {
        let header = Header { fin, opcode, mask: None, len: payload.len() as u64 };
        let mut memory = [0; ws::FRAME_HEADER_MAX];
        let mut writer = Writer::new(&mut memory);
        header.encode(&mut writer).expect("a header fits");
        self.out.extend_from_slice(writer.written());
        self.out.extend_from_slice(payload);
    }

    fn step(&mut self, seen: &mut Vec<Incoming>) -> Result<bool, String> {
        if let Wire::Upgrade(acceptance) = &mut self.wire {
            if !acceptance.poll(&mut self.inbox).map_err(|error| format!("upgrade: {error}"))? {
                return Ok(false);
            }
            let mut answer = [0; 512];
            let len = acceptance.poll_transmit(&mut answer);
            self.out.extend_from_slice(&answer[..len]);
            self.inbox.consume(MEMORY);
            self.wire = Wire::Frames(Deframer::new(Role::Server));
        }
        if let Some(packet) = self.packet()? {
            seen.push(Incoming::Packet(packet));
            return Ok(true);
        }
        let Wire::Frames(deframer) = &mut self.wire else {
            let len = self.inbox.raw().len();
            self.inbox.accept(len);
            return Ok(len > 0);
        };
        match deframer.poll(&mut self.inbox).map_err(|error| format!("frame: {error}"))? {
            None => return Ok(false),
            Some(ws::Incoming::Data { opcode: Opcode::Text, .. }) => return Err("text".into()),
            Some(ws::Incoming::Data { .. }) => {}
            Some(ws::Incoming::Ping) => return Err("the client pings, which it never does".into()),
            Some(ws::Incoming::Pong) => {
                let body = deframer.control().to_vec();
                if !self.pinged.contains(&body) {
                    return Err(format!("a pong that answers no ping: {body:x?}"));
                }
                seen.push(Incoming::Pong(body));
            }
            Some(ws::Incoming::Close(code)) => seen.push(Incoming::Close(code)),
        }
        Ok(true)
    }

    fn packet(&mut self) -> Result<Option<Vec<u8>>, String> {
        let stream = self.inbox.stream();
        let header = FixedHeader::decode(dunlin_mqtt::Version::V5, stream)
            .map_err(|error| format!("packet: {error}"))?;
        let Some((header, header_len)) = header else { return Ok(None) };
        let len = header_len + header.remaining;
        let Some(packet) = stream.get(..len).map(<[u8]>::to_vec) else { return Ok(None) };
        self.inbox.consume(len);
        Ok(Some(packet))
    }
}
