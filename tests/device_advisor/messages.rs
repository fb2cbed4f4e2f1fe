//! "Publish", "Subscribe" and "Keep-Alive".

use std::time::Duration;

use dunlin_tokio::dunlin::Subscription as Filter;
use dunlin_tokio::{Client, Event, Message, Options, Overdue, Qos, Version};
use support::aws_iot::{Limits, Packet, Publish, Quirks, Seen, Withheld};
use tokio::time::Instant;

use super::{Advisor, VERSIONS, retry_in, within};

/// How long the device waits for an acknowledgement before it sends again.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn mqtt_client_puback_qos1() {
    for version in VERSIONS {
        let advisor = Advisor::start(version, Quirks::default()).await;
        let device = advisor.connected(advisor.options("device")).await;
        let subscribing = device.subscribe("trigger/#", Qos::AtLeastOnce);
        let mut subscription = within("a SUBACK", subscribing).await.unwrap();
        let somebody = advisor.somebody(|options| options).await;
        for (number, length) in [0, 1, 100 << 10, 128 << 10].into_iter().enumerate() {
            let payload = vec![b'x'; length];
            let message = Message::new("trigger/any", &payload, Qos::AtLeastOnce);
            within("a PUBACK", somebody.publish(&message)).await.unwrap();
            let came = within("the message", subscription.next()).await.unwrap().unwrap();
            assert_eq!(came.payload().len(), length);
            drop(came);
            let delivered =
                advisor.gateway.packets(number + 1, |seen| publish(seen).is_some()).await;
            let id = publish(&delivered[number]).and_then(|publish| publish.id);
            let acknowledged = |packet: &Packet| matches!(packet, Packet::Puback { .. });
            let acknowledged = &advisor.sent(number + 1, acknowledged).await[number].packet;
            assert_eq!(id.map(|id| Packet::Puback { id }).as_ref(), Some(acknowledged));
        }
    }
}

fn publish(seen: &Seen) -> Option<&Publish> {
    match &seen.packet {
        Packet::Publish(publish) => Some(publish),
        _ => None,
    }
}

async fn published(version: Version, message: &Message<'_>) -> Publish {
    let advisor = Advisor::start(version, Quirks::default()).await;
    let device = advisor.connected(advisor.options("device")).await;
    within("it is sent", device.publish(message)).await.unwrap();
    let sent = advisor.sent(1, |packet| matches!(packet, Packet::Publish(_))).await;
    assert_eq!(advisor.gateway.breaches(), []);
    publish(&sent[0]).unwrap().clone()
}

#[tokio::test]
async fn mqtt_publish() {
    for version in VERSIONS {
        let message = Message::new("my/topic", b"my payload", Qos::AtMostOnce);
        let sent = published(version, &message).await;
        assert_eq!((&*sent.topic, sent.qos, sent.id, sent.length), ("my/topic", 0, None, 10));
    }
}

#[tokio::test]
async fn mqtt_publish_retained_messages() {
    let message = Message::new("my/topic", b"kept", Qos::AtLeastOnce).retained();
    for version in VERSIONS {
        assert!(published(version, &message).await.retain);
    }
}

fn resending(options: Options) -> Options {
    options.answer_timeout(ANSWER_TIMEOUT, Overdue::Resend)
}

/// Sent again on the same connection, with the same packet identifier.
#[tokio::test]
async fn mqtt_publish_retry_no_puback() {
    let withheld = Withheld { pubacks: 2, ..Withheld::default() };
    let advisor = Advisor::start(Version::V3, Quirks { withheld, ..Quirks::default() }).await;
    let device = advisor.connected(resending(advisor.options("device"))).await;
    let message = Message::new("my/topic", b"again", Qos::AtLeastOnce);
    within("a PUBACK", device.publish(&message)).await.unwrap();
    let sent = advisor.sent(3, |packet| matches!(packet, Packet::Publish(_))).await;
    let ids: Vec<_> =
        sent.iter().map(|seen| (seen.connection, publish(seen).unwrap().id)).collect();
    assert_eq!(ids, [(0, publish(&sent[0]).unwrap().id); 3]);
    let marks: Vec<bool> = sent.iter().map(|seen| publish(seen).unwrap().dup).collect();
    assert_eq!(marks, [false, true, true]);
    assert!(sent[1].at - sent[0].at >= ANSWER_TIMEOUT, "{sent:?}");
}

#[tokio::test]
async fn mqtt_subscribe() {
    for version in VERSIONS {
        let advisor = Advisor::start(version, Quirks::default()).await;
        let device = advisor.connected(advisor.options("device")).await;
        let filters = [("topic/a", Qos::AtLeastOnce), ("topic/b", Qos::AtMostOnce)]
            .map(|(filter, qos)| Filter::new(filter, qos));
        let _subscription = within("a SUBACK", device.subscribe_all(&filters)).await.unwrap();
        let sent = advisor.sent(1, |packet| matches!(packet, Packet::Subscribe(_))).await;
        let Packet::Subscribe(subscribe) = &sent[0].packet else { panic!("{sent:?}") };
        assert_eq!(subscribe.filters, [("topic/a".to_owned(), 1), ("topic/b".to_owned(), 0)]);
        assert_eq!(advisor.gateway.breaches(), []);
    }
}

/// Sent again on the same connection, with the same packet identifier.
#[tokio::test]
async fn mqtt_subscribe_retry_no_suback() {
    let withheld = Withheld { subacks: 1, ..Withheld::default() };
    let advisor = Advisor::start(Version::V3, Quirks { withheld, ..Quirks::default() }).await;
    let device = advisor.connected(resending(advisor.options("device"))).await;
    let subscribing = device.subscribe("my/topic", Qos::AtLeastOnce);
    let _subscription = within("a SUBACK", subscribing).await.unwrap();
    let sent = advisor.sent(2, |packet| matches!(packet, Packet::Subscribe(_))).await;
    assert_eq!(sent[0].packet, sent[1].packet, "the identifier as well");
    assert_eq!((sent[0].connection, sent[1].connection), (0, 0));
}

/// Nothing is answered any more: the device hangs up within one and a half keep alives.
#[tokio::test]
async fn mqtt_no_ack_pingresp() {
    for version in VERSIONS {
        const KEEP_ALIVE_S: u16 = 2;
        let all = usize::MAX;
        let withheld = Withheld { pubacks: all, subacks: all, pingresps: all, connacks: 0 };
        let limits = Limits { keep_alive_s: 1..=1200, ..Limits::default() };
        let advisor =
            Advisor::start(version, Quirks { withheld, limits, ..Quirks::default() }).await;
        let options = advisor.options("device").keep_alive_s(KEEP_ALIVE_S);
        let (_client, mut events) = Client::start(options);
        wait_until_connected(&mut events).await;
        let last_word = Instant::now();
        retry_in(&mut events).await;
        let took = last_word.elapsed();
        advisor.sent(1, |packet| matches!(packet, Packet::Pingreq)).await;
        let limit = Duration::from_secs(u64::from(KEEP_ALIVE_S)) * 3 / 2;
        // As much again as a loaded machine may take to look at its timers.
        assert!(took <= limit + Duration::from_secs(2), "{took:?}");
        assert_eq!(advisor.gateway.breaches(), [], "it was the device that hung up");
    }
}

async fn wait_until_connected(events: &mut tokio::sync::broadcast::Receiver<Event>) {
    while !matches!(within("a connection", events.recv()).await.unwrap(), Event::Connected(_)) {}
}
