//! Credentials from an Amazon Cognito identity pool.

use super::{
    Credentials, CredentialsFuture, CredentialsProvider, Service, ServiceError, now,
    service::{answer, bytes_of},
};
use dunlin_aws::{
    AnswerError,
    cognito::{self, GetCredentials, GetId},
};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};
use zeroize::Zeroizing;

/// Who vouches for a user, and the token that says so.
pub struct Login {
    provider: String,
    token: Zeroizing<String>,
}

impl Login {
    /// The user whom `provider`, such as `cognito-idp.REGION.amazonaws.com/POOL`, knows by `token`.
    pub fn new(provider: impl Into<String>, token: impl Into<String>) -> Self {
        Self { provider: provider.into(), token: Zeroizing::new(token.into()) }
    }
}

/// Shows the provider only.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("provider", &self.provider).finish_non_exhaustive()
    }
}

type Logins = Box<dyn Fn() -> Vec<Login> + Send + Sync>;

/// An identity of an Amazon Cognito identity pool; each method takes the value and gives it back
/// changed.
///
/// The identity is asked for once. Keep its [name](Self::identity_id) over starts of the program: a
/// guest that asks again is another guest, to whom no policy is attached.
pub struct Cognito {
    pool: String,
    identity: Mutex<Option<String>>,
    logins: Option<Logins>,
    role: Option<String>,
    service: Service,
}

impl Cognito {
    /// A guest of the identity pool `pool`, `REGION:uuid`.
    pub fn new(pool: impl Into<String>) -> Self {
        let (identity, service) = (Mutex::default(), Service::new());
        Self { pool: pool.into(), identity, logins: None, role: None, service }
    }

    /// The identity of that name, which is asked for no more.
    #[must_use]
    pub fn identity(self, identity: impl Into<String>) -> Self {
        Self { identity: Mutex::new(Some(identity.into())), ..self }
    }

    /// A user with the logins that `logins` returns: it is called for each exchange, since tokens
    /// end sooner than the program.
    #[must_use]
    pub fn logins(self, logins: impl Fn() -> Vec<Login> + Send + Sync + 'static) -> Self {
        Self { logins: Some(Box::new(logins)), ..self }
    }

    /// Credentials of this role, by its ARN, where the logins allow several.
    #[must_use]
    pub fn custom_role(self, role: impl Into<String>) -> Self {
        Self { role: Some(role.into()), ..self }
    }

    /// How the service is reached.
    #[must_use]
    pub fn service(self, service: Service) -> Self {
        Self { service, ..self }
    }

    /// The region of the pool.
    pub fn region(&self) -> Result<&str, ServiceError> {
        cognito::region_of(&self.pool).ok_or(ServiceError::Identity)
    }

    /// The name of the identity, which policies are attached to; asked for if it is not known.
    pub async fn identity_id(&self) -> Result<String, ServiceError> {
        if let Some(identity) = self.known() {
            return Ok(identity);
        }
        let url = self.service.url_of(cognito::SERVICE, self.region()?)?;
        let host = url.host_header();
        let logins = self.current_logins();
        let request = bytes_of(&GetId::new(&host, &self.pool)?.logins(&pairs(&logins)));
        let bytes = self.service.exchange(&url, &request).await?;
        let identity = bytes_of(&GetId::read(&answer(&bytes)).map_err(denied(&logins))?);
        let identity = String::from_utf8_lossy(&identity).into_owned();
        // Of two that were asked for at once, the first stays.
        let mut known = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.get_or_insert(identity).clone())
    }

    async fn issue(&self) -> Result<Credentials, ServiceError> {
        let identity = self.identity_id().await?;
        let url = self.service.url_of(cognito::SERVICE, self.region()?)?;
        let host = url.host_header();
        let logins = self.current_logins();
        let request = {
            let pairs = pairs(&logins);
            let request = GetCredentials::new(&host, &identity)?.logins(&pairs);
            match &self.role {
                Some(role) => bytes_of(&request.custom_role(role)),
                None => bytes_of(&request),
            }
        };
        let bytes = self.service.exchange(&url, &request).await?;
        let answer = answer(&bytes);
        let issued = GetCredentials::read(&answer).map_err(denied(&logins))?;
        Ok(Credentials::issued(&issued, now()))
    }

    fn current_logins(&self) -> Vec<Login> {
        self.logins.as_ref().map(|logins| logins()).unwrap_or_default()
    }

    fn known(&self) -> Option<String> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl CredentialsProvider for Cognito {
    fn credentials(&self) -> CredentialsFuture<'_> {
        Box::pin(self.issue())
    }
}

/// Shows pool and identity only.
impl fmt::Debug for Cognito {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cognito")
            .field("pool", &self.pool)
            .field("identity", &self.known())
            .finish_non_exhaustive()
    }
}

fn pairs(logins: &[Login]) -> Vec<cognito::Login<'_>> {
    logins.iter().map(|login| (login.provider.as_str(), login.token.as_str())).collect()
}

/// An error that repeats none of the tokens.
fn denied(logins: &[Login]) -> impl Fn(AnswerError<'_>) -> ServiceError {
    |error| ServiceError::from(error).hiding(logins.iter().map(|login| login.token.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::scripted::scripted;

    const POOL: &str = "eu-central-1:pool";
    const IDENTITY: (&str, &str) = ("200 OK", r#"{"IdentityId":"eu-central-1:id"}"#);
    const ISSUED: (&str, &str) = (
        "200 OK",
        r#"{"Credentials":{"AccessKeyId":"AKID","Expiration":4.1E9,"SecretKey":"s",
        "SessionToken":"t"},"IdentityId":"eu-central-1:id"}"#,
    );
    const TOKEN: &str = "eyJraWQiOiJ0b2tlbiJ9.of.a-user";

    fn user(service: Service) -> Cognito {
        let login = || vec![Login::new("accounts.example", TOKEN)];
        Cognito::new(POOL).service(service).logins(login)
    }

    fn body(request: &str) -> &str {
        request.split_once("\r\n\r\n").unwrap().1
    }

    #[tokio::test]
    async fn user_shows_the_login_in_both_exchanges_and_asks_for_the_identity_once() {
        let (service, requests) = scripted(&[IDENTITY, ISSUED, ISSUED]).await;
        let user = user(service).custom_role("arn:aws:iam::1:role/r");
        for _ in 0..2 {
            let credentials = user.credentials().await.unwrap();
            assert_eq!(credentials.access_key_id(), "AKID");
            assert_eq!(credentials.lifetime().until().as_secs(), 4_100_000_000);
        }
        assert_eq!(user.identity_id().await.unwrap(), "eu-central-1:id");
        let requests = requests.await.unwrap();
        let logins = format!(r#""Logins":{{"accounts.example":"{TOKEN}"}}"#);
        let asks = format!(r#"{{"IdentityPoolId":"{POOL}",{logins}}}"#);
        assert_eq!(body(&requests[0]), asks);
        let role = r#""CustomRoleArn":"arn:aws:iam::1:role/r""#;
        let wants = format!(r#"{{"IdentityId":"eu-central-1:id",{logins},{role}}}"#);
        assert_eq!([body(&requests[1]), body(&requests[2])], [wants.as_str(); 2]);
    }

    #[tokio::test]
    async fn identity_that_is_known_is_never_asked_for() {
        let (service, requests) = scripted(&[ISSUED]).await;
        let guest = Cognito::new(POOL).identity("eu-central-1:mine").service(service);
        guest.credentials().await.unwrap();
        let requests = requests.await.unwrap();
        assert_eq!(body(&requests[0]), r#"{"IdentityId":"eu-central-1:mine"}"#);
    }

    #[tokio::test]
    async fn denial_that_repeats_a_secret_is_told_without_it() {
        const REPEATS: &[(&str, &str)] = &[
            (
                "400 Bad Request",
                r#"{"__type":"NotAuthorizedException",
                "message":"Invalid login: eyJraWQiOiJ0b2tlbiJ9.of.a-user has ended"}"#,
            ),
            (
                "403 Forbidden",
                r#"{"__type":"InvalidSignatureException",
                "message":"The canonical string was x-amz-security-token:eyJhbGciOiJ"}"#,
            ),
        ];
        let (service, requests) = scripted(REPEATS).await;
        let user = user(service);
        for (kind, words) in [
            ("NotAuthorizedException", "Invalid login: ***"),
            ("InvalidSignatureException", "The canonical string was ***"),
        ] {
            let error = user.credentials().await.err().unwrap();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(kind) && shown.contains(words), "{shown}");
            assert!(!shown.contains("eyJ"), "{shown}");
        }
        requests.await.unwrap();
    }
}
