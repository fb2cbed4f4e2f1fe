//! The upgrade request of AWS IoT Core, signed with Signature Version 4.

use dunlin_sigv4::{Credentials, Key, Presigned, Request};
pub use dunlin_sigv4::{InvalidInput, UnixTime};
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// Who signs, for which region.
#[derive(Clone)]
pub struct Signing {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    region: String,
}

impl Signing {
    /// Long-lived or temporary credentials; temporary ones come with a session token.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
        region: impl Into<String>,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: Zeroizing::new(secret_access_key.into()),
            session_token: session_token.map(Zeroizing::new),
            region: region.into(),
        }
    }

    /// The region that signatures are for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The request target for an upgrade at the time `at`; `host` as in the Host header.
    pub fn presign<'a>(
        &'a self,
        host: &'a str,
        path: &'a str,
        at: UnixTime,
        expires: Option<u32>,
    ) -> Result<Presigned<'a>, InvalidInput> {
        let credentials = Credentials {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_ref().map(|token| token.as_str()),
        };
        let request = Request { path, ..Request::iot(credentials, &self.region, host, at) };
        request.presign(&mut Key::new(), expires)
    }
}

/// The access key's identifier and the region alone.
impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing")
            .field("access_key_id", &self.access_key_id)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The system's wall clock; a clock before 1970 counts as 1970.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_secs(since.as_secs())
}
