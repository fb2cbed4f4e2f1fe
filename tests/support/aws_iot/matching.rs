//! Topics and filters as AWS IoT Core takes them.

/// Whether a filter matches a topic; unlike in the standard, `a/#` does not match `a`.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let filter = without_prefix(filter);
    // Wildcards at the front do not match topics of the server (MQTT 3.1.1 §4.7.2).
    if topic.starts_with('$') && filter.starts_with(['#', '+']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), Some(_)) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(other)) if level == other => {}
            _ => return false,
        }
    }
}

/// A topic or filter without what AWS does not count: `$aws/rules/<rule>/` and `$share/<group>/`.
pub(super) fn without_prefix(name: &str) -> &str {
    let behind = |prefix| name.strip_prefix(prefix).and_then(|rest: &str| rest.split_once('/'));
    behind("$aws/rules/").or_else(|| behind("$share/")).map_or(name, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_matches_as_aws_says() {
        for (filter, topic, expected) in [
            ("sensor/#", "sensor/a/b", true),
            ("sensor/#", "sensor/", true),
            ("sensor/#", "sensor", false),
            ("#", "sensor", true),
            ("#", "$aws/things", false),
            ("+/things", "$aws/things", false),
            ("$aws/#", "$aws/things", true),
            ("+/a", "b/a", true),
            ("+/a", "b/c/a", false),
            ("a/b", "a/b/c", false),
            ("$share/group/a/+", "a/b", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn prefix_is_taken_off() {
        assert_eq!(without_prefix("$aws/rules/rule/a/b"), "a/b");
        assert_eq!(without_prefix("$share/group/a/b"), "a/b");
        assert_eq!(without_prefix("$aws/things/a"), "$aws/things/a");
    }
}
