//! A WebSocket server made of `dunlin-ws` alone: it says everything back, and tells what it heard.
//!
//! To the text `close CODE REASON` it says nothing but that: it begins to close.

mod endpoint;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use endpoint::Endpoint;
pub use endpoint::{FRAGMENT, Heard, PING};

/// How long something to hear is waited for.
const LIMIT: Duration = Duration::from_secs(20);

/// A server on a port of its own; gone with this value, and its connections with it.
#[derive(Debug)]
pub struct WsServer {
    address: SocketAddr,
    heard: mpsc::UnboundedReceiver<Heard>,
    task: JoinHandle<()>,
}

impl WsServer {
    /// Listens on loopback; serves one client after the other, and agrees to `mqtt` where it is offered.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (tell, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, Endpoint::new(tell.clone())).await;
            }
        });
        Self { address, heard, task }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("ws://{}/echo", self.address)
    }

    /// Everything that was heard up to the next end of a connection.
    ///
    /// Panics when that does not come.
    pub async fn heard(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        loop {
            let next = timeout(LIMIT, self.heard.recv()).await;
            let next = next.unwrap_or_else(|_| panic!("no end after {heard:?}"));
            heard.push(next.expect("the server lives"));
            if heard.last() == Some(&Heard::Ended) {
                return heard;
            }
        }
    }
}

impl Drop for WsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries bytes until the transport ends, or nothing more is wanted.
async fn serve(mut stream: TcpStream, mut endpoint: Endpoint) {
    while !endpoint.is_over() {
        let Ok(len @ 1..) = stream.read(endpoint.spare()).await else { break };
        endpoint.handle_read(len);
        if stream.write_all(&endpoint.take_out()).await.is_err() {
            break;
        }
    }
    // An error is the client's, which has hung up: there is nobody to tell.
    let _ = stream.shutdown().await;
    endpoint.handle_end();
}
