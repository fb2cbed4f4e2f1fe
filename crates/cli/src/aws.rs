//! `dunlin identity` and `dunlin attach-policy`, and the credentials of `pub` and `sub`.

use crate::{
    args::{Attach, AwsSource, Identity},
    credentials::{self, Lookup},
    failure::{Code, Failure},
    output,
    presign::Collected,
    region,
};
use dunlin_tokio::{
    aws::{Cognito, CredentialsProvider as _, Policies, Service, ServiceError, Signing, UnixTime},
    dunlin::octet::Text as _,
};

/// Attaches a policy to an identity.
pub(crate) async fn attach(attach: Attach, lookup: Lookup<'_>) -> Result<(), Failure> {
    let region = attach
        .region
        .or_else(|| region_of(&attach.target))
        .ok_or_else(|| Failure::usage("the target does not say its region: add --region REGION"))?;
    let signing = credentials::signing(&region, lookup)?;
    let policies = Policies::new(signing).service(service(attach.endpoint_url.as_deref())?);
    Ok(policies.attach(&attach.policy, &attach.target).await?)
}

/// Prints an identity of a pool, and when its credentials end; never these.
pub(crate) async fn identity(identity: Identity) -> Result<(), Failure> {
    let cognito = Cognito::new(identity.pool).service(service(identity.endpoint_url.as_deref())?);
    let name = cognito.identity_id().await?;
    let until = cognito.credentials().await?.lifetime().until();
    output::print(&format!("{name}\n{}\n", iso8601(until)))
}

/// Whoever signs upgrades at `host`, if they are to be signed.
pub(crate) fn signing(
    region: Option<String>,
    source: AwsSource,
    host: &str,
    lookup: Lookup<'_>,
) -> Result<Option<Signing>, Failure> {
    if region.is_none() && !source.is_given() {
        return Ok(None);
    }
    // A pool and a profile may be at home in another region than the endpoint, which has the last word.
    let region = region.or_else(|| region::of_host(host));
    if let Some(pool) = source.pool {
        let service = service(source.endpoint_url.as_deref())?;
        let cognito = Cognito::new(pool).service(service);
        let region = match region {
            Some(region) => region,
            None => cognito.region()?.to_owned(),
        };
        let cognito = match source.identity {
            Some(identity) => cognito.identity(identity),
            None => cognito,
        };
        return Ok(Some(Signing::from_provider(cognito, region)));
    }
    if let Some(profile) = source.profile {
        return profile_signing(region, &profile).map(Some);
    }
    credentials::signing(&region::told(region, host, "--aws-region")?, lookup).map(Some)
}

#[cfg(feature = "aws-profile")]
fn profile_signing(region: Option<String>, name: &str) -> Result<Signing, Failure> {
    use dunlin_tokio::aws::Profile;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Code::Other, error.to_string()))?;
    let profile = runtime.block_on(Profile::load(Some(name)));
    let region = region_with_profile(region, profile.region(), name)?;
    Ok(Signing::from_provider(profile, region))
}

/// The region that was told, or that of the profile.
#[cfg(feature = "aws-profile")]
fn region_with_profile(
    told: Option<String>,
    of_profile: Option<&str>,
    name: &str,
) -> Result<String, Failure> {
    told.or_else(|| of_profile.map(str::to_ascii_lowercase)).ok_or_else(|| {
        Failure::usage(format!(
            "neither the endpoint nor the AWS profile {name} names a region: add --aws-region \
             REGION, or check the profile's name"
        ))
    })
}

#[cfg(not(feature = "aws-profile"))]
fn profile_signing(_: Option<String>, _: &str) -> Result<Signing, Failure> {
    Err(Failure::new(
        Code::Other,
        "this build has no profiles of AWS: build it with `--features aws-profile`",
    ))
}

fn service(endpoint_url: Option<&str>) -> Result<Service, Failure> {
    let service = Service::new();
    match endpoint_url {
        None => Ok(service),
        Some(url) => service.endpoint_url(url).map_err(|_| {
            Failure::usage(
                "the endpoint is not a URL like http://127.0.0.1:5000 or https://HOST: \
                 end it after host or port",
            )
        }),
    }
}

/// The region that an identity's name begins with, or that stands in an ARN.
fn region_of(target: &str) -> Option<String> {
    let mut parts = target.split(':');
    let region = if target.starts_with("arn:") { parts.nth(3) } else { parts.next() };
    let is_region = |region: &&str| !region.is_empty() && *region != target;
    region.filter(is_region).map(str::to_owned)
}

/// `2024-01-02T03:04:05Z`, which a time writes without its signs.
fn iso8601(time: UnixTime) -> String {
    let mut basic = Collected(String::new());
    time.write(&mut basic);
    let mut text = String::new();
    for (at, digit) in basic.0.chars().enumerate() {
        match at {
            4 | 6 => text.push('-'),
            11 | 13 => text.push(':'),
            _ => {}
        }
        text.push(digit);
    }
    text
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::new(code_of(&error), error.to_string())
    }
}

/// How the command ends when a service of AWS did not do what was asked.
pub(crate) const fn code_of(error: &ServiceError) -> Code {
    match error {
        ServiceError::Denied(_) | ServiceError::Malformed => Code::Refused,
        ServiceError::Identity
        | ServiceError::Url(_)
        | ServiceError::Request(_)
        | ServiceError::Action(_) => Code::Usage,
        ServiceError::NoCredentials | ServiceError::Profile { .. } | ServiceError::Provider(_) => {
            Code::Input
        }
        _ => Code::Connect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_as_it_is_read() {
        for text in ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2024-12-31T00:00:01Z"] {
            assert_eq!(iso8601(UnixTime::parse_iso8601(text).unwrap()), text);
        }
    }

    #[test]
    fn upgrades_are_signed_for_the_region_of_the_endpoint_unless_told() {
        const ENDPOINT: &str = "a1-ats.iot.eu-west-1.amazonaws.com";
        let lookup = |_: &str| Some(std::ffi::OsString::from("KEY"));
        let signed = |region: Option<&str>, source, host| {
            let signing = signing(region.map(str::to_owned), source, host, &lookup);
            signing.map(|signing| signing.map(|signing| signing.region().to_owned()))
        };
        let variables = || AwsSource { variables: true, ..AwsSource::default() };
        let pool = || AwsSource { pool: Some("us-east-1:p".to_owned()), ..AwsSource::default() };
        let region = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(signed(None, AwsSource::default(), ENDPOINT), Ok(None));
        assert_eq!(signed(None, variables(), ENDPOINT), region("eu-west-1"));
        assert_eq!(signed(Some("us-east-2"), variables(), ENDPOINT), region("us-east-2"));
        assert_eq!(signed(Some("us-east-2"), AwsSource::default(), "h"), region("us-east-2"));
        assert_eq!(signed(None, pool(), ENDPOINT), region("eu-west-1"));
        assert_eq!(signed(None, pool(), "h"), region("us-east-1"));
        let failure = signed(None, variables(), "h").unwrap_err();
        assert_eq!(failure.code(), Code::Usage);
        assert!(failure.text().contains("add --aws-region REGION"), "{}", failure.text());
    }

    #[cfg(feature = "aws-profile")]
    #[test]
    fn region_is_the_told_one_before_that_of_the_profile_which_is_named_without_one() {
        let region = |told: Option<&str>, of_profile| {
            region_with_profile(told.map(str::to_owned), of_profile, "lamps")
        };
        assert_eq!(region(None, Some("US-East-1")).as_deref(), Ok("us-east-1"));
        assert_eq!(region(Some("eu-west-1"), Some("us-east-1")).as_deref(), Ok("eu-west-1"));
        let failure = region(None, None).unwrap_err();
        assert_eq!(failure.code(), Code::Usage);
        assert!(failure.text().contains("profile lamps names a region: add"), "{failure:?}");
    }

    #[test]
    fn region_is_that_of_the_identity_or_arn() {
        for (target, region) in [
            ("eu-central-1:uuid", Some("eu-central-1")),
            ("arn:aws:iot:us-east-1:1:cert/x", Some("us-east-1")),
            ("name", None),
            ("", None),
        ] {
            assert_eq!(region_of(target).as_deref(), region);
        }
    }
}
