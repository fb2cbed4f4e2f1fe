//! What a server of MQTT 5.0 can say that mosquitto does not: references, reasons, topic aliases.

use std::time::{Duration, Instant};

use dunlin_tokio::dunlin::{Closed, Error as Cause, Refused};
use dunlin_tokio::{
    Backoff, Client, Event, Message, Options, PublishError, Qos, ReasonCode, Resumption,
    ServerReference, Status, SubscribeError, Version,
};
use tokio::sync::broadcast;

use crate::common::within;
use crate::server::{Peer, Server};
use crate::{cause, options, servers};

/// CONNACK of MQTT 5.0 §3.2: no session, accepted, no properties.
const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];

fn five(server: &Server) -> Options {
    options(&server.url()).version(Version::V5)
}

/// A packet with a body of less than 128 bytes.
fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[first, body.len() as u8][..], &body].concat()
}

/// A string property, with the length of all properties in front.
fn property(id: u8, text: &str) -> Vec<u8> {
    let len = text.len() as u8;
    [&[len + 3, id, 0, len], text.as_bytes()].concat()
}

/// CONNECT is answered with this.
async fn answered(server: &Server, connack: &[u8]) -> Peer {
    let mut peer = server.connected().await;
    peer.send_packet(connack).await;
    peer
}

async fn event(events: &mut broadcast::Receiver<Event>) -> Event {
    loop {
        match within("an event", events.recv()).await.unwrap() {
            Event::Connecting => {}
            event => return event,
        }
    }
}

fn reference(server: &Server) -> String {
    server.url().split_once("://").unwrap().1.to_owned()
}

/// MQTT 5.0 §4.11: with CONNACK for now, with DISCONNECT for good.
#[tokio::test]
async fn reference_is_told_and_followed_only_where_the_program_says_so() {
    for policy in [ServerReference::Ignore, ServerReference::Follow] {
        let follows = policy == ServerReference::Follow;
        let [home, away, last] = [(); 3].map(|()| Server::websocket());
        let to = reference(&away);
        let (client, mut events) = Client::start(five(&home).server_reference(policy));
        let name = property(0x1c, &to);
        answered(&home, &packet(0x20, &[&[0, 0x9c], &name])).await.end().await;
        match event(&mut events).await {
            Event::Redirected { to: told, permanent: false } => assert_eq!(told, to),
            event => panic!("{event:?}"),
        }
        let Event::Disconnected { error, .. } = event(&mut events).await else { panic!() };
        let reason = ReasonCode::USE_ANOTHER_SERVER;
        assert_eq!(cause(&error), Cause::Refused(Refused::Connect(reason)));
        let mut peer = answered(if follows { &away } else { &home }, &CONNACK).await;
        assert!(matches!(event(&mut events).await, Event::Connected(Resumption::New)));
        // Where it is now, it is told of another one, for good.
        let name = property(0x1c, &reference(&last));
        peer.send_packet(&packet(0xe0, &[&[0x9d], &name])).await;
        assert!(matches!(event(&mut events).await, Event::Redirected { permanent: true, .. }));
        assert!(matches!(event(&mut events).await, Event::Disconnected { .. }));
        let _peer = answered(if follows { &last } else { &home }, &CONNACK).await;
        assert!(matches!(event(&mut events).await, Event::Connected(Resumption::New)));
        drop(client);
    }
}

/// MQTT 5.0 §3.1.2.4
///
/// Whatever the server has of that name before it has accepted is from before this client's life, and what
/// it has behind a connection that leaves no session is another client's.
#[tokio::test]
async fn connect_asks_for_a_clean_start_unless_the_server_has_granted_a_session() {
    // The session ends with its connection.
    const FLEETING: &[u8] = &[0x20, 8, 0, 0, 5, 0x11, 0, 0, 0, 0];
    let expected: [(Option<&[u8]>, bool); 5] =
        [(None, true), (None, true), (Some(&CONNACK), true), (Some(FLEETING), false), (None, true)];
    for server in servers() {
        let at = five(&server).client_id("c").session_expiry_s(60);
        let (_client, mut events) = Client::start(at);
        for (connack, clean_start) in expected {
            let mut peer = server.accept().await;
            peer.upgrade().await;
            let connect = peer.packet().await;
            assert_eq!(connect[2..9], *b"\0\x04MQTT\x05");
            assert_eq!(connect[9] & 0x02 != 0, clean_start, "{connect:?}");
            if let Some(connack) = connack {
                peer.send_packet(connack).await;
                assert!(matches!(event(&mut events).await, Event::Connected(_)));
            }
            drop(peer);
            assert!(matches!(event(&mut events).await, Event::Disconnected { .. }));
        }
    }
}

#[tokio::test]
async fn good_bye_of_the_server_ends_the_client_where_it_will_not_go_away() {
    for server in servers() {
        for (reason, words, ends) in [
            (0x87, "check what the broker allows this client", true),
            (0x8e, "each needs its own", true),
            (0x8b, "try again later", false),
        ] {
            let (client, mut events) = Client::start(five(&server));
            let mut peer = answered(&server, &CONNACK).await;
            assert!(matches!(event(&mut events).await, Event::Connected(_)));
            peer.send_packet(&packet(0xe0, &[&[reason], &property(0x1f, "because\n")])).await;
            let (error, ended) = match event(&mut events).await {
                Event::Closed(error) => (error, true),
                Event::Disconnected { error, .. } => (error, false),
                event => panic!("{event:?}"),
            };
            assert_eq!(ended, ends, "{error}");
            let reason = ReasonCode::new(reason);
            assert_eq!(cause(&error), Cause::Closed(Closed::Disconnected(reason)));
            let text = error.to_string();
            assert!(text.contains("(it says: because)") && text.contains(words), "{text}");
            assert_eq!(client.status() == Status::Closed, ends);
        }
    }
}

/// A program that would come back at once waits for a second where the server has said good-bye, and where
/// nothing was said comes back at once.
#[tokio::test]
async fn server_that_says_disconnect_is_left_alone_for_a_second_whatever_the_backoff() {
    for server in servers() {
        let (_client, mut events) = Client::start(five(&server).backoff(Backoff::constant(0)));
        let mut peer = answered(&server, &CONNACK).await;
        for (good_bye, expected_ms) in [(Some(0x8b), 1_000), (None, 0)] {
            let begun = Instant::now();
            assert!(matches!(event(&mut events).await, Event::Connected(_)));
            match good_bye {
                Some(reason) => peer.send_packet(&[0xe0, 1, reason]).await,
                None => drop(peer),
            }
            let Event::Disconnected { retry_in, .. } = event(&mut events).await else { panic!() };
            assert_eq!(retry_in, Duration::from_millis(expected_ms));
            peer = answered(&server, &CONNACK).await;
            assert!(begun.elapsed() >= retry_in, "it comes back as it said");
        }
    }
}

#[tokio::test]
async fn refusal_of_a_message_or_a_filter_has_its_reason_and_words() {
    for server in servers() {
        let (client, _events) = Client::start(five(&server));
        let mut peer = answered(&server, &CONNACK).await;
        let words = property(0x1f, "not you");
        for (qos, first) in [(Qos::AtLeastOnce, 0x40), (Qos::ExactlyOnce, 0x50)] {
            let receipt = client.enqueue(&Message::new("t", b"", qos)).unwrap();
            let publish = peer.packet_answering_pings().await;
            let id = [publish[5], publish[6]];
            peer.send_packet(&packet(first, &[&id, &[0x87], &words])).await;
            let error = within("an answer", receipt).await.unwrap_err();
            let PublishError::Refused { reason, said } = &error else { panic!("{error:?}") };
            assert_eq!((*reason, said.as_str()), (ReasonCode::NOT_AUTHORIZED, "not you"));
            assert!(error.to_string().contains("not you"), "{error}");
        }
        let (outcome, ()) = tokio::join!(client.subscribe("f", Qos::AtMostOnce), async {
            let subscribe = peer.packet_answering_pings().await;
            let id = [subscribe[2], subscribe[3]];
            peer.send_packet(&packet(0x90, &[&id, &words, &[0x87]])).await;
        });
        let error = outcome.unwrap_err();
        let SubscribeError::Refused { filter, reason, said } = &error else { panic!("{error:?}") };
        assert_eq!((filter.as_str(), said.as_str()), ("f", "not you"));
        assert_eq!(*reason, ReasonCode::NOT_AUTHORIZED);
    }
}

/// MQTT 5.0 §3.3.2.3.4, both ways.
#[tokio::test]
async fn topic_goes_out_once_and_then_as_its_alias_and_comes_so() {
    for server in servers() {
        let (client, mut events) = Client::start(five(&server).topic_aliases(2, 100));
        let mut peer = server.connected().await;
        // It takes the alias 1, and no other.
        peer.send_packet(&packet(0x20, &[&[0, 0, 3, 0x22, 0, 1]])).await;
        assert!(matches!(event(&mut events).await, Event::Connected(_)));
        for (topic, expected) in [
            ("long", &b"\x00\x04long\x03\x23\x00\x01"[..]),
            ("long", b"\x00\x00\x03\x23\x00\x01"),
            ("other", b"\x00\x05other\x03\x23\x00\x01"),
            ("long", b"\x00\x04long\x03\x23\x00\x01"),
            ("x", b"\x00\x01x\x00"),
        ] {
            let receipt = client.enqueue(&Message::new(topic, b"", Qos::AtMostOnce)).unwrap();
            within("a write", receipt).await.unwrap();
            assert_eq!(peer.packet_answering_pings().await, packet(0x30, &[expected]));
        }
        let (messages, ()) = tokio::join!(client.subscribe("#", Qos::AtMostOnce), async {
            let subscribe = peer.packet_answering_pings().await;
            peer.send_packet(&packet(0x90, &[&subscribe[2..4], &[0, 0]])).await;
        });
        let mut messages = messages.unwrap();
        peer.send_packet(&packet(0x30, &[b"\x00\x01a\x03\x23\x00\x02"])).await;
        peer.send_packet(&packet(0x30, &[b"\x00\x01b\x03\x23\x00\x01"])).await;
        for alias in 1..=2 {
            peer.send_packet(&packet(0x30, &[&[0, 0, 3, 0x23, 0, alias], b"!"])).await;
        }
        for topic in ["a", "b", "b", "a"] {
            let came = within("a message", messages.next()).await.unwrap().unwrap();
            assert_eq!(came.topic(), topic);
        }
    }
}

/// [MQTT-4.4.0-1]
///
/// Not over the same connection, even where the program allows that.
#[tokio::test]
async fn message_that_is_not_answered_in_time_is_sent_again_over_the_next_connection() {
    for server in servers() {
        let timeout = Duration::from_millis(200);
        let at = five(&server).session_expiry_s(60);
        let (client, mut events) =
            Client::start(at.answer_timeout(timeout, dunlin_tokio::Overdue::Resend));
        let mut peer = answered(&server, &CONNACK).await;
        let receipt = client.enqueue(&Message::new("t", b"", Qos::AtLeastOnce)).unwrap();
        let first = peer.packet_answering_pings().await;
        assert!(matches!(event(&mut events).await, Event::Connected(_)));
        assert!(matches!(event(&mut events).await, Event::Disconnected { .. }));
        let mut peer = answered(&server, &[0x20, 3, 1, 0, 0]).await;
        let second = peer.packet_answering_pings().await;
        // With DUP, and the same otherwise.
        assert_eq!((second[0], &second[1..]), (first[0] | 8, &first[1..]));
        peer.send_packet(&packet(0x40, &[&second[5..7]])).await;
        within("an answer", receipt).await.unwrap();
    }
}
