//! TLS 1.2 and 1.3 by Mbed TLS, on a heap.
//!
//! The library that comes built with its crate looks at no date: a certificate that has expired is
//! believed. Its feature `hook-wall-clock` changes that; the library is built anew then, for which clang,
//! CMake and Ninja have to be there.

use crate::{door::House, settings};
use core::{
    cell::{Cell, RefCell},
    ffi::CStr,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::{Poll, Waker},
};
use dunlin_embassy::{Connector, Talk};
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};
use heapless::String;
use mbedtls_rs::{
    AuthMode, Certificate, ClientSessionConfig, Session, SessionConfig, SessionError, TlsReference,
    TlsVersion,
    sys::{MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, MbedtlsError},
};

/// Longest name of a host with the zero behind it: in text, 253 bytes (RFC 1035 §3.1).
const NAME_MAX: usize = 254;

/// Why there is no TLS connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The host's name is too long, or has a zero in it.
    Host,
    /// The transport below failed.
    Transport(ErrorKind),
    /// Mbed TLS says what was wrong: the root, the server, the memory.
    Session(SessionError),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("no name of a host"),
            Self::Transport(kind) => write!(f, "transport: {kind:?}"),
            Self::Session(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl core::error::Error for Fault {}

impl Error for Fault {
    fn kind(&self) -> ErrorKind {
        const UNBELIEVED: MbedtlsError = MbedtlsError::new(MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
        match self {
            Self::Host => ErrorKind::InvalidInput,
            Self::Transport(kind) => *kind,
            Self::Session(SessionError::MbedTls(error)) if *error == UNBELIEVED => {
                ErrorKind::PermissionDenied
            }
            Self::Session(error) => error.kind(),
        }
    }
}

/// Memory of one TLS connection: all of it is on the heap.
pub(crate) struct Records;

impl Records {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Puts TLS on top of `below`.
    pub(crate) fn secure<'s, C: Connector, F>(
        &'s mut self,
        below: C,
        house: &'s House<'_, F>,
        host: &'s str,
    ) -> MbedTls<'s, C> {
        MbedTls { below, host, root: settings::ROOT, tls: house.tls }
    }
}

/// Makes TLS connections over the transports of another connector: TCP, of which a read that is
/// dropped loses nothing.
pub(crate) struct MbedTls<'t, C> {
    below: C,
    /// The server's host name, to be sent and to be proved.
    host: &'t str,
    /// The one root that is trusted, a certificate in DER.
    root: &'t [u8],
    tls: TlsReference<'t>,
}

impl<C: Connector> Connector for MbedTls<'_, C> {
    type Error = Fault;

    async fn carry<T: Talk>(&mut self, talk: T) -> Result<T::Output, Fault> {
        let Self { below, host, root, tls } = self;
        let mut name = String::<NAME_MAX>::try_from(*host).map_err(|_| Fault::Host)?;
        name.push('\0').map_err(|_| Fault::Host)?;
        let host = CStr::from_bytes_with_nul(name.as_bytes()).map_err(|_| Fault::Host)?;
        let root = Certificate::new_no_copy(root).map_err(Fault::Session)?;
        let config = SessionConfig::Client(ClientSessionConfig {
            ca_chain: Some(root),
            server_name: Some(host),
            auth_mode: AuthMode::Required,
            min_version: TlsVersion::Tls1_2,
            ..ClientSessionConfig::new()
        });
        match below.carry(Secured { tls: *tls, config, talk }).await {
            Ok(carried) => carried,
            Err(error) => Err(Fault::Transport(error.kind())),
        }
    }
}

/// A conversation that goes through TLS.
struct Secured<'s, T> {
    tls: TlsReference<'s>,
    config: SessionConfig<'s>,
    talk: T,
}

impl<T: Talk> Talk for Secured<'_, T> {
    type Output = Result<T::Output, Fault>;

    async fn talk<R: Read, W: Write<Error = R::Error>>(
        self,
        reader: &mut R,
        writer: &mut W,
    ) -> Self::Output {
        let Self { tls, config, talk } = self;
        let both = Both { reader, writer };
        let mut session = Session::new(tls, both, &config).map_err(Fault::Session)?;
        session.connect().await.map_err(Fault::Session)?;
        let shared = Shared { session: RefCell::new(session), waiting: Cell::new(None) };
        let output = talk.talk(&mut Half(&shared), &mut Half(&shared)).await;
        // The peer may be gone already.
        let _told = shared.session.into_inner().close().await;
        Ok(output)
    }
}

/// A session that two halves use.
///
/// Its own two halves are left alone: the reading one panics when it has to write, and so it must to
/// complain about a record that somebody has forged.
struct Shared<S> {
    session: RefCell<S>,
    /// Who would like to read while something is being written.
    waiting: Cell<Option<Waker>>,
}

impl<S> Shared<S> {
    fn wake_reader(&self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

struct Half<'h, S>(&'h Shared<S>);

impl<S> ErrorType for Half<'_, S> {
    type Error = SessionError;
}

impl<T: Read + Write> Read for Half<'_, Session<'_, T>> {
    /// Uses the session only while it is polled; what has arrived in part is kept there.
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, SessionError> {
        let Shared { session, waiting } = self.0;
        poll_fn(|cx| match session.try_borrow_mut() {
            Ok(mut session) => pin!(session.read(buf)).poll(cx),
            Err(_) => {
                waiting.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

/// Two writes at a time.
const BUSY: SessionError = SessionError::Io(ErrorKind::AddrInUse);

#[expect(clippy::await_holding_refcell_ref, reason = "a second borrow waits, or is an error")]
impl<T: Read + Write> Write for Half<'_, Session<'_, T>> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, SessionError> {
        let written = self.0.session.try_borrow_mut().map_err(|_| BUSY)?.write(buf).await;
        self.0.wake_reader();
        written
    }

    async fn flush(&mut self) -> Result<(), SessionError> {
        let flushed = self.0.session.try_borrow_mut().map_err(|_| BUSY)?.flush().await;
        self.0.wake_reader();
        flushed
    }
}

/// Two halves as the one stream that TLS wants.
struct Both<'b, R, W> {
    reader: &'b mut R,
    writer: &'b mut W,
}

impl<R: ErrorType, W> ErrorType for Both<'_, R, W> {
    type Error = R::Error;
}

impl<R: Read, W> Read for Both<'_, R, W> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, R::Error> {
        self.reader.read(buf).await
    }
}

impl<R: ErrorType, W: Write<Error = R::Error>> Write for Both<'_, R, W> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, R::Error> {
        self.writer.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), R::Error> {
        self.writer.flush().await
    }
}
