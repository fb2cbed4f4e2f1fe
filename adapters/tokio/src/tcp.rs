//! A TCP connection to the first address of a host that answers.

use core::time::Duration;
use std::io;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::connect_error::{ConnectError, Stage};

/// Most addresses of one host that are tried; the resolver puts the likely ones first.
const ADDRESSES_MAX: usize = 16;

/// Resolves `host` and connects to its addresses in turn, all before `deadline`.
///
/// Each address gets an equal share of the time that is left, so that a silent one does not use up
/// the others' chance. TCP_NODELAY is on: MQTT packets are small and someone waits for each. The
/// resolver is the system's, on a thread of its own; past the deadline its answer is dropped.
pub(crate) async fn connect(
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    let addresses = match timeout_at(deadline, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect::<Vec<_>>(),
        Ok(Err(source)) => return Err(ConnectError::Resolve { host: host.into(), source }),
        Err(elapsed) => {
            let source = elapsed.into();
            return Err(ConnectError::TimedOut {
                peer: host.into(),
                stage: Stage::Resolve,
                source,
            });
        }
    };
    let mut failure = None;
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let attempt = TcpStream::connect(address);
        match timeout_at(share_end(deadline, left), attempt)
            .await
            .map_err(io::Error::from)
            .flatten()
        {
            Ok(stream) => {
                let nodelay = stream.set_nodelay(true);
                return nodelay.map(|()| stream).map_err(|source| error_of(host, port, source));
            }
            Err(source) => failure = Some(worse(failure, error_of(host, port, source))),
        }
        left = left.saturating_sub(1);
    }
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    Err(failure.unwrap_or_else(|| ConnectError::Resolve { host: host.into(), source: none() }))
}

/// When the next of `left` addresses has had its share of the time until `deadline`.
fn share_end(deadline: Instant, left: u32) -> Instant {
    let now = Instant::now();
    let share = deadline.saturating_duration_since(now).checked_div(left);
    now.checked_add(share.unwrap_or(Duration::ZERO)).unwrap_or(deadline)
}

/// What to report after two addresses have failed: the later, unless it merely has no route.
fn worse(earlier: Option<ConnectError>, later: ConnectError) -> ConnectError {
    match earlier {
        Some(earlier) if matches!(later, ConnectError::Unreachable { .. }) => earlier,
        _ => later,
    }
}

fn error_of(host: &str, port: u16, source: io::Error) -> ConnectError {
    use io::ErrorKind as Kind;
    let peer = peer(host, port);
    match source.kind() {
        Kind::ConnectionRefused => ConnectError::Refused { peer, source },
        // AddrNotAvailable: the address's family has no interface here.
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable => {
            ConnectError::Unreachable { peer, source }
        }
        Kind::TimedOut => ConnectError::TimedOut { peer, stage: Stage::Tcp, source },
        _ => ConnectError::Socket { peer, source },
    }
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
            let stream = connect(host, port, soon(10_000)).await.unwrap();
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
        let error = connect("127.0.0.1", port, soon(10_000)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        assert!(error.source().is_some());
    }

    /// No name server is asked: a label of 64 bytes is no name.
    #[tokio::test]
    async fn connect_to_an_unknown_host_is_a_resolve_error() {
        let host = "x".repeat(64);
        let error = connect(&host, 1, soon(30_000)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Resolve { .. }), "{error:?}");
        assert!(error.to_string().contains(&host));
    }

    /// TCP has no route to the broadcast address, on any network.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn connect_without_a_route_is_unreachable() {
        let error = connect("255.255.255.255", 1, soon(10_000)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    }

    /// A listener with a full queue is as silent as a firewall.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn connect_to_a_silent_host_times_out() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut queued = Vec::new();
        let started = Instant::now();
        let error = loop {
            match connect("127.0.0.1", port, soon(300)).await {
                Ok(stream) => queued.push(stream),
                Err(error) => break error,
            }
            assert!(queued.len() < 8, "the queue never fills");
        };
        assert!(
            matches!(error, ConnectError::TimedOut { stage: Stage::Tcp, .. }),
            "{error:?} after {} connections",
            queued.len()
        );
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn share_of_the_last_address_ends_at_the_deadline() {
        let deadline = soon(60_000);
        assert!(share_end(deadline, 1) <= deadline);
        let half = share_end(deadline, 2);
        assert!(half < deadline && half > Instant::now());
        assert!(share_end(Instant::now(), 3) <= Instant::now());
        assert!(share_end(deadline, 0) <= Instant::now());
    }

    #[test]
    fn address_without_a_route_does_not_hide_a_refusal() {
        let of = |kind| error_of("h", 1, io::Error::from(kind));
        let refused = || of(io::ErrorKind::ConnectionRefused);
        let unreachable = || of(io::ErrorKind::NetworkUnreachable);
        let both = worse(Some(refused()), unreachable());
        assert!(matches!(both, ConnectError::Refused { .. }));
        let both = worse(Some(unreachable()), refused());
        assert!(matches!(both, ConnectError::Refused { .. }));
        assert!(matches!(worse(None, unreachable()), ConnectError::Unreachable { .. }));
    }

    #[test]
    fn peer_of_an_ipv6_host_has_brackets() {
        assert_eq!(peer("::1", 80), "[::1]:80");
        assert_eq!(peer("h", 80), "h:80");
    }
}
