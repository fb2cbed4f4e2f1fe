//! The canonical request and its signature ("Create a signed AWS API request"), the core of both
//! forms.

use crate::Key;
use crate::encode::{Encoded, Encoding, Hex, PercentEncoded, Trimmed, decimal};
use crate::hash::{Digest, sha256};
use crate::path::{CanonicalPath, PathRule};
use crate::request::{Request, Token};
use crate::sorted::{Order, Sorted};
use crate::time::Stamp;
use dunlin_octet::{Sink, Text};

/// The one algorithm of Signature Version 4.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The parameter that carries the signature, and so is not signed itself.
const SIGNATURE: &str = "X-Amz-Signature";
/// The header that carries the signature, and so is not signed itself.
const AUTHORIZATION: &str = "authorization";

/// Where the signature goes, and with it all that says how it was made.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// Into the query.
    Query {
        /// How many seconds the signature shall live.
        expires: Option<u32>,
    },
    /// Into headers.
    Headers,
}

/// A parameter or header that signing adds to the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    Algorithm,
    Credential,
    Date,
    Expires,
    Hash,
    Host,
    SignedHeaders,
    Token,
}

type Ours = &'static [(&'static str, Own)];

/// Sorted as [`Order::Query`] has it.
const PARAMETERS: Ours = &[
    ("X-Amz-Algorithm", Own::Algorithm),
    ("X-Amz-Credential", Own::Credential),
    ("X-Amz-Date", Own::Date),
    ("X-Amz-Expires", Own::Expires),
    ("X-Amz-Security-Token", Own::Token),
    ("X-Amz-SignedHeaders", Own::SignedHeaders),
];
/// Sorted as [`Order::Headers`] has it.
const HEADERS: Ours = &[
    ("host", Own::Host),
    ("x-amz-content-sha256", Own::Hash),
    ("x-amz-date", Own::Date),
    ("x-amz-security-token", Own::Token),
];
/// In query form, the query has the rest.
const HEADERS_OF_QUERY_FORM: Ours = &[("host", Own::Host)];

/// A request whose parts have been checked, and the form that it gets.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'r> {
    pub(crate) request: &'r Request<'r>,
    pub(crate) stamp: Stamp,
    pub(crate) form: Form,
}

impl<'r> Plan<'r> {
    /// Signs with `key`, which is derived if it is not the one for this request.
    pub(crate) fn sign(&self, key: &mut Key, signature: &mut Digest) {
        key.renew_for(self);
        self.hash(signature);
        let digest = *signature;
        key.sign(&StringToSign { plan: self, digest: &digest }, signature);
    }

    // Not inlined, like the key's work, so that the stack holds one of them at a time.
    #[inline(never)]
    fn hash(&self, digest: &mut Digest) {
        sha256(&Canonical(self), digest);
    }

    /// Whether the caller may not have a parameter of that name.
    pub(crate) fn makes_parameter(&self, name: &str) -> bool {
        let is_own = |own: &str| is_same(own, name);
        matches!(self.form, Form::Query { .. })
            && (is_own(SIGNATURE) || PARAMETERS.iter().any(|(own, _)| is_own(own)))
    }

    /// Whether the caller may not have a header of that name.
    pub(crate) fn makes_header(&self, name: &str) -> bool {
        let is_own = |own: &str| is_same(own, name);
        let makes = |own: Own| own != Own::Hash || self.has_hash();
        is_own(AUTHORIZATION) || HEADERS.iter().any(|(header, own)| is_own(header) && makes(*own))
    }

    /// Whether the hash of the payload is a header: Amazon S3 insists on it in header form.
    pub(crate) fn has_hash(&self) -> bool {
        matches!(self.form, Form::Headers) && self.rule() == PathRule::Verbatim
    }

    fn rule(&self) -> PathRule {
        PathRule::of(self.request.service)
    }

    /// The session token, if `place` is where it goes.
    pub(crate) fn token(&self, place: Token) -> Option<&'r str> {
        self.request.credentials.session_token.filter(|_| self.request.token == place)
    }

    /// Puts day, region and service, each with that slash behind it.
    fn write_scope(&self, slash: &str, sink: &mut dyn Sink) {
        sink.put(self.stamp.day());
        slash.write(sink);
        self.request.region.write(sink);
        slash.write(sink);
        self.request.service.write(sink);
        slash.write(sink);
        sink.put(b"aws4_request");
    }

    /// Puts the access key id and the scope.
    pub(crate) fn write_credential(&self, sink: &mut dyn Sink) {
        self.request.credentials.access_key_id.write(sink);
        sink.put(b"/");
        self.write_scope("/", sink);
    }

    /// Puts the same as a query has it: nothing but the access key id needs a look.
    fn write_encoded_credential(&self, sink: &mut dyn Sink) {
        PercentEncoded(self.request.credentials.access_key_id).write(sink);
        sink.put(b"%2F");
        self.write_scope("%2F", sink);
    }

    /// Puts a list in its order, encoded, without the signature.
    #[inline(never)]
    pub(crate) fn write_list(&self, list: List, sink: &mut dyn Sink) {
        let (pairs, encoding, between, equals) = match list {
            List::Query => (self.parameters(), Encoding::Percent, "&", "="),
            List::Headers => (self.headers(), Encoding::Lower, "\n", ":"),
            List::Names => (self.headers(), Encoding::Lower, ";", ""),
        };
        let mut last = None;
        for (name, value) in pairs {
            let is_repeated = last.is_some_and(|last| list.joins() && is_same(name, last));
            if !is_repeated {
                last.map_or("", |_| between).write(sink);
                match value {
                    // Ours are what they would become.
                    Value::Own(_) => name.write(sink),
                    Value::Given(_) => name.write(&mut Encoded { inner: sink, encoding }),
                }
            }
            let before = if is_repeated { "," } else { equals };
            if list != List::Names {
                before.write(sink);
                self.write_value(value, list, sink);
            }
            last = Some(name);
        }
    }

    fn write_value(&self, value: Value<'_>, list: List, sink: &mut dyn Sink) {
        let mut encoded = Encoded { inner: sink, encoding: Encoding::Percent };
        match (value, list) {
            (Value::Given(value), List::Query) => value.write(&mut encoded),
            (Value::Given(value), _) => Trimmed(value).write(sink),
            (Value::Own(Own::Credential), List::Query) => self.write_encoded_credential(sink),
            (Value::Own(own @ (Own::Token | Own::SignedHeaders)), List::Query) => {
                self.write_own(own, &mut encoded);
            }
            (Value::Own(own), _) => self.write_own(own, sink),
        }
    }

    #[inline(never)]
    fn write_own(&self, own: Own, sink: &mut dyn Sink) {
        match own {
            Own::Algorithm => ALGORITHM.write(sink),
            Own::Credential => self.write_credential(sink),
            Own::Date => self.stamp.write(sink),
            Own::Expires => {
                if let Form::Query { expires: Some(life_s) } = self.form {
                    decimal(life_s, sink);
                }
            }
            Own::Hash => self.request.payload.write(sink),
            Own::Host => {
                let encoding = Encoding::Lower;
                self.request.host.write(&mut Encoded { inner: sink, encoding });
            }
            Own::SignedHeaders => self.write_list(List::Names, sink),
            Own::Token => self.token(Token::Signed).unwrap_or_default().write(sink),
        }
    }

    fn parameters(&self) -> Merged<'_> {
        let ours: Ours = match self.form {
            Form::Query { .. } => PARAMETERS,
            Form::Headers => &[],
        };
        Merged { plan: self, ours, theirs: Sorted::new(self.request.query, Order::Query) }
    }

    fn headers(&self) -> Merged<'_> {
        let ours: Ours = match self.form {
            Form::Query { .. } => HEADERS_OF_QUERY_FORM,
            Form::Headers => HEADERS,
        };
        Merged { plan: self, ours, theirs: Sorted::new(self.request.headers, Order::Headers) }
    }

    fn is_signed(&self, own: Own) -> bool {
        match own {
            Own::Expires => matches!(self.form, Form::Query { expires: Some(_) }),
            Own::Token => self.token(Token::Signed).is_some(),
            Own::Hash => self.has_hash(),
            _ => true,
        }
    }
}

/// Whether two names are one but for the case.
fn is_same(one: &str, other: &str) -> bool {
    Order::Headers.names(one, other).is_eq()
}

/// A part of the canonical request that is sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// `name=value&name=value`.
    Query,
    /// Each on a line, values of one name behind each other.
    Headers,
    /// The names of the headers, each of them once.
    Names,
}

impl List {
    /// Whether pairs of one name become one.
    fn joins(self) -> bool {
        self != Self::Query
    }
}

/// Where a value comes from.
#[derive(Clone, Copy)]
enum Value<'a> {
    Own(Own),
    Given(&'a str),
}

/// What signing adds and what the caller has, in one order; a name is never in both.
struct Merged<'a> {
    plan: &'a Plan<'a>,
    ours: Ours,
    theirs: Sorted<'a>,
}

impl<'a> Iterator for Merged<'a> {
    type Item = (&'a str, Value<'a>);

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        let order = self.theirs.order();
        let theirs = self.theirs.peek();
        while let [(name, own), rest @ ..] = self.ours {
            if theirs.is_some_and(|(pair, _)| order.names(pair.0, name).is_lt()) {
                break;
            }
            self.ours = rest;
            if self.plan.is_signed(*own) {
                return Some((name, Value::Own(*own)));
            }
        }
        let (name, value) = *theirs?.0;
        self.theirs.take(theirs?);
        Some((name, Value::Given(value)))
    }
}

/// The canonical request ("Create a canonical request").
struct Canonical<'r>(&'r Plan<'r>);

impl Text for Canonical<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        let request = self.0.request;
        request.method.write(sink);
        sink.put(b"\n");
        CanonicalPath { path: request.path, rule: self.0.rule() }.write(sink);
        sink.put(b"\n");
        self.0.write_list(List::Query, sink);
        sink.put(b"\n");
        self.0.write_list(List::Headers, sink);
        // One ends the last header, one ends them all.
        sink.put(b"\n\n");
        self.0.write_list(List::Names, sink);
        sink.put(b"\n");
        request.payload.write(sink);
    }
}

/// Algorithm, time, scope, and the hash of the canonical request ("Create a string to sign").
struct StringToSign<'r> {
    plan: &'r Plan<'r>,
    digest: &'r Digest,
}

impl Text for StringToSign<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        ALGORITHM.write(sink);
        sink.put(b"\n");
        self.plan.stamp.write(sink);
        sink.put(b"\n");
        self.plan.write_scope("/", sink);
        sink.put(b"\n");
        Hex(self.digest).write(sink);
    }
}
