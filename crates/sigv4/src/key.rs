//! The signing key.

use crate::canonical::{Field, KEY_CHECKS, Plan, QUERY_FORM, Step, Steps, step};
use crate::check::InvalidInput;
use crate::class::ANY;
use crate::hash::{DIGEST_LEN, Digest, Mac};
use crate::request::Request;
use core::{fmt, slice};
use dunlin_octet::Text;
use zeroize::Zeroizing;

/// The first key, and the messages whose codes are the next keys, each under the one before.
const DERIVATION: &[Step; 5] = &[
    step("AWS4", Field::Secret, ANY),
    step("", Field::Day, ANY),
    step("", Field::Region, ANY),
    step("", Field::Service, ANY),
    step("aws4_request", Field::Nothing, ANY),
];

/// What signs for one day, region and service ("Create a signed request", derive a signing key).
///
/// A cache, kept beside the credentials: it is derived when it is first used, and again when the
/// day, the secret, the region or the service have changed, so that it is never stale. Derived
/// in its place, where it leaves no copy; wiped when dropped.
pub struct Key {
    mac: Mac,
    /// What it was derived from, as a checksum; 0 before the first time.
    origin: Zeroizing<u64>,
}

impl Key {
    /// A key that is not yet derived.
    pub fn new() -> Self {
        Self { mac: Mac::new(), origin: Zeroizing::new(0) }
    }

    /// Derives the key for `request`, unless it already is the one.
    ///
    /// Signing calls it; call it earlier to have the work done before the request is there.
    pub fn renew(&mut self, request: &Request<'_>) -> Result<(), InvalidInput> {
        self.renew_for(&request.plan(&QUERY_FORM)?)
    }

    /// The same for a request with a time.
    #[inline(never)]
    pub(crate) fn renew_for(&mut self, plan: &Plan<'_>) -> Result<(), InvalidInput> {
        let origin = Checksum::of(plan);
        if *self.origin == origin {
            return Ok(());
        }
        plan.check_fields(KEY_CHECKS)?;
        let mut code = Zeroizing::new([0; DIGEST_LEN]);
        let [first, rest @ ..] = DERIVATION;
        self.mac.set(&Steps { plan, steps: slice::from_ref(first) });
        for step in rest {
            self.mac.code(&Steps { plan, steps: slice::from_ref(step) }, &mut code);
            self.mac.set(&code.as_slice());
        }
        *self.origin = origin;
        Ok(())
    }

    /// Signs `text`.
    pub(crate) fn sign(&self, text: &dyn Text, signature: &mut Digest) {
        self.mac.code(text, signature);
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows nothing of the key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// Shows nothing of the key.
#[cfg(feature = "defmt")]
impl defmt::Format for Key {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Key");
    }
}

/// A checksum of all that a key is derived from.
///
/// It tells apart what changes by accident, a new day or new credentials, with 64 bits (as FNV-1a,
/// RFC 9923 §2, but from 0 and by eight bytes at a time). Nobody can gain by a collision: who chooses
/// the input may sign with it anyway.
struct Checksum(u64);

impl Checksum {
    /// Never 0.
    fn of(plan: &Plan<'_>) -> u64 {
        let mut sum = Self(0);
        for step in DERIVATION {
            let mut rest = plan.text(step.field);
            while let Some(bytes) = rest {
                let (word, behind) = match bytes.split_first_chunk() {
                    Some((word, behind)) => (u64::from_le_bytes(*word), Some(behind)),
                    // Not full, which no other is: no byte can move from one field to the next.
                    None => (bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), None),
                };
                sum.add(word);
                rest = behind;
            }
        }
        sum.0 | 1
    }

    fn add(&mut self, word: u64) {
        let product = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        // What is high comes down, or it would only ever meet what is higher.
        self.0 = product ^ product >> 29;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, UnixTime};
    use ::hmac::{Hmac, KeyInit, Mac as Theirs};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// What tells one key from another.
    fn code(mac: &Mac) -> Digest {
        let mut code = [0; DIGEST_LEN];
        mac.code(&"text", &mut code);
        code
    }

    fn request(at: &str) -> Request<'static> {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: SECRET,
            session_token: None,
        };
        let at = UnixTime::parse_iso8601(at).unwrap();
        Request { service: "iam", ..Request::iot(credentials, "us-east-1", "example.com", at) }
    }

    /// The example of "Derive a signing key" in the AWS General Reference.
    #[test]
    fn key_of_the_documented_example_is_the_documented_one() {
        let mut key = Key::new();
        key.renew(&request("2012-02-15T23:59:59Z")).unwrap();
        let mut documented = Mac::new();
        let bytes = [
            0xf4, 0x78, 0x0e, 0x2d, 0x9f, 0x65, 0xfa, 0x89, 0x5f, 0x9c, 0x67, 0xb3, 0x2c, 0xe1,
            0xba, 0xf0, 0xb0, 0xd8, 0xa4, 0x35, 0x05, 0xa0, 0x00, 0xa1, 0xa9, 0xe0, 0x90, 0xd4,
            0x14, 0xdb, 0x40, 0x4d,
        ];
        documented.set(&bytes.as_slice());
        assert_eq!(code(&key.mac), code(&documented));
    }

    /// RFC 2104 §2
    #[test]
    fn key_of_a_secret_of_every_length_begins_as_hmac_makes_it_of_the_whole() {
        for len in 0..=200 {
            let secret = "s".repeat(len);
            let whole = std::format!("AWS4{secret}");
            let mut expected = Hmac::<sha2::Sha256>::new_from_slice(whole.as_bytes()).unwrap();
            Theirs::update(&mut expected, b"20120215");
            let mut request = request("2012-02-15T00:00:00Z");
            request.credentials.secret_access_key = &secret;
            let plan = request.plan(&QUERY_FORM).unwrap();
            let mut mac = Mac::new();
            mac.set(&Steps { plan: &plan, steps: &DERIVATION[..1] });
            let mut code = [0; DIGEST_LEN];
            mac.code(&"20120215", &mut code);
            assert_eq!(code[..], expected.finalize().into_bytes()[..], "{len} bytes");
        }
    }

    #[test]
    fn key_is_derived_anew_for_every_change_and_for_none_else() {
        let first = request("2012-02-15T00:00:00Z");
        let mut key = Key::new();
        key.renew(&first).unwrap();
        let first_code = code(&key.mac);
        // Would show if it were derived again.
        let spoil = |key: &mut Key| {
            key.mac.set(&"spoilt");
            code(&key.mac)
        };
        let spoilt = spoil(&mut key);
        key.renew(&request("2012-02-15T23:59:59Z")).unwrap();
        let mut other = Request { path: "/other", ..first };
        other.credentials.access_key_id = "AKIDANOTHER";
        key.renew(&other).unwrap();
        assert_eq!(code(&key.mac), spoilt);

        let mut changes = [first; 4];
        changes[0].at = UnixTime::parse_iso8601("2012-02-16T00:00:00Z").unwrap();
        changes[1].credentials.secret_access_key = "another";
        changes[2].region = "us-east-2";
        changes[3].service = "sts";
        for (index, change) in changes.iter().enumerate() {
            key.renew(change).unwrap();
            assert_ne!(code(&key.mac), spoilt, "{index}");
            key.renew(&first).unwrap();
            assert_eq!(code(&key.mac), first_code, "{index}");
            spoil(&mut key);
        }
        // What is at a part's end does not pass for the next one's beginning.
        key.renew(&Request { region: "a", service: "bc", ..first }).unwrap();
        spoil(&mut key);
        key.renew(&Request { region: "ab", service: "c", ..first }).unwrap();
        assert_ne!(code(&key.mac), spoilt);
    }

    #[test]
    fn key_of_a_malformed_scope_stays_as_it_was() {
        let mut key = Key::new();
        key.renew(&request("2012-02-15T00:00:00Z")).unwrap();
        let before = code(&key.mac);
        let mut spoiled = request("2012-02-15T00:00:00Z");
        spoiled.region = "";
        assert_eq!(key.renew(&spoiled), Err(InvalidInput::Region));
        assert_eq!(code(&key.mac), before);
    }

    #[test]
    fn key_debug_shows_nothing() {
        let mut key = Key::default();
        key.renew(&request("2012-02-15T00:00:00Z")).unwrap();
        assert_eq!(std::format!("{key:?}"), "Key { .. }");
    }
}
