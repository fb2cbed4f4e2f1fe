//! Which filters a topic belongs to, as brokers see it.

use dunlin::mqtt;

/// Whose rules hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Matching {
    /// Those of MQTT.
    #[default]
    Standard,
    /// Those of AWS IoT Core: `sensor/#` does not match `sensor`.
    Aws,
}

/// Whether a message to `topic` belongs to a subscription of `filter`, shared or not.
///
/// A filter that begins with a wildcard matches no topic that begins with `$` ([MQTT-4.7.2-1]); a shared
/// subscription matches what its filter does without `$share/` and its name (§4.8.2).
pub fn matches(filter: &str, topic: &str, matching: Matching) -> bool {
    let filter = without_share(filter);
    // Most filters have no wildcard, and are compared at once.
    filter == topic
        || mqtt::matches(filter, topic)
            && match matching {
                Matching::Standard => true,
                Matching::Aws => !filter.ends_with('#') || slashes(topic) >= slashes(filter),
            }
}

/// The filter of a shared subscription; any other as it is (MQTT 5.0 §4.8.2).
pub fn without_share(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or(filter, |(_, filter)| filter)
}

/// Whether `filter` matches one topic only, itself.
pub(crate) fn is_exact(filter: &str) -> bool {
    !filter.bytes().any(|byte| matches!(byte, b'+' | b'#'))
}

fn slashes(text: &str) -> usize {
    // Not `count`, whose addition could overflow as far as the linker knows.
    text.bytes().filter(|byte| *byte == b'/').fold(0, |count: usize, _| count.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MQTT-4.7.2-1]
    #[test]
    fn shared_filter_matches_what_it_matches_without_its_group() {
        let yes = |filter, topic| assert!(matches(filter, topic, Matching::Standard), "{filter}");
        let no = |filter, topic| assert!(!matches(filter, topic, Matching::Standard), "{filter}");
        yes("$share/g/a/+", "a/b");
        yes("$share/g/#", "a");
        no("$share/g/#", "$SYS/a");
        yes("$share/g/$SYS/#", "$SYS/a");
        yes("$share/g//a", "/a");
        no("$share/g/a", "$share/g/a");
        yes("$shared/g/a", "$shared/g/a");
        no("#", "$SYS");
        yes("#", "a");
    }

    #[test]
    fn multi_level_wildcard_misses_its_parent_only_at_aws() {
        for (filter, topic, everywhere) in [
            ("sensor/#", "sensor", false),
            ("sensor/#", "sensor/", true),
            ("sensor/#", "sensor/a/b", true),
            ("+/#", "sensor", false),
            ("$share/g/a/b/#", "a/b", false),
            ("$share/g/a/b/#", "a/b/c", true),
            ("#", "a", true),
            ("a", "a", true),
            ("a/+", "a/b", true),
        ] {
            assert!(matches(filter, topic, Matching::Standard), "{filter} matches {topic}");
            assert_eq!(matches(filter, topic, Matching::Aws), everywhere, "{filter}, {topic}");
        }
    }
}
