//! What is known beforehand of the hosts of AWS, and of clocks.

use super::{Verdict, say};
use crate::{args::Doctor, failure::Failure};
use dunlin_tokio::{
    Probe,
    aws::{Endpoint, EndpointService, ahead_s, now, parse_http_date},
};

/// AWS refuses signatures that are further off, in seconds.
const TOLERANCE_S: u64 = 300;

/// Looks at the name of an AWS endpoint.
pub(super) fn look_at(host: &str, doctor: &Doctor) -> Result<(), Failure> {
    let Some(endpoint) = Endpoint::parse(host) else { return Ok(()) };
    let region = endpoint.region;
    let (verdict, text) = match (endpoint.service, doctor.region.as_deref()) {
        (EndpointService::DataSymantec, _) => (
            Verdict::Warning,
            format!("AWS IoT Core in {region}, by an old name: use the endpoint with -ats in it"),
        ),
        (EndpointService::Data, Some(signed)) if signed != region => (
            Verdict::Warning,
            format!("AWS IoT Core in {region}, but --aws-region says {signed}: use {region}"),
        ),
        (EndpointService::Data, _) => (Verdict::Ok, format!("AWS IoT Core in {region}")),
        _ => (
            Verdict::Warning,
            "AWS, but not where messages go: use what `aws iot describe-endpoint --endpoint-type \
             iot:Data-ATS` prints"
                .to_owned(),
        ),
    };
    say(verdict, "endpoint", &text)
}

/// Compares the clocks, where the server tells its time.
pub(super) fn judge_clock(probe: &Probe) -> Result<(), Failure> {
    let Some(date) = probe.date.as_deref().and_then(parse_http_date) else {
        return say(Verdict::Skipped, "clock", "the server does not tell the time");
    };
    let ahead = probe.clock_ahead_s.unwrap_or_else(|| ahead_s(now(), date));
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let apart = format!("{} s {side} the server's", ahead.unsigned_abs());
    if ahead.unsigned_abs() <= TOLERANCE_S {
        say(Verdict::Ok, "clock", &apart)
    } else if probe.clock_ahead_s.is_some() {
        let text = format!("{apart}: set it; signatures are dated by the server's time meanwhile");
        say(Verdict::Warning, "clock", &text)
    } else {
        say(Verdict::Warning, "clock", &format!("{apart}: set it, certificates depend on it"))
    }
}
