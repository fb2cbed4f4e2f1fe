//! The AWS IoT credentials provider: a device's certificate for temporary credentials.
//!
//! One exchange, a GET over mutual TLS with the account's own host, `PREFIX.credentials.iot.
//! REGION.amazonaws.com` ("Authorizing direct calls to AWS services using AWS IoT Core credential
//! provider", AWS IoT Core developer guide).

use crate::exchange::{Answer, AnswerError, Http, check};
use crate::expiring::Issued;
use crate::json::Value;
use dunlin::ws::{Field, InvalidRequest, Request};
use dunlin_octet::{Sink, Text, Writer};
use dunlin_sigv4::{PercentEncoded, UnixTime};

/// Asks for credentials of the role behind a role alias.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RoleAlias<'a> {
    host: &'a str,
    alias: &'a str,
    thing: Option<&'a str>,
}

impl<'a> RoleAlias<'a> {
    /// The role behind `alias`, asked for at `host`.
    pub fn new(host: &'a str, alias: &'a str) -> Result<Self, InvalidRequest> {
        check(host, &"/")?;
        if alias.is_empty() {
            return Err(InvalidRequest::Target);
        }
        Ok(Self { host, alias, thing: None })
    }

    /// Names the thing whose certificate it is; policies may use its name.
    pub fn thing(self, thing: &'a str) -> Result<Self, InvalidRequest> {
        Request::new(self.host, &"/", &[Field { name: THING, value: thing }])?;
        Ok(Self { thing: Some(thing), ..self })
    }

    /// The credentials.
    pub fn read<'b>(answer: &Answer<'b>) -> Result<Issued<'b>, AnswerError<'b>> {
        issued(answer.value()?).ok_or(AnswerError::Malformed)
    }
}

/// The header field that names a thing.
const THING: &str = "x-amzn-iot-thingname";

fn issued(value: Value<'_>) -> Option<Issued<'_>> {
    let credentials = value.member("credentials")?;
    let string = |name| credentials.member(name).and_then(Value::string);
    let mut memory = [0; 24];
    let mut until = Writer::new(&mut memory);
    string("expiration")?.write(&mut until);
    let until = core::str::from_utf8(until.written()).ok()?;
    Some(Issued {
        access_key_id: string("accessKeyId")?,
        secret_access_key: string("secretAccessKey")?,
        session_token: string("sessionToken")?,
        until: UnixTime::parse_iso8601(until)?,
    })
}

impl Text for RoleAlias<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let (target, lines) = (Target(self.alias), Lines(self.thing));
        let Self { host, .. } = *self;
        Http { method: "GET", target: &target, host, lines: &lines, body: &"" }.write(sink);
    }
}

struct Target<'a>(&'a str);

impl Text for Target<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"/role-aliases/");
        PercentEncoded(self.0).write(sink);
        sink.put(b"/credentials");
    }
}

struct Lines<'a>(Option<&'a str>);

impl Text for Lines<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        if let Some(thing) = self.0 {
            THING.write(sink);
            sink.put(b": ");
            thing.write(sink);
            sink.put(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::{stream, written};

    const HOST: &str = "prefix.credentials.iot.eu-central-1.amazonaws.com";

    #[test]
    fn credentials_of_a_role_alias_are_asked_for() {
        let request = RoleAlias::new(HOST, "role=a/b").unwrap();
        let head = std::format!(
            "GET /role-aliases/role%3Da%2Fb/credentials HTTP/1.1\r\nHost: {HOST}\r\n\
             Connection: close\r\nContent-Length: 0\r\n"
        );
        assert_eq!(written(&request), std::format!("{head}\r\n"));
        let named = request.thing("lamp").unwrap();
        assert_eq!(written(&named), std::format!("{head}x-amzn-iot-thingname: lamp\r\n\r\n"));
        assert_eq!(request.thing("a\r\nb").map(drop), Err(InvalidRequest::FieldValue));
        assert_eq!(RoleAlias::new(HOST, "").map(drop), Err(InvalidRequest::Target));
        assert_eq!(RoleAlias::new("h h", "a").map(drop), Err(InvalidRequest::Host));
    }

    /// The example of the AWS IoT Core developer guide.
    #[test]
    fn credentials_are_read() {
        let bytes = stream(
            "200 OK",
            "",
            r#"{"credentials":{"accessKeyId":"access key","secretAccessKey":"secret access key",
            "sessionToken":"session token","expiration":"2018-01-18T09:18:06Z"}}"#,
        );
        let issued = RoleAlias::read(&Answer::parse(&bytes).unwrap()).unwrap();
        assert_eq!(issued.until().as_secs(), 1_516_267_086);
        let kept = issued.keep([0; 64], UnixTime::from_secs(1_516_263_486)).unwrap();
        assert_eq!(kept.credentials().access_key_id, "access key");
        assert_eq!(kept.credentials().secret_access_key, "secret access key");
        assert_eq!(kept.credentials().session_token, Some("session token"));
    }

    #[test]
    fn answer_with_another_time_is_malformed_and_a_no_is_denied() {
        for until in ["\"tomorrow\"", "7", "\"2018-01-18T09:18:06Z and some more words\""] {
            let body = std::format!(
                r#"{{"credentials":{{"accessKeyId":"","secretAccessKey":"","sessionToken":"","expiration":{until}}}}}"#
            );
            let bytes = stream("200 OK", "", &body);
            let read = RoleAlias::read(&Answer::parse(&bytes).unwrap());
            assert!(matches!(read, Err(AnswerError::Malformed)), "{until}");
        }
        let bytes = stream("403 Forbidden", "", r#"{"message":"Access Denied"}"#);
        let error = RoleAlias::read(&Answer::parse(&bytes).unwrap()).unwrap_err();
        assert_eq!(std::format!("{error}"), "refused (status 403): Access Denied");
    }
}
