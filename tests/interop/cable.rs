//! The line between a client and its broker, to be pulled out and put back.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections that may wait to be carried.
const BACKLOG: u32 = 16;

/// A pipe of bytes to a broker; both ends see it end when it is pulled out.
#[derive(Debug)]
pub(crate) struct Cable {
    address: SocketAddr,
    plug: watch::Sender<bool>,
}

impl Cable {
    /// A cable to `broker`, plugged in; it ends with this value.
    pub(crate) async fn to(broker: SocketAddr) -> Self {
        // It never listens, and keeps the port while nobody does.
        let place = bound(0).unwrap();
        let address = place.local_addr().unwrap();
        let listener = Some(bound(address.port()).unwrap().listen(BACKLOG).unwrap());
        let (plug, plugged) = watch::channel(true);
        tokio::spawn(listen(place, listener, broker, plugged));
        Self { address, plug }
    }

    /// Where the client connects to.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection without a word; new ones are refused, before they can say anything.
    pub(crate) fn pull(&self) {
        self.plug.send_replace(false);
    }

    /// New connections reach the broker again.
    pub(crate) fn put_back(&self) {
        self.plug.send_replace(true);
    }
}

/// A socket on loopback that may share its port with others of this kind, of which one listens.
fn bound(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

async fn listen(
    place: TcpSocket,
    mut listener: Option<TcpListener>,
    broker: SocketAddr,
    mut plugged: watch::Receiver<bool>,
) {
    let port = place.local_addr().unwrap().port();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            client = accepted(listener.as_ref()) => {
                connections.spawn(carry(client, broker));
            }
            Some(_) = connections.join_next() => {}
            changed = plugged.changed() => match changed {
                Ok(()) if *plugged.borrow() => {
                    listener.get_or_insert_with(|| bound(port).unwrap().listen(BACKLOG).unwrap());
                }
                Ok(()) => {
                    // First: whoever is cut off connects again.
                    listener = None;
                    connections.abort_all();
                }
                Err(_) => return,
            },
        }
    }
}

/// The next connection, while somebody listens.
async fn accepted(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => listener.accept().await.unwrap().0,
        None => pending().await,
    }
}

async fn carry(mut client: TcpStream, broker: SocketAddr) -> io::Result<()> {
    let mut broker = TcpStream::connect(broker).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut broker).await.map(drop)
}
