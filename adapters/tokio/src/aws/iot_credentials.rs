//! Credentials from the AWS IoT credentials provider, for a device that has a certificate.

use super::{
    Credentials, CredentialsFuture, CredentialsProvider, Service, ServiceError, now,
    service::{answer, bytes_of},
};
use dunlin_aws::iot_credentials::RoleAlias;

/// The role behind a role alias, in exchange for a certificate; each method takes the value and gives
/// it back changed.
#[derive(Clone, Debug)]
pub struct IotCredentials {
    host: String,
    alias: String,
    thing: Option<String>,
    service: Service,
}

impl IotCredentials {
    /// The role behind `alias` at the account's own host, `PREFIX.credentials.iot.REGION.amazonaws.com`.
    ///
    /// `service` has the certificate: [`Service::tls`] with [`TlsOptions`](crate::TlsOptions) that show
    /// one.
    pub fn new(host: impl Into<String>, alias: impl Into<String>, service: Service) -> Self {
        Self { host: host.into(), alias: alias.into(), thing: None, service }
    }

    /// Names the thing whose certificate it is; policies may use its name.
    #[must_use]
    pub fn thing(self, thing: impl Into<String>) -> Self {
        Self { thing: Some(thing.into()), ..self }
    }

    async fn issue(&self) -> Result<Credentials, ServiceError> {
        let url = self.service.url_at(&self.host)?;
        let host = url.host_header();
        let request = RoleAlias::new(&host, &self.alias)?;
        let request = match &self.thing {
            Some(thing) => bytes_of(&request.thing(thing)?),
            None => bytes_of(&request),
        };
        let bytes = self.service.exchange(&url, &request).await?;
        let issued = RoleAlias::read(&answer(&bytes))?;
        Ok(Credentials::issued(&issued, now()))
    }
}

impl CredentialsProvider for IotCredentials {
    fn credentials(&self) -> CredentialsFuture<'_> {
        Box::pin(self.issue())
    }
}
