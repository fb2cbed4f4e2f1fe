//! TCP over embassy-net.

use crate::{Connector, Talk};
use core::{fmt, net::Ipv4Addr};
use embassy_net::{
    IpAddress, Stack,
    dns::DnsQueryType,
    tcp::{self, TcpReader, TcpSocket, TcpWriter},
};
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

/// Makes TCP connections to one server, by name or by address.
///
/// The socket is opened again for each connection, with the same buffers. Waits for a network first,
/// and asks DNS before each connection.
pub struct TcpConnector<'n> {
    stack: Stack<'n>,
    socket: TcpSocket<'n>,
    host: &'n str,
    port: u16,
}

impl<'n> TcpConnector<'n> {
    /// Connects to `host`, a name or an IPv4 address, on `port`; `rx` and `tx` are the socket's buffers.
    ///
    /// The longer `rx` is, the more the server may send before it is read; 1 to 4 KiB are usual.
    pub fn new(
        stack: Stack<'n>,
        host: &'n str,
        port: u16,
        rx: &'n mut [u8],
        tx: &'n mut [u8],
    ) -> Self {
        let mut socket = TcpSocket::new(stack, rx, tx);
        // Frames are batched already; with Nagle's algorithm each batch would wait for the last one.
        socket.set_nagle_enabled(false);
        Self { stack, socket, host, port }
    }

    async fn address(&self) -> Result<IpAddress, TcpError> {
        if let Ok(address) = self.host.parse::<Ipv4Addr>() {
            return Ok(IpAddress::Ipv4(address));
        }
        let found = self.stack.dns_query(self.host, DnsQueryType::A).await;
        found.ok().and_then(|found| found.first().copied()).ok_or(TcpError::Dns)
    }
}

impl Connector for TcpConnector<'_> {
    type Error = TcpError;

    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, TcpError> {
        self.socket.abort();
        self.stack.wait_config_up().await;
        let address = self.address().await?;
        self.socket.connect((address, self.port)).await.map_err(TcpError::from)?;
        let (reader, writer) = self.socket.split();
        let output = talk.talk(&mut TcpRead(reader), &mut TcpWrite(writer)).await;
        self.socket.close();
        // Until the server has all of it, or the runner gives up.
        let _gone = self.socket.flush().await;
        Ok(output)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for TcpConnector<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "TcpConnector {{ {=str}:{=u16} }}", self.host, self.port);
    }
}

/// The reading half of a connection.
struct TcpRead<'c>(TcpReader<'c>);

impl ErrorType for TcpRead<'_> {
    type Error = TcpError;
}

impl Read for TcpRead<'_> {
    async fn read(&mut self, memory: &mut [u8]) -> Result<usize, TcpError> {
        self.0.read(memory).await.map_err(TcpError::from)
    }
}

/// The writing half of a connection.
struct TcpWrite<'c>(TcpWriter<'c>);

impl ErrorType for TcpWrite<'_> {
    type Error = TcpError;
}

impl Write for TcpWrite<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, TcpError> {
        self.0.write(bytes).await.map_err(TcpError::from)
    }

    /// The stack sends by itself; its own flush waits for the server's acknowledgement, which may take
    /// 40 ms for each batch.
    async fn flush(&mut self) -> Result<(), TcpError> {
        Ok(())
    }
}

/// What went wrong with a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TcpError {
    /// The name has no address.
    Dns,
    /// The server refused, or cut the connection off.
    Reset,
    /// There is no way to the server.
    NoRoute,
    /// The stack gave up.
    TimedOut,
    /// The socket was not free.
    Busy,
}

impl From<tcp::Error> for TcpError {
    fn from(error: tcp::Error) -> Self {
        match error {
            tcp::Error::ConnectionReset => Self::Reset,
        }
    }
}

impl From<tcp::ConnectError> for TcpError {
    fn from(error: tcp::ConnectError) -> Self {
        match error {
            tcp::ConnectError::InvalidState => Self::Busy,
            tcp::ConnectError::ConnectionReset => Self::Reset,
            tcp::ConnectError::TimedOut => Self::TimedOut,
            tcp::ConnectError::NoRoute => Self::NoRoute,
        }
    }
}

impl fmt::Display for TcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the name of the server has no address",
            Self::Reset => "the server refused or cut off the connection",
            Self::NoRoute => "there is no way to the server",
            Self::TimedOut => "the server does not answer",
            Self::Busy => "the socket is busy",
        })
    }
}

impl core::error::Error for TcpError {}

impl Error for TcpError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Dns => ErrorKind::AddrNotAvailable,
            Self::Reset => ErrorKind::ConnectionReset,
            Self::NoRoute => ErrorKind::NotConnected,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Busy => ErrorKind::AddrInUse,
        }
    }
}
