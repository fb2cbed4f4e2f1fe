//! `dunlin sub`: what it prints, and when it ends.

use super::{assert_failed, embedded, messages, mosquitto, publish, published, subscriber};
use support::process::{Command, dunlin};

#[tokio::test]
async fn payloads_are_escaped_unless_raw() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    let payload = b"tab\t line\n\x1b[31m \\ \xff\xc3\xa9 \0".to_vec();
    let escaped = "tab\\t line\\n\\x1b[31m \\\\ \\xffé \\x00\n";
    let line = subscriber(&url, "a b", &["-C", "2"]).await;
    let verbose = subscriber(&url, "a b", &["-C", "2", "-v"]).await;
    let raw = subscriber(&url, "a b", &["-C", "2", "--raw"]).await;
    let output = publish(&url, &["-t", "a b", "-s"]).await.input(payload.clone()).run().await;
    assert_eq!(output.text(), "");
    assert_eq!(messages(&line.finish().await), escaped.as_bytes());
    assert_eq!(messages(&verbose.finish().await), format!("a b {escaped}").as_bytes());
    assert_eq!(messages(&raw.finish().await), payload);
}

#[tokio::test]
async fn several_filters_and_wildcards_are_one_subscription() {
    let (_embedded, urls) = embedded().await;
    let broker = mosquitto().await;
    for url in [broker.ws_url(), broker.tcp_url(), urls[0].clone()] {
        // More than go into one SUBSCRIBE for AWS IoT Core.
        let more: Vec<String> = (0..10).map(|filter| format!("more/{filter}")).collect();
        let more: Vec<&str> = more.iter().flat_map(|filter| ["-t", filter.as_str()]).collect();
        let args = [&["-t", "b/+/c", "-v", "-q", "1"], &more[..]].concat();
        let mut sub = subscriber(&url, "a/#", &args).await;
        for topic in ["a", "a/x/y", "b/x/c", "b/c", "more/9", "c", "more/0"] {
            published(&url, &["-t", topic, "-n", "-q", "1"]).await;
        }
        for topic in ["a", "a/x/y", "b/x/c", "more/9", "more/0"] {
            assert_eq!(sub.line().await, format!("{topic} "), "{url}");
        }
        sub.signal("TERM").await;
        assert_eq!(sub.finish().await.code, Some(143));
    }
}

#[tokio::test]
async fn count_ends_it_and_time_ends_it_with_27() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    let sub = subscriber(&url, "a", &["-C", "3", "-W", "60"]).await;
    let output = publish(&url, &["-t", "a", "-l"]).await.input("1\n2\n3\n4\n").run().await;
    assert_eq!(output.text(), "");
    assert_eq!(messages(&sub.finish().await), b"1\n2\n");
    let output = subscriber(&url, "a", &["-C", "2", "-W", "1"]).await.finish().await;
    assert_failed(&output, 27, "the 1 s of -W are over, messages so far: 1 of 2: ");
    assert_eq!(output.stdout, b"is ready\\n\n");
}

/// Each message goes to one of both; whoever has one ends.
#[tokio::test]
async fn members_of_a_group_share_the_messages() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    for version in ["311", "5"] {
        let what = ["-t", "jobs/+", "--group", "g", "--probe", "probes/x", "-q", "1", "-C", "1"];
        let mut members = Vec::new();
        for _ in 0..2 {
            let member = dunlin().await.args(["sub", "--url", &url, "-V", version]).args(what);
            members.push(tokio::spawn(member.spawn().finish()));
        }
        let mut count = 0;
        // A member that does not end panics, and has ended then.
        while !members.iter().all(tokio::task::JoinHandle::is_finished) {
            published(&url, &["-t", "jobs/a", "-q", "1", "-m", &count.to_string()]).await;
            count += 1;
        }
        let [one, two] = [members.remove(0).await.unwrap(), members.remove(0).await.unwrap()];
        assert_ne!(one.text(), two.text(), "one message, one member");
    }
}

/// The time runs from the start: a server that accepts TCP and is silent is part of it.
#[tokio::test]
async fn time_is_over_while_connecting() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", silent.local_addr().unwrap());
    let output = dunlin().await.args(["sub", "--url", &url, "-t", "a", "-W", "1"]).run().await;
    assert_failed(&output, 27, "the 1 s of -W are over");
}

#[tokio::test]
async fn signal_ends_it_with_a_good_bye() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    let watched = ["-t", "fence", "-v"];
    let mut watcher = subscriber(&url, "will", &watched).await;
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let will = ["--will-topic", "will", "--will-payload", "gone"];
        let sub = subscriber(&url, "a", &will).await;
        sub.signal(signal).await;
        let output = sub.finish().await;
        assert_eq!(output.expect_code(code), "is ready\\n\n");
        assert_eq!(output.stderr, "");
        published(&url, &["-t", "fence", "-m", signal]).await;
        assert_eq!(watcher.line().await, format!("fence {signal}"));
    }
}

/// `head` leaves after one line; the next message finds nobody there.
#[tokio::test]
async fn closed_output_ends_it_quietly() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    published(&url, &["-t", "a", "-r", "-m", "one"]).await;
    let command = dunlin().await;
    let script = r#"set -o pipefail; "$@" | head -n 1"#;
    let mut piped = Command::new("bash")
        .args(["-c", script, "bash"])
        .args([command.program()])
        .args(["sub", "--url", &url, "-t", "a"])
        .spawn();
    assert_eq!(piped.line().await, "one");
    let mut lines = publish(&url, &["-t", "a", "-l"]).await.spawn();
    let ended = piped.finish();
    tokio::pin!(ended);
    let output = loop {
        lines.write(b"more\n").await;
        let turn = std::time::Duration::from_millis(20);
        if let Ok(output) = tokio::time::timeout(turn, &mut ended).await {
            break output;
        }
    };
    assert_eq!((output.text().as_str(), output.stderr.as_str()), ("one\n", ""));
}

/// Its reader takes nothing until all is published, which is more than pipe and queue hold.
#[tokio::test]
async fn slow_reader_loses_nothing() {
    const COUNT: usize = 30_000;
    let broker = mosquitto().await;
    let url = broker.tcp_url();
    let count = (COUNT + 1).to_string();
    for qos in ["0", "1"] {
        let sub = subscriber(&url, "flood", &["-q", qos, "-C", &count]).await;
        let lines: String = (0..COUNT).map(|line| format!("{line:032}\n")).collect();
        let command = publish(&url, &["-t", "flood", "-l", "-q", "1"]).await;
        assert_eq!(command.input(lines.clone()).run().await.text(), "");
        assert!(messages(&sub.finish().await) == lines.as_bytes(), "QoS {qos}");
    }
}

/// What came while nobody was there is kept, as `dunlin sub -c` asks for.
#[tokio::test]
async fn embedded_broker_keeps_a_session_between_connections() {
    let (_embedded, urls) = embedded().await;
    for (version, url) in [("311", &urls[0]), ("5", &urls[0]), ("311", &urls[1])] {
        let id = format!("kept-{version}-{}", url.len());
        let kept = ["-c", "-i", id.as_str(), "-q", "1", "-V", version, "-C"];
        let first = subscriber(url, "kept", &[&kept[..], &["1"]].concat()).await;
        assert_eq!(first.finish().await.code, Some(0));
        published(url, &["-t", "kept", "-q", "1", "-m", "while away"]).await;
        let again = [&["-t", "kept", "-W", "20"], &kept[..], &["1"]].concat();
        let output = dunlin().await.args(["sub", "--url", url]).args(again).run().await;
        assert_eq!(output.text(), "while away\n", "{version} {url}: {output:?}");
    }
}
