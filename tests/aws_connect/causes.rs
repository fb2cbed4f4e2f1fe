//! A closed socket never reads just "socket closed".

use std::time::Duration;

use dunlin_tokio::aws::Signing;
use dunlin_tokio::{Cause, Client, Error, Event, Message, Qos, SubscribeError};

use crate::common::within;
use crate::server::{CONNACK, Peer, Server};
use crate::{connected, event, options};

/// Which cause an error names, and that it says so.
#[track_caller]
fn cause(error: &Error) -> Cause {
    let Error::Ended { cause, .. } = error else { panic!("{error:?}") };
    let cause = cause.unwrap_or_else(|| panic!("no cause: {error}"));
    assert!(error.to_string().ends_with(&cause.to_string()), "{error}");
    cause
}

#[tokio::test]
async fn connection_closed_upon_connect_names_policy_role_and_client_id() {
    for server in [Server::websocket(), Server::stream()] {
        let url = server.url();
        let (refused, ()) = tokio::join!(Client::connect(options(&url)), async {
            drop(server.connected().await);
        });
        let error = refused.unwrap_err();
        assert_eq!(cause(&error), Cause::ConnectDropped);
        let text = error.to_string();
        for words in ["iot:Connect", "attached to this identity", "IAM role", "client id"] {
            assert!(text.contains(words), "{text}");
        }
    }
}

/// The end of the connection upon a command, and the event that tells of it.
async fn ended_upon(begin: impl AsyncFnOnce(Client, &mut Peer)) -> Error {
    let server = Server::websocket();
    let (client, mut peer) = connected(&server, options(&server.url())).await;
    let mut events = client.events();
    begin(client.clone(), &mut peer).await;
    drop(peer);
    match event(&mut events).await {
        Event::Disconnected { error, .. } => error,
        event => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn connection_closed_upon_subscribe_names_the_actions_it_needs() {
    let error = ended_upon(async |client, peer| {
        let asked = tokio::spawn(async move {
            client.subscribe("not/allowed", Qos::AtLeastOnce).await.map(drop)
        });
        assert_eq!(peer.packet().await[0], 0x82, "SUBSCRIBE");
        drop(asked);
    })
    .await;
    assert_eq!(cause(&error), Cause::SubscribeDropped);
    assert!(error.to_string().contains("iot:Subscribe"), "{error}");
}

#[tokio::test]
async fn connection_closed_upon_publish_names_the_action_it_needs() {
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let error = ended_upon(async |client, peer| {
            let _receipt = client.enqueue(&Message::new("not/allowed", b"", qos)).unwrap();
            assert_eq!(peer.packet().await[0] & 0xf0, 0x30, "PUBLISH");
        })
        .await;
        assert_eq!(cause(&error), Cause::PublishDropped, "{qos:?}");
        assert!(error.to_string().contains("iot:Publish"), "{error}");
    }
}

/// What was acknowledged was allowed.
#[tokio::test]
async fn connection_closed_after_a_puback_does_not_blame_the_message() {
    let error = ended_upon(async |client, peer| {
        let message = Message::new("allowed", b"", Qos::AtLeastOnce);
        let (published, ()) = tokio::join!(client.publish(&message), async {
            assert_eq!(peer.packet().await[0], 0x32, "PUBLISH");
            peer.send_packet(&[0x40, 2, 0, 1]).await;
        });
        published.unwrap();
    })
    .await;
    assert_eq!(cause(&error), Cause::Unexplained);
    assert!(error.to_string().contains("client id"), "{error}");
}

#[tokio::test]
async fn connections_that_are_closed_one_after_another_point_to_a_shared_client_id() {
    let server = Server::websocket();
    let (client, mut events) = Client::start(options(&server.url()));
    for expected in [Cause::Unexplained, Cause::Unexplained, Cause::ClosedSoon] {
        let mut peer = server.connected().await;
        peer.send_packet(&CONNACK).await;
        assert!(matches!(event(&mut events).await, Event::Connected(_)));
        drop(peer);
        let Event::Disconnected { error, .. } = event(&mut events).await else { panic!() };
        assert_eq!(cause(&error), expected);
    }
    drop(client);
}

#[tokio::test]
async fn subscription_that_ends_with_the_client_says_why() {
    let server = Server::websocket();
    let url = server.url();
    let (refused, ()) = tokio::join!(
        async {
            let (client, _events) = Client::start(options(&url));
            let waiting = client.subscribe("a", Qos::AtLeastOnce);
            let (error, ()) = tokio::join!(waiting, client.close());
            error.unwrap_err()
        },
        async {
            drop(within("a connection", server.accept()).await);
        }
    );
    assert!(matches!(refused, SubscribeError::Closed(Error::Closed)), "{refused:?}");
}

/// A renewal after a short time is this side's own doing.
#[tokio::test]
async fn connections_that_were_renewed_do_not_point_to_a_shared_client_id() {
    let server = Server::websocket();
    let options = options(&server.url()).renew_after(Duration::from_millis(1_500));
    let (_client, mut events) = Client::start(options);
    for _ in 0..2 {
        let mut peer = server.open().await;
        assert!(matches!(event(&mut events).await, Event::Connected(_)));
        assert_eq!(peer.packet().await[0], 0xe0, "DISCONNECT");
        drop(peer);
        assert!(matches!(event(&mut events).await, Event::Renewing));
    }
    drop(server.open().await);
    assert!(matches!(event(&mut events).await, Event::Connected(_)));
    let Event::Disconnected { error, .. } = event(&mut events).await else { panic!() };
    assert_eq!(cause(&error), Cause::Unexplained);
}

/// AWS has a name for what it refuses, which says more than the status.
#[tokio::test]
async fn refused_upgrade_is_explained_by_the_name_that_aws_gives_it() {
    let signing = Signing::new("AKIDGONE", "secret", None, "us-east-1");
    for (name, expected) in [
        ("UnrecognizedClientException", Cause::UnknownKey),
        ("ThrottlingException:", Cause::Throttled),
        ("ForbiddenException:", Cause::Signature),
    ] {
        let server = Server::websocket();
        let asking = Client::connect(options(&server.url()).aws(signing.clone()));
        let (refused, ()) = tokio::join!(within("an answer", asking), async {
            let mut peer = server.accept().await;
            peer.request().await;
            let named = format!("x-amzn-ErrorType: {name}\r\n");
            let answer = format!("HTTP/1.1 403 No\r\n{named}content-length: 0\r\n\r\n");
            peer.send(answer.as_bytes()).await;
        });
        let error = refused.unwrap_err();
        let Error::Upgrade(refusal) = &error else { panic!("{error:?}") };
        assert_eq!(refusal.cause, Some(expected), "{name}");
        assert!(error.to_string().contains(&expected.to_string()), "{error}");
    }
}
