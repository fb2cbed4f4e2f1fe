//! mqtt-protocol-core, a state machine without I/O: it has no WebSocket, and allocates.

use mqtt_protocol_core::mqtt::Version;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{Connection, Event, role};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, v3_1_1};
use std::hint::black_box;

pub(crate) const NAME: &str = "mqtt-protocol-core 0.7";

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// Takes `publish`, of QoS 1, and makes the bytes of its acknowledgement.
pub(crate) fn receiver(publish: Vec<u8>) -> impl FnMut() {
    let mut connection = connected();
    move || {
        let (mut messages, mut sent) = (0, 0);
        for event in &connection.recv(&mut Cursor::new(black_box(&publish))) {
            match black_box(event) {
                Event::NotifyPacketReceived(Packet::V3_1_1Publish(_)) => messages += 1,
                Event::RequestSendPacket { packet, .. } => {
                    sent += black_box(packet.to_continuous_buffer()).len();
                }
                _ => {}
            }
        }
        assert_eq!((messages, sent), (1, 4), "one message, and its PUBACK");
    }
}

/// A client that stands, and acknowledges by itself.
fn connected() -> Connection<role::Client> {
    let mut connection = Connection::<role::Client>::new(Version::V3_1_1);
    connection.set_auto_pub_response(true);
    let connect = v3_1_1::Connect::builder().client_id("bench").unwrap();
    let connect = connect.clean_session(true).keep_alive(45).build().unwrap();
    connection.checked_send(connect);
    let events = connection.recv(&mut Cursor::new(&CONNACK));
    let is_connack =
        |event: &Event| matches!(event, Event::NotifyPacketReceived(Packet::V3_1_1Connack(_)));
    assert!(events.iter().any(is_connack), "connected");
    connection
}
