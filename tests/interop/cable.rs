//! The line between a client and its broker, to be pulled out and put back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A pipe of bytes to a broker; both ends see it end when it is pulled out.
#[derive(Debug)]
pub(crate) struct Cable {
    address: SocketAddr,
    plug: watch::Sender<bool>,
}

impl Cable {
    /// A cable to `broker`, plugged in; it ends with this value.
    pub(crate) async fn to(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (plug, plugged) = watch::channel(true);
        tokio::spawn(listen(listener, broker, plugged));
        Self { address, plug }
    }

    /// Where the client connects to.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection without a word; new ones end at once.
    pub(crate) fn pull(&self) {
        self.plug.send_replace(false);
    }

    /// New connections reach the broker again.
    pub(crate) fn put_back(&self) {
        self.plug.send_replace(true);
    }
}

async fn listen(listener: TcpListener, broker: SocketAddr, mut plugged: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.unwrap();
                if *plugged.borrow() {
                    connections.spawn(carry(client, broker));
                }
            }
            Some(_) = connections.join_next() => {}
            changed = plugged.changed() => match changed {
                Ok(()) if *plugged.borrow() => {}
                Ok(()) => connections.abort_all(),
                Err(_) => return,
            },
        }
    }
}

async fn carry(mut client: TcpStream, broker: SocketAddr) -> io::Result<()> {
    let mut broker = TcpStream::connect(broker).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut broker).await.map(drop)
}
