//! Signatures of ECDSA, as `rustls-webpki` wants them checked.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha256, Sha384};

/// A curve and a hash; every pair stands in certificates, whatever TLS pairs them with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ecdsa {
    P256Sha256,
    P256Sha384,
    P384Sha256,
    P384Sha384,
}

/// What a path of certificates may be signed with.
pub(crate) const ALL: &[&dyn SignatureVerificationAlgorithm] =
    &[&Ecdsa::P256Sha256, &Ecdsa::P256Sha384, &Ecdsa::P384Sha256, &Ecdsa::P384Sha384];

impl Ecdsa {
    /// The pair that a signature scheme of TLS 1.3 stands for (RFC 8446 §4.2.3).
    pub(crate) const fn of_scheme(scheme: u16) -> Option<Self> {
        match scheme {
            0x0403 => Some(Self::P256Sha256),
            0x0503 => Some(Self::P384Sha384),
            _ => None,
        }
    }
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        match self {
            Self::P256Sha256 => p256(public_key, &Sha256::digest(message), signature),
            Self::P256Sha384 => p256(public_key, &Sha384::digest(message), signature),
            Self::P384Sha256 => p384(public_key, &Sha256::digest(message), signature),
            Self::P384Sha384 => p384(public_key, &Sha384::digest(message), signature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        match self {
            Self::P256Sha256 | Self::P256Sha384 => alg_id::ECDSA_P256,
            Self::P384Sha256 | Self::P384Sha384 => alg_id::ECDSA_P384,
        }
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self {
            Self::P256Sha256 | Self::P384Sha256 => alg_id::ECDSA_SHA256,
            Self::P256Sha384 | Self::P384Sha384 => alg_id::ECDSA_SHA384,
        }
    }
}

fn p256(public_key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(public_key);
    let signature = p256::ecdsa::Signature::from_der(signature);
    let (Ok(key), Ok(signature)) = (key, signature) else { return Err(InvalidSignature) };
    key.verify_prehash(hash, &signature).map_err(|_| InvalidSignature)
}

fn p384(public_key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(public_key);
    let signature = p384::ecdsa::Signature::from_der(signature);
    let (Ok(key), Ok(signature)) = (key, signature) else { return Err(InvalidSignature) };
    key.verify_prehash(hash, &signature).map_err(|_| InvalidSignature)
}
