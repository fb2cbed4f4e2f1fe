//! Custom authorizers: a name and a token in the request, or in the user name of CONNECT.

use super::Judgement;
use super::head::Head;
use super::judge::{check_request, decode_percent, is_same};
use super::quirks::Authorizer;

const NAME: &str = "x-amz-customauthorizer-name";
const SIGNATURE: &str = "x-amz-customauthorizer-signature";

/// Whether the request is for a custom authorizer: its name is in a header or in the query.
pub(super) fn is_meant(head: &Head) -> bool {
    value(head, NAME).is_some()
}

/// Whether the authorizer lets the request in.
pub(super) fn judge(authorizer: Option<&Authorizer>, head: &Head) -> Result<(), Judgement> {
    check_request(head)?;
    let known = authorizer.is_some_and(|authorizer| authorizer.knows(|name| value(head, name)));
    if known { Ok(()) } else { Err(Judgement::Authorizer) }
}

impl Authorizer {
    /// Whether CONNECT brings all of it in its user name, and the right password.
    pub(super) fn knows_user(&self, user_name: Option<&str>, password: Option<&[u8]>) -> bool {
        let (user, query) = user_name.and_then(|name| name.split_once('?')).unwrap_or_default();
        self.knows(|name| find(query, name)) && self.is_user(Some(user), password)
    }

    /// Whether user and password are those that it wants besides.
    pub(super) fn is_user(&self, user: Option<&str>, password: Option<&[u8]>) -> bool {
        self.user.as_ref().is_none_or(|(name, secret)| {
            let user = user.map(|user| user.split('?').next().unwrap_or_default());
            user == Some(name) && is_same(password.unwrap_or_default(), secret.as_bytes())
        })
    }

    fn knows(&self, value: impl Fn(&str) -> Option<String>) -> bool {
        let same = |name: &str, wanted: &str| {
            value(name).is_some_and(|value| is_same(value.as_bytes(), wanted.as_bytes()))
        };
        let is_signed = self.signature.as_ref().is_none_or(|wanted| same(SIGNATURE, wanted));
        same(NAME, &self.name) && same(&self.token_key, &self.token) && is_signed
    }
}

fn value(head: &Head, name: &str) -> Option<String> {
    let header = head.values(&name.to_ascii_lowercase()).first().map(|&value| value.to_owned());
    header.or_else(|| find(head.path_and_query().1, name))
}

fn find(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(other, _)| other.eq_ignore_ascii_case(name))?;
    decode_percent(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_name_brings_name_token_and_signature() {
        let authorizer = Authorizer {
            name: "Gate".to_owned(),
            token_key: "ticket".to_owned(),
            token: "12+34".to_owned(),
            signature: Some("c2ln/w==".to_owned()),
            user: Some(("ada".to_owned(), "enigma".to_owned())),
        };
        let user = "ada?x-amz-customauthorizer-name=Gate&ticket=12%2B34\
            &x-amz-customauthorizer-signature=c2ln%2Fw%3D%3D";
        let knows = |user: &str, password: &[u8]| authorizer.knows_user(Some(user), Some(password));
        assert!(knows(user, b"enigma"));
        assert!(!knows(user, b"other"));
        assert!(!knows(&user.replace("ada", "bob"), b"enigma"));
        assert!(!knows(&user.replace("Gate", "Door"), b"enigma"));
        assert!(!knows(&user.replace("12%2B34", "12"), b"enigma"));
        assert!(!knows(&user.replace("c2ln", "c2lm"), b"enigma"));
        assert!(!knows("ada", b"enigma"));
    }
}
