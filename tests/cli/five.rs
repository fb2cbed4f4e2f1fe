//! `dunlin pub` and `dunlin sub` with MQTT 5.

use super::{assert_failed, embedded, messages, mosquitto, publish, published, subscriber};
use support::mosquitto::{Mosquitto, Options};
use support::process::dunlin;

#[tokio::test]
async fn properties_travel_from_the_command_line_to_the_pattern() {
    let broker = mosquitto().await;
    let (_embedded, urls) = embedded().await;
    let pattern = "%t %p %C %R %D %F %P %q %l %x %%";
    for url in [broker.ws_url(), broker.tcp_url(), urls[0].clone(), urls[1].clone()] {
        let args = ["-V", "5", "-q", "2", "-C", "2", "-F", pattern];
        let sub = subscriber(&url, "a/b", &args).await;
        let given = "-V 5 -q 2 -D publish content-type text/plain -D publish response-topic c/d \
                     -D publish correlation-data 42 -D publish payload-format-indicator 1 \
                     -D publish message-expiry-interval 60 -D publish user-property k v \
                     -D publish user-property k w -D connect user-property who me -x 60";
        let given: Vec<&str> = given.split_whitespace().collect();
        published(&url, &[&["-t", "a/b", "-m", "hi\n"], &given[..]].concat()).await;
        let line = String::from_utf8(messages(&sub.finish().await).to_vec()).unwrap();
        // The broker of the command adds who has published.
        let added = |word: &&str| word.starts_with("x-mqtt-client-id:");
        let words: Vec<_> = line.split(' ').filter(|word| !added(word)).collect();
        let expected = "a/b hi\\n text/plain c/d 42 1 k:v k:w 2 3 68690a %\n";
        assert_eq!(words.join(" "), expected, "{url}");
    }
}

#[tokio::test]
async fn subscription_identifier_and_kept_flag_are_shown_and_kept_messages_left_out() {
    let broker = mosquitto().await;
    let url = broker.ws_url();
    published(&url, &["-t", "k/1", "-r", "-m", "old", "-q", "1"]).await;
    let args = ["-V", "5", "-C", "2", "-F", "%S %r %p", "--retain-as-published"];
    let args = [&args[..], &["--retain-handling", "never"]].concat();
    let args = [&args[..], &["-D", "subscribe", "subscription-identifier", "77"]].concat();
    // Not by `subscriber`, whose first message is a kept one.
    let mut sub = dunlin().await.args(["sub", "--url", &url, "-t", "k/#"]).args(args).spawn();
    // Until it stands, messages pass it by.
    let mut number = 0;
    let line = loop {
        number += 1;
        published(&url, &["-t", "k/2", "-r", "-m", "new", "-q", "1"]).await;
        let turn = std::time::Duration::from_millis(50);
        if let Ok(line) = tokio::time::timeout(turn, sub.line()).await {
            break line;
        }
        assert!(number < 100, "nothing comes");
    };
    assert_eq!(line, "77 1 new");
}

/// What comes while nobody is there waits for the next one with the same name.
#[tokio::test]
async fn kept_session_collects_between_two_commands() {
    let broker = mosquitto().await;
    for (url, version) in [(broker.ws_url(), "311"), (broker.tcp_url(), "5")] {
        let name = format!("keeper{version}");
        let args = ["-V", version, "-c", "-i", &name, "-q", "1"];
        let first = subscriber(&url, "news", &[&args[..], &["-C", "2"]].concat()).await;
        published(&url, &["-t", "news", "-q", "1", "-m", "one"]).await;
        assert_eq!(messages(&first.finish().await), b"one\n");
        published(&url, &["-t", "news", "-q", "1", "-m", "two"]).await;
        published(&url, &["-t", "news", "-q", "1", "-m", "three"]).await;
        let again = dunlin().await.args(["sub", "--url", &url, "-t", "news", "-C", "2"]).args(args);
        assert_eq!(again.run().await.text(), "two\nthree\n", "{version}");
    }
}

/// The one that was there first says why it ends, and does not come back to do the same to the other.
#[tokio::test]
async fn session_that_is_taken_over_ends_it_with_5() {
    let (_embedded, urls) = embedded().await;
    for url in &urls {
        let args = ["-V", "5", "-i", "same"];
        let first = subscriber(url, "a", &args).await;
        let second = subscriber(url, "a", &[&args[..], &["-C", "2"]].concat()).await;
        let output = first.finish().await;
        assert_failed(&output, 5, "session taken over");
        assert!(output.stderr.contains("another client uses this client identifier"), "{output:?}");
        published(url, &["-t", "a", "-q", "1", "-m", "still here"]).await;
        assert_eq!(messages(&second.finish().await), b"still here\n");
    }
}

#[tokio::test]
async fn message_larger_than_the_broker_takes_is_refused_with_4() {
    let options = Options { max_packet_size: Some(1_000), ..Options::default() };
    let broker = Mosquitto::start(options).await;
    for url in [broker.ws_url(), broker.tcp_url()] {
        let command = publish(&url, &["-V", "5", "-t", "a", "-q", "1", "-s"]).await;
        let output = command.input(vec![b'x'; 2_000]).run().await;
        assert_failed(&output, 4, "packet too large");
    }
}
