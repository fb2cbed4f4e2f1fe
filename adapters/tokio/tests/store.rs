//! A client whose program ends and starts again, with its session in a file.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use dunlin_tokio::{Client, Error, Message, Options, Persistence, Qos, ReasonCode, StoreError};
use std::{path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const LONG: Duration = Duration::from_secs(20);

/// The path of a store in a folder of its own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dunlin-store-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> PathBuf {
        self.0.join("session")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options(port: u16, folder: &Folder) -> Options {
    Options::parse(&format!("mqtt://127.0.0.1:{port}"))
        .unwrap()
        .client_id("kept")
        .persistence(Persistence::Kept)
        .store(folder.store())
}

/// One whole packet.
async fn packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    let mut packet = head.to_vec();
    packet.resize(2 + usize::from(head[1]), 0);
    stream.read_exact(&mut packet[2..]).await.unwrap();
    packet
}

#[tokio::test]
async fn message_that_was_recorded_arrives_after_the_program_has_started_again() {
    let folder = Folder::new("again");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (client, _) = Client::start(options(port, &folder));
    let message = Message::new("t", b"!", Qos::AtLeastOnce);
    let mut receipt = client.enqueue(&message).unwrap();
    timeout(LONG, receipt.recorded()).await.unwrap().unwrap();
    client.close().await;
    drop((client, receipt));
    // What the first client may have connected is of no interest.
    drop(listener);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (client, _events) = Client::start(options(port, &folder));
    let (mut stream, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    assert_eq!(packet(&mut stream).await[0], 0x10);
    stream.write_all(&[0x20, 2, 1, 0]).await.unwrap();
    assert_eq!(packet(&mut stream).await, [0x3a, 6, 0, 1, b't', 0, 1, b'!']);
    stream.write_all(&[0x40, 2, 0, 1]).await.unwrap();
    timeout(LONG, client.drain()).await.unwrap().unwrap();

    let publish = client.publish(&message);
    let answer = async {
        assert_eq!(packet(&mut stream).await[..2], [0x32, 6]);
        let [high, low] = [0, 2];
        stream.write_all(&[0x40, 2, high, low]).await.unwrap();
    };
    let (published, ()) = timeout(LONG, async { tokio::join!(publish, answer) }).await.unwrap();
    assert_eq!(published.unwrap(), ReasonCode::SUCCESS);
}

/// The answer may come before the program asks for the store.
#[tokio::test]
async fn answer_that_came_before_the_store_was_waited_for_is_still_told() {
    let folder = Folder::new("early");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (client, _events) = Client::start(options(port, &folder));
    let mut receipt = client.enqueue(&Message::new("t", b"!", Qos::AtLeastOnce)).unwrap();
    let (mut stream, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    assert_eq!(packet(&mut stream).await[0], 0x10);
    stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
    assert_eq!(packet(&mut stream).await, [0x32, 6, 0, 1, b't', 0, 1, b'!']);
    stream.write_all(&[0x40, 2, 0, 1]).await.unwrap();
    timeout(LONG, client.drain()).await.unwrap().unwrap();
    timeout(LONG, receipt.recorded()).await.unwrap().unwrap();
    assert_eq!(timeout(LONG, receipt).await.unwrap().unwrap(), ReasonCode::SUCCESS);
}

/// Not one batch sooner: it may have been accepted while another was being written.
#[tokio::test]
async fn message_that_is_said_to_be_recorded_stands_in_the_file() {
    let folder = Folder::new("batches");
    let (client, _events) = Client::start(options(9, &folder));
    for number in 0..100 {
        let [first, second] = ["first", "second"].map(|name| format!("<{name}-{number}>"));
        let first = client.enqueue(&Message::new("t", first.as_bytes(), Qos::AtLeastOnce)).unwrap();
        // The client takes it to the store, and the next one finds it there.
        tokio::task::yield_now().await;
        let message = Message::new("t", second.as_bytes(), Qos::AtLeastOnce);
        let mut receipt = client.enqueue(&message).unwrap();
        timeout(LONG, receipt.recorded()).await.unwrap().unwrap();
        let file = std::fs::read(folder.store()).unwrap();
        assert!(String::from_utf8_lossy(&file).contains(&second), "{second}");
        drop(first);
    }
    client.close().await;
}

#[tokio::test]
async fn store_that_cannot_be_had_ends_the_client_with_advice() {
    let folder = Folder::new("refused");
    let (first, _) = Client::start(options(9, &folder));
    let second = Client::connect(options(9, &folder)).await;
    let Err(error @ Error::Store(StoreError::InUse { .. })) = second else {
        panic!("{second:?}");
    };
    assert!(error.to_string().contains("give each client its own"), "{error}");
    first.close().await;
    let nowhere = options(9, &folder).store(folder.0.join("no/such/folder"));
    assert!(matches!(Client::connect(nowhere).await, Err(Error::Store(StoreError::Io { .. }))));
}
