//! The AWS IoT credentials provider: HTTPS, which gives a key to whoever shows a certificate
//! ("Authorizing direct calls to AWS services using AWS IoT Core credential provider", AWS IoT Core
//! developer guide).

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use super::certificates::{Certificates, ClientCertificate};
use super::head::Head;
use super::quirks::{Certificate, Key, TlsVersions};

/// A running provider with one role alias; it ends with this value.
#[derive(Debug)]
pub struct RoleAlias {
    port: u16,
    ca_pem: String,
    client: ClientCertificate,
    things: Things,
    listener: AbortHandle,
}

/// The things that were named, one for each key; empty where none was.
type Things = Arc<Mutex<Vec<String>>>;

/// What it has, and to whom it gives that.
#[derive(Clone)]
struct Desk {
    alias: String,
    key: Key,
    until: String,
    things: Things,
}

impl RoleAlias {
    /// Starts one on a free port, which gives out `key`, good until `until`, `2030-01-02T03:04:05Z`.
    pub async fn start(alias: &str, key: Key, until: &str) -> Self {
        let Certificates { ca_pem, client, server } =
            Certificates::new(Certificate::Right, TlsVersions::Both);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let things = Things::default();
        let desk = Desk {
            alias: alias.to_owned(),
            key,
            until: until.to_owned(),
            things: Arc::clone(&things),
        };
        let listener = tokio::spawn(accept(listener, TlsAcceptor::from(server), desk));
        Self { port, ca_pem, client, things, listener: listener.abort_handle() }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The certificate of its CA.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A certificate that gets a key.
    pub const fn client_certificate(&self) -> &ClientCertificate {
        &self.client
    }

    /// The things that were named, one for each key that was given; empty where none was.
    pub fn things(&self) -> Vec<String> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for RoleAlias {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, desk: Desk) {
    loop {
        let (tcp, _) = listener.accept().await.expect("a connection");
        // An error is the end of one connection; whoever holds its other end sees it.
        tokio::spawn(serve(tcp, tls.clone(), desk.clone()));
    }
}

async fn serve(tcp: TcpStream, tls: TlsAcceptor, desk: Desk) -> io::Result<()> {
    let mut stream = tls.accept(tcp).await?;
    let head = Head::read(&mut stream).await?.map_err(|_| io::ErrorKind::InvalidData)?;
    let is_known = stream.get_ref().1.peer_certificates().is_some();
    let (status, body) = desk.answer(&head, is_known);
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

impl Desk {
    fn answer(&self, head: &Head, is_known: bool) -> (&'static str, String) {
        let refusal = |message| json!({"message": message}).to_string();
        if !is_known {
            return ("403 Forbidden", refusal("Invalid Certificate"));
        }
        if head.method != "GET"
            || head.target != format!("/role-aliases/{}/credentials", self.alias)
        {
            return ("404 Not Found", refusal("Role alias does not exist"));
        }
        let thing = head.values("x-amzn-iot-thingname").concat();
        self.things.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
        let answer = json!({"credentials": {
            "accessKeyId": self.key.access_key_id,
            "secretAccessKey": self.key.secret_access_key,
            "sessionToken": self.key.session_token,
            "expiration": self.until,
        }});
        ("200 OK", answer.to_string())
    }
}
