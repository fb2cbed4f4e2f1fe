//! A server of four files on loopback: HTTP/1.1, GET, one answer for each connection.
//!
//! It answers only requests that name this machine as their host: a page of the network whose name
//! has been made to lead here (DNS rebinding) gets nothing.

use crate::failure::{Code, Failure};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

/// Longest request that is read, in bytes; a browser's is a tenth of it.
const HEAD_MAX: usize = 8 << 10;

/// How many connections are served at a time; others wait.
const CONNECTIONS_MAX: usize = 32;

/// How long one may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What stands in the page where the broker's URL belongs.
const BROKER: &str = "{{broker}}";

/// The files beside the page, by path: their kind and their text.
const FILES: [(&str, &str, &str); 3] = [
    ("/page.css", "text/css", include_str!("page.css")),
    ("/page.js", "text/javascript", include_str!("page.js")),
    ("/mqtt.js", "text/javascript", include_str!("mqtt.js")),
];

/// An answer without a body of its own: its status is all there is to say.
type Refusal = &'static str;

/// Listens; answers while [`Http::serve`] is awaited.
#[derive(Debug)]
pub(super) struct Http {
    listener: TcpListener,
    site: Arc<Site>,
}

/// What there is to be had, and under which names of this machine.
#[derive(Debug)]
struct Site {
    port: u16,
    page: String,
    /// Where the page may connect to.
    broker: String,
}

impl Http {
    /// Opens `port` of the loopback address, any if it is 0, for a page that talks to `broker`.
    pub(super) async fn bind(port: u16, broker: &str) -> Result<Self, Failure> {
        let open = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let address = listener.local_addr()?;
            io::Result::Ok((listener, address))
        };
        let (listener, address): (_, SocketAddr) = open.await.map_err(|error| {
            let text = format!("cannot listen on port {port} (--port), {error}: choose another");
            Failure::new(Code::Other, text)
        })?;
        let page = include_str!("page.html").replace(BROKER, broker);
        let site = Arc::new(Site { port: address.port(), page, broker: broker.to_owned() });
        Ok(Self { listener, site })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.site.port)
    }

    /// Answers requests for as long as it is awaited.
    pub(super) async fn serve(&self) -> Failure {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let site = Arc::clone(&self.site);
                    tokio::spawn(async move {
                        // An error is the browser's, which has hung up or says nothing.
                        let _ = timeout(LIMIT, answer(stream, &site)).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    let text = format!("cannot accept ({error}): check limits on open files");
                    return Failure::new(Code::Other, text);
                }
            }
        }
    }
}

async fn answer(mut stream: TcpStream, site: &Site) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_MAX {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(site.answer(&head).as_bytes()).await?;
    stream.shutdown().await
}

impl Site {
    /// The answer to a request, whole.
    fn answer(&self, head: &[u8]) -> String {
        match self.find(head) {
            Ok((kind, body)) => {
                let policy = format!(
                    "default-src 'self'; connect-src {}; img-src data:; base-uri 'none'; \
                     form-action 'none'; frame-ancestors 'none'",
                    self.broker
                );
                response("200 OK", kind, body, &policy)
            }
            // Nothing of the broker: whoever is refused must not learn where it is.
            Err(status) => response(status, "text/plain", status, "default-src 'none'"),
        }
    }

    /// Kind and text of what is asked for.
    fn find(&self, head: &[u8]) -> Result<(&str, &str), Refusal> {
        let head = head.strip_suffix(b"\r\n\r\n").ok_or("431 Request Header Fields Too Large")?;
        let head = std::str::from_utf8(head).map_err(|_| "400 Bad Request")?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err("400 Bad Request");
        };
        let hosts: Vec<&str> = lines.filter_map(host).collect();
        if !matches!(hosts[..], [host] if self.is_here(host)) {
            return Err("421 Misdirected Request");
        }
        if method != "GET" {
            return Err("405 Method Not Allowed");
        }
        if target == "/" {
            return Ok(("text/html; charset=utf-8", &self.page));
        }
        let file = FILES.iter().find(|(path, ..)| *path == target);
        file.map(|(_, kind, text)| (*kind, *text)).ok_or("404 Not Found")
    }

    /// Whether a Host field names this machine and this port.
    fn is_here(&self, host: &str) -> bool {
        ["127.0.0.1", "localhost"].iter().any(|name| {
            let port = host.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
            port.is_some_and(|port| port == self.port.to_string())
                || (self.port == 80 && host == *name)
        })
    }
}

fn response(status: &str, kind: &str, body: &str, policy: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: {kind}\r\n\
         Content-Length: {}\r\n\
         Content-Security-Policy: {policy}\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\n\
         Cache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}",
        body.len(),
    )
}

/// The value of a line that is a Host field.
fn host(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("host").then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: &str) -> String {
        let broker = "ws://127.0.0.1:2/x".to_owned();
        let site = Site { port: 8080, page: format!("<{broker}>"), broker };
        let answer = site.answer(request.replace('\n', "\r\n").as_bytes());
        answer.split_once("\r\n").unwrap().0.strip_prefix("HTTP/1.1 ").unwrap().to_owned()
    }

    #[test]
    fn request_for_a_file_of_this_machine_is_answered() {
        for path in ["/", "/page.css", "/page.js", "/mqtt.js"] {
            for host in ["Host: 127.0.0.1:8080", "hOST:localhost:8080"] {
                assert_eq!(status(&format!("GET {path} HTTP/1.1\n{host}\n\n")), "200 OK");
            }
        }
    }

    #[test]
    fn request_that_names_another_host_is_misdirected() {
        for host in [
            "Host: evil.example",
            "Host: evil.example:8080",
            "Host: 127.0.0.1",
            "Host: 127.0.0.1:80",
            "Host: 127.0.0.1:8080.evil.example",
            "Host: 127.0.0.1.evil.example:8080",
            "Host: 127.0.0.1:8080\nHost: 127.0.0.1:8080",
            "Host:",
            "X: 127.0.0.1:8080",
        ] {
            let found = status(&format!("GET / HTTP/1.1\n{host}\n\n"));
            assert_eq!(found, "421 Misdirected Request", "{host}");
        }
    }

    #[test]
    fn request_for_anything_else_is_refused() {
        let long = format!("GET / HTTP/1.1\nX: {}", "x".repeat(HEAD_MAX));
        for (request, expected) in [
            ("POST / HTTP/1.1\nHost: localhost:8080\n\n", "405 Method Not Allowed"),
            ("GET /page.html HTTP/1.1\nHost: localhost:8080\n\n", "404 Not Found"),
            ("GET /../page.js HTTP/1.1\nHost: localhost:8080\n\n", "404 Not Found"),
            ("GET / HTTP/1.0\nHost: localhost:8080\n\n", "400 Bad Request"),
            ("GET  / HTTP/1.1\nHost: localhost:8080\n\n", "400 Bad Request"),
            ("\n\n", "400 Bad Request"),
            (&long, "431 Request Header Fields Too Large"),
        ] {
            assert_eq!(status(request), expected, "{request:.40}");
        }
    }
}
