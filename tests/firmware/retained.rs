//! A message that waits at the broker for whoever subscribes.

use dunlin::{Connect, Message, Qos, Version};
use dunlin_mqtt::Publish;
use dunlin_octet::{Count, Text, Writer};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Has the broker keep a message; returns when it has said so.
pub(crate) async fn publish(broker: SocketAddr, topic: &str, payload: &[u8]) {
    let mut stream = TcpStream::connect(broker).await.expect("the broker listens");
    let message = Message::new(topic, payload, Qos::AtLeastOnce).retained();
    let packet_id = dunlin_mqtt::PacketId::new(1);
    let publish = Publish { message, duplicate: false, packet_id };
    let mut packets = bytes(&Connect::new("host"));
    packets.extend(bytes(&publish.with(Version::V3)));
    stream.write_all(&packets).await.expect("the broker reads");
    // CONNACK and PUBACK (MQTT 3.1.1 §3.2, §3.4).
    let mut answers = [0; 8];
    stream.read_exact(&mut answers).await.expect("the broker answers");
    assert_eq!(answers, [0x20, 2, 0, 0, 0x40, 2, 0, 1]);
}

fn bytes(packet: &dyn Text) -> Vec<u8> {
    let mut bytes = vec![0; Count::of(packet)];
    packet.write(&mut Writer::new(&mut bytes));
    bytes
}
