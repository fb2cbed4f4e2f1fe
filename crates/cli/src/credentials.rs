//! Secrets from the environment.

use crate::failure::{Code, Failure};
use dunlin_tokio::aws::{InvalidInput, Signing, UnixTime};
use std::ffi::OsString;
use zeroize::Zeroizing;

/// Looks a variable up; a parameter, so that a test needs no environment.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The variables of this process.
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The password for the broker, if the environment has one.
pub(crate) fn password(lookup: Lookup<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let password = lookup("DUNLIN_PASSWORD").filter(|password| !password.is_empty())?;
    Some(Zeroizing::new(password.into_encoded_bytes()))
}

/// Whoever signs for AWS in `region`; checked, so that a bad key is found before anything is sent.
pub(crate) fn signing(region: &str, lookup: Lookup<'_>) -> Result<Signing, Failure> {
    let key = required("AWS_ACCESS_KEY_ID", lookup)?;
    let secret = required("AWS_SECRET_ACCESS_KEY", lookup)?;
    let token = optional("AWS_SESSION_TOKEN", lookup)?;
    let signing = Signing::new(key, secret, token, region);
    match signing.presign("host", "/", UnixTime::from_secs(0), None) {
        Ok(_) => Ok(signing),
        Err(error) => Err(invalid(error)),
    }
}

/// What can be wrong with a signature's parts, by the name under which they were given.
pub(crate) fn invalid(error: InvalidInput) -> Failure {
    let variable = |name| {
        let text = format!("{name} is malformed: copy it again, whole and without blanks");
        Failure::new(Code::Input, text)
    };
    match error {
        InvalidInput::AccessKeyId => variable("AWS_ACCESS_KEY_ID"),
        InvalidInput::SecretAccessKey => variable("AWS_SECRET_ACCESS_KEY"),
        InvalidInput::SessionToken => variable("AWS_SESSION_TOKEN"),
        InvalidInput::Region => Failure::usage("the region is malformed: one looks like us-east-1"),
        error => Failure::usage(format!("cannot sign: {error}")),
    }
}

fn required(name: &str, lookup: Lookup<'_>) -> Result<String, Failure> {
    optional(name, lookup)?.ok_or_else(|| {
        let text = format!("{name} is not set: signing for AWS needs it in the environment");
        Failure::new(Code::Input, text)
    })
}

/// An empty variable is an absent one.
fn optional(name: &str, lookup: Lookup<'_>) -> Result<Option<String>, Failure> {
    let Some(value) = lookup(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    let invalid = |_| Failure::new(Code::Input, format!("{name} is not text: set it again"));
    value.into_string().map(Some).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(variables: &[(&str, &str)], region: &str) -> Failure {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        };
        signing(region, &lookup).map(drop).unwrap_err()
    }

    const KEY: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "a-secret");

    #[test]
    fn missing_or_empty_variable_is_named() {
        for (variables, missing) in [
            (&[SECRET][..], "AWS_ACCESS_KEY_ID"),
            (&[KEY], "AWS_SECRET_ACCESS_KEY"),
            (&[("AWS_ACCESS_KEY_ID", ""), SECRET], "AWS_ACCESS_KEY_ID"),
        ] {
            let failure = failure(variables, "us-east-1");
            assert_eq!(failure.code(), Code::Input);
            assert!(failure.text().starts_with(&format!("{missing} is not set: ")));
        }
    }

    #[test]
    fn malformed_variable_is_named_and_not_shown() {
        let bad = ("AWS_SECRET_ACCESS_KEY", "a secret");
        let failure = failure(&[KEY, bad], "us-east-1");
        assert!(failure.text().starts_with("AWS_SECRET_ACCESS_KEY is malformed"));
        assert!(!failure.text().contains("a secret"));
    }

    #[test]
    fn malformed_region_is_a_usage_error() {
        let bad = failure(&[KEY, SECRET], "us east");
        assert_eq!((bad.code(), bad.text().contains("us-east-1")), (Code::Usage, true));
    }

    #[test]
    fn empty_session_token_is_none() {
        let lookup = |name: &str| match name {
            "AWS_SESSION_TOKEN" => Some(OsString::new()),
            _ => Some(OsString::from("KEY")),
        };
        signing("us-east-1", &lookup).unwrap();
    }
}
