//! What stands before moto: it passes requests on, and makes keys different from one another.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::{Issued, Registry, administrator};
use crate::aws_iot::{Desk, Head, Judgement, Key, now_s};

/// Longest head of a request or of an answer.
const HEAD_MAX: usize = 64 << 10;
/// What moto gives to everybody.
const THE_KEY: &str = "TESTACCESSKEY12345";
const THE_SECRET: &str = "ABCSECRETKEY";
const THE_TOKEN: &str = "ABC12345";
/// Real tokens are longer than a thousand characters.
const TOKEN_PARTS: usize = 64;

pub(super) async fn start(registry: Registry) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted.expect("a connection");
                    let registry = registry.clone();
                    // An error is the end of one connection; whoever holds its other end sees it.
                    connections.spawn(async move { serve(stream, &registry).await.ok() });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
    (address, task.abort_handle())
}

/// Asks for one thing; panics when the answer is not what was asked for.
pub(super) async fn ask(server: SocketAddr, request: &str, body: &str) -> Value {
    let length = body.len();
    let request = format!("{request}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let answer = exchange(server, request.as_bytes()).await.expect("moto answers");
    let body = answer.body();
    assert!(answer.head.starts_with("HTTP/1.1 200"), "{request}: {}: {body}", answer.head);
    if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("JSON") }
}

/// The head of a request or of an answer with its empty line, and the body.
struct Exchange {
    head: String,
    body: Vec<u8>,
}

impl Exchange {
    async fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if bytes.len() > HEAD_MAX || stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        let length: usize = length.unwrap_or(0);
        while body.len() < length {
            if stream.read_buf(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Self { head, body })
    }

    fn body(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The same head in front of another body; the connection ends behind it.
    fn with(&self, body: &str) -> String {
        let lines = self.head.trim_end().split("\r\n").filter(|line| {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            !matches!(&*name, "content-length" | "connection")
        });
        let head: String = lines.map(|line| format!("{line}\r\n")).collect();
        format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let field = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
    field.map(|(_, value)| value.trim())
}

async fn exchange(server: SocketAddr, request: &[u8]) -> io::Result<Exchange> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(request).await?;
    Exchange::read(&mut stream).await
}

/// One request, and its answer.
async fn serve(mut client: TcpStream, registry: &Registry) -> io::Result<()> {
    let request = Exchange::read(&mut client).await?;
    if let Err(judgement) = judge(registry, &request).await {
        client.write_all(refusal(judgement).as_bytes()).await?;
        return client.shutdown().await;
    }
    let body = request.body().to_owned();
    let answer = exchange(registry.server, request.with(&body).as_bytes()).await?;
    let mut body = answer.body().to_owned();
    if body.contains(THE_KEY) {
        body = issue(registry, &body);
    }
    client.write_all(answer.with(&body).as_bytes()).await?;
    client.shutdown().await
}

/// Looks at signatures, which moto does not; Cognito wants none.
async fn judge(registry: &Registry, request: &Exchange) -> Result<(), Judgement> {
    if header(&request.head, "x-amz-target").is_some() {
        return Ok(());
    }
    let mut keys = vec![Key::permanent(), Key::temporary(), administrator()];
    keys.extend(registry.issued().into_iter().map(|issued| issued.key));
    let desk = Desk { region: &registry.region, service: "iot", keys: &keys, now_s: now_s() };
    let head = Head::read(&mut request.head.as_bytes()).await;
    desk.judge(&head.map_err(|_| Judgement::Malformed)??, &request.body)
}

fn refusal(judgement: Judgement) -> String {
    let body =
        format!(r#"{{"message":"The request was not signed as it must be: {judgement:?}"}}"#);
    let length = body.len();
    format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\
         x-amzn-ErrorType: InvalidSignatureException\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// Makes the key of an answer another one, and remembers whose it is.
fn issue(registry: &Registry, body: &str) -> String {
    let random = || format!("{:016X}", RandomState::new().hash_one(0_u8));
    let key = Key {
        access_key_id: format!("ASIA{}", random()),
        secret_access_key: format!("{}/{}+x", random(), random()),
        session_token: Some((0..TOKEN_PARTS).map(|_| random() + "/+=").collect()),
    };
    let token = key.session_token.as_deref().unwrap_or_default();
    let body =
        body.replace(THE_KEY, &key.access_key_id).replace(THE_SECRET, &key.secret_access_key);
    let body = body.replace(&format!("\"{THE_TOKEN}\""), &format!("\"{token}\""));
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let identity = answer["IdentityId"].as_str().expect("an identity").to_owned();
    let expires_s = answer["Credentials"]["Expiration"].as_f64().expect("a time");
    registry.add(Issued { key, identity, expires_s });
    body
}
