//! TLS on top of another connector.

use crate::{Fault, FillRng, Identity, Opening, Verifier, open};
use core::{cell::RefCell, fmt};
use dunlin_embassy::{Connector, Talk};
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

/// Makes TLS connections over the transports of another connector.
///
/// `F` fills memory with randomness that is fit for keys; `K` is the wall clock, in seconds of Unix time,
/// `None` as long as it is not known ([`Verifier::new`]).
pub struct TlsConnector<'t, C, F, K> {
    /// Makes the transport below: TCP to the port of the server.
    pub below: C,
    /// The server's host name, to be sent and to be proved.
    pub host: &'t str,
    /// The pinned roots, certificates in DER.
    pub anchors: &'t [&'t [u8]],
    /// Protocols to choose from (RFC 7301); none are offered when empty.
    pub alpn: &'t [&'t [u8]],
    /// What the client proves if it is asked.
    pub identity: Option<&'t Identity<'t>>,
    /// Randomness.
    pub random: F,
    /// The wall clock.
    pub clock: K,
    /// Memory of each connection.
    pub memory: TlsMemory<'t>,
}

/// Memory of one TLS connection.
pub struct TlsMemory<'t> {
    /// One record that is received: [`RECORD_READ_MAX`](crate::RECORD_READ_MAX) is always enough.
    pub read: &'t mut [u8],
    /// One record that is sent: [`RECORD_WRITE_MIN`](crate::RECORD_WRITE_MIN) at least.
    pub write: &'t mut [u8],
    /// The server's certificate: 1 to 2 KiB.
    pub leaf: &'t mut [u8],
}

impl<C, F, K> Connector for TlsConnector<'_, C, F, K>
where
    C: Connector,
    F: FnMut(&mut [u8]),
    K: Fn() -> Option<u64>,
{
    type Error = Fault;

    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, Fault> {
        let Self { below, host, anchors, alpn, identity, random, clock, memory } = self;
        let mut verifier = Verifier::new(anchors, clock(), memory.leaf);
        let opening = Opening { host, alpn, verifier: &mut verifier, identity: *identity };
        let secured = Secured {
            opening,
            read: memory.read,
            write: memory.write,
            random: FillRng(random),
            talk,
        };
        match below.carry(secured).await {
            Ok(carried) => carried,
            Err(error) => Err(Fault::Transport(error.kind())),
        }
    }
}

/// A conversation that goes through TLS.
struct Secured<'s, 'v, F, T> {
    opening: Opening<'s, 'v>,
    read: &'s mut [u8],
    write: &'s mut [u8],
    random: FillRng<F>,
    talk: T,
}

impl<F: FnMut(&mut [u8]), T: Talk> Talk for Secured<'_, '_, F, T> {
    type Output = Result<T::Output, Fault>;

    async fn talk<R: Read, W: Write<Error = R::Error>>(
        self,
        reader: &mut R,
        writer: &mut W,
    ) -> Self::Output {
        let Self { opening, read, write, random, talk } = self;
        let (reader, writer) = (RefCell::new(reader), RefCell::new(writer));
        let both = Both { reader: &reader, writer: &writer };
        let mut tls = open(both, read, write, random, opening).await?;
        let output = {
            let (mut reader, mut writer) = tls.split();
            talk.talk(&mut reader, &mut writer).await
        };
        // Behind the peer's own good-bye, embedded-tls would send this one in the clear, in a record that
        // says to be something else. The end of the transport has to do then.
        if tls.is_opened() {
            // The peer may be gone already.
            let _told = tls.close().await;
        }
        Ok(output)
    }
}

/// Two halves as the one stream that TLS wants, which takes it apart again.
struct Both<'b, R, W> {
    reader: &'b RefCell<R>,
    writer: &'b RefCell<W>,
}

impl<R, W> Clone for Both<'_, R, W> {
    fn clone(&self) -> Self {
        Self { reader: self.reader, writer: self.writer }
    }
}

impl<R: ErrorType, W> ErrorType for Both<'_, R, W> {
    type Error = ErrorKind;
}

/// Both halves of TLS would have to read, or to write, at a time: they do not.
const BUSY: ErrorKind = ErrorKind::AddrInUse;

#[expect(clippy::await_holding_refcell_ref, reason = "a second borrow is an error, not a panic")]
impl<R: Read, W> Read for Both<'_, R, W> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut reader = self.reader.try_borrow_mut().map_err(|_| BUSY)?;
        reader.read(buf).await.map_err(|error| error.kind())
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "a second borrow is an error, not a panic")]
impl<R: ErrorType, W: Write> Write for Both<'_, R, W> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        let mut writer = self.writer.try_borrow_mut().map_err(|_| BUSY)?;
        writer.write(buf).await.map_err(|error| error.kind())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        let mut writer = self.writer.try_borrow_mut().map_err(|_| BUSY)?;
        writer.flush().await.map_err(|error| error.kind())
    }
}

impl<C, F, K> fmt::Debug for TlsConnector<'_, C, F, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").field("host", &self.host).finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<C, F, K> defmt::Format for TlsConnector<'_, C, F, K> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "TlsConnector {{ host: {=str} }}", self.host);
    }
}

impl fmt::Debug for TlsMemory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMemory")
            .field("read", &self.read.len())
            .field("write", &self.write.len())
            .field("leaf", &self.leaf.len())
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for TlsMemory<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "TlsMemory {{ read: {=usize}, write: {=usize}, leaf: {=usize} }}",
            self.read.len(),
            self.write.len(),
            self.leaf.len()
        );
    }
}
