//! A local AWS IoT Core out of real parts: TLS, a check of the signature, and a real broker.
//!
//! The check is a recomputation of its own, after "Signature Version 4 for API requests" of the AWS
//! IAM User Guide and "MQTT over the WebSocket protocol" of the AWS IoT developer guide; it shares
//! no code with Dunlin's signer. Behind it the gateway is a pipe of bytes.

mod certificates;
mod clock;
mod head;
mod judge;
mod refusal;

pub use judge::Judgement;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use certificates::Certificates;
use head::Head;
use judge::Gate;

/// How long a client may take from the TCP connection to the end of its request.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// What this AWS IoT Core is like; the default is an honest one in `us-east-1`.
#[derive(Clone, Debug)]
pub struct Quirks {
    /// The region it stands in.
    pub region: String,
    /// The keys it knows; one permanent and one temporary by default.
    pub keys: Vec<Key>,
    /// How many seconds its clock is ahead of the machine's.
    pub clock_offset_s: i64,
    /// Cuts each connection this long after its upgrade, as the real one does after 24 hours.
    pub cut_after: Option<Duration>,
}

impl Default for Quirks {
    fn default() -> Self {
        let keys = vec![Key::permanent(), Key::temporary()];
        Self { region: "us-east-1".to_owned(), keys, clock_offset_s: 0, cut_after: None }
    }
}

/// An access key that the gateway knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Names the key.
    pub access_key_id: String,
    /// What it signs with.
    pub secret_access_key: String,
    /// What a temporary key is good with only, and a permanent one must not come with.
    pub session_token: Option<String>,
}

impl Key {
    /// A key of a user, which has no session token.
    pub fn permanent() -> Self {
        Self {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        }
    }

    /// A key of a role, whose session token is as long as real ones get and needs encoding.
    pub fn temporary() -> Self {
        Self {
            access_key_id: "ASIATEMPORARYEXAMPLE".to_owned(),
            secret_access_key: "AKEYofAroleFORtests/K7MDENG+bPxRfiCYEXA".to_owned(),
            session_token: Some("IQoJb3JpZ2lu/EXAMPLE+token==".repeat(72)),
        }
    }
}

/// What became of one upgrade request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was handed to the broker.
    Accepted {
        /// Who signed.
        access_key_id: String,
        /// The session token that came with the signature.
        session_token: Option<String>,
    },
    /// It was answered with 403.
    Refused(Judgement),
}

/// A running gateway; it and all its connections end with this value.
#[derive(Debug)]
pub struct AwsIot {
    port: u16,
    ca_pem: String,
    ca_file: NamedTempFile,
    attempts: Arc<Mutex<Vec<Attempt>>>,
    listener: AbortHandle,
}

impl AwsIot {
    /// Starts a gateway on a free port of 127.0.0.1, in front of a broker's WebSocket listener.
    ///
    /// Its certificate is for `localhost` and `127.0.0.1`. Panics when it cannot start.
    pub async fn start(broker_ws: SocketAddr, quirks: Quirks) -> Self {
        let Certificates { ca_pem, server } = Certificates::new();
        let mut ca_file =
            tempfile::Builder::new().prefix("ca-").suffix(".pem").tempfile().expect("a file");
        ca_file.write_all(ca_pem.as_bytes()).expect("a file that can be written");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let attempts = Arc::<Mutex<Vec<Attempt>>>::default();
        let gateway = Gateway { broker_ws, quirks, attempts: Arc::clone(&attempts) };
        let task = tokio::spawn(listen(listener, TlsAcceptor::from(server), Arc::new(gateway)));
        Self { port, ca_pem, ca_file, attempts, listener: task.abort_handle() }
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of its CA.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same as a file, which is removed with this value.
    pub fn ca_file(&self) -> &Path {
        self.ca_file.path()
    }

    /// What became of the upgrade requests so far, in the order of their judgement.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for AwsIot {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// What all connections share.
struct Gateway {
    broker_ws: SocketAddr,
    quirks: Quirks,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

async fn listen(listener: TcpListener, tls: TlsAcceptor, gateway: Arc<Gateway>) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (tcp, _) = accepted.expect("a connection");
                let (tls, gateway) = (tls.clone(), Arc::clone(&gateway));
                // An error is the end of one connection; whoever holds its other end sees it.
                connections.spawn(async move { gateway.serve(tcp, tls).await.ok() });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Gateway {
    async fn serve(&self, tcp: TcpStream, tls: TlsAcceptor) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let (mut stream, head) = timeout(REQUEST_LIMIT, async {
            let mut stream = tls.accept(tcp).await?;
            let head = Head::read(&mut stream).await?;
            io::Result::Ok((stream, head))
        })
        .await??;
        let now_s = clock::now_s().saturating_add_signed(self.quirks.clock_offset_s);
        let gate = Gate { region: &self.quirks.region, keys: &self.quirks.keys, now_s };
        match head.and_then(|head| Ok((gate.judge(&head)?, head))) {
            Ok((key, head)) => {
                self.note(Attempt::Accepted {
                    access_key_id: key.access_key_id.clone(),
                    session_token: key.session_token.clone(),
                });
                self.pipe(stream, &head).await
            }
            Err(judgement) => {
                self.note(Attempt::Refused(judgement));
                refusal::send(&mut stream, now_s).await
            }
        }
    }

    async fn pipe(
        &self,
        mut client: impl AsyncRead + AsyncWrite + Unpin,
        head: &Head,
    ) -> io::Result<()> {
        let mut broker = TcpStream::connect(self.broker_ws).await?;
        broker.set_nodelay(true)?;
        broker.write_all(&head.forwarded()).await?;
        let copied = copy_bidirectional(&mut client, &mut broker);
        match self.quirks.cut_after {
            Some(limit) => timeout(limit, copied).await??,
            None => copied.await?,
        };
        Ok(())
    }

    fn note(&self, attempt: Attempt) {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).push(attempt);
    }
}

#[cfg(test)]
mod tests;
