//! One HTTP exchange with a service of AWS, over the adapter's own TCP, TLS and proxies.

use super::{ServiceError, signing::Collected};
use crate::{
    CONNECT_TIMEOUT_DEFAULT, Network, TlsOptions, Url, UrlError,
    connect_error::ConnectError,
    tcp,
    transport::{self, ReadHalf, WriteHalf},
};
use dunlin_aws::{Answer, Reply, ServiceHost};
use dunlin_drive::dunlin::octet::{Count, Inbox, Text};
use embedded_io_async::{Read, Write};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

/// Memory for an answer, in bytes: the longest body that is read, and what is kept of its head.
const ANSWER_MAX: usize = 48 << 10;

/// How a service of AWS is reached; each method takes the value and gives it back changed.
#[derive(Clone, Debug)]
pub struct Service {
    url: Option<Url>,
    tls: TlsOptions,
    network: Network,
    timeout: Duration,
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

impl Service {
    /// At its own host, with the platform's CAs, without a proxy.
    pub fn new() -> Self {
        let (tls, network) = (TlsOptions::platform(), Network::default());
        Self { url: None, tls, network, timeout: CONNECT_TIMEOUT_DEFAULT }
    }

    /// At another place: `http://127.0.0.1:5000`, or a private endpoint behind `https`.
    pub fn endpoint_url(self, url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::MissingScheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => "ws",
            "https" => "wss",
            _ => return Err(UrlError::UnknownScheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '@']) {
            return Err(UrlError::Path);
        }
        Ok(Self { url: Some(format!("{scheme}://{rest}").parse()?), ..self })
    }

    /// Whom to trust, and which certificate to show.
    #[must_use]
    pub fn tls(self, tls: TlsOptions) -> Self {
        Self { tls, ..self }
    }

    /// The way there: a proxy, TCP.
    #[must_use]
    pub fn network(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// How long one exchange may take, from DNS to the last byte of the answer.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Where the service of that name is in `region`.
    pub(super) fn url_of(&self, service: &str, region: &str) -> Result<Url, ServiceError> {
        let mut host = Vec::new();
        ServiceHost { service, region }.write(&mut Collected(&mut host));
        self.url_at(&String::from_utf8_lossy(&host))
    }

    /// Where the service at `host` is, unless it is said to be elsewhere.
    pub(super) fn url_at(&self, host: &str) -> Result<Url, ServiceError> {
        match &self.url {
            Some(url) => Ok(url.clone()),
            None => format!("wss://{host}").parse().map_err(ServiceError::Url),
        }
    }

    /// Sends `request` to `url` and gives the whole answer, whatever it says.
    pub(super) async fn exchange(&self, url: &Url, request: &Bytes) -> Result<Bytes, ServiceError> {
        let deadline = Instant::now() + self.timeout;
        let (reader, writer) = transport::connect(url, &self.tls, &self.network, deadline).await?;
        let host = || tcp::peer(url.host(), url.port());
        match timeout_at(deadline, converse(request, reader, writer)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Fault::Io(source))) => {
                Err(match ConnectError::late_refusal(url, &self.tls, source) {
                    Ok(refused) => ServiceError::Connect(refused),
                    Err(source) => ServiceError::Io { host: host(), source },
                })
            }
            Ok(Err(Fault::Reply(error))) => Err(ServiceError::Answer { host: host(), error }),
            Err(_) => Err(ServiceError::TimedOut { host: host() }),
        }
    }
}

/// What may hold secrets, and is wiped.
pub(super) type Bytes = Zeroizing<Vec<u8>>;

/// A request as bytes.
pub(super) fn bytes_of(request: &dyn Text) -> Bytes {
    let mut bytes = Zeroizing::new(Vec::with_capacity(Count::of(&request)));
    request.write(&mut Collected(&mut bytes));
    bytes
}

/// What a complete answer says.
pub(super) fn answer(bytes: &Bytes) -> Answer<'_> {
    Answer::parse(bytes).expect("an answer that is complete has a status line")
}

enum Fault {
    Io(std::io::Error),
    Reply(dunlin_aws::ReplyError),
}

async fn converse(
    request: &Bytes,
    mut reader: ReadHalf,
    mut writer: WriteHalf,
) -> Result<Bytes, Fault> {
    let mut inbox = Inbox::new(Zeroizing::new(vec![0; ANSWER_MAX]));
    if let Err(error) = writer.write_all(request).await {
        // A service that has hung up may have said why.
        let last = reader.read(inbox.spare()).await;
        return Err(Fault::Io(last.err().unwrap_or(error)));
    }
    let mut reply = Reply::new();
    loop {
        match reader.read(inbox.spare()).await.map_err(Fault::Io)? {
            0 => {
                reply.handle_eof(&mut inbox).map_err(Fault::Reply)?;
                break;
            }
            len => inbox.commit(len),
        }
        if reply.poll(&mut inbox).map_err(Fault::Reply)?.is_some() {
            break;
        }
    }
    Ok(Zeroizing::new(inbox.stream().to_vec()))
}

impl From<ConnectError> for ServiceError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock stands still until the service has the whole request, and then runs by itself.
    #[tokio::test]
    async fn service_that_never_answers_is_given_up_and_may_be_asked_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let silent = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = crate::aws::scripted::request(&mut stream).await;
            tokio::time::pause();
            (stream, request)
        });
        let service = Service::new().endpoint_url(&url).unwrap().timeout(Duration::from_secs(600));
        let url = service.url_of("iot", "eu-west-1").unwrap();
        let request = Zeroizing::new(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_vec());
        let asked =
            tokio::time::timeout(Duration::from_secs(1_200), service.exchange(&url, &request));
        let error = asked.await.expect("an end").unwrap_err();
        assert!(matches!(error, ServiceError::TimedOut { .. }), "{error:?}");
        assert!(error.is_retryable() && error.to_string().contains("check the network"), "{error}");
        assert!(silent.await.unwrap().1.starts_with("GET / "));
    }

    #[test]
    fn endpoint_is_http_or_https_and_nothing_more() {
        let at = |url| {
            let service = Service::new().endpoint_url(url)?;
            Ok(service.url_of("iot", "eu-west-1").unwrap().to_string())
        };
        assert_eq!(at("http://127.0.0.1:5000/"), Ok("ws://127.0.0.1:5000/mqtt".to_owned()));
        assert_eq!(at("HTTPS://vpce.example"), Ok("wss://vpce.example/mqtt".to_owned()));
        for (url, error) in [
            ("127.0.0.1:5000", UrlError::MissingScheme),
            ("ws://h", UrlError::UnknownScheme),
            ("https://h/path", UrlError::Path),
            ("https://user@h", UrlError::Path),
            ("https://", UrlError::NoHost),
        ] {
            assert_eq!(at(url), Err(error), "{url}");
        }
        let own = Service::new().url_of("iot", "eu-west-1").unwrap();
        assert_eq!(own.host_header(), "iot.eu-west-1.amazonaws.com");
    }
}
