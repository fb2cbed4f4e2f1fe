//! Amazon Cognito identity pools: an identity, and credentials for it.
//!
//! Two exchanges, unsigned, with `cognito-identity.REGION.amazonaws.com`: [`GetId`] and then
//! [`GetCredentials`] (Amazon Cognito Federated Identities API Reference). Keep the identity: asking
//! again without a login makes another one, to which no policy is attached.

use crate::exchange::{Answer, AnswerError, Http, check};
use crate::expiring::Issued;
use crate::json::{Quoted, Str, Value};
use core::fmt;
use dunlin::ws::InvalidRequest;
use dunlin_octet::{Sink, Text};
use dunlin_sigv4::UnixTime;

/// The service, for [`ServiceHost`](crate::ServiceHost).
pub const SERVICE: &str = "cognito-identity";

/// Who vouches for a user, such as `cognito-idp.REGION.amazonaws.com/POOL`, and the token that says so.
pub type Login<'a> = (&'a str, &'a str);

/// The region of an identity pool or an identity, which its name begins with.
pub fn region_of(name: &str) -> Option<&str> {
    let (region, rest) = name.split_once(':')?;
    let is_region = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_region && !region.is_empty() && !rest.is_empty()).then_some(region)
}

/// Asks for the identity of a user, or for a new one of a guest.
#[derive(Clone, Copy)]
pub struct GetId<'a> {
    host: &'a str,
    pool: &'a str,
    logins: &'a [Login<'a>],
}

impl<'a> GetId<'a> {
    /// A guest of the identity pool `pool`, asked for at `host`.
    pub fn new(host: &'a str, pool: &'a str) -> Result<Self, InvalidRequest> {
        check(host, &"/")?;
        Ok(Self { host, pool, logins: &[] })
    }

    /// A user with these logins.
    #[must_use]
    pub const fn logins(self, logins: &'a [Login<'a>]) -> Self {
        Self { logins, ..self }
    }

    /// The identity's name, `REGION:uuid`.
    pub fn read<'b>(answer: &Answer<'b>) -> Result<Str<'b>, AnswerError<'b>> {
        answer.string("IdentityId")
    }
}

impl Text for GetId<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let Self { host, pool, logins } = *self;
        let body = Body { name: "IdentityPoolId", value: pool, logins, role: None };
        write_call("GetId", host, &body, sink);
    }
}

/// Asks for credentials of an identity, which last an hour unless the pool's role says otherwise.
#[derive(Clone, Copy)]
pub struct GetCredentials<'a> {
    host: &'a str,
    identity: &'a str,
    logins: &'a [Login<'a>],
    role: Option<&'a str>,
}

impl<'a> GetCredentials<'a> {
    /// Those of the guest `identity`, asked for at `host`.
    pub fn new(host: &'a str, identity: &'a str) -> Result<Self, InvalidRequest> {
        check(host, &"/")?;
        Ok(Self { host, identity, logins: &[], role: None })
    }

    /// A user with these logins, the same ones as for the identity.
    #[must_use]
    pub const fn logins(self, logins: &'a [Login<'a>]) -> Self {
        Self { logins, ..self }
    }

    /// Of this role, by its ARN, where the logins allow several.
    #[must_use]
    pub const fn custom_role(self, role: &'a str) -> Self {
        Self { role: Some(role), ..self }
    }

    /// The credentials.
    pub fn read<'b>(answer: &Answer<'b>) -> Result<Issued<'b>, AnswerError<'b>> {
        issued(answer.value()?).ok_or(AnswerError::Malformed)
    }
}

fn issued(value: Value<'_>) -> Option<Issued<'_>> {
    let credentials = value.member("Credentials")?;
    let string = |name| credentials.member(name).and_then(Value::string);
    Some(Issued {
        access_key_id: string("AccessKeyId")?,
        // Elsewhere it is called SecretAccessKey.
        secret_access_key: string("SecretKey")?,
        session_token: string("SessionToken")?,
        until: credentials.member("Expiration")?.whole().map(UnixTime::from_secs)?,
    })
}

impl Text for GetCredentials<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let Self { host, identity, logins, role } = *self;
        let body = Body { name: "IdentityId", value: identity, logins, role };
        write_call("GetCredentialsForIdentity", host, &body, sink);
    }
}

/// Shows the identity pool only.
impl fmt::Debug for GetId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetId").field("pool", &self.pool).finish_non_exhaustive()
    }
}

/// Shows the identity pool only.
#[cfg(feature = "defmt")]
impl defmt::Format for GetId<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "GetId {{ pool: {=str} }}", self.pool);
    }
}

/// Shows the identity only.
impl fmt::Debug for GetCredentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetCredentials").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Shows the identity only.
#[cfg(feature = "defmt")]
impl defmt::Format for GetCredentials<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "GetCredentials {{ identity: {=str} }}", self.identity);
    }
}

fn write_call(action: &str, host: &str, body: &dyn Text, sink: &mut dyn Sink) {
    let http = Http { method: "POST", target: &"/", host, lines: &Lines(action), body };
    http.write(sink);
}

/// What makes it a call of the AWS JSON 1.1 protocol.
struct Lines<'a>(&'a str);

impl Text for Lines<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"Content-Type: application/x-amz-json-1.1\r\n");
        sink.put(b"X-Amz-Target: AWSCognitoIdentityService.");
        self.0.write(sink);
        sink.put(b"\r\n");
    }
}

struct Body<'a> {
    name: &'a str,
    value: &'a str,
    logins: &'a [Login<'a>],
    role: Option<&'a str>,
}

impl Text for Body<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"{");
        put_member(self.name, self.value, sink);
        let mut before: &[u8] = b",\"Logins\":{";
        for (name, token) in self.logins {
            sink.put(before);
            put_member(name, token, sink);
            before = b",";
        }
        if !self.logins.is_empty() {
            sink.put(b"}");
        }
        if let Some(role) = self.role {
            sink.put(b",");
            put_member("CustomRoleArn", role, sink);
        }
        sink.put(b"}");
    }
}

fn put_member(name: &str, value: &str, sink: &mut dyn Sink) {
    Quoted(name).write(sink);
    sink.put(b":");
    Quoted(value).write(sink);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::{stream, written};

    const HOST: &str = "cognito-identity.eu-central-1.amazonaws.com";
    const LOGINS: &[Login<'_>] = &[("cognito-idp.x/P", "tok\"en"), ("accounts.google.com", "t")];

    fn body(request: &dyn Text, action: &str) -> serde_json::Value {
        let request = written(request);
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let expected = std::format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-amz-json-1.1\r\n\
             X-Amz-Target: AWSCognitoIdentityService.{action}",
            body.len()
        );
        assert_eq!(head, expected);
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn identity_is_asked_for_with_and_without_logins() {
        let request = GetId::new(HOST, "eu-central-1:pool").unwrap();
        let expected = serde_json::json!({"IdentityPoolId": "eu-central-1:pool"});
        assert_eq!(body(&request, "GetId"), expected);
        let expected = serde_json::json!({
            "IdentityPoolId": "eu-central-1:pool",
            "Logins": {"cognito-idp.x/P": "tok\"en", "accounts.google.com": "t"},
        });
        assert_eq!(body(&request.logins(LOGINS), "GetId"), expected);
        assert_eq!(region_of("eu-central-1:pool"), Some("eu-central-1"));
        for name in ["pool", ":p", "r:", "us east:p", "a/b:p", "ü:p"] {
            assert_eq!(region_of(name), None, "{name}");
        }
    }

    #[test]
    fn credentials_are_asked_for_with_logins_and_role() {
        let request = GetCredentials::new(HOST, "eu-central-1:id").unwrap();
        let action = "GetCredentialsForIdentity";
        assert_eq!(body(&request, action), serde_json::json!({"IdentityId": "eu-central-1:id"}));
        let request = request.logins(&LOGINS[1..]).custom_role("arn:aws:iam::1:role/r");
        let expected = serde_json::json!({
            "IdentityId": "eu-central-1:id",
            "Logins": {"accounts.google.com": "t"},
            "CustomRoleArn": "arn:aws:iam::1:role/r",
        });
        assert_eq!(body(&request, action), expected);
        assert!(
            !std::format!("{request:?}{:?}", GetId::new(HOST, "p").unwrap().logins(LOGINS))
                .contains("tok")
        );
    }

    #[test]
    fn host_that_would_end_a_line_is_refused() {
        for host in ["", "h\r\nx: y", "h/"] {
            assert_eq!(GetId::new(host, "p").map(drop), Err(InvalidRequest::Host));
            assert_eq!(GetCredentials::new(host, "i").map(drop), Err(InvalidRequest::Host));
        }
    }

    #[test]
    fn identity_and_credentials_are_read() {
        let bytes = stream("200 OK", "", r#"{"IdentityId":"eu-central-1:id"}"#);
        let id = GetId::read(&Answer::parse(&bytes).unwrap()).unwrap();
        assert!(id.is("eu-central-1:id"));
        let bytes = stream(
            "200 OK",
            "",
            r#"{"Credentials":{"AccessKeyId":"AKID","Expiration":1.704168245E9,"SecretKey":"s\/+=",
            "SessionToken":"tok"},"IdentityId":"eu-central-1:id","New":[{"field":null}]}"#,
        );
        let issued = GetCredentials::read(&Answer::parse(&bytes).unwrap()).unwrap();
        assert_eq!((issued.until().as_secs(), issued.len()), (1_704_168_245, 11));
        let kept = issued.keep([0; 11], UnixTime::from_secs(1_704_164_645)).unwrap();
        assert_eq!(kept.credentials().secret_access_key, "s/+=");
        assert_eq!(kept.credentials().session_token, Some("tok"));
        assert_eq!(kept.lifetime().refresh_at().as_secs(), 1_704_168_245 - 300);
        assert!(issued.keep([0; 10], UnixTime::MAX).is_none());
        assert!(!std::format!("{issued:?} {kept:?}").contains("tok"));
    }

    #[test]
    fn answer_without_a_part_is_malformed() {
        for body in [
            r#"{}"#,
            r#"{"Credentials":{}}"#,
            r#"{"Credentials":{"AccessKeyId":"A","SecretKey":"S","SessionToken":"T"}}"#,
            r#"{"Credentials":{"AccessKeyId":"A","SecretKey":"S","SessionToken":"T","Expiration":"x"}}"#,
            r#"{"Credentials":{"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T","Expiration":1}}"#,
        ] {
            let bytes = stream("200 OK", "", body);
            let answer = Answer::parse(&bytes).unwrap();
            assert!(matches!(GetCredentials::read(&answer), Err(AnswerError::Malformed)), "{body}");
            assert!(matches!(GetId::read(&answer), Err(AnswerError::Malformed)), "{body}");
        }
        let bytes = stream("400 x", "", r#"{"__type":"TooManyRequestsException"}"#);
        let error = GetId::read(&Answer::parse(&bytes).unwrap()).unwrap_err();
        assert!(error.is_retryable());
    }
}
