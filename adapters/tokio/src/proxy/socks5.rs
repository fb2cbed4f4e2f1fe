//! CONNECT to a SOCKS5 proxy (RFC 1928), with or without user name and password (RFC 1929).

use core::net::IpAddr;

use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::{Failure, Proxy, ProxyFault};
use crate::tcp;

/// The version of the protocol (RFC 1928 §3).
const VERSION: u8 = 5;

/// The version of the login (RFC 1929 §2).
const LOGIN_VERSION: u8 = 1;

/// No login at all (RFC 1928 §3).
const METHOD_NONE: u8 = 0;

/// User name and password (RFC 1928 §3).
const METHOD_PASSWORD: u8 = 2;

/// None of the methods that were offered (RFC 1928 §3).
const METHOD_REFUSED: u8 = 0xff;

/// The command (RFC 1928 §4).
const CONNECT: u8 = 1;

/// Kinds of addresses (RFC 1928 §5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// It went well, for the request and for the login alike.
const SUCCEEDED: u8 = 0;

/// The proxy cannot do this kind of address (RFC 1928 §6).
const ADDRESS_KIND: u8 = 8;

/// Where the proxy is to connect.
pub(super) enum Target<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl<'a> Target<'a> {
    /// A host that is an address goes as one, so that nobody looks it up.
    pub(super) fn of(host: &'a str) -> Self {
        host.parse().map_or(Self::Name(host), Self::Address)
    }
}

/// Asks for the way to `target`, and reads exactly the proxy's answers.
pub(super) async fn open(
    stream: &mut TcpStream,
    proxy: &Proxy,
    target: Target<'_>,
    port: u16,
) -> Result<(), Failure> {
    let request = request(&target, port).ok_or(ProxyFault::Reply(ADDRESS_KIND))?;
    let credentials = proxy.credentials();
    let offer: &[u8] = match credentials {
        Some(_) => &[VERSION, 2, METHOD_NONE, METHOD_PASSWORD],
        None => &[VERSION, 1, METHOD_NONE],
    };
    tcp::write_all(stream, offer).await?;
    match (read(stream).await?, credentials) {
        ([VERSION, METHOD_NONE], _) => {}
        ([VERSION, METHOD_PASSWORD], Some((user_name, password))) => {
            log_in(stream, user_name.as_bytes(), password).await?;
        }
        ([VERSION, METHOD_REFUSED], _) => return Err(ProxyFault::Method.into()),
        _ => return Err(ProxyFault::Malformed.into()),
    }
    tcp::write_all(stream, &request).await?;
    reply(stream).await
}

/// RFC 1929 §2.
async fn log_in(stream: &mut TcpStream, user_name: &[u8], password: &[u8]) -> Result<(), Failure> {
    let short = |text: &[u8]| u8::try_from(text.len()).map_err(|_| ProxyFault::Credentials);
    let mut login = Zeroizing::new(Vec::with_capacity(3 + user_name.len() + password.len()));
    login.extend_from_slice(&[LOGIN_VERSION, short(user_name)?]);
    login.extend_from_slice(user_name);
    login.push(short(password)?);
    login.extend_from_slice(password);
    tcp::write_all(stream, &login).await?;
    match read(stream).await? {
        [LOGIN_VERSION, SUCCEEDED] => Ok(()),
        [LOGIN_VERSION, _] => Err(ProxyFault::Credentials.into()),
        // Some proxies have the protocol's version here.
        [VERSION, SUCCEEDED] => Ok(()),
        _ => Err(ProxyFault::Malformed.into()),
    }
}

/// RFC 1928 §4; `None` for a name that is too long.
fn request(target: &Target<'_>, port: u16) -> Option<Vec<u8>> {
    let mut request = vec![VERSION, CONNECT, 0];
    match target {
        Target::Address(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.octets());
        }
        Target::Address(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.octets());
        }
        Target::Name(name) => {
            request.extend_from_slice(&[NAME, u8::try_from(name.len()).ok()?]);
            request.extend_from_slice(name.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    Some(request)
}

/// RFC 1928 §6; the address in it is of no use, but it has to be read.
async fn reply(stream: &mut TcpStream) -> Result<(), Failure> {
    let [version, code] = read(stream).await?;
    match (version, code) {
        (VERSION, SUCCEEDED) => {}
        // What follows does not matter, and may never come.
        (VERSION, code) => return Err(ProxyFault::Reply(code).into()),
        _ => return Err(ProxyFault::Malformed.into()),
    }
    match read(stream).await? {
        [0, IPV4] => read::<6>(stream).await.map(|_| ()),
        [0, IPV6] => read::<18>(stream).await.map(|_| ()),
        [0, NAME] => {
            let [len] = read(stream).await?;
            let mut rest = [0; 255 + 2];
            read_exact(stream, &mut rest[..usize::from(len) + 2]).await
        }
        _ => Err(ProxyFault::Malformed.into()),
    }
}

async fn read<const LEN: usize>(stream: &mut TcpStream) -> Result<[u8; LEN], Failure> {
    let mut bytes = [0; LEN];
    read_exact(stream, &mut bytes).await?;
    Ok(bytes)
}

/// Never reads more: what follows the last answer is the broker's.
async fn read_exact(stream: &mut TcpStream, bytes: &mut [u8]) -> Result<(), Failure> {
    let mut filled = 0;
    while filled < bytes.len() {
        match tcp::read_some(stream, &mut bytes[filled..]).await? {
            0 => return Err(ProxyFault::Closed.into()),
            len => filled += len,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1928 §4
    #[test]
    fn request_has_the_shape_of_its_target() {
        let of = |host| request(&Target::of(host), 443).unwrap();
        assert_eq!(of("127.0.0.1"), [5, 1, 0, 1, 127, 0, 0, 1, 1, 187]);
        assert_eq!(of("ab.c"), *b"\x05\x01\0\x03\x04ab.c\x01\xbb");
        let mut wanted = vec![5, 1, 0, 4];
        wanted.extend([0; 15]);
        wanted.extend([1, 1, 187]);
        assert_eq!(of("::1"), wanted);
    }

    #[test]
    fn name_that_is_too_long_has_no_request() {
        assert!(request(&Target::of(&"a".repeat(255)), 1).is_some());
        assert!(request(&Target::of(&"a".repeat(256)), 1).is_none());
    }
}
