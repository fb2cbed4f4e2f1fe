//! "Persistent Session".

use dunlin_tokio::{Client, Event, Message, Options, Persistence, Qos, Resumption, Subscription};
use support::aws_iot::{Access, Document, Packet, Quirks};
use tokio::sync::broadcast::Receiver;

use super::{Advisor, VERSIONS, retry_in, within};

const TOPIC: &str = "trigger/topic";
/// Allows nothing: nobody comes in.
const NOTHING: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Effect": "Deny", "Action": "iot:*", "Resource": "*"}]}"#;

/// A device whose session the server keeps, subscribed, and kept out after its first connection.
async fn kept_out(advisor: &Advisor) -> (Client, Receiver<Event>, Subscription) {
    let options = advisor.options("device").persistence(Persistence::Kept);
    let (device, mut events) = Client::start(options);
    let subscribing = device.subscribe(TOPIC, Qos::AtLeastOnce);
    let subscription = within("a SUBACK", subscribing).await.unwrap();
    advisor.gateway.change(|quirks| quirks.access = Access::Policy(Document::new(NOTHING)));
    advisor.gateway.cut_all();
    retry_in(&mut events).await;
    (device, events, subscription)
}

async fn let_in(advisor: &Advisor, events: &mut Receiver<Event>) -> Resumption {
    advisor.gateway.change(|quirks| quirks.access = Access::Everything);
    let mut resumption = None;
    while resumption.is_none() {
        if let Event::Connected(how) = within("a connection", events.recv()).await.unwrap() {
            resumption = Some(how);
        }
    }
    resumption.unwrap()
}

/// The first connection's request, and those of later ones.
async fn subscribes(advisor: &Advisor, count: usize) -> Vec<usize> {
    let sent = advisor.sent(count, |packet| matches!(packet, Packet::Subscribe(_))).await;
    sent.iter().map(|seen| seen.connection).collect()
}

/// What was stored comes without another SUBSCRIBE, and is acknowledged.
#[tokio::test]
async fn mqtt_persistent_session_happy_case() {
    for version in VERSIONS {
        let advisor = Advisor::start(version, Quirks::default()).await;
        let (device, mut events, mut subscription) = kept_out(&advisor).await;
        let somebody = advisor.somebody(|options| options).await;
        let stored = Message::new(TOPIC, b"stored", Qos::AtLeastOnce);
        within("a PUBACK", somebody.publish(&stored)).await.unwrap();
        assert_eq!(let_in(&advisor, &mut events).await, Resumption::Resumed);
        let came = within("the message", subscription.next()).await.unwrap().unwrap();
        assert_eq!(came.payload(), b"stored");
        drop(came);
        let live = Message::new(TOPIC, b"live", Qos::AtLeastOnce);
        within("a PUBACK", device.publish(&live)).await.unwrap();
        let came = within("the message", subscription.next()).await.unwrap().unwrap();
        assert_eq!(came.payload(), b"live");
        drop(came);
        advisor.sent(2, |packet| matches!(packet, Packet::Puback { .. })).await;
        assert_eq!(subscribes(&advisor, 1).await, [0], "no SUBSCRIBE more");
    }
}

/// The server has forgotten: the device subscribes again.
#[tokio::test]
async fn mqtt_persistent_session_session_expiry() {
    for version in VERSIONS {
        let advisor = Advisor::start(version, Quirks::default()).await;
        let (device, mut events, mut subscription) = kept_out(&advisor).await;
        let clean = |options: Options| options.client_id("device").persistence(Persistence::Clean);
        within("the end", advisor.somebody(clean).await.close()).await;
        assert_eq!(let_in(&advisor, &mut events).await, Resumption::Lost);
        let subscribed = subscribes(&advisor, 2).await;
        assert_eq!((subscribed.len(), subscribed[0]), (2, 0));
        let live = Message::new(TOPIC, b"live", Qos::AtLeastOnce);
        within("a PUBACK", device.publish(&live)).await.unwrap();
        let came = within("the message", subscription.next()).await.unwrap().unwrap();
        assert_eq!(came.payload(), b"live");
    }
}
