//! WebSocket clients that nobody here wrote, at a server made of `dunlin-ws` alone.
#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use support::browser::Page;
use support::peer::node_packages;
use support::process::Command;
use support::workspace;
use support::ws_server::{Heard, PING, WsServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the script prints and the server hears before a client is told to do what browsers cannot.
const SAID: &str = "open mqtt\ntext Grüße, 世界\nempty \nbinary 007f80ff\n\
    long 140000 characters, a5a5a5a5\nlarge 200000 characters, xxxxxxxx\n";

/// And behind that: how a connection ended that the client has closed, and one that the server has.
const CLOSED: &str = "close 4001 done true\nopen mqtt\nclose 4002 enough true\n";

async fn talk(flags: &[&str], kind: &str) -> (String, Vec<Heard>) {
    let mut server = WsServer::start().await;
    let script = workspace().join("tests/peers/websocket_peer.js");
    let arguments = [script.into_os_string(), kind.into(), node_packages().into_os_string()];
    let node = Command::new("node").args(flags).args(arguments).args([server.url()]);
    let said = node.run().await.text();
    (said, heard(&mut server).await)
}

/// Of both connections; whether a client repeats the reason of a Close is its own matter.
async fn heard(server: &mut WsServer) -> Vec<Heard> {
    let heard = [server.heard().await, server.heard().await].concat();
    let plain = |heard| match heard {
        Heard::Close(Some(4002), _) => Heard::Close(Some(4002), String::new()),
        heard => heard,
    };
    heard.into_iter().map(plain).collect()
}

/// What does not depend on when a client answers a ping: its pongs apart from the rest.
fn apart(heard: Vec<Heard>) -> (Vec<Heard>, Vec<Heard>) {
    heard.into_iter().partition(|heard| matches!(heard, Heard::Pong(_)))
}

fn messages() -> Vec<Heard> {
    vec![
        Heard::Opened { agreed: true },
        Heard::Text("Grüße, 世界".to_owned()),
        Heard::Text(String::new()),
        Heard::Binary(vec![0, 127, 128, 255]),
        Heard::Binary(vec![0xa5; 70_000]),
        Heard::Text("x".repeat(200_000)),
    ]
}

fn end() -> [Heard; 6] {
    [
        Heard::Close(Some(4001), "done".to_owned()),
        Heard::Ended,
        Heard::Opened { agreed: true },
        Heard::Text("close 4002 enough".to_owned()),
        Heard::Close(Some(4002), String::new()),
        Heard::Ended,
    ]
}

/// RFC 6455 §5.4, §5.5, §7.4
#[tokio::test]
async fn client_of_the_ws_package_is_served() {
    let (said, heard) = talk(&[], "ws").await;
    let more = "fragmented one, two\npong hello\n";
    assert_eq!(said, [SAID, more, CLOSED].concat());
    let (pongs, heard) = apart(heard);
    let more = [
        Heard::Ping(b"between".to_vec()),
        Heard::Text("one, two".to_owned()),
        Heard::Ping(b"hello".to_vec()),
    ];
    assert_eq!(heard, [&messages()[..], &more, &end()].concat());
    assert_eq!(pongs, vec![Heard::Pong(PING.to_vec()); 6]);
}

/// RFC 6455 §5.6, §7.4
#[tokio::test]
async fn client_that_node_has_itself_is_served() {
    let (said, heard) = talk(&["--experimental-websocket", "--no-warnings"], "global").await;
    assert_eq!(said, [SAID, CLOSED].concat());
    let (pongs, heard) = apart(heard);
    assert_eq!(heard, [&messages()[..], &end()].concat());
    assert_eq!(pongs, vec![Heard::Pong(PING.to_vec()); 5]);
}

/// An empty page that comes from this machine: others may not connect to it.
async fn page() -> Page {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            // An error is the browser's, which has hung up.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    let page = Page::open(&url).await;
    serving.abort();
    page
}

/// RFC 6455 §5.4, §5.5.2, §7.4
#[tokio::test]
async fn client_of_chromium_is_served() {
    let mut server = WsServer::start().await;
    let mut page = page().await;
    page.evaluate(include_str!("peers/websocket_talk.js")).await;
    let script = format!(
        "(async () => {{
            const lines = [];
            await talk(WebSocket, '{}', (...words) => lines.push(words.join(' ') + '\\n'));
            return lines.join('');
        }})()",
        server.url()
    );
    let said = page.evaluate(&script).await;
    assert_eq!(said.as_str(), Some(&*[SAID, CLOSED].concat()));
    let (pongs, heard) = apart(heard(&mut server).await);
    assert_eq!(heard, [&messages()[..], &end()].concat());
    assert_eq!(pongs, vec![Heard::Pong(PING.to_vec()); 5]);
}
