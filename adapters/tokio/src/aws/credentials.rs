//! Credentials as a host keeps them, and where they come from.

use super::ServiceError;
use dunlin_aws::{Expiring, Issued, Lifetime};
use dunlin_sigv4::UnixTime;
use std::{fmt, pin::Pin, sync::Arc};

/// Credentials and how long they are good; wiped when dropped, and never shown.
pub struct Credentials(Expiring<Vec<u8>>);

impl Credentials {
    /// Long-lived credentials, or temporary ones that somebody else renews.
    pub fn new(access_key_id: &str, secret_access_key: &str, session_token: Option<&str>) -> Self {
        let credentials =
            dunlin_sigv4::Credentials { access_key_id, secret_access_key, session_token };
        Self::kept(&credentials, Lifetime::ENDLESS)
    }

    /// The same with a lifetime, for a [`CredentialsProvider`].
    #[must_use]
    pub fn with_lifetime(self, lifetime: Lifetime) -> Self {
        Self::kept(&self.parts(), lifetime)
    }

    /// From when to when they are good.
    pub const fn lifetime(&self) -> Lifetime {
        self.0.lifetime()
    }

    /// Names the key; no secret.
    pub fn access_key_id(&self) -> &str {
        self.0.credentials().access_key_id
    }

    /// What to sign with.
    pub(crate) fn parts(&self) -> dunlin_sigv4::Credentials<'_> {
        self.0.credentials()
    }

    /// As a service has issued them.
    pub(super) fn issued(issued: &Issued<'_>, now: UnixTime) -> Self {
        let kept = issued.keep(vec![0; issued.len()], now);
        Self(kept.expect("the memory is as long as they are"))
    }

    fn kept(credentials: &dunlin_sigv4::Credentials<'_>, lifetime: Lifetime) -> Self {
        let token = credentials.session_token.unwrap_or_default();
        let len =
            credentials.access_key_id.len() + credentials.secret_access_key.len() + token.len();
        let kept = Expiring::new(vec![0; len], credentials, lifetime);
        Self(kept.expect("the memory is as long as they are"))
    }
}

/// Shows the access key id and the lifetime only.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id())
            .field("lifetime", &self.lifetime())
            .finish_non_exhaustive()
    }
}

/// What a [`CredentialsProvider`] is doing.
pub type CredentialsFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Credentials, ServiceError>> + Send + 'a>>;

/// Gets credentials.
///
/// Asked before a connection is made, when there are none or they are about to end
/// ([`Lifetime::is_due`]), and asked again after each failure, with the client's backoff in between.
/// What it gives is kept, so that it need not keep it itself.
pub trait CredentialsProvider: Send + Sync {
    /// Gets credentials that are good for a while, or says why it cannot.
    ///
    /// The future may be dropped at any time: when the client is closed, or its time is over.
    fn credentials(&self) -> CredentialsFuture<'_>;
}

impl<T: CredentialsProvider + ?Sized> CredentialsProvider for Arc<T> {
    fn credentials(&self) -> CredentialsFuture<'_> {
        (**self).credentials()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_show_the_key_id_alone() {
        let credentials = Credentials::new("AKID", "the-secret", Some("the-token"));
        assert_eq!(credentials.parts().secret_access_key, "the-secret");
        assert_eq!(credentials.parts().session_token, Some("the-token"));
        let until = UnixTime::from_secs(7);
        let credentials = credentials.with_lifetime(Lifetime::new(until, until));
        let shown = format!("{credentials:?}");
        assert!(shown.contains("AKID") && !shown.contains("the-"), "{shown}");
        assert_eq!(credentials.lifetime().until(), until);
    }
}
