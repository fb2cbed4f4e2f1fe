//! Topic names and topic filters (MQTT 3.1.1 §4.7).

use crate::{TopicError, text::STRING_MAX};

/// Whether `topic` can be published to.
pub fn check_topic(topic: &str) -> Result<(), TopicError> {
    check_characters(topic)?;
    // [MQTT-3.3.2-2] No wildcards in the topic name of a PUBLISH.
    if topic.bytes().any(|byte| matches!(byte, b'+' | b'#')) {
        return Err(TopicError::Wildcard);
    }
    Ok(())
}

/// Whether `filter` can be subscribed to.
pub fn check_filter(filter: &str) -> Result<(), TopicError> {
    check_characters(filter)?;
    let mut levels = filter.as_bytes().split(|byte| *byte == b'/').peekable();
    while let Some(level) = levels.next() {
        let legal = match level {
            // [MQTT-4.7.1-2] The number sign stands alone in the last level.
            b"#" => levels.peek().is_none(),
            // [MQTT-4.7.1-3] The plus sign stands alone in its level.
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
/// Neither is normalised ([MQTT-4.7.3-4]); a filter that begins with a wildcard does not match a topic
/// that begins with `$` ([MQTT-4.7.2-1]).
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
    match text.as_bytes() {
        [] => Err(TopicError::Empty),
        bytes if bytes.len() > STRING_MAX => Err(TopicError::TooLong),
        bytes if bytes.contains(&0) => Err(TopicError::Nul),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MQTT-4.7.1-2] [MQTT-4.7.1-3], and the examples of MQTT 3.1.1 §4.7.1.
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

    /// [MQTT-4.7.1-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3]
    #[test]
    fn topic_that_is_empty_long_nul_or_wild_is_refused() {
        assert_eq!(check_topic("a/b c/ü"), Ok(()));
        assert_eq!(check_topic(""), Err(TopicError::Empty));
        assert_eq!(check_filter(""), Err(TopicError::Empty));
        assert_eq!(check_topic("a\0b"), Err(TopicError::Nul));
        assert_eq!(check_topic("a/+"), Err(TopicError::Wildcard));
        assert_eq!(check_topic("#"), Err(TopicError::Wildcard));
        let long = std::string::String::from_utf8(std::vec![b'a'; STRING_MAX + 1]).unwrap();
        assert_eq!(check_topic(&long), Err(TopicError::TooLong));
        assert_eq!(check_topic(&long[1..]), Ok(()));
    }

    /// The examples of MQTT 3.1.1 §4.7.1 and §4.7.2 ([MQTT-4.7.2-1], [MQTT-4.7.3-4]).
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
            ("a/b", "a/b/"),
            ("/a", "a"),
        ] {
            assert!(!matches(filter, topic), "{filter} does not match {topic}");
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
