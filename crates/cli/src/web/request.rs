//! What the page asks for, as JSON.

use serde_json::Value;

/// One wish, and the name under which the page waits for its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) wish: Wish,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Add { id: String, url: String },
    Remove { id: String },
    Subscribe { filter: String },
    Unsubscribe { filter: String },
    Publish { topic: String, payload: String, by: By },
}

/// Who publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    All,
    Provider(String),
}

impl Request {
    /// `None` for what the page does not send.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(payload).ok()?;
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let wish = match value.get("do")?.as_str()? {
            "add" => Wish::Add { id: text("id")?, url: text("url")? },
            "remove" => Wish::Remove { id: text("id")? },
            "subscribe" => Wish::Subscribe { filter: text("filter")? },
            "unsubscribe" => Wish::Unsubscribe { filter: text("filter")? },
            "publish" => Wish::Publish {
                topic: text("topic")?,
                payload: text("payload")?,
                by: match text("by")? {
                    all if all == "*" => By::All,
                    id => By::Provider(id),
                },
            },
            _ => return None,
        };
        Some(Self { name: text("request")?, wish })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_of_the_page_is_read() {
        let add = r#"{"request":"a-1","do":"add","id":"x","url":"ws://h"}"#;
        let wish = Wish::Add { id: "x".into(), url: "ws://h".into() };
        assert_eq!(Request::parse(add.as_bytes()), Some(Request { name: "a-1".into(), wish }));
        for (by, expected) in [("*", By::All), ("x", By::Provider("x".into()))] {
            let text =
                format!(r#"{{"request":"a","do":"publish","topic":"t","payload":"","by":"{by}"}}"#);
            let Wish::Publish { by, .. } = Request::parse(text.as_bytes()).unwrap().wish else {
                panic!("{text}")
            };
            assert_eq!(by, expected);
        }
    }

    #[test]
    fn request_that_no_page_sends_is_none() {
        for text in [
            "",
            "[]",
            "\u{1}",
            r#"{"request":"a"}"#,
            r#"{"request":"a","do":"dance"}"#,
            r#"{"request":"a","do":"add","id":"x"}"#,
            r#"{"request":"a","do":"add","id":7,"url":"ws://h"}"#,
            r#"{"do":"remove","id":"x"}"#,
        ] {
            assert_eq!(Request::parse(text.as_bytes()), None, "{text}");
        }
    }
}
