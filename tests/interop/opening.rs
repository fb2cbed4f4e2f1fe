//! Until CONNACK: answers that are none, refusals, silence, and ends.

use std::time::Duration;

use dunlin_tokio::dunlin::ws::UpgradeError;
use dunlin_tokio::dunlin::{Closed, Error as Cause, Malformed, Misbehaved, Refused, Stage, mqtt};
use dunlin_tokio::{
    Backoff, Client, ConnectError, Error, ReasonCode, Stage as ConnectStage, TlsOptions,
};

use crate::common::within;
use crate::server::{CONNACK, Peer, Server, TEXT};
use crate::{Patient, cause, options, servers};

/// A timeout that a peer which says nothing runs into.
const SHORT: Duration = Duration::from_millis(400);

/// A client whose first connection must come about, in a task of its own.
async fn fails(server: &Server) -> tokio::task::JoinHandle<Error> {
    let connecting = Client::connect(options(&server.url()));
    tokio::spawn(async move { within("the client's end", connecting).await.unwrap_err() })
}

async fn error(task: tokio::task::JoinHandle<Error>) -> Error {
    within("the client's end", task).await.unwrap()
}

/// The answer to an upgrade that ends the connection.
async fn answered(answer: &[u8]) -> Error {
    let server = Server::websocket();
    let task = fails(&server).await;
    let mut peer = server.accept().await;
    peer.request().await;
    peer.send(answer).await;
    let error = error(task).await;
    peer.end().await;
    error
}

#[tokio::test]
async fn page_that_is_not_there_is_a_refusal_with_its_words() {
    let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\nno such page";
    let error = answered(answer).await;
    let Error::Upgrade(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((refusal.status, &*refusal.body, refusal.signed), (404, "no such page", false));
    let text = error.to_string();
    assert!(text.contains("HTTP 404") && text.contains("check the URL's path"), "{text}");
    assert!(text.contains("no such page") && !error.is_retryable(), "{text}");
}

#[tokio::test]
async fn answer_that_is_none_has_its_own_error() {
    let cases: [(&[u8], UpgradeError); 6] = [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", UpgradeError::NotHttp),
        (b"\x15\x03\x01\x00\x02\x02\x46", UpgradeError::Tls),
        (&CONNACK, UpgradeError::NotHttp),
        (b"HTTP/1.0 101 Switching Protocols\r\n\r\n", UpgradeError::StatusLine),
        (b"HTTP/1.1 101 Switching Protocols\r\n folded: x\r\n\r\n", UpgradeError::Field),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
              Connection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            UpgradeError::Accept,
        ),
    ];
    for (answer, expected) in cases {
        let error = answered(answer).await;
        assert_eq!(cause(&error), Cause::Malformed(Malformed::Upgrade(expected)), "{error}");
    }
}

#[tokio::test]
async fn head_without_end_is_cut_off() {
    for line in [&b"a: b\r\n"[..], b"HTTP/1.1 100 Continue\r\n\r\n", &[b'x'; 100]] {
        let server = Server::websocket();
        let task = fails(&server).await;
        let mut peer = server.accept().await;
        peer.request().await;
        let start: &[u8] = if line.starts_with(b"HTTP") { b"" } else { b"HTTP/1.1 101 OK\r\n" };
        peer.send(start).await;
        // Until the client hangs up: a write fails then.
        while peer.send(line).await {}
        let error = error(task).await;
        let Cause::Malformed(Malformed::Upgrade(fault)) = cause(&error) else {
            panic!("{error:?}");
        };
        let long = [UpgradeError::HeadTooLong, UpgradeError::LineTooLong];
        assert!(long.contains(&fault), "{fault:?}");
    }
}

#[tokio::test]
async fn refused_connack_is_an_error_with_its_reason() {
    let cases = [
        (1, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, "MQTT 3.1.1"),
        (2, ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, "client identifier"),
        (3, ReasonCode::SERVER_UNAVAILABLE, "try again later"),
        (4, ReasonCode::BAD_USER_NAME_OR_PASSWORD, "check user name and password"),
        (5, ReasonCode::NOT_AUTHORIZED, "what the broker allows"),
    ];
    for server in servers() {
        for (code, reason, advice) in cases {
            let task = fails(&server).await;
            let mut peer = server.connected().await;
            peer.send_packet(&[0x20, 2, 0, code]).await;
            let error = error(task).await;
            assert_eq!(cause(&error), Cause::Refused(Refused::Connect(reason)));
            assert!(error.to_string().contains(advice), "{error}");
            assert_eq!(error.is_retryable(), code == 3);
            peer.end().await;
        }
    }
}

/// What must not stand in a CONNACK, or before it.
#[tokio::test]
async fn packet_that_is_no_connack_ends_the_opening() {
    let misbehaved = |fault| Cause::Misbehaved(Misbehaved::Packet(fault));
    let malformed = |fault| Cause::Malformed(Malformed::Packet(fault));
    let cases: [(&[u8], Cause); 5] = [
        // A session is present, and a clean one was asked for (v3.1.1: [MQTT-3.2.2-1]).
        (&[0x20, 2, 1, 0], misbehaved(mqtt::Misbehaved::SessionPresent)),
        (&[0x20, 2, 0, 6], malformed(mqtt::Malformed::Value)),
        (&[0x20, 3, 0, 0, 0], malformed(mqtt::Malformed::Length)),
        (&[0xd0, 0], misbehaved(mqtt::Misbehaved::BeforeConnack)),
        (&[0x20, 0xff, 0xff, 0xff, 0xff], malformed(mqtt::Malformed::Length)),
    ];
    for server in servers() {
        for (bytes, expected) in cases {
            let task = fails(&server).await;
            let mut peer = server.connected().await;
            peer.send_packet(bytes).await;
            assert_eq!(cause(&error(task).await), expected, "{bytes:?}");
            peer.end().await;
        }
    }
}

#[tokio::test]
async fn text_in_place_of_connack_is_answered_with_1003() {
    let server = Server::websocket();
    let task = fails(&server).await;
    let mut peer = server.connected().await;
    peer.send_frame(TEXT, b"hello").await;
    assert_eq!(peer.close().await, 1003);
    assert_eq!(cause(&error(task).await), Cause::Misbehaved(Misbehaved::TextFrame));
}

/// How far a server goes before it says nothing more, or ends.
const STAGES: [&str; 4] = ["tcp", "head", "upgraded", "connack"];

/// Goes as far as `stage` says; `None` when this server has no such stage.
async fn reach(server: &Server, framed: bool, stage: &str) -> Option<Peer> {
    match (stage, framed) {
        ("tcp", true) => {
            let mut peer = server.accept().await;
            peer.request().await;
            Some(peer)
        }
        ("head", true) => {
            let mut peer = server.accept().await;
            let answer = peer.answer().await;
            peer.send(&answer.as_bytes()[..answer.len() / 2]).await;
            Some(peer)
        }
        ("upgraded", _) => Some(server.connected().await),
        ("connack", _) => {
            let mut peer = server.connected().await;
            peer.send_packet(&CONNACK[..2]).await;
            Some(peer)
        }
        _ => None,
    }
}

#[tokio::test]
async fn silence_is_timed_out_with_its_stage_and_the_client_recovers() {
    for (server, framed) in servers().into_iter().zip([true, false]) {
        let mut patient = Patient::start(options(&server.url()).connect_timeout(SHORT));
        for stage in STAGES {
            let Some(_silent) = reach(&server, framed, stage).await else { continue };
            let (error, _) = patient.lost().await;
            let expected =
                if matches!(stage, "tcp" | "head") { Stage::Upgrade } else { Stage::Connack };
            assert_eq!(cause(&error), Cause::TimedOut(expected), "{stage}");
            assert!(error.is_retryable());
            let text = error.to_string();
            assert!(text.contains("check that the URL"), "{text}");
        }
    }
}

/// T-27: each stage has a budget of its own beside that of them all.
#[tokio::test]
async fn silence_in_one_stage_is_timed_out_by_its_own_time() {
    for (server, framed) in servers().into_iter().zip([true, false]) {
        let mut patient = Patient::start(options(&server.url()).stage_timeout(SHORT));
        for stage in STAGES {
            let Some(_silent) = reach(&server, framed, stage).await else { continue };
            let (error, _) = patient.lost().await;
            let expected =
                if matches!(stage, "tcp" | "head") { Stage::Upgrade } else { Stage::Connack };
            assert_eq!(cause(&error), Cause::TimedOut(expected), "{stage}");
        }
    }
}

/// A byte now and then wins no time: there is one budget for all of it.
#[tokio::test]
async fn trickle_is_timed_out_like_silence() {
    let server = Server::websocket();
    let mut patient = Patient::start(options(&server.url()).connect_timeout(SHORT));
    let mut peer = server.accept().await;
    let answer = peer.answer().await;
    let trickle = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        for byte in answer.as_bytes() {
            beat.tick().await;
            peer.send(&[*byte]).await;
        }
    });
    let (error, _) = patient.lost().await;
    assert_eq!(cause(&error), Cause::TimedOut(Stage::Upgrade));
    assert!(!trickle.is_finished(), "the answer was whole");
    trickle.abort();
}

#[tokio::test]
async fn silence_inside_tls_is_timed_out() {
    let server = Server::websocket();
    let url = server.url().replace("ws://", "wss://");
    let ca = rcgen::KeyPair::generate().unwrap();
    let ca = rcgen::CertificateParams::new([]).unwrap().self_signed(&ca).unwrap();
    let tls = TlsOptions::ca_pem(ca.pem().as_bytes()).unwrap();
    let connecting = Client::connect(options(&url).tls(tls).connect_timeout(SHORT));
    let task = tokio::spawn(connecting);
    let _silent = server.accept().await;
    let error = within("the client's end", task).await.unwrap().unwrap_err();
    let Error::Connect(fault) = &error else { panic!("{error:?}") };
    let stage = ConnectStage::Tls;
    assert!(
        matches!(**fault, ConnectError::TimedOut { stage: at, .. } if at == stage),
        "{fault:?}"
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn end_is_told_with_its_stage_and_the_client_recovers() {
    let upgrade = |fault| Cause::Malformed(Malformed::Upgrade(fault));
    for (server, framed) in servers().into_iter().zip([true, false]) {
        let mut patient = Patient::start(options(&server.url()));
        for stage in STAGES {
            let Some(peer) = reach(&server, framed, stage).await else { continue };
            drop(peer);
            let (error, _) = patient.lost().await;
            let expected = match stage {
                "tcp" => upgrade(UpgradeError::NoResponse),
                "head" => upgrade(UpgradeError::Truncated),
                _ => Cause::Closed(Closed::Eof(Stage::Connack)),
            };
            assert_eq!(cause(&error), expected, "{stage}");
            assert!(error.is_retryable(), "{stage}");
        }
        let peer = server.open().await;
        patient.connected().await;
        drop(peer);
        let (error, _) = patient.lost().await;
        assert_eq!(cause(&error), Cause::Closed(Closed::Eof(Stage::Open)));
        patient.recovers(&server).await;
    }
}

/// A port where nobody listens: the waits grow, differ, and stay in their bounds.
#[tokio::test]
async fn refused_connections_are_retried_with_growing_and_jittered_waits() {
    const CLIENTS: usize = 50;
    const WAITS: usize = 8;
    // tcpmux (RFC 1078): outside the range from which a caller could get the same port itself.
    let options = options("ws://127.0.0.1:1").backoff(Backoff::new(10, 300, 60_000));
    let patient = || Patient::start(options.clone());
    let mut patients: Vec<Patient> = (0..CLIENTS).map(|_| patient()).collect();
    let mut waits = Vec::new();
    for patient in &mut patients {
        let mut of_one = Vec::new();
        for _ in 0..WAITS {
            let (error, retry_in) = patient.lost().await;
            let Error::Connect(fault) = &error else { panic!("{error:?}") };
            assert!(matches!(**fault, ConnectError::Refused { .. }), "{fault:?}");
            of_one.push(retry_in.as_millis());
        }
        waits.push(of_one);
    }
    println!("{waits:?}");
    assert!(waits.iter().flatten().all(|wait| (10..=300).contains(wait)));
    assert!(waits.iter().all(|of_one| of_one[0] <= 30), "the first wait is short");
    let sum = |nth: usize| waits.iter().map(|of_one| of_one[nth]).sum::<u128>();
    assert!(2 * sum(WAITS - 1) > 3 * sum(0), "they grow");
    assert!(waits.iter().any(|of_one| *of_one != waits[0]), "they differ");
}

/// An unknown host is an error of its own, and the program lives.
#[tokio::test]
async fn unknown_host_is_named() {
    let error = within("an answer", Client::connect(options("ws://nowhere.invalid"))).await;
    let error = error.unwrap_err();
    let Error::Connect(fault) = &error else { panic!("{error:?}") };
    // Some networks drop what they do not know.
    let unknown = match **fault {
        ConnectError::Resolve { .. } => true,
        ConnectError::TimedOut { stage, .. } => stage == ConnectStage::Resolve,
        _ => false,
    };
    assert!(unknown, "{fault:?}");
    assert!(error.to_string().contains("nowhere.invalid"), "{error}");
}
