//! Where to connect, as a person writes it: `wss://user:password@host:port/path?query`.
//!
//! Parsed by hand, because a broker's URL is a small part of what RFC 3986 allows and because
//! every refusal here has its own advice. What may be secret (user info, query) is wiped on drop
//! and never shown by `Debug` or `Display`.

use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use rustls::pki_types::ServerName;
use zeroize::Zeroizing;

/// The path of an upgrade when the URL has none: what brokers agree on, AWS IoT among them.
const DEFAULT_PATH: &str = "/mqtt";

/// Longest port number, in digits.
const PORT_DIGITS_MAX: usize = 5;

/// Which transport a URL names: WebSocket or the bare stream, in the clear or inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// MQTT over WebSocket over TCP, port 80 unless told (RFC 6455 §3).
    Ws,
    /// MQTT over WebSocket over TLS, port 443 unless told (RFC 6455 §3).
    Wss,
    /// MQTT over TCP, port 1883 unless told.
    Mqtt,
    /// MQTT over TLS, port 8883 unless told.
    Mqtts,
}

impl Scheme {
    /// The scheme as it stands in a URL, without `://`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
        }
    }

    /// The port that a URL of this scheme may leave out.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Ws => 80,
            Self::Wss => 443,
            Self::Mqtt => 1883,
            Self::Mqtts => 8883,
        }
    }

    /// Whether the stream is inside TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Wss | Self::Mqtts)
    }

    /// Whether MQTT travels in WebSocket frames.
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    fn parse(text: &str) -> Result<Self, UrlError> {
        match text.to_ascii_lowercase().as_str() {
            "ws" => Ok(Self::Ws),
            "wss" => Ok(Self::Wss),
            "mqtt" => Ok(Self::Mqtt),
            "mqtts" => Ok(Self::Mqtts),
            "http" => Err(UrlError::Http),
            "https" => Err(UrlError::Https),
            _ => Err(UrlError::UnknownScheme),
        }
    }
}

/// A broker's address: scheme, host, port, and what else the URL carries.
///
/// Get one by `"wss://broker.example/mqtt".parse()`, once, and keep it over reconnects. The syntax
/// is that of RFC 3986 §3 without fragments; scheme and host are case-insensitive (§6.2.2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    scheme: Scheme,
    user_name: Option<Zeroizing<String>>,
    password: Option<Zeroizing<Vec<u8>>>,
    host: String,
    server_name: ServerName<'static>,
    port: u16,
    target: Zeroizing<String>,
}

impl Url {
    /// What is spoken at the address.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user name before the `@`, percent-decoded; `None` when there is no user info.
    pub fn user_name(&self) -> Option<&str> {
        self.user_name.as_ref().map(|name| name.as_str())
    }

    /// The password behind the user name, percent-decoded: bytes, as MQTT has it.
    pub fn password(&self) -> Option<&[u8]> {
        self.password.as_ref().map(|password| password.as_slice())
    }

    /// The host in lower case: a name, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, from the URL or else the scheme's.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query for the upgrade request, exactly as written.
    ///
    /// `/mqtt` when the URL has no path; a path that is given is kept, `/` included. Empty for
    /// `mqtt` and `mqtts`, which have no request.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The value of the `Host` header: IPv6 in brackets, the default port left out.
    pub fn host_header(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let host = &self.host;
        if self.port == self.scheme.default_port() {
            format!("{open}{host}{close}")
        } else {
            format!("{open}{host}{close}:{}", self.port)
        }
    }

    /// The same at the first of the servers that a reference names, `host[:port]` (MQTT 5.0 §4.11);
    /// `None` where it names none.
    pub(crate) fn at_reference(&self, reference: &str) -> Option<Self> {
        let first = reference.split(' ').find(|name| !name.is_empty())?;
        if first.contains(['/', '?', '@']) {
            return None;
        }
        let other: Self = format!("{}://{first}", self.scheme.as_str()).parse().ok()?;
        let Self { host, server_name, port, .. } = other;
        Some(Self { host, server_name, port, ..self.clone() })
    }

    /// The name that the server's certificate must be for.
    pub(crate) const fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        // One rule for the whole URL: nothing in it can ever end a line of the upgrade request.
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(UrlError::Character { at });
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::MissingScheme)?;
        let scheme = Scheme::parse(scheme)?;
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (user_info, address) = match authority.rsplit_once('@') {
            Some((user_info, address)) => (user_info, address),
            None => ("", authority),
        };
        let (user_name, password) = user_info_of(user_info)?;
        let (host, port) = split_port(address)?;
        let (host, server_name) = host_of(host)?;
        let port = port.map_or(Ok(scheme.default_port()), port_of)?;
        let target = target_of(scheme, target)?;
        Ok(Self { scheme, user_name, password, host, server_name, port, target })
    }
}

/// For people and logs: user info and query are shown as `***`.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.user_name.is_some() || self.password.is_some();
        let user_info = if hidden { "***@" } else { "" };
        write!(f, "{}://{user_info}{}", self.scheme.as_str(), self.host_header())?;
        match self.target.split_once('?') {
            Some((path, _)) => write!(f, "{path}?***"),
            None => f.write_str(&self.target),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

/// Text that is not the URL of a broker. Whoever wrote it is at fault.
///
/// Holds none of the text, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// A control character, a blank, or anything else outside printable ASCII.
    Character {
        /// Its offset in the text, in bytes.
        at: usize,
    },
    /// No `://`.
    MissingScheme,
    /// `http://`, where `ws://` is meant.
    Http,
    /// `https://`, where `wss://` is meant.
    Https,
    /// A scheme other than `ws wss mqtt mqtts`.
    UnknownScheme,
    /// A fragment (RFC 6455 §3 forbids it).
    Fragment,
    /// User info that is not percent-encoded UTF-8 (name) or bytes (password), or with a bare `@`.
    UserInfo,
    /// Nothing where the host should be.
    NoHost,
    /// A host that is no name, no IPv4 address and no IPv6 address in brackets.
    Host,
    /// A port that is not a number from 1 to 65535.
    Port,
    /// A path or query with `mqtt` or `mqtts`, which have no use for it.
    Path,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Character { at } => {
                return write!(
                    f,
                    "byte {at} of the URL is a blank, a control character or not ASCII: \
                     percent-encode it, or write the host in punycode"
                );
            }
            Self::MissingScheme => {
                "the URL has no scheme: a URL looks like wss://host[:port]/path, \
                 with ws, wss, mqtt or mqtts in front"
            }
            Self::Http => "http is not a broker's scheme: write ws:// for MQTT over WebSocket",
            Self::Https => "https is not a broker's scheme: write wss:// for MQTT over WebSocket",
            Self::UnknownScheme => "the URL's scheme is unknown: use ws, wss, mqtt or mqtts",
            Self::Fragment => "the URL has a # part, which a broker never sees: write # as %23",
            Self::UserInfo => {
                "the user name or password in the URL cannot be read: \
                 percent-encode what is not a letter or digit (@ is %40, % is %25)"
            }
            Self::NoHost => "the URL has no host: a URL looks like wss://host[:port]/path",
            Self::Host => {
                "the URL's host is neither a name nor an address: \
                 write a DNS name, 192.0.2.1 or [2001:db8::1]"
            }
            Self::Port => "the URL's port is not a number from 1 to 65535",
            Self::Path => "mqtt and mqtts URLs have no path: end the URL after the host or port",
        };
        f.write_str(text)
    }
}

impl core::error::Error for UrlError {}

pub(crate) type UserInfo = (Option<Zeroizing<String>>, Option<Zeroizing<Vec<u8>>>);

pub(crate) fn user_info_of(text: &str) -> Result<UserInfo, UrlError> {
    if text.is_empty() {
        return Ok((None, None));
    }
    // RFC 3986 §3.2.1: no bare "@" in user info; guessing which one ends it sends secrets astray.
    if text.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let (name, password) = match text.split_once(':') {
        Some((name, password)) => (name, Some(password)),
        None => (text, None),
    };
    let name = percent_decoded(name).ok_or(UrlError::UserInfo)?;
    let name = core::str::from_utf8(&name).map_err(|_| UrlError::UserInfo)?;
    // [MQTT-1.5.4-2] A UTF-8 string holds no null character.
    if name.contains('\0') {
        return Err(UrlError::UserInfo);
    }
    let password =
        password.map(|text| percent_decoded(text).ok_or(UrlError::UserInfo)).transpose()?;
    Ok((Some(Zeroizing::new(name.into())), password))
}

/// RFC 3986 §2.1. Never reallocates, so that no copy escapes the wiping.
fn percent_decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            out.push(high.checked_mul(16)?.checked_add(low)?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// Host (with its brackets, if any) and what stands behind the colon.
pub(crate) fn split_port(address: &str) -> Result<(&str, Option<&str>), UrlError> {
    if let Some(bracketed) = address.strip_prefix('[') {
        let end = bracketed.find(']').ok_or(UrlError::Host)?;
        let (_, behind) = bracketed.split_at_checked(end).ok_or(UrlError::Host)?;
        return match behind {
            "]" => Ok((address, None)),
            _ => {
                let port = behind.strip_prefix("]:").ok_or(UrlError::Host)?;
                let host = address.strip_suffix(port).and_then(|host| host.strip_suffix(':'));
                Ok((host.ok_or(UrlError::Host)?, Some(port)))
            }
        };
    }
    match address.split_once(':') {
        // An IPv6 address without its brackets.
        Some((_, port)) if port.contains(':') => Err(UrlError::Host),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((address, None)),
    }
}

pub(crate) fn host_of(text: &str) -> Result<(String, ServerName<'static>), UrlError> {
    if text.is_empty() {
        return Err(UrlError::NoHost);
    }
    if let Some(bracketed) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let address: Ipv6Addr = bracketed.parse().map_err(|_| UrlError::Host)?;
        return Ok((address.to_string(), ServerName::from(core::net::IpAddr::V6(address))));
    }
    let host = text.to_ascii_lowercase();
    let name = ServerName::try_from(host.clone()).map_err(|_| UrlError::Host)?;
    Ok((host, name))
}

pub(crate) fn port_of(text: &str) -> Result<u16, UrlError> {
    let digits = text.len() <= PORT_DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(UrlError::Port),
    }
}

fn target_of(scheme: Scheme, text: &str) -> Result<Zeroizing<String>, UrlError> {
    let target = match (scheme.is_websocket(), text.starts_with('/')) {
        (true, true) => text.into(),
        (true, false) => format!("{DEFAULT_PATH}{text}"),
        // RFC 3986 §6.2.3: a lone "/" is no path at all.
        (false, _) if matches!(text, "" | "/") => String::new(),
        (false, _) => return Err(UrlError::Path),
    };
    Ok(Zeroizing::new(target))
}

#[cfg(test)]
mod tests;
