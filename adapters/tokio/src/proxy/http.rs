//! CONNECT to an HTTP/1.1 proxy (RFC 9110 §9.3.6).

use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::{Failure, Proxy, ProxyFault};
use crate::tcp;
use crate::url::Url;

/// Longest answer that is read, interim ones included.
const HEAD_MAX: usize = 8 * 1024;

/// How much is read at once.
const CHUNK: usize = 1024;

/// What every answer begins with (RFC 9112 §2.3), up to the minor version.
const VERSION: &[u8] = b"HTTP/1.";

const HEAD_END: &[u8] = b"\r\n\r\n";

/// The digits of RFC 4648 §4.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Asks for the way to the host of `url`, and reads the answer to its end.
pub(super) async fn open(stream: &mut TcpStream, proxy: &Proxy, url: &Url) -> Result<(), Failure> {
    tcp::write_all(stream, &request(proxy, url)).await?;
    let mut head = Vec::new();
    let mut received = 0;
    while received < HEAD_MAX {
        let mut chunk = [0; CHUNK];
        let len = tcp::read_some(stream, &mut chunk).await?;
        if len == 0 {
            return Err(ProxyFault::Closed.into());
        }
        received += len;
        // The end may lie across two reads.
        let mut from = head.len().saturating_sub(HEAD_END.len() - 1);
        head.extend_from_slice(&chunk[..len]);
        while let Some((status, end)) = answer(&head, from)? {
            match status {
                // RFC 9110 §15.2: interim answers come before the one that counts.
                100 | 102..=199 => {
                    head.drain(..end);
                    from = 0;
                }
                // RFC 9110 §9.3.6: no body, and the broker speaks only when spoken to.
                200..=299 if head.len() == end => return Ok(()),
                200..=299 => return Err(ProxyFault::Malformed.into()),
                status => return Err(ProxyFault::Status(status).into()),
            }
        }
    }
    Err(ProxyFault::TooLong.into())
}

/// Status and length of the answer at the front, once it is whole; its end is not before `from`.
fn answer(head: &[u8], from: usize) -> Result<Option<(u16, usize)>, ProxyFault> {
    let seen = head.len().min(VERSION.len());
    if head[..seen] != VERSION[..seen] {
        return Err(ProxyFault::Malformed);
    }
    let Some(at) = (from..head.len()).find(|&at| head[at..].starts_with(HEAD_END)) else {
        return Ok(None);
    };
    // RFC 9112 §4: the reason phrase may be missing, and the space before it in practice, too.
    let [b'0'..=b'9', b' ', hundreds @ b'1'..=b'5', tens, ones, b' ' | b'\r', ..] =
        &head[VERSION.len()..]
    else {
        return Err(ProxyFault::Malformed);
    };
    let digits = [*hundreds, *tens, *ones];
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(ProxyFault::Malformed);
    }
    let status = digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
    Ok(Some((status, at + HEAD_END.len())))
}

/// The whole request; RFC 9112 §3.2.3 has the port in it always.
fn request(proxy: &Proxy, url: &Url) -> Zeroizing<Vec<u8>> {
    let target = tcp::peer(url.host(), url.port());
    let start = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    let Some((user_name, password)) = proxy.credentials() else {
        return Zeroizing::new(format!("{start}\r\n").into_bytes());
    };
    // RFC 7617 §2.
    let mut secret = Zeroizing::new(Vec::with_capacity(user_name.len() + 1 + password.len()));
    secret.extend_from_slice(user_name.as_bytes());
    secret.push(b':');
    secret.extend_from_slice(password);
    const FIELD: &str = "Proxy-Authorization: Basic ";
    // Never reallocates, so that no copy escapes the wiping.
    let len = start.len() + FIELD.len() + secret.len().div_ceil(3) * 4 + HEAD_END.len();
    let mut request = Zeroizing::new(Vec::with_capacity(len));
    request.extend_from_slice(start.as_bytes());
    request.extend_from_slice(FIELD.as_bytes());
    put_base64(&secret, &mut request);
    request.extend_from_slice(HEAD_END);
    request
}

/// RFC 4648 §4, padded.
fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (group, behind) = rest.split_at_checked(3).unwrap_or((rest, &[]));
        rest = behind;
        let byte = |at: usize| usize::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            out.push(if digit <= group.len() { BASE64[value] } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(proxy: &str, url: &str) -> String {
        let (proxy, url) = (proxy.parse().unwrap(), url.parse().unwrap());
        String::from_utf8(request(&proxy, &url).to_vec()).unwrap()
    }

    #[test]
    fn request_names_host_and_port_always() {
        assert_eq!(text("h", "wss://b/x?secret"), "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
        let wanted = "CONNECT [::1]:1883 HTTP/1.1\r\nHost: [::1]:1883\r\n\r\n";
        assert_eq!(text("h", "mqtt://[::1]"), wanted);
    }

    /// The example of RFC 7617 §2.
    #[test]
    fn request_with_credentials_has_them_in_basic() {
        let text = text("http://Aladdin:open%20sesame@h", "ws://b");
        let field = "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
        assert!(text.ends_with(field), "{text}");
    }

    /// RFC 4648 §10
    #[test]
    fn base64_vectors_are_met() {
        for (bytes, wanted) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            put_base64(bytes.as_bytes(), &mut out);
            assert_eq!(out, wanted.as_bytes());
        }
    }

    #[test]
    fn answer_is_read_once_it_is_whole() {
        let whole = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end], 0), Ok(None), "{end}");
        }
        assert_eq!(answer(whole, 0), Ok(Some((200, whole.len()))));
        assert_eq!(answer(b"HTTP/1.0 407\r\n\r\n<html>", 0), Ok(Some((407, 16))));
    }

    #[test]
    fn answer_that_is_not_http_is_malformed() {
        for text in [
            "HTTP/2",
            "SSH-2.0",
            "\x05\x00",
            "HTTP/1.1 20\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "HTTP/1.1 +20 x\r\n\r\n",
            "HTTP/1.1  200\r\n\r\n",
            "HTTP/1.x 200 OK\r\n\r\n",
            "HTTP/1.1 999 x\r\n\r\n",
        ] {
            assert_eq!(answer(text.as_bytes(), 0), Err(ProxyFault::Malformed), "{text:?}");
        }
    }
}
