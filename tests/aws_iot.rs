//! The Tokio client with the local AWS IoT Core: TLS, signed upgrades, and what its refusals say.
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

use std::time::Duration;

use common::within;
use dunlin_tokio::aws::{Rule, Signing};
use dunlin_tokio::{
    Backoff, Client, ConnectError, Error, Event, Message, Options, Persistence, PublishError, Qos,
    Resumption, SubscribeError, TlsFault, TlsOptions, UpgradeRefusal,
};
use support::aws_iot::{Attempt, AwsIot, Judgement, Key, Quirks};
use support::mosquitto::Mosquitto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::interval;

const REGION: &str = "us-east-1";

fn signing(key: &Key, region: &str) -> Signing {
    let Key { access_key_id, secret_access_key, session_token } = key.clone();
    Signing::new(access_key_id, secret_access_key, session_token, region)
}

/// Options that trust the gateway's CA alone, and sign.
fn options(gateway: &AwsIot, signing: Signing) -> Options {
    Options::parse(&format!("wss://localhost:{}/mqtt", gateway.port()))
        .unwrap()
        .tls(TlsOptions::ca_file(gateway.ca_file()).unwrap())
        .connect_timeout(Duration::from_secs(20))
        .backoff(Backoff::new(10, 50, 1_000))
        .aws(signing)
}

fn accepted(key: &Key) -> Attempt {
    let Key { access_key_id, session_token, .. } = key.clone();
    Attempt::Accepted { access_key_id, session_token }
}

async fn broker() -> Mosquitto {
    Mosquitto::start(support::mosquitto::Options::default()).await
}

#[tokio::test]
async fn right_credentials_publish_and_subscribe() {
    let broker = broker().await;
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
    let keys = [Key::permanent(), Key::temporary()];
    for key in &keys {
        let client = Client::connect(options(&gateway, signing(key, REGION)));
        let client = within("Dunlin connects", client).await.unwrap();
        let loop_back = client.subscribe("loop/#", Qos::AtLeastOnce);
        let mut loop_back = within("a SUBACK", loop_back).await.unwrap();
        for length in [0, 1, 128 << 10] {
            let payload = vec![0xa5; length];
            let message = Message::new("loop/back", &payload, Qos::AtLeastOnce);
            within("a PUBACK", client.publish(&message)).await.unwrap();
            let came = within("a message", loop_back.next()).await.unwrap().unwrap();
            assert_eq!((came.topic(), came.qos), ("loop/back", Qos::AtLeastOnce));
            assert!(came.payload() == payload, "{came:?}");
        }
        within("the end", client.close()).await;
    }
    assert_eq!(gateway.attempts(), keys.each_ref().map(accepted));
}

/// AWS IoT Core answers QoS 2 with nothing at all: it is refused here, and the connection goes on.
#[tokio::test]
async fn qos_2_is_rejected_and_nothing_sent() {
    let broker = broker().await;
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
    let key = Key::temporary();
    let client = Client::connect(options(&gateway, signing(&key, REGION)));
    let client = within("Dunlin connects", client).await.unwrap();
    let mut events = client.events();
    let message = Message::new("once", b"", Qos::ExactlyOnce);
    let error = within("an answer", client.publish(&message)).await.unwrap_err();
    assert!(matches!(error, PublishError::Aws(breach) if breach.rule == Rule::Qos), "{error:?}");
    let error = client.enqueue(&message).unwrap_err();
    assert!(matches!(error, PublishError::Aws(breach) if breach.rule == Rule::Qos), "{error:?}");
    let error = client.subscribe("once", Qos::ExactlyOnce);
    let error = within("an answer", error).await.unwrap_err();
    assert!(matches!(error, SubscribeError::Aws(breach) if breach.rule == Rule::Qos), "{error:?}");
    let wanted = client.subscribe("once", Qos::AtLeastOnce);
    let mut wanted = within("a SUBACK", wanted).await.unwrap();
    let message = Message::new("once", b"at least", Qos::AtLeastOnce);
    within("a PUBACK", client.publish(&message)).await.unwrap();
    let came = within("a message", wanted.next()).await.unwrap().unwrap();
    assert_eq!(came.payload(), b"at least", "the first message");
    assert!(events.is_empty(), "{:?}", events.recv().await);
    assert_eq!(gateway.attempts(), [accepted(&key)]);
}

/// One way to be refused.
struct Case {
    judgement: Judgement,
    signing: Signing,
    /// What the error must say.
    says: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let (permanent, temporary) = (Key::permanent(), Key::temporary());
    let case = |judgement, key: Key, says| Case { judgement, signing: signing(&key, REGION), says };
    let other = |text: &str| format!("{}x", text.split_at(text.len() - 1).0);
    let secret = other(&permanent.secret_access_key);
    let token = temporary.session_token.as_deref().map(other);
    let unknown = "AKIDNOBODY".to_owned();
    vec![
        case(
            Judgement::Signature,
            Key { secret_access_key: secret, ..permanent.clone() },
            &["secret access key"],
        ),
        case(Judgement::UnknownKey, Key { access_key_id: unknown, ..permanent.clone() }, &["key"]),
        case(
            Judgement::TokenMissing,
            Key { session_token: None, ..temporary.clone() },
            &["temporary credentials need", "session token"],
        ),
        case(
            Judgement::TokenWrong,
            Key { session_token: token, ..temporary.clone() },
            &["session token"],
        ),
        case(
            Judgement::TokenUnexpected,
            Key { session_token: temporary.session_token, ..permanent.clone() },
            &["session token"],
        ),
        Case {
            signing: signing(&permanent, "eu-central-1"),
            ..case(Judgement::Region, permanent, &["the region"])
        },
    ]
}

async fn refused(options: Options) -> (Error, UpgradeRefusal) {
    let error = within("an answer", Client::connect(options)).await.unwrap_err();
    let Error::Upgrade(refusal) = &error else { panic!("{error:?}") };
    let refusal = refusal.as_ref().clone();
    (error, refusal)
}

#[tokio::test]
async fn refused_upgrade_names_the_cause_and_no_secret() {
    let broker = broker().await;
    for case in cases() {
        let Case { judgement, signing, says } = case;
        let gateway = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
        let (error, refusal) = refused(options(&gateway, signing)).await;
        assert_eq!(gateway.attempts(), [Attempt::Refused(judgement)]);
        assert_eq!((refusal.status, refusal.signed), (403, true), "{refusal:?}");
        assert_eq!(refusal.error_type.as_deref(), Some("ForbiddenException:"));
        let ahead = refusal.clock_ahead_s.expect("the gateway tells its time");
        // As much as a loaded machine may take between two looks at one clock.
        assert!(ahead.abs() <= 60, "{ahead}");
        let (text, debug) = (error.to_string(), format!("{error:?}"));
        assert!(!text.contains('\n'), "{text}");
        for words in says {
            assert!(text.contains(words), "{judgement:?}: {text}");
        }
        assert!(!text.contains("this machine's clock"), "{text}");
        for secret in [Key::permanent(), Key::temporary()] {
            assert!(!debug.contains(&secret.secret_access_key) && !debug.contains("X-Amz-Sig"));
            assert!(!text.contains(&secret.secret_access_key) && !text.contains("EXAMPLE+token"));
        }
        assert!(!error.is_retryable(), "the same request would be refused again");
    }
}

#[tokio::test]
async fn wrong_ca_is_refused_before_anything_is_sent() {
    let broker = broker().await;
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
    let stranger = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
    let others = TlsOptions::ca_file(stranger.ca_file()).unwrap();
    let options = options(&gateway, signing(&Key::temporary(), REGION)).tls(others);
    let error = within("an answer", Client::connect(options)).await.unwrap_err();
    let Error::Connect(cause) = &error else { panic!("{error:?}") };
    let fault = match **cause {
        ConnectError::Tls { fault, .. } => fault,
        _ => panic!("{cause:?}"),
    };
    assert_eq!(fault, TlsFault::UnknownCa);
    assert!(error.to_string().contains("--ca FILE"), "{error}");
    assert_eq!(gateway.attempts(), [], "the request was sent");
}

#[tokio::test]
async fn connection_that_the_gateway_cuts_is_made_again_with_its_subscriptions() {
    let broker = broker().await;
    let cut_after = Some(Duration::from_millis(500));
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks { cut_after, ..Quirks::default() }).await;
    let key = Key::temporary();
    let (client, mut events) = Client::start(options(&gateway, signing(&key, REGION)));
    let wanted = client.subscribe("wanted", Qos::AtLeastOnce);
    let mut wanted = within("a SUBACK", wanted).await.unwrap();
    let mut connections = 0_u8;
    while connections < 3 {
        match within("an event", events.recv()).await.unwrap() {
            Event::Connected(resumption) => {
                assert_eq!(resumption, Resumption::New);
                connections += 1;
                // Retained: a slow machine may not come to deliver it before the cut.
                let payload = [connections];
                let message = Message::new("wanted", &payload, Qos::AtLeastOnce).retained();
                within("a PUBACK", client.publish(&message)).await.unwrap();
                while within("a message", wanted.next()).await.unwrap().unwrap().payload()
                    != payload
                {}
            }
            Event::Disconnected { error, .. } => {
                assert!(error.is_retryable(), "{error:?}");
                let text = error.to_string();
                assert!(text.contains("without a word: ") && text.contains(": AWS "), "{text}");
            }
            Event::Connecting => {}
            event => panic!("{event:?}"),
        }
    }
    drop((client, wanted));
    let attempts = gateway.attempts();
    assert!(attempts.len() >= 3 && attempts.iter().all(|attempt| *attempt == accepted(&key)));
}

/// The day after which AWS cuts, made short: whoever renews in time is never cut, and what others publish
/// meanwhile is kept for it.
#[tokio::test]
async fn connection_that_is_renewed_in_time_is_not_cut_and_misses_nothing() {
    const RENEWALS: usize = 4;
    let broker = broker().await;
    let cut_after = Some(Duration::from_secs(3));
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks { cut_after, ..Quirks::default() }).await;
    let key = Key::temporary();
    let renewing = |client_id: &str| {
        let options = options(&gateway, signing(&key, REGION)).persistence(Persistence::Kept);
        options.client_id(client_id).renew_after(Duration::from_secs(1))
    };
    let (reader, mut events) = Client::start(renewing("reader"));
    let numbers = reader.subscribe("numbers", Qos::AtLeastOnce);
    let mut numbers = within("a SUBACK", numbers).await.unwrap();
    let writer = Client::connect(renewing("writer"));
    let writer = within("Dunlin connects", writer).await.unwrap();
    let (mut published, mut renewals) = (0_u32, 0);
    // Between two messages there is a moment in which nothing is under way, to leave in.
    let mut pace = interval(Duration::from_millis(5));
    while renewals < RENEWALS {
        pace.tick().await;
        let payload = published.to_be_bytes();
        let message = Message::new("numbers", &payload, Qos::AtLeastOnce);
        within("a PUBACK", writer.publish(&message)).await.unwrap();
        published += 1;
        while let Ok(event) = events.try_recv() {
            assert!(!matches!(event, Event::Disconnected { .. } | Event::Closed(_)), "{event:?}");
            renewals += usize::from(matches!(event, Event::Renewing));
        }
    }
    let mut expected = 0;
    while expected < published {
        let message = within("a message", numbers.next()).await.unwrap().unwrap();
        let number = u32::from_be_bytes(message.payload().try_into().unwrap());
        // What was not acknowledged before a renewal comes again.
        assert!(number <= expected, "{number} instead of {expected}");
        expected = expected.max(number + 1);
    }
    assert_eq!(gateway.breaches(), [], "nobody was cut");
}

/// A server on a plain socket: reads one request after another and answers as `answer` says.
async fn scripted(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/mqtt", listener.local_addr().unwrap());
    let (send, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = read_head(&mut stream).await;
            stream.write_all(answer(&head).as_bytes()).await.unwrap();
            if send.send(head).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

type Requests = tokio::sync::mpsc::UnboundedReceiver<String>;

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The value of a parameter of the request target.
fn parameter(head: &str, name: &str) -> String {
    let target = head.split(' ').nth(1).unwrap();
    let mut pairs = target.split(['?', '&']).filter_map(|pair| pair.split_once('='));
    pairs.find(|pair| pair.0 == name).unwrap().1.to_owned()
}

/// The wait between two attempts is longer than the second that X-Amz-Date tells apart.
#[tokio::test]
async fn request_is_signed_afresh_at_each_attempt() {
    let (url, mut requests) = scripted(|_| String::new()).await;
    let key = Key::temporary();
    let options = Options::parse(&url)
        .unwrap()
        .backoff(Backoff::new(1_100, 1_100, 60_000))
        .aws(signing(&key, REGION));
    let (_client, _events) = Client::start(options);
    let first = within("a request", requests.recv()).await.unwrap();
    let second = within("another request", requests.recv()).await.unwrap();
    // In this form later times are greater texts.
    assert!(parameter(&first, "X-Amz-Date") < parameter(&second, "X-Amz-Date"), "{second}");
    assert_ne!(parameter(&first, "X-Amz-Signature"), parameter(&second, "X-Amz-Signature"));
    let token = |head| parameter(head, "X-Amz-Security-Token");
    assert_eq!(token(&first), token(&second));
}

/// Servers repeat what they were asked: in a redirection, or in an error page.
#[tokio::test]
async fn answer_that_repeats_the_request_does_not_bring_its_secrets_into_the_error() {
    let location = |head: &str| {
        let target = head.split(' ').nth(1).unwrap();
        format!("HTTP/1.1 301 Moved\r\nLocation: https://other{target}\r\n\r\n")
    };
    let page = |head: &str| format!("HTTP/1.1 403 No\r\n\r\nYou asked: {head}");
    let answers: [fn(&str) -> String; 2] = [location, page];
    for answer in answers {
        let (url, mut requests) = scripted(answer).await;
        let options = Options::parse(&url).unwrap().aws(signing(&Key::temporary(), REGION));
        let (error, refusal) = refused(options).await;
        let head = within("a request", requests.recv()).await.unwrap();
        let shown = format!("{error} {error:?} {refusal:?}");
        for secret in ["X-Amz-Signature", "X-Amz-Security-Token"] {
            let secret = parameter(&head, secret);
            assert!(!shown.contains(secret.get(..16).unwrap()), "{shown}");
        }
        if refusal.status == 301 {
            assert!(shown.contains("https://other/mqtt"), "{shown}");
        }
    }
}
