//! What must never be shown: credentials, query, header values, payloads.

use dunlin_tokio::aws::{Cognito, Credentials, Login, Service, Signing, now};
use dunlin_tokio::{Client, Event, Options, Qos, Url, Will};

use crate::common::within;
use crate::server::Server;
use crate::watched::Traced;

/// Parts of every secret below; none is part of anything else.
const SECRETS: [&str; 8] =
    ["4da4da", "en1gma", "s3same", "hunt3r2", "pa55word", "w1llpay", "k3ysecret", "t0kent0ken"];

#[track_caller]
fn clean(shown: &str) {
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

fn loaded(authority: &str) -> Options {
    let url = format!("ws://4da4da:en1gma@{authority}/mqtt?token=s3same");
    let url: Url = url.parse().unwrap();
    clean(&format!("{url} {url:?}"));
    let will = Will {
        topic: "will".to_owned(),
        payload: b"w1llpay".to_vec(),
        qos: Qos::AtMostOnce,
        ..Will::default()
    };
    // Longer than what is kept of a server's words.
    Options::new(url).field("Authorization", "hunt3r2".repeat(100)).will(will)
}

#[tokio::test]
async fn nothing_secret_is_shown_by_options_clients_events_errors_and_traces() {
    let traced = Traced::start();
    let credentials = |options: Options| options.credentials("4da4da", Some(b"pa55word".to_vec()));
    let token = "t0kent0ken".repeat(20);
    let signing = Signing::new("AKID", "k3ysecret", Some(token), "us-east-1");
    clean(&format!("{signing:?}"));
    let signed = Options::parse("ws://127.0.0.1:1/mqtt").unwrap().aws(signing.clone());
    clean(&format!("{signed:?}"));
    for options in [
        loaded("127.0.0.1:1"),
        credentials(loaded("127.0.0.1:1")),
        loaded("nowhere.invalid"),
        signed,
        // A signed request has no room for a query of its own.
        loaded("127.0.0.1:1").aws(signing),
        // Header values that cannot be sent.
        loaded("127.0.0.1:1").field("X-Line", "hunt3r2\r\nX-More: hunt3r2"),
    ] {
        clean(&format!("{options:?}"));
        let (client, mut events) = Client::start(options);
        clean(&format!("{client:?}"));
        loop {
            let event = within("an event", events.recv()).await.unwrap();
            clean(&format!("{event:?}"));
            if let Event::Disconnected { error, .. } = event {
                clean(&format!("{error} {error:?}"));
                break;
            }
        }
    }
    let text = traced.text();
    assert!(text.contains("disconnected"), "nothing was traced: {text}");
    clean(&text);
}

/// Servers that repeat the request in what they say.
#[tokio::test]
async fn nothing_secret_comes_back_from_the_server() {
    let answers: [fn(&str) -> String; 2] = [
        |head| format!("HTTP/1.1 400 Bad\r\n\r\n{head}"),
        |head| {
            let target = head.split(' ').nth(1).unwrap();
            format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n")
        },
    ];
    for answer in answers {
        let server = Server::websocket();
        let authority = server.url().replace("ws://", "");
        let task = tokio::spawn(Client::connect(loaded(&authority)));
        let mut peer = server.accept().await;
        let head = peer.request().await;
        assert!(head.contains("s3same") && head.contains("hunt3r2"), "it has to be sent");
        peer.send(answer(&head).as_bytes()).await;
        drop(peer);
        let error = within("the client's end", task).await.unwrap().unwrap_err();
        clean(&format!("{error} {error:?}"));
    }
}

/// What issues credentials, what they are, and a service that repeats what it was told.
#[tokio::test]
async fn nothing_secret_is_shown_of_credentials_and_their_sources() {
    let credentials = Credentials::new("AKID", "k3ysecret", Some("t0kent0ken"));
    clean(&format!("{credentials:?}"));
    let signing = Signing::new("AKID", "k3ysecret", Some("t0kent0ken".into()), "us-east-1");
    clean(&format!("{:?}", signing.presign("h", "/", now(), None).unwrap()));
    let server = Server::websocket();
    let url = server.url().replace("ws://", "http://").replace("/mqtt", "");
    let service = Service::new().endpoint_url(&url).unwrap();
    let logins = || vec![Login::new("idp", "hunt3r2".repeat(9))];
    clean(&format!("{:?} {service:?}", logins()));
    let cognito = Cognito::new("us-east-1:pool").service(service).logins(logins);
    clean(&format!("{cognito:?}"));
    let task = tokio::spawn(async move { cognito.identity_id().await });
    let mut peer = server.accept().await;
    let head = peer.request().await;
    let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let body = peer.body(len.parse().unwrap()).await;
    assert!(body.contains("hunt3r2"), "it has to be sent");
    let told = format!(r#"{{"__type":"A","message":"no {}"}}"#, "hunt3r2".repeat(9));
    peer.send(format!("HTTP/1.1 400 Bad\r\n\r\n{told}").as_bytes()).await;
    drop(peer);
    let error = within("an error", task).await.unwrap().unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("no ***"), "{shown}");
    clean(&shown);
}

/// What is wrong with a URL is said without it.
#[test]
fn url_that_is_none_is_not_repeated() {
    for url in [
        "4da4da:en1gma@broker/s3same",
        "smtp://4da4da:en1gma@broker",
        "ws://4da4da:en1gma@",
        "ws://4da4da:en1gma@broker:99999",
        "ws://4da4da:en1gma@bro ker",
        "ws://4da4da:en%zzen1gma@broker",
        "ws://broker/?s3same#s3same",
        "mqtt://4da4da:en1gma@broker/s3same",
    ] {
        let error = Options::parse(url).map(|_| ()).unwrap_err();
        clean(&format!("{error} {error:?}"));
    }
}
