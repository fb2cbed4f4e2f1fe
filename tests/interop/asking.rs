//! The request as a server reads it: a proxy leads every host to it.

use dunlin_tokio::aws::Signing;
use dunlin_tokio::{Client, Options};

use crate::common::within;
use crate::server::Server;

/// The heads of CONNECT and of the request behind it.
async fn asked(options: Options) -> (String, String) {
    let server = Server::websocket();
    let proxy = server.url().replace("ws://", "http://").parse().unwrap();
    let client = tokio::spawn(Client::connect(options.proxy(proxy)));
    let mut peer = server.accept().await;
    let connect = peer.request().await;
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n").await;
    let request = peer.request().await;
    drop(peer);
    within("the client's end", client).await.unwrap().unwrap_err();
    (connect, request)
}

/// What stands in a request beside the key, which is another each time.
fn head(target: &str, host: &str, more: &str) -> (String, String) {
    let front = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: "
    );
    let back =
        format!("\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n{more}\r\n");
    (front, back)
}

/// RFC 9110 §7.2, RFC 6455 §4.1
#[tokio::test]
async fn request_names_host_path_and_fields_as_they_were_given() {
    let long = format!("/mqtt/{}?x={}", "a".repeat(2_000), "b".repeat(2_000));
    for (authority, port, host, target) in [
        ("broker.invalid", 80, "broker.invalid", "/mqtt"),
        ("broker.invalid:80", 80, "broker.invalid", "/a/b?c=d"),
        ("broker.invalid:443", 443, "broker.invalid:443", "/a%20b"),
        ("[2001:db8::1]", 80, "[2001:db8::1]", &*long),
        ("[2001:db8::1]:8080", 8080, "[2001:db8::1]:8080", "/mqtt"),
    ] {
        let options = Options::parse(&format!("ws://{authority}{target}")).unwrap();
        let options = options.field("Authorization", "Basic dTpw").field("X-Tab", "a\tb");
        let (connect, request) = asked(options).await;
        let name = host.trim_end_matches(&format!(":{port}"));
        assert!(connect.starts_with(&format!("CONNECT {name}:{port} HTTP/1.1\r\n")), "{connect}");
        let (front, back) = head(target, host, "Authorization: Basic dTpw\r\nX-Tab: a\tb\r\n");
        let key = request.strip_prefix(&front).and_then(|rest| rest.strip_suffix(&back));
        assert_eq!(key.map(str::len), Some(24), "{request}");
    }
}

/// A token of 3 KB makes a request that no buffer of the client's holds.
#[tokio::test]
async fn request_with_a_signature_of_three_kilobytes_is_sent_whole() {
    let token = "T0ken+/=".repeat(375);
    let signing = Signing::new("AKIDEXAMPLE", "secret", Some(token.clone()), "us-east-1");
    let options = Options::parse("ws://broker.invalid/mqtt").unwrap().aws(signing);
    let (_, request) = asked(options).await;
    let (_, query) = request.split_once("/mqtt?").unwrap();
    let (query, rest) = query.split_once(' ').unwrap();
    let encoded = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    assert!(query.contains(&format!("X-Amz-Security-Token={encoded}")), "{query}");
    assert!(query.contains("X-Amz-Signature="), "{query}");
    assert!(query.len() > 3_000 && rest.ends_with("Sec-WebSocket-Protocol: mqtt\r\n\r\n"));
}
