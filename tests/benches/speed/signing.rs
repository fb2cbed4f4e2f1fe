//! A signed request target.

use crate::group::{Group, OURS};
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use dunlin_octet::{Text, Writer};
use dunlin_sigv4::{Credentials, Key, Request, UnixTime};
use std::hint::black_box;
use std::time::{Duration, SystemTime};

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";
const HOST: &str = "a1b2c3d4e5f6g7-ats.iot.eu-central-1.amazonaws.com";
/// The other signer cannot do without.
const EXPIRES_S: u32 = 300;
/// Of the other signer's time, at most. Where the processor has instructions for SHA-256, its blocks, as
/// many for both, take a quarter of that time; and ours hashes text in small pieces as it is written, for
/// the sake of a kilobyte of stack and four of flash.
const RATIO_MAX: f64 = 0.6;
/// The same where the other derives its key anew, and ours has kept it: the blocks take a tenth.
const KEPT_MAX: f64 = 0.2;
/// In the middle of a day, so that no measurement crosses its end.
const START: u64 = 1_704_164_645;

pub(crate) fn groups() -> Vec<Group> {
    let token: &'static str = "IQoJb3JpZ2luX2VjEJr/".repeat(40).leak();
    vec![
        signing("sigv4: presign", None, None),
        signing("sigv4: presign, token of 800 B", Some(token), None),
        signing("sigv4: presign, key kept", None, Some(Key::new())),
    ]
}

fn signing(title: &str, session_token: Option<&'static str>, kept: Option<Key>) -> Group {
    let most = if kept.is_some() { KEPT_MAX } else { RATIO_MAX };
    let (ours, theirs) = (ours(session_token, kept), theirs(session_token));
    Group::new(title).case(OURS, ours).peer("aws-sigv4", most, theirs).counted()
}

/// Signs with the key that was kept, or derives one each time.
fn ours(session_token: Option<&'static str>, mut kept: Option<Key>) -> impl FnMut() {
    let mut memory = vec![0; 4096];
    let credentials = Credentials { access_key_id: ID, secret_access_key: SECRET, session_token };
    let mut at = START;
    move || {
        at += 1;
        let request = Request::iot(credentials, REGION, HOST, UnixTime::from_secs(at));
        let mut derived = None;
        let key = kept.as_mut().unwrap_or_else(|| derived.insert(Key::new()));
        let target = black_box(&request).presign(key, Some(EXPIRES_S)).unwrap();
        let mut out = Writer::new(&mut memory);
        target.write(&mut out);
        black_box(out.written());
    }
}

/// The other signer, whose parameters stand beside the target and are put into none.
fn theirs(session_token: Option<&'static str>) -> impl FnMut() {
    let token = session_token.map(str::to_owned);
    let identity = aws_credential_types::Credentials::new(ID, SECRET, token, None, "bench").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(EXPIRES_S.into()));
    let url = format!("https://{HOST}/mqtt");
    let mut at = START;
    move || {
        at += 1;
        let params = SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(dunlin_sigv4::IOT_SERVICE)
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
            .settings(settings.clone())
            .build()
            .unwrap()
            .into();
        let (no_headers, no_body) = (std::iter::empty(), SignableBody::Bytes(&[]));
        let request = SignableRequest::new("GET", &url, no_headers, no_body).unwrap();
        black_box(sign(black_box(request), &params).unwrap().into_parts());
    }
}
