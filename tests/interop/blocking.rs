//! The client for programs without async.

use std::thread;
use std::time::Duration;

use dunlin_tokio::blocking::{Client, ConnectError};
use dunlin_tokio::{Event, Message, Qos, Status, SubscribeError};
use support::mosquitto::{Mosquitto, Options as Broker};
use support::paho::Transport;
use tokio::runtime::Runtime;

use crate::{TRANSPORTS, address, options};

#[test]
fn blocking_client_does_what_the_other_does_without_a_runtime_of_the_programs() {
    let runtime = Runtime::new().unwrap();
    let broker = runtime.block_on(Mosquitto::start(Broker::default()));
    for transport in TRANSPORTS {
        let client = Client::connect(options(transport, address(&broker, transport))).unwrap();
        let mut messages = client.subscribe("numbers", Qos::ExactlyOnce).unwrap();
        assert_eq!(messages.granted(), [Qos::ExactlyOnce]);
        let publisher = {
            let client = client.clone();
            thread::spawn(move || {
                for number in 0..100_u8 {
                    let payload = [number];
                    let message = Message::new("numbers", &payload, Qos::ExactlyOnce);
                    client.publish(&message).unwrap();
                }
                client.enqueue(&Message::new("numbers", b"last", Qos::AtLeastOnce)).unwrap()
            })
        };
        for number in 0..100_u8 {
            assert_eq!(messages.next().unwrap().unwrap().payload(), [number]);
        }
        publisher.join().unwrap().wait().unwrap();
        let last = messages.next_within(Duration::from_secs(30)).unwrap().unwrap();
        assert_eq!(last.payload(), b"last");
        assert!(messages.next_within(Duration::from_millis(1)).is_none());
        client.drain().unwrap();
        assert_eq!(client.status(), Status::Connected);
        assert_eq!(client.statistics().received, 101);
        let events = client.events();
        client.close();
        assert!(matches!(events.last(), Some(Event::Closed(_))));
        // Everything there is says that it is over, and nothing waits for ever.
        assert!(matches!(messages.next(), Some(Err(SubscribeError::Closed(_)))));
        assert!(messages.next().is_none());
        assert!(client.publish(&Message::new("numbers", b"", Qos::AtLeastOnce)).is_err());
    }
}

#[test]
fn blocking_client_says_why_its_first_connection_failed() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failed = Client::connect(options(Transport::Websockets, nobody)).unwrap_err();
    assert!(matches!(failed, ConnectError::Connection(_)), "{failed:?}");
    assert!(failed.to_string().contains(&nobody.port().to_string()), "{failed}");
    let (client, mut events) = Client::start(options(Transport::Tcp, nobody)).unwrap();
    assert!(matches!(events.next(), Some(Event::Connecting)));
    assert!(matches!(events.next(), Some(Event::Disconnected { .. })));
    drop(client);
    assert!(matches!(events.last(), Some(Event::Closed(_))));
}

/// Dropped, a client says good-bye all the same: its will is not published.
#[test]
fn blocking_client_that_is_dropped_says_good_bye() {
    let runtime = Runtime::new().unwrap();
    let broker = runtime.block_on(Mosquitto::start(Broker::default()));
    let at = address(&broker, Transport::Websockets);
    let watcher = Client::connect(options(Transport::Websockets, at)).unwrap();
    let mut wills = watcher.subscribe("will", Qos::AtLeastOnce).unwrap();
    let will = dunlin_tokio::Will { topic: "will".to_owned(), ..Default::default() };
    let mortal = Client::connect(options(Transport::Websockets, at).will(will)).unwrap();
    let events = mortal.events();
    drop(mortal);
    assert!(matches!(events.last(), Some(Event::Closed(_))));
    watcher.publish(&Message::new("will", b"fence", Qos::AtLeastOnce)).unwrap();
    assert_eq!(wills.next().unwrap().unwrap().payload(), b"fence");
}
