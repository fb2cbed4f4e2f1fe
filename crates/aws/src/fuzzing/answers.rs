//! Answers of services.

use crate::cognito::{GetCredentials, GetId};
use crate::iot_credentials::RoleAlias;
use crate::json::Value;
use crate::policies::{Action, read_attached, read_endpoint};
use crate::{Answer, Reply, ReplyError, UnixTime};
use dunlin::ws::Status;
use dunlin_octet::{Count, Inbox, Sink, Text};

/// Room for any answer that is worth looking at.
const ROOM: usize = 8 * 1024;

/// An answer: no panic, no spin, the same whole and cut in two where the first byte says; and whatever is
/// in it can be read, names and values as often as wanted.
pub fn answer(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let bytes = bytes.get(..ROOM).unwrap_or(bytes);
    let (mut whole, mut split) = (Inbox::new([0; ROOM + 1]), Inbox::new([0; ROOM + 1]));
    let outcome = replied(&mut whole, bytes, bytes.len());
    assert_eq!(replied(&mut split, bytes, usize::from(*cut)), outcome);
    assert_eq!(split.stream(), whole.stream());
    let answer = Answer::parse(whole.stream());
    assert!(outcome.is_err() || answer.is_some());
    answer.iter().for_each(read);
    if let Some(document) = Value::parse(bytes) {
        walk(document);
    }
}

fn replied(
    inbox: &mut Inbox<[u8; ROOM + 1]>,
    bytes: &[u8],
    cut: usize,
) -> Result<Status, ReplyError> {
    let mut reply = Reply::new();
    let (front, back) = bytes.split_at_checked(cut).unwrap_or((bytes, &[]));
    for part in [front, back] {
        inbox.receive(part);
        if let Some(status) = reply.poll(inbox)? {
            return Ok(status);
        }
    }
    reply.handle_eof(inbox)
}

fn read(answer: &Answer<'_>) {
    let names = [GetId::read(answer).ok(), read_endpoint(answer).ok()];
    let attached = read_attached(answer).into_iter().flatten();
    attached.chain(names.into_iter().flatten()).for_each(|name| check_text(&name));
    assert!(Action::DescribeEndpoint.read(answer).is_ok() || GetId::read(answer).is_err());
    for issued in [GetCredentials::read(answer), RoleAlias::read(answer)] {
        let Ok(issued) = issued else { continue };
        let now = UnixTime::from_secs(0);
        let kept = issued.keep([0; ROOM], now);
        let kept = kept.as_ref().map(|kept| kept.credentials());
        let len = kept.map_or(0, |kept| {
            let token = kept.session_token.unwrap_or_default();
            Count::of(kept.access_key_id)
                .saturating_add(Count::of(kept.secret_access_key))
                .saturating_add(Count::of(token))
        });
        assert!(len == issued.len());
    }
}

/// Every value of a document, one container deep, found again by its name.
fn walk(document: Value<'_>) {
    for (name, value) in document.members() {
        check_text(&name);
        if let Some(name) = name.plain() {
            assert!(document.member(name).is_some());
        }
        assert!(value.whole().is_none() || value.string().is_none());
    }
    for value in document.elements() {
        if let Some(text) = value.string() {
            check_text(&text);
        }
    }
}

/// What a text writes is UTF-8, as far as there is room to look at it.
fn check_text(text: &dyn Text) {
    struct Lengths(usize);
    impl Sink for Lengths {
        fn put(&mut self, bytes: &[u8]) {
            self.0 = self.0.saturating_add(bytes.len());
        }
    }
    let mut lengths = Lengths(0);
    text.write(&mut lengths);
    assert!(lengths.0 == Count::of(&text));
    let mut memory = [0; ROOM];
    let mut out = dunlin_octet::Writer::new(&mut memory);
    text.write(&mut out);
    assert!(lengths.0 > ROOM || core::str::from_utf8(out.written()).is_ok());
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn answers_of_services_hold_at_every_cut() {
        for body in [
            r#"{"IdentityId":"r:i","Credentials":{"AccessKeyId":"A","SecretKey":"\u00e9","SessionToken":"T","Expiration":1.7E9}}"#,
            r#"{"credentials":{"accessKeyId":"A","secretAccessKey":"S","sessionToken":"T","expiration":"2018-01-18T09:18:06Z"}}"#,
            r#"{"policies":[{"policyName":"p\n"}],"endpointAddress":"h","a":["b"]}"#,
            r#"{"__type":"x#NotAuthorizedException","message":"\ud83d\ude00"}"#,
        ] {
            let len = body.len();
            for head in ["200 OK", "400 Bad Request"] {
                let raw = std::format!("HTTP/1.1 {head}\r\ncontent-length: {len}\r\n\r\n{body}");
                for cut in 0..=u8::MAX {
                    answer(&[&[cut], raw.as_bytes()].concat());
                }
            }
            answer(&[b" ", body.as_bytes()].concat());
        }
    }
}
