//! Policies of AWS IoT: who may do what ("AWS IoT Core policies", AWS IoT developer guide).

use serde_json::Value;

/// The account that resources are in: that of moto.
const ACCOUNT: &str = "123456789012";

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(Value);

/// What a client is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action<'a> {
    Connect,
    Publish(&'a str),
    RetainPublish(&'a str),
    Receive(&'a str),
    Subscribe(&'a str),
}

impl Document {
    /// Reads a document out of its JSON; panics when it is none.
    pub fn new(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).expect("a policy is JSON");
        assert!(!list(&document["Statement"]).is_empty(), "a policy has statements: {text}");
        Self(document)
    }
}

/// Whether one of the documents allows it, and none denies it.
pub(super) fn allows(
    documents: &[Document],
    region: &str,
    client_id: &str,
    action: Action<'_>,
) -> bool {
    let (name, kind, what) = match action {
        Action::Connect => ("iot:Connect", "client", client_id),
        Action::Publish(topic) => ("iot:Publish", "topic", topic),
        Action::RetainPublish(topic) => ("iot:RetainPublish", "topic", topic),
        Action::Receive(topic) => ("iot:Receive", "topic", topic),
        Action::Subscribe(filter) => ("iot:Subscribe", "topicfilter", filter),
    };
    let resource = format!("arn:aws:iot:{region}:{ACCOUNT}:{kind}/{what}");
    let speaks = |statement: &&Value| {
        let names =
            |pattern: &str| matches(&pattern.to_ascii_lowercase(), &name.to_ascii_lowercase());
        let covers = |pattern: &str| {
            let pattern = pattern.replace("${iot:ClientId}", client_id);
            matches(&pattern, &resource)
        };
        texts(&statement["Action"]).any(names) && texts(&statement["Resource"]).any(covers)
    };
    let statements = documents.iter().flat_map(|document| list(&document.0["Statement"]));
    let effects: Vec<&str> =
        statements.filter(speaks).filter_map(|statement| statement["Effect"].as_str()).collect();
    effects.contains(&"Allow") && !effects.contains(&"Deny")
}

/// A list, or one value where a list of one is meant.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    list(value).iter().filter_map(Value::as_str)
}

/// `*` stands for any characters, `?` for one; MQTT's wildcards are characters like others.
fn matches(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    if first == '*' {
        let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        return starts.into_iter().any(|at| matches(rest, &text[at..]));
    }
    let Some(character) = text.chars().next() else { return false };
    (first == '?' || first == character) && matches(rest, &text[character.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect",
         "Resource": "arn:aws:iot:us-east-1:123456789012:client/${iot:ClientId}"},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"],
         "Resource": ["arn:aws:iot:us-east-1:123456789012:topic/rooms/?/heat",
                      "arn:aws:iot:us-east-1:123456789012:topic/${iot:ClientId}/*"]},
        {"Effect": "Deny", "Action": "iot:P*",
         "Resource": "arn:aws:iot:us-east-1:123456789012:topic/*/secret"},
        {"Effect": "Allow", "Action": "iot:Subscribe",
         "Resource": "arn:aws:iot:us-east-1:123456789012:topicfilter/rooms/+/heat"}]}"#;

    #[test]
    fn policy_allows_what_it_names_and_denies_first() {
        let documents = [Document::new(POLICY)];
        for (action, expected) in [
            (Action::Connect, true),
            (Action::Publish("rooms/1/heat"), true),
            (Action::Publish("rooms/10/heat"), false),
            (Action::Publish("me/any/thing"), true),
            (Action::Publish("me/secret"), false),
            (Action::Receive("me/secret"), true),
            (Action::RetainPublish("me/any"), false),
            (Action::Subscribe("rooms/+/heat"), true),
            (Action::Subscribe("rooms/1/heat"), false),
        ] {
            assert_eq!(allows(&documents, "us-east-1", "me", action), expected, "{action:?}");
        }
        assert!(!allows(&documents, "us-east-2", "me", Action::Connect));
        assert!(!allows(&[], "us-east-1", "me", Action::Connect));
    }
}
