//! The way through a proxy: whose, when, and the exchange that opens it.
//!
//! After it the stream belongs to the URL's host: TLS and WebSocket know nothing of the proxy.

mod choice;
mod fault;
mod http;
mod socks5;

use core::fmt;
use core::str::FromStr;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::connect_error::{ConnectError, Stage};
use crate::tcp::{self, TcpOptions};
use crate::url::{self, Url, UrlError};
pub(crate) use choice::Proxies;
pub(crate) use fault::Failure;
pub use fault::ProxyFault;

/// The port of an HTTP proxy whose URL has none (RFC 9110 §4.2.1).
const HTTP_PORT: u16 = 80;

/// The port of SOCKS (RFC 1928 §3).
const SOCKS_PORT: u16 = 1080;

/// Longest user name and longest password of SOCKS5 (RFC 1929 §2).
const SOCKS_CREDENTIAL_MAX: usize = 255;

/// A proxy's address, and as whom to ask it: `http://[user:password@]host[:port]`.
///
/// Get one by `"socks5h://127.0.0.1:1080".parse()`. The schemes are `http` (CONNECT, RFC 9110
/// §9.3.6, Basic credentials), `socks5` (RFC 1928; the broker's name is resolved here) and `socks5h`
/// (the proxy resolves it); without a scheme, `http` is meant.
#[derive(Clone)]
pub struct Proxy {
    kind: Kind,
    user_name: Option<Zeroizing<String>>,
    password: Option<Zeroizing<Vec<u8>>>,
    host: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    /// The name is resolved here.
    Socks5,
    /// The name is resolved by the proxy.
    Socks5h,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => HTTP_PORT,
            Self::Socks5 | Self::Socks5h => SOCKS_PORT,
        }
    }
}

impl Proxy {
    /// User name and password, if there are any; what is missing is empty.
    fn credentials(&self) -> Option<(&str, &[u8])> {
        let user_name = self.user_name.as_deref()?;
        Some((user_name, self.password.as_deref().map_or(&[][..], Vec::as_slice)))
    }

    fn check_credentials(&self) -> Result<(), InvalidProxy> {
        let Some((user_name, password)) = self.credentials() else { return Ok(()) };
        let fits = |len| (1..=SOCKS_CREDENTIAL_MAX).contains(&len);
        let possible = match self.kind {
            // RFC 7617 §2: a colon would end the user name, and control characters are out.
            Kind::Http => {
                !user_name.contains(':')
                    && !user_name.bytes().chain(password.iter().copied()).any(|byte| byte < b' ')
            }
            Kind::Socks5 | Kind::Socks5h => fits(user_name.len()) && fits(password.len()),
        };
        if possible { Ok(()) } else { Err(InvalidProxy::Credentials) }
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(InvalidProxy::Url(UrlError::Character { at }));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "http" => Kind::Http,
            "socks5" => Kind::Socks5,
            "socks5h" => Kind::Socks5h,
            _ => return Err(InvalidProxy::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(InvalidProxy::Path);
        }
        let (user_info, address) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user_name, password) = url::user_info_of(user_info)?;
        let (host, port) = url::split_port(address)?;
        let (host, _) = url::host_of(host)?;
        let port = port.map_or(Ok(kind.default_port()), url::port_of)?;
        let proxy = Self { kind, user_name, password, host, port };
        proxy.check_credentials()?;
        Ok(proxy)
    }
}

/// For people and logs: user name and password are shown as `***`.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user_info = if self.user_name.is_some() { "***@" } else { "" };
        write!(f, "{}://{user_info}{}", self.kind.as_str(), tcp::peer(&self.host, self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Not a proxy's URL. Whoever wrote it is at fault; nothing has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// The scheme is none of `http`, `socks5` and `socks5h`.
    Scheme,
    /// Something follows host and port.
    Path,
    /// User name or password are such that the proxy's protocol cannot carry them.
    Credentials,
    /// It is no URL.
    Url(UrlError),
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str(
                "the proxy's URL has an unknown scheme: use http, socks5 or socks5h \
                 (TLS to the proxy itself is not possible)",
            ),
            Self::Path => f.write_str("the proxy's URL has a path: end it after host or port"),
            Self::Credentials => f.write_str(
                "the proxy's protocol cannot carry this user name or password: SOCKS5 takes 1 to \
                 255 bytes of each, HTTP neither a colon in the name nor control characters",
            ),
            Self::Url(error) => write!(f, "not a proxy's URL: {error}"),
        }
    }
}

impl core::error::Error for InvalidProxy {}

impl From<UrlError> for InvalidProxy {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

/// Connects to the host of `url` through `proxy`, before `deadline`.
///
/// What comes back carries only what the host sends: an answer with more behind it is refused.
pub(crate) async fn connect(
    proxy: &Proxy,
    url: &Url,
    options: TcpOptions,
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    // One address: SOCKS has no second try on a connection, and the proxy's own way is unknown.
    let address = match proxy.kind {
        Kind::Socks5 => {
            let deadline = options.stage_deadline(deadline);
            tcp::resolve(url.host(), url.port(), deadline).await?.first().copied()
        }
        Kind::Http | Kind::Socks5h => None,
    };
    let name = || tcp::peer(&proxy.host, proxy.port);
    let failed = |fault, source| ConnectError::Proxy {
        proxy: name(),
        peer: tcp::peer(url.host(), url.port()),
        fault,
        source,
    };
    let reached = tcp::connect(&proxy.host, proxy.port, options, deadline).await;
    let mut stream = reached.map_err(|error| match error {
        ConnectError::Resolve { source, .. } | ConnectError::Refused { source, .. } => {
            failed(ProxyFault::Away, Some(source))
        }
        // It is the network that is away, or slow.
        other => other,
    })?;
    let exchange = async {
        match (proxy.kind, address) {
            (Kind::Http, _) => http::open(&mut stream, proxy, url).await,
            (_, Some(address)) => {
                let target = socks5::Target::Address(address.ip());
                socks5::open(&mut stream, proxy, target, url.port()).await
            }
            (_, None) => {
                let target = socks5::Target::of(url.host());
                socks5::open(&mut stream, proxy, target, url.port()).await
            }
        }
    };
    match timeout_at(options.stage_deadline(deadline), exchange).await {
        Ok(Ok(())) => Ok(stream),
        Ok(Err(Failure { fault, source })) => Err(failed(fault, source)),
        Err(elapsed) => Err(ConnectError::TimedOut {
            peer: name(),
            stage: Stage::Proxy,
            source: elapsed.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_read_with_its_defaults() {
        for (text, shown) in [
            ("http://h", "http://h:80"),
            ("H", "http://h:80"),
            ("h:3128", "http://h:3128"),
            ("HTTP://user:pw@[::1]:8080/", "http://***@[::1]:8080"),
            ("socks5://h", "socks5://h:1080"),
            ("socks5h://u:p@10.0.0.1:9", "socks5h://***@10.0.0.1:9"),
        ] {
            let proxy: Proxy = text.parse().expect(text);
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(format!("{proxy:?}"), format!("Proxy({shown})"));
        }
    }

    #[test]
    fn proxy_that_cannot_be_is_refused() {
        let long = format!("socks5://{}:p@h", "u".repeat(256));
        for (text, wanted) in [
            ("https://h", InvalidProxy::Scheme),
            ("socks4://h", InvalidProxy::Scheme),
            ("http://h/path", InvalidProxy::Path),
            ("http://h?q", InvalidProxy::Path),
            ("http://a%3Ab:c@h", InvalidProxy::Credentials),
            ("http://a:b%0A@h", InvalidProxy::Credentials),
            ("socks5://u@h", InvalidProxy::Credentials),
            (&long, InvalidProxy::Credentials),
            ("http://", InvalidProxy::Url(UrlError::NoHost)),
            ("http://h:0", InvalidProxy::Url(UrlError::Port)),
            ("http://h\r\nx", InvalidProxy::Url(UrlError::Character { at: 8 })),
        ] {
            let error = text.parse::<Proxy>().expect_err(text);
            assert_eq!(error, wanted, "{text:?}");
            let told = error.to_string();
            assert!(told.contains(": ") && !told.contains('\n') && !told.contains("  "), "{told}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let proxy: Proxy = "http://ann:s%40cret@h".parse().unwrap();
        assert_eq!(proxy.credentials(), Some(("ann", &b"s@cret"[..])));
        for text in [format!("{proxy}"), format!("{proxy:?}")] {
            assert!(!text.contains("ann") && !text.contains("cret"), "{text}");
        }
    }
}
