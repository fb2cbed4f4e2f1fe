//! Why a server is not believed.

use core::fmt;
use embedded_io_async::{Error, ErrorKind};
use embedded_tls::TlsError;

/// Why a handshake failed, and what to do next.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// No host to verify was given, or it is none.
    Host,
    /// A pinned root is no certificate, or there are none or too many.
    Anchors,
    /// The memory for the server's certificate is too small: how many bytes it takes.
    LeafMemory(usize),
    /// The server sent no certificate, or nothing that proves it.
    NoProof,
    /// The certificate is not for this host.
    WrongHost,
    /// No path leads to a pinned root: another CA, or an intermediate is missing.
    UnknownIssuer,
    /// It is not valid any more, as far as the clock tells.
    Expired,
    /// It is not valid yet, as far as the clock tells.
    NotYetValid,
    /// It is not for servers, or was issued by what is no CA.
    Usage,
    /// It is signed in a way that is not spoken here, as with RSA.
    Algorithm,
    /// A certificate or a signature is not what it claims to be.
    Certificate,
    /// The protocol failed, or the stream.
    Tls(TlsError),
    /// There is no transport to begin with.
    Transport(ErrorKind),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "no name to verify: give the server's host name, up to 253 bytes",
            Self::Anchors => "the pinned roots are none: give one to four certificates in DER",
            Self::LeafMemory(len) => {
                return write!(f, "the server's certificate has {len} bytes: lend more memory");
            }
            Self::NoProof => "the server has not proved who it is: do not use this connection",
            Self::WrongHost => "the certificate is for another host: check the name",
            Self::UnknownIssuer => {
                "the certificate does not lead to a pinned root: check which CA the server has, \
                 and that it sends its intermediates"
            }
            Self::Expired => "the certificate has expired: check the clock, then the server",
            Self::NotYetValid => "the certificate is not valid yet: set the clock",
            Self::Usage => "the certificate, or one above it, is not for this use",
            Self::Algorithm => {
                "the certificate is signed with other than ECDSA on P-256 or P-384: have the \
                 server use an EC chain"
            }
            Self::Certificate => "a certificate or signature of the server is invalid",
            Self::Tls(error) => return write!(f, "TLS failed: {error:?}"),
            Self::Transport(kind) => return write!(f, "no transport for TLS: {kind:?}"),
        })
    }
}

impl core::error::Error for Fault {}

impl Error for Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Host | Self::Anchors => ErrorKind::InvalidInput,
            Self::LeafMemory(_) => ErrorKind::OutOfMemory,
            Self::Tls(error) => error.kind(),
            Self::Transport(kind) => *kind,
            _ => ErrorKind::PermissionDenied,
        }
    }
}

impl From<webpki::Error> for Fault {
    fn from(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::CertNotValidForName(_) => Self::WrongHost,
            E::UnknownIssuer => Self::UnknownIssuer,
            E::CertExpired { .. } => Self::Expired,
            E::CertNotValidYet { .. } => Self::NotYetValid,
            E::RequiredEkuNotFoundContext(_)
            | E::CaUsedAsEndEntity
            | E::EndEntityUsedAsCa
            | E::IssuerNotCrlSigner
            | E::PathLenConstraintViolated
            | E::NameConstraintViolation => Self::Usage,
            E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::Algorithm,
            _ => Self::Certificate,
        }
    }
}
