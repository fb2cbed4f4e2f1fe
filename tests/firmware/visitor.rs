//! Another client of a broker, on this side of the wire.

use dunlin::{Connect, Message, Qos, Version};
use dunlin_mqtt::{FixedHeader, PacketId, PacketType, Publish, Subscribe, Subscription};
use dunlin_octet::{Count, Text, Writer};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the broker may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a visitor says last.
const END: &str = "end";

/// A client of MQTT 3.1.1 without a session.
#[derive(Debug)]
pub(crate) struct Visitor(TcpStream);

impl Visitor {
    /// Connects to the broker.
    pub(crate) async fn connect(broker: SocketAddr) -> Self {
        let mut visitor = Self(TcpStream::connect(broker).await.expect("the broker listens"));
        visitor.write(bytes(&Connect::new("host"))).await;
        visitor.expect(&[0x20, 2, 0, 0]).await;
        visitor
    }

    /// Has the broker keep a message for whoever subscribes; returns when it has said so.
    pub(crate) async fn leave(&mut self, topic: &str, payload: &[u8]) {
        let message = Message::new(topic, payload, Qos::AtLeastOnce).retained();
        let publish = Publish { message, duplicate: false, packet_id: PacketId::new(1) };
        self.write(bytes(&publish.with(Version::V3))).await;
        self.expect(&[0x40, 2, 0, 1]).await;
    }

    /// Sees everything with this topic from now on.
    pub(crate) async fn subscribe(&mut self, topic: &str) {
        let packet_id = PacketId::new(1).expect("not zero");
        let wishes = [Subscription::new(topic, Qos::AtMostOnce)];
        self.write(bytes(&Subscribe::new(packet_id, &wishes).with(Version::V3))).await;
        self.expect(&[0x90, 3, 0, 1, 0]).await;
    }

    /// Publishes to all who have subscribed by now.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str) {
        let message = Message::new(topic, payload.as_bytes(), Qos::AtMostOnce);
        let publish = Publish { message, duplicate: false, packet_id: None };
        self.write(bytes(&publish.with(Version::V3))).await;
    }

    /// The payloads of all that has come with `topic`, to which it has subscribed.
    pub(crate) async fn seen(mut self, topic: &str) -> Vec<String> {
        self.publish(topic, END).await;
        let mut payloads = Vec::new();
        loop {
            let payload = self.message().await;
            if payload == END {
                return payloads;
            }
            payloads.push(payload);
        }
    }

    async fn message(&mut self) -> String {
        let mut front = [0; 2];
        self.read(&mut front).await;
        let header = FixedHeader::decode(Version::V3, &front).expect("a broker knows MQTT");
        let (header, _) = header.expect("messages of a test are short");
        assert_eq!(header.packet_type, PacketType::Publish);
        let mut body = vec![0; header.remaining];
        self.read(&mut body).await;
        let publish = Publish::decode(Version::V3, header.flags, &body).expect("a message");
        String::from_utf8_lossy(publish.message.payload).into_owned()
    }

    async fn write(&mut self, packet: Vec<u8>) {
        self.0.write_all(&packet).await.expect("the broker reads");
    }

    /// Reads an answer (MQTT 3.1.1 §3.2, §3.4, §3.9).
    async fn expect(&mut self, answer: &[u8]) {
        let mut bytes = vec![0; answer.len()];
        self.read(&mut bytes).await;
        assert_eq!(bytes, answer);
    }

    async fn read(&mut self, bytes: &mut [u8]) {
        let read = timeout(PATIENCE, self.0.read_exact(bytes)).await;
        read.expect("the broker answers in time").expect("the broker goes on");
    }
}

fn bytes(packet: &dyn Text) -> Vec<u8> {
    let mut bytes = vec![0; Count::of(packet)];
    packet.write(&mut Writer::new(&mut bytes));
    bytes
}
