//! Where transports come from.

use embedded_io_async::{Error, Read, Write};

/// Makes one transport after another, and carries a conversation over each.
///
/// What a transport needs for its life (the records of TLS, the halves of a socket) lies on the stack of
/// [`Connector::carry`], so that layers go on top of one another without a heap.
pub trait Connector {
    /// What can go wrong before there is a transport.
    type Error: Error;

    /// Establishes a transport (address, connection, TLS), has `talk` speak over it, closes it in an
    /// orderly way, and returns what `talk` has.
    ///
    /// Dropped when it takes too long; the next call starts over.
    #[expect(async_fn_in_trait, reason = "firmware's executor does not send futures")]
    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, Self::Error>;
}

/// A conversation over a transport that has been established.
pub trait Talk {
    /// What comes of it.
    type Output;

    /// Speaks until it is over; the caller closes the transport then.
    ///
    /// [`Write::flush`] must not wait for the peer.
    #[expect(async_fn_in_trait, reason = "firmware's executor does not send futures")]
    async fn talk<R: Read, W: Write<Error = R::Error>>(
        self,
        reader: &mut R,
        writer: &mut W,
    ) -> Self::Output;
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

    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, R::Error> {
        Ok(talk.talk(&mut self.reader, &mut self.writer).await)
    }
}

#[cfg(feature = "defmt")]
impl<R, W> defmt::Format for Line<R, W> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Line");
    }
}
