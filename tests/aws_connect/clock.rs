//! A clock that is off, and a device that has none.

use std::time::Duration;

use dunlin_tokio::aws::{Clock, Signing, UnixTime};
use dunlin_tokio::{Backoff, Cause, Client, Error, Event, Options, TlsOptions};
use support::aws_iot::{Attempt, AwsIot, Judgement, Key, Quirks};
use support::mosquitto::Mosquitto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::common::within;
use crate::event;
use crate::server::Server;

fn signing() -> Signing {
    let Key { access_key_id, secret_access_key, session_token } = Key::temporary();
    Signing::new(access_key_id, secret_access_key, session_token, "us-east-1")
}

fn options(gateway: &AwsIot) -> Options {
    Options::parse(&format!("wss://localhost:{}/mqtt", gateway.port()))
        .unwrap()
        .tls(TlsOptions::ca_file(gateway.ca_file()).unwrap())
        .connect_timeout(Duration::from_secs(20))
        .backoff(Backoff::new(10, 50, 60_000))
        .aws(signing())
}

fn judgements(gateway: &AwsIot) -> Vec<Option<Judgement>> {
    let judgement = |attempt: &Attempt| match attempt {
        Attempt::Refused(judgement) => Some(*judgement),
        _ => None,
    };
    gateway.attempts().iter().map(judgement).collect()
}

#[tokio::test]
async fn clock_that_is_off_is_corrected_and_the_second_attempt_connects() {
    let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
    for clock_offset_s in [3_600, -3_600, 20 * 365 * 86_400] {
        let quirks = Quirks { clock_offset_s, ..Quirks::default() };
        let gateway = AwsIot::start(broker.tcp_addr(), quirks).await;
        let (client, mut events) = Client::start(options(&gateway));
        let Event::ClockCorrected { ahead_s } = event(&mut events).await else { panic!() };
        // As much as a loaded machine may take between two looks at one clock.
        assert!((ahead_s + clock_offset_s).abs() <= 60, "{ahead_s}");
        assert!(matches!(event(&mut events).await, Event::Connected(_)));
        assert_eq!(judgements(&gateway), [Some(Judgement::Clock), None]);
        within("the end", client.close()).await;
    }
}

#[tokio::test]
async fn device_without_a_clock_connects_and_the_next_client_has_its_time() {
    let broker = Mosquitto::start(support::mosquitto::Options::default()).await;
    let gateway = AwsIot::start(broker.tcp_addr(), Quirks::default()).await;
    let clock = Clock::new();
    clock.set(UnixTime::from_secs(7));
    for expected in [&[Some(Judgement::Clock), None][..], &[Some(Judgement::Clock), None, None]] {
        let client = Client::connect(options(&gateway).aws_clock(clock.clone()));
        let client = within("Dunlin connects", client).await.unwrap();
        assert_eq!(judgements(&gateway), expected);
        within("the end", client.close()).await;
    }
    assert!(clock.ahead_s().abs() <= 60, "{}", clock.ahead_s());
}

/// Each answer is dated a day after the one before.
#[tokio::test]
async fn server_whose_dates_wander_is_asked_twice_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/mqtt", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut answered = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            answered += 1;
            let date = format!("date: Sun, {answered:02} Nov 1998 08:49:37 GMT");
            let answer = format!("HTTP/1.1 403 No\r\n{date}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            assert!(answered <= 2, "asked again");
        }
    });
    let options = Options::parse(&url).unwrap().aws(signing());
    let error = within("an answer", Client::connect(options)).await.unwrap_err();
    let Error::Upgrade(refusal) = &error else { panic!("{error:?}") };
    let Some(Cause::Clock { ahead_s }) = refusal.cause else { panic!("{refusal:?}") };
    assert!((-86_460..=-86_340).contains(&ahead_s), "{ahead_s}");
    assert!(error.to_string().contains("set the clock"), "{error}");
    assert!(!server.is_finished(), "{:?}", server.await);
}

/// A custom authorizer's no has nothing to do with the time, whatever it is dated.
#[tokio::test]
async fn refusal_of_what_was_not_signed_leaves_the_clock_alone() {
    let server = Server::websocket();
    let clock = Clock::new();
    let asking = Client::connect(crate::options(&server.url()).aws_clock(clock.clone()));
    let (refused, ()) = tokio::join!(within("an answer", asking), async {
        let mut peer = server.accept().await;
        peer.request().await;
        let date = "date: Sun, 01 Nov 1998 08:49:37 GMT";
        let answer = format!("HTTP/1.1 403 No\r\n{date}\r\ncontent-length: 0\r\n\r\n");
        peer.send(answer.as_bytes()).await;
    });
    let error = refused.unwrap_err();
    let Error::Upgrade(refusal) = &error else { panic!("{error:?}") };
    assert_eq!(refusal.cause, Some(Cause::Authorizer));
    assert_eq!(clock.ahead_s(), 0);
    assert!(!server.was_asked(), "a second attempt would fare no better");
}
