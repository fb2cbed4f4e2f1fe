//! The query form: a request target that carries its own signature.

use crate::canonical::{ALGORITHM, Payload, Request, Scope};
use crate::check::{InvalidInput, is_host, is_name, is_path, is_visible};
use crate::encode::{Hex, Lower, Percent, decimal};
use crate::key::DIGEST_LEN;
use crate::{Credentials, UnixTime};
use core::fmt;
use dunlin_octet::{Sink, Text};

/// The service that AWS IoT Core's WebSocket endpoint signs for ("MQTT over the WebSocket
/// protocol", AWS IoT Core developer guide).
pub const IOT_SERVICE: &str = "iotdevicegateway";
/// Longest life of a signature in seconds: a week ("Authenticating Requests: Using Query
/// Parameters", Amazon S3 API reference).
const EXPIRES_MAX_S: u32 = 604_800;

/// Where a session token goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Into the signed part of the query, as nearly all services want it.
    Signed,
    /// Behind the signature, unsigned, as AWS IoT wants it: it refuses a signed one.
    Appended,
}

/// A GET request whose target is to be signed.
///
/// Sign anew for each connection: AWS IoT takes a signature for some minutes only, whatever
/// [`expires`](Self::expires) says.
#[derive(Clone, Copy, Debug)]
pub struct Presign<'a> {
    /// Who signs.
    pub credentials: Credentials<'a>,
    /// The region of the endpoint, such as `eu-central-1`.
    pub region: &'a str,
    /// The service, such as [`IOT_SERVICE`].
    pub service: &'a str,
    /// As in the Host header: with the port, unless it is the default one. It is signed in lower
    /// case, so the header has to be sent in lower case.
    pub host: &'a str,
    /// As in the request line, without a query: `/mqtt`.
    pub path: &'a str,
    /// Now.
    pub at: UnixTime,
    /// How many seconds the signature shall live; AWS IoT needs none.
    pub expires: Option<u32>,
    /// Where the session token goes, if there is one.
    pub token: Token,
    /// What the signature says about the body.
    pub payload: Payload,
}

impl<'a> Presign<'a> {
    /// The WebSocket upgrade of AWS IoT Core, at `/mqtt`.
    pub const fn iot(
        credentials: Credentials<'a>,
        region: &'a str,
        host: &'a str,
        at: UnixTime,
    ) -> Self {
        Self {
            credentials,
            region,
            service: IOT_SERVICE,
            host,
            path: "/mqtt",
            at,
            expires: None,
            token: Token::Appended,
            payload: Payload::Empty,
        }
    }
}

/// Signs a request target ("Create a signed AWS API request", query string).
pub fn presign<'a>(request: &Presign<'a>) -> Result<Presigned<'a>, InvalidInput> {
    check(request)?;
    let Presign { credentials, region, service, host, path, .. } = *request;
    let stamp = request.at.stamp().ok_or(InvalidInput::Time)?;
    let query = Query {
        access_key_id: credentials.access_key_id,
        scope: Scope { stamp, region, service },
        expires: request.expires,
        token: credentials.session_token.map(|token| (request.token, token)),
    };
    let mut signature = [0; DIGEST_LEN];
    Request {
        method: "GET",
        path,
        query: &query,
        headers: &[("host", &LowerCase(host))],
        payload: request.payload,
    }
    .sign(credentials.secret_access_key, &query.scope, &mut signature);
    Ok(Presigned { path, query, signature })
}

/// A signed request target, `/path?query`; writing it again gives the same bytes.
///
/// Holds the signature, and borrows the rest but for the secret. Whoever reads the target can use
/// it until it expires, so keep it out of logs.
#[derive(Clone, Copy)]
pub struct Presigned<'a> {
    path: &'a str,
    query: Query<'a>,
    signature: [u8; DIGEST_LEN],
}

impl Presigned<'_> {
    /// The signature in bytes; the target has it as 64 hexadecimal digits.
    pub const fn signature(&self) -> &[u8; 32] {
        &self.signature
    }
}

impl Text for Presigned<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.path.write(sink);
        sink.put(b"?");
        self.query.write(sink);
        sink.put(b"&X-Amz-Signature=");
        Hex::new(sink).put(&self.signature);
        self.query.write_token(Token::Appended, sink);
    }
}

/// Shows the path and the access key id only.
impl fmt::Debug for Presigned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigned")
            .field("path", &self.path)
            .field("access_key_id", &self.query.access_key_id)
            .finish_non_exhaustive()
    }
}

fn check(request: &Presign<'_>) -> Result<(), InvalidInput> {
    let Credentials { access_key_id, secret_access_key, session_token } = request.credentials;
    // A slash would end the access key id within the credential.
    let is_key_id = is_visible(access_key_id) && !access_key_id.contains('/');
    InvalidInput::AccessKeyId.unless(is_key_id)?;
    InvalidInput::SecretAccessKey.unless(is_visible(secret_access_key))?;
    InvalidInput::SessionToken.unless(session_token.is_none_or(is_visible))?;
    InvalidInput::Region.unless(is_name(request.region))?;
    InvalidInput::Service.unless(is_name(request.service))?;
    InvalidInput::Host.unless(is_host(request.host))?;
    InvalidInput::Path.unless(is_path(request.path))?;
    let in_range = |life_s: u32| (1..=EXPIRES_MAX_S).contains(&life_s);
    InvalidInput::Expires.unless(request.expires.is_none_or(in_range))
}

/// The canonical query: sorted by name, encoded, without the signature.
#[derive(Clone, Copy)]
struct Query<'a> {
    access_key_id: &'a str,
    scope: Scope<'a>,
    expires: Option<u32>,
    token: Option<(Token, &'a str)>,
}

impl Query<'_> {
    /// Puts the session token, if `place` is where it goes.
    fn write_token(&self, place: Token, sink: &mut dyn Sink) {
        if let Some((_, token)) = self.token.filter(|(wanted, _)| *wanted == place) {
            sink.put(b"&X-Amz-Security-Token=");
            token.write(&mut Percent::query(sink));
        }
    }
}

impl Text for Query<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(b"X-Amz-Algorithm=");
        ALGORITHM.write(sink);
        sink.put(b"&X-Amz-Credential=");
        let mut encoded = Percent::query(sink);
        self.access_key_id.write(&mut encoded);
        encoded.put(b"/");
        self.scope.write(&mut encoded);
        sink.put(b"&X-Amz-Date=");
        self.scope.stamp.write(sink);
        if let Some(life_s) = self.expires {
            sink.put(b"&X-Amz-Expires=");
            decimal(life_s, sink);
        }
        self.write_token(Token::Signed, sink);
        sink.put(b"&X-Amz-SignedHeaders=host");
    }
}

struct LowerCase<'a>(&'a str);

impl Text for LowerCase<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.0.write(&mut Lower::new(sink));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    const EXAMPLE: Credentials<'_> = Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: None,
    };
    const TOKEN: &str = "TOKEN/with+special=chars";

    fn example() -> Presign<'static> {
        let at = UnixTime::parse_iso8601("2024-01-02T03:04:05Z").unwrap();
        Presign::iot(EXAMPLE, "us-east-1", "example-ats.iot.us-east-1.amazonaws.com", at)
    }

    fn target(request: &Presign<'_>) -> String {
        struct Bytes(Vec<u8>);
        impl Sink for Bytes {
            fn put(&mut self, bytes: &[u8]) {
                self.0.extend_from_slice(bytes);
            }
        }
        let mut bytes = Bytes(Vec::new());
        presign(request).unwrap().write(&mut bytes);
        String::from_utf8(bytes.0).unwrap()
    }

    /// Signed alike by Amplify's Signer and awscrt.
    #[test]
    fn iot_target_without_expires_is_the_one_official_clients_make() {
        let expected = "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request\
            &X-Amz-Date=20240102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature=\
            66faa12ef25fa85ef6e921b378e8fbb6cd5b7a0dba6947bcdfa3d69c75d3a2d8";
        assert_eq!(target(&example()), expected);

        let mut with_token = example();
        with_token.credentials.session_token = Some(TOKEN);
        let token = "&X-Amz-Security-Token=TOKEN%2Fwith%2Bspecial%3Dchars";
        assert_eq!(target(&with_token), expected.to_string() + token);
    }

    /// Signed alike by Amplify's Signer, awscrt and botocore.
    #[test]
    fn iot_target_with_expires_and_token_is_the_one_official_clients_make() {
        let mut request = Presign { expires: Some(86_400), ..example() };
        request.credentials.session_token = Some(TOKEN);
        let expected = "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request\
            &X-Amz-Date=20240102T030405Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=3f04b6a356e0e066ccd290cdf8a265b916c715151449231e678622b0778e67e1\
            &X-Amz-Security-Token=TOKEN%2Fwith%2Bspecial%3Dchars";
        assert_eq!(target(&request), expected);
    }

    /// The example of "Authenticating Requests: Using Query Parameters" (Amazon S3 API reference).
    #[test]
    fn s3_target_of_the_documented_example_is_the_documented_one() {
        let request = Presign {
            credentials: Credentials {
                access_key_id: "AKIAIOSFODNN7EXAMPLE",
                secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                session_token: None,
            },
            region: "us-east-1",
            service: "s3",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            at: UnixTime::parse_iso8601("2013-05-24T00:00:00Z").unwrap(),
            expires: Some(86_400),
            token: Token::Signed,
            payload: Payload::Unsigned,
        };
        let expected = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert_eq!(target(&request), expected);
    }

    #[test]
    fn host_in_upper_case_is_signed_in_lower_case() {
        let host = "EXAMPLE-ATS.iot.us-east-1.amazonaws.COM";
        assert_eq!(target(&Presign { host, ..example() }), target(&example()));
    }

    #[test]
    fn presigned_debug_shows_neither_signature_nor_token() {
        let mut request = example();
        request.credentials.session_token = Some(TOKEN);
        let shown = std::format!("{:?} {request:?}", presign(&request).unwrap());
        for secret in ["66faa12e", "102, 250", TOKEN, EXAMPLE.secret_access_key] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("AKIDEXAMPLE"), "{shown}");
    }

    #[test]
    fn input_that_is_malformed_is_refused_by_its_name() {
        type Spoil = fn(&mut Presign<'static>);
        let spoils: [(InvalidInput, Spoil); 24] = [
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
            (InvalidInput::Path, |r| r.path = ""),
            (InvalidInput::Path, |r| r.path = "mqtt"),
            (InvalidInput::Path, |r| r.path = "/mq tt"),
            (InvalidInput::Path, |r| r.path = "/mqtt?a=b"),
            (InvalidInput::Time, |r| r.at = UnixTime::from_secs(UnixTime::MAX.as_secs() + 1)),
            (InvalidInput::Time, |r| r.at = UnixTime::from_secs(u64::MAX)),
            (InvalidInput::Expires, |r| r.expires = Some(0)),
            (InvalidInput::Expires, |r| r.expires = Some(604_801)),
        ];
        for (fault, spoil) in spoils {
            let mut request = example();
            spoil(&mut request);
            assert_eq!(presign(&request).map(|_| ()), Err(fault), "{request:?}");
        }
        for edge in [1, 604_800] {
            assert!(presign(&Presign { expires: Some(edge), ..example() }).is_ok());
        }
        assert!(presign(&Presign { at: UnixTime::MAX, ..example() }).is_ok());
    }
}
