//! Why a service of AWS did not do what was asked, and what a person should do next.

use crate::{ConnectError, UrlError};
use dunlin_aws::{AnswerError, ReplyError, policies::ActionError};
use dunlin_drive::dunlin::ws::InvalidRequest;
use dunlin_sigv4::InvalidInput;
use std::{error::Error, fmt, io, path::PathBuf};

/// An exchange with a service of AWS that did not succeed. Displayed, it says what to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServiceError {
    /// No connected stream: DNS, TCP, a proxy or TLS.
    Connect(ConnectError),
    /// The connection broke.
    Io {
        /// Host and port.
        host: String,
        /// What the socket said.
        source: io::Error,
    },
    /// The whole of it took too long.
    TimedOut {
        /// Host and port.
        host: String,
    },
    /// What came is no HTTP answer.
    Answer {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        error: ReplyError,
    },
    /// The service says no.
    Denied(ServiceDenied),
    /// The service says yes, but not what was asked for.
    Malformed,
    /// An identity pool or an identity is not named as `REGION:uuid`.
    Identity,
    /// A region or a host makes no URL.
    Url(UrlError),
    /// The request cannot be sent as it is.
    Request(InvalidRequest),
    /// The request cannot be signed as it is.
    Action(ActionError),
    /// There is nowhere to get credentials from.
    NoCredentials,
    /// A provider took too long.
    ProviderTimedOut,
    /// The AWS profile, or what is asked without one, gives none.
    Profile {
        /// The profile that was asked for.
        name: Option<String>,
        /// Where its files would be; empty if any is there.
        missing: Vec<PathBuf>,
        /// What the AWS SDK said, with its causes.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A provider of another kind has failed.
    Provider(Box<dyn Error + Send + Sync>),
}

/// A no of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceDenied {
    /// The HTTP status.
    pub status: u16,
    /// The name of the error, such as `NotAuthorizedException`; empty where none was said.
    pub kind: String,
    /// Status, name and the first of the service's words, as one printable line.
    pub told: String,
    retryable: bool,
}

impl ServiceError {
    /// Whether the same may well succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_retryable(),
            Self::Denied(denied) => denied.retryable,
            Self::Io { .. }
            | Self::TimedOut { .. }
            | Self::ProviderTimedOut
            | Self::Provider(_) => true,
            Self::Profile { missing, .. } => missing.is_empty(),
            Self::Answer { error, .. } => {
                matches!(error, ReplyError::NoResponse | ReplyError::Truncated)
            }
            _ => false,
        }
    }
}

impl ServiceError {
    /// The same without the service's words from where they repeat one of `secrets`.
    pub(super) fn hiding<'a>(mut self, secrets: impl Iterator<Item = &'a str>) -> Self {
        if let Self::Denied(denied) = &mut self {
            for secret in secrets.filter(|secret| !secret.is_empty()) {
                cut(&mut denied.told, secret.get(..SECRET_HEAD_LEN).unwrap_or(secret));
            }
        }
        self
    }
}

/// So much of a secret is enough to tell that it is repeated, in bytes.
const SECRET_HEAD_LEN: usize = 12;

/// Leaves `words` out from where they repeat `secret`.
fn cut(words: &mut String, secret: &str) {
    let found = words.to_ascii_lowercase().find(&secret.to_ascii_lowercase());
    if let Some(at) = found {
        words.truncate(at);
        words.push_str("***");
    }
}

impl ServiceDenied {
    fn advice(&self) -> &'static str {
        match self.kind.as_str() {
            _ if self.retryable => "try again later",
            "NotAuthorizedException" => {
                "check the identity pool: whether it lets guests in, or takes these logins"
            }
            "ResourceNotFoundException" => "check the name and the region",
            "AccessDeniedException" | "UnauthorizedException" | "ForbiddenException" => {
                "check what IAM allows these credentials to do"
            }
            "InvalidIdentityPoolConfigurationException" => "check the roles of the identity pool",
            "UnrecognizedClientException" | "InvalidSignatureException" | "IncompleteSignature" => {
                "check the credentials, the region, and this machine's clock"
            }
            "ExpiredTokenException" => "get new credentials",
            "InvalidParameterException" | "InvalidRequestException" | "ValidationException" => {
                "check how names and tokens are spelled"
            }
            _ if self.status == 403 => "check the credentials, and what they are allowed to do",
            _ => "look the error up in the service's documentation",
        }
    }
}

impl From<AnswerError<'_>> for ServiceError {
    fn from(error: AnswerError<'_>) -> Self {
        match &error {
            AnswerError::Denied(denied) => {
                let mut told = error.to_string();
                // A signature that does not match is answered with what should have been signed.
                cut(&mut told, "x-amz-");
                Self::Denied(ServiceDenied {
                    status: denied.status().get(),
                    kind: denied.kind().to_owned(),
                    told,
                    retryable: denied.is_retryable(),
                })
            }
            _ => Self::Malformed,
        }
    }
}

impl From<InvalidRequest> for ServiceError {
    fn from(error: InvalidRequest) -> Self {
        Self::Request(error)
    }
}

impl From<InvalidInput> for ServiceError {
    fn from(error: InvalidInput) -> Self {
        Self::Action(ActionError::Invalid(error))
    }
}

impl From<ActionError> for ServiceError {
    fn from(error: ActionError) -> Self {
        Self::Action(error)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Io { host, source } => {
                write!(f, "the connection to {host} broke ({source}): try again")
            }
            Self::TimedOut { host } => {
                write!(
                    f,
                    "{host} did not answer in time: check the network, and proxies in between"
                )
            }
            Self::Answer { host, error } => {
                write!(f, "{host}: {error}: check that this is the service's host and port")
            }
            Self::Denied(denied) => write!(f, "AWS says {}: {}", denied.told, denied.advice()),
            Self::Malformed => f.write_str(
                "the service's answer is not what was asked for: check that this is its host",
            ),
            Self::Identity => f.write_str(
                "this is no identity pool or identity: one looks like eu-central-1:UUID",
            ),
            Self::Url(error) => write!(f, "the service's host cannot be: {error}"),
            Self::Request(error) => write!(f, "the request cannot be sent: {error}"),
            Self::Action(error) => write!(f, "the request cannot be signed: {error}"),
            Self::NoCredentials => f.write_str(
                "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile",
            ),
            Self::ProviderTimedOut => {
                f.write_str("no credentials in time: check the way to whatever issues them")
            }
            Self::Profile { name, missing, source } => {
                write_profile(f, name.as_deref(), missing, &**source)
            }
            Self::Provider(error) => write!(f, "no credentials: {error}"),
        }
    }
}

/// Why there is nothing from a profile, or from whatever else the AWS tools look at without a name.
fn write_profile(
    f: &mut fmt::Formatter<'_>,
    name: Option<&str>,
    missing: &[PathBuf],
    source: &dyn Error,
) -> fmt::Result {
    let option = name.map(|name| format!(" --profile {name}")).unwrap_or_default();
    if missing.is_empty() {
        write!(
            f,
            "no credentials from the AWS profile {} ({source}): ",
            name.unwrap_or("default")
        )?;
        return write!(
            f,
            "see what `aws sts get-caller-identity{option}` says; `aws sso login{option}` begins \
             a session of IAM Identity Center anew"
        );
    }
    f.write_str("no credentials: there are no profiles of the AWS tools")?;
    for (at, path) in missing.iter().enumerate() {
        write!(f, "{}{}", if at == 0 { " (looked for " } else { " and " }, path.display())?;
    }
    write!(f, "): make them with `aws configure{option}` or `aws configure sso{option}`")?;
    let files = "say where they are (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE)";
    match name {
        Some(_) => write!(f, ", or {files}"),
        None => write!(f, ", {files}, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            Self::Answer { error, .. } => Some(error),
            Self::Action(error) => Some(error),
            Self::Profile { source, .. } => Some(&**source),
            Self::Provider(error) => Some(&**error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_where_they_repeat_a_secret() {
        let told = |words: &str| ServiceDenied {
            status: 403,
            kind: String::new(),
            told: words.to_owned(),
            retryable: false,
        };
        let error = ServiceError::Denied(told("no: eyJraWQiOiJ0b2tlbiJ9.more is bad"));
        let error = error.hiding(["", "eyJraWQiOiJ0b2tlbiJ9.and.so.on"].into_iter());
        assert!(error.to_string().starts_with("AWS says no: ***: "), "{error}");
        let mut words = "should be X-Amz-Security-Token:secret".to_owned();
        cut(&mut words, "x-amz-");
        assert_eq!(words, "should be ***");
    }

    #[test]
    fn profile_that_gives_nothing_tells_the_next_step() {
        let told = |name: Option<&str>, missing: &[&str]| {
            let missing = missing.iter().map(PathBuf::from).collect::<Vec<_>>();
            let (name, source) = (name.map(str::to_owned), "the SDK's words".into());
            let error = ServiceError::Profile { name, missing, source };
            assert!(error.source().is_some());
            (error.to_string(), error.is_retryable())
        };
        let (text, retryable) = told(Some("lamps"), &["h/config", "h/credentials"]);
        assert!(text.contains("(looked for h/config and h/credentials)"), "{text}");
        assert!(text.contains("`aws configure --profile lamps`") && !retryable, "{text}");
        let (text, _) = told(None, &["h/config"]);
        assert!(text.contains("`aws configure`") && text.contains("AWS_ACCESS_KEY_ID"), "{text}");
        let (text, retryable) = told(Some("lamps"), &[]);
        assert!(text.starts_with("no credentials from the AWS profile lamps (the SDK's words): "));
        assert!(text.contains("`aws sso login --profile lamps`") && retryable, "{text}");
    }

    #[test]
    fn denial_tells_what_to_do() {
        for (kind, status, retryable, advice) in [
            ("NotAuthorizedException", 400, false, "identity pool"),
            ("TooManyRequestsException", 400, true, "later"),
            ("ResourceNotFoundException", 404, false, "name and the region"),
            ("", 403, false, "credentials"),
            ("Strange", 418, false, "documentation"),
        ] {
            let told = format!("refused (status {status}){kind}");
            let denied = ServiceDenied { status, kind: kind.into(), told, retryable };
            let error = ServiceError::Denied(denied);
            assert_eq!(error.is_retryable(), retryable);
            let text = error.to_string();
            assert!(text.contains(": ") && text.contains(advice), "{text}");
            assert!(!text.contains('\n') && !text.contains("  "), "{text}");
        }
    }
}
