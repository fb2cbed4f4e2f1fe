//! `dunlin pub`: every source of payloads, retained messages, the will, and lost connections.

use std::fmt::Write as _;

use super::{
    SECRET, assert_failed, binary, embedded, messages, mosquitto, publish, published, subscriber,
};
use support::mosquitto::{Mosquitto, Options, Storage};
use support::process::dunlin;

const LINES: usize = 1_000;

#[tokio::test]
async fn lines_arrive_all_and_in_order() {
    let broker = mosquitto().await;
    let (_embedded, urls) = embedded().await;
    for url in [broker.ws_url(), broker.tcp_url(), urls[0].clone(), urls[1].clone()] {
        for qos in ["0", "1", "2"] {
            let mut lines = String::new();
            for line in 0..LINES {
                // Empty lines are messages, too.
                let text = if line % 100 == 9 { String::new() } else { format!("line {line}") };
                writeln!(lines, "{text}").unwrap();
            }
            let count = (LINES + 1).to_string();
            let sub = subscriber(&url, "lines", &["-q", "2", "-C", &count]).await;
            let command = publish(&url, &["-t", "lines", "-l", "-q", qos]).await;
            let output = command.input(lines.clone()).run().await;
            assert_eq!((output.text().as_str(), output.stderr.as_str()), ("", ""));
            assert!(messages(&sub.finish().await) == lines.as_bytes(), "{url} {qos}");
        }
    }
}

#[tokio::test]
async fn last_line_without_a_line_feed_and_no_line_at_all_are_fine() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    let sub = subscriber(&url, "lines", &["-C", "3"]).await;
    assert_eq!(publish(&url, &["-t", "lines", "-l"]).await.run().await.text(), "");
    let command = publish(&url, &["-t", "lines", "-l"]).await.input("one\ntwo");
    assert_eq!(command.run().await.text(), "");
    assert_eq!(messages(&sub.finish().await), b"one\ntwo\n");
}

#[tokio::test]
async fn mebibyte_arrives_byte_for_byte() {
    let broker = mosquitto().await;
    let (_embedded, urls) = embedded().await;
    let payload = binary(1 << 20);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, &payload).unwrap();
    let path = file.path().to_str().unwrap();
    for (from, to) in [(broker.ws_url(), broker.tcp_url()), (urls[0].clone(), urls[1].clone())] {
        for (from, to) in [(&from, &to), (&to, &from)] {
            for (source, qos) in [(&["-s"][..], "1"), (&["-f", path], "2")] {
                let sub = subscriber(to, "big", &["-q", qos, "--raw", "-C", "2"]).await;
                let args = [&["-t", "big", "-q", qos], source].concat();
                let output = publish(from, &args).await.input(payload.clone()).run().await;
                assert_eq!(output.text(), "");
                assert!(messages(&sub.finish().await) == payload, "{from} {to} {source:?}");
            }
        }
    }
}

#[tokio::test]
async fn retained_message_waits_and_an_empty_one_deletes_it() {
    let (_embedded, urls) = embedded().await;
    let broker = mosquitto().await;
    for url in [broker.ws_url(), urls[0].clone()] {
        published(&url, &["-t", "kept", "-m", "still here", "-q", "1", "-r"]).await;
        let sub = subscriber(&url, "kept", &["-C", "2"]).await;
        assert!(sub.finish().await.text().contains("still here\n"));
        published(&url, &["-t", "kept", "-n", "-q", "1", "-r"]).await;
        let sub = subscriber(&url, "kept", &["-C", "2"]).await;
        published(&url, &["-t", "kept", "-m", "fence"]).await;
        assert_eq!(messages(&sub.finish().await), b"fence\n");
    }
}

#[tokio::test]
async fn will_comes_when_killed_and_not_after_good_bye() {
    for qos in ["1", "2"] {
        will_comes(qos).await;
    }
}

async fn will_comes(qos: &str) {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    let will = ["--will-topic", "wills/a", "--will-payload", "gone", "--will-qos", qos];
    let args = [&["-t", "wills/b", "-q", qos, "-l", "--will-retain"], &will[..]].concat();
    let mut sub = subscriber(&url, "wills/#", &["-q", qos, "-v"]).await;
    let polite = publish(&url, &args).await.input("fence").run().await;
    assert_eq!(polite.text(), "");
    assert_eq!(sub.line().await, "wills/b fence");
    let mut mortal = publish(&url, &args).await.spawn();
    mortal.write(b"alive\n").await;
    // The will of the polite one would have come before.
    assert_eq!(sub.line().await, "wills/b alive");
    mortal.kill().await;
    assert_eq!(sub.line().await, "wills/a gone");
    let later = subscriber(&url, "wills/a", &["-C", "2"]).await;
    assert!(later.finish().await.text().contains("gone\n"));
}

/// MQTT 3.1.1 §3.1.2.10: the broker drops whoever is silent for one and a half times the keep alive.
#[tokio::test]
async fn idle_publisher_is_kept_alive() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    let mut sub = subscriber(&url, "pulse", &["-k", "2", "-W", "7"]).await;
    let mut idle = publish(&url, &["-t", "pulse", "-l", "-q", "1", "-k", "2"]).await.spawn();
    idle.write(b"first\n").await;
    assert_eq!(sub.line().await, "first");
    // Its end is twice as far away as the broker waits.
    let sub = sub.finish().await;
    assert_failed(&sub, 27, "the 7 s of -W are over, messages so far: 2: ");
    let idle = idle.finish().await;
    assert_eq!((idle.text().as_str(), idle.stderr.as_str()), ("", ""));
}

#[tokio::test]
async fn lost_connection_is_made_again_and_nothing_lost() {
    let options = Options { storage: Storage::Disk, ..Options::default() };
    let mut broker = Mosquitto::start(options).await;
    let url = broker.ws_url();
    let mut sub = subscriber(&url, "lines", &["-q", "1"]).await;
    let mut lines = publish(&url, &["-t", "lines", "-l", "-q", "1"]).await.spawn();
    lines.write(b"before\n").await;
    assert_eq!(sub.line().await, "before");
    broker.saved().await;
    broker.restart().await;
    // What the broker kept comes first: then the subscription stands again.
    assert_eq!(sub.line().await, r"is ready\n");
    lines.write(b"after\n").await;
    // A message whose acknowledgement was lost with the broker may come twice.
    while sub.line().await != "after" {}
    let lines = lines.finish().await;
    lines.text();
    sub.signal("INT").await;
    let sub = sub.finish().await;
    sub.expect_code(130);
    for stderr in [&lines.stderr, &sub.stderr] {
        assert!(
            stderr.starts_with("dunlin: the connection is lost, connecting again: "),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[tokio::test]
async fn broker_that_stays_away_is_given_up() {
    let mut broker = mosquitto().await;
    let mut lines = publish(&broker.ws_url(), &["-t", "lines", "-l", "-q", "1"]).await.spawn();
    let mut sub = subscriber(&broker.ws_url(), "lines", &[]).await;
    lines.write(b"before\n").await;
    assert_eq!(sub.line().await, "before");
    broker.kill().await;
    lines.write(b"after\n").await;
    let output = lines.finish().await;
    output.expect_code(5);
    let last = output.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("dunlin: not acknowledged, and the connection was lost"),
        "{output:?}"
    );
}

#[tokio::test]
async fn signal_ends_it_with_a_good_bye() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    let mut sub = subscriber(&url, "a", &["-t", "will", "-t", "fence", "-v"]).await;
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let will = ["--will-topic", "will", "--will-payload", "gone"];
        let args = [&["-t", "a", "-l", "-i", signal], &will[..]].concat();
        let mut lines = publish(&url, &args).await.spawn();
        lines.write(b"here\n").await;
        assert_eq!(sub.line().await, "a here");
        lines.signal(signal).await;
        // Not before: the end of its input would end it as well.
        broker.logged(&format!("Client {signal} disconnected.")).await;
        let output = lines.finish().await;
        output.expect_code(code);
        assert_eq!(output.stderr, "");
        published(&url, &["-t", "fence", "-m", signal]).await;
        assert_eq!(sub.line().await, format!("fence {signal}"));
    }
}

#[tokio::test]
async fn password_comes_from_the_option_the_environment_or_the_url() {
    let credentials = Some(("ann".to_owned(), SECRET.to_owned()));
    let broker = Mosquitto::start(Options { credentials, ..Options::default() }).await;
    let (url, host) = (broker.ws_url(), broker.ws_addr());
    let message = ["-t", "a", "-m", "hi", "-q", "1", "-i", "chosen"];
    let by_option = publish(&url, &message).await.args(["-u", "ann", "-P", SECRET]);
    let by_variable = publish(&url, &message).await.args(["-u", "ann"]);
    let by_variable = by_variable.env("DUNLIN_PASSWORD", SECRET);
    let by_url = publish(&format!("ws://ann:{SECRET}@{host}"), &message).await;
    let over_url = publish(&format!("ws://ann:wrong@{host}"), &message).await;
    let over_url = over_url.env("DUNLIN_PASSWORD", SECRET);
    for command in [by_option, by_variable, by_url, over_url] {
        assert_eq!(command.run().await.text(), "");
    }
    assert!(broker.log().contains(" as chosen "), "{}", broker.log());
    for args in
        [&[][..], &["-u", "ann"], &["-u", "ann", "-P", "wrong"], &["-u", "bob", "-P", SECRET]]
    {
        for url in [broker.ws_url(), broker.tcp_url()] {
            let output = publish(&url, &message).await.args(args).run().await;
            assert_failed(&output, 4, "refused the connection");
            let output = dunlin().await.args(["sub", "--url", &url, "-t", "a"]).args(args);
            assert_failed(&output.run().await, 4, "refused the connection");
        }
    }
}
