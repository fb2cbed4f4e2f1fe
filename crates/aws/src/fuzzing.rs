//! Fuzz entry points.

mod answers;

use crate::{
    ClockOffset, Endpoint, Guard, Sntp, SntpError, UnixTime, brings_retained, parse_http_date,
};
pub use answers::answer;
use dunlin::{Message, Properties, Qos, Subscription, octet::copy};

/// A datagram from a time server: what is read of it depends on nothing behind its head, and an answer
/// to another question tells nothing.
pub fn sntp(data: &[u8]) {
    let mut nonce = [0; 8];
    copy(data.get(24..32).unwrap_or_default(), &mut nonce);
    let ask = |nonce: [u8; 8]| {
        Sntp::new(&mut |memory: &mut [u8]| {
            copy(&nonce, memory);
        })
    };
    let time = ask(nonce).response(data);
    let head = data.get(..crate::SNTP_LEN).unwrap_or(data);
    assert!(ask(nonce).response(head) == time);
    let other = ask(nonce.map(|byte| !byte)).response(data);
    assert!(other == Err(SntpError::NotOurs));
    if let Ok(time) = time {
        // From 1970 to the end of the era that begins in 2036.
        assert!(time.as_secs() <= 4_294_967_295 + 2_085_978_496);
    }
}

/// A date of HTTP: a time that can be signed with, and from which the clock is right at once.
pub fn date(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Some(date) = parse_http_date(text) {
        assert!(date <= UnixTime::MAX);
        let mut offset = ClockOffset::new();
        let clock = UnixTime::from_secs(0);
        let learned = offset.learn_from_date(clock, Some(text));
        assert!(!learned || offset.correct(clock) == date);
        assert!(!offset.learn(clock, date));
    }
    if let Some(endpoint) = Endpoint::parse(text) {
        assert!(text.contains(endpoint.region));
    }
}

/// A topic, a line feed and a filter: what the guard lets pass keeps to the rules.
pub fn topics(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let (topic, filter) = text.split_once('\n').unwrap_or((text, ""));
    let is_short = |text: &str| text.len() <= 256;
    if Guard.check_message(&Message::new(topic, b"", Qos::AtMostOnce)).is_ok() {
        assert!(!topic.starts_with('$') || topic.starts_with("$aws/"));
        assert!(is_short(topic) || topic.starts_with("$aws/rules/"));
    }
    let wishes = [Subscription::new(filter, Qos::AtMostOnce)];
    if Guard.check_subscribe(&wishes, Properties::NONE, 0).is_ok() {
        assert!(is_short(filter) || filter.starts_with("$share/"));
        assert!(!filter.starts_with("$aws/rules/") && !filter.starts_with("$SYS"));
        assert!(!brings_retained(filter) || !filter.contains('#'));
    }
}
