//! Topic names and topic filters (MQTT 3.1.1 §4.7).

use crate::{
    TopicError,
    text::{STRING_MAX, all_words, every, has_nul, zero_bytes},
};

/// Whether `topic` can be published to.
pub fn check_topic(topic: &str) -> Result<(), TopicError> {
    if is_plain(topic.as_bytes()) {
        return check_length(topic);
    }
    check_characters(topic)?;
    // v3.1.1: [MQTT-3.3.2-2] No wildcards in the topic name of a PUBLISH.
    Err(TopicError::Wildcard)
}

/// Whether `filter` can be subscribed to.
pub fn check_filter(filter: &str) -> Result<(), TopicError> {
    check_characters(filter)?;
    let mut levels = filter.as_bytes().split(|byte| *byte == b'/').peekable();
    while let Some(level) = levels.next() {
        let legal = match level {
            // v3.1.1: [MQTT-4.7.1-2] The number sign stands alone in the last level.
            b"#" => levels.peek().is_none(),
            // v3.1.1: [MQTT-4.7.1-3] The plus sign stands alone in its level.
            b"+" => true,
            _ => !level.iter().any(|byte| matches!(byte, b'+' | b'#')),
        };
        if !legal {
            return Err(TopicError::Wildcard);
        }
    }
    Ok(())
}

/// Whether a message to `topic` belongs to a subscription of `filter`.
///
/// Neither is normalised (v3.1.1: [MQTT-4.7.3-4]); a filter that begins with a wildcard does not match a
/// topic that begins with `$` (v3.1.1: [MQTT-4.7.2-1]).
pub fn matches(filter: &str, topic: &str) -> bool {
    let (filter, topic) = (filter.as_bytes(), topic.as_bytes());
    if topic.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#')) {
        return false;
    }
    let mut wanted = filter.split(|byte| *byte == b'/');
    let mut levels = topic.split(|byte| *byte == b'/');
    loop {
        match (wanted.next(), levels.next()) {
            // The parent level is matched too: `sport/#` matches `sport`.
            (Some(b"#"), _) => return true,
            (Some(b"+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

/// What topics and filters have in common.
fn check_characters(text: &str) -> Result<(), TopicError> {
    check_length(text)?;
    if has_nul(text.as_bytes()) { Err(TopicError::Nul) } else { Ok(()) }
}

const fn check_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        1..=STRING_MAX => Ok(()),
        _ => Err(TopicError::TooLong),
    }
}

/// Whether neither U+0000 nor a wildcard stands anywhere in `topic`.
///
/// Asked for every message, so it goes by words; the last word may overlap the one before it.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn is_plain(topic: &[u8]) -> bool {
    // A small machine has no time to win here that is worth the flash.
    cfg!(target_pointer_width = "64") && all_words(topic, is_common_word) == Some(true)
        || is_plain_at_all(topic)
}

/// Whether all bytes are between `,` and the end of ASCII, as in most topics.
#[inline]
const fn is_common_word(word: usize) -> bool {
    // A lower byte borrows the top bit; where there is none, no byte borrows.
    (word.wrapping_sub(every(b',')) | word) & every(0x80) == 0
}

/// Whether `topic`, of any bytes, is plain.
#[inline(never)]
fn is_plain_at_all(topic: &[u8]) -> bool {
    let is_plain_byte = |byte: &u8| !matches!(byte, 0 | b'+' | b'#');
    all_words(topic, is_plain_word).unwrap_or_else(|| topic.iter().all(is_plain_byte))
}

#[inline]
const fn is_plain_word(word: usize) -> bool {
    // The two wildcards differ in this bit and in no other.
    const EITHER: u8 = b'+' ^ b'#';
    let wild = (word | every(EITHER)) ^ every(b'+' | EITHER);
    zero_bytes(word) | zero_bytes(wild) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::WORD;
    use crate::{Config, Qos, Session, SubscribeError, Subscription, Version};

    /// [MQTT-4.7.1-1] [MQTT-4.7.1-2], v3.1.1: [MQTT-4.7.1-2] [MQTT-4.7.1-3]
    ///
    /// With the examples of MQTT 3.1.1 §4.7.1.
    #[test]
    fn filter_with_misplaced_wildcard_is_refused() {
        for filter in
            ["#", "sport/tennis/#", "+", "+/tennis/#", "sport/+/player1", "/", "/+", "$SYS/#"]
        {
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
        for filter in
            ["sport/tennis#", "sport/tennis/#/ranking", "sport+", "++", "#/", "a/#b", "+#"]
        {
            assert_eq!(check_filter(filter), Err(TopicError::Wildcard), "{filter}");
        }
    }

    /// [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3]
    /// v3.1.1: [MQTT-4.7.1-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3]
    #[test]
    fn topic_that_is_empty_long_nul_or_wild_is_refused() {
        assert_eq!(check_topic("a/b c/ü"), Ok(()));
        assert_eq!(check_topic(""), Err(TopicError::Empty));
        assert_eq!(check_filter(""), Err(TopicError::Empty));
        assert_eq!(check_topic("a\0b"), Err(TopicError::Nul));
        assert_eq!(check_filter("a/#\0"), Err(TopicError::Nul));
        assert_eq!(check_topic("a/+"), Err(TopicError::Wildcard));
        assert_eq!(check_topic("#"), Err(TopicError::Wildcard));
        let long = std::string::String::from_utf8(std::vec![b'a'; STRING_MAX + 1]).unwrap();
        assert_eq!(check_topic(&long), Err(TopicError::TooLong));
        assert_eq!(check_filter(&long), Err(TopicError::TooLong));
        assert_eq!(check_topic(&long[1..]), Ok(()));
        assert_eq!(check_filter(&long[1..]), Ok(()));
    }

    /// [MQTT-1.5.4-2] [MQTT-3.3.2-2] [MQTT-4.7.0-1]
    /// v3.1.1: [MQTT-1.5.3-2] [MQTT-3.3.2-2] [MQTT-4.7.1-1]
    #[test]
    fn topic_with_a_special_byte_anywhere_is_refused_and_with_any_other_is_not() {
        for len in 1..=3 * WORD + 1 {
            for at in 0..len {
                // Beside common bytes, and beside others.
                for (byte, beside) in (0..0x80).flat_map(|byte| [(byte, b'a'), (byte, b'"')]) {
                    let mut topic = std::vec![beside; len];
                    topic[at] = byte;
                    let expected = match byte {
                        0 => Err(TopicError::Nul),
                        b'+' | b'#' => Err(TopicError::Wildcard),
                        _ => Ok(()),
                    };
                    let topic = std::string::String::from_utf8(topic).unwrap();
                    assert_eq!(check_topic(&topic), expected, "{topic:?}");
                }
            }
        }
        assert_eq!(check_topic(&"ü\u{ffff}\u{10ffff}".repeat(WORD)), Ok(()));
    }

    /// [MQTT-4.7.2-1] [MQTT-4.7.3-4], v3.1.1: [MQTT-4.7.2-1] [MQTT-4.7.3-4]
    ///
    /// The examples of MQTT 3.1.1 §4.7.1 and §4.7.2, and one letter in two forms.
    #[test]
    fn filters_match_as_in_the_standard() {
        for (filter, topic) in [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
            ("sport/#", "sport"),
            ("#", "a//b"),
            ("sport/tennis/+", "sport/tennis/player1"),
            ("sport/+", "sport/"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("$SYS/#", "$SYS/monitor"),
            ("$SYS/monitor/+", "$SYS/monitor/Clients"),
            ("a/b", "a/b"),
        ] {
            assert!(matches(filter, topic), "{filter} matches {topic}");
        }
        for (filter, topic) in [
            ("sport/tennis/+", "sport/tennis/player1/ranking"),
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("#", "$SYS/monitor"),
            ("+/monitor/Clients", "$SYS/monitor/Clients"),
            ("ACCOUNTS", "accounts"),
            ("\u{fc}", "u\u{308}"),
            ("a/b", "a/b/"),
            ("/a", "a"),
        ] {
            assert!(!matches(filter, topic), "{filter} does not match {topic}");
        }
    }

    /// [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    ///
    /// To MQTT 3.1.1 they are filters like any other.
    #[test]
    fn shared_filter_without_a_plain_name_or_a_filter_is_refused() {
        type Small = Session<[u8; 200], 2>;
        let outcome = |version, filter: &str| {
            let session = || Small::new([0; 200], Config::new().version(version));
            let wish = Subscription::new(filter, Qos::AtMostOnce);
            let outcome = session().subscribe(&[wish]).map(|_| ());
            assert_eq!(session().unsubscribe(&[filter]).map(|_| ()), outcome, "{filter}");
            outcome
        };
        for filter in [
            "$share/group/a/+/b/#",
            "$share/g/#",
            "$share/g//",
            "$share/$/$share/x",
            "$share",
            "$shared/+/x",
            "a/$share/+/x",
        ] {
            assert_eq!(outcome(Version::V5, filter), Ok(()), "{filter}");
        }
        for filter in [
            "$share/",
            "$share//a",
            "$share/g",
            "$share/g/",
            "$share/+/a",
            "$share/#",
            "$share/+/#",
        ] {
            let refused = Err(SubscribeError::Filter(TopicError::Share));
            assert_eq!(outcome(Version::V5, filter), refused, "{filter}");
            assert_eq!(outcome(Version::V3, filter), Ok(()), "{filter}");
        }
        for filter in ["$share/g+/a", "$share/g#/a", "$share/g/a#", "$share/g/#/a"] {
            let refused = Err(SubscribeError::Filter(TopicError::Wildcard));
            assert_eq!(outcome(Version::V5, filter), refused, "{filter}");
        }
    }

    #[test]
    fn topic_of_65535_slashes_is_matched_without_recursion() {
        let slashes = std::string::String::from_utf8(std::vec![b'/'; STRING_MAX]).unwrap();
        assert!(matches("#", &slashes));
        assert!(matches(&slashes, &slashes));
        assert!(!matches("/+", &slashes));
    }
}
