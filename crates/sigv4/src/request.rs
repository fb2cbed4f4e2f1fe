//! What is signed: a request, by whom, for where and when.

use crate::canonical::{Form, HEADER_FORM, Marks, Plan, QUERY_FORM};
use crate::check::InvalidInput;
use crate::path::{is_clean, is_sendable};
use crate::time::Life;
use crate::{Authorized, Credentials, Key, Pairs, Payload, Presigned, UnixTime};
use core::fmt;

/// The service that AWS IoT Core's WebSocket endpoint signs for ("MQTT over the WebSocket
/// protocol", AWS IoT Core developer guide).
pub const IOT_SERVICE: &str = "iotdevicegateway";
/// Longest life of a signature in seconds: a week ("Authenticating Requests: Using Query
/// Parameters", Amazon S3 API reference).
const EXPIRES_MAX_S: u32 = 604_800;

/// A name and its value.
pub type Pair<'a> = (&'a str, &'a str);

/// Where a session token goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Token {
    /// Into what is signed, as nearly all services want it.
    Signed,
    /// Beside it: behind the signature, unsigned, as AWS IoT wants it: it refuses a signed one.
    Appended,
}

/// A request to sign, by whom, for where and when.
///
/// Start from [`Request::new`] or [`Request::iot`] and fill in what differs. Sign anew for each
/// attempt: most services take a signature for some minutes only, AWS IoT whatever its life is.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who signs.
    pub credentials: Credentials<'a>,
    /// The region of the endpoint, such as `eu-central-1`.
    pub region: &'a str,
    /// The service as a credential scope names it, such as [`IOT_SERVICE`]. Amazon S3 takes the
    /// path as it is; the path of any other service is normalised and encoded once more to be
    /// signed.
    pub service: &'a str,
    /// Now.
    pub at: UnixTime,
    /// As in the request line: `GET`.
    pub method: &'a str,
    /// As in the Host header: with the port, unless it is the default one. It is signed in lower
    /// case, so the header has to be sent in lower case.
    pub host: &'a str,
    /// As in the request line, without a query: `/mqtt`.
    pub path: &'a str,
    /// Names and values, not encoded.
    pub query: Pairs<'a>,
    /// What is signed beside the host, with repeated ones in the order they have in the request. What
    /// is not here may be sent, too, unsigned.
    pub headers: Pairs<'a>,
    /// What the signature says about the body.
    pub payload: Payload,
    /// Where the session token goes, if there is one.
    pub token: Token,
}

impl<'a> Request<'a> {
    /// A GET request for `/`, without a query or a body, with a token that is signed.
    pub const fn new(
        credentials: Credentials<'a>,
        region: &'a str,
        service: &'a str,
        host: &'a str,
        at: UnixTime,
    ) -> Self {
        Self {
            credentials,
            region,
            service,
            at,
            method: "GET",
            host,
            path: "/",
            query: Pairs::NONE,
            headers: Pairs::NONE,
            payload: Payload::Empty,
            token: Token::Signed,
        }
    }

    /// The WebSocket upgrade of AWS IoT Core, at `/mqtt`, with a token that is appended.
    pub const fn iot(
        credentials: Credentials<'a>,
        region: &'a str,
        host: &'a str,
        at: UnixTime,
    ) -> Self {
        let request = Self::new(credentials, region, IOT_SERVICE, host, at);
        Self { path: "/mqtt", token: Token::Appended, ..request }
    }

    /// Signs in query form: gives the request target, with the signature and for as many seconds as
    /// `expires` says; AWS IoT needs no such limit.
    ///
    /// Keep `key` for the next request; it is derived when it has to be.
    pub fn presign(
        &self,
        key: &mut Key,
        expires: Option<u32>,
    ) -> Result<Presigned<'a>, InvalidInput> {
        InvalidInput::Path.unless(is_sendable(self.path.as_bytes()))?;
        let mut plan = self.plan(&QUERY_FORM)?;
        if let Some(life_s) = expires {
            InvalidInput::Expires.unless((1..=EXPIRES_MAX_S).contains(&life_s))?;
            plan.marks.life = Life::of(life_s);
        }
        plan.sign(key)?;
        Ok(Presigned { request: self.without_secret(), marks: plan.marks })
    }

    /// Signs in header form: gives the headers to send with the request.
    ///
    /// Keep `key` for the next request; it is derived when it has to be.
    pub fn authorize(&self, key: &mut Key) -> Result<Authorized<'a>, InvalidInput> {
        InvalidInput::Path.unless(is_clean(self.path.as_bytes()))?;
        let mut plan = self.plan(&HEADER_FORM)?;
        plan.sign(key)?;
        Ok(Authorized { request: self.without_secret(), marks: plan.marks })
    }

    /// What has been signed has no more use for the secret.
    const fn without_secret(&self) -> Self {
        let mut request = *self;
        request.credentials.secret_access_key = "";
        request
    }

    /// Nothing of it has been checked but the time.
    pub(crate) fn plan(&self, form: &'static Form) -> Result<Plan<'_>, InvalidInput> {
        let mut plan = Plan { request: self, form, marks: Marks::NONE };
        InvalidInput::Time.unless(self.at.put_stamp(&mut plan.marks.stamp))?;
        Ok(plan)
    }
}

/// Shows the access key id, the scope, and the request line without its query.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("access_key_id", &self.credentials.access_key_id)
            .field("region", &self.region)
            .field("service", &self.service)
            .field("at", &self.at)
            .field("method", &self.method)
            .field("host", &self.host)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Shows the access key id, the scope, and the request line without its query.
#[cfg(feature = "defmt")]
impl defmt::Format for Request<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Request {{ access_key_id: {=str}, {=str}/{=str}, {}, {=str} {=str}{=str} }}",
            self.credentials.access_key_id,
            self.region,
            self.service,
            self.at,
            self.method,
            self.host,
            self.path
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_octet::{Sink, Text};
    use std::string::String;
    use std::vec::Vec;

    const CREDENTIALS: Credentials<'_> = Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: Some("TOKEN/with+special=chars"),
    };

    fn example() -> Request<'static> {
        let at = UnixTime::parse_iso8601("2024-01-02T03:04:05Z").unwrap();
        Request::iot(CREDENTIALS, "us-east-1", "example-ats.iot.us-east-1.amazonaws.com", at)
    }

    fn written(text: &dyn Text) -> String {
        struct Bytes(Vec<u8>);
        impl Sink for Bytes {
            fn put(&mut self, bytes: &[u8]) {
                self.0.extend_from_slice(bytes);
            }
        }
        let mut bytes = Bytes(Vec::new());
        text.write(&mut bytes);
        String::from_utf8(bytes.0).unwrap()
    }

    fn target(request: &Request<'_>) -> String {
        written(&request.presign(&mut Key::new(), None).unwrap())
    }

    #[test]
    fn host_in_upper_case_is_signed_in_lower_case() {
        let host = "EXAMPLE-ATS.iot.us-east-1.amazonaws.COM";
        assert_eq!(target(&Request { host, ..example() }), target(&example()));
    }

    #[test]
    fn target_of_a_path_with_dots_is_sent_as_it_is_and_signed_without_them() {
        let plain = target(&example());
        let dotted = target(&Request { path: "/a/..//./mqtt", ..example() });
        assert_eq!(dotted.strip_prefix("/a/..//.").unwrap(), plain);
    }

    #[test]
    fn header_lines_have_the_token_whether_it_is_signed_or_not() {
        let line = "\r\nX-Amz-Security-Token: TOKEN/with+special=chars\r\n";
        for (token, names) in [
            (Token::Signed, "SignedHeaders=host;x-amz-date;x-amz-security-token, "),
            (Token::Appended, "SignedHeaders=host;x-amz-date, "),
        ] {
            let request = Request { token, ..example() };
            let lines = written(&request.authorize(&mut Key::new()).unwrap());
            assert!(lines.contains(line) && lines.contains(names), "{lines}");
        }
    }

    #[test]
    fn debug_shows_neither_signature_nor_token_nor_secret_nor_values() {
        let (query, headers) = ([("a", "hidden")], [("b", "hidden")]);
        let request =
            Request { query: Pairs::of(&query), headers: Pairs::of(&headers), ..example() };
        let mut key = Key::new();
        let presigned = request.presign(&mut key, None).unwrap();
        let authorized = request.authorize(&mut key).unwrap();
        let authorization = authorized.authorization();
        let shown =
            std::format!("{request:?} {presigned:?} {authorized:?} {authorization:?} {key:?}");
        let signatures = [presigned.signature(), authorized.signature()];
        let digits = signatures.map(|signature| std::format!("{}, {}", signature[0], signature[1]));
        let [secret, token] =
            [CREDENTIALS.secret_access_key, CREDENTIALS.session_token.unwrap_or_default()];
        for hidden in ["hidden", &digits[0], &digits[1], secret, token] {
            assert!(!shown.contains(hidden), "{shown}");
        }
        assert_eq!(shown.matches("AKIDEXAMPLE").count(), 4, "{shown}");
    }

    #[test]
    fn what_has_been_signed_has_no_more_of_the_secret() {
        let mut key = Key::new();
        let presigned = example().presign(&mut key, None).unwrap();
        let authorized = example().authorize(&mut key).unwrap();
        for request in [presigned.request, authorized.request] {
            assert_eq!(request.credentials.secret_access_key, "");
            assert_eq!(request.credentials.access_key_id, CREDENTIALS.access_key_id);
        }
    }

    type Spoil = fn(&mut Request<'static>);

    /// In both forms.
    const SPOILS: &[(InvalidInput, Spoil)] = &[
        (InvalidInput::AccessKeyId, |r| r.credentials.access_key_id = ""),
        (InvalidInput::AccessKeyId, |r| r.credentials.access_key_id = "AKID/EXAMPLE"),
        (InvalidInput::AccessKeyId, |r| r.credentials.access_key_id = "AKID EXAMPLE"),
        (InvalidInput::SecretAccessKey, |r| r.credentials.secret_access_key = ""),
        (InvalidInput::SecretAccessKey, |r| r.credentials.secret_access_key = "secret\n"),
        (InvalidInput::SessionToken, |r| r.credentials.session_token = Some("")),
        (InvalidInput::SessionToken, |r| r.credentials.session_token = Some("token\0")),
        (InvalidInput::Region, |r| r.region = ""),
        (InvalidInput::Region, |r| r.region = "us east 1"),
        (InvalidInput::Region, |r| r.region = "us-east-1\n"),
        (InvalidInput::Region, |r| r.region = "us/east"),
        (InvalidInput::Service, |r| r.service = ""),
        (InvalidInput::Service, |r| r.service = "iot/x"),
        (InvalidInput::Host, |r| r.host = ""),
        (InvalidInput::Host, |r| r.host = "example.com "),
        (InvalidInput::Host, |r| r.host = "example.com\r\nx-amz-date:1"),
        (InvalidInput::Method, |r| r.method = ""),
        (InvalidInput::Method, |r| r.method = "GET /"),
        (InvalidInput::Path, |r| r.path = ""),
        (InvalidInput::Path, |r| r.path = "mqtt"),
        (InvalidInput::Path, |r| r.path = "/mqtt?a=b"),
        (InvalidInput::Path, |r| r.path = "/mq\r\ntt"),
        (InvalidInput::Path, |r| (r.service, r.path) = ("s3", "/a+b")),
        (InvalidInput::Time, |r| r.at = UnixTime::from_secs(UnixTime::MAX.as_secs() + 1)),
        (InvalidInput::Time, |r| r.at = UnixTime::from_secs(u64::MAX)),
        (InvalidInput::Header, |r| r.headers = Pairs::of(&[("a", ""), ("", "")])),
        (InvalidInput::Header, |r| r.headers = Pairs::of(&[("a b", "")])),
        (InvalidInput::Header, |r| r.headers = Pairs::of(&[("a", "b\r\nc: d")])),
        (InvalidInput::Header, |r| r.headers = Pairs::of(&[("Host", "example.com")])),
        (InvalidInput::Header, |r| r.headers = Pairs::of(&[("X-Amz-Date", "20240102T030405Z")])),
        (InvalidInput::Header, |r| r.headers = Pairs::of(&[("x-amz-security-token", "")])),
        (InvalidInput::Header, |r| r.headers = Pairs::of(&[("Authorization", "")])),
    ];

    #[test]
    fn input_that_is_malformed_is_refused_by_its_name() {
        for (index, (fault, spoil)) in SPOILS.iter().enumerate() {
            let mut request = example();
            spoil(&mut request);
            let mut key = Key::new();
            let presigned = request.presign(&mut key, None).map(|_| ());
            assert_eq!(presigned, Err(*fault), "{index}");
            assert_eq!(request.authorize(&mut key).map(|_| ()), Err(*fault), "{index}");
        }
    }

    #[test]
    fn input_that_one_form_alone_cannot_have_is_refused_by_that_form() {
        const HASH: &[Pair<'_>] = &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
        const DATE: &[Pair<'_>] = &[("b", ""), ("x-amz-date", "")];
        const SIGNATURE: &[Pair<'_>] = &[("X-Amz-Signature", "")];
        let outcomes = |request: &Request<'_>| {
            let mut key = Key::new();
            let presigned = request.presign(&mut key, None).map(|_| ());
            [presigned.err(), request.authorize(&mut key).map(|_| ()).err()]
        };
        for path in ["/mq tt", "/é", "/%"] {
            let refused = [Some(InvalidInput::Path), None];
            assert_eq!(outcomes(&Request { path, ..example() }), refused, "{path}");
        }
        for query in [DATE, SIGNATURE] {
            let refused = [Some(InvalidInput::Query), None];
            assert_eq!(outcomes(&Request { query: Pairs::of(query), ..example() }), refused);
        }
        let request = Request { headers: Pairs::of(HASH), ..example() };
        assert_eq!(outcomes(&request), [None, None]);
        let request = Request { service: "s3", ..request };
        assert_eq!(outcomes(&request), [None, Some(InvalidInput::Header)]);
    }

    #[test]
    fn life_of_a_signature_is_a_week_at_most() {
        for (life_s, outcome) in [
            (0, Err(InvalidInput::Expires)),
            (1, Ok(())),
            (604_800, Ok(())),
            (604_801, Err(InvalidInput::Expires)),
        ] {
            let signed = example().presign(&mut Key::new(), Some(life_s));
            assert_eq!(signed.map(|_| ()), outcome);
        }
        let last = Request { at: UnixTime::MAX, ..example() };
        assert!(last.presign(&mut Key::new(), None).is_ok());
    }
}
