//! The connected stream of a URL, in two halves for the loop of `dunlin-drive`.
//!
//! ```text
//!   URL ─┬─ tcp::connect ───┬─┬── ws, mqtt ──────────────────▶ ReadHalf, WriteHalf
//!        └─ proxy::connect ─┘ └── wss, mqtts ── TLS handshake ─▶ ReadHalf, WriteHalf
//! ```

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use embedded_io_async::{ErrorType, Read, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use crate::connect_error::{ConnectError, Stage};
use crate::options::Network;
use crate::proxy;
use crate::tcp;
use crate::tls::{self, TlsOptions};
use crate::url::Url;

/// Connects to the host of `url`, through TLS when its scheme asks for it, before `deadline`.
///
/// Call it for every connection anew, with the same `tls`. The deadline covers resolving, every
/// address, a proxy and the TLS handshake together; a peer that sends a byte now and then wins no
/// time. TLS goes through the proxy: the name to prove is that of the URL.
/// Needs a Tokio runtime with I/O and time. Dropping the future drops whatever was opened.
pub async fn connect(
    url: &Url,
    tls: &TlsOptions,
    network: &Network,
    deadline: Instant,
) -> Result<(ReadHalf, WriteHalf), ConnectError> {
    let stream = match network.proxies.of(url) {
        Some(proxy) => proxy::connect(proxy, url, network.tcp, deadline).await?,
        None => tcp::connect(url.host(), url.port(), network.tcp, deadline).await?,
    };
    if !url.scheme().is_tls() {
        let (read, write) = stream.into_split();
        return Ok((ReadHalf(Reading::Plain(read)), WriteHalf(Writing::Plain(write))));
    }
    let handshake = tls::handshake(stream, url, tls);
    match timeout_at(network.tcp.stage_deadline(deadline), handshake).await {
        Ok(stream) => {
            let shared = Shared(Arc::new(Mutex::new(stream?)));
            Ok((ReadHalf(Reading::Tls(shared.clone())), WriteHalf(Writing::Tls(shared))))
        }
        Err(elapsed) => Err(ConnectError::TimedOut {
            peer: tcp::peer(url.host(), url.port()),
            stage: Stage::Tls,
            source: elapsed.into(),
        }),
    }
}

/// The half that bytes come from.
///
/// `read` is cancel-safe and allocates nothing of its own. `Ok(0)` is the end, with or without
/// TLS's close_notify: MQTT and WebSocket both tell a message that was cut from a whole one.
pub struct ReadHalf(Reading);

/// The half that bytes go to.
///
/// `write_all` returns when the socket has taken every byte, TLS records included; after `write`
/// call `flush`. `write` is cancel-safe, `write_all` is not: finish it, or drop the connection.
pub struct WriteHalf(Writing);

impl WriteHalf {
    /// Says that nothing more will be sent: TLS's close_notify (RFC 8446 §6.1), then TCP's FIN.
    ///
    /// Call it after the last packet, with a deadline: a peer that reads nothing can hold it up.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| match &mut self.0 {
            Writing::Plain(half) => Pin::new(half).poll_shutdown(cx),
            Writing::Tls(shared) => shared.with(|stream| stream.poll_shutdown(cx)),
        })
        .await
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Writing::Plain(half) => Pin::new(half).poll_write(cx, bytes),
            Writing::Tls(shared) => shared.with(|stream| stream.poll_write(cx, bytes)),
        }
    }
}

impl ErrorType for ReadHalf {
    type Error = io::Error;
}

impl Read for ReadHalf {
    async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        let read = poll_fn(|cx| match &mut self.0 {
            Reading::Plain(half) => Pin::new(half).poll_read(cx, &mut buf),
            Reading::Tls(shared) => shared.with(|stream| stream.poll_read(cx, &mut buf)),
        });
        match read.await {
            Ok(()) => Ok(buf.filled().len()),
            // What rustls says of a peer that hangs up without close_notify.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(error),
        }
    }
}

impl ErrorType for WriteHalf {
    type Error = io::Error;
}

impl Write for WriteHalf {
    async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match poll_fn(|cx| self.poll_write(cx, buf)).await? {
            0 if !buf.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            written => Ok(written),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| match &mut self.0 {
            // TCP holds nothing back.
            Writing::Plain(_) => Poll::Ready(Ok(())),
            Writing::Tls(shared) => shared.with(|stream| stream.poll_flush(cx)),
        })
        .await
    }

    async fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        let mut rest = buf;
        while !rest.is_empty() {
            let written = self.write(rest).await?;
            rest = rest.get(written..).unwrap_or_default();
        }
        self.flush().await
    }
}

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadHalf")
    }
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteHalf")
    }
}

enum Reading {
    Plain(OwnedReadHalf),
    Tls(Shared),
}

enum Writing {
    Plain(OwnedWriteHalf),
    Tls(Shared),
}

/// A TLS stream that both halves poll: its state machine is one, so the halves take turns.
///
/// The lock is held for one poll, never across an await.
#[derive(Clone)]
struct Shared(Arc<Mutex<TlsStream<TcpStream>>>);

impl Shared {
    fn with<T>(&self, poll: impl FnOnce(Pin<&mut TlsStream<TcpStream>>) -> T) -> T {
        poll(Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
