//! WebSocket clients of others, each driven through what its user would call.
//!
//! All of them send to and read from the same memory, which is never busy: what waits is a mistake. The
//! pings of sockudo, which want a clock, are off.

use crate::wire::Wire;
use fastwebsockets::{Frame, Payload, Role};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::{Config, Message, WebSocketStream};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tungstenite::protocol::{self, WebSocketConfig};
use wtx::collection::Vector;
use wtx::rng::Xorshift64;
use wtx::web_socket::{self, OpCode, WebSocketBuffer, WebSocketPayloadOrigin};

pub(crate) const TUNGSTENITE: &str = "tungstenite 0.29";
pub(crate) const FASTWEBSOCKETS: &str = "fastwebsockets 0.10";
pub(crate) const WTX: &str = "wtx 0.42";
pub(crate) const SOCKUDO: &str = "sockudo-ws 3.1";

/// For its mask keys, which it draws as cheaply as ours.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// What comes of a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory is never busy"),
    }
}

fn tungstenite(wire: Wire, buffer: usize) -> protocol::WebSocket<Wire> {
    let config = WebSocketConfig::default().read_buffer_size(buffer);
    protocol::WebSocket::from_raw_socket(wire, protocol::Role::Client, Some(config))
}

/// Sends binary messages of this length.
pub(crate) fn tungstenite_encoder(len: usize) -> impl FnMut() {
    let mut socket = tungstenite(Wire::default(), 1 << 14);
    let payload = bytes::Bytes::from(vec![7; len]);
    move || socket.send(tungstenite::Message::Binary(payload.clone())).unwrap()
}

/// Takes what comes over the wire, a message a turn.
pub(crate) fn tungstenite_decoder(wire: Wire, buffer: usize) -> impl FnMut() {
    let mut socket = tungstenite(wire, buffer);
    move || {
        black_box(socket.read().unwrap());
    }
}

/// The same as [`tungstenite_encoder`].
pub(crate) fn fastwebsockets_encoder(len: usize) -> impl FnMut() {
    let mut socket = fastwebsockets::WebSocket::after_handshake(Wire::default(), Role::Client);
    let payload = vec![7; len];
    move || {
        let frame = Frame::binary(Payload::Borrowed(black_box(&payload)));
        ready(socket.write_frame(frame)).unwrap();
    }
}

/// The same as [`tungstenite_decoder`].
pub(crate) fn fastwebsockets_decoder(wire: Wire) -> impl FnMut() {
    let mut socket = fastwebsockets::WebSocket::after_handshake(wire, Role::Client);
    move || {
        black_box(&ready(socket.read_frame()).unwrap().payload);
    }
}

type Wtx = web_socket::WebSocketOwned<(), Xorshift64, Wire, true>;

fn wtx(wire: Wire, buffer: usize) -> Wtx {
    let buffer = WebSocketBuffer::with_capacity(buffer, buffer, buffer).unwrap();
    let mut socket = Wtx::new((), false, Xorshift64::from(SEED), wire, buffer);
    socket.set_max_payload_len(1 << 20);
    socket
}

/// The same as [`tungstenite_encoder`]; it masks the payload where it lies.
pub(crate) fn wtx_encoder(len: usize) -> impl FnMut() {
    let mut socket = wtx(Wire::default(), 1 << 14);
    let mut payload = vec![7; len];
    move || {
        let payload = black_box(payload.as_mut_slice());
        ready(socket.write_frame(&mut web_socket::Frame::new_fin(OpCode::Binary, payload)))
            .unwrap();
    }
}

/// The same as [`tungstenite_decoder`].
pub(crate) fn wtx_decoder(wire: Wire, buffer: usize) -> impl FnMut() {
    let (mut socket, mut long) = (wtx(wire, buffer), Vector::new());
    move || {
        let frame = socket.read_frame(&mut long, WebSocketPayloadOrigin::Adaptive);
        black_box(ready(frame).unwrap().payload());
    }
}

/// To be made by its first turn: it measures a clock meanwhile, and no two counts of that are alike.
fn sockudo(wire: Wire) -> WebSocketStream<Wire> {
    let config = Config { idle_timeout: 0, auto_ping: false, ..Config::default() };
    WebSocketStream::client(wire, config)
}

/// The same as [`tungstenite_encoder`].
pub(crate) fn sockudo_encoder(len: usize) -> impl FnMut() {
    let (mut socket, payload) = (None, bytes::Bytes::from(vec![7; len]));
    move || {
        let socket = socket.get_or_insert_with(|| sockudo(Wire::default()));
        ready(socket.send(Message::Binary(payload.clone()))).unwrap();
    }
}

/// The same as [`tungstenite_decoder`].
pub(crate) fn sockudo_decoder(wire: Wire) -> impl FnMut() {
    let (mut wire, mut socket) = (Some(wire), None);
    move || {
        let socket = socket.get_or_insert_with(|| sockudo(wire.take().unwrap()));
        black_box(ready(socket.next()).unwrap().unwrap());
    }
}
