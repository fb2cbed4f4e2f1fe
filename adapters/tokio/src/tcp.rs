//! A TCP connection to the first address of a host that answers.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::connect_error::{Attempt, Attempts, ConnectError, Stage};

/// Most addresses of one host that are tried; the resolver puts the likely ones first.
const ADDRESSES_MAX: usize = 16;

/// How long an address may be silent until the next is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The shortest time that every system takes for a keepalive.
const KEEPALIVE_MIN: Duration = Duration::from_secs(1);

/// How the system treats a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpOptions {
    /// Small segments leave at once (TCP_NODELAY): someone waits for each packet.
    pub(crate) nodelay: bool,
    /// The silence after which the system asks whether the peer is alive (RFC 1122 §4.2.3.6).
    pub(crate) keepalive: Option<Duration>,
    /// How long one stage of connecting may take, beside the deadline of them all.
    pub(crate) stage: Option<Duration>,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { nodelay: true, keepalive: None, stage: None }
    }
}

impl TcpOptions {
    /// When a stage that begins now must be over, all of them at `deadline`.
    pub(crate) fn stage_deadline(self, deadline: Instant) -> Instant {
        let own = self.stage.and_then(|stage| Instant::now().checked_add(stage));
        own.map_or(deadline, |own| own.min(deadline))
    }

    fn apply(self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(self.nodelay)?;
        match self.keepalive {
            Some(idle) => {
                let keepalive = TcpKeepalive::new().with_time(idle.max(KEEPALIVE_MIN));
                SockRef::from(stream).set_tcp_keepalive(&keepalive)
            }
            None => Ok(()),
        }
    }
}

/// Resolves `host` and connects to the first of its addresses that answers, all before `deadline`.
///
/// The addresses are tried in turn, the families alternating, each when the one before has failed
/// or been silent for 250 ms, and the silent ones go on beside it (RFC 8305 §4 and §5).
pub(crate) async fn connect(
    host: &str,
    port: u16,
    options: TcpOptions,
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    let addresses = resolve(host, port, options.stage_deadline(deadline)).await?;
    match race(interleaved(addresses), options.stage_deadline(deadline)).await {
        Ok(stream) => match options.apply(&stream) {
            Ok(()) => Ok(stream),
            Err(source) => Err(error_of(host, port, source)),
        },
        Err(attempts) => Err(failure_of(host, port, attempts)),
    }
}

/// The addresses of `host`, at least one.
///
/// The resolver is the system's, on a thread of its own; past the deadline its answer is dropped.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    match timeout_at(deadline, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.take(ADDRESSES_MAX).collect();
            if addresses.is_empty() {
                return Err(ConnectError::Resolve { host: host.into(), source: none() });
            }
            Ok(addresses)
        }
        Ok(Err(source)) => Err(ConnectError::Resolve { host: host.into(), source }),
        Err(elapsed) => {
            let source = elapsed.into();
            Err(ConnectError::TimedOut { peer: host.into(), stage: Stage::Resolve, source })
        }
    }
}

/// The same addresses, the two families alternating, the first one's first (RFC 8305 §4).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Attempts under way beside each other, and what has become of the others.
#[derive(Default)]
struct Race {
    running: Vec<(SocketAddr, Connecting)>,
    failed: Vec<Attempt>,
}

impl Race {
    fn start(&mut self, address: SocketAddr) {
        self.running.push((address, Box::pin(TcpStream::connect(address))));
    }

    /// `Some` is the winner's stream, `None` that an attempt has failed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<TcpStream>> {
        for (at, (address, attempt)) in self.running.iter_mut().enumerate() {
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Some(stream)),
                Poll::Ready(Err(error)) => {
                    self.failed.push(Attempt { address: *address, error });
                    drop(self.running.remove(at));
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    /// What to report: those that were still waiting have run out of time.
    fn into_failures(mut self) -> Vec<Attempt> {
        let late = |(address, _)| Attempt { address, error: io::ErrorKind::TimedOut.into() };
        self.failed.extend(self.running.into_iter().map(late));
        self.failed
    }
}

async fn race(addresses: Vec<SocketAddr>, deadline: Instant) -> Result<TcpStream, Vec<Attempt>> {
    let mut waiting = addresses.into_iter();
    let mut race = Race::default();
    loop {
        match waiting.next() {
            Some(address) => race.start(address),
            None if race.running.is_empty() => return Err(race.into_failures()),
            None => {}
        }
        let patience = Instant::now().checked_add(ATTEMPT_DELAY).unwrap_or(deadline);
        let until = if waiting.len() > 0 { patience.min(deadline) } else { deadline };
        let mut timer = pin!(sleep_until(until));
        let step = poll_fn(|cx| match race.poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        });
        if let Some(stream) = step.await {
            return Ok(stream);
        }
        if Instant::now() >= deadline {
            return Err(race.into_failures());
        }
    }
}

/// The attempts as one error, of the kind of the most telling one.
fn failure_of(host: &str, port: u16, attempts: Vec<Attempt>) -> ConnectError {
    let kind = attempts.iter().map(|attempt| attempt.error.kind()).reduce(worse);
    let kind = kind.unwrap_or(io::ErrorKind::TimedOut);
    error_of(host, port, io::Error::new(kind, Attempts(attempts)))
}

/// What to report after two addresses have failed: the later, unless it merely has no route.
fn worse(earlier: io::ErrorKind, later: io::ErrorKind) -> io::ErrorKind {
    if is_no_route(later) { earlier } else { later }
}

/// AddrNotAvailable: the address's family has no interface here.
const fn is_no_route(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(kind, Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable)
}

fn error_of(host: &str, port: u16, source: io::Error) -> ConnectError {
    let peer = peer(host, port);
    match source.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { peer, source },
        kind if is_no_route(kind) => ConnectError::Unreachable { peer, source },
        io::ErrorKind::TimedOut => ConnectError::TimedOut { peer, stage: Stage::Tcp, source },
        _ => ConnectError::Socket { peer, source },
    }
}

/// Reads what has come into `buf`; 0 is the end.
pub(crate) async fn read_some(stream: &mut TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    let mut buf = ReadBuf::new(buf);
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buf)).await?;
    Ok(buf.filled().len())
}

/// Writes all of `bytes`.
pub(crate) async fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, rest)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => rest = rest.get(written..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Host and port as people write them.
pub(crate) fn peer(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use core::error::Error;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    fn soon(millis: u64) -> Instant {
        Instant::now().checked_add(Duration::from_millis(millis)).unwrap()
    }

    #[tokio::test]
    async fn connect_to_a_listener_has_nodelay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // By name too: one of the addresses of "localhost" may have no listener.
        for host in ["127.0.0.1", "localhost"] {
            let stream = connect(host, port, TcpOptions::default(), soon(10_000)).await.unwrap();
            assert!(stream.nodelay().unwrap());
            listener.accept().await.unwrap();
        }
    }

    #[tokio::test]
    async fn connect_to_a_closed_port_is_refused() {
        // Bound and not listening: nobody else can take the port meanwhile.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        let error =
            connect("127.0.0.1", port, TcpOptions::default(), soon(10_000)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        assert!(error.source().is_some());
    }

    /// No name server is asked: a label of 64 bytes is no name.
    #[tokio::test]
    async fn connect_to_an_unknown_host_is_a_resolve_error() {
        let host = "x".repeat(64);
        let error = connect(&host, 1, TcpOptions::default(), soon(30_000)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Resolve { .. }), "{error:?}");
        assert!(error.to_string().contains(&host));
    }

    /// TCP has no route to the broadcast address, on any network.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn connect_without_a_route_is_unreachable() {
        let error =
            connect("255.255.255.255", 1, TcpOptions::default(), soon(10_000)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    }

    /// A listener with a full queue is as silent as a firewall; what is in the queue stays there.
    #[cfg(target_os = "linux")]
    async fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = timeout_at(soon(300), TcpStream::connect(address)).await {
            queued.push(stream.unwrap());
            assert!(queued.len() < 8, "the queue never fills");
        }
        (address, listener, queued)
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn connect_to_a_silent_host_times_out() {
        let (address, _listener, _queued) = silent().await;
        let started = Instant::now();
        let stage = Some(Duration::from_millis(300));
        for (options, deadline) in [
            (TcpOptions::default(), soon(300)),
            (TcpOptions { stage, ..TcpOptions::default() }, soon(60_000)),
        ] {
            let error = connect("127.0.0.1", address.port(), options, deadline).await.unwrap_err();
            assert!(matches!(error, ConnectError::TimedOut { stage: Stage::Tcp, .. }), "{error:?}");
            assert_eq!(error.attempts().len(), 1);
        }
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    /// RFC 8305 §5
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn silent_address_does_not_hold_up_the_next() {
        let (dead, _listener, _queued) = silent().await;
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = alive.local_addr().unwrap();
        let started = Instant::now();
        let stream = race(vec![dead, port], soon(60_000)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), port);
        assert!(started.elapsed() >= ATTEMPT_DELAY);
    }

    #[tokio::test]
    async fn refused_address_gives_way_at_once() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let dead = socket.local_addr().unwrap();
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = alive.local_addr().unwrap();
        // Enough of them that waiting for each would miss the deadline.
        let mut addresses = vec![dead; 15];
        addresses.push(port);
        let deadline = Instant::now().checked_add(ATTEMPT_DELAY * 12).unwrap();
        let stream = race(addresses, deadline).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), port);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn every_failed_address_is_named() {
        let (silent, _listener, _queued) = silent().await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let refusing = socket.local_addr().unwrap();
        let failures = race(vec![refusing, silent], soon(300)).await.unwrap_err();
        let error = failure_of("broker", 1883, failures);
        assert!(matches!(error, ConnectError::TimedOut { stage: Stage::Tcp, .. }), "{error:?}");
        let tried: Vec<_> = error.attempts().iter().map(|attempt| attempt.address).collect();
        assert_eq!(tried, [refusing, silent]);
        let text = error.to_string();
        for address in tried {
            assert!(text.contains(&address.to_string()), "{text}");
        }
        assert!(text.contains("broker:1883") && !text.contains('\n'), "{text}");
    }

    #[tokio::test]
    async fn options_of_tcp_reach_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let idle = Duration::from_secs(90);
        for (options, alive) in [
            (TcpOptions { nodelay: false, keepalive: Some(idle), stage: None }, true),
            (TcpOptions { keepalive: Some(Duration::ZERO), ..TcpOptions::default() }, true),
            (TcpOptions::default(), false),
        ] {
            let stream = connect("127.0.0.1", port, options, soon(30_000)).await.unwrap();
            assert_eq!(stream.nodelay().unwrap(), options.nodelay);
            let socket = SockRef::from(&stream);
            assert_eq!(socket.keepalive().unwrap(), alive);
            #[cfg(target_os = "linux")]
            if let Some(idle) = options.keepalive {
                assert_eq!(socket.tcp_keepalive_time().unwrap(), idle.max(KEEPALIVE_MIN));
            }
        }
    }

    /// RFC 8305 §4
    #[test]
    fn addresses_alternate_between_families() {
        let of = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let given = of(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let wanted = of(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(interleaved(given), wanted);
        let given = of(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]);
        assert_eq!(interleaved(given), of(&["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]));
        assert_eq!(interleaved(Vec::new()), []);
    }

    #[test]
    fn address_without_a_route_does_not_hide_a_refusal() {
        use io::ErrorKind::{ConnectionRefused as Refused, NetworkUnreachable as Unreachable};
        assert_eq!(worse(Refused, Unreachable), Refused);
        assert_eq!(worse(Unreachable, Refused), Refused);
        assert_eq!(worse(Unreachable, Unreachable), Unreachable);
    }

    #[test]
    fn peer_of_an_ipv6_host_has_brackets() {
        assert_eq!(peer("::1", 80), "[::1]:80");
        assert_eq!(peer("h", 80), "h:80");
    }
}
