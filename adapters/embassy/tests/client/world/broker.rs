//! A server and the way to it, for programs that know several.

use super::{
    Server,
    pipe::{Pipe, Reader, Writer},
};
use dunlin_embassy::{
    Connector, Error, Fixed, Line, Runner, Talk,
    dunlin::{Connect, Transport, Version},
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_async::ErrorKind;
use std::{cell::Cell, ops::Deref};

/// Bytes that the line carries at a time.
const CHUNK: usize = 64;

/// A server, and what a connection to it fails with.
pub(crate) struct Broker {
    server: Server,
    version: Version,
    up: Pipe,
    down: Pipe,
    fault: Cell<Option<ErrorKind>>,
}

impl Broker {
    pub(crate) fn new(version: Version) -> Self {
        let (up, down) = (Pipe::new(CHUNK), Pipe::new(CHUNK));
        let server = Server::new(version, up.clone(), down.clone());
        Self { server, version, up, down, fault: Cell::default() }
    }

    /// Connections fail from now on, or do not.
    pub(crate) fn fail_with(&self, fault: Option<ErrorKind>) {
        self.fault.set(fault);
    }
}

impl Deref for Broker {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Connects to a broker of the test's.
struct Wire<'b>(&'b Broker);

impl Connector for Wire<'_> {
    type Error = ErrorKind;

    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, ErrorKind> {
        let Broker { server, up, down, fault, .. } = self.0;
        if let Some(kind) = fault.get() {
            return Err(kind);
        }
        server.forget_connection();
        Line { reader: Reader(down.clone()), writer: Writer(up.clone()) }.carry(talk).await
    }
}

/// Runs until the program closes the client.
pub(crate) async fn keep_connected(
    runner: &mut Runner<'_, NoopRawMutex, 4>,
    broker: &Broker,
) -> Error {
    let connect = Connect { version: broker.version, keep_alive_s: 30, ..Connect::new("test") };
    let mut access = Fixed { transport: Transport::Stream, connect };
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    runner.run(&mut Wire(broker), &mut access, &mut random).await
}
