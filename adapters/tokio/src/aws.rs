//! AWS IoT Core: who signs, with which credentials, and what may be asked of AWS beside MQTT.
//!
//! [`Signing`] goes into [`Options::aws`](crate::Options::aws). Its credentials are given once, or
//! come from a [`CredentialsProvider`]: [`Cognito`], [`IotCredentials`], the AWS profile (feature
//! `aws-profile`), or one of the program's own.

mod clock;
mod cognito;
mod credentials;
mod iot_credentials;
mod mode;
mod policies;
#[cfg(feature = "aws-profile")]
mod profile;
#[cfg(test)]
mod scripted;
mod service;
mod service_error;
mod signing;

pub use clock::{Clock, SntpFailure};
pub use cognito::{Cognito, Login};
pub use credentials::{Credentials, CredentialsFuture, CredentialsProvider};
pub use dunlin_aws::{
    Access, Authorizer, Breach, Cause, Endpoint, Handshake, InvalidAuthorizer, Lifetime, Limiter,
    Partition, Rule, Service as EndpointService, SntpError, ahead_s, parse_http_date,
};
pub use dunlin_sigv4::{InvalidInput, UnixTime};
pub use iot_credentials::IotCredentials;
pub(crate) use mode::{Judge, Mode, connect_wait};
pub use policies::Policies;
#[cfg(feature = "aws-profile")]
pub use profile::Profile;
pub use service::Service;
pub use service_error::{ServiceDenied, ServiceError};
pub(crate) use signing::Collected;
pub use signing::{SignedTarget, Signing};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's wall clock; a clock before 1970 counts as 1970.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_secs(since.as_secs())
}
