//! The `dunlin` command with its own broker and with mosquitto: every option, every exit code.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "cli/aws.rs"]
mod aws;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/failures.rs"]
mod failures;
#[path = "cli/five.rs"]
mod five;
#[path = "cli/proxies.rs"]
mod proxies;
#[path = "cli/publishing.rs"]
mod publishing;
#[path = "cli/subscribing.rs"]
mod subscribing;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use support::mosquitto::{Mosquitto, Options};
use support::process::{Command, Output, Running, dunlin};

/// What must never be seen; tests use it wherever a secret goes.
const SECRET: &str = "s3cr3t-s3cr3t";

async fn mosquitto() -> Mosquitto {
    Mosquitto::start(Options::default()).await
}

/// `dunlin broker` on free ports, and the URLs it says.
async fn embedded() -> (Running, [String; 2]) {
    let mut broker = dunlin().await.args(["broker", "--ws", "0", "--tcp", "0"]).spawn();
    let urls = [broker.line().await, broker.line().await];
    (broker, urls)
}

/// `dunlin pub`, not started yet.
async fn publish(url: &str, args: &[&str]) -> Command {
    dunlin().await.args(["pub", "--url", url]).args(args)
}

/// Runs `dunlin pub`, which must succeed and say nothing.
async fn published(url: &str, args: &[&str]) {
    let output = publish(url, args).await.run().await;
    assert_eq!((output.text().as_str(), output.stderr.as_str()), ("", ""));
}

/// `dunlin sub` on `filter` and on a topic of its own, and running when this returns.
///
/// The broker has kept a message there, which comes first: then the subscription stands.
async fn subscriber(url: &str, filter: &str, args: &[&str]) -> Running {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let ready = format!("ready/{}", NEXT.fetch_add(1, Ordering::Relaxed));
    published(url, &["-t", &ready, "-r", "-q", "1", "-m", "is ready\n"]).await;
    let args = [&["-t", &ready, "-t", filter], args].concat();
    let mut running = dunlin().await.args(["sub", "--url", url]).args(args).spawn();
    running.line_with("is ready").await;
    running
}

/// What a [`subscriber`] that has ended well wrote after its first message.
#[track_caller]
fn messages(output: &Output) -> &[u8] {
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let first = output.stdout.iter().position(|byte| *byte == b'\n').unwrap();
    &output.stdout[first + 1..]
}

/// A failure: its code, and one line that says `words`, a colon, and what to do, and no secret.
#[track_caller]
fn assert_failed(output: &Output, code: i32, words: &str) {
    output.expect_code(code);
    let line = output.stderr.strip_prefix("dunlin: ").and_then(|line| line.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("{output:?}"));
    assert!(line.contains(words) && line.contains(": ") && !line.contains('\n'), "{output:?}");
    assert!(!format!("{line}{:?}", output.stdout.escape_ascii()).contains(SECRET), "{output:?}");
}

/// Bytes of every value, in no order that a text would have.
fn binary(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

const COMMANDS: [&str; 9] =
    ["pub", "sub", "doctor", "presign", "identity", "attach-policy", "policy", "broker", "demo"];

#[tokio::test]
async fn help_and_version_are_printed() {
    for args in [&[][..], &["--help"]] {
        let text = dunlin().await.args(args).run().await.text();
        assert!(text.contains("dunlin demo") && text.contains("   27  "), "{text}");
    }
    for command in COMMANDS {
        let text = dunlin().await.args([command, "--help"]).run().await.text();
        assert!(text.starts_with(&format!("dunlin {command}")), "{text}");
    }
    let text = dunlin().await.args(["--version"]).run().await.text();
    assert_eq!(text, concat!("dunlin ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[tokio::test]
async fn demo_ends_by_itself_in_time() {
    // Building it is not part of it.
    let command = dunlin().await.args(["demo"]);
    let begin = Instant::now();
    let output = command.run().await;
    let text = output.text();
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
    assert_eq!(output.stderr, "");
    for words in ["Connecting", "Connected", "Disconnected", "Closed", "subscribed"] {
        assert_eq!(text.matches(words).count() % 2, 0, "once for each client: {text}");
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(text.matches("kitchen   publishes ").count(), 3, "{text}");
    assert_eq!(text.matches("kitchen   receives ").count(), 2, "{text}");
    assert_eq!(text.matches("phone     receives ").count(), 3, "{text}");
}

#[tokio::test]
async fn broker_listens_on_loopback_until_a_signal() {
    let (broker, urls) = embedded().await;
    assert!(urls[0].starts_with("ws://127.0.0.1:") && urls[0].ends_with("/mqtt"), "{urls:?}");
    assert!(urls[1].starts_with("mqtt://127.0.0.1:"), "{urls:?}");
    for (from, to) in [(&urls[0], &urls[1]), (&urls[1], &urls[0])] {
        let sub = subscriber(to, "a/b", &["-q", "1", "-C", "2", "-v"]).await;
        published(from, &["-t", "a/b", "-m", "hello", "-q", "1"]).await;
        assert_eq!(messages(&sub.finish().await), b"a/b hello\n");
    }
    let port = urls[0].trim_start_matches("ws://127.0.0.1:").trim_end_matches("/mqtt");
    let second = dunlin().await.args(["broker", "--ws", port, "--tcp", "0"]).run().await;
    assert_failed(&second, 1, "cannot listen on the ports");
    broker.signal("TERM").await;
    assert_eq!(broker.finish().await.code, Some(143));
    let gone = publish(&urls[1], &["-t", "a", "-n"]).await.run().await;
    assert_failed(&gone, 3, "refused the connection");
}

const SIGNING: [&str; 5] = [
    "presign",
    "--endpoint",
    "Example-ATS.iot.us-east-1.amazonaws.com:443",
    "--region",
    "us-east-1",
];

/// Signatures on which Amplify's signer, awscrt and botocore agree.
#[tokio::test]
async fn presign_prints_what_the_official_signers_print() {
    let begin = "wss://example-ats.iot.us-east-1.amazonaws.com/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request\
        &X-Amz-Date=20240102T030405Z";
    let token = "&X-Amz-Security-Token=TOKEN%2Fwith%2Bspecial%3Dchars\n";
    let plain = "&X-Amz-SignedHeaders=host&X-Amz-Signature=\
        66faa12ef25fa85ef6e921b378e8fbb6cd5b7a0dba6947bcdfa3d69c75d3a2d8";
    let expiring = "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=\
        3f04b6a356e0e066ccd290cdf8a265b916c715151449231e678622b0778e67e1";
    for (args, session_token, end) in [
        (&[][..], "", format!("{plain}\n")),
        (&[], "TOKEN/with+special=chars", format!("{plain}{token}")),
        (&["--expires", "86400"], "TOKEN/with+special=chars", format!("{expiring}{token}")),
    ] {
        let command = dunlin().await.args(SIGNING).args(["--at", "2024-01-02T03:04:05Z"]);
        let command = command
            .args(args)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
            .env("AWS_SESSION_TOKEN", session_token);
        assert_eq!(command.run().await.text(), format!("{begin}{end}"));
    }
    // The endpoint names its region.
    let command = dunlin().await.args(&SIGNING[..3]).args(["--at", "2024-01-02T03:04:05Z"]);
    let command = command
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    assert_eq!(command.run().await.text(), format!("{begin}{plain}\n"));
}

#[tokio::test]
async fn presign_without_credentials_names_the_variable() {
    let output = dunlin().await.args(SIGNING).run().await;
    assert_failed(&output, 6, "AWS_ACCESS_KEY_ID is not set");
    let command = dunlin().await.args(SIGNING).env("AWS_ACCESS_KEY_ID", SECRET);
    assert_failed(&command.run().await, 6, "AWS_SECRET_ACCESS_KEY is not set");
}
