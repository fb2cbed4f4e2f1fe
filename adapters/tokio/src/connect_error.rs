//! Why a connection did not come about, and what a person should do next.
//!
//! Every error keeps its cause as `source`; what is displayed is one line without any secret.

use core::error::Error;
use core::fmt;
use core::net::SocketAddr;
use std::io;

mod tls;

use crate::{Cause, proxy::ProxyFault};
pub use tls::TlsFault;

/// No connected stream. The first words say what failed, the rest what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host has no address: it is unknown, or no name server answered.
    Resolve {
        /// The host of the URL.
        host: String,
        /// What the system's resolver said.
        source: io::Error,
    },
    /// The host answered that nothing listens on the port.
    Refused {
        /// Host and port.
        peer: String,
        /// What the socket said.
        source: io::Error,
    },
    /// No route leads to the host.
    Unreachable {
        /// Host and port.
        peer: String,
        /// What the socket said.
        source: io::Error,
    },
    /// The deadline passed, or the system gave up waiting.
    TimedOut {
        /// Host and port.
        peer: String,
        /// What was waited for.
        stage: Stage,
        /// What the socket said, or that the deadline has elapsed.
        source: io::Error,
    },
    /// The system would not open the socket, or it broke at once.
    Socket {
        /// Host and port.
        peer: String,
        /// What the socket said.
        source: io::Error,
    },
    /// The proxy answered, and did not open the way.
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// Host and port of the URL.
        peer: String,
        /// What is wrong.
        fault: ProxyFault,
        /// What the socket said, where it was the socket that failed.
        source: Option<io::Error>,
    },
    /// The system's own CAs could not be loaded.
    PlatformRoots {
        /// What loading said.
        source: io::Error,
    },
    /// The TLS handshake failed: the peer is not who the URL says, or cannot prove it; or it does not let
    /// the client in.
    Tls {
        /// Host and port.
        peer: String,
        /// What is wrong.
        fault: TlsFault,
        /// What AWS IoT Core is known to mean by it, where the host is one of its own.
        cause: Option<Cause>,
        /// What rustls or the socket said.
        source: io::Error,
    },
}

/// One address of a host, and why there is no connection to it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// What the socket said, or that it had not answered when the deadline passed.
    pub error: io::Error,
}

/// All that was tried, as the cause of an error.
#[derive(Debug)]
pub(crate) struct Attempts(pub(crate) Vec<Attempt>);

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Attempt { address, error }) in self.0.iter().enumerate() {
            write!(f, "{}{address}: {error}", if at > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl Error for Attempts {}

/// What a connection was waiting for when its deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The resolver's answer.
    Resolve,
    /// The end of the TCP handshake.
    Tcp,
    /// The proxy's answer.
    Proxy,
    /// The end of the TLS handshake.
    Tls,
}

impl ConnectError {
    /// The addresses that were tried, in the order in which they failed.
    ///
    /// Empty when it was not TCP that failed.
    pub fn attempts(&self) -> &[Attempt] {
        let (Self::Refused { source, .. }
        | Self::Unreachable { source, .. }
        | Self::TimedOut { source, .. }
        | Self::Socket { source, .. }) = self
        else {
            return &[];
        };
        let attempts = source.get_ref().and_then(|inner| inner.downcast_ref::<Attempts>());
        attempts.map_or(&[], |attempts| &attempts.0)
    }

    /// Whether connecting again, unchanged, may succeed.
    pub(crate) const fn is_retryable(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. } => true,
            Self::Proxy { fault, .. } => fault.is_retryable(),
            Self::Socket { .. } | Self::PlatformRoots { .. } | Self::Tls { .. } => false,
        }
    }

    /// What failed and what to do, without the single addresses.
    fn write_advice(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { host, .. } => write!(
                f,
                "cannot find the host {host}: check its spelling and this machine's DNS and network"
            ),
            Self::Refused { peer, .. } => write!(
                f,
                "{peer} refused the connection: check that it runs and that the port is right"
            ),
            Self::Unreachable { peer, .. } => {
                write!(f, "no route to {peer}: check this machine's network, VPN and firewall")
            }
            Self::TimedOut { peer, stage: Stage::Resolve, .. } => {
                write!(f, "no name server answered for {peer} in time: check this machine's DNS")
            }
            Self::TimedOut { peer, stage: Stage::Tcp, .. } => write!(
                f,
                "{peer} did not answer in time: check host and port, and firewalls in between"
            ),
            Self::TimedOut { peer, stage: Stage::Proxy, .. } => write!(
                f,
                "the proxy {peer} did not open the way in time: \
                 check that it is a proxy of the URL's kind, and that it can reach the broker"
            ),
            Self::TimedOut { peer, stage: Stage::Tls, .. } => write!(
                f,
                "{peer} did not finish the TLS handshake in time: check that this is its TLS port"
            ),
            Self::Socket { peer, source } => write!(
                f,
                "cannot open a connection to {peer} ({source}): \
                 check this machine's limits and permissions"
            ),
            Self::Proxy { proxy, peer, fault, .. } => {
                write!(f, "no way to {peer} through the proxy {proxy}: {fault}")
            }
            Self::PlatformRoots { .. } => f.write_str(
                "this machine has no CA certificates that can be loaded: \
                 install ca-certificates, or pass a CA (--ca FILE, TlsOptions::ca_file)",
            ),
            Self::Tls { peer, fault, cause, .. } => {
                write!(f, "TLS with {peer} failed: {fault}")?;
                cause.map_or(Ok(()), |cause| write!(f, "; {cause}"))
            }
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_advice(f)?;
        match self {
            // One address says no more than the host.
            Self::Refused { source, .. }
            | Self::Unreachable { source, .. }
            | Self::TimedOut { source, .. }
                if self.attempts().len() > 1 =>
            {
                write!(f, " (tried {source})")
            }
            _ => Ok(()),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Resolve { source, .. }
            | Self::Refused { source, .. }
            | Self::Unreachable { source, .. }
            | Self::TimedOut { source, .. }
            | Self::Socket { source, .. }
            | Self::PlatformRoots { source }
            | Self::Tls { source, .. } => Some(source),
            Self::Proxy { source, .. } => {
                source.as_ref().map(|source| -> &(dyn Error + 'static) { source })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each() -> Vec<ConnectError> {
        let io = || io::Error::other("cause");
        let peer = || String::from("host:1");
        let mut all = vec![
            ConnectError::Resolve { host: peer(), source: io() },
            ConnectError::Refused { peer: peer(), source: io() },
            ConnectError::Unreachable { peer: peer(), source: io() },
            ConnectError::Socket { peer: peer(), source: io() },
            ConnectError::PlatformRoots { source: io() },
        ];
        for stage in [Stage::Resolve, Stage::Tcp, Stage::Proxy, Stage::Tls] {
            all.push(ConnectError::TimedOut { peer: peer(), stage, source: io() });
        }
        for fault in ProxyFault::each() {
            let (proxy, source) = (peer(), Some(io()));
            all.push(ConnectError::Proxy { proxy, peer: peer(), fault, source });
        }
        for fault in [
            TlsFault::UnknownCa,
            TlsFault::WrongName,
            TlsFault::Expired,
            TlsFault::NotYetValid,
            TlsFault::Certificate,
            TlsFault::NoClientCertificate,
            TlsFault::ClientCertificate,
            TlsFault::NotTls,
            TlsFault::Closed,
            TlsFault::Refused,
            TlsFault::Protocol,
        ] {
            all.push(ConnectError::Tls { peer: peer(), fault, cause: None, source: io() });
        }
        all
    }

    #[test]
    fn error_displayed_is_one_line_of_fault_and_advice() {
        for error in each() {
            let text = error.to_string();
            assert!(text.contains(": "), "{text}");
            assert!(!text.contains('\n') && !text.contains("  "), "{text}");
        }
    }

    #[test]
    fn error_always_keeps_its_cause() {
        for error in each() {
            assert_eq!(error.source().expect("a source").to_string(), "cause");
        }
    }
}
