//! Dunlin's rules and those of the local AWS IoT Core, which were written apart, agree: what one refuses
//! here the other would have dropped the connection for, and what goes out is taken.
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
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod raw;

use common::within;
use dunlin_tokio::aws::Signing;
use dunlin_tokio::dunlin::Subscription as Filter;
use dunlin_tokio::{Client, Message, Options, PublishError, Qos, SubscribeError, TlsOptions};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use raw::{Raw, connect, publish, subscribe};
use support::aws_iot::{AwsIot, Key, Quirks};
use support::mosquitto::Mosquitto;

/// How many topics, filters and requests are drawn.
const DRAWN: usize = 150;
/// What names begin with: most with nothing, and AWS does not count the next two.
const PREFIXES: [&str; 6] = ["", "", "", "$aws/rules/rule/", "$share/group/", "$mine/"];

struct Pair {
    _broker: Mosquitto,
    gateway: AwsIot,
    random: StdRng,
}

impl Pair {
    async fn start() -> Self {
        let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
        let gateway = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
        let seed = rand::rng().random();
        println!("seed {seed}");
        Self { _broker: broker, gateway, random: StdRng::seed_from_u64(seed) }
    }

    async fn client(&self) -> Client {
        let Key { access_key_id, secret_access_key, session_token } = Key::temporary();
        let options = Options::parse(&format!("wss://localhost:{}/mqtt", self.gateway.port()))
            .unwrap()
            .tls(TlsOptions::ca_file(self.gateway.ca_file()).unwrap())
            .aws(Signing::new(access_key_id, secret_access_key, session_token, "us-east-1"));
        within("Dunlin connects", Client::connect(options)).await.unwrap()
    }

    /// What the gateway makes of packets that Dunlin would not send: dropped, or not.
    async fn drops(&mut self, packets: &[u8]) -> bool {
        let before = self.gateway.breaches().len();
        let id = format!("raw-{before}");
        let mut raw = Raw::connected(&self.gateway, &connect(4, &id, 60)).await;
        raw.write(packets).await;
        raw.rest().await;
        self.gateway.breaches().len() == before + 1
    }

    /// A name around the limits, with or without a prefix.
    fn name(&mut self) -> String {
        let prefix = PREFIXES[self.random.random_range(0..PREFIXES.len())];
        let slashes = self.random.random_range(0..=8);
        let length = match self.random.random_range(0..3) {
            0 => self.random.random_range(250..=262),
            _ => self.random.random_range(slashes + 1..40),
        };
        let mut name = vec![b't'; length];
        for slash in 0..slashes {
            name[slash * length / (slashes + 1)] = b'/';
        }
        format!("{prefix}{}", String::from_utf8(name).unwrap())
    }
}

#[tokio::test]
async fn message_that_is_refused_here_would_be_dropped_there_and_no_other() {
    let mut pair = Pair::start().await;
    let client = pair.client().await;
    let mut refused = 0;
    for _ in 0..DRAWN {
        let topic = pair.name();
        let around = pair.random.random_range(0..6);
        let length = if around == 0 { pair.random.random_range(131_070..=131_074) } else { 3 };
        let payload = vec![b'x'; length];
        let message = Message::new(&topic, &payload, Qos::AtLeastOnce);
        match within("an answer", client.publish(&message)).await {
            Ok(_) => {}
            Err(PublishError::Aws(breach)) => {
                refused += 1;
                let drops = within("a drop", pair.drops(&publish(&topic, 1, &payload))).await;
                assert!(drops, "{breach}: {topic}");
            }
            Err(error) => panic!("{topic}: {error:?}"),
        }
    }
    println!("{refused} of {DRAWN} refused");
    assert_eq!(pair.gateway.breaches().len(), refused, "Dunlin was dropped");
    assert!(refused > DRAWN / 10 && refused < DRAWN * 9 / 10, "the names are around the limits");
}

#[tokio::test]
async fn subscription_that_is_refused_here_would_be_dropped_there_and_no_other() {
    let mut pair = Pair::start().await;
    let client = pair.client().await;
    let mut refused = 0;
    for _ in 0..DRAWN {
        let names: Vec<String> =
            (0..pair.random.random_range(1..=2)).map(|_| pair.name()).collect();
        let names: Vec<String> = names.iter().map(|name| name.clone() + "/#").collect();
        let filters: Vec<_> = names.iter().map(|name| Filter::new(name, Qos::AtMostOnce)).collect();
        match within("an answer", client.subscribe_all(&filters)).await {
            Ok(subscription) => {
                within("an UNSUBACK", subscription.unsubscribe()).await.unwrap();
            }
            Err(SubscribeError::Aws(breach)) => {
                refused += 1;
                let each: Vec<Vec<u8>> = names.iter().map(|name| subscribe(&[(name, 0)])).collect();
                let drops = within("a drop", pair.drops(&each.concat())).await;
                assert!(drops, "{breach}: {names:?}");
            }
            Err(error) => panic!("{names:?}: {error:?}"),
        }
    }
    println!("{refused} of {DRAWN} refused");
    assert_eq!(pair.gateway.breaches().len(), refused, "Dunlin was dropped");
    assert!(refused > DRAWN / 10 && refused < DRAWN * 9 / 10, "the names are around the limits");
}
