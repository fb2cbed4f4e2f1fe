//! The gateway's end of a connection: MQTT in WebSocket messages, or on the bare stream.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Judgement;
use super::head::Head;

/// How long the client may take to hang up after the last packet.
const HANG_UP_LIMIT: Duration = Duration::from_secs(5);

/// A connection that was let in.
pub(super) enum Line {
    Web(Box<WebSocketStream<TlsStream<TcpStream>>>),
    Bare(Box<TlsStream<TcpStream>>),
}

impl Line {
    /// Answers an upgrade as AWS IoT Core does: names in lower case, and `content-length: 0`.
    pub(super) async fn upgrade(
        mut stream: TlsStream<TcpStream>,
        head: &Head,
    ) -> io::Result<Result<Self, Judgement>> {
        let [key] = head.values("sec-websocket-key")[..] else {
            return Ok(Err(Judgement::Malformed));
        };
        let (accept, protocol) = (derive_accept_key(key.as_bytes()), head.subprotocol());
        let protocol = protocol.unwrap_or("mqtt");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\n\
             content-length: 0\r\n\
             upgrade: websocket\r\n\
             connection: upgrade\r\n\
             sec-websocket-accept: {accept}\r\n\
             sec-websocket-protocol: {protocol}\r\n\
             \r\n"
        );
        stream.write_all(answer.as_bytes()).await?;
        let early = head.behind().to_vec();
        let web = WebSocketStream::from_partially_read(stream, early, Role::Server, None).await;
        Ok(Ok(Self::Web(Box::new(web))))
    }

    /// Adds what came next; `false` is the end. May be given up at any time.
    pub(super) async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let web = match self {
            Self::Bare(stream) => return Ok(stream.read_buf(bytes).await? > 0),
            Self::Web(web) => web,
        };
        loop {
            match web.next().await {
                Some(Ok(Message::Binary(message))) => {
                    bytes.extend_from_slice(&message);
                    return Ok(true);
                }
                Some(Ok(Message::Text(_))) => return Err(io::ErrorKind::InvalidData.into()),
                Some(Ok(Message::Close(_))) | None => return Ok(false),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(plain(error)),
            }
        }
    }

    /// Sends whole packets.
    pub(super) async fn write(&mut self, packets: Vec<u8>) -> io::Result<()> {
        match self {
            Self::Bare(stream) => {
                stream.write_all(&packets).await?;
                stream.flush().await
            }
            Self::Web(web) => web.send(Message::binary(packets)).await.map_err(plain),
        }
    }

    /// Ends the stream behind what was sent, and waits for the client to do so as well: bytes left
    /// unread would reset the connection, and the last packet could be lost with it.
    pub(super) async fn hang_up(&mut self) -> io::Result<()> {
        let stream = match self {
            Self::Bare(stream) => stream,
            Self::Web(web) => web.get_mut(),
        };
        stream.shutdown().await?;
        timeout(HANG_UP_LIMIT, tokio::io::copy(stream, &mut tokio::io::sink())).await??;
        Ok(())
    }
}

fn plain(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
