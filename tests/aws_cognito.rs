//! Guests of a Cognito identity pool at the local AWS IoT Core: keys that expire, and policies that
//! must be attached, both from moto.
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

use std::sync::Arc;
use std::time::Duration;

use common::within;
use dunlin_tokio::aws::{Cognito, Policies, Service, ServiceError, Signing};
use dunlin_tokio::{Backoff, Client, Error, Event, Message, Options, Qos, TlsOptions};
use support::aws_iot::{Access, Attempt, AwsIot, Breach, Judgement, Key, Quirks};
use support::mosquitto::Mosquitto;
use support::moto::{Moto, administrator};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, interval};

const REGION: &str = "us-east-1";
/// How long moto's keys are good, and a little.
const KEY_LIFE: Duration = Duration::from_secs(92);
/// Between two connections, so that some are made just before the end of a key.
const CONNECTION_LIFE: Duration = Duration::from_secs(8);
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}"#;

/// moto with an identity pool, and what the gateway asks it for.
struct Cloud {
    moto: Moto,
    pool: String,
    broker: Mosquitto,
}

impl Cloud {
    async fn start() -> Self {
        let moto = Moto::start(REGION).await;
        let pool = moto.pool("guests").await;
        let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
        Self { moto, pool, broker }
    }

    /// A gateway that knows moto's keys alone.
    async fn gateway(&self, access: Access) -> AwsIot {
        let issuer = Some(self.moto.registry());
        let quirks = Quirks { keys: Vec::new(), issuer, access, ..Quirks::default() };
        AwsIot::start(self.broker.tcp_addr(), quirks).await
    }

    fn service(&self) -> Service {
        Service::new().endpoint_url(&self.moto.url()).unwrap()
    }

    fn guest(&self) -> Arc<Cognito> {
        Arc::new(Cognito::new(&*self.pool).service(self.service()))
    }
}

fn options(gateway: &AwsIot, signing: Signing) -> Options {
    Options::parse(&format!("wss://localhost:{}/mqtt", gateway.port()))
        .unwrap()
        .tls(TlsOptions::ca_file(gateway.ca_file()).unwrap())
        .backoff(Backoff::new(50, 200, 60_000))
        .aws(signing)
}

async fn connected(events: &mut Receiver<Event>) {
    loop {
        match within("a connection", events.recv()).await.unwrap() {
            Event::Connected(_) => return,
            Event::Closed(error) => panic!("{error}"),
            Event::CredentialsNotRefreshed(error) => panic!("{error}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn guest_is_dropped_without_a_policy_and_let_in_when_it_is_attached() {
    let cloud = Cloud::start().await;
    let gateway = cloud.gateway(Access::Attached(cloud.moto.registry())).await;
    let guest = cloud.guest();
    let (client, mut events) =
        Client::start(options(&gateway, Signing::from_provider(Arc::clone(&guest), REGION)));
    assert_eq!(gateway.dropped(1).await[0], Breach::PolicyConnect);
    let identity = within("an identity", guest.identity_id()).await.unwrap();

    let Key { access_key_id, secret_access_key, .. } = administrator();
    let policies = |secret: String| {
        let signing = Signing::new(access_key_id.clone(), secret, None, REGION);
        Policies::new(signing).service(cloud.service())
    };
    let wrong = within("an answer", policies("wrong".to_owned()).create("Guests", POLICY)).await;
    let is_403 = |error| matches!(&error, ServiceError::Denied(denied) if denied.status == 403);
    assert!(wrong.is_err_and(is_403), "a signature is looked at");
    let policies = policies(secret_access_key);
    within("a policy", policies.create("Guests", POLICY)).await.unwrap();
    // A second time changes nothing.
    for _ in 0..2 {
        within("the policy is attached", policies.attach("Guests", &identity)).await.unwrap();
    }
    connected(&mut events).await;
    let message = Message::new("room", b"warm", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
    assert!(gateway.breaches().iter().all(|breach| *breach == Breach::PolicyConnect));
    let issued = cloud.moto.registry().issued();
    assert_eq!(issued.len(), 1, "one key for all attempts: {issued:?}");
    assert_eq!(issued[0].identity, identity);
    assert_eq!(within("a list", policies.attached(&identity)).await.unwrap(), ["Guests"]);
}

/// In real time: moto's keys are good for 90 s.
#[tokio::test]
async fn key_that_ends_is_renewed_before_a_connect_and_never_under_a_connection() {
    let cloud = Cloud::start().await;
    let gateway = cloud.gateway(Access::Everything).await;
    let calm_gateway = cloud.gateway(Access::Everything).await;
    let guest = |gateway: &AwsIot| {
        let signing = Signing::from_provider(cloud.guest(), REGION);
        Client::start(options(gateway, signing))
    };
    let (calm, mut calm_events) = guest(&calm_gateway);
    connected(&mut calm_events).await;
    let (_restless, mut events) = guest(&gateway);
    connected(&mut events).await;
    let first = cloud.moto.registry().issued();
    let begun = Instant::now();
    let mut tick = interval(CONNECTION_LIFE);
    tick.tick().await;
    while begun.elapsed() < KEY_LIFE {
        tick.tick().await;
        gateway.cut_all();
        connected(&mut events).await;
    }

    let attempts = gateway.attempts();
    let accepted = |attempt: &Attempt| match attempt {
        Attempt::Accepted { access_key_id, .. } => access_key_id.clone(),
        other => panic!("{other:?} among {attempts:?}"),
    };
    let mut keys: Vec<String> = attempts.iter().map(accepted).collect();
    keys.dedup();
    assert_eq!(keys.len(), 2, "kept as long as they are good: {keys:?}");
    assert_eq!(calm_gateway.attempts().len(), 1, "it stands all the while");
    let message = Message::new("room", b"warm", Qos::AtLeastOnce);
    within("a PUBACK", calm.publish(&message)).await.unwrap();

    // The gateway would have told: the first key is good no more.
    let Key { access_key_id, secret_access_key, session_token } = first[0].key.clone();
    let old = Signing::new(access_key_id, secret_access_key, session_token, REGION);
    let error = within("an answer", Client::connect(options(&gateway, old))).await.unwrap_err();
    assert!(matches!(&error, Error::Upgrade(refusal) if refusal.status == 403), "{error:?}");
    assert_eq!(gateway.attempts().pop(), Some(Attempt::Refused(Judgement::TokenExpired)));
}
