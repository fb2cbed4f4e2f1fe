//! Credentials as the AWS command line finds them: environment, profiles, SSO, containers, EC2.

use super::{Credentials, CredentialsFuture, CredentialsProvider, Lifetime, ServiceError, now};
use aws_config::{
    BehaviorVersion, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use dunlin_sigv4::UnixTime;
use std::{error::Error, fmt, iter, time::UNIX_EPOCH};

/// The chain of sources that the AWS SDK for Rust goes through, or one profile of its files.
///
/// `AWS_PROFILE`, `AWS_CONFIG_FILE` and the other variables of the AWS tools are read when it is made.
/// What the SDK itself fetches goes over its own HTTP client.
#[derive(Clone)]
pub struct Profile {
    config: SdkConfig,
    credentials: Option<SharedCredentialsProvider>,
}

impl Profile {
    /// The profile of that name, whatever keys the environment has, as `aws --profile` takes it; without
    /// a name, what the environment and the default profile say.
    pub async fn load(name: Option<&str>) -> Self {
        Self::load_from(EnvConfigFiles::default(), name).await
    }

    async fn load_from(files: EnvConfigFiles, name: Option<&str>) -> Self {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let http = Builder::new().tls_provider(tls).build_https();
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .profile_files(files.clone());
        let Some(name) = name else {
            let config = loader.load().await;
            return Self { credentials: config.credentials_provider(), config };
        };
        let config = loader.profile_name(name).load().await;
        let network = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_http_client(http);
        // The SDK's chain would ask the environment first, and take somebody else's key there.
        let credentials = ProfileFileCredentialsProvider::builder()
            .configure(&network)
            .profile_files(files)
            .profile_name(name)
            .build();
        Self { config, credentials: Some(SharedCredentialsProvider::new(credentials)) }
    }

    /// The region that the environment or the profile names.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(AsRef::as_ref)
    }

    async fn issue(&self) -> Result<Credentials, ServiceError> {
        let provider = self.credentials.as_ref().ok_or(ServiceError::NoCredentials)?;
        let found = provider.provide_credentials().await;
        let found = found.map_err(|error| ServiceError::Provider(told(&error).into()))?;
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

/// An error with its causes: what the SDK says first names none.
fn told(error: &dyn Error) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_runtime::env_config::file::EnvConfigFileKind;

    const FILE: &str = "[default]\naws_access_key_id = AKIDDEFAULT\n\
        aws_secret_access_key = the-first\n\
        [lamps]\nregion = eu-central-1\naws_access_key_id = AKIDLAMPS\n\
        aws_secret_access_key = the-second\naws_session_token = the-token\n";

    #[tokio::test]
    async fn profile_of_a_file_is_taken_by_its_name_and_not_shown() {
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Credentials, FILE);
        let files = files.build();
        let lamps = Profile::load_from(files.clone(), Some("lamps")).await;
        let credentials = lamps.credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "AKIDLAMPS");
        assert_eq!(credentials.parts().secret_access_key, "the-second");
        assert_eq!(credentials.parts().session_token, Some("the-token"));
        let shown = format!("{lamps:?} {credentials:?}");
        assert!(!shown.contains("the-"), "{shown}");
        let nobody = Profile::load_from(files, Some("nobody")).await;
        let error = nobody.credentials().await.unwrap_err();
        assert!(matches!(error, ServiceError::Provider(_)), "{error:?}");
        assert!(error.to_string().contains("`nobody`"), "{error}");
    }
}
