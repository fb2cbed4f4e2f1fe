//! `dunlin policy`: what an IAM role and an AWS IoT policy have to allow.

use crate::args::Policy;
use dunlin_tokio::aws::Partition;
use std::collections::HashSet;

/// The document, which serves as both: AWS IoT Core asks the role of the identity and the policy that
/// is attached to it, each by itself, and wants a yes of both.
pub(crate) fn documents(policy: &Policy) -> String {
    let client = policy.client_id.as_deref().unwrap_or("*");
    let resources = |kind: &str, names: &mut dyn Iterator<Item = String>| {
        let mut resources: Vec<_> = names.map(|name| policy.resource(kind, &name)).collect();
        let mut seen = HashSet::new();
        resources.retain(|resource| seen.insert(resource.clone()));
        resources
    };
    let topics = &policy.topics;
    let names = resources("topic", &mut topics.iter().flat_map(|topic| patterns(topic)));
    let filters = resources("topicfilter", &mut topics.iter().cloned());
    let statements = [
        statement(&["iot:Connect"], &[policy.resource("client", client)]),
        statement(&["iot:Publish", "iot:Receive"], &names),
        statement(&["iot:Subscribe"], &filters),
    ];
    format!(
        "{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n{}\n  ]\n}}\n",
        statements.join(",\n")
    )
}

impl Policy {
    fn resource(&self, kind: &str, name: &str) -> String {
        let Self { region, account, .. } = self;
        let partition = Partition::of_region(region).name();
        quoted(&format!("arn:{partition}:iot:{region}:{account}:{kind}/{name}"))
    }
}

fn statement(actions: &[&str], resources: &[String]) -> String {
    let actions: Vec<_> = actions.iter().map(|action| quoted(action)).collect();
    format!(
        "    {{\n      \"Effect\": \"Allow\",\n      \"Action\": [{}],\n      \
         \"Resource\": [{}]\n    }}",
        actions.join(", "),
        resources.join(", ")
    )
}

/// The topics of a filter, as resources name them; those of a shared one with and without its group, for
/// messages that come by it are judged with, and those that are published without.
fn patterns(filter: &str) -> impl Iterator<Item = String> {
    let shared = filter.strip_prefix("$share/").and_then(|shared| shared.split_once('/'));
    let own = shared.map(|(_, filter)| pattern(filter));
    own.into_iter().chain([pattern(filter)])
}

/// The topics of a filter: an asterisk stands for any text.
fn pattern(filter: &str) -> String {
    let levels = filter.split('/').map(|level| match level {
        "+" | "#" => "*",
        level => level,
    });
    levels.collect::<Vec<_>>().join("/")
}

/// Text as a JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(client_id: Option<&str>, topics: &[&str]) -> String {
        documents(&Policy {
            region: "cn-north-1".into(),
            account: "123456789012".into(),
            client_id: client_id.map(str::to_owned),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        })
    }

    #[test]
    fn policy_allows_connecting_publishing_and_subscribing() {
        let document = document(Some("lamp"), &["a/+/b", "c/#", "quo\"te"]);
        for part in [
            "\"arn:aws-cn:iot:cn-north-1:123456789012:client/lamp\"",
            ":topic/a/*/b\"",
            ":topic/c/*\"",
            ":topicfilter/a/+/b\"",
            ":topicfilter/c/#\"",
            "quo\\\"te",
            "\"Action\": [\"iot:Publish\", \"iot:Receive\"]",
        ] {
            assert!(document.contains(part), "{part} in {document}");
        }
        assert!(self::document(None, &["t"]).contains(":client/*\""));
    }

    #[test]
    fn shared_filter_allows_its_topics_too_and_nothing_stands_twice() {
        let document = document(None, &["$share/g/a/#", "a/#", "a/#"]);
        let arn = "\"arn:aws-cn:iot:cn-north-1:123456789012:";
        for (resource, count) in [
            ("topic/a/*\"", 1),
            ("topic/$share/g/a/*\"", 1),
            ("topicfilter/a/#\"", 1),
            ("topicfilter/$share/g/a/#\"", 1),
        ] {
            let found = document.matches(&format!("{arn}{resource}")).count();
            assert_eq!(found, count, "{resource} in {document}");
        }
    }
}
