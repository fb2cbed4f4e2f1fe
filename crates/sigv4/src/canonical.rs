//! The canonical request and its signature ("Create a signed AWS API request"), the core of both
//! forms.
//!
//! All that is written stands in tables of steps, each of which is a constant and what comes behind
//! it: less code than a call for each, and fewer and longer pieces for the hash.

use crate::Key;
use crate::check::InvalidInput;
use crate::class::{ANY, Class, HOST, KEY_ID, LOWER, NAME, TOKEN, UNRESERVED, VISIBLE, all};
use crate::encode::{Hex, put};
use crate::hash::{DIGEST_LEN, Digest, sha256};
use crate::pairs::{MERGE, Merge, Pairs};
use crate::path::{PathRule, is_canonical};
use crate::request::{Request, Token};
#[cfg(doc)]
use crate::sorted;
use crate::time::{Life, Stamp};
use dunlin_octet::{Sink, Text};

/// A constant, and what stands behind it; neither is written where the latter is missing.
pub(crate) struct Step {
    pub(crate) before: &'static str,
    pub(crate) field: Field,
    /// What is kept of the field as it is.
    kept: Class,
}

/// In place of a class: the field is no text of the request's, but is made as it is written.
pub(crate) const MADE: Class = 0;

/// Shortens the tables.
pub(crate) const fn step(before: &'static str, field: Field, kept: Class) -> Step {
    Step { before, field, kept }
}

/// A part of what is signed or sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Nothing,
    Secret,
    AccessKeyId,
    Region,
    Service,
    Day,
    Stamp,
    Life,
    Host,
    Method,
    Path,
    CanonicalPath,
    Payload,
    /// The payload, where its hash is a header: Amazon S3 insists on it in header form.
    PayloadHeader,
    /// The session token, wherever it goes.
    Token,
    SignedToken,
    AppendedToken,
    /// First of the canonical request, then of the string to sign: the signature.
    Digest,
    List(List),
}

/// Where the signature goes, and with it all that says how it was made.
pub(crate) struct Form {
    /// Parameters that signing adds, sorted as [`sorted::QUERY`] has it. What may be missing stands in
    /// a step of its own.
    query: &'static [Step],
    /// Headers that it adds, sorted as [`sorted::HEADERS`] has it.
    headers: &'static [Step],
    /// For lists of more than the one header that query form signs.
    merge: Option<&'static Merge>,
}

/// Into the query.
pub(crate) static QUERY_FORM: Form = Form {
    query: &[
        step("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=", Field::AccessKeyId, UNRESERVED),
        step("%2F", Field::Day, ANY),
        step("%2F", Field::Region, ANY),
        step("%2F", Field::Service, ANY),
        step("%2Faws4_request&X-Amz-Date=", Field::Stamp, ANY),
        step("&X-Amz-Expires=", Field::Life, ANY),
        step("&X-Amz-Security-Token=", Field::SignedToken, UNRESERVED),
        step("&X-Amz-SignedHeaders=", Field::List(List::QueryNames), MADE),
    ],
    headers: &[step("host:", Field::Host, LOWER)],
    merge: None,
};

/// Into headers.
pub(crate) static HEADER_FORM: Form = Form {
    query: &[],
    headers: &[
        step("host:", Field::Host, LOWER),
        step("\nx-amz-content-sha256:", Field::PayloadHeader, MADE),
        step("\nx-amz-date:", Field::Stamp, ANY),
        step("\nx-amz-security-token:", Field::SignedToken, ANY),
    ],
    merge: Some(&MERGE),
};

/// "Create a canonical request".
const CANONICAL: &[Step] = &[
    step("", Field::Method, ANY),
    step("\n", Field::CanonicalPath, MADE),
    step("\n", Field::List(List::Query), MADE),
    step("\n", Field::List(List::Headers), MADE),
    // One ends the last header, one ends them all.
    step("\n\n", Field::List(List::Names), MADE),
    step("\n", Field::Payload, MADE),
];

/// Algorithm, time, scope, and the hash of the canonical request ("Create a string to sign").
const STRING_TO_SIGN: &[Step] = &[
    step("AWS4-HMAC-SHA256\n", Field::Stamp, ANY),
    step("\n", Field::Day, ANY),
    step("/", Field::Region, ANY),
    step("/", Field::Service, ANY),
    step("/aws4_request\n", Field::Digest, MADE),
];

/// What has to be of which class, and is not empty, for a key to be derived from it.
pub(crate) const KEY_CHECKS: &[Check] = &[
    (Field::Secret, VISIBLE, InvalidInput::SecretAccessKey),
    (Field::Region, NAME, InvalidInput::Region),
    (Field::Service, NAME, InvalidInput::Service),
];
/// The same for all else that is signed.
const CHECKS: &[Check] = &[
    (Field::AccessKeyId, KEY_ID, InvalidInput::AccessKeyId),
    (Field::Token, VISIBLE, InvalidInput::SessionToken),
    (Field::Host, HOST, InvalidInput::Host),
    (Field::Method, TOKEN, InvalidInput::Method),
];

pub(crate) type Check = (Field, Class, InvalidInput);

/// A request, the form that it gets, and what comes of it.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'r> {
    pub(crate) request: &'r Request<'r>,
    pub(crate) form: &'static Form,
    pub(crate) marks: Marks,
}

/// What stands in a signed request beside what the caller has.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) stamp: Stamp,
    pub(crate) life: Life,
    pub(crate) digest: Digest,
}

impl Marks {
    /// Before it is signed.
    pub(crate) const NONE: Self =
        Self { stamp: Stamp::NONE, life: Life::NONE, digest: [0; DIGEST_LEN] };
}

impl Plan<'_> {
    /// Whether it can be signed, if there is a key.
    // Not inlined, so that the stack is free again when the signing begins.
    #[inline(never)]
    fn check(&self) -> Result<(), InvalidInput> {
        self.check_fields(CHECKS)?;
        let path = self.request.path.as_bytes();
        InvalidInput::Path.unless(self.rule() != PathRule::Verbatim || is_canonical(path))?;
        for list in [List::Query, List::Headers] {
            if let Some(merge) = self.parts(list).0.merge {
                (merge.check)(self, list)?;
            }
        }
        Ok(())
    }

    /// Whether each field is what it has to be.
    #[inline(never)]
    pub(crate) fn check_fields(&self, checks: &[Check]) -> Result<(), InvalidInput> {
        for (field, class, fault) in checks {
            if let Some(text) = self.text(*field) {
                fault.unless(!text.is_empty() && all(text, *class))?;
            }
        }
        Ok(())
    }

    /// What the caller adds to a list, and what signing adds.
    pub(crate) const fn parts(&self, list: List) -> (&Pairs<'_>, &'static [Step]) {
        match list {
            List::Query => (&self.request.query, self.form.query),
            _ => (&self.request.headers, self.form.headers),
        }
    }

    /// Signs with `key`, which is derived if it is not the one for this request; the path has been looked
    /// at as its form asks.
    pub(crate) fn sign(&mut self, key: &mut Key) -> Result<(), InvalidInput> {
        self.check()?;
        key.renew_for(self)?;
        let mut digest = [0; DIGEST_LEN];
        sha256(&Steps { plan: self, steps: CANONICAL }, &mut digest);
        self.marks.digest = digest;
        key.sign(&Steps { plan: self, steps: STRING_TO_SIGN }, &mut digest);
        self.marks.digest = digest;
        Ok(())
    }

    fn rule(&self) -> PathRule {
        PathRule::of(self.request.service)
    }

    /// The session token, if `place` is where it goes.
    fn token(&self, place: Token) -> Option<&str> {
        self.request.credentials.session_token.filter(|_| self.request.token == place)
    }

    /// What a field is, before it is encoded; nothing for what is no single text, `None` for what is
    /// missing.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn text(&self, field: Field) -> Option<&[u8]> {
        let request = self.request;
        let text = match field {
            Field::Secret => request.credentials.secret_access_key,
            Field::AccessKeyId => request.credentials.access_key_id,
            Field::Region => request.region,
            Field::Service => request.service,
            Field::Day => return Some(self.marks.stamp.day()),
            Field::Stamp => return Some(self.marks.stamp.whole()),
            Field::Life => return self.marks.life.digits(),
            Field::Host => request.host,
            Field::Method => request.method,
            Field::Path | Field::CanonicalPath => request.path,
            Field::PayloadHeader if self.rule() != PathRule::Verbatim => return None,
            Field::Token => request.credentials.session_token?,
            Field::SignedToken => self.token(Token::Signed)?,
            Field::AppendedToken => self.token(Token::Appended)?,
            _ => "",
        };
        Some(text.as_bytes())
    }

    /// Puts all steps whose field is there.
    #[inline(never)]
    pub(crate) fn write(&self, steps: &[Step], sink: &mut dyn Sink) {
        for step in steps {
            if let Some(text) = self.text(step.field) {
                sink.put(step.before.as_bytes());
                self.write_field(step, text, sink);
            }
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn write_field(&self, step: &Step, text: &[u8], sink: &mut dyn Sink) {
        match step.kept {
            ANY => sink.put(text),
            MADE => self.write_made(step.field, text, sink),
            kept => put(text, kept, sink),
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn write_made(&self, field: Field, text: &[u8], sink: &mut dyn Sink) {
        match field {
            Field::CanonicalPath => self.rule().put(text, sink),
            Field::Payload | Field::PayloadHeader => self.request.payload.write(sink),
            Field::Digest => Hex(&self.marks.digest).write(sink),
            Field::List(list) => self.write_list(list, sink),
            _ => {}
        }
    }

    /// Puts a list in its order, encoded, without the signature.
    fn write_list(&self, list: List, sink: &mut dyn Sink) {
        let (pairs, ours) = self.parts(list);
        match (pairs.merge.or(self.form.merge), list) {
            (Some(merge), _) => (merge.write)(self, list, sink),
            (None, List::Query | List::Headers) => self.write(ours, sink),
            // The one header of query form.
            (None, List::Names | List::QueryNames) => sink.put(b"host"),
        }
    }
}

/// Steps of a plan, as text.
pub(crate) struct Steps<'r> {
    pub(crate) plan: &'r Plan<'r>,
    pub(crate) steps: &'static [Step],
}

impl Text for Steps<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.plan.write(self.steps, sink);
    }
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
    /// The same, encoded as a parameter's value.
    QueryNames,
}
