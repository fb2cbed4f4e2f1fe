//! Why a connection did not come about, and what a person should do next.
//!
//! Every error keeps its cause as `source`; what is displayed is one line without any secret.

use core::error::Error;
use core::fmt;
use core::net::SocketAddr;
use std::io;

use crate::proxy::ProxyFault;

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
    /// The TLS handshake failed: the peer is not who the URL says, or cannot prove it.
    Tls {
        /// Host and port.
        peer: String,
        /// What is wrong.
        fault: TlsFault,
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

/// What is wrong with the peer's side of a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate was issued by a CA that is not trusted here, or by itself.
    UnknownCa,
    /// The certificate is for other names or addresses than the URL's host.
    WrongName,
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not begun.
    NotYetValid,
    /// The certificate is unusable otherwise: revoked, malformed, or not for a server.
    Certificate,
    /// The answer is not TLS.
    NotTls,
    /// The peer hung up inside the handshake.
    Closed,
    /// The peer refused the handshake with an alert.
    Refused,
    /// The peer broke the TLS protocol.
    Protocol,
}

impl TlsFault {
    /// Sorts the error with which a handshake ended.
    pub(crate) fn of(error: &io::Error) -> Self {
        use rustls::{CertificateError as Cert, Error as Tls, InvalidMessage};
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
            Some(Tls::InvalidCertificate(fault)) => match fault {
                // A CA that was made again under its old name shows as a signature that is bad.
                Cert::UnknownIssuer | Cert::BadSignature => Self::UnknownCa,
                Cert::NotValidForName | Cert::NotValidForNameContext { .. } => Self::WrongName,
                Cert::Expired | Cert::ExpiredContext { .. } => Self::Expired,
                Cert::NotValidYet | Cert::NotValidYetContext { .. } => Self::NotYetValid,
                _ => Self::Certificate,
            },
            Some(Tls::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload,
            )) => Self::NotTls,
            Some(Tls::AlertReceived(_)) => Self::Refused,
            Some(_) => Self::Protocol,
            // No error of TLS: the socket's own.
            None => Self::Closed,
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::UnknownCa => {
                "its certificate comes from an unknown CA or is self-signed: \
                 if you trust that CA, pass its certificate (--ca FILE, TlsOptions::ca_file)"
            }
            Self::WrongName => {
                "its certificate is for another name: \
                 use a host that the certificate names, or have it issued for this one"
            }
            Self::Expired => {
                "its certificate has expired: renew it, \
                 or set this machine's clock if that is wrong"
            }
            Self::NotYetValid => {
                "its certificate is not valid yet: check the clock of this machine, \
                 then the certificate's dates"
            }
            Self::Certificate => {
                "its certificate cannot be used: \
                 it is revoked, malformed, a CA's own, or not for a server; have a new one issued"
            }
            Self::NotTls => {
                "it does not speak TLS on this port: \
                 use the broker's TLS port, or ws:// or mqtt:// if it has none"
            }
            Self::Closed => {
                "it closed the connection inside the handshake: \
                 check that this is its TLS port and see the broker's log"
            }
            Self::Refused => {
                "it refused the handshake: see the broker's log \
                 for TLS versions, ALPN, or a client certificate that it demands"
            }
            Self::Protocol => {
                "it broke the TLS protocol: check for a proxy in between, see the broker's log"
            }
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice())
    }
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
            Self::Tls { peer, fault, .. } => write!(f, "TLS with {peer} failed: {fault}"),
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
            TlsFault::NotTls,
            TlsFault::Closed,
            TlsFault::Refused,
            TlsFault::Protocol,
        ] {
            all.push(ConnectError::Tls { peer: peer(), fault, source: io() });
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

    #[test]
    fn unknown_ca_names_the_option() {
        assert!(TlsFault::UnknownCa.to_string().contains("--ca FILE"));
    }
}
