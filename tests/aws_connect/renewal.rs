//! A connection is changed for a new one before it is cut, and nothing that was published is lost.

use std::time::{Duration, Instant};

use dunlin_tokio::aws::Signing;
use dunlin_tokio::{Client, Event, Message, Options, Qos, TlsOptions, Version};
use support::aws_iot::{Attempt, AwsIot, Key, Quirks};
use support::mosquitto::Mosquitto;
use tokio::time::interval;

use crate::common::within;
use crate::server::Server;
use crate::{connected, event};

const RENEWALS: u32 = 4;

fn options(broker: &Mosquitto, version: Version) -> Options {
    let url = format!("ws://{}/mqtt", broker.ws_addr());
    Options::parse(&url).unwrap().version(version)
}

/// All that is published over several renewals arrives in order, and the client's own subscription is
/// there again each time.
#[tokio::test]
async fn renewed_connection_loses_no_message() {
    let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
    for (version, qos) in [
        (Version::V3, Qos::AtMostOnce),
        (Version::V3, Qos::AtLeastOnce),
        (Version::V5, Qos::AtLeastOnce),
    ] {
        let other = within("a client", Client::connect(options(&broker, version))).await.unwrap();
        let mut numbers = within("a SUBACK", other.subscribe("numbers", qos)).await.unwrap();
        let renewing = options(&broker, version).renew_after(Duration::from_millis(400));
        let (client, mut events) = Client::start(renewing);
        let mut own = within("a SUBACK", client.subscribe("own", qos)).await.unwrap();
        let publishing = {
            let client = client.clone();
            tokio::spawn(async move {
                // No faster than a broker and a subscriber that nobody reads take messages of QoS 0.
                let mut pace = interval(Duration::from_millis(1));
                for number in 0_u32.. {
                    pace.tick().await;
                    let payload = number.to_be_bytes();
                    let sent = client.publish(&Message::new("numbers", &payload, qos)).await;
                    if sent.is_err() {
                        return number;
                    }
                }
                0
            })
        };
        let mut renewals = 0;
        while renewals < RENEWALS {
            match event(&mut events).await {
                Event::Renewing => renewals += 1,
                Event::Connected(_) => {
                    let echo = Message::new("own", b"", Qos::AtLeastOnce);
                    within("a PUBACK", client.publish(&echo)).await.unwrap();
                }
                event => panic!("{event:?}"),
            }
        }
        within("what is under way", client.drain()).await.unwrap();
        within("the end", client.close()).await;
        let published = within("the publisher's end", publishing).await.unwrap();
        println!("{version:?} {qos:?}: {published} messages, {renewals} renewals");
        let mut expected = 0;
        while expected < published {
            let message = within("a message", numbers.next()).await.unwrap().unwrap();
            let number = u32::from_be_bytes(message.payload().try_into().unwrap());
            // With QoS 1, what was not acknowledged comes again, from there on in order.
            assert!(number <= expected, "{number} instead of {expected}");
            expected = expected.max(number + 1);
        }
        assert!(matches!(within("an echo", own.next()).await, Some(Ok(_))));
    }
}

/// The day of AWS IoT Core, scaled down to three seconds, is never over.
#[tokio::test]
async fn connection_that_is_renewed_in_time_is_never_cut() {
    let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
    let cut_after = Some(Duration::from_secs(3));
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks { cut_after, ..Quirks::default() }).await;
    let Key { access_key_id, secret_access_key, session_token } = Key::temporary();
    let signing = Signing::new(access_key_id, secret_access_key, session_token, "us-east-1");
    let options = Options::parse(&format!("wss://localhost:{}/mqtt", gateway.port()))
        .unwrap()
        .tls(TlsOptions::ca_file(gateway.ca_file()).unwrap())
        .aws(signing)
        .renew_after(Duration::from_millis(1_500));
    let (client, mut events) = Client::start(options);
    let mut own = within("a SUBACK", client.subscribe("own", Qos::AtLeastOnce)).await.unwrap();
    let mut renewals = 0;
    while renewals < 3 {
        match event(&mut events).await {
            Event::Renewing => renewals += 1,
            Event::Connected(_) => {
                let message = Message::new("own", b"here", Qos::AtLeastOnce);
                within("a PUBACK", client.publish(&message)).await.unwrap();
                let came = within("an echo", own.next()).await.unwrap().unwrap();
                assert_eq!(came.payload(), b"here");
            }
            // A cut would be a lost connection.
            event => panic!("{event:?}"),
        }
    }
    let accepted = |attempt: &Attempt| matches!(attempt, Attempt::Accepted { .. });
    assert!(gateway.attempts().iter().all(accepted), "each with a signature of its own");
    within("the end", client.close()).await;
}

/// What was published is not acknowledged: a quiet moment is waited for, though not for ever.
#[tokio::test]
async fn connection_that_is_never_quiet_is_renewed_all_the_same() {
    let server = Server::websocket();
    let options = Options::parse(&server.url()).unwrap().renew_after(Duration::from_secs(2));
    let begun = Instant::now();
    let (client, mut peer) = connected(&server, options).await;
    let _receipt = client.enqueue(&Message::new("a", b"", Qos::AtLeastOnce)).unwrap();
    assert_eq!(peer.packet().await[0], 0x32, "PUBLISH");
    assert_eq!(peer.packet().await[0], 0xe0, "DISCONNECT");
    // At least nine tenths of two seconds, and five for the moment.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(6_700), "{took:?}");
}

/// However short its life is to be, it has a tenth of a second, less a tenth of that.
#[tokio::test]
async fn connections_that_are_to_be_renewed_at_once_do_not_follow_each_other_without_a_pause() {
    let server = Server::websocket();
    let options = Options::parse(&server.url()).unwrap().renew_after(Duration::ZERO);
    let begun = Instant::now();
    let (_client, _events) = Client::start(options);
    for _ in 0..4 {
        let mut peer = server.open().await;
        assert_eq!(peer.packet().await[0], 0xe0, "DISCONNECT");
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(4 * 89), "{took:?}");
}

/// The server takes longer to accept than the connection is to live.
#[tokio::test]
async fn connection_that_is_due_before_it_stands_is_renewed_when_it_does() {
    let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
    let connack_after = Duration::from_millis(500);
    let quirks = Quirks { connack_after, ..Quirks::default() };
    let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
    let Key { access_key_id, secret_access_key, session_token } = Key::temporary();
    let signing = Signing::new(access_key_id, secret_access_key, session_token, "us-east-1");
    let options = Options::parse(&format!("wss://localhost:{}/mqtt", gateway.port()))
        .unwrap()
        .tls(TlsOptions::ca_file(gateway.ca_file()).unwrap())
        .aws(signing)
        .renew_after(Duration::from_millis(100));
    let (_client, mut events) = Client::start(options);
    for _ in 0..2 {
        assert!(matches!(event(&mut events).await, Event::Connected(_)));
        assert!(matches!(event(&mut events).await, Event::Renewing));
    }
}
