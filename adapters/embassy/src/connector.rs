//! Where transports come from.

use embedded_io_async::{Error, Read, Write};

/// Makes one transport after another.
pub trait Connector {
    /// What can go wrong, also on the transport.
    type Error: Error;

    /// The reading half.
    type Reader<'c>: Read<Error = Self::Error>
    where
        Self: 'c;

    /// The writing half. [`Write::flush`] must not wait for the peer.
    type Writer<'c>: Write<Error = Self::Error>
    where
        Self: 'c;

    /// Establishes a transport: address, connection, TLS.
    ///
    /// Dropped when it takes too long; the next call starts over.
    #[expect(async_fn_in_trait, reason = "firmware's executor does not send futures")]
    async fn connect(&mut self) -> Result<(Self::Reader<'_>, Self::Writer<'_>), Self::Error>;

    /// Ends the transport in an orderly way; dropped when that takes too long.
    #[expect(async_fn_in_trait, reason = "firmware's executor does not send futures")]
    async fn close(&mut self) {}
}

/// A stream that stands by itself, in two halves: a UART with a modem or a host behind it.
#[derive(Debug)]
pub struct Line<R, W> {
    /// The reading half.
    pub reader: R,
    /// The writing half.
    pub writer: W,
}

impl<R: Read, W: Write<Error = R::Error>> Connector for Line<R, W> {
    type Error = R::Error;
    type Reader<'c>
        = &'c mut R
    where
        Self: 'c;
    type Writer<'c>
        = &'c mut W
    where
        Self: 'c;

    async fn connect(&mut self) -> Result<(&mut R, &mut W), R::Error> {
        Ok((&mut self.reader, &mut self.writer))
    }
}
