//! The check of a signature in the Authorization header, which every service but the gateway takes.
//!
//! A recomputation after "Create a signed AWS API request", AWS IAM User Guide; here the session token
//! is among what is signed.

use sha2::{Digest, Sha256};

use super::clock::parse_basic;
use super::head::Head;
use super::judge::{
    ALGORITHM, WINDOW_S, canonical_headers, decode_hex, ensure, hex, is_same, verifies,
};
use super::{Judgement, Key};

/// What a service judges by.
pub(crate) struct Desk<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) keys: &'a [Key],
    pub(crate) now_s: u64,
}

impl Desk<'_> {
    /// The first thing that is wrong, if any.
    pub(crate) fn judge(&self, head: &Head, body: &[u8]) -> Result<(), Judgement> {
        let header = only(head, "authorization")?;
        let (algorithm, fields) = header.split_once(' ').ok_or(Judgement::Parameter)?;
        ensure(algorithm == ALGORITHM, Judgement::Algorithm)?;
        let field = |name: &str| {
            let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
            fields.find(|(other, _)| *other == name).map(|(_, value)| value)
        };
        let credential = field("Credential").ok_or(Judgement::Parameter)?;
        let [key_id, day, region, service, "aws4_request"] =
            credential.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(Judgement::Credential);
        };
        let known = self.keys.iter().find(|key| key.access_key_id == key_id);
        let key = known.ok_or(Judgement::UnknownKey)?;
        let date = only(head, "x-amz-date")?;
        ensure(date.split('T').next() == Some(day), Judgement::ScopeDate)?;
        ensure(region == self.region, Judgement::Region)?;
        ensure(service == self.service, Judgement::Service)?;
        let signed_s = parse_basic(date).ok_or(Judgement::Parameter)?;
        ensure(signed_s.abs_diff(self.now_s) <= WINDOW_S, Judgement::Clock)?;
        check_token(head, key)?;

        let list = field("SignedHeaders").ok_or(Judgement::Parameter)?;
        // Whatever says who asks, and for what, is to be signed.
        let all = head.values("x-amz-security-token").is_empty()
            || list.split(';').any(|name| name == "x-amz-security-token");
        ensure(all && list.split(';').any(|name| name == "x-amz-date"), Judgement::SignedHeaders)?;
        let signature = field("Signature").and_then(decode_hex).ok_or(Judgement::Parameter)?;
        let headers = canonical_headers(head, list)?;
        let (path, query) = head.path_and_query();
        let (path, query) = (encoded_again(path), sorted(query));
        let (method, body) = (&head.method, hex(&Sha256::digest(body)));
        let request = format!("{method}\n{path}\n{query}\n{headers}\n{body}");
        let signs = verifies(key, &[day, region, service], date, &request, &signature);
        ensure(signs, Judgement::Signature)
    }
}

fn only<'h>(head: &'h Head, name: &str) -> Result<&'h str, Judgement> {
    match head.values(name)[..] {
        [value] => Ok(value),
        _ => Err(Judgement::Parameter),
    }
}

fn check_token(head: &Head, key: &Key) -> Result<(), Judgement> {
    match (&key.session_token, &head.values("x-amz-security-token")[..]) {
        (None, []) => Ok(()),
        (None, _) => Err(Judgement::TokenUnexpected),
        (Some(token), [came]) => {
            ensure(is_same(token.as_bytes(), came.as_bytes()), Judgement::TokenWrong)
        }
        (Some(_), _) => Err(Judgement::TokenMissing),
    }
}

/// The path as it came, encoded once more: all services but S3 want it so.
fn encoded_again(path: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    path.bytes().map(encode).collect()
}

fn sorted(query: &str) -> String {
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "Create a signed AWS API request", with the key of AWS's examples.
    const EXAMPLE: &str = "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\r\n\
        Host: iam.amazonaws.com\r\n\
        Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\
        X-Amz-Date: 20150830T123600Z\r\n\
        Authorization: AWS4-HMAC-SHA256 \
        Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date, \
        Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n\r\n";
    /// 2015-08-30T12:36:00Z
    const THEN_S: u64 = 1_440_938_160;

    async fn judge(request: &str, service: &str) -> Result<(), Judgement> {
        let keys = [Key::permanent()];
        let desk = Desk { region: "us-east-1", service, keys: &keys, now_s: THEN_S };
        let head = Head::read(&mut request.as_bytes()).await.unwrap().unwrap();
        desk.judge(&head, b"")
    }

    #[tokio::test]
    async fn documented_request_is_accepted_and_a_changed_one_refused() {
        assert_eq!(judge(EXAMPLE, "iam").await, Ok(()));
        for (from, to, expected) in [
            ("ListUsers", "ListRoles", Judgement::Signature),
            ("GET", "PUT", Judgement::Signature),
            ("5d672d", "5d672e", Judgement::Signature),
            ("AKIDEXAMPLE", "AKIDNOBODY", Judgement::UnknownKey),
            ("us-east-1", "us-east-2", Judgement::Region),
            ("host;x-amz-date", "host", Judgement::SignedHeaders),
            ("123600Z", "124200Z", Judgement::Clock),
            ("HMAC-SHA256", "HMAC-SHA1", Judgement::Algorithm),
        ] {
            let changed = judge(&EXAMPLE.replace(from, to), "iam").await;
            assert_eq!(changed, Err(expected), "{from} {to}");
        }
        assert_eq!(judge(EXAMPLE, "iot").await, Err(Judgement::Service));
    }
}
