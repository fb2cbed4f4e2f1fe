//! Topics and filters, as AWS IoT Core takes them.

use crate::{Breach, Rule};

/// Messages to these topics go to a rule and to nobody else ("Reducing messaging costs with Basic
/// Ingest", AWS IoT Core developer guide).
const BASIC_INGEST: &str = "$aws/rules/";
/// A filter that begins so is shared by several clients (MQTT 5.0 §4.8.2).
const SHARED: &str = "$share/";
/// What is AWS's own.
const RESERVED: &str = "$aws/";

/// Whether messages that AWS IoT Core has retained come when `filter` is subscribed to.
///
/// They come for exact filters alone: none for one with a wildcard, nor for a shared one.
pub fn brings_retained(filter: &str) -> bool {
    !filter.starts_with(SHARED) && !filter.contains(['+', '#'])
}

/// What a shared filter filters by, and nothing where it has no group; any other is that itself.
fn without_group(filter: &str) -> &str {
    let Some(shared) = filter.strip_prefix(SHARED) else { return filter };
    match shared.split_once('/') {
        Some((group, filter)) if !group.is_empty() => filter,
        _ => "",
    }
}

/// Whether a message can be published to `topic`.
pub(crate) fn check_topic(topic: &str) -> Result<(), Breach> {
    let counted = match topic.strip_prefix(BASIC_INGEST) {
        Some(rest) => match rest.split_once('/') {
            Some((rule, topic)) if !rule.is_empty() && !topic.is_empty() => topic,
            _ => return Err(Breach::of(Rule::ReservedTopic)),
        },
        None if takes(topic) => topic,
        None => return Err(Breach::of(Rule::ReservedTopic)),
    };
    check_size(counted)
}

/// Whether `filter` can be subscribed to.
pub(crate) fn check_filter(filter: &str) -> Result<(), Breach> {
    let filter = without_group(filter);
    let is_reserved = filter.starts_with('$') && !filter.starts_with(RESERVED);
    // MQTT 3.1.1 knows no shared filters, so that nobody else looks at their parts.
    if is_reserved || filter.is_empty() || filter.starts_with(BASIC_INGEST) {
        return Err(Breach::of(Rule::ReservedTopic));
    }
    check_size(filter)
}

/// Whether AWS takes messages to `topic` from its clients, where it is not one of Basic Ingest.
fn takes(topic: &str) -> bool {
    let Some(own) = topic.strip_prefix(RESERVED) else { return !topic.starts_with('$') };
    let mut levels = own.as_bytes().split(|byte| *byte == b'/');
    let family = levels.next().unwrap_or_default();
    let last = levels.next_back().unwrap_or_default();
    let answers = matches!(last, b"accepted" | b"rejected");
    let news = matches!(last, b"delta" | b"documents" | b"notify" | b"notify-next");
    match family {
        b"events" | b"sitewise" | b"rules" => false,
        b"things" => !answers && !news,
        _ => !answers,
    }
}

fn check_size(topic: &str) -> Result<(), Breach> {
    Breach::unless_within(Rule::TopicLength, topic.len())?;
    Breach::unless_within(Rule::TopicDepth, slashes(topic))
}

fn slashes(topic: &str) -> usize {
    // Not `count`, whose sum might overflow for all that the compiler knows.
    topic.bytes().fold(0, |slashes: usize, byte| match byte {
        b'/' => slashes.saturating_add(1),
        _ => slashes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    fn breach(rule: Rule, found: usize) -> Result<(), Breach> {
        Err(Breach { rule, found })
    }

    #[test]
    fn retained_messages_come_for_exact_filters_alone() {
        assert!(brings_retained("a/b"));
        for filter in ["a/+", "a/#", "#", "$share/g/a/b"] {
            assert!(!brings_retained(filter), "{filter}");
        }
    }

    #[test]
    fn topic_at_its_length_is_taken_and_one_byte_more_is_not() {
        let (longest, longer) = ("x".repeat(256), "x".repeat(257));
        for prefix in ["", "$aws/rules/a_rule/"] {
            assert_eq!(check_topic(&format!("{prefix}{longest}")), Ok(()));
            let longer = format!("{prefix}{longer}");
            assert_eq!(check_topic(&longer), breach(Rule::TopicLength, 257), "{prefix}");
        }
        for prefix in ["", "$share/group/"] {
            assert_eq!(check_filter(&format!("{prefix}{longest}")), Ok(()));
            let longer = format!("{prefix}{longer}");
            assert_eq!(check_filter(&longer), breach(Rule::TopicLength, 257), "{prefix}");
        }
    }

    #[test]
    fn topic_with_seven_slashes_is_taken_and_one_with_eight_is_not() {
        let (deepest, deeper) = ("1/2/3/4/5/6/7/8", "1/2/3/4/5/6/7/8/9");
        assert_eq!(check_topic(deepest), Ok(()));
        assert_eq!(check_topic(deeper), breach(Rule::TopicDepth, 8));
        assert_eq!(check_topic(&format!("$aws/rules/r/{deepest}")), Ok(()));
        let ingest = format!("$aws/rules/r/{deeper}");
        assert_eq!(check_topic(&ingest), breach(Rule::TopicDepth, 8));
        assert_eq!(check_filter(&format!("$share/g/{deepest}")), Ok(()));
        let shared = format!("$share/g/{deeper}");
        assert_eq!(check_filter(&shared), breach(Rule::TopicDepth, 8));
    }

    #[test]
    fn reserved_topic_is_taken_in_its_own_direction_alone() {
        for topic in [
            "$aws/things/t/shadow/update",
            "$aws/things/t/shadow/name/accepted/get",
            "$aws/things/t/jobs/j/update",
            "$aws/things/t/defender/metrics/json",
            "$aws/certificates/create/json",
            "$aws/provisioning-templates/t/provision/cbor",
            "$aws/rules/r/t",
        ] {
            assert_eq!(check_topic(topic), Ok(()), "{topic}");
        }
        for topic in [
            "$SYS/uptime",
            "$mine",
            "$aws",
            "$share/g/a",
            "$aws/rules/r",
            "$aws/rules/r/",
            "$aws/rules//a",
            "$aws/events/presence/connected/c",
            "$aws/things/t/shadow/update/accepted",
            "$aws/things/t/shadow/update/rejected",
            "$aws/things/t/shadow/update/delta",
            "$aws/things/t/shadow/name/n/update/documents",
            "$aws/things/t/jobs/notify",
            "$aws/things/t/jobs/notify-next",
            "$aws/sitewise/asset-models/m/assets/a/properties/p",
            "$aws/certificates/create/json/rejected",
        ] {
            assert_eq!(check_topic(topic), Err(Breach::of(Rule::ReservedTopic)), "{topic}");
        }
        for filter in
            ["$aws/things/t/shadow/update/accepted", "$aws/events/#", "$share/g/$aws/events/#", "#"]
        {
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
        for filter in [
            "$SYS/#",
            "$aws/rules/r/a",
            "$mine/#",
            "$share/g/$SYS/a",
            "$share/g",
            "$share/g/",
            "$share//a",
        ] {
            assert_eq!(check_filter(filter), Err(Breach::of(Rule::ReservedTopic)), "{filter}");
        }
    }
}
