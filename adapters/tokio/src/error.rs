//! Why a client is not connected, and what a person should do next.

mod advice;
mod cause;

use crate::{ConnectError, Options, StoreError};
pub use cause::Cause;
use dunlin_drive::dunlin::{self, AuthenticateError, Closed, OpenError, ReasonCode, Refused, ws};
use std::{fmt, io, sync::Arc};

/// Why a connection has ended, or did not come about. Displayed, it says what to do next.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// No connected stream: DNS, TCP, a proxy or TLS.
    Connect(Arc<ConnectError>),
    /// The upgrade request cannot be sent as it is.
    Request(ws::InvalidRequest),
    /// The CONNECT cannot be sent as it is.
    Open(OpenError),
    /// The authentication does not go on: the authenticator denies what the server says.
    Authentication(AuthenticateError),
    /// The upgrade request cannot be signed.
    #[cfg(feature = "aws")]
    Sign(crate::aws::InvalidInput),
    /// There are no credentials to sign with, or they have ended and there are no new ones.
    #[cfg(feature = "aws")]
    Credentials(Arc<crate::aws::ServiceError>),
    /// The HTTP server refused the upgrade.
    Upgrade(Box<UpgradeRefusal>),
    /// The connection ended.
    Ended {
        /// What it means.
        error: dunlin::Error,
        /// What the transport said, where it was the transport that failed.
        io: Option<Arc<io::Error>>,
        /// The server's words: its reason string, or what it wrote into its WebSocket Close.
        said: String,
        /// The servers that it wants to be used instead (MQTT 5.0 §4.11).
        server_reference: Option<String>,
        /// Why AWS IoT Core has probably hung up, where that is the broker.
        cause: Option<Cause>,
    },
    /// AWS IoT Core would drop the connection upon such a CONNECT.
    #[cfg(feature = "aws")]
    Aws(crate::aws::Breach),
    /// The session cannot be kept: nothing more is sent, for it would not survive a crash.
    Store(StoreError),
    /// This side closed the client.
    Closed,
}

/// A refused upgrade, with what helps to find out why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpgradeRefusal {
    /// The HTTP status.
    pub status: u16,
    /// `x-amzn-errortype`: how AWS names the refusal.
    pub error_type: Option<String>,
    /// `date`: the server's clock.
    pub date: Option<String>,
    /// `location` without its query: where the server sends the client instead; never followed.
    pub location: Option<String>,
    /// `retry-after`: when to come back, in seconds or as a date.
    pub retry_after: Option<String>,
    /// `www-authenticate`: what the server wants to know first.
    pub www_authenticate: Option<String>,
    /// `sec-websocket-version`: what the server speaks in place of 13.
    pub websocket_version: Option<String>,
    /// The first bytes of the body, as text, up to where it repeats what may be secret.
    pub body: String,
    /// How far the time that a request was signed at is ahead of the server's, in seconds, if `date`
    /// tells.
    pub clock_ahead_s: Option<i64>,
    /// Whether the request was signed for AWS.
    pub signed: bool,
    /// Whether the same request may be taken later.
    pub retryable: bool,
    /// Why AWS IoT Core has probably refused, where that is the broker.
    pub cause: Option<Cause>,
}

impl UpgradeRefusal {
    pub(crate) fn new(refusal: &ws::Refusal<'_>, options: &Options) -> Self {
        let words = |bytes| without_secrets(printable(bytes), options);
        let field = |name| refusal.field(name).map(|value| words(value.as_bytes()));
        let without_query =
            |location: &str| location.split('?').next().unwrap_or_default().to_owned();
        let date = refusal.field("date");
        let clock_ahead_s = date.and_then(|date| options.clock_ahead_s(date));
        Self {
            status: refusal.status().get(),
            error_type: field("x-amzn-errortype"),
            location: refusal.field("location").map(without_query),
            retry_after: field("retry-after"),
            www_authenticate: field("www-authenticate"),
            websocket_version: field("sec-websocket-version"),
            body: words(refusal.body()),
            // What reads as a date holds nothing else, even where a field of ours has the same number.
            date: match clock_ahead_s {
                Some(_) => date.map(str::to_owned),
                None => field("date"),
            },
            clock_ahead_s,
            signed: options.is_signed(),
            retryable: refusal.status().is_retryable(),
            cause: None,
        }
    }
}

impl fmt::Display for UpgradeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused the WebSocket upgrade with HTTP {}", self.status)?;
        if let Some(error_type) = &self.error_type {
            write!(f, " ({})", error_type.trim_end_matches(':'))?;
        }
        f.write_str(": ")?;
        if let Some(cause) = &self.cause {
            return write!(f, "{cause}{}", Said(&self.body));
        }
        match self.status {
            401 | 403 => f.write_str(
                "check the credentials, and whether this endpoint wants a signed request \
                 (--aws-region)",
            ),
            300..=399 => match &self.location {
                Some(location) => {
                    write!(f, "it points to {location}; use that URL if you trust it")
                }
                None => f.write_str("it points elsewhere without saying where"),
            },
            404 => f.write_str("check the URL's path"),
            400 | 426 => f.write_str(
                "it does not take MQTT over WebSocket here: check port and path, and that a signed \
                 URL was not used twice",
            ),
            429 | 500..=599 => f.write_str("it is overloaded or down: try again later"),
            _ => f.write_str("check host, port and path of the URL"),
        }?;
        Said(&self.body).fmt(f)
    }
}

impl Error {
    /// Whether connecting again, unchanged, may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_retryable(),
            Self::Upgrade(refusal) => refusal.retryable,
            #[cfg(feature = "aws")]
            Self::Credentials(error) => error.is_retryable(),
            Self::Ended { error, .. } => error.is_retryable(),
            _ => false,
        }
    }

    /// How a connection that came about has ended.
    pub(crate) const fn ended(&self) -> Option<dunlin::Error> {
        match self {
            Self::Ended { error, .. } => Some(*error),
            _ => None,
        }
    }

    /// Whether the server has ended the connection for a reason that would end the next one as well.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Ended { error: dunlin::Error::Closed(Closed::Disconnected(reason)), .. } => {
                !reason.is_retryable() && *reason != ReasonCode::SERVER_MOVED
            }
            Self::Authentication(_) => true,
            _ => false,
        }
    }

    /// The servers that are to be used instead, and whether for good.
    pub(crate) fn reference(&self) -> Option<(&str, bool)> {
        let Self::Ended { error, server_reference: Some(reference), .. } = self else {
            return None;
        };
        let reason = match error {
            dunlin::Error::Closed(Closed::Disconnected(reason))
            | dunlin::Error::Refused(Refused::Connect(reason)) => *reason,
            _ => return None,
        };
        let moved = reason == ReasonCode::SERVER_MOVED;
        (moved || reason == ReasonCode::USE_ANOTHER_SERVER).then_some((reference.as_str(), moved))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Request(error) => write!(f, "the upgrade request cannot be sent: {error}"),
            Self::Open(error) => write!(f, "{error}{}", advice::of_open(error)),
            Self::Authentication(error) => {
                write!(f, "{error}: check the credentials, and that this is the right server")
            }
            #[cfg(feature = "aws")]
            Self::Sign(error) => {
                let advice = advice::of_sign(*error);
                write!(f, "the upgrade request cannot be signed: {error}{advice}")
            }
            #[cfg(feature = "aws")]
            Self::Credentials(error) => error.fmt(f),
            Self::Upgrade(refusal) => refusal.fmt(f),
            Self::Ended { error, io, said, cause, .. } => {
                error.fmt(f)?;
                if let Some(io) = io {
                    write!(f, " ({io})")?;
                }
                Said(said).fmt(f)?;
                if let Some(cause) = cause {
                    return write!(f, ": {cause}");
                }
                match advice::of(error) {
                    "" => Ok(()),
                    advice => write!(f, ": {advice}"),
                }
            }
            #[cfg(feature = "aws")]
            Self::Aws(breach) => breach.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Closed => f.write_str("the client is closed: connect a new one"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Ended { error, .. } => Some(error),
            Self::Store(error) => Some(error),
            #[cfg(feature = "aws")]
            Self::Credentials(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a message was not published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// It cannot be sent as it is, or not now; nothing was.
    Rejected(dunlin::PublishError),
    /// The server has refused it; only in MQTT 5.0.
    Refused {
        /// Why.
        reason: ReasonCode,
        /// The server's words; empty without any.
        said: String,
    },
    /// AWS IoT Core would drop the connection upon it; nothing was sent.
    #[cfg(feature = "aws")]
    Aws(crate::aws::Breach),
    /// It would be faster than [`Options::aws_limiter`] allows; nothing was sent.
    #[cfg(feature = "aws")]
    TooFast {
        /// When to try again.
        retry_in: std::time::Duration,
    },
    /// The connection ended while a message of QoS 0 was being written: it may have arrived or not.
    Lost(Error),
    /// There is no connection, and the client is not to keep messages for the next one
    /// ([`Options::offline`]); nothing was sent.
    Offline,
    /// The client ended before the message was acknowledged.
    Closed(Error),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => write!(f, "{error}{}", advice::of_publish(error)),
            Self::Refused { reason, said } => {
                write!(f, "the server did not take the message: {reason}{}", Said(said))?;
                f.write_str("; check what it allows this client")
            }
            #[cfg(feature = "aws")]
            Self::Aws(breach) => breach.fmt(f),
            #[cfg(feature = "aws")]
            Self::TooFast { retry_in } => {
                write!(f, "faster than the limit: try again in {} ms", retry_in.as_millis())
            }
            Self::Lost(error) => write!(f, "perhaps lost, use QoS 1 to know: {error}"),
            Self::Offline => f.write_str("not connected: publish again when it is"),
            Self::Closed(error) => write!(f, "not acknowledged: {error}"),
        }
    }
}

impl std::error::Error for PublishError {}

/// Why a subscription did not come about, or has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SubscribeError {
    /// It cannot be asked for as it is; nothing was sent.
    Rejected(dunlin::SubscribeError),
    /// AWS IoT Core would drop the connection upon it; nothing was sent.
    #[cfg(feature = "aws")]
    Aws(crate::aws::Breach),
    /// The server refuses a filter; the others of the same call have been given up.
    Refused {
        /// The filter.
        filter: String,
        /// Why.
        reason: ReasonCode,
        /// The server's words; empty without any.
        said: String,
    },
    /// The client has ended.
    Closed(Error),
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => write!(f, "{error}{}", advice::of_subscribe(error)),
            #[cfg(feature = "aws")]
            Self::Aws(breach) => breach.fmt(f),
            Self::Refused { filter, reason, said } => write!(
                f,
                "the server refused the subscription to {filter}: {reason}{}; check what it allows \
                 this client",
                Said(said)
            ),
            Self::Closed(error) => write!(f, "the subscription has ended: {error}"),
        }
    }
}

impl std::error::Error for SubscribeError {}

/// A server's words behind ours, if there are any.
struct Said<'a>(&'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " (it says: {})", self.0) }
    }
}

/// The longest text of a server's that is repeated, in characters.
const SAID_MAX: usize = 200;

/// A server's words without anything that a terminal would obey.
pub(crate) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(SAID_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// So much of a secret is enough to tell that it is repeated, in bytes.
const SECRET_HEAD_LEN: usize = 12;

/// What is shorter is no secret, and stands in every other word, in bytes.
const SECRET_LEN_MIN: usize = 4;

/// A server's words up to where they repeat the query or a header field of the request.
fn without_secrets(mut words: String, options: &Options) -> String {
    let queries = options.endpoints().filter_map(|url| url.target().split_once('?'));
    let signature = options.is_signed().then_some("X-Amz-");
    let fields = options.fields.iter().map(|(_, value)| value.as_str());
    for secret in fields
        .chain(queries.map(|(_, query)| query))
        .chain(signature)
        .filter(|secret| secret.len() >= SECRET_LEN_MIN)
    {
        // The words are cut off somewhere, perhaps inside of it.
        if let Some(at) = words.find(secret.get(..SECRET_HEAD_LEN).unwrap_or(secret)) {
            words.truncate(at);
            words.push_str("***");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_drive::dunlin::mqtt;

    #[test]
    fn words_of_a_server_cannot_command_a_terminal() {
        assert_eq!(printable(b"\x1b[31mred\r\nline\x07"), "[31mred  line");
        assert_eq!(printable(&[b'a'; 1_000]).len(), SAID_MAX);
    }

    /// Otherwise the clock would never be corrected.
    #[cfg(feature = "aws")]
    #[test]
    fn refusal_keeps_date_and_name_where_fields_of_the_request_have_the_same_letters() {
        const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let answer = format!(
            "HTTP/1.1 403 No\r\ndate: {DATE}\r\nx-amzn-errortype: ForbiddenException:\r\n\r\n"
        );
        let refusal = ws::Refusal::parse(answer.as_bytes()).unwrap();
        let signing = crate::aws::Signing::new("AKID", "s", None, "us-east-1");
        let options = Options::parse("wss://h/mqtt").unwrap().aws(signing);
        for value in ["1", "x", "1994"] {
            let refused = UpgradeRefusal::new(&refusal, &options.clone().field("X-Own", value));
            assert_eq!(refused.date.as_deref(), Some(DATE), "{value}");
            assert_eq!(refused.error_type.as_deref(), Some("ForbiddenException:"), "{value}");
            assert!(refused.clock_ahead_s.is_some_and(|ahead_s| ahead_s > 0), "{value}");
        }
        let hidden = UpgradeRefusal::new(&refusal, &options.field("X-Own", "denException"));
        assert_eq!(hidden.error_type.as_deref(), Some("Forbid***"));
    }

    #[cfg(feature = "aws")]
    #[test]
    fn request_that_cannot_be_signed_tells_the_next_step() {
        use crate::aws::InvalidInput;
        for (error, words) in [
            (InvalidInput::Path, "wss:// URL with a path like /mqtt and without a query"),
            (InvalidInput::Region, "one looks like us-east-1"),
            (InvalidInput::SessionToken, "copy it again"),
            (InvalidInput::Time, "set the clock"),
        ] {
            let text = Error::Sign(error).to_string();
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn property_that_cannot_be_sent_names_the_version_that_has_any() {
        let property = mqtt::Malformed::Property;
        let errors: [&dyn fmt::Display; 3] = [
            &Error::Open(OpenError::Connect(property)),
            &PublishError::Rejected(dunlin::PublishError::Properties(property)),
            &SubscribeError::Rejected(dunlin::SubscribeError::Properties(property)),
        ];
        for error in errors {
            assert!(error.to_string().contains("only MQTT 5 has properties (Options::version"));
        }
        let other = dunlin::PublishError::TooLarge;
        assert_eq!(PublishError::Rejected(other).to_string(), other.to_string());
    }
}
