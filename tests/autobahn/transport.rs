//! The echo over sockets: blocking ones of the standard library, and those of Tokio.

use crate::Failure;
use crate::echo::Echo;
use dunlin_ws::Role;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one connection may take; the longest case needs a few seconds.
const CONNECTION_LIMIT: Duration = Duration::from_secs(40);

/// What a connection runs over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    /// Blocking sockets.
    Std,
    /// Asynchronous ones.
    Tokio,
}

impl Transport {
    /// A connection to `server`.
    pub(crate) async fn connect(self, server: SocketAddr) -> io::Result<TcpStream> {
        timeout(CONNECTION_LIMIT, TcpStream::connect(server)).await?
    }

    /// Runs a connection to its end, which is also where the peer drops it.
    pub(crate) async fn run(self, stream: TcpStream, echo: &mut Echo<'_>) -> Result<(), Failure> {
        stream.set_nodelay(true)?;
        let outcome = match self {
            Self::Std => tokio::task::block_in_place(|| block(stream, echo)),
            Self::Tokio => timeout(CONNECTION_LIMIT, drive(stream, echo)).await?,
        };
        match outcome {
            Err(error) if is_dropped(&error) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}

fn block(stream: TcpStream, echo: &mut Echo<'_>) -> io::Result<()> {
    let mut stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(CONNECTION_LIMIT))?;
    stream.set_write_timeout(Some(CONNECTION_LIMIT))?;
    let start = Instant::now();
    loop {
        check(start)?;
        if let Some(bytes) = echo.poll_transmit() {
            stream.write_all(&bytes)?;
        }
        if echo.is_over() {
            break;
        }
        match stream.read(echo.spare())? {
            0 => return echo.handle_eof().map_err(io::Error::other),
            len => echo.handle_read(len).map_err(io::Error::other)?,
        }
    }
    // A server ends the connection, and a client waits for that (RFC 6455 §7.1.1).
    if echo.role() == Role::Server {
        stream.shutdown(Shutdown::Write)?;
    }
    let mut dropped = [0; 4096];
    while stream.read(&mut dropped)? > 0 {
        check(start)?;
    }
    Ok(())
}

async fn drive(mut stream: TcpStream, echo: &mut Echo<'_>) -> io::Result<()> {
    loop {
        if let Some(bytes) = echo.poll_transmit() {
            stream.write_all(&bytes).await?;
        }
        if echo.is_over() {
            break;
        }
        match stream.read(echo.spare()).await? {
            0 => return echo.handle_eof().map_err(io::Error::other),
            len => echo.handle_read(len).map_err(io::Error::other)?,
        }
    }
    if echo.role() == Role::Server {
        stream.shutdown().await?;
    }
    let mut dropped = [0; 4096];
    while stream.read(&mut dropped).await? > 0 {}
    Ok(())
}

/// A socket's own limits hold for one read or write; this is the one for all of them.
fn check(start: Instant) -> io::Result<()> {
    if start.elapsed() < CONNECTION_LIMIT { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
}

/// Whether the peer has hung up on us; whether it had reason to is what it reports.
fn is_dropped(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected].contains(&error.kind())
}
