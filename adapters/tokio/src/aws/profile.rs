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
use std::{env, error::Error, ffi::OsString, fmt, iter, path::PathBuf, time::UNIX_EPOCH};

/// The chain of sources that the AWS SDK for Rust goes through, or one profile of its files.
///
/// `AWS_PROFILE`, `AWS_CONFIG_FILE` and the other variables of the AWS tools are read when it is made.
/// What the SDK itself fetches goes over its own HTTP client.
#[derive(Clone)]
pub struct Profile {
    name: Option<String>,
    /// Where the files of the AWS tools would be.
    places: Vec<PathBuf>,
    config: SdkConfig,
    credentials: Option<SharedCredentialsProvider>,
}

impl Profile {
    /// The profile of that name, whatever keys the environment has, as `aws --profile` takes it; without
    /// a name, what the environment and the default profile say.
    pub async fn load(name: Option<&str>) -> Self {
        let places = places(&|name| env::var_os(name));
        Self::load_from(EnvConfigFiles::default(), places, name).await
    }

    async fn load_from(files: EnvConfigFiles, places: Vec<PathBuf>, name: Option<&str>) -> Self {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let http = Builder::new().tls_provider(tls).build_https();
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .profile_files(files.clone());
        let Some(name) = name else {
            let config = loader.load().await;
            let credentials = config.credentials_provider();
            return Self { name: None, places, config, credentials };
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
        let credentials = Some(SharedCredentialsProvider::new(credentials));
        Self { name: Some(name.to_owned()), places, config, credentials }
    }

    /// The region that the environment or the profile names.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(AsRef::as_ref)
    }

    async fn issue(&self) -> Result<Credentials, ServiceError> {
        let provider = self.credentials.as_ref().ok_or(ServiceError::NoCredentials)?;
        let found = provider.provide_credentials().await;
        let found = found.map_err(|error| self.failed(&error))?;
        let (id, secret) = (found.access_key_id(), found.secret_access_key());
        let credentials = Credentials::new(id, secret, found.session_token());
        let Some(until) = found.expiry() else { return Ok(credentials) };
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        let lifetime = Lifetime::new(now(), UnixTime::from_secs(until.as_secs()));
        Ok(credentials.with_lifetime(lifetime))
    }

    fn failed(&self, error: &dyn Error) -> ServiceError {
        let is_any_there = self.places.iter().any(|place| place.exists());
        ServiceError::Profile {
            name: self.name.clone(),
            missing: if is_any_there { Vec::new() } else { self.places.clone() },
            source: told(error).into(),
        }
    }
}

/// Where the AWS tools keep their profiles ("Configuration and credential file settings", AWS CLI user
/// guide).
fn places(lookup: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let said = |name: &str| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = said("HOME").or_else(|| said("USERPROFILE"));
    [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")]
        .into_iter()
        .filter_map(|(variable, file)| {
            said(variable).or_else(|| Some(home.as_ref()?.join(".aws").join(file)))
        })
        .collect()
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
        let lamps = Profile::load_from(files.clone(), Vec::new(), Some("lamps")).await;
        let credentials = lamps.credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "AKIDLAMPS");
        assert_eq!(credentials.parts().secret_access_key, "the-second");
        assert_eq!(credentials.parts().session_token, Some("the-token"));
        let shown = format!("{lamps:?} {credentials:?}");
        assert!(!shown.contains("the-"), "{shown}");
        let nobody = Profile::load_from(files, Vec::new(), Some("nobody")).await;
        let error = nobody.credentials().await.unwrap_err();
        assert!(matches!(error, ServiceError::Profile { .. }) && error.is_retryable(), "{error:?}");
        assert!(error.to_string().contains("`nobody`"), "{error}");
    }

    /// What a process gives is the one kind of a file that ends.
    #[cfg(unix)]
    #[tokio::test]
    async fn credentials_of_a_profile_end_when_the_profile_says() {
        const GIVES: &str = "[profile lamps]\ncredential_process = echo '{\"Version\": 1, \
            \"AccessKeyId\": \"AKIDLAMPS\", \"SecretAccessKey\": \"the-secret\", \
            \"SessionToken\": \"the-token\", \"Expiration\": \"2099-01-02T03:04:05Z\"}'\n";
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, GIVES);
        let lamps = Profile::load_from(files.build(), Vec::new(), Some("lamps")).await;
        let lifetime = lamps.credentials().await.unwrap().lifetime();
        assert_eq!(Some(lifetime.until()), UnixTime::parse_iso8601("2099-01-02T03:04:05Z"));
        assert!(lifetime != Lifetime::ENDLESS && lifetime.is_over(lifetime.until()));
    }

    #[tokio::test]
    async fn files_that_are_not_there_are_named_with_what_makes_them() {
        let lookup = |name: &str| match name {
            "HOME" => Some("no/such/home".into()),
            "AWS_CONFIG_FILE" => Some("no/such/config".into()),
            _ => None,
        };
        let places = places(&lookup);
        let expected = ["no/such/config", "no/such/home/.aws/credentials"].map(PathBuf::from);
        assert_eq!(places, expected);
        let files = places.iter().zip([EnvConfigFileKind::Config, EnvConfigFileKind::Credentials]);
        let files = files
            .fold(EnvConfigFiles::builder(), |files, (path, kind)| files.with_file(kind, path));
        let profile = Profile::load_from(files.build(), places, Some("lamps")).await;
        let error = profile.credentials().await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no/such/config") && !text.contains('\n'), "{text}");
        assert!(text.contains("`aws configure --profile lamps`"), "{text}");
        assert!(!error.is_retryable(), "{error:?}");
    }
}
