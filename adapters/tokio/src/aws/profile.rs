//! Credentials as the AWS command line finds them: environment, profiles, SSO, containers, EC2.

use super::{Credentials, CredentialsFuture, CredentialsProvider, Lifetime, ServiceError, now};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use dunlin_sigv4::UnixTime;
use std::{fmt, time::UNIX_EPOCH};

/// The chain of sources that the AWS SDK for Rust goes through, with its profile files.
///
/// `AWS_PROFILE`, `AWS_CONFIG_FILE` and the other variables of the AWS tools are read when it is made.
/// What the SDK itself fetches goes over its own HTTP client.
#[derive(Clone)]
pub struct Profile {
    config: SdkConfig,
}

impl Profile {
    /// The profile of that name; without one, what the environment and the default profile say.
    pub async fn load(name: Option<&str>) -> Self {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let http = Builder::new().tls_provider(tls).build_https();
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        let loader = match name {
            Some(name) => loader.profile_name(name),
            None => loader,
        };
        Self { config: loader.load().await }
    }

    /// The region that the profile or the environment names.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(AsRef::as_ref)
    }

    async fn issue(&self) -> Result<Credentials, ServiceError> {
        let provider = self.config.credentials_provider().ok_or(ServiceError::NoCredentials)?;
        let found = provider.provide_credentials().await;
        let found = found.map_err(|error| ServiceError::Provider(Box::new(error)))?;
        let (id, secret) = (found.access_key_id(), found.secret_access_key());
        let credentials = Credentials::new(id, secret, found.session_token());
        let Some(until) = found.expiry() else { return Ok(credentials) };
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        let lifetime = Lifetime::new(now(), UnixTime::from_secs(until.as_secs()));
        Ok(credentials.with_lifetime(lifetime))
    }
}

impl CredentialsProvider for Profile {
    fn credentials(&self) -> CredentialsFuture<'_> {
        Box::pin(self.issue())
    }
}

/// Shows the region only.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("region", &self.region()).finish_non_exhaustive()
    }
}
