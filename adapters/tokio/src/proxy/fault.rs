//! What is wrong with a proxy's answer, and what a person should do next.

use core::fmt;
use std::io;

/// Why a proxy did not open the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyFault {
    /// No connection to the proxy: it is unknown, nothing listens there, or no way leads to it.
    Away,
    /// The HTTP proxy answered CONNECT with another status than 2xx.
    Status(u16),
    /// The SOCKS5 proxy answered the request with this reply code (RFC 1928 §6).
    Reply(u8),
    /// The SOCKS5 proxy wants to be asked in another way: with user name and password where there
    /// are none, or in a way that is not spoken here.
    Method,
    /// The SOCKS5 proxy did not accept user name and password (RFC 1929 §2).
    Credentials,
    /// The answer is not of the proxy's protocol, or goes on behind its end.
    Malformed,
    /// The head of the answer does not end within 8 KiB.
    TooLong,
    /// The proxy hung up before its answer was whole.
    Closed,
}

impl ProxyFault {
    /// Whether asking again, unchanged, may succeed: the proxy was busy, or could not reach the host.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 429 | 500 | 502..=504),
            // General failure, network or host unreachable, refused, TTL expired.
            Self::Reply(reply) => matches!(reply, 1 | 3..=6),
            Self::Away | Self::Closed => true,
            Self::Method | Self::Credentials | Self::Malformed | Self::TooLong => false,
        }
    }
}

impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away => f.write_str(
                "there is no connection to it: check that it runs, and host and port of its URL",
            ),
            Self::Status(status) => {
                write!(f, "it answered with HTTP {status}: {}", advice_of_status(*status))
            }
            Self::Reply(reply) => {
                write!(f, "it answered with SOCKS reply {reply}: {}", advice_of_reply(*reply))
            }
            Self::Method => f.write_str(
                "it accepts none of the ways to log in that were offered: \
                 write user name and password into its URL, socks5h://user:password@host:port",
            ),
            Self::Credentials => f.write_str(
                "it did not accept user name and password: check them in the proxy's URL",
            ),
            Self::Malformed => f.write_str(
                "its answer is not that of such a proxy: \
                 check the scheme (http, socks5, socks5h) and the port of the proxy's URL",
            ),
            Self::TooLong => {
                f.write_str("its answer does not end: check that the proxy's URL leads to a proxy")
            }
            Self::Closed => f.write_str(
                "it closed the connection before it had answered: \
                 check the scheme and the port of the proxy's URL, and see the proxy's log",
            ),
        }
    }
}

const fn advice_of_status(status: u16) -> &'static str {
    match status {
        407 => {
            "it wants a user name and a password that it knows; \
             write them into its URL, http://user:password@host:port"
        }
        401 | 403 => "it does not allow this host or port; many allow only 443, ask who runs it",
        400 | 404 | 405 | 501 => "it does not take CONNECT; check host and port of the proxy's URL",
        502..=504 => "it cannot reach the broker; check the broker's host and port",
        408 | 429 | 500 => "it is overloaded or broken; try again later",
        _ => "see the proxy's log",
    }
}

/// RFC 1928 §6.
const fn advice_of_reply(reply: u8) -> &'static str {
    match reply {
        1 => "a failure of its own; see the proxy's log",
        2 => "its rules do not allow this host or port; ask who runs it",
        3 | 4 => "it has no route to the broker; check the broker's host",
        5 => "the broker refused the connection; check that it runs and that the port is right",
        6 => "the broker is too far away; check the proxy's network",
        7 => "it does not do CONNECT; use another proxy",
        8 => "it does not take this kind of address; try socks5h:// for names, socks5:// for IPv4",
        _ => "a code that RFC 1928 does not have; see the proxy's log",
    }
}

/// A fault, and what the socket said, where it was the socket that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: ProxyFault,
    pub(crate) source: Option<io::Error>,
}

impl From<ProxyFault> for Failure {
    fn from(fault: ProxyFault) -> Self {
        Self { fault, source: None }
    }
}

/// A socket that fails inside the exchange was closed by the other side.
impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self { fault: ProxyFault::Closed, source: Some(source) }
    }
}

#[cfg(test)]
impl ProxyFault {
    /// One of every advice.
    pub(crate) fn each() -> Vec<Self> {
        let mut all = vec![
            Self::Away,
            Self::Method,
            Self::Credentials,
            Self::Malformed,
            Self::TooLong,
            Self::Closed,
        ];
        all.extend([302, 403, 404, 407, 429, 502].map(Self::Status));
        all.extend((1..=9).map(Self::Reply));
        all
    }
}
