//! The official clients of AWS IoT Core and Dunlin through one gateway: the same judge for all of them,
//! and messages between each two.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/common.rs"]
mod common;

use common::within;
use dunlin_tokio::aws::Signing;
use dunlin_tokio::{Client, Message, Options, Qos, Subscription, TlsOptions, Version};
use support::aws_iot::{Attempt, AwsIot, Judgement, Key, Packet, Quirks, Side};
use support::aws_sdk::{AwsSdk, Sdk};
use support::mosquitto::Mosquitto;

const REGION: &str = "us-east-1";
/// What comes through as it went in: text, quotes, and more than one byte a character.
const TEXT: &str = "21.5 °C \"warm\" \u{1F426}";

async fn broker() -> Mosquitto {
    Mosquitto::start(support::mosquitto::Options::default()).await
}

fn options(gateway: &AwsIot, key: &Key, region: &str, version: Version) -> Options {
    let Key { access_key_id, secret_access_key, session_token } = key.clone();
    Options::parse(&format!("wss://localhost:{}/mqtt", gateway.port()))
        .unwrap()
        .tls(TlsOptions::ca_file(gateway.ca_file()).unwrap())
        .version(version)
        .client_id(format!("dunlin-{version:?}"))
        .aws(Signing::new(access_key_id, secret_access_key, session_token, region))
}

/// Anyone of them.
enum Peer {
    Official(Box<AwsSdk>),
    Dunlin(Client, Option<Subscription>),
}

impl Peer {
    async fn subscribe(&mut self, gateway: &AwsIot, topic: &str) {
        let is_answer = |packet: &Packet| matches!(packet, Packet::Suback { .. });
        let before = gateway.seen().iter().filter(|seen| is_answer(&seen.packet)).count();
        match self {
            Self::Official(sdk) => sdk.subscribe(topic).await,
            Self::Dunlin(client, subscription) => {
                let subscribing = client.subscribe(topic, Qos::AtLeastOnce);
                *subscription = Some(within("a SUBACK", subscribing).await.unwrap());
            }
        }
        // Amplify does not say when it stands.
        let answers = gateway
            .packets(before + 1, |seen| seen.side == Side::Gateway && is_answer(&seen.packet));
        answers.await;
    }

    async fn publish(&mut self, topic: &str, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap();
        match self {
            // Amplify makes an object of it by itself.
            Self::Official(sdk) if sdk.sdk() == Sdk::Amplify => sdk.publish(topic, TEXT).await,
            Self::Official(sdk) => sdk.publish(topic, text).await,
            Self::Dunlin(client, _) => {
                let message = Message::new(topic, payload, Qos::AtLeastOnce);
                within("a PUBACK", client.publish(&message)).await.unwrap();
            }
        }
    }

    /// What others must send for it to take.
    fn wants(&self) -> Vec<u8> {
        match self {
            Self::Official(sdk) => sdk.payload(TEXT),
            Self::Dunlin(..) => TEXT.as_bytes().to_vec(),
        }
    }

    /// What it makes of the next message.
    async fn message(&mut self) -> String {
        match self {
            Self::Official(sdk) => within("a message", sdk.message()).await.1,
            Self::Dunlin(_, subscription) => {
                let message = subscription.as_mut().unwrap().next();
                let message = within("a message", message).await.unwrap().unwrap();
                String::from_utf8(message.payload().to_vec()).unwrap()
            }
        }
    }
}

#[tokio::test]
async fn each_client_reaches_each_other() {
    let broker = broker().await;
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
    let key = Key::temporary();
    let mut peers = Vec::new();
    for sdk in Sdk::ALL {
        let client = AwsSdk::connect(sdk, &gateway, &key, REGION, &format!("{sdk:?}")).await;
        peers.push(Peer::Official(Box::new(client.unwrap())));
    }
    for version in [Version::V3, Version::V5] {
        let client = Client::connect(options(&gateway, &key, REGION, version));
        peers.push(Peer::Dunlin(within("Dunlin connects", client).await.unwrap(), None));
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.subscribe(&gateway, &format!("inbox/{number}")).await;
    }
    for from in 0..peers.len() {
        for to in 0..peers.len() {
            let payload = peers[to].wants();
            peers[from].publish(&format!("inbox/{to}"), &payload).await;
            let came = peers[to].message().await;
            let by_amplify =
                matches!(&peers[from], Peer::Official(sdk) if sdk.sdk() == Sdk::Amplify);
            let takes_objects =
                matches!(&peers[to], Peer::Official(sdk) if sdk.sdk() == Sdk::Amplify);
            if by_amplify && !takes_objects {
                let object: serde_json::Value = serde_json::from_str(&came).unwrap();
                assert_eq!(object, serde_json::json!({"text": TEXT}), "{from} to {to}");
            } else {
                assert_eq!(came, TEXT, "{from} to {to}");
            }
        }
    }
    let Key { access_key_id, session_token, .. } = key;
    let accepted = Attempt::Accepted { access_key_id, session_token };
    assert_eq!(gateway.attempts(), vec![accepted; peers.len()]);
    assert_eq!(gateway.breaches(), []);
}

/// A signature that is wrong for one reason, whoever made it.
#[tokio::test]
async fn signatures_of_all_clients_are_judged_alike() {
    let broker = broker().await;
    let permanent = Key::permanent();
    let wrong = Key { secret_access_key: "wrong".to_owned(), ..permanent.clone() };
    let unknown = Key { access_key_id: "AKIDNOBODY".to_owned(), ..permanent.clone() };
    let other_token = Key { session_token: Some("other+/=".to_owned()), ..Key::temporary() };
    let cases = [
        (None, permanent.clone(), REGION, 0),
        (Some(Judgement::Signature), wrong, REGION, 0),
        (Some(Judgement::UnknownKey), unknown, REGION, 0),
        (Some(Judgement::TokenWrong), other_token, REGION, 0),
        (Some(Judgement::Region), permanent.clone(), "eu-central-1", 0),
        (Some(Judgement::Clock), permanent, REGION, 3_600),
    ];
    for (judgement, key, region, clock_offset_s) in cases {
        let quirks = Quirks { clock_offset_s, ..Quirks::default() };
        let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
        let expected = match judgement {
            Some(judgement) => Attempt::Refused(judgement),
            None => Attempt::Accepted {
                access_key_id: key.access_key_id.clone(),
                session_token: key.session_token.clone(),
            },
        };
        for sdk in Sdk::ALL {
            let before = gateway.attempts().len();
            let client = AwsSdk::connect(sdk, &gateway, &key, region, "client").await;
            assert!(sdk == Sdk::Amplify || client.is_ok() == judgement.is_none(), "{judgement:?}");
            let mut client = client.ok();
            if let Some(amplify) = client.as_mut().filter(|_| sdk == Sdk::Amplify) {
                amplify.subscribe("any").await;
            }
            let attempt = gateway.attempted(before + 1).await[before].clone();
            assert_eq!(attempt, expected, "{sdk:?}");
        }
        let before = gateway.attempts().len();
        let client = Client::connect(options(&gateway, &key, region, Version::V3));
        let client = within("an answer", client).await;
        // Dunlin learns the time from the refusal, and tries once more.
        let gets_in = matches!(judgement, None | Some(Judgement::Clock));
        assert_eq!(client.is_ok(), gets_in, "{judgement:?}");
        assert_eq!(gateway.attempted(before + 1).await[before], expected);
    }
}
