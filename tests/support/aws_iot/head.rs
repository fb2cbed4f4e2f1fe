//! The head of an HTTP/1.1 request: read within limits, kept as it came (RFC 9112 §2 and §3).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::Judgement;

/// Longest head: session tokens make request lines of 3 KiB, and mosquitto takes 16 KiB.
pub(super) const HEAD_MAX: usize = 16 * 1024;

/// A request without its body, and what had come behind it.
pub(crate) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    fields: Vec<(String, String)>,
    behind: Vec<u8>,
}

impl Head {
    /// Reads up to the empty line; the inner error is a head that is none, or is too long.
    pub(crate) async fn read(
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Result<Self, Judgement>> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(Self::parse(&bytes, end).ok_or(Judgement::Malformed));
            }
            let room = (HEAD_MAX - bytes.len()) as u64;
            if room == 0 {
                return Ok(Err(Judgement::Malformed));
            }
            if (&mut *stream).take(room).read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn parse(bytes: &[u8], end: usize) -> Option<Self> {
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = text.split("\r\n");
        let request_line = lines.next()?;
        let [method, target, "HTTP/1.1"] = request_line.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
            is_name.then(|| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
        };
        Some(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: lines.map(field).collect::<Option<_>>()?,
            behind: bytes[end + 4..].to_vec(),
        })
    }

    /// The values of a header, by its name in lower case.
    pub(super) fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.fields.iter().filter(|(field, _)| field == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// The subprotocol to choose: both names of MQTT are good with AWS IoT Core.
    pub(super) fn subprotocol(&self) -> Option<&'static str> {
        let offers = self.values("sec-websocket-protocol");
        let mut offered = offers.iter().flat_map(|list| list.split(',')).map(str::trim);
        offered.find_map(|offer| ["mqtt", "mqttv3.1"].into_iter().find(|name| *name == offer))
    }

    /// What had come behind it.
    pub(super) fn behind(&self) -> &[u8] {
        &self.behind
    }

    /// The path, and the query without its question mark.
    pub(super) fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> io::Result<Result<Head, Judgement>> {
        Head::read(&mut bytes).await
    }

    #[tokio::test]
    async fn head_is_taken_apart_and_what_followed_kept() {
        let bytes = b"GET /mqtt?a=b HTTP/1.1\r\nHoSt:  x \r\nA: 1\r\na:2\r\n\r\n\x81\x00";
        let head = read(bytes).await.unwrap().unwrap();
        assert_eq!(head.path_and_query(), ("/mqtt", "a=b"));
        assert_eq!(head.values("host"), ["x"]);
        assert_eq!(head.values("a"), ["1", "2"]);
        assert_eq!(head.behind(), b"\x81\x00");
    }

    #[tokio::test]
    async fn first_name_of_mqtt_that_is_offered_is_the_subprotocol() {
        for (offers, chosen) in
            [("mqtt", Some("mqtt")), ("x, mqttv3.1,mqtt", Some("mqttv3.1")), ("mqttv5", None)]
        {
            let bytes = format!("GET / HTTP/1.1\r\nSec-WebSocket-Protocol: {offers}\r\n\r\n");
            let head = read(bytes.as_bytes()).await.unwrap().unwrap();
            assert_eq!(head.subprotocol(), chosen);
        }
    }

    #[tokio::test]
    async fn head_that_is_none_is_malformed() {
        for bytes in [
            &b"GET /mqtt HTTP/1.0\r\n\r\n"[..],
            b"GET  /mqtt HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
            b"GET /mqtt HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET /mqtt HTTP/1.1\r\nhost : x\r\n\r\n",
            b"GET /mqtt HTTP/1.1\r\n\xff: x\r\n\r\n",
        ] {
            assert_eq!(read(bytes).await.unwrap().err(), Some(Judgement::Malformed), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn head_without_end_is_malformed_when_long_and_an_error_when_cut() {
        let line = b"GET /mqtt HTTP/1.1\r\n".to_vec();
        let long = [line.clone(), vec![b'a'; HEAD_MAX]].concat();
        assert_eq!(read(&long).await.unwrap().err(), Some(Judgement::Malformed));
        let error = read(&line).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
