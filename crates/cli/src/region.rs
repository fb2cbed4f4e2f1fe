//! Which region requests are signed for, where nothing says it but the endpoint.

use crate::failure::Failure;
use dunlin_tokio::aws::Endpoint;

/// The region that the name of an endpoint of AWS IoT Core tells, in the case that signatures want.
pub(crate) fn of_host(host: &str) -> Option<String> {
    Endpoint::parse(host).map(|endpoint| endpoint.region.to_ascii_lowercase())
}

/// `given`, or what the host tells; without either, `option` has to say it.
pub(crate) fn told(given: Option<String>, host: &str, option: &str) -> Result<String, Failure> {
    given.or_else(|| of_host(host)).ok_or_else(|| {
        Failure::usage(format!(
            "{host} does not tell its region, as HOST-ats.iot.REGION.amazonaws.com would (custom \
             domains and VPC endpoints never do): add {option} REGION"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;

    #[test]
    fn region_is_the_given_one_before_that_of_the_endpoint() {
        let host = "a1-ATS.iot.CN-North-1.amazonaws.com.cn";
        assert_eq!(told(None, host, "--region").unwrap(), "cn-north-1");
        assert_eq!(told(Some("eu-west-1".into()), host, "--region").unwrap(), "eu-west-1");
        assert_eq!(told(Some("eu-west-1".into()), "localhost", "--region").unwrap(), "eu-west-1");
    }

    #[test]
    fn host_that_does_not_tell_is_named_with_the_option_that_does() {
        let failure = told(None, "mqtt.example.com", "--aws-region").unwrap_err();
        assert_eq!(failure.code(), Code::Usage);
        let text = failure.text();
        assert!(text.starts_with("mqtt.example.com does not tell its region"), "{text}");
        assert!(text.ends_with(": add --aws-region REGION"), "{text}");
    }
}
