//! A server that does what a test says, byte by byte, on a real socket.
//!
//! Written by hand after RFC 6455 and MQTT 3.1.1: no codec of Dunlin has a part in it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::common::within;

/// What the key is hashed with (RFC 6455 §1.3).
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes that a server holds unread before its clients have to wait: less than a message is long.
const RECEIVE_BUFFER: u32 = 256 << 10;

/// How long a peer that floods reads nothing.
const DEAF: Duration = Duration::from_secs(2);

/// CONNACK of MQTT 3.1.1 §3.2: no session, accepted.
pub(crate) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// Opcodes of RFC 6455 §5.2.
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PONG: u8 = 10;

/// A listener on loopback; each connection is accepted when the test asks for it.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    framed: bool,
}

impl Server {
    /// A server that speaks WebSocket.
    pub(crate) fn websocket() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVE_BUFFER).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { listener: socket.listen(16).unwrap(), framed: true }
    }

    /// A server that speaks MQTT on the bare stream.
    pub(crate) fn stream() -> Self {
        Self { framed: false, ..Self::websocket() }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.framed { "ws" } else { "mqtt" };
        format!("{scheme}://{}", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The next connection, before a byte was read or written.
    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = within("a connection", self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream, framed: self.framed, packets: Vec::new() }
    }

    /// Whether a connection waits that nobody has accepted.
    pub(crate) fn was_asked(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.listener.poll_accept(&mut context).is_ready()
    }

    /// The next connection, after the upgrade and the client's CONNECT.
    pub(crate) async fn connected(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.upgrade().await;
        assert_eq!(peer.packet().await[0], 0x10, "CONNECT comes first");
        peer
    }

    /// The next connection, accepted with CONNACK.
    pub(crate) async fn open(&self) -> Peer {
        let mut peer = self.connected().await;
        peer.send_packet(&CONNACK).await;
        peer
    }
}

/// The server's end of one connection.
#[derive(Debug)]
pub(crate) struct Peer {
    stream: TcpStream,
    framed: bool,
    /// What has come of packets and was not asked for yet.
    packets: Vec<u8>,
}

impl Peer {
    /// Reads the client's request and answers it as it should be; nothing on the bare stream.
    pub(crate) async fn upgrade(&mut self) {
        if self.framed {
            let answer = self.answer().await;
            self.send(answer.as_bytes()).await;
        }
    }

    /// Reads the client's request; returns the right answer to it.
    pub(crate) async fn answer(&mut self) -> String {
        let head = self.request().await;
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let accept = BASE64.encode(Sha1::digest(format!("{key}{ACCEPT_SUFFIX}")));
        format!(
            "HTTP/1.1 101 Switching Protocols\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\r\n"
        )
    }

    /// Reads the head of the client's request.
    pub(crate) async fn request(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("a request", self.stream.read_u8()).await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads so much of what stands behind a request's head.
    pub(crate) async fn body(&mut self, len: usize) -> String {
        let mut body = vec![0; len];
        within("a body", self.stream.read_exact(&mut body)).await.unwrap();
        String::from_utf8(body).unwrap()
    }

    /// Writes bytes as they are; a client that is gone does not hear them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        within("a write", self.stream.write_all(bytes)).await.is_ok()
    }

    /// Writes one whole frame, unmasked as servers do (RFC 6455 §5.1).
    pub(crate) async fn send_frame(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            len @ 0..126 => frame.push(len as u8),
            len @ 126..0x1_0000 => {
                frame.push(126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        self.send(&frame).await;
    }

    /// Writes bytes of packets: as one frame, or as they are.
    pub(crate) async fn send_packet(&mut self, bytes: &[u8]) {
        if self.framed {
            self.send_frame(BINARY, bytes).await;
        } else {
            self.send(bytes).await;
        }
    }

    /// Reads one frame: its opcode, and its payload without the mask.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        within("a frame", frame(&mut self.stream)).await.unwrap()
    }

    /// Writes `flood` and a ping at its end, and is deaf meanwhile, but no longer than [`DEAF`].
    ///
    /// Returns all frames up to the ping's answer and a message, whichever comes later. Deaf for good
    /// it would be cut off by its own kernel: once a socket's memory is full of small segments, Linux
    /// drops the acknowledgements in them too, until somebody reads.
    pub(crate) async fn flood(&mut self, mut flood: Vec<u8>) -> Vec<(u8, Vec<u8>)> {
        flood.extend([0x89, 0]);
        let (mut reading, mut writing) = self.stream.split();
        let mut writing = pin!(within("a flood", writing.write_all(&flood)));
        let written = timeout(DEAF, &mut writing).await;
        let heard = async {
            let (mut heard, mut answered, mut told) = (Vec::new(), false, false);
            while !answered || !told {
                let (opcode, payload) = within("a frame", frame(&mut reading)).await.unwrap();
                answered |= opcode == PONG && payload.is_empty();
                told |= opcode == BINARY;
                heard.push((opcode, payload));
            }
            heard
        };
        match written {
            Ok(written) => {
                written.unwrap();
                heard.await
            }
            Err(_) => {
                let (written, heard) = tokio::join!(writing, heard);
                written.unwrap();
                heard
            }
        }
    }

    /// The next packet, whole, with its fixed header.
    pub(crate) async fn packet(&mut self) -> Vec<u8> {
        loop {
            if let Some(length) = packet_length(&self.packets) {
                return self.packets.drain(..length).collect();
            }
            if self.framed {
                let (opcode, payload) = self.frame().await;
                assert_eq!(opcode, BINARY, "{payload:?}");
                self.packets.extend(payload);
            } else {
                let read = within("a packet", self.stream.read_buf(&mut self.packets)).await;
                assert_ne!(read.unwrap(), 0, "the client hung up");
            }
        }
    }

    /// The next packet that is no PINGREQ, which is answered.
    pub(crate) async fn packet_answering_pings(&mut self) -> Vec<u8> {
        loop {
            let packet = self.packet().await;
            if packet != [0xc0, 0] {
                return packet;
            }
            self.send_packet(&[0xd0, 0]).await;
        }
    }

    /// Reads up to the client's Close frame: its code.
    pub(crate) async fn close(&mut self) -> u16 {
        loop {
            if let (CLOSE, body) = self.frame().await {
                return u16::from_be_bytes([body[0], body[1]]);
            }
        }
    }

    /// Waits until the client has hung up, whatever it sends before.
    pub(crate) async fn end(&mut self) {
        self.rest().await;
    }

    /// What the client sends until it hangs up.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = within("the end", self.stream.read_to_end(&mut rest)).await;
        rest
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

/// Reads one frame from `stream`: its opcode, and its payload without the mask.
async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await?;
    let length = stream.read_u8().await?;
    assert_eq!(length & 0x80, 0x80, "clients mask (RFC 6455 §5.1)");
    let length = match length & 0x7f {
        126 => usize::from(stream.read_u16().await?),
        127 => stream.read_u64().await? as usize,
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    unmask(&mut payload, mask);
    Ok((first & 0x0f, payload))
}

/// Four bytes at a time: a megabyte must not take longer than a ping may.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    rest.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

/// How long the packet at the front is, if all of it is there (MQTT 3.1.1 §2.2.3).
fn packet_length(bytes: &[u8]) -> Option<usize> {
    let mut remaining = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1).take(4) {
        remaining |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            let length = at + 1 + remaining;
            return (bytes.len() >= length).then_some(length);
        }
    }
    None
}
