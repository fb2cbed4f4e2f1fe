//! Custom authorizers: what proves an identity to a function of the account's own.

use crate::UPGRADE_PATH;
use core::fmt;
use dunlin::{
    octet::{Sink, Text},
    ws::Field,
};
use dunlin_sigv4::PercentEncoded;

/// Longest name of an authorizer and of a token key, in bytes (`CreateAuthorizer`, AWS IoT API
/// reference).
pub const AUTHORIZER_NAME_MAX: usize = 128;

const NAME: &str = "x-amz-customauthorizer-name";
const SIGNATURE: &str = "x-amz-customauthorizer-signature";

/// What a custom authorizer is asked with ("Connecting to AWS IoT Core by using custom
/// authentication", AWS IoT Core developer guide).
///
/// It goes into one place of three: the header fields of an upgrade request, its target, or the user
/// name of CONNECT. User name and password of CONNECT come to the authorizer as well.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Authorizer<'a> {
    /// Which authorizer; the account's default one without a name.
    name: Option<&'a str>,
    token: Option<Token<'a>>,
}

/// A token, and its signature where the authorizer wants one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Token<'a> {
    key: &'a str,
    value: &'a str,
    signature: Option<&'a str>,
}

/// What cannot be sent to an authorizer. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidAuthorizer {
    /// The name has a character that no authorizer's has, or is too long.
    Name,
    /// The token key has a character that none has, is too long, or is one of AWS's own.
    TokenKey,
    /// The token is empty, or not printable ASCII.
    Token,
    /// The signature is not base64; it is encoded here where it has to be.
    Signature,
    /// The user name has a question mark, which ends it.
    UserName,
}

impl<'a> Authorizer<'a> {
    /// The account's default authorizer, without a token.
    pub const fn new() -> Self {
        Self { name: None, token: None }
    }

    /// The authorizer of this name.
    pub fn with_name(self, name: &'a str) -> Result<Self, InvalidAuthorizer> {
        let allowed = |byte| is_word(byte) || matches!(byte, b'=' | b',' | b'@');
        InvalidAuthorizer::Name.unless(is_made_of(name, allowed))?;
        Ok(Self { name: Some(name), ..self })
    }

    /// With a token under the key that the authorizer was created with.
    pub fn with_token(self, key: &'a str, value: &'a str) -> Result<Self, InvalidAuthorizer> {
        let is_own = [NAME, SIGNATURE].iter().any(|own| key.eq_ignore_ascii_case(own));
        InvalidAuthorizer::TokenKey.unless(is_made_of(key, is_word) && !is_own)?;
        let printable = value.bytes().all(|byte| byte.is_ascii_graphic());
        InvalidAuthorizer::Token.unless(printable && !value.is_empty())?;
        Ok(Self { token: Some(Token { key, value, signature: None }), ..self })
    }

    /// The same with the token's signature, in base64 as it was made; it is percent-encoded here where
    /// that is needed.
    pub fn with_signed_token(
        self,
        key: &'a str,
        value: &'a str,
        signature: &'a str,
    ) -> Result<Self, InvalidAuthorizer> {
        InvalidAuthorizer::Signature.unless(is_base64(signature))?;
        let Self { name, token } = self.with_token(key, value)?;
        Ok(Self { name, token: token.map(|token| Token { signature: Some(signature), ..token }) })
    }

    /// Header fields for an upgrade request.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.pairs().map(|(name, value)| Field { name, value })
    }

    /// The target of an upgrade request, for clients that cannot send header fields.
    pub const fn target(&self) -> AuthorizerTarget<'a> {
        AuthorizerTarget(*self)
    }

    /// The user name of CONNECT; `user` is what the authorizer gets as the user name, often nothing.
    pub fn user_name(&self, user: &'a str) -> Result<AuthorizerUserName<'a>, InvalidAuthorizer> {
        InvalidAuthorizer::UserName.unless(!user.contains('?'))?;
        Ok(AuthorizerUserName { user, authorizer: *self })
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let token = self.token;
        let signature = token.and_then(|token| token.signature);
        let pairs = [
            self.name.map(|name| (NAME, name)),
            signature.map(|signature| (SIGNATURE, signature)),
            token.map(|token| (token.key, token.value)),
        ];
        pairs.into_iter().flatten()
    }

    /// Writes a question mark and all pairs behind it.
    fn write_query(&self, sink: &mut dyn Sink) {
        let mut separator = "?";
        for (name, value) in self.pairs() {
            separator.write(sink);
            // Its characters need no encoding.
            name.write(sink);
            sink.put(b"=");
            PercentEncoded(value).write(sink);
            separator = "&";
        }
    }
}

/// Shows the name alone.
impl fmt::Debug for Authorizer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Shows the name alone.
#[cfg(feature = "defmt")]
impl defmt::Format for Authorizer<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Authorizer {{ name: {} }}", self.name);
    }
}

/// A target that asks a custom authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AuthorizerTarget<'a>(Authorizer<'a>);

impl Text for AuthorizerTarget<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        UPGRADE_PATH.write(sink);
        self.0.write_query(sink);
    }
}

/// A user name that asks a custom authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AuthorizerUserName<'a> {
    user: &'a str,
    authorizer: Authorizer<'a>,
}

impl Text for AuthorizerUserName<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        self.user.write(sink);
        self.authorizer.write_query(sink);
    }
}

impl InvalidAuthorizer {
    const fn unless(self, holds: bool) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for InvalidAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => {
                "the authorizer's name must have 1 to 128 letters, digits and characters of -_=,@"
            }
            Self::TokenKey => {
                "the token key must have 1 to 128 letters, digits, hyphens and underscores, as it \
                 was given when the authorizer was created"
            }
            Self::Token => "the token must be printable ASCII without blanks",
            Self::Signature => {
                "the token's signature must be base64, and not percent-encoded: it is encoded here"
            }
            Self::UserName => "the user name must have no question mark",
        })
    }
}

impl core::error::Error for InvalidAuthorizer {}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_made_of(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    (1..=AUTHORIZER_NAME_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// RFC 4648 §4, with its padding.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len().saturating_sub(digits.len());
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    !digits.is_empty()
        && padding <= 2
        && text.len().is_multiple_of(4)
        && digits.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String, vec::Vec};

    const SIGNED: &str = "aGVsbG8+d29ybGQ/IQ==";

    fn written(text: &dyn Text) -> String {
        struct All(Vec<u8>);
        impl Sink for All {
            fn put(&mut self, bytes: &[u8]) {
                self.0.extend_from_slice(bytes);
            }
        }
        let mut all = All(Vec::new());
        text.write(&mut all);
        String::from_utf8(all.0).unwrap()
    }

    fn example() -> Authorizer<'static> {
        let named = Authorizer::new().with_name("my-authorizer").unwrap();
        named.with_signed_token("token-key", "a.token/of+mine", SIGNED).unwrap()
    }

    #[test]
    fn authorizer_goes_into_each_of_three_places() {
        let fields: Vec<_> = example().fields().map(|field| (field.name, field.value)).collect();
        assert_eq!(
            fields,
            [(NAME, "my-authorizer"), (SIGNATURE, SIGNED), ("token-key", "a.token/of+mine")]
        );
        let query = "?x-amz-customauthorizer-name=my-authorizer\
                     &x-amz-customauthorizer-signature=aGVsbG8%2Bd29ybGQ%2FIQ%3D%3D\
                     &token-key=a.token%2Fof%2Bmine";
        assert_eq!(written(&example().target()), format!("/mqtt{query}"));
        assert_eq!(written(&example().user_name("me").unwrap()), format!("me{query}"));
    }

    #[test]
    fn default_authorizer_needs_nothing() {
        let default = Authorizer::new();
        assert_eq!(default.fields().count(), 0);
        assert_eq!(written(&default.target()), "/mqtt");
        assert_eq!(written(&default.user_name("me").unwrap()), "me");
        let with_token = default.with_token("k", "v").unwrap();
        assert_eq!(written(&with_token.user_name("").unwrap()), "?k=v");
    }

    #[test]
    fn part_that_cannot_be_sent_is_refused() {
        let longest = "n".repeat(AUTHORIZER_NAME_MAX);
        let new = Authorizer::new;
        assert!(new().with_name(&longest).is_ok() && new().with_token(&longest, "v").is_ok());
        for name in ["", "a b", "a/b", "a?b", "ä", &format!("{longest}n")] {
            assert_eq!(new().with_name(name), Err(InvalidAuthorizer::Name), "{name}");
            assert_eq!(new().with_token(name, "v"), Err(InvalidAuthorizer::TokenKey), "{name}");
        }
        let own = new().with_token("X-Amz-CustomAuthorizer-Name", "v");
        assert_eq!(own, Err(InvalidAuthorizer::TokenKey));
        for token in ["", "a b", "a\r\nb", "ä", "\u{7f}"] {
            assert_eq!(new().with_token("k", token), Err(InvalidAuthorizer::Token), "{token:?}");
        }
        for signature in ["", "=", "abc", "abcd=", "ab=d", "a===", "aGVsbG8%2B", "ab-_", "abc d"] {
            let refused = new().with_signed_token("k", "v", signature);
            assert_eq!(refused, Err(InvalidAuthorizer::Signature), "{signature}");
        }
        assert_eq!(new().user_name("a?b"), Err(InvalidAuthorizer::UserName));
    }

    #[test]
    fn authorizer_in_debug_output_shows_no_secret() {
        let user_name = example().user_name("me").unwrap();
        let shown = format!("{:?} {:?} {user_name:?}", example(), example().target());
        assert!(shown.contains("my-authorizer"), "{shown}");
        assert!(!shown.contains("a.token") && !shown.contains("aGVs"), "{shown}");
    }
}
