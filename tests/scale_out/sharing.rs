//! Groups, and servers that have none.

use crate::{VERSIONS, common::within, connect, mosquitto, options};
use dunlin_tokio::{
    Client, Message, Qos, ReasonCode, SharedFilter, SharingError, SubscribeError, Subscription,
    Version, dunlin,
};
use std::time::Duration;
use support::{broker5::Broker5, ejabberd::Ejabberd, rabbitmq::RabbitMq};

/// How many messages are shared out.
const MESSAGES: usize = 60;

/// How long a probe may take where it is to succeed.
const LONG: Duration = Duration::from_secs(20);

async fn publish(client: &Client, topic: &str, count: usize) {
    for number in 0..count {
        let payload = number.to_string();
        let message = Message::new(topic, payload.as_bytes(), Qos::AtLeastOnce);
        within("a PUBACK", client.publish(&message)).await.unwrap();
    }
}

/// Takes messages until `last` has come, which every member is sent in the end.
async fn take(mut messages: Subscription, last: &str) -> Vec<usize> {
    let mut taken = Vec::new();
    while let Some(message) = within("a message", messages.next()).await {
        let message = message.unwrap();
        if message.topic() == last {
            return taken;
        }
        taken.push(String::from_utf8_lossy(message.payload()).parse().unwrap());
    }
    panic!("the subscription ended: {taken:?}")
}

/// [MQTT-4.8.2-1]
#[tokio::test]
async fn messages_of_a_group_go_to_one_member_each_in_both_versions() {
    let broker = mosquitto().await;
    for version in VERSIONS {
        let shared = SharedFilter::new("group", "shared/+").unwrap().to_string();
        let mut members = Vec::new();
        for name in ["one", "two", "three"] {
            let client = connect(options(&broker.ws_url(), version)).await;
            let wishes = [
                dunlin::Subscription::new(&shared, Qos::AtLeastOnce),
                dunlin::Subscription::new("over", Qos::AtLeastOnce),
            ];
            let messages = within("a SUBACK", client.subscribe_all(&wishes)).await.unwrap();
            members.push((name, tokio::spawn(take(messages, "over"))));
        }
        let publisher = connect(options(&broker.ws_url(), version)).await;
        publish(&publisher, "shared/x", MESSAGES).await;
        publish(&publisher, "over", 1).await;
        let mut all = Vec::new();
        for (name, member) in members {
            let taken = member.await.unwrap();
            println!("{version:?}, {name}: {taken:?}");
            assert!(!taken.is_empty(), "{name} has its share");
            all.extend(taken);
        }
        all.sort_unstable();
        assert_eq!(all, (0..MESSAGES).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn probe_finds_groups_where_they_are_and_leaves_nothing_behind() {
    let broker = mosquitto().await;
    let inside = Broker5::start().await;
    for url in [broker.ws_url(), format!("ws://{}/mqtt", inside.ws_addr())] {
        for version in VERSIONS {
            let client = connect(options(&url, version)).await;
            within("an answer", client.probe_sharing("probes/a", LONG)).await.unwrap();
            // Nobody of the probe's group is left to take a message from a subscriber.
            let mut rest = client.subscribe("probes/#", Qos::AtLeastOnce).await.unwrap();
            publish(&client, "probes/b", 1).await;
            let message = within("a message", rest.next()).await.unwrap().unwrap();
            assert_eq!(message.topic(), "probes/b", "nothing was retained");
        }
    }
}

/// MQTT 5.0 §3.2.2.3.13
#[tokio::test]
async fn server_that_says_it_has_no_groups_is_believed_at_once() {
    let broker = Ejabberd::start().await;
    let url = format!("ws://{}/mqtt", broker.ws_addr());
    let (user, password) = support::ejabberd::CREDENTIALS;
    let options = options(&url, Version::V5).client_id("joiner");
    let client = connect(options.credentials(user, Some(password.into()))).await;
    assert!(!client.granted().unwrap().limits.shared_subscription_available);
    let shared = SharedFilter::new("group", "a").unwrap();
    let refused = within("an answer", client.join(shared, Qos::AtLeastOnce)).await.unwrap_err();
    let is_said = |error: &SubscribeError| {
        let reason = ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
        matches!(error, SubscribeError::Rejected(dunlin::SubscribeError::Limit(it)) if *it == reason)
    };
    assert!(is_said(&refused), "{refused:?}");
    let refused = within("an answer", client.probe_sharing("a", LONG)).await.unwrap_err();
    assert!(matches!(&refused, SharingError::Subscribe(error) if is_said(error)), "{refused:?}");
}

/// RabbitMQ 3.10 takes `$share` for a word like any other.
#[tokio::test]
async fn server_that_grants_and_never_delivers_is_found_out() {
    let broker = RabbitMq::start().await;
    let client = connect(options(&broker.ws_url(), Version::V3)).await;
    // Messages do come here, and groups are granted.
    let mut plain = client.subscribe("plain", Qos::AtLeastOnce).await.unwrap();
    publish(&client, "plain", 1).await;
    within("a message", plain.next()).await.unwrap().unwrap();
    let shared = SharedFilter::new("group", "a").unwrap();
    let granted = within("a SUBACK", client.join(shared, Qos::AtLeastOnce)).await.unwrap();
    assert_eq!(granted.granted(), [Qos::AtLeastOnce]);

    let found = client.probe_sharing("probes/a", Duration::from_secs(3));
    let found = within("an answer", found).await.unwrap_err();
    assert!(matches!(found, SharingError::Silent), "{found:?}");
    assert!(found.to_string().contains("delivers nothing"), "{found}");
}
