//! The local AWS IoT Core itself: each of its rules, asked for with packets written by hand.
//!
//! When a test of Dunlin with this gateway fails and these pass, the fault is Dunlin's.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/common.rs"]
mod common;
#[path = "aws_gateway/raw.rs"]
mod raw;

use std::time::Duration;

use raw::{Raw, connect, publish, subscribe, with_user};
use support::aws_iot::{
    Access, Attempt, Authorizer, AwsIot, Breach, Document, Judgement, Limits, Matching, Packet,
    QosTwo, Quirks, Side, Withheld,
};
use support::mosquitto::{Mosquitto, Options};
use support::moto::Moto;

/// Behind what must come, whatever else would have come before it.
const PINGREQ: [u8; 2] = [0xc0, 0];
const PINGRESP: [u8; 2] = [0xd0, 0];

async fn start(quirks: Quirks) -> (Mosquitto, AwsIot) {
    let broker = Mosquitto::start(Options::default()).await;
    let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
    (broker, gateway)
}

/// What one client sends behind its CONNACK, and what it is dropped for.
async fn breach(gateway: &AwsIot, packets: &[u8]) -> Breach {
    let before = gateway.breaches().len();
    let mut client = Raw::connected(gateway, &connect(4, "client", 60)).await;
    client.write(packets).await;
    assert_eq!(client.rest().await, b"", "3.1.1 has no words for it");
    gateway.dropped(before + 1).await[before]
}

#[tokio::test]
async fn packet_beyond_a_limit_drops_its_client_and_one_within_does_not() {
    let (_broker, gateway) = start(Quirks::default()).await;
    let deep = |slashes: usize| vec!["x"; slashes + 1].join("/");
    let long = |length: usize| "t".repeat(length);
    let many = |count: usize| (0..count).map(|n| format!("f/{n}")).collect::<Vec<_>>();
    let filters = |names: &[String]| {
        let names: Vec<(&str, u8)> = names.iter().map(|name| (&**name, 1)).collect();
        subscribe(&names)
    };
    let kb128 = 128 << 10;
    let cases: [(Breach, Vec<u8>); 15] = [
        (Breach::QosTwo, publish("t", 2, b"")),
        (Breach::QosTwo, subscribe(&[("t", 2)])),
        (Breach::PayloadLength, publish("t", 1, &vec![0; kb128 + 1])),
        (Breach::TopicLength, publish(&long(257), 1, b"")),
        (Breach::TopicLength, subscribe(&[(&long(257), 1)])),
        (Breach::TopicDepth, publish(&deep(8), 1, b"")),
        (Breach::TopicDepth, subscribe(&[(&deep(8), 1)])),
        (Breach::TopicReserved, publish("$mine/t", 1, b"")),
        (Breach::TopicReserved, subscribe(&[("$mine/#", 1)])),
        (Breach::TopicReserved, subscribe(&[("$share/group/$mine/#", 1)])),
        (Breach::TopicReserved, subscribe(&[("$aws/rules/rule/#", 1)])),
        (Breach::FilterCount, filters(&many(9))),
        (Breach::Connect, connect(4, "client", 60)),
        (Breach::Malformed, vec![0x30, 3, 0, 9, b't']),
        (Breach::Malformed, vec![0x30, 0xff, 0xff, 0xff, 0xff]),
    ];
    for (expected, packets) in cases {
        assert_eq!(breach(&gateway, &packets).await, expected, "{packets:?}");
    }

    let mut client = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    let within = [
        publish("t", 1, &vec![0; kb128]),
        publish(&long(256), 1, b""),
        publish(&deep(7), 1, b""),
        publish(&format!("$aws/rules/rule/{}", deep(7)), 1, b""),
        publish(&format!("$aws/rules/rule/{}", long(256)), 1, b""),
        subscribe(&[(&format!("$share/group/{}", deep(7)), 1)]),
        filters(&many(8)),
    ];
    for packet in within {
        client.write(&packet).await;
        let answer = client.packet().await;
        assert!(matches!(answer[0], 0x40 | 0x90), "{answer:?}");
    }
    assert_eq!(gateway.breaches().len(), 15);
}

#[tokio::test]
async fn fifty_first_subscription_drops_its_client() {
    let (_broker, gateway) = start(Quirks::default()).await;
    let mut client = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    for number in 0..50 {
        // A filter that is there already is no subscription more.
        for _ in 0..2 {
            client.write(&subscribe(&[(&format!("f/{number}"), 1)])).await;
            assert_eq!(client.packet().await[0], 0x90);
        }
    }
    client.write(&subscribe(&[("f/50", 1)])).await;
    assert_eq!(client.rest().await, b"", "no SUBACK");
    assert_eq!(gateway.breaches(), [Breach::SubscriptionCount]);
}

#[tokio::test]
async fn connect_that_aws_does_not_take_is_dropped() {
    let (_broker, gateway) = start(Quirks::default()).await;
    let will_of_qos_2 = raw::with_will(&connect(4, "client", 60), "will", 2);
    let early = [connect(4, "client", 60), PINGREQ.to_vec()].concat();
    for (expected, packets) in [
        (Breach::ClientIdLength, connect(4, &"c".repeat(129), 60)),
        (Breach::ClientIdReserved, connect(4, "$GEN/0123", 60)),
        (Breach::WillQosTwo, will_of_qos_2),
        (Breach::BeforeConnack, early),
        (Breach::Connect, PINGREQ.to_vec()),
        (Breach::Malformed, connect(6, "client", 60)),
    ] {
        let before = gateway.breaches().len();
        let mut client = Raw::open(&gateway).await;
        client.write(&packets).await;
        assert_eq!(client.rest().await, b"", "{expected:?}");
        assert_eq!(gateway.dropped(before + 1).await[before], expected);
    }
    Raw::connected(&gateway, &connect(4, &"c".repeat(128), 60)).await;
    Raw::connected(&gateway, &raw::with_will(&connect(4, "client", 60), "will", 1)).await;
}

/// In MQTT 5 there are words for it (§3.14.2.1), and CONNACK announces what there is not (§3.2.2.3).
#[tokio::test]
async fn mqtt_5_client_is_told_the_limits_and_why_it_was_dropped() {
    let (_broker, gateway) = start(Quirks::default()).await;
    let mut client = Raw::open(&gateway).await;
    client.write(&connect(5, "", 10)).await;
    let connack = client.packet().await;
    assert_eq!(connack[..5], [0x20, connack.len() as u8 - 2, 0, 0, connack.len() as u8 - 5]);
    let properties = &connack[5..];
    let begin = [0x21, 0, 100, 0x24, 1, 0x25, 1, 0x27, 0, 2, 0x48, 0, 0x22, 0, 8];
    assert!(properties.starts_with(&begin), "{properties:02x?}");
    // No subscription identifiers, a keep alive of 30 s, and an identifier that was assigned.
    assert_eq!(properties[15..24], [0x28, 1, 0x29, 0, 0x2a, 1, 0x13, 0, 30]);
    assert_eq!(properties[24..27], [0x12, 0, 41]);
    assert!(properties[27..].starts_with(b"$GEN/"), "{properties:02x?}");
    client.write(&raw::publish_5("t", 2, &[])).await;
    assert_eq!(client.rest().await, [0xe0, 1, 0x9b]);
    for (properties, code) in [(&[0x23, 0, 9][..], 0x94), (&[0x23, 0, 0], 0x94)] {
        let mut client = Raw::connected(&gateway, &connect(5, "five", 60)).await;
        client.write(&raw::publish_5("t", 1, properties)).await;
        assert_eq!(client.rest().await, [0xe0, 1, code]);
    }
    let mut client = Raw::connected(&gateway, &connect(5, "five", 60)).await;
    client.write(&[0x82, 9, 0, 1, 2, 0x0b, 1, 0, 1, b't', 1]).await;
    assert_eq!(client.rest().await, [0xe0, 1, 0xa1], "a subscription identifier");
    let mut client = Raw::open(&gateway).await;
    client.write(&raw::connect_5("kept", &[0x11, 0xff, 0xff, 0xff, 0xff])).await;
    let connack = client.packet().await;
    assert!(connack.ends_with(&[0x11, 0, 9, 0x3a, 0x80]), "a week: {connack:02x?}");
    let mut client = Raw::open(&gateway).await;
    client.write(&connect(5, "$GEN/again", 60)).await;
    assert_eq!(client.rest().await, [0x20, 3, 0, 0x85, 0]);
}

#[tokio::test]
async fn qos_2_can_be_met_with_silence() {
    let (_broker, gateway) = start(Quirks { qos_two: QosTwo::Silence, ..Quirks::default() }).await;
    let mut client = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    for packet in [publish("t", 2, b""), subscribe(&[("t", 2)]), PINGREQ.to_vec()] {
        client.write(&packet).await;
    }
    assert_eq!(client.packet().await, PINGRESP);
}

#[tokio::test]
async fn multi_level_wildcard_misses_its_parent_and_retained_messages_want_their_topic() {
    for (matching, wild, retained) in
        [(Matching::Aws, vec!["a/b"], 0), (Matching::Standard, vec!["a", "a/b"], 1)]
    {
        let (_broker, gateway) = start(Quirks { matching, ..Quirks::default() }).await;
        let mut writer = Raw::connected(&gateway, &connect(4, "writer", 60)).await;
        let mut reader = Raw::connected(&gateway, &connect(4, "reader", 60)).await;
        reader.write(&subscribe(&[("a/#", 1)])).await;
        assert_eq!(reader.packet().await[0], 0x90);
        for topic in ["a", "a/b"] {
            writer.write(&publish(topic, 1, b"")).await;
            assert_eq!(writer.packet().await[0], 0x40);
        }
        for topic in wild {
            assert_eq!(reader.packet().await, raw::delivered(topic, reader.last_id()));
        }
        let kept = raw::retained(&publish("kept/one", 0, b"x"));
        writer.write(&[&kept[..], &PINGREQ].concat()).await;
        assert_eq!(writer.packet().await, PINGRESP);
        reader.write(&subscribe(&[("kept/#", 0)])).await;
        assert_eq!(reader.packet().await[0], 0x90);
        for _ in 0..retained {
            assert_eq!(reader.packet().await[0], 0x31);
        }
        reader.write(&PINGREQ).await;
        assert_eq!(reader.packet().await, PINGRESP);
        reader.write(&subscribe(&[("kept/one", 0)])).await;
        assert_eq!(reader.packet().await[0], 0x90);
        assert_eq!(reader.packet().await[0], 0x31, "on the exact filter");
    }
}

#[tokio::test]
async fn answers_that_are_withheld_come_to_the_next() {
    let withheld = Withheld { connacks: 1, pubacks: 1, subacks: 1, pingresps: 1 };
    let (_broker, gateway) = start(Quirks { withheld, ..Quirks::default() }).await;
    let mut client = Raw::open(&gateway).await;
    client.write(&connect(4, "client", 60)).await;
    gateway.packets(1, |seen| matches!(seen.packet, Packet::Connect(_))).await;
    drop(client);
    let mut client = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    for packet in [publish("t", 1, b""), subscribe(&[("t", 1)]), PINGREQ.to_vec()] {
        let first = packet[0];
        client.write(&[&packet[..], &packet].concat()).await;
        assert_eq!(client.packet().await[0] >> 4, (first >> 4) + 1);
        let is_it = |seen: &support::aws_iot::Seen| {
            let same = matches!(
                (&seen.packet, first),
                (Packet::Publish(_), 0x32) | (Packet::Subscribe(_), 0x82) | (Packet::Pingreq, _)
            );
            seen.side == Side::Client && same
        };
        assert_eq!(gateway.packets(2, is_it).await.len(), 2);
    }
}

#[tokio::test]
async fn client_that_is_silent_for_one_and_a_half_keep_alives_is_dropped() {
    let limits = Limits { keep_alive_s: 1..=1200, ..Limits::default() };
    let (_broker, gateway) = start(Quirks { limits, ..Quirks::default() }).await;
    let mut client = Raw::connected(&gateway, &connect(4, "client", 1)).await;
    let said = gateway.packets(1, |seen| matches!(seen.packet, Packet::Connect(_))).await[0].at;
    assert_eq!(client.rest().await, b"");
    let took = said.elapsed();
    assert!(took >= Duration::from_millis(1_490), "{took:?}");
    assert_eq!(gateway.breaches(), [Breach::KeepAlive]);
}

#[tokio::test]
async fn message_beyond_the_rate_is_discarded_and_a_hasty_connect_dropped() {
    let limits = Limits {
        publishes_per_s: Some(2),
        connect_interval: Some(Duration::from_secs(60)),
        ..Limits::default()
    };
    let (_broker, gateway) = start(Quirks { limits, ..Quirks::default() }).await;
    let mut client = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    client
        .write(&[publish("t", 1, b""), publish("t", 1, b""), publish("t", 1, b"")].concat())
        .await;
    client.write(&PINGREQ).await;
    let answers = [client.packet().await[0], client.packet().await[0], client.packet().await[0]];
    assert_eq!(answers, [0x40, 0x40, 0xd0]);
    gateway.change(|quirks| {
        quirks.limits.publishes_per_s = None;
        quirks.limits.bytes_per_s = Some(3);
    });
    let mut other = Raw::connected(&gateway, &connect(4, "other", 60)).await;
    other.write(&[publish("t", 1, b"abc"), publish("t", 1, b"d"), PINGREQ.to_vec()].concat()).await;
    assert_eq!([other.packet().await[0], other.packet().await[0]], [0x40, 0xd0]);
    let mut hasty = Raw::open(&gateway).await;
    hasty.write(&connect(4, "client", 60)).await;
    assert_eq!(hasty.rest().await, b"");
    assert_eq!(gateway.breaches(), [Breach::ConnectRate]);
}

/// The mark of a duplicate is not looked at: the message is a new one to everybody.
#[tokio::test]
async fn message_marked_as_duplicate_is_one_like_others() {
    let (_broker, gateway) = start(Quirks::default()).await;
    let mut client = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    client.write(&subscribe(&[("t", 1)])).await;
    assert_eq!(client.packet().await[0], 0x90);
    let marked = [&[0x3a], &publish("t", 1, b"")[1..]].concat();
    client.write(&[&publish("t", 1, b"")[..], &marked].concat()).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(client.packet().await[0]);
    }
    answers.sort_unstable();
    assert_eq!(answers, [0x32, 0x32, 0x40, 0x40]);
}

#[tokio::test]
async fn client_id_that_comes_again_takes_the_connection_over() {
    let (_broker, gateway) = start(Quirks::default()).await;
    let mut first = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    let mut second = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    assert_eq!(first.rest().await, b"");
    second.write(&PINGREQ).await;
    assert_eq!(second.packet().await, PINGRESP);
}

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:*:client/client"},
    {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:topic/yes/*"},
    {"Effect": "Allow", "Action": "iot:Receive", "Resource": "arn:aws:iot:*:topic/yes/heard"},
    {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "arn:aws:iot:*:topicfilter/yes/+"}
]}"#;

#[tokio::test]
async fn policy_lets_do_what_it_allows_and_drops_for_the_rest() {
    let access = Access::Policy(Document::new(POLICY));
    let (_broker, gateway) = start(Quirks { access, ..Quirks::default() }).await;
    let mut stranger = Raw::open(&gateway).await;
    stranger.write(&connect(4, "stranger", 60)).await;
    assert_eq!(stranger.rest().await, b"");
    assert_eq!(gateway.breaches(), [Breach::PolicyConnect]);
    for (packet, expected) in [
        (publish("no/t", 1, b""), Breach::PolicyPublish),
        (raw::retained(&publish("yes/t", 0, b"")), Breach::PolicyPublish),
        (subscribe(&[("no/+", 1)]), Breach::PolicySubscribe),
    ] {
        assert_eq!(breach(&gateway, &packet).await, expected);
    }
    let mut client = Raw::connected(&gateway, &connect(4, "client", 60)).await;
    client.write(&subscribe(&[("yes/+", 0)])).await;
    assert_eq!(client.packet().await[0], 0x90);
    for topic in ["yes/unheard", "yes/heard"] {
        client.write(&publish(topic, 0, b"")).await;
    }
    assert_eq!(client.packet().await, publish("yes/heard", 0, b""));
    gateway.change(|quirks| quirks.access = Access::Everything);
    Raw::connected(&gateway, &connect(4, "stranger", 60)).await;
}

#[tokio::test]
async fn client_without_certificate_is_not_let_in_and_alpn_says_what_is_meant() {
    let user = Some(("ada".to_owned(), "enigma".to_owned()));
    let authorizer = Some(Authorizer {
        name: "Gate".to_owned(),
        token_key: "ticket".to_owned(),
        token: "1234".to_owned(),
        signature: None,
        user,
    });
    let (_broker, gateway) = start(Quirks { authorizer, ..Quirks::default() }).await;
    let mut nobody = Raw::open_as(&gateway, gateway.mqtts_port(), None, None).await;
    nobody.write(&connect(4, "client", 60)).await;
    assert_eq!(nobody.rest().await, b"");
    let port = gateway.port();
    let with_certificate = Some(gateway.client_certificate());
    let mut device = Raw::open_as(&gateway, port, with_certificate, Some("x-amzn-mqtt-ca")).await;
    device.write(&connect(4, "client", 60)).await;
    assert_eq!(device.packet().await, [0x20, 2, 0, 0]);

    let name = "ada?x-amz-customauthorizer-name=Gate&ticket=";
    let mut wrong = Raw::open_as(&gateway, port, None, Some("mqtt")).await;
    wrong.write(&with_user(&connect(4, "client", 60), &format!("{name}1235"), "enigma")).await;
    assert_eq!(wrong.rest().await, b"");
    let mut right = Raw::open_as(&gateway, port, None, Some("mqtt")).await;
    right.write(&with_user(&connect(4, "client", 60), &format!("{name}1234"), "enigma")).await;
    assert_eq!(right.packet().await, [0x20, 2, 0, 0]);
    assert_eq!(gateway.attempts()[0], Attempt::Refused(Judgement::Certificate));
    assert_eq!(gateway.breaches(), [Breach::Authorizer]);
}

/// moto's own key for every identity would say nothing; see [`Moto`].
#[tokio::test]
async fn moto_issues_keys_that_differ_and_remembers_policies() {
    let moto = Moto::start("us-east-1").await;
    let pool = moto.pool("guests").await;
    let (ada, bob) = (moto.identity(&pool).await, moto.identity(&pool).await);
    let keys = [moto.key(&ada).await, moto.key(&bob).await];
    assert_ne!(keys[0], keys[1]);
    let registry = moto.registry();
    let issued = registry.issued();
    assert_eq!([&issued[0].key, &issued[1].key], [&keys[0], &keys[1]]);
    assert_eq!([&issued[0].identity, &issued[1].identity], [&ada, &bob]);
    moto.policy("Guests", POLICY).await;
    moto.attach("Guests", &bob).await;
    assert_eq!(registry.policies(&ada).await, []);
    assert_eq!(registry.policies(&bob).await, [Document::new(POLICY)]);
}
