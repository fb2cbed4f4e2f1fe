//! Dunlin on Tokio with credentials that services issue: moto as Cognito and as the control plane of
//! AWS IoT, the local AWS IoT Core as the judge of what is signed with them.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "interop/common.rs"]
mod common;

use std::collections::VecDeque;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use common::within;
use dunlin_tokio::aws::{
    Clock, Cognito, Credentials, CredentialsFuture, CredentialsProvider, IotCredentials, Lifetime,
    Policies, Service, ServiceError, Signing, UnixTime, now,
};
use dunlin_tokio::{Backoff, Client, Error, Event, Message, Options, Qos, TlsOptions};
use support::aws_iot::{Access, AwsIot, Key, Quirks, RoleAlias};
use support::mosquitto::{self, Mosquitto};
use support::moto::Moto;
use tokio::sync::broadcast::Receiver;

const REGION: &str = "us-east-1";
const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;

async fn gateway(quirks: Quirks) -> (Mosquitto, AwsIot) {
    let broker = Mosquitto::start(mosquitto::Options::default()).await;
    let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
    (broker, gateway)
}

fn options(gateway: &AwsIot, signing: Signing) -> Options {
    Options::parse(&format!("wss://localhost:{}/mqtt", gateway.port()))
        .unwrap()
        .tls(TlsOptions::ca_file(gateway.ca_file()).unwrap())
        .backoff(Backoff::new(10, 50, 1_000))
        .aws(signing)
}

fn administrator(moto: &Moto) -> Policies {
    let service = Service::new().endpoint_url(&moto.url()).unwrap();
    Policies::new(Signing::new("AKIDADMIN", "secret", None, REGION)).service(service)
}

fn guest(moto: &Moto, pool: &str) -> Cognito {
    Cognito::new(pool).service(Service::new().endpoint_url(&moto.url()).unwrap())
}

/// The whole way of a guest: identity, policy, credentials, messages.
#[tokio::test]
async fn guest_with_an_attached_policy_publishes_and_one_without_is_dropped() {
    let moto = Moto::start(REGION).await;
    let pool = moto.pool("guests").await;
    let access = Access::Attached(moto.registry());
    let quirks = Quirks { access, issuer: Some(moto.registry()), ..Quirks::default() };
    let (_broker, gateway) = gateway(quirks).await;
    let guest = Arc::new(guest(&moto, &pool));
    let identity = within("an identity", guest.identity_id()).await.unwrap();
    assert_eq!(guest.identity_id().await.unwrap(), identity, "asked for once");
    let signing = Signing::from_provider(Arc::clone(&guest), REGION);
    let outcome = Client::connect(options(&gateway, signing.clone()));
    let error = within("the drop", outcome).await.unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error:?}");

    let policies = administrator(&moto);
    policies.create("Guests", DOCUMENT).await.unwrap();
    // Twice: attached already is attached.
    policies.attach("Guests", &identity).await.unwrap();
    policies.attach("Guests", &identity).await.unwrap();
    assert_eq!(policies.attached(&identity).await.unwrap(), ["Guests"]);
    let client = Client::connect(options(&gateway, signing));
    let client = within("Dunlin connects", client).await.unwrap();
    let message = Message::new("a/b", b"c", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
    within("the end", client.close()).await;
    assert_eq!(moto.registry().issued().len(), 1, "the credentials were good for both");

    policies.detach("Guests", &identity).await.unwrap();
    assert_eq!(policies.attached(&identity).await.unwrap(), [""; 0]);
    assert!(policies.endpoint().await.unwrap().contains(".iot."));
}

#[tokio::test]
async fn service_that_says_no_is_quoted_with_advice() {
    let moto = Moto::start(REGION).await;
    let pool = moto.pool("guests").await;
    let identity = moto.identity(&pool).await;
    let error = administrator(&moto).attach("Nobody", &identity).await.unwrap_err();
    let ServiceError::Denied(denied) = &error else { panic!("{error:?}") };
    assert_eq!((denied.status, &*denied.kind), (404, "ResourceNotFoundException"));
    assert!(error.to_string().contains("check the name and the region"), "{error}");
    assert!(!error.is_retryable());
    let nobody = guest(&moto, "no pool").identity_id().await.unwrap_err();
    assert!(matches!(nobody, ServiceError::Identity), "{nobody:?}");
    let nowhere = Service::new().endpoint_url("http://127.0.0.1:1").unwrap();
    let nowhere = Cognito::new(pool).service(nowhere).identity_id().await.unwrap_err();
    assert!(matches!(nowhere, ServiceError::Connect(_)) && nowhere.is_retryable(), "{nowhere:?}");
}

/// A device shows its certificate for a key, and signs with that.
#[tokio::test]
async fn certificate_is_changed_for_credentials_of_a_role() {
    let (_broker, gateway) = gateway(Quirks::default()).await;
    let provider = RoleAlias::start("lamps", Key::temporary(), "2099-01-02T03:04:05Z").await;
    let certificate = provider.client_certificate();
    let stranger = TlsOptions::ca_pem(provider.ca_pem().as_bytes()).unwrap();
    let (chain, key) = (certificate.chain_pem.as_bytes(), certificate.key_pem.as_bytes());
    let shown = stranger.clone().with_client_certificate(chain, key).unwrap();
    let device = |alias: &str, tls| {
        let service = Service::new().endpoint_url(&provider.url()).unwrap().tls(tls);
        IotCredentials::new("a1b2c3.credentials.iot.us-east-1.amazonaws.com", alias, service)
    };
    for (device, status) in
        [(device("lamps", stranger), 403), (device("doors", shown.clone()), 404)]
    {
        let error = within("an answer", device.credentials()).await.unwrap_err();
        let is_denied = matches!(&error, ServiceError::Denied(no) if no.status == status);
        assert!(is_denied && !error.is_retryable(), "{error:?}");
    }
    assert!(provider.things().is_empty());

    let lamp = device("lamps", shown).thing("lamp-7");
    let credentials = within("credentials", lamp.credentials()).await.unwrap();
    let key = Key::temporary();
    assert_eq!(credentials.access_key_id(), key.access_key_id);
    let until = UnixTime::parse_iso8601("2099-01-02T03:04:05Z").unwrap();
    assert_eq!(credentials.lifetime().until(), until);
    let shown = format!("{lamp:?} {credentials:?}");
    for secret in [&key.secret_access_key, &certificate.key_pem, &key.session_token.unwrap()] {
        assert!(!shown.contains(&**secret), "{shown}");
    }
    let client = Client::connect(options(&gateway, Signing::from_provider(lamp, REGION)));
    let client = within("Dunlin connects", client).await.unwrap();
    let message = Message::new("a/b", b"c", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
    within("the end", client.close()).await;
    assert_eq!(provider.things(), ["lamp-7", "lamp-7"]);
}

/// What a [`Script`] gives, one after the other: credentials for so many seconds, or nothing.
#[derive(Debug)]
struct Script(Mutex<VecDeque<Option<u64>>>);

impl Script {
    fn new(steps: &[Option<u64>]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(steps.iter().copied().collect())))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl CredentialsProvider for Script {
    fn credentials(&self) -> CredentialsFuture<'_> {
        let step = self.0.lock().unwrap().pop_front().expect("no more is asked for");
        Box::pin(async move {
            let life_s = step.ok_or_else(|| ServiceError::Provider("planned".into()))?;
            let key = Key::temporary();
            let token = key.session_token.as_deref();
            let until = now().as_secs() + life_s;
            // Got long ago, so that they are due before they end.
            let lifetime = Lifetime::new(UnixTime::from_secs(0), UnixTime::from_secs(until));
            let credentials = Credentials::new(&key.access_key_id, &key.secret_access_key, token);
            Ok(credentials.with_lifetime(lifetime))
        })
    }
}

/// Credentials without an end: first some that were taken back, then good ones.
#[derive(Debug, Default)]
struct Rotated(AtomicUsize);

impl CredentialsProvider for Rotated {
    fn credentials(&self) -> CredentialsFuture<'_> {
        let is_first = self.0.fetch_add(1, Ordering::Relaxed) == 0;
        Box::pin(async move {
            let Key { access_key_id, secret_access_key, session_token } = Key::temporary();
            let secret = if is_first { "taken-back" } else { &secret_access_key };
            Ok(Credentials::new(&access_key_id, secret, session_token.as_deref()))
        })
    }
}

async fn next(events: &mut Receiver<Event>, wanted: impl Fn(&Event) -> bool) -> Event {
    within("an event", async {
        loop {
            let event = events.recv().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
}

fn is_connected(event: &Event) -> bool {
    matches!(event, Event::Connected(_))
}

/// Each connection asks for credentials that are about to end, and the one that stands is left alone.
#[tokio::test]
async fn credentials_about_to_end_are_renewed_before_the_next_connect_only() {
    let (_broker, gateway) = gateway(Quirks::default()).await;
    let script = Script::new(&[Some(200), None, Some(4_000)]);
    let signing = Signing::from_provider(Arc::clone(&script), REGION);
    let (client, mut events) = Client::start(options(&gateway, signing));
    next(&mut events, is_connected).await;
    assert_eq!(script.left(), 2, "due, and not asked for while the connection stands");

    // The second time the provider fails, and what is there is still good.
    gateway.cut_all();
    let reported = |event: &Event| matches!(event, Event::CredentialsNotRefreshed(_));
    next(&mut events, reported).await;
    next(&mut events, is_connected).await;
    for _ in 0..2 {
        gateway.cut_all();
        next(&mut events, is_connected).await;
        assert_eq!(script.left(), 0, "the third are good for long");
    }
    within("the end", client.close()).await;
    assert_eq!(gateway.attempts().len(), 4);
}

/// Nothing is signed with credentials that have ended: the client waits for new ones.
#[tokio::test]
async fn credentials_that_have_ended_are_never_used_again() {
    let (_broker, gateway) = gateway(Quirks::default()).await;
    let script = Script::new(&[Some(0), None, None, Some(4_000)]);
    let signing = Signing::from_provider(Arc::clone(&script), REGION);
    let (client, mut events) = Client::start(options(&gateway, signing));
    // Fresh from the provider, whatever the clocks say of them.
    next(&mut events, is_connected).await;
    gateway.cut_all();
    for _ in 0..2 {
        let failed = |event: &Event| {
            let Event::Disconnected { error: Error::Credentials(error), retry_in } = event else {
                return false;
            };
            assert!(error.to_string().contains("planned") && error.is_retryable());
            *retry_in > Duration::ZERO
        };
        next(&mut events, failed).await;
    }
    next(&mut events, is_connected).await;
    within("the end", client.close()).await;
    assert_eq!((script.left(), gateway.attempts().len()), (0, 2));
}

/// Somebody has changed the keys: the provider is asked for others, and then no more.
#[tokio::test]
async fn credentials_that_aws_has_refused_are_got_anew() {
    let (_broker, gateway) = gateway(Quirks::default()).await;
    let rotated = Arc::new(Rotated::default());
    let signing = Signing::from_provider(Arc::clone(&rotated), REGION);
    let (client, mut events) = Client::start(options(&gateway, signing));
    let is_refused = |event: &Event| matches!(event, Event::Disconnected { error: Error::Upgrade(no), .. } if no.status == 403);
    next(&mut events, is_refused).await;
    next(&mut events, is_connected).await;
    gateway.cut_all();
    next(&mut events, is_connected).await;
    within("the end", client.close()).await;
    assert_eq!((rotated.0.load(Ordering::Relaxed), gateway.attempts().len()), (2, 3));
}

/// Whether credentials have ended is told by the clock that signatures are dated by.
#[tokio::test]
async fn credentials_that_have_ended_by_the_corrected_clock_are_got_anew() {
    const DAY_S: u64 = 86_400;
    let quirks = Quirks { clock_offset_s: DAY_S as i64, ..Quirks::default() };
    let (_broker, gateway) = gateway(quirks).await;
    let clock = Clock::new();
    clock.set(UnixTime::from_secs(now().as_secs() + DAY_S));
    let script = Script::new(&[Some(80_000), Some(2 * DAY_S)]);
    let signing = Signing::from_provider(Arc::clone(&script), REGION);
    let (client, mut events) = Client::start(options(&gateway, signing).aws_clock(clock));
    for left in [1, 0, 0] {
        next(&mut events, is_connected).await;
        assert_eq!(script.left(), left);
        gateway.cut_all();
    }
    within("the end", client.close()).await;
}
