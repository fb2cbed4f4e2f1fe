//! `dunlin presign`: a signed URL for AWS IoT Core.

use crate::{args::Presign, credentials, failure::Failure, output};
use dunlin_tokio::{
    aws::{self, Signing},
    dunlin::octet::{Sink, Text},
};

/// Where AWS IoT Core takes the upgrade.
const PATH: &str = "/mqtt";

/// Prints the URL.
pub(crate) fn run(presign: &Presign) -> Result<(), Failure> {
    let signing = credentials::signing(&presign.region, &credentials::environment)?;
    output::print(&format!("{}\n", url(presign, &signing)?))
}

fn url(presign: &Presign, signing: &Signing) -> Result<String, Failure> {
    let host = presign.endpoint.host_header();
    let at = presign.at.unwrap_or_else(aws::now);
    let signed = signing.presign(&host, PATH, at, presign.expires);
    let signed = signed.map_err(credentials::invalid)?;
    let mut url = Collected(format!("wss://{host}"));
    signed.write(&mut url);
    Ok(url.0)
}

/// ASCII as a string.
pub(crate) struct Collected(pub(crate) String);

impl Sink for Collected {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend(bytes.iter().map(|byte| char::from(*byte)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_tokio::aws::UnixTime;

    const TOKEN: &str = "TOKEN/with+special=chars";
    const PLAIN: &str = "66faa12ef25fa85ef6e921b378e8fbb6cd5b7a0dba6947bcdfa3d69c75d3a2d8";
    const EXPIRING: &str = "3f04b6a356e0e066ccd290cdf8a265b916c715151449231e678622b0778e67e1";

    fn signed(endpoint: &str, token: Option<&str>, expires: Option<u32>) -> String {
        let presign = Presign {
            endpoint: format!("wss://{endpoint}").parse().unwrap(),
            region: "us-east-1".into(),
            at: UnixTime::parse_iso8601("2024-01-02T03:04:05Z"),
            expires,
        };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let token = token.map(str::to_owned);
        url(&presign, &Signing::new("AKIDEXAMPLE", secret, token, "us-east-1")).unwrap()
    }

    /// Signatures on which Amplify's signer, awscrt and botocore agree.
    #[test]
    fn presigned_url_equals_that_of_the_official_signers() {
        let host = "example-ats.iot.us-east-1.amazonaws.com";
        let expected = format!(
            "wss://{host}/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDEXAMPLE%2F20240102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request\
             &X-Amz-Date=20240102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature={PLAIN}"
        );
        assert_eq!(signed(host, None, None), expected);
        let token = "&X-Amz-Security-Token=TOKEN%2Fwith%2Bspecial%3Dchars";
        assert_eq!(signed(host, Some(TOKEN), None), format!("{expected}{token}"));
        let expiring = signed(host, Some(TOKEN), Some(86_400));
        assert!(expiring.ends_with(&format!("&X-Amz-Signature={EXPIRING}{token}")), "{expiring}");
    }

    #[test]
    fn presigned_host_is_lower_case_without_the_default_port() {
        let plain = signed("example-ats.iot.us-east-1.amazonaws.com", None, None);
        assert_eq!(signed("Example-ATS.iot.us-east-1.amazonaws.com:443", None, None), plain);
        let other = signed("localhost:8443", None, None);
        assert!(other.starts_with("wss://localhost:8443/mqtt?"), "{other}");
    }
}
