//! Who the client is, for servers that ask: an X.509 certificate, as AWS IoT Core wants on port 8883.

use core::fmt;
use p256::ecdsa::SigningKey;

/// A certificate and its key, for mutual TLS.
pub struct Identity<'a> {
    pub(crate) certificate: &'a [u8],
    pub(crate) key: SigningKey,
}

/// A key that is none of P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidKey;

impl<'a> Identity<'a> {
    /// The certificate in DER, and the 32 bytes of its key of P-256, which are wiped when this is dropped.
    pub fn new(certificate: &'a [u8], key: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = SigningKey::from_slice(key).map_err(|_| InvalidKey)?;
        Ok(Self { certificate, key })
    }
}

impl fmt::Debug for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Identity<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Identity");
    }
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a key of P-256: give the 32 bytes of its scalar")
    }
}

impl core::error::Error for InvalidKey {}
