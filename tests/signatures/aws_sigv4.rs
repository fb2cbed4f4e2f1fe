//! The signer of AWS's own Rust SDK.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SignatureLocation, SigningSettings, UriPathNormalizationMode, sign as sign_request,
};
use aws_sigv4::sign::v4::SigningParams;
use dunlin_sigv4::Token;

use crate::case::{Case, Form, Made};

/// Its signature.
pub(crate) fn sign(case: &Case) -> Made {
    let Case { access_key_id, secret_access_key, session_token, .. } = case.clone();
    let who = Credentials::new(access_key_id, secret_access_key, session_token, None, "test");
    let identity = who.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&case.region)
        .name(&case.service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(case.unix_time))
        .settings(settings(case))
        .build()
        .unwrap()
        .into();
    let pairs: Vec<String> =
        case.query.iter().map(|(name, value)| encode(name) + "=" + &encode(value)).collect();
    let mark = if pairs.is_empty() { "" } else { "?" };
    let url = case.url() + mark + &pairs.join("&");
    let headers = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = case.body.as_ref();
    let body =
        body.map_or(SignableBody::UnsignedPayload, |body| SignableBody::Bytes(body.as_bytes()));
    let request = SignableRequest::new(&case.method, url, headers, body).unwrap();
    let (instructions, signature) = sign_request(request, &params).unwrap().into_parts();
    let signed_headers = match case.form {
        Form::Query => {
            let mut params = instructions.params().iter();
            params.find(|(name, _)| *name == "X-Amz-SignedHeaders").unwrap().1.to_string()
        }
        Form::Headers => {
            let (_, value) = instructions.headers().find(|(n, _)| *n == "authorization").unwrap();
            let (_, rest) = value.split_once("SignedHeaders=").unwrap();
            rest.split(',').next().unwrap().to_owned()
        }
    };
    Made { signed_headers, signature }
}

fn settings(case: &Case) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.session_token_mode = match case.token {
        Token::Signed => SessionTokenMode::Include,
        Token::Appended => SessionTokenMode::Exclude,
    };
    if case.form == Form::Query {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(case.expires.into()));
    }
    if case.service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

fn encode(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
