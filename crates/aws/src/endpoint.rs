//! What the name of an endpoint says.

/// A part of AWS with accounts and names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Partition {
    /// The regions that are open to all.
    Standard,
    /// The regions in China.
    China,
    /// The regions for the government of the United States.
    UsGov,
    /// The European Sovereign Cloud.
    Europe,
}

impl Partition {
    /// The partition that a region belongs to.
    pub fn of_region(region: &str) -> Self {
        match region {
            _ if region.starts_with("cn-") => Self::China,
            _ if region.starts_with("us-gov-") => Self::UsGov,
            _ if region.starts_with("eusc-") => Self::Europe,
            _ => Self::Standard,
        }
    }

    /// How it is called in the names of resources: `arn:aws:iot:…`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "aws",
            Self::China => "aws-cn",
            Self::UsGov => "aws-us-gov",
            Self::Europe => "aws-eusc",
        }
    }

    /// How the names of its hosts end.
    pub const fn dns_suffix(self) -> &'static str {
        match self {
            Self::Standard | Self::UsGov => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::Europe => "amazonaws.eu",
        }
    }
}

/// What a host of AWS IoT is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Service {
    /// Messages, with a certificate of Amazon Trust Services (`…-ats`).
    Data,
    /// Messages, with a certificate of Symantec, which hardly anybody trusts any more.
    DataSymantec,
    /// Credentials for devices with a certificate.
    Credentials,
    /// Jobs, over HTTPS alone.
    Jobs,
    /// The control plane: things, policies.
    Control,
}

/// What the name of an endpoint of AWS IoT Core says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Endpoint<'a> {
    /// The region that requests are signed for, as it was written.
    pub region: &'a str,
    /// What the host is for.
    pub service: Service,
}

impl<'a> Endpoint<'a> {
    /// Takes the name of a host apart, in any case: `xxx-ats.iot.eu-central-1.amazonaws.com`.
    ///
    /// `None` for any other host: custom domains and the endpoints of a VPC do not say their region, so
    /// that the program has to ("AWS IoT Core endpoints and quotas", AWS General Reference).
    pub fn parse(host: &'a str) -> Option<Self> {
        const SUFFIXES: [&str; 6] = [
            ".amazonaws.com",
            ".amazonaws.com.cn",
            ".amazonaws.eu",
            // Hosts with addresses of both versions.
            ".api.aws",
            ".api.amazonwebservices.com.cn",
            ".api.amazonwebservices.eu",
        ];
        let name = SUFFIXES.iter().find_map(|suffix| strip_suffix(host, suffix))?;
        let (front, region) = split_last(name)?;
        let (prefix, iot) = split_last(front).unwrap_or(("", front));
        if !["iot", "iot-fips"].iter().any(|known| iot.eq_ignore_ascii_case(known)) {
            return None;
        }
        is_region(region).then_some(Self { region, service: Service::of(prefix)? })
    }

    /// The partition of the region.
    pub fn partition(&self) -> Partition {
        Partition::of_region(self.region)
    }
}

impl Service {
    /// What stands in front of `iot`.
    fn of(prefix: &str) -> Option<Self> {
        if prefix.is_empty() {
            return Some(Self::Control);
        }
        let (account, kind) = split_last(prefix).unwrap_or((prefix, ""));
        if !account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return None;
        }
        match kind {
            "" if strip_suffix(account, "-ats").is_some() => Some(Self::Data),
            "" => Some(Self::DataSymantec),
            _ if kind.eq_ignore_ascii_case("credentials") => Some(Self::Credentials),
            _ if kind.eq_ignore_ascii_case("jobs") => Some(Self::Jobs),
            _ => None,
        }
    }
}

/// Words of two letters or more and a number at the end, with hyphens between them: `us-gov-west-1`.
fn is_region(region: &str) -> bool {
    let mut parts = region.as_bytes().split(|byte| *byte == b'-').peekable();
    let mut words = 0_u8;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return words >= 2 && !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        }
        if part.len() < 2 || !part.iter().all(u8::is_ascii_alphabetic) {
            return false;
        }
        words = words.saturating_add(1);
    }
    false
}

/// The last label of a name, and what stands before its dot.
// In place of `rsplit_once`, which the linker finds to be able to panic.
fn split_last(name: &str) -> Option<(&str, &str)> {
    let dot = name.as_bytes().iter().rposition(|byte| *byte == b'.')?;
    let (front, last) = name.split_at_checked(dot)?;
    Some((front, last.strip_prefix('.')?))
}

/// Host names have no case.
fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (front, back) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    back.eq_ignore_ascii_case(suffix).then_some(front)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_says_region_partition_and_service() {
        use Partition::{China, Europe, Standard, UsGov};
        use Service::{Control, Credentials, Data, DataSymantec, Jobs};
        for (host, region, partition, service) in [
            ("a1b2c3-ats.iot.us-east-1.amazonaws.com", "us-east-1", Standard, Data),
            ("A1B2C3-ATS.IOT.ap-southeast-2.AmazonAWS.com", "ap-southeast-2", Standard, Data),
            ("a1b2c3.iot.eu-central-1.amazonaws.com", "eu-central-1", Standard, DataSymantec),
            ("a1b2c3-ats.iot.cn-north-1.amazonaws.com.cn", "cn-north-1", China, Data),
            ("data-ats.iot-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", UsGov, Data),
            ("a1b2c3-ats.iot.eu-west-1.api.aws", "eu-west-1", Standard, Data),
            ("a1-ats.iot.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", Europe, Data),
            ("c3.credentials.iot.us-west-2.amazonaws.com", "us-west-2", Standard, Credentials),
            ("c3.jobs.iot.us-west-2.amazonaws.com", "us-west-2", Standard, Jobs),
            ("iot.us-east-1.amazonaws.com", "us-east-1", Standard, Control),
        ] {
            let endpoint = Endpoint::parse(host);
            assert_eq!(endpoint, Some(Endpoint { region, service }), "{host}");
            assert_eq!(endpoint.unwrap().partition(), partition, "{host}");
        }
    }

    #[test]
    fn host_that_does_not_say_its_region_is_none() {
        for host in [
            "",
            "localhost",
            "iot.example.com",
            "amazonaws.com",
            ".amazonaws.com",
            "us-east-1.amazonaws.com",
            "s3.us-east-1.amazonaws.com",
            "a-ats.iot.us-east-1.amazonaws.com.evil.example",
            "a-ats.iot.us-east-1.xamazonaws.com",
            "a-ats.iot..amazonaws.com",
            "a-ats.iot.us-east.amazonaws.com",
            "a-ats.iot.1.amazonaws.com",
            "a/b.iot.us-east-1.amazonaws.com",
            "a1b2c3.ats.iot.cn-north-1.amazonaws.com.cn",
            "x.y.iot.us-east-1.amazonaws.com",
            "vpce-1.data.iot.us-east-1.vpce.amazonaws.com",
            "ä.iot.us-east-1.amazonaws.com",
        ] {
            assert_eq!(Endpoint::parse(host), None, "{host}");
        }
    }

    #[test]
    fn partition_has_the_names_of_its_region() {
        for (region, name, suffix) in [
            ("eu-central-1", "aws", "amazonaws.com"),
            ("cn-northwest-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-east-1", "aws-us-gov", "amazonaws.com"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ] {
            let partition = Partition::of_region(region);
            assert_eq!((partition.name(), partition.dns_suffix()), (name, suffix));
        }
    }
}
