//! A connection is changed for a new one before it is cut, and nothing that was published is lost.

use std::time::Duration;

use dunlin_tokio::{Client, Event, Message, Options, Qos, Version};
use support::mosquitto::Mosquitto;
use tokio::time::interval;

use crate::common::within;
use crate::event;

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
