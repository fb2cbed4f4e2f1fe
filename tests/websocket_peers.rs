//! WebSocket clients that nobody here wrote, at a server made of `dunlin-ws` alone.
#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use support::peer::node_packages;
use support::process::Command;
use support::workspace;
use support::ws_server::{Heard, PING, WsServer};

/// What the script prints and the server hears before a client is told to do what browsers cannot.
const SAID: &str = "open mqtt\ntext Grüße, 世界\nempty \nbinary 007f80ff\n\
    long 140000 characters, a5a5a5a5\n";

async fn talk(flags: &[&str], kind: &str) -> (String, Vec<Heard>) {
    let mut server = WsServer::start().await;
    let script = workspace().join("tests/peers/websocket_peer.js");
    let arguments = [script.into_os_string(), kind.into(), node_packages().into_os_string()];
    let node = Command::new("node").args(flags).args(arguments).args([server.url()]);
    let said = node.run().await.text();
    (said, server.heard().await)
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
    ]
}

fn end() -> [Heard; 2] {
    [Heard::Close(Some(4001), "done".to_owned()), Heard::Ended]
}

/// RFC 6455 §5.4, §5.5, §7.4
#[tokio::test]
async fn client_of_the_ws_package_is_served() {
    let (said, heard) = talk(&[], "ws").await;
    let more = "fragmented one, two\npong hello\nclose 4001 done true\n";
    assert_eq!(said, [SAID, more].concat());
    let (pongs, heard) = apart(heard);
    let more = [
        Heard::Ping(b"between".to_vec()),
        Heard::Text("one, two".to_owned()),
        Heard::Ping(b"hello".to_vec()),
    ];
    assert_eq!(heard, [&messages()[..], &more, &end()].concat());
    assert_eq!(pongs, vec![Heard::Pong(PING.to_vec()); 5]);
}

/// RFC 6455 §5.6, §7.4
#[tokio::test]
async fn client_that_node_has_itself_is_served() {
    let (said, heard) = talk(&["--experimental-websocket", "--no-warnings"], "global").await;
    assert_eq!(said, [SAID, "close 4001 done true\n"].concat());
    let (pongs, heard) = apart(heard);
    assert_eq!(heard, [&messages()[..], &end()].concat());
    assert_eq!(pongs, vec![Heard::Pong(PING.to_vec()); 4]);
}
