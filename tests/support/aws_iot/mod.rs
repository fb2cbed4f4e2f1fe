//! A local AWS IoT Core out of real parts: TLS, a check of who comes, its rules, and a real broker.
//!
//! The check of the signature is a recomputation of its own, after "Signature Version 4 for API
//! requests" of the AWS IAM User Guide and "MQTT over the WebSocket protocol" of the AWS IoT developer
//! guide; the rules are those of "MQTT" and of the quotas there. No code is shared with Dunlin.
//!
//! What [`Quirks`] hold can be changed while it runs; what it saw is in [`AwsIot::seen`].

mod authorization;
mod authorizer;
mod certificates;
mod clock;
mod head;
mod judge;
mod line;
mod matching;
mod packet;
mod pipe;
mod policy;
mod quirks;
mod record;
mod refusal;
mod role_alias;
mod rules;
mod sessions;

pub(crate) use authorization::Desk;
pub use certificates::ClientCertificate;
pub(crate) use clock::now_s;
pub(crate) use head::Head;
pub use judge::Judgement;
pub use packet::{Connect, Packet, Publish, Subscribe};
pub use policy::Document;
pub use quirks::{
    Access, Authorizer, Certificate, Key, Limits, Matching, QosTwo, Quirks, TlsVersions, Withheld,
};
pub use record::{Attempt, Breach, Seen, Side, WAIT_LIMIT};
pub use role_alias::RoleAlias;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;

use certificates::{ALPN_AUTHORIZER, ALPN_X509, Certificates};
use judge::Gate;
use line::Line;
use pipe::Pipe;
use record::{Events, Record};
use rules::Warrant;
use sessions::Sessions;

/// How long a client may take from the TCP connection to the end of its request.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// A running gateway; it and all its connections end with this value.
#[derive(Debug)]
pub struct AwsIot {
    port: u16,
    mqtts_port: u16,
    ca_pem: String,
    ca_file: NamedTempFile,
    client: ClientCertificate,
    gateway: Arc<Gateway>,
    listeners: [AbortHandle; 2],
}

impl AwsIot {
    /// Starts a gateway on free ports of 127.0.0.1, in front of a broker's plain listener.
    ///
    /// Panics when it cannot start.
    pub async fn start(broker: SocketAddr, quirks: Quirks) -> Self {
        let Certificates { ca_pem, client, server } =
            Certificates::new(quirks.certificate, quirks.tls);
        let mut ca_file =
            tempfile::Builder::new().prefix("ca-").suffix(".pem").tempfile().expect("a file");
        ca_file.write_all(ca_pem.as_bytes()).expect("a file that can be written");
        let gateway = Arc::new(Gateway::new(broker, quirks));
        let [(port, web), (mqtts_port, bare)] = [
            listen(Port::Https, &server, &gateway).await,
            listen(Port::Mqtts, &server, &gateway).await,
        ];
        let listeners = [web, bare];
        Self { port, mqtts_port, ca_pem, ca_file, client, gateway, listeners }
    }

    /// Where it listens as AWS does on 443: WebSocket, or what ALPN says.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens as AWS does on 8883: MQTT for clients with certificates.
    pub const fn mqtts_port(&self) -> u16 {
        self.mqtts_port
    }

    /// The certificate of its CA.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same as a file, which is removed with this value.
    pub fn ca_file(&self) -> &Path {
        self.ca_file.path()
    }

    /// A certificate that it lets in.
    pub const fn client_certificate(&self) -> &ClientCertificate {
        &self.client
    }

    /// Changes what it is like, for connections that stand as well; the certificate stays.
    pub fn change(&self, change: impl FnOnce(&mut Quirks)) {
        let mut quirks = self.gateway.quirks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Quirks::clone(&quirks);
        change(&mut changed);
        if changed.withheld != quirks.withheld {
            self.gateway.sessions.set_withheld(changed.withheld);
        }
        *quirks = Arc::new(changed);
    }

    /// Drops all connections, and goes on listening.
    pub fn cut_all(&self) {
        pipe::cut_all(&self.gateway.cut);
    }

    /// What became of the attempts to come in so far, in the order of their judgement.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.gateway.record.events().attempts.clone()
    }

    /// Why clients were dropped so far.
    pub fn breaches(&self) -> Vec<Breach> {
        self.gateway.record.events().breaches.clone()
    }

    /// The cipher suites that the last client offered, by their names in rustls.
    pub fn offered_suites(&self) -> Vec<String> {
        self.gateway.record.events().suites.clone()
    }

    /// Every packet so far, in its order.
    pub fn seen(&self) -> Vec<Seen> {
        self.gateway.record.events().seen.clone()
    }

    /// Waits until so many attempts were judged, and returns what became of them.
    pub async fn attempted(&self, count: usize) -> Vec<Attempt> {
        let look =
            |events: &Events| (events.attempts.len() >= count).then(|| events.attempts.clone());
        self.gateway.record.wait("an attempt", look).await
    }

    /// Waits until so many clients were dropped, and says why.
    pub async fn dropped(&self, count: usize) -> Vec<Breach> {
        let look =
            |events: &Events| (events.breaches.len() >= count).then(|| events.breaches.clone());
        self.gateway.record.wait("a breach", look).await
    }

    /// Waits until the packets `wanted` has accepted are so many, and returns them.
    pub async fn packets(&self, count: usize, wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let look = |events: &Events| {
            let found: Vec<Seen> =
                events.seen.iter().filter(|seen| wanted(seen)).cloned().collect();
            (found.len() >= count).then_some(found)
        };
        self.gateway.record.wait("packets", look).await
    }
}

impl Drop for AwsIot {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Gateway {
    broker: SocketAddr,
    quirks: Mutex<Arc<Quirks>>,
    record: Record,
    sessions: Sessions,
    cut: Arc<watch::Sender<u64>>,
    connections: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Https,
    Mqtts,
}

async fn listen(port: Port, tls: &Arc<ServerConfig>, gateway: &Arc<Gateway>) -> (u16, AbortHandle) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let number = listener.local_addr().expect("an address").port();
    let task = tokio::spawn(accept(listener, port, Arc::clone(tls), Arc::clone(gateway)));
    (number, task.abort_handle())
}

async fn accept(listener: TcpListener, port: Port, tls: Arc<ServerConfig>, gateway: Arc<Gateway>) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (tcp, _) = accepted.expect("a connection");
                let (tls, gateway) = (Arc::clone(&tls), Arc::clone(&gateway));
                // An error is the end of one connection; whoever holds its other end sees it.
                connections.spawn(async move { gateway.serve(tcp, port, tls).await.ok() });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Gateway {
    fn new(broker: SocketAddr, quirks: Quirks) -> Self {
        let sessions = Sessions::default();
        sessions.set_withheld(quirks.withheld);
        Self {
            broker,
            quirks: Mutex::new(Arc::new(quirks)),
            record: Record::default(),
            sessions,
            cut: Arc::default(),
            connections: AtomicUsize::new(0),
        }
    }

    fn quirks(&self) -> Arc<Quirks> {
        Arc::clone(&self.quirks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn next_number(&self) -> usize {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    async fn serve(&self, tcp: TcpStream, port: Port, tls: Arc<ServerConfig>) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let cut = self.cut.subscribe();
        let (line, warrant, identity) = timeout(REQUEST_LIMIT, async {
            let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
            let suites = hello.client_hello().cipher_suites().to_vec();
            self.record.suites(suites.iter().map(|suite| format!("{suite:?}")).collect());
            let stream = hello.into_stream(tls).await?;
            let alpn = stream.get_ref().1.alpn_protocol();
            if port == Port::Mqtts || alpn == Some(ALPN_X509) {
                return self.admit_certificate(stream);
            }
            if alpn == Some(ALPN_AUTHORIZER) {
                return Ok((Line::Bare(Box::new(stream)), Warrant::UserName, None));
            }
            self.admit_upgrade(stream).await
        })
        .await??;
        Pipe::new(self, line, warrant, identity).await?.run(cut).await
    }

    fn admit_certificate(&self, stream: TlsStream<TcpStream>) -> io::Result<Admitted> {
        if stream.get_ref().1.peer_certificates().is_none() {
            self.record.attempt(Attempt::Refused(Judgement::Certificate));
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.record.attempt(Attempt::Certified);
        Ok((Line::Bare(Box::new(stream)), Warrant::Granted, None))
    }

    async fn admit_upgrade(&self, mut stream: TlsStream<TcpStream>) -> io::Result<Admitted> {
        let head = Head::read(&mut stream).await?;
        let quirks = self.quirks();
        let now_s = clock::now_s().saturating_add_signed(quirks.clock_offset_s);
        let judged = head.and_then(|head| {
            let (warrant, identity, attempt) = judge_request(&quirks, now_s, &head)?;
            Ok((head, warrant, identity, attempt))
        });
        let judgement = match judged {
            Ok((head, warrant, identity, attempt)) => {
                self.record.attempt(attempt);
                match Line::upgrade(stream, &head).await? {
                    Ok(line) => return Ok((line, warrant, identity)),
                    Err(_) => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
            Err(judgement) => judgement,
        };
        self.record.attempt(Attempt::Refused(judgement));
        let expired = judgement == Judgement::Expired;
        let status = if expired { quirks.expired_status } else { 403 };
        refusal::send(&mut stream, status, now_s).await?;
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

type Admitted = (Line, Warrant, Option<String>);

/// Who it is that asks for an upgrade, or the first thing that is wrong.
fn judge_request(
    quirks: &Quirks,
    now_s: u64,
    head: &Head,
) -> Result<(Warrant, Option<String>, Attempt), Judgement> {
    if authorizer::is_meant(head) {
        authorizer::judge(quirks.authorizer.as_ref(), head)?;
        return Ok((Warrant::User, None, Attempt::Authorized));
    }
    if quirks.authorizer.is_some() && head.path_and_query().1.is_empty() {
        judge::check_request(head)?;
        return Ok((Warrant::UserName, None, Attempt::Authorized));
    }
    let issued = quirks.issuer.as_ref().map_or_else(Vec::new, |issuer| issuer.issued());
    let keys: Vec<Key> =
        quirks.keys.iter().chain(issued.iter().map(|issued| &issued.key)).cloned().collect();
    let key = Gate { region: &quirks.region, keys: &keys, now_s }.judge(head)?.clone();
    let issued = issued.into_iter().find(|issued| issued.key == key);
    if issued.as_ref().is_some_and(|issued| (now_s as f64) >= issued.expires_s) {
        return Err(Judgement::TokenExpired);
    }
    let Key { access_key_id, session_token, .. } = key;
    let attempt = Attempt::Accepted { access_key_id, session_token };
    Ok((Warrant::Granted, issued.map(|issued| issued.identity), attempt))
}

#[cfg(test)]
mod tests;
