//! Proofs of identity beside a password and a signature: a certificate, a custom authorizer.

use super::{connection::Password, words::Words};
use crate::failure::{Code, Failure};
use dunlin_tokio::{
    Options, TlsOptions, TlsOptionsError, Url,
    aws::{Authorizer, Endpoint, EndpointService, InvalidAuthorizer},
};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What `pub`, `sub` and `doctor` were given of it.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    alpn: Option<String>,
    authorizer: Option<String>,
    /// The token's key, and the token.
    token: Option<(String, Password)>,
    signature: Option<String>,
    aws_iot: bool,
}

impl Proof {
    /// The options that it takes.
    pub(super) const OPTIONS: [&str; 7] = [
        "--cert",
        "--key",
        "--alpn",
        "--aws-iot",
        "--authorizer",
        "--authorizer-token",
        "--authorizer-signature",
    ];

    /// Takes one of its options.
    pub(super) fn take(&mut self, option: &str, words: &mut Words) -> Result<(), Failure> {
        match option {
            "--cert" => self.cert = Some(words.path()?),
            "--key" => self.key = Some(words.path()?),
            "--alpn" => self.alpn = Some(words.text()?),
            "--aws-iot" => self.aws_iot = true,
            "--authorizer" => self.authorizer = Some(words.text()?),
            "--authorizer-signature" => self.signature = Some(words.text()?),
            _ => {
                let pair = words.text()?;
                let pair = pair.split_once('=');
                let wrong = || words.wrong("--authorizer-token takes KEY=TOKEN");
                let (key, token) = pair.ok_or_else(wrong)?;
                let token = Password(Zeroizing::new(token.as_bytes().to_vec()));
                self.token = Some((key.to_owned(), token));
            }
        }
        Ok(())
    }

    /// Whether its parts go together, and with the URL.
    pub(super) fn check(&self, url: &Url, words: &Words) -> Result<(), Failure> {
        let of_tls = ["--cert", "--alpn"].into_iter().find(|option| words.has_seen(option));
        if let Some(option) = of_tls.filter(|_| !url.scheme().is_tls()) {
            let what = format!("{option} has no use without TLS, which is wss:// or mqtts://");
            return Err(words.wrong(&what));
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err(words.wrong("--cert and --key need one another"));
        }
        if self.signature.is_some() && self.token.is_none() {
            return Err(words.wrong("--authorizer-signature needs --authorizer-token KEY=TOKEN"));
        }
        Ok(())
    }

    /// TLS with the client's certificate and protocol.
    pub(crate) fn tls(&self, tls: TlsOptions) -> Result<TlsOptions, Failure> {
        let invalid = |error: TlsOptionsError| Failure::new(Code::Input, error.to_string());
        let tls = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                tls.with_client_certificate(&read(cert)?, &read(key)?).map_err(invalid)?
            }
            _ => tls,
        };
        match &self.alpn {
            Some(alpn) => tls.with_alpn(&[alpn]).map_err(|error| Failure::usage(error.to_string())),
            None => Ok(tls),
        }
    }

    /// The rules of AWS IoT Core where that is the broker, and its custom authorizer.
    pub(crate) fn options(&self, options: Options) -> Result<Options, Failure> {
        let endpoint = Endpoint::parse(options.url().host()).map(|endpoint| endpoint.service);
        let is_data =
            matches!(endpoint, Some(EndpointService::Data | EndpointService::DataSymantec));
        let options = if self.aws_iot || is_data { options.aws_iot() } else { options };
        if self.authorizer.is_none() && self.token.is_none() {
            return Ok(options);
        }
        let invalid = |error: InvalidAuthorizer| Failure::usage(format!("--authorizer: {error}"));
        let mut authorizer = Authorizer::new();
        if let Some(name) = &self.authorizer {
            authorizer = authorizer.with_name(name).map_err(invalid)?;
        }
        if let Some((key, token)) = &self.token {
            let token = str::from_utf8(&token.0).unwrap_or_default();
            authorizer = match &self.signature {
                Some(signature) => authorizer.with_signed_token(key, token, signature),
                None => authorizer.with_token(key, token),
            }
            .map_err(invalid)?;
        }
        options.aws_authorizer(&authorizer).map_err(invalid)
    }
}

/// Reads a file of PEM text; a key is wiped afterwards.
fn read(path: &PathBuf) -> Result<Zeroizing<Vec<u8>>, Failure> {
    std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        let path = path.display();
        let text = format!("cannot read {path} ({error}): check path and permissions");
        Failure::new(Code::Input, text)
    })
}
