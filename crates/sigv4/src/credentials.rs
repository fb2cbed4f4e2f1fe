//! Who signs.

use core::fmt;

/// An access key, and the session token that comes with a temporary one.
///
/// Borrowed for the length of one call; whoever holds the strings wipes them.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Names the key; travels in the clear.
    pub access_key_id: &'a str,
    /// Signs, and never travels.
    pub secret_access_key: &'a str,
    /// Proves that a temporary key is still good; travels, but is a secret.
    pub session_token: Option<&'a str>,
}

/// Shows the access key id only.
impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Shows the access key id only.
#[cfg(feature = "defmt")]
impl defmt::Format for Credentials<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Credentials {{ access_key_id: {=str} }}", self.access_key_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_debug_keeps_secret_and_token_to_itself() {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "the-secret",
            session_token: Some("the-token"),
        };
        let shown = std::format!("{credentials:?}");
        assert_eq!(shown, "Credentials { access_key_id: \"AKIDEXAMPLE\", .. }");
    }
}
