//! `dunlin policy`: what an IAM role and an AWS IoT policy have to allow.

use crate::args::Policy;
use dunlin_tokio::aws::Partition;

/// The document, which serves as both: AWS IoT Core asks the role of the identity and the policy that
/// is attached to it, each by itself, and wants a yes of both.
pub(crate) fn documents(policy: &Policy) -> String {
    let client = policy.client_id.as_deref().unwrap_or("*");
    let topics = policy.topics.iter();
    let names: Vec<_> =
        topics.clone().map(|topic| policy.resource("topic", &pattern(topic))).collect();
    let filters: Vec<_> = topics.map(|topic| policy.resource("topicfilter", topic)).collect();
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

/// The topics of a filter, as a resource names them: an asterisk stands for any text.
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
}
