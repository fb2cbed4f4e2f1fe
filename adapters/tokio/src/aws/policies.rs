//! Policies of AWS IoT Core: attached to an identity by the program itself.

use super::{
    Service, ServiceError, Signing, now,
    service::{Bytes, answer, bytes_of},
};
use dunlin_aws::policies::{self, Action, PATH_MAX, Signer};

/// The control plane of AWS IoT Core, as far as identities need it.
///
/// It takes credentials of somebody who may do this: an administrator, or an IAM role with just these
/// actions. An identity of Cognito is named as [`Cognito::identity_id`](super::Cognito::identity_id)
/// has it.
#[derive(Clone, Debug)]
pub struct Policies {
    signing: Signing,
    service: Service,
}

impl Policies {
    /// In the account and region of `signing`.
    pub fn new(signing: Signing) -> Self {
        Self { signing, service: Service::new() }
    }

    /// How the service is reached.
    #[must_use]
    pub fn service(self, service: Service) -> Self {
        Self { service, ..self }
    }

    /// Attaches a policy to an identity, a certificate or a group; nothing changes where it is
    /// attached already.
    ///
    /// It may take a minute until AWS IoT Core goes by it.
    pub async fn attach(&self, policy: &str, target: &str) -> Result<(), ServiceError> {
        let action = Action::Attach { policy, target };
        Ok(action.read(&answer(&self.ask(action).await?))?)
    }

    /// Takes a policy away again.
    pub async fn detach(&self, policy: &str, target: &str) -> Result<(), ServiceError> {
        let action = Action::Detach { policy, target };
        Ok(action.read(&answer(&self.ask(action).await?))?)
    }

    /// The names of the policies that are attached to `target`, at most 250.
    pub async fn attached(&self, target: &str) -> Result<Vec<String>, ServiceError> {
        let bytes = self.ask(Action::ListAttached { target }).await?;
        let names = policies::read_attached(&answer(&bytes))?;
        Ok(names.map(|name| String::from_utf8_lossy(&bytes_of(&name)).into_owned()).collect())
    }

    /// Makes a policy of a document in JSON.
    pub async fn create(&self, policy: &str, document: &str) -> Result<(), ServiceError> {
        let action = Action::Create { policy, document };
        Ok(action.read(&answer(&self.ask(action).await?))?)
    }

    /// The host that the devices of the account connect to.
    pub async fn endpoint(&self) -> Result<String, ServiceError> {
        let bytes = self.ask(Action::DescribeEndpoint).await?;
        let host = bytes_of(&policies::read_endpoint(&answer(&bytes))?);
        Ok(String::from_utf8_lossy(&host).into_owned())
    }

    async fn ask(&self, action: Action<'_>) -> Result<Bytes, ServiceError> {
        self.signing.refresh(now()).await?;
        let url = self.service.url_of(policies::SERVICE, self.signing.region())?;
        let host = url.host_header();
        let request = self.signing.sign(|credentials, region, key| {
            let mut path = [0; PATH_MAX];
            let signer = Signer { credentials, region, host: &host, at: now() };
            let signed = action.sign(&signer, key, &mut path)?;
            Ok::<_, ServiceError>(bytes_of(&signed))
        })?;
        self.service.exchange(&url, &request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Credentials, CredentialsFuture, CredentialsProvider, scripted::scripted};

    struct Administrator;

    impl CredentialsProvider for Administrator {
        fn credentials(&self) -> CredentialsFuture<'_> {
            Box::pin(async { Ok(Credentials::new("AKIDADMIN", "secret", Some("token"))) })
        }
    }

    #[tokio::test]
    async fn policy_is_attached_with_credentials_that_a_provider_gives() {
        let (service, requests) = scripted(&[("200 OK", "")]).await;
        let signing = Signing::from_provider(Administrator, "eu-west-1");
        let policies = Policies::new(signing).service(service);
        policies.attach("Guests", "eu-west-1:id").await.unwrap();
        let requests = requests.await.unwrap();
        let request = &requests[0];
        assert!(request.starts_with("PUT /target-policies/Guests HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("Credential=AKIDADMIN/"), "{request}");
        assert!(request.contains("\r\nX-Amz-Security-Token: token\r\n"), "{request}");
    }
}
