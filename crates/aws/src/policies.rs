//! Policies of AWS IoT Core, attached to identities, and the account's endpoint.
//!
//! Each [`Action`] is one exchange with `iot.REGION.amazonaws.com`, signed in header form (AWS IoT API
//! Reference). An authenticated Cognito identity needs an IAM role that allows what it does and an AWS
//! IoT policy attached to it that does so, too; where one is missing, AWS IoT Core hangs up without a
//! word.

use crate::exchange::{Answer, AnswerError, Http};
use crate::json::{Elements, Quoted, Str, Value};
use core::fmt;
use dunlin_octet::{Sink, Text, Writer};
use dunlin_sigv4::{
    Authorized, Credentials, InvalidInput, Key, Pair, Pairs, Payload, PercentEncoded, Request,
    UnixTime,
};

/// The service, for [`ServiceHost`](crate::ServiceHost) and for signatures.
pub const SERVICE: &str = "iot";

/// Memory that is enough for the path of an action on any policy and identity, in bytes.
///
/// The name of a policy has at most 128 characters, an ARN of a certificate or group about as many,
/// and encoding makes three of each at worst.
pub const PATH_MAX: usize = 512;

/// What an answer says of a policy that is attached already.
const EXISTS: &str = "ResourceAlreadyExistsException";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Action<'a> {
    /// Attaches a policy; nothing changes where it is attached already.
    Attach {
        /// The policy's name.
        policy: &'a str,
        /// A Cognito identity, or the ARN of a certificate or a group of things.
        target: &'a str,
    },
    /// Takes a policy away again.
    Detach {
        /// The policy's name.
        policy: &'a str,
        /// What it is attached to.
        target: &'a str,
    },
    /// Asks what is attached, at most 250 policies.
    ListAttached {
        /// To what.
        target: &'a str,
    },
    /// Makes a policy.
    Create {
        /// Its name.
        policy: &'a str,
        /// Its document, in JSON.
        document: &'a str,
    },
    /// Asks for the host that devices of the account connect to, with certificates of Amazon's own CA.
    DescribeEndpoint,
}

/// Who asks, where and when.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Signer<'a> {
    /// Those of an administrator, or of somebody who is allowed just this.
    pub credentials: Credentials<'a>,
    /// The region of the endpoint.
    pub region: &'a str,
    /// Such as `iot.eu-central-1.amazonaws.com`.
    pub host: &'a str,
    /// Now.
    pub at: UnixTime,
}

/// An action that cannot be asked for. The caller is at fault; nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ActionError {
    /// The name of the policy or of its target is empty.
    Empty,
    /// The path is longer than the memory for it.
    TooLong,
    /// Something else cannot be signed.
    Invalid(InvalidInput),
}

impl<'a> Action<'a> {
    /// Signs the request for it, whose path is put into `memory` of about [`PATH_MAX`] bytes.
    ///
    /// Keep `key` for the next one.
    pub fn sign(
        self,
        signer: &Signer<'a>,
        key: &mut Key,
        memory: &'a mut [u8],
    ) -> Result<Signed<'a>, ActionError> {
        if self.names().iter().any(|name| name.is_empty()) {
            return Err(ActionError::Empty);
        }
        let mut path = Writer::new(memory);
        self.write_path(&mut path);
        if path.room() == 0 {
            return Err(ActionError::TooLong);
        }
        // Percent-encoded, and so ASCII.
        let path = core::str::from_utf8(path.finish()).unwrap_or_default();
        let body = Body(self);
        let request = Request {
            method: self.method(),
            path,
            query: Pairs::of(self.query()),
            headers: Pairs::of(HEADERS),
            payload: Payload::of(&body),
            ..Request::new(signer.credentials, signer.region, SERVICE, signer.host, signer.at)
        };
        let authorized = request.authorize(key).map_err(ActionError::Invalid)?;
        Ok(Signed { action: self, host: signer.host, path, authorized })
    }

    /// Whether it is done: [`Attach`](Self::Attach) is also when it was before.
    pub fn read<'b>(self, answer: &Answer<'b>) -> Result<(), AnswerError<'b>> {
        match (self, answer.done()) {
            (Self::Attach { .. }, Err(AnswerError::Denied(denied))) if denied.kind() == EXISTS => {
                Ok(())
            }
            (_, outcome) => outcome,
        }
    }

    /// The names in the path.
    const fn names(self) -> [&'a str; 2] {
        match self {
            Self::Attach { policy, target } | Self::Detach { policy, target } => [policy, target],
            Self::ListAttached { target } => [target, target],
            Self::Create { policy, document } => [policy, document],
            Self::DescribeEndpoint => ["endpoint", "endpoint"],
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Attach { .. } => "PUT",
            Self::Detach { .. } | Self::ListAttached { .. } | Self::Create { .. } => "POST",
            Self::DescribeEndpoint => "GET",
        }
    }

    const fn query(self) -> &'static [Pair<'static>] {
        match self {
            Self::DescribeEndpoint => &[("endpointType", "iot:Data-ATS")],
            _ => &[],
        }
    }

    fn write_path(self, sink: &mut dyn Sink) {
        let (folder, name) = match self {
            Self::Attach { policy, .. } | Self::Detach { policy, .. } => {
                ("/target-policies/", policy)
            }
            Self::ListAttached { target } => ("/attached-policies/", target),
            Self::Create { policy, .. } => ("/policies/", policy),
            Self::DescribeEndpoint => ("/endpoint", ""),
        };
        folder.write(sink);
        PercentEncoded(name).write(sink);
    }
}

/// The host that devices connect to, from the answer to [`Action::DescribeEndpoint`].
pub fn read_endpoint<'b>(answer: &Answer<'b>) -> Result<Str<'b>, AnswerError<'b>> {
    answer.string("endpointAddress")
}

/// The names of what is attached, from the answer to [`Action::ListAttached`].
pub fn read_attached<'b>(answer: &Answer<'b>) -> Result<Attached<'b>, AnswerError<'b>> {
    let policies = answer.value()?.member("policies").ok_or(AnswerError::Malformed)?;
    Ok(Attached(policies.elements()))
}

/// Names of policies.
#[derive(Clone)]
pub struct Attached<'a>(Elements<'a>);

impl<'a> Iterator for Attached<'a> {
    type Item = Str<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find_map(|policy| policy.member("policyName").and_then(Value::string))
    }
}

/// A signed request for an action; writes itself, the same each time.
///
/// Whoever reads it can use it for some minutes, so keep it out of logs.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    action: Action<'a>,
    host: &'a str,
    path: &'a str,
    authorized: Authorized<'a>,
}

impl Text for Signed<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        Http {
            method: self.action.method(),
            target: &Target { path: self.path, query: self.action.query() },
            host: self.host,
            lines: &Lines(&self.authorized),
            body: &Body(self.action),
        }
        .write(sink);
    }
}

/// Shows the action only.
impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("action", &self.action).finish_non_exhaustive()
    }
}

/// Shows the action only.
#[cfg(feature = "defmt")]
impl defmt::Format for Signed<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Signed {{ {} }}", self.action);
    }
}

impl fmt::Debug for Attached<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Attached<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Attached");
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name of the policy or of its target is empty"),
            Self::TooLong => f.write_str("the name of the policy or of its target is too long"),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ActionError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Invalid(error) => Some(error),
            _ => None,
        }
    }
}

/// What is signed beside the host, the date and the token.
const HEADERS: &[Pair<'static>] = &[("content-type", "application/json")];

struct Lines<'r, 'a>(&'r Authorized<'a>);

impl Text for Lines<'_, '_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"Content-Type: application/json\r\n");
        self.0.write(sink);
    }
}

struct Target<'a> {
    path: &'a str,
    query: &'a [Pair<'a>],
}

impl Text for Target<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.path.write(sink);
        for (name, value) in self.query {
            sink.put(b"?");
            name.write(sink);
            sink.put(b"=");
            PercentEncoded(value).write(sink);
        }
    }
}

struct Body<'a>(Action<'a>);

impl Text for Body<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let (name, value) = match self.0 {
            Action::Attach { target, .. } | Action::Detach { target, .. } => ("target", target),
            Action::Create { document, .. } => ("policyDocument", document),
            Action::ListAttached { .. } | Action::DescribeEndpoint => return,
        };
        sink.put(b"{");
        Quoted(name).write(sink);
        sink.put(b":");
        Quoted(value).write(sink);
        sink.put(b"}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::{stream, written};
    use std::vec::Vec;

    const IDENTITY: &str = "eu-central-1:0a1b";

    fn signer() -> Signer<'static> {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "the-secret",
            session_token: Some("the-token"),
        };
        let at = UnixTime::parse_iso8601("2024-01-02T03:04:05Z").unwrap();
        let (region, host) = ("eu-central-1", "iot.eu-central-1.amazonaws.com");
        Signer { credentials, region, host, at }
    }

    #[test]
    fn action_is_a_signed_request() {
        let document = "{\"Statement\":\"x\"}";
        for (action, line, body) in [
            (
                Action::Attach { policy: "p+1", target: IDENTITY },
                "PUT /target-policies/p%2B1",
                "{\"target\":\"eu-central-1:0a1b\"}",
            ),
            (
                Action::Detach { policy: "p", target: IDENTITY },
                "POST /target-policies/p",
                "{\"target\":\"eu-central-1:0a1b\"}",
            ),
            (
                Action::ListAttached { target: IDENTITY },
                "POST /attached-policies/eu-central-1%3A0a1b",
                "",
            ),
            (
                Action::Create { policy: "p", document },
                "POST /policies/p",
                r#"{"policyDocument":"{\"Statement\":\"x\"}"}"#,
            ),
            (Action::DescribeEndpoint, "GET /endpoint?endpointType=iot%3AData-ATS", ""),
        ] {
            let mut memory = [0; PATH_MAX];
            let signed = action.sign(&signer(), &mut Key::new(), &mut memory).unwrap();
            let request = written(&signed);
            let head = std::format!(
                "{line} HTTP/1.1\r\nHost: iot.eu-central-1.amazonaws.com\r\nConnection: close\r\n\
                 Content-Length: {}\r\nContent-Type: application/json\r\n\
                 Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20240102/eu-central-1/iot/\
                 aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, ",
                body.len()
            );
            assert!(request.starts_with(&head), "{request}");
            assert!(
                request
                    .ends_with(&std::format!("\r\nX-Amz-Security-Token: the-token\r\n\r\n{body}"))
            );
            assert!(!std::format!("{signed:?}{:?}", signer()).contains("the-"));
        }
    }

    #[test]
    fn action_without_a_name_or_with_one_too_long_is_refused() {
        let sign = |policy, target, len: usize| {
            let mut memory = std::vec![0; len];
            let action = Action::Attach { policy, target };
            action.sign(&signer(), &mut Key::new(), &mut memory).map(drop)
        };
        assert_eq!(sign("", IDENTITY, 99), Err(ActionError::Empty));
        assert_eq!(sign("p", "", 99), Err(ActionError::Empty));
        assert_eq!(sign("policy", IDENTITY, 20), Err(ActionError::TooLong));
        assert_eq!(sign("policy", IDENTITY, 99), Ok(()));
        let bad = Signer { region: "", ..signer() };
        let mut memory = [0; 99];
        let refused = Action::DescribeEndpoint.sign(&bad, &mut Key::new(), &mut memory).map(drop);
        assert_eq!(refused, Err(ActionError::Invalid(InvalidInput::Region)));
    }

    #[test]
    fn policy_that_is_attached_already_is_attached() {
        let bytes =
            stream("409 Conflict", "x-amzn-errortype: ResourceAlreadyExistsException:x\r\n", "");
        let answer = Answer::parse(&bytes).unwrap();
        let (policy, target) = ("p", IDENTITY);
        assert!(Action::Attach { policy, target }.read(&answer).is_ok());
        assert!(Action::Create { policy, document: "{}" }.read(&answer).is_err());
        let bytes = stream("404 Not Found", "x-amzn-errortype: ResourceNotFoundException\r\n", "");
        let error = Action::Attach { policy, target }.read(&Answer::parse(&bytes).unwrap());
        let Err(AnswerError::Denied(denied)) = error else { panic!("{error:?}") };
        assert_eq!((denied.status().get(), denied.kind()), (404, "ResourceNotFoundException"));
        assert!(!denied.is_retryable());
    }

    #[test]
    fn endpoint_and_attached_policies_are_read() {
        let bytes = stream("200 OK", "", r#"{"endpointAddress":"a-ats.iot.x.amazonaws.com"}"#);
        let host = read_endpoint(&Answer::parse(&bytes).unwrap()).unwrap();
        assert_eq!(written(&host), "a-ats.iot.x.amazonaws.com");
        let body =
            r#"{"policies":[{"policyName":"a","policyArn":"x"},{"x":1},{"policyName":"b"}]}"#;
        let bytes = stream("200 OK", "", body);
        let names: Vec<_> = read_attached(&Answer::parse(&bytes).unwrap())
            .unwrap()
            .map(|name| written(&name))
            .collect();
        assert_eq!(names, ["a", "b"]);
        let bytes = stream("200 OK", "", "{}");
        let answer = Answer::parse(&bytes).unwrap();
        assert!(read_attached(&answer).is_err() && read_endpoint(&answer).is_err());
    }
}
