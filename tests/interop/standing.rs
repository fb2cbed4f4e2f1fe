//! After CONNACK: frames and packets that are wrong, late, too large, cut up, or never come.

use std::time::Duration;

use dunlin_tokio::dunlin::ws::{CloseCode, Malformed as Frame};
use dunlin_tokio::dunlin::{Closed, Error as Cause, Malformed, Misbehaved, Stage, mqtt};
use dunlin_tokio::{Error, Event, Message, Qos, ReasonCode, SubscribeError};

use crate::common::within;
use crate::server::{BINARY, CLOSE, CONNACK, Peer, Server, TEXT};
use crate::{Patient, cause, options, servers};

/// A PUBLISH of QoS 0 to the topic `t` (MQTT 3.1.1 §3.3), with less than 125 bytes.
fn publish(payload: &[u8]) -> Vec<u8> {
    [&[0x30, 3 + payload.len() as u8, 0, 1, b't'], payload].concat()
}

/// Answers a SUBSCRIBE for one filter.
async fn grant(peer: &mut Peer, reason: u8) {
    let subscribe = peer.packet_answering_pings().await;
    assert_eq!(subscribe[0], 0x82);
    peer.send_packet(&[0x90, 3, subscribe[2], subscribe[3], reason]).await;
}

/// What a server that has accepted does wrong, and what it gets for it.
async fn wrong(bytes: &[u8], code: u16, expected: Cause) {
    let server = Server::websocket();
    let mut patient = Patient::start(options(&server.url()).receive(1_024));
    let mut peer = server.open().await;
    patient.connected().await;
    peer.send(bytes).await;
    assert_eq!(peer.close().await, code, "{bytes:?}");
    let (error, _) = patient.lost().await;
    assert_eq!(cause(&error), expected, "{bytes:?}");
    peer.end().await;
    patient.recovers(&server).await;
}

/// RFC 6455 §7.4.1, v3.1.1: [MQTT-6.0.0-1]
#[tokio::test]
async fn wrong_frame_is_answered_with_its_code_and_the_client_recovers() {
    let frame = |fault| Cause::Malformed(Malformed::Frame(fault));
    wrong(&[0x80 | TEXT, 2, b'h', b'i'], 1003, Cause::Misbehaved(Misbehaved::TextFrame)).await;
    wrong(&[0xff; 16], 1002, frame(Frame::ReservedBits)).await;
    wrong(&[0x80 | BINARY, 0x82, 1, 2, 3, 4, 5, 6], 1002, frame(Frame::Masked)).await;
    wrong(&[0x83, 0], 1002, frame(Frame::Opcode)).await;
    wrong(&[0x80, 0], 1002, frame(Frame::Continuation)).await;
    wrong(&[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0], 1002, frame(Frame::LengthOverflow)).await;
}

#[tokio::test]
async fn wrong_packet_is_answered_with_a_close_and_the_client_recovers() {
    let malformed = |fault| Cause::Malformed(Malformed::Packet(fault));
    let misbehaved = |fault| Cause::Misbehaved(Misbehaved::Packet(fault));
    let cases: [(&[u8], u16, Cause); 6] = [
        (&CONNACK, 1002, misbehaved(mqtt::Misbehaved::SecondConnack)),
        (&[0xc0, 0], 1002, misbehaved(mqtt::Misbehaved::ClientPacket)),
        (&[0x00, 0], 1002, malformed(mqtt::Malformed::Type)),
        // QoS 3, and a topic with a wildcard (v3.1.1: [MQTT-3.3.1-4], [MQTT-3.3.2-2]).
        (&[0x36, 5, 0, 1, b't', 0, 1], 1002, malformed(mqtt::Malformed::Flags)),
        (&[0x30, 3, 0, 1, b'#'], 1002, malformed(mqtt::Malformed::Topic)),
        // 2,000 bytes for a client that takes 1,024.
        (&[0x30, 0xd0, 0x0f], 1009, misbehaved(mqtt::Misbehaved::PacketTooLarge)),
    ];
    for (packet, code, expected) in cases {
        let frame = [&[0x80 | BINARY, packet.len() as u8], packet].concat();
        wrong(&frame, code, expected).await;
    }
}

#[tokio::test]
async fn packets_in_frames_of_one_byte_and_many_in_one_frame_all_arrive() {
    let server = Server::websocket();
    let patient = Patient::start(options(&server.url()));
    let subscribing = patient.client.subscribe("t", Qos::AtMostOnce);
    let (subscription, mut peer) = tokio::join!(within("a SUBACK", subscribing), async {
        let mut peer = server.connected().await;
        for byte in CONNACK {
            peer.send_frame(BINARY, &[byte]).await;
        }
        grant(&mut peer, 0).await;
        peer
    });
    let mut subscription = subscription.unwrap();
    // One packet over frames, cut at every byte; a ping stands in between.
    let packet = publish(b"over frames");
    for cut in 0..=packet.len() {
        peer.send_frame(BINARY, &packet[..cut]).await;
        peer.send_frame(9, b"ping").await;
        peer.send_frame(BINARY, &packet[cut..]).await;
    }
    for _ in 0..=packet.len() {
        let came = within("a message", subscription.next()).await.unwrap().unwrap();
        assert_eq!((came.topic(), came.payload()), ("t", &b"over frames"[..]));
    }
    // A hundred in one frame, and the front of another behind them.
    let many: Vec<u8> = (0..101_u8).flat_map(|number| publish(&[number])).collect();
    let cut = many.len() - 3;
    peer.send_frame(BINARY, &many[..cut]).await;
    peer.send_frame(BINARY, &many[cut..]).await;
    for number in 0..101 {
        let came = within("a message", subscription.next()).await.unwrap().unwrap();
        assert_eq!(came.payload(), [number]);
    }
}

/// RFC 6455 §5.5.1
#[tokio::test]
async fn close_of_the_server_is_told_with_its_reason_and_answered() {
    let server = Server::websocket();
    let mut patient = Patient::start(options(&server.url()));
    let mut peer = server.open().await;
    patient.connected().await;
    peer.send_frame(CLOSE, b"\x03\xf0too many\x1b[31m").await;
    assert_eq!(peer.close().await, 1008);
    let (error, _) = patient.lost().await;
    assert_eq!(cause(&error), Cause::Closed(Closed::Peer(Some(CloseCode::POLICY))));
    let text = error.to_string();
    assert!(text.contains("1008") && text.contains("too many"), "{text}");
    assert!(text.contains("check what the broker allows") && !text.contains('\x1b'), "{text}");
    peer.end().await;
    patient.recovers(&server).await;
}

/// MQTT 3.1.1 §3.1.2.10
///
/// v3.1.1: [MQTT-3.1.2-24] is for servers; a client that hears nothing hangs up too.
#[tokio::test]
async fn ping_that_is_not_answered_ends_the_connection() {
    for server in servers() {
        let mut patient = Patient::start(options(&server.url()).keep_alive_s(1));
        let mut peer = server.open().await;
        patient.connected().await;
        assert_eq!(peer.packet().await, [0xc0, 0]);
        peer.send_packet(&[0xd0, 0]).await;
        assert_eq!(peer.packet().await, [0xc0, 0], "an answered ping is followed by another");
        let (error, _) = patient.lost().await;
        assert_eq!(cause(&error), Cause::TimedOut(Stage::Pingresp));
        assert!(error.is_retryable());
        patient.recovers(&server).await;
    }
}

/// What is not answered would go out again over the next connection, and come twice.
#[tokio::test]
async fn connection_that_is_due_for_renewal_is_left_when_nothing_is_under_way() {
    for server in servers() {
        let due = Duration::from_millis(100);
        let at = options(&server.url()).keep_alive_s(1).renew_after(due);
        let mut patient = Patient::start(at);
        let message = Message::new("t", b"", Qos::AtLeastOnce);
        let receipt = patient.client.enqueue(&message).unwrap();
        let mut peer = server.open().await;
        patient.connected().await;
        let publish = peer.packet().await;
        assert_eq!(publish[0], 0x32);
        assert_eq!(peer.packet().await, [0xc0, 0], "it stays for longer than it should");
        peer.send_packet(&[0xd0, 0, 0x40, 2, publish[5], publish[6]]).await;
        within("a PUBACK", receipt).await.unwrap();
        assert_eq!(peer.packet_answering_pings().await, [0xe0, 0]);
        drop(peer);
        let _peer = server.open().await;
        let renewing = within("an event", patient.events.recv()).await.unwrap();
        assert!(matches!(renewing, Event::Renewing), "{renewing:?}");
        patient.connected().await;
    }
}

#[tokio::test]
async fn acknowledgement_of_nothing_is_harmless() {
    for server in servers() {
        let mut patient = Patient::start(options(&server.url()));
        let mut peer = server.open().await;
        patient.connected().await;
        // PUBACK and UNSUBACK for identifiers that nobody has used.
        peer.send_packet(&[0x40, 2, 0x12, 0x34, 0xb0, 2, 0x43, 0x21]).await;
        let message = Message::new("t", b"", Qos::AtLeastOnce);
        let (outcome, ()) =
            tokio::join!(within("PUBACK", patient.client.publish(&message)), async {
                let publish = peer.packet().await;
                let [high, low] = publish[publish.len() - 2..] else { panic!("{publish:?}") };
                peer.send_packet(&[0x40, 2, high, low]).await;
            });
        assert_eq!(outcome.unwrap(), ReasonCode::SUCCESS);
        assert!(patient.events.is_empty(), "{:?}", patient.events.recv().await);
    }
}

#[tokio::test]
async fn subscription_that_the_server_refuses_is_an_error_and_the_rest_is_given_up() {
    for server in servers() {
        let patient = Patient::start(options(&server.url()));
        let wishes = ["fine", "secret"]
            .map(|filter| dunlin_tokio::dunlin::Subscription::new(filter, Qos::AtLeastOnce));
        let subscribing = patient.client.subscribe_all(&wishes);
        let (outcome, unsubscribe) = tokio::join!(within("a SUBACK", subscribing), async {
            let mut peer = server.open().await;
            let subscribe = peer.packet().await;
            peer.send_packet(&[0x90, 4, subscribe[2], subscribe[3], 1, 0x80]).await;
            peer.packet().await
        });
        let Err(SubscribeError::Refused { filter, reason, .. }) = &outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(filter, "secret");
        assert!(reason.is_error(), "{reason:?}");
        let text = outcome.as_ref().unwrap_err().to_string();
        assert!(text.contains("secret") && text.contains("check what it allows"), "{text}");
        assert_eq!(unsubscribe[0], 0xa2);
        assert_eq!(unsubscribe[4..], *b"\0\x04fine");
    }
}

/// A SUBACK that answers another number of filters ends the connection; the wish stays.
#[tokio::test]
async fn suback_with_too_many_answers_ends_the_connection_and_is_asked_again() {
    for server in servers() {
        let mut patient = Patient::start(options(&server.url()));
        let client = patient.client.clone();
        let subscribing = tokio::spawn(async move { client.subscribe("t", Qos::AtMostOnce).await });
        let mut peer = server.open().await;
        let subscribe = peer.packet().await;
        peer.send_packet(&[0x90, 4, subscribe[2], subscribe[3], 0, 0]).await;
        let (error, _) = patient.lost().await;
        let expected = Misbehaved::Packet(mqtt::Misbehaved::SubackCount);
        assert_eq!(cause(&error), Cause::Misbehaved(expected));
        let mut peer = server.open().await;
        grant(&mut peer, 0).await;
        let subscription = within("a SUBACK", subscribing).await.unwrap().unwrap();
        assert_eq!(subscription.granted(), [Qos::AtMostOnce]);
    }
}

/// A peer that takes nothing more: keep alive ends it, and nothing that was accepted is lost.
#[tokio::test]
async fn peer_that_stops_reading_is_given_up_and_all_is_sent_to_the_next() {
    let [websocket, stream] = servers();
    tokio::join!(peer_stops_reading(websocket), peer_stops_reading(stream));
}

async fn peer_stops_reading(server: Server) {
    // More than the sockets' buffers hold.
    const COUNT: u8 = 8;
    // A PINGREQ waits behind what the buffers hold, and its answer for the slow server of a test.
    let mut patient = Patient::start(options(&server.url()).keep_alive_s(4));
    let deaf = server.open().await;
    patient.connected().await;
    let payload = vec![0xa5; 1 << 20];
    let topics: Vec<String> = (0..COUNT).map(|number| format!("large/{number}")).collect();
    let enqueue = |topic: &String| {
        let message = Message::new(topic, &payload, Qos::AtLeastOnce);
        patient.client.enqueue(&message).unwrap()
    };
    let receipts: Vec<_> = topics.iter().map(enqueue).collect();
    let (error, _) = patient.lost().await;
    assert_eq!(cause(&error), Cause::TimedOut(Stage::Pingresp));
    drop(deaf);
    let mut peer = server.open().await;
    for topic in topics {
        let publish = peer.packet_answering_pings().await;
        // Type, three bytes of length, two of the topic's; behind it the identifier.
        assert_eq!(publish[0] & 0xf7, 0x32);
        let rest = publish[6..].strip_prefix(topic.as_bytes());
        let (id, rest) = rest.and_then(<[u8]>::split_first_chunk::<2>).unwrap();
        assert!(rest == payload, "{topic}");
        peer.send_packet(&[0x40, 2, id[0], id[1]]).await;
    }
    for receipt in receipts {
        within("a PUBACK", receipt).await.unwrap();
    }
    within("the end", patient.client.close()).await;
}

/// A server that answers the good-bye with nothing cannot hold the client.
#[tokio::test]
async fn close_against_a_silent_server_ends() {
    for server in servers() {
        let mut patient = Patient::start(options(&server.url()));
        let mut peer = server.open().await;
        patient.connected().await;
        let ((), disconnect) = tokio::join!(within("the end", patient.client.close()), async {
            let disconnect = peer.packet().await;
            // It stays open, and says nothing.
            disconnect
        });
        assert_eq!(disconnect, [0xe0, 0]);
        peer.end().await;
    }
}

/// A client that is closed while it connects, or waits to connect again, ends at once.
#[tokio::test]
async fn close_before_the_connection_stands_ends() {
    for server in servers() {
        let patient = Patient::start(options(&server.url()));
        let mut peer = server.accept().await;
        within("the end", patient.client.close()).await;
        peer.end().await;

        let hour_ms = 3_600_000;
        let waits = dunlin_tokio::Backoff::new(hour_ms, hour_ms, hour_ms);
        let mut patient = Patient::start(options(&server.url()).backoff(waits));
        drop(server.accept().await);
        let (_, retry_in) = patient.lost().await;
        assert_eq!(retry_in.as_secs(), 3_600);
        let waiting = Message::new("t", b"", Qos::AtLeastOnce);
        let waiting = patient.client.enqueue(&waiting).unwrap();
        within("the end", patient.client.close()).await;
        let outcome = within("the end", waiting).await;
        let closed = dunlin_tokio::PublishError::Closed(Error::Closed);
        assert_eq!(format!("{:?}", outcome.unwrap_err()), format!("{closed:?}"));
    }
}
