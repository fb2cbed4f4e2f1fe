//! What is wrong with a TLS handshake, and what a person should do next.

use super::ConnectError;
use crate::{Cause, TlsOptions, Url, tcp};
use core::fmt;
use rustls::{AlertDescription as Alert, CertificateError as Cert, Error as Tls, InvalidMessage};
use std::io;

/// What is wrong with a TLS handshake. The peer is at fault, unless it is the client's certificate that is
/// missing or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate was issued by a CA that is not trusted here, or by itself.
    UnknownCa,
    /// The certificate is for other names or addresses than the URL's host.
    WrongName,
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not begun.
    NotYetValid,
    /// The certificate is unusable otherwise: revoked, malformed, or not for a server.
    Certificate,
    /// The peer demands a certificate of the client, which has none.
    NoClientCertificate,
    /// The peer refuses the certificate of the client.
    ClientCertificate,
    /// The answer is not TLS.
    NotTls,
    /// The peer hung up inside the handshake.
    Closed,
    /// The peer refused the handshake with an alert.
    Refused,
    /// The peer broke the TLS protocol.
    Protocol,
}

impl TlsFault {
    /// Sorts the error with which a handshake ended, of a client that shows a certificate or none.
    fn of(error: &io::Error, options: &TlsOptions) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
            Some(Tls::InvalidCertificate(fault)) => Self::of_certificate(fault),
            Some(Tls::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload,
            )) => Self::NotTls,
            Some(Tls::AlertReceived(alert)) => Self::of_alert(*alert, options),
            Some(_) => Self::Protocol,
            // No error of TLS: the socket's own.
            None => Self::Closed,
        }
    }

    const fn of_certificate(fault: &Cert) -> Self {
        match fault {
            // A CA that was made again under its old name shows as a signature that is bad.
            Cert::UnknownIssuer | Cert::BadSignature => Self::UnknownCa,
            Cert::NotValidForName | Cert::NotValidForNameContext { .. } => Self::WrongName,
            Cert::Expired | Cert::ExpiredContext { .. } => Self::Expired,
            Cert::NotValidYet | Cert::NotValidYetContext { .. } => Self::NotYetValid,
            _ => Self::Certificate,
        }
    }

    /// An alert about certificates is about the client's: of its own, the peer thinks well.
    fn of_alert(alert: Alert, options: &TlsOptions) -> Self {
        match alert {
            Alert::CertificateRequired => Self::NoClientCertificate,
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied => {
                if options.shows_certificate() {
                    Self::ClientCertificate
                } else {
                    // As servers said it before TLS 1.3 had a word for it (RFC 8446 §6.2).
                    Self::NoClientCertificate
                }
            }
            // A signature on it does not fit: its CA was made again under its old name, for one.
            Alert::DecryptError if options.shows_certificate() => Self::ClientCertificate,
            _ => Self::Refused,
        }
    }

    /// What AWS IoT Core is known to mean by it, where `host` is one of its own.
    #[cfg(feature = "aws")]
    fn cause(self, host: &str) -> Option<Cause> {
        use dunlin_aws::{Endpoint, Handshake};
        Endpoint::parse(host)?;
        Some(Cause::of_handshake(match self {
            Self::UnknownCa => Handshake::UnknownIssuer,
            Self::WrongName => Handshake::WrongName,
            Self::Expired | Self::NotYetValid => Handshake::WrongTime,
            Self::NoClientCertificate | Self::ClientCertificate | Self::Closed | Self::Refused => {
                Handshake::Refused
            }
            _ => return None,
        }))
    }

    #[cfg(not(feature = "aws"))]
    const fn cause(self, _: &str) -> Option<Cause> {
        None
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::UnknownCa => {
                "its certificate comes from an unknown CA or is self-signed: \
                 if you trust that CA, pass its certificate (--ca FILE, TlsOptions::ca_file)"
            }
            Self::WrongName => {
                "its certificate is for another name: \
                 use a host that the certificate names, or have it issued for this one"
            }
            Self::Expired => {
                "its certificate has expired: renew it, \
                 or set this machine's clock if that is wrong"
            }
            Self::NotYetValid => {
                "its certificate is not valid yet: check the clock of this machine, \
                 then the certificate's dates"
            }
            Self::Certificate => {
                "its certificate cannot be used: it is revoked, malformed, not for a server, or a \
                 CA's own, as `openssl req -x509` makes them unless it is told \
                 -addext basicConstraints=critical,CA:FALSE; have a new one issued"
            }
            Self::NoClientCertificate => {
                "it demands a certificate of the client: pass one and its key \
                 (--cert FILE --key FILE, TlsOptions::with_client_certificate)"
            }
            Self::ClientCertificate => {
                "it refuses the client's certificate: check that the broker trusts the CA it \
                 comes from, that it is active there, its dates, and that it is for a client"
            }
            Self::NotTls => {
                "it does not speak TLS on this port: \
                 use the broker's TLS port, or ws:// or mqtt:// if it has none"
            }
            Self::Closed => {
                "it closed the connection inside the handshake: \
                 check that this is its TLS port and see the broker's log"
            }
            Self::Refused => {
                "it refused the handshake: see the broker's log \
                 for TLS versions, ALPN, or a client certificate that it demands"
            }
            Self::Protocol => {
                "it broke the TLS protocol: check for a proxy in between, see the broker's log"
            }
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice())
    }
}

impl ConnectError {
    /// The handshake with the host of `url` ended with this error.
    pub(crate) fn tls(url: &Url, options: &TlsOptions, source: io::Error) -> Self {
        let fault = TlsFault::of(&source, options);
        let (peer, cause) = (tcp::peer(url.host(), url.port()), fault.cause(url.host()));
        Self::Tls { peer, fault, cause, source }
    }

    /// The same for what was read behind the handshake, if it is a refusal all the same.
    ///
    /// In TLS 1.3 the client has ended the handshake before the server has judged its certificate, or
    /// that there is none (RFC 8446 §4.4.2.4).
    pub(crate) fn late_refusal(
        url: &Url,
        options: &TlsOptions,
        source: io::Error,
    ) -> Result<Self, io::Error> {
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<Tls>());
        match inner {
            Some(Tls::AlertReceived(_)) => Ok(Self::tls(url, options, source)),
            _ => Err(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(alert: Alert, options: &TlsOptions) -> TlsFault {
        TlsFault::of(&io::Error::other(Tls::AlertReceived(alert)), options)
    }

    fn showing() -> TlsOptions {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
        let (chain, key) = (certificate.pem(), key.serialize_pem());
        TlsOptions::platform().with_client_certificate(chain.as_bytes(), key.as_bytes()).unwrap()
    }

    #[test]
    fn alert_about_certificates_is_about_the_client_that_shows_one_or_none() {
        use TlsFault::{ClientCertificate, NoClientCertificate, Refused};
        for (alert, without, with) in [
            (Alert::CertificateRequired, NoClientCertificate, NoClientCertificate),
            (Alert::BadCertificate, NoClientCertificate, ClientCertificate),
            (Alert::UnknownCA, NoClientCertificate, ClientCertificate),
            (Alert::CertificateExpired, NoClientCertificate, ClientCertificate),
            (Alert::DecryptError, Refused, ClientCertificate),
            (Alert::HandshakeFailure, Refused, Refused),
            (Alert::NoApplicationProtocol, Refused, Refused),
        ] {
            assert_eq!(received(alert, &TlsOptions::platform()), without, "{alert:?}");
            assert_eq!(received(alert, &showing()), with, "{alert:?}");
        }
    }

    #[test]
    fn advice_names_the_option_that_helps() {
        assert!(TlsFault::UnknownCa.to_string().contains("--ca FILE"));
        assert!(TlsFault::NoClientCertificate.to_string().contains("--cert FILE --key FILE"));
    }

    #[cfg(feature = "aws")]
    #[test]
    fn host_of_aws_gets_the_next_step_that_is_known_there() {
        let expired = || io::Error::other(Tls::InvalidCertificate(Cert::UnknownIssuer));
        let error = |host: &str| {
            let url: Url = format!("wss://{host}").parse().unwrap();
            ConnectError::tls(&url, &TlsOptions::platform(), expired()).to_string()
        };
        let aws = error("a1-ats.iot.us-east-1.amazonaws.com");
        assert!(aws.contains("--ca FILE") && aws.contains("; the server's certificate"), "{aws}");
        assert!(aws.contains("Amazon Root CA 1") && !aws.contains('\n'), "{aws}");
        assert!(!error("localhost").contains("Amazon"));
    }
}
