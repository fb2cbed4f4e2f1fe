//! What can be signed, and what cannot.

use core::fmt;

/// Input that no signature can be made for. The caller is at fault; nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidInput {
    /// The access key id is empty, or has a slash, a blank or a control character.
    AccessKeyId,
    /// The secret access key is empty, or has a blank or a control character.
    SecretAccessKey,
    /// The session token is there but empty, or has a blank or a control character.
    SessionToken,
    /// The region is empty, or has anything but letters, digits and hyphens.
    Region,
    /// The service is empty, or has anything but letters, digits and hyphens.
    Service,
    /// The host is empty, or has a character that no host and port have.
    Host,
    /// The method is empty, or is no token.
    Method,
    /// The path does not start with a slash, or has characters that no path has; for a signed URL
    /// and for Amazon S3, it is not percent-encoded as it has to be.
    Path,
    /// A name in the query is one that the signature itself uses.
    Query,
    /// A header's name is empty, is no token, or is one that the signature itself uses; or a value
    /// has a control character.
    Header,
    /// The time is after the year 9999.
    Time,
    /// The life of the signature is zero, or longer than a week.
    Expires,
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessKeyId => "the access key id is empty or malformed",
            Self::SecretAccessKey => "the secret access key is empty or malformed",
            Self::SessionToken => "the session token is empty or malformed",
            Self::Region => "the region is empty or malformed",
            Self::Service => "the service name is empty or malformed",
            Self::Host => "the host is empty or malformed",
            Self::Method => "the method is empty or malformed",
            Self::Path => "the path is not an absolute path, encoded as needed",
            Self::Query => "the query has a name that the signature itself uses",
            Self::Header => "a header is malformed, or is one that the signature itself makes",
            Self::Time => "the time is after the year 9999",
            Self::Expires => "a signature lives for 1 to 604800 seconds",
        })
    }
}

impl core::error::Error for InvalidInput {}

impl InvalidInput {
    /// `self`, unless `valid` holds.
    pub(crate) fn unless(self, valid: bool) -> Result<(), Self> {
        if valid { Ok(()) } else { Err(self) }
    }
}
