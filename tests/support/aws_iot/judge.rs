//! The check of a signed upgrade: each refusal has its own name.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Key;
use super::clock::parse_basic;
use super::head::Head;

const SERVICE: &str = "iotdevicegateway";
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TOKEN: &str = "X-Amz-Security-Token";
const SIGNATURE: &str = "X-Amz-Signature";
/// How far apart the clocks of client and gateway may be ("Troubleshoot AWS Signature Version 4",
/// AWS IAM User Guide: five minutes).
pub(super) const WINDOW_S: u64 = 300;
/// A week, the longest life of a signature ("Authenticating Requests: Using Query Parameters",
/// Amazon S3 API reference).
const EXPIRES_MAX_S: u64 = 604_800;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// It is not an HTTP/1.1 request, its query is none, or its head is too long.
    Malformed,
    /// The method is not GET.
    Method,
    /// The path is not `/mqtt`.
    Path,
    /// Neither subprotocol of MQTT is offered.
    Subprotocol,
    /// There is not exactly one Host header.
    Host,
    /// A parameter of the signature is missing, or not in its form.
    Parameter,
    /// The algorithm is another one.
    Algorithm,
    /// The credential is not a key and a scope.
    Credential,
    /// No such access key is known.
    UnknownKey,
    /// The scope is for another day than the date of the request.
    ScopeDate,
    /// The scope is for another region.
    Region,
    /// The scope is for another service.
    Service,
    /// The date is more than five minutes from now.
    Clock,
    /// The signature has outlived `X-Amz-Expires`.
    Expired,
    /// The key needs a session token, and there is none.
    TokenMissing,
    /// The key is a permanent one, and there is a session token.
    TokenUnexpected,
    /// The session token is another one.
    TokenWrong,
    /// The time of the session token is over.
    TokenExpired,
    /// The session token is among what was signed.
    TokenSigned,
    /// `host` is not among the signed headers, or one of them did not come.
    SignedHeaders,
    /// The signature is not that of this request under this key.
    Signature,
    /// There is no such custom authorizer, or it does not know the token.
    Authorizer,
    /// The client has shown no certificate.
    Certificate,
}

/// What requests are judged by.
pub(super) struct Gate<'a> {
    pub(super) region: &'a str,
    pub(super) keys: &'a [Key],
    pub(super) now_s: u64,
}

impl<'a> Gate<'a> {
    /// The key that signed, or the first thing that is wrong.
    pub(super) fn judge(&self, head: &Head) -> Result<&'a Key, Judgement> {
        let raw_query = check_request(head)?;
        let query = Query::parse(raw_query)?;
        ensure(query.value("X-Amz-Algorithm")? == ALGORITHM, Judgement::Algorithm)?;
        let credential = query.value("X-Amz-Credential")?;
        let [key_id, day, region, service, "aws4_request"] =
            credential.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(Judgement::Credential);
        };
        let known = self.keys.iter().find(|key| key.access_key_id == key_id);
        let key = known.ok_or(Judgement::UnknownKey)?;
        let date = query.value("X-Amz-Date")?;
        ensure(date.split('T').next() == Some(day), Judgement::ScopeDate)?;
        ensure(region == self.region, Judgement::Region)?;
        ensure(service == SERVICE, Judgement::Service)?;
        self.check_time(&query, &date)?;
        check_token(&query, key)?;
        check_signature(head, &query, key, &[day, region, service], &date)?;
        Ok(key)
    }

    fn check_time(&self, query: &Query<'_>, date: &str) -> Result<(), Judgement> {
        let signed_s = parse_basic(date).ok_or(Judgement::Parameter)?;
        ensure(signed_s.abs_diff(self.now_s) <= WINDOW_S, Judgement::Clock)?;
        if !query.has("X-Amz-Expires") {
            return Ok(());
        }
        let life_s: u64 =
            query.value("X-Amz-Expires")?.parse().map_err(|_| Judgement::Parameter)?;
        ensure((1..=EXPIRES_MAX_S).contains(&life_s), Judgement::Parameter)?;
        ensure(self.now_s <= signed_s + life_s, Judgement::Expired)
    }
}

pub(super) fn ensure(holds: bool, otherwise: Judgement) -> Result<(), Judgement> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// What is asked of any upgrade; returns the query as it came.
pub(super) fn check_request(head: &Head) -> Result<&str, Judgement> {
    ensure(head.method == "GET", Judgement::Method)?;
    let (path, query) = head.path_and_query();
    ensure(path == "/mqtt", Judgement::Path)?;
    ensure(head.subprotocol().is_some(), Judgement::Subprotocol)?;
    ensure(head.values("host").len() == 1, Judgement::Host)?;
    Ok(query)
}

/// AWS IoT wants the token of a temporary key beside the signature.
fn check_token(query: &Query<'_>, key: &Key) -> Result<(), Judgement> {
    match (&key.session_token, query.has(TOKEN)) {
        (None, false) => Ok(()),
        (None, true) => Err(Judgement::TokenUnexpected),
        (Some(_), false) => Err(Judgement::TokenMissing),
        (Some(token), true) => {
            let came = query.value(TOKEN)?;
            ensure(is_same(token.as_bytes(), came.as_bytes()), Judgement::TokenWrong)
        }
    }
}

fn check_signature(
    head: &Head,
    query: &Query<'_>,
    key: &Key,
    scope: &[&str; 3],
    date: &str,
) -> Result<(), Judgement> {
    let signature = query.value(SIGNATURE)?;
    let signature = decode_hex(&signature).ok_or(Judgement::Parameter)?;
    let headers = canonical_headers(head, &query.value("X-Amz-SignedHeaders")?)?;
    let signs = |left_out: &[&str]| {
        let canonical_query = query.canonical(left_out);
        let empty_hash = hex(&Sha256::digest(b""));
        let request = format!("GET\n/mqtt\n{canonical_query}\n{headers}\n{empty_hash}");
        verifies(key, scope, date, &request, &signature)
    };
    if signs(&[SIGNATURE, TOKEN]) {
        return Ok(());
    }
    ensure(!(query.has(TOKEN) && signs(&[SIGNATURE])), Judgement::TokenSigned)?;
    Err(Judgement::Signature)
}

/// Whether a signature is that of a canonical request under a key, for a day, a region and a service.
pub(super) fn verifies(
    key: &Key,
    scope: &[&str; 3],
    date: &str,
    request: &str,
    signature: &[u8],
) -> bool {
    let scope = format!("{}/aws4_request", scope.join("/"));
    let request_hash = hex(&Sha256::digest(request));
    let text = format!("{ALGORITHM}\n{date}\n{scope}\n{request_hash}");
    let mac = signing_key(&key.secret_access_key, scope.split('/')).chain_update(text);
    mac.verify_slice(signature).is_ok()
}

/// The signed headers with their values, an empty line, and the list itself.
pub(super) fn canonical_headers(head: &Head, list: &str) -> Result<String, Judgement> {
    let names: Vec<&str> = list.split(';').collect();
    let in_order = names.is_sorted_by(|a, b| a < b);
    ensure(in_order && names.contains(&"host"), Judgement::SignedHeaders)?;
    let mut lines = String::new();
    for name in names {
        let values = head.values(name);
        ensure(!values.is_empty(), Judgement::SignedHeaders)?;
        let single_spaced = |value: &&str| {
            value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        };
        let values: Vec<String> = values.iter().map(single_spaced).collect();
        lines += &format!("{name}:{}\n", values.join(","));
    }
    Ok(format!("{lines}\n{list}"))
}

/// An HMAC under the signing key, which is a chain of HMACs over the parts of the scope.
fn signing_key<'a>(secret: &str, scope: impl Iterator<Item = &'a str>) -> Hmac<Sha256> {
    let under = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    let first = under(format!("AWS4{secret}").as_bytes());
    scope.fold(first, |mac, part| under(&mac.chain_update(part).finalize().into_bytes()))
}

/// The pairs of a query as they came, in order of their bytes.
struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    fn parse(raw: &'a str) -> Result<Self, Judgement> {
        let pair = |pair: &'a str| pair.split_once('=').ok_or(Judgement::Malformed);
        let mut pairs = raw.split('&').map(pair).collect::<Result<Vec<_>, _>>()?;
        pairs.sort_unstable();
        // Of a name that comes twice, who knows which one was meant.
        ensure(pairs.is_sorted_by(|a, b| a.0 < b.0), Judgement::Malformed)?;
        Ok(Self(pairs))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| *other == name)
    }

    fn value(&self, name: &str) -> Result<String, Judgement> {
        let pair = self.0.iter().find(|(other, _)| *other == name);
        pair.and_then(|(_, value)| decode_percent(value)).ok_or(Judgement::Parameter)
    }

    fn canonical(&self, left_out: &[&str]) -> String {
        let kept = self.0.iter().filter(|(name, _)| !left_out.contains(name));
        kept.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }
}

pub(super) fn decode_percent(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.extend(decode_hex(digits)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares in a time that tells no more than the lengths.
pub(super) fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}
