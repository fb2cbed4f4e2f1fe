//! Bytes written by hand to ask a broker whether it lives: no codec of Dunlin has a part in it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long one probe of a listener may take; an unanswered one is asked again.
pub(super) const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// Between two beats of the metronome: 4,096 bytes each are 4 MB a second.
const METRONOME_INTERVAL: Duration = Duration::from_millis(1);
/// The handshake of RFC 6455 §1.3, with the subprotocol that mosquitto asks for.
pub(super) const UPGRADE: &str = "GET /mqtt HTTP/1.1\r\n\
    Host: localhost\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Whether a listener answers `question` with something that begins with `answer`.
pub(super) async fn probe(address: SocketAddr, question: &[u8], answer: &[u8]) -> bool {
    let asked = timeout(PROBE_LIMIT, async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(question).await?;
        let mut bytes = vec![0; answer.len()];
        stream.read_exact(&mut bytes).await?;
        io::Result::Ok(bytes)
    });
    matches!(asked.await, Ok(Ok(bytes)) if bytes == answer)
}

/// A client that does nothing but talk, until the broker dies.
pub(super) async fn metronome(address: SocketAddr, connect: Vec<u8>) -> io::Result<()> {
    let mut stream = open(address, &connect).await?;
    let mut beat = interval(METRONOME_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        ping(&mut stream).await?;
    }
}

/// A connection over which CONNECT was answered.
pub(super) async fn open(address: SocketAddr, connect: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(connect).await?;
    stream.read_exact(&mut [0; 4]).await?;
    Ok(stream)
}

/// PINGREQ and PINGRESP (MQTT 3.1.1 §3.12, §3.13): the broker's loop has turned.
pub(super) async fn ping(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&[0xc0, 0]).await?;
    stream.read_exact(&mut [0; 2]).await.map(drop)
}

/// CONNECT of MQTT 3.1.1 §3.1: a clean session, no client id, perhaps a user.
pub(super) fn connect_packet(credentials: Option<&(String, String)>) -> Vec<u8> {
    let flags = if credentials.is_some() { 0b1100_0010 } else { 0b0000_0010 };
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, flags, 0, 60, 0, 0];
    for text in credentials.iter().flat_map(|(user, password)| [user, password]) {
        let length = u8::try_from(text.len()).expect("a test's user and password are short");
        body.extend([0, length]);
        body.extend(text.as_bytes());
    }
    let length = body.len();
    // Above this the length takes two bytes (MQTT 3.1.1 §2.2.3).
    assert!(length < 128, "a test's user and password are short");
    [&[0x10, length as u8][..], &body].concat()
}
