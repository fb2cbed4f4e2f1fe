//! Servers that attack: with resets, floods, frames of nothing, and headers that are not theirs.

use dunlin_tokio::dunlin::ws::{InvalidRequest, Malformed as Frame};
use dunlin_tokio::dunlin::{Closed, Error as Cause, Malformed, Stage};
use dunlin_tokio::{Client, Error, Message, Options, Qos, ReasonCode};
use std::io::ErrorKind;

use crate::common::within;
use crate::server::{BINARY, CONNACK, PONG, Server};
use crate::{Patient, cause, options};

/// How many frames a flood has: more than any socket's buffers hold.
const FLOOD: usize = 100_000;

/// A reset says what an end says, wherever it comes, and keeps what the socket said.
#[tokio::test]
async fn reset_in_the_midst_of_anything_is_told_and_the_client_recovers() {
    let publish = [&[0x82, 0x7e, 0x01, 0x00, 0x30, 0xfd, 0x01, 0, 1, b't'][..], &[0; 90]].concat();
    for (begun, stage) in [
        (&b"\x82"[..], Stage::Open),
        (b"\x82\x7e\x01", Stage::Open),
        (b"\x89\x7dabc", Stage::Open),
        (&publish, Stage::Open),
        (b"", Stage::Open),
        (b"", Stage::Connack),
    ] {
        let server = Server::websocket();
        let mut patient = Patient::start(options(&server.url()));
        let mut peer = server.connected().await;
        if stage == Stage::Open {
            peer.send_packet(&CONNACK).await;
            patient.connected().await;
        }
        peer.send(begun).await;
        peer.reset();
        let (error, _) = patient.lost().await;
        assert_eq!(cause(&error), Cause::Closed(Closed::Eof(stage)), "{begun:x?}");
        let Error::Ended { io: Some(io), .. } = &error else { panic!("{error:?}") };
        assert_eq!(io.kind(), ErrorKind::ConnectionReset, "{begun:x?}");
        assert!(error.is_retryable(), "{error}");
        patient.recovers(&server).await;
    }
}

/// RFC 6455 §5.4
///
/// T-11, as in CVE-2026-48779: fragments that never bring a byte.
#[tokio::test]
async fn fragments_of_nothing_are_cut_off() {
    let server = Server::websocket();
    let mut patient = Patient::start(options(&server.url()));
    let mut peer = server.open().await;
    patient.connected().await;
    peer.send(&[BINARY, 0]).await;
    let fragments = [0, 0].repeat(1_000);
    // Until the client hangs up: a write fails then.
    while peer.send(&fragments).await {}
    let (error, _) = patient.lost().await;
    let frame = Cause::Malformed(Malformed::Frame(Frame::EmptyFragments));
    assert_eq!(cause(&error), frame);
    patient.recovers(&server).await;
}

/// RFC 6455 §5.5.2, §5.5.3
///
/// T-12 and T-13, as in RUSTSEC-2026-0258 and CVE-2026-11586: frames of nothing, pings and pongs by the
/// hundred thousand, from a server that is deaf meanwhile. They hold nobody up, and no answer
/// gathers for them.
#[tokio::test]
async fn flood_of_frames_leaves_the_program_its_turn() {
    let ping = [&[0x89, 125][..], &[b'p'; 125]].concat();
    for (frame, answered) in [(&[0x82, 0][..], false), (&[0x8a, 1, b'x'], false), (&ping, true)] {
        let server = Server::websocket();
        let mut patient = Patient::start(options(&server.url()).keep_alive_s(0));
        let mut peer = server.open().await;
        patient.connected().await;
        let message = Message::new("t", b"in between", Qos::AtLeastOnce);
        let publishing = patient.client.publish(&message);
        let (outcome, heard) = tokio::join!(within("a PUBACK", publishing), async {
            let mut heard = peer.flood(frame.repeat(FLOOD)).await;
            let at = heard.iter().position(|(opcode, _)| *opcode == BINARY).unwrap();
            let (_, publish) = heard.remove(at);
            let [high, low] = publish[5..7] else { panic!("{publish:x?}") };
            peer.send_packet(&[0x40, 2, high, low]).await;
            heard
        });
        assert_eq!(outcome.unwrap(), ReasonCode::SUCCESS);
        let (last, answers) = heard.split_last().unwrap();
        assert_eq!(*last, (PONG, Vec::new()), "the ping at the flood's end");
        assert!(answered || answers.is_empty(), "{} answers to nothing", answers.len());
        assert!(answers.iter().all(|(opcode, body)| *opcode == PONG && *body == b"p".repeat(125)));
        assert!(patient.events.is_empty(), "{:?}", patient.events.recv().await);
    }
}

/// RFC 9112 §2.2
///
/// T-28: whoever names a header or a value cannot add a line; nothing at all is sent then.
#[tokio::test]
async fn field_that_would_break_the_request_is_never_sent() {
    for bad in ["\r", "\n", "\0", "\r\nX-More: y", "\r\n\r\nGET / HTTP/1.1\r\n"] {
        for (name, value, fault) in [
            (format!("X{bad}"), "v".to_owned(), InvalidRequest::FieldName),
            ("X".to_owned(), format!("v{bad}v"), InvalidRequest::FieldValue),
        ] {
            let server = Server::websocket();
            let options = options(&server.url()).field(name, value);
            let (error, ()) = tokio::join!(within("an error", Client::connect(options)), async {
                assert_eq!(server.accept().await.rest().await, b"", "{bad:?}");
            });
            let error = error.err().unwrap();
            assert!(matches!(error, Error::Request(why) if why == fault), "{error:?}");
            assert!(!error.is_retryable() && !error.to_string().contains('\n'), "{error}");
        }
        // Host and path are those of the URL, which is refused before.
        for url in [format!("ws://h{bad}/"), format!("ws://h/{bad}"), format!("ws://h/?{bad}")] {
            assert!(Options::parse(&url).is_err(), "{url:?}");
        }
    }
}

/// Whatever the server writes into a Location, it is told and not followed.
#[tokio::test]
async fn redirect_of_every_status_is_told_with_its_place_and_not_followed() {
    for status in [300, 301, 302, 303, 305, 307, 308] {
        let server = Server::websocket();
        let elsewhere = Server::websocket();
        let task = tokio::spawn(Client::connect(options(&server.url())));
        let mut peer = server.accept().await;
        peer.request().await;
        let location = elsewhere.url().replace("ws://", "http://");
        let answer = format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: {location}/mqtt?key=secret\r\n\
             Content-Length: 4\r\n\r\ngone"
        );
        peer.send(answer.as_bytes()).await;
        let error = within("the client's end", task).await.unwrap().unwrap_err();
        let Error::Upgrade(refusal) = &error else { panic!("{error:?}") };
        let told = format!("{location}/mqtt");
        assert_eq!((refusal.status, refusal.location.as_deref()), (status, Some(&*told)));
        assert_eq!((&*refusal.body, refusal.retryable), ("gone", false));
        let text = error.to_string();
        assert!(text.contains(&format!("HTTP {status}")) && text.contains(&told), "{text}");
        assert!(!text.contains("secret") && !error.is_retryable(), "{text}");
        assert!(!elsewhere.was_asked(), "nobody follows it");
    }
}

/// What explains a refusal is all there, and whether it may pass.
#[tokio::test]
async fn refusal_has_its_fields_and_says_whether_it_may_pass() {
    for (status, may_pass) in [
        (401, false),
        (403, false),
        (426, false),
        (429, true),
        (500, true),
        (501, false),
        (503, true),
    ] {
        for body in [
            "Content-Length: 3\r\n\r\nwhy",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n0\r\n\r\n",
        ] {
            let server = Server::websocket();
            let task = tokio::spawn(Client::connect(options(&server.url())));
            let mut peer = server.accept().await;
            peer.request().await;
            let answer = format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 {status} No\r\nRetry-After: 120\r\n\
                 WWW-Authenticate: Basic realm=\"x\"\r\nSec-WebSocket-Version: 13, 8\r\n\
                 Date: Tue, 02 Jan 2024 03:04:05 GMT\r\n\
                 X-Amzn-ErrorType: ForbiddenException:\r\n{body}"
            );
            peer.send(answer.as_bytes()).await;
            let error = within("the client's end", task).await.unwrap().unwrap_err();
            let Error::Upgrade(refusal) = &error else { panic!("{error:?}") };
            assert_eq!((refusal.status, &*refusal.body), (status, "why"));
            assert_eq!(refusal.retry_after.as_deref(), Some("120"));
            assert_eq!(refusal.www_authenticate.as_deref(), Some("Basic realm=\"x\""));
            assert_eq!(refusal.websocket_version.as_deref(), Some("13, 8"));
            assert_eq!(refusal.date.as_deref(), Some("Tue, 02 Jan 2024 03:04:05 GMT"));
            assert_eq!(refusal.error_type.as_deref(), Some("ForbiddenException:"));
            assert_eq!((refusal.retryable, error.is_retryable()), (may_pass, may_pass), "{status}");
        }
    }
}
