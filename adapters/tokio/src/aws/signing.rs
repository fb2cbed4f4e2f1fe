//! Who signs upgrade requests, and keeps credentials and the key for it.

use super::{Credentials, CredentialsProvider, InvalidInput, ServiceError, UnixTime};
use dunlin_drive::dunlin::octet::{Count, Sink, Text};
use dunlin_sigv4::{Key, Request};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long a provider may take to get credentials.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);

/// Who signs, for which region.
///
/// Clones share the credentials and the key derived from them, which is kept for the day.
#[derive(Clone)]
pub struct Signing {
    region: String,
    provider: Option<Arc<dyn CredentialsProvider>>,
    kept: Arc<Mutex<Kept>>,
    /// Whose turn it is to ask the provider: one asks for all that share the credentials.
    turn: Arc<Turn>,
}

type Turn = tokio::sync::Mutex<()>;

#[derive(Default)]
struct Kept {
    credentials: Option<Arc<Credentials>>,
    /// What was signed with them was refused: they may have been taken back.
    are_doubted: bool,
    key: Key,
}

impl Kept {
    /// Whether there are credentials that need not be got anew.
    fn are_good(&self, now: UnixTime) -> bool {
        let due = |kept: &Arc<Credentials>| kept.lifetime().is_due(now);
        !self.are_doubted && self.credentials.as_ref().is_some_and(|kept| !due(kept))
    }
}

impl Signing {
    /// Long-lived or temporary credentials; temporary ones come with a session token.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
        region: impl Into<String>,
    ) -> Self {
        let secret = Zeroizing::new(secret_access_key.into());
        let token = session_token.map(Zeroizing::new);
        let token = token.as_ref().map(|token| token.as_str());
        let credentials = Credentials::new(&access_key_id.into(), &secret, token);
        let kept = Kept { credentials: Some(Arc::new(credentials)), ..Kept::default() };
        let kept = Arc::new(Mutex::new(kept));
        Self { region: region.into(), provider: None, kept, turn: Arc::default() }
    }

    /// Credentials from `provider`, got anew before a connection is made when they are about to end.
    ///
    /// A connection that stands is never torn down for it: AWS IoT Core asks for credentials at the
    /// upgrade alone.
    pub fn from_provider(
        provider: impl CredentialsProvider + 'static,
        region: impl Into<String>,
    ) -> Self {
        let (kept, turn) = (Arc::default(), Arc::default());
        Self { region: region.into(), provider: Some(Arc::new(provider)), kept, turn }
    }

    /// The region that signatures are for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Gets credentials if there are none that are good beyond `now`, or if they are about to end, or if
    /// AWS has refused what a client signed with them.
    ///
    /// A client does it before each connect. Where it fails and those that are there are still good,
    /// these stay, and what failed is returned as `Ok`.
    pub async fn refresh(&self, now: UnixTime) -> Result<Option<ServiceError>, ServiceError> {
        let Some(provider) = &self.provider else { return Ok(None) };
        let asked = timeout(REFRESH_TIMEOUT, self.ask(&**provider, now)).await;
        match asked.unwrap_or(Err(ServiceError::ProviderTimedOut)) {
            Ok(()) => Ok(None),
            Err(error) => match &self.lock().credentials {
                Some(kept) if !kept.lifetime().is_over(now) => Ok(Some(error)),
                _ => Err(error),
            },
        }
    }

    /// Has the provider give credentials, unless there are good ones by the time it is our turn.
    async fn ask(
        &self,
        provider: &dyn CredentialsProvider,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        if self.lock().are_good(now) {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        if self.lock().are_good(now) {
            return Ok(());
        }
        let credentials = provider.credentials().await?;
        let mut kept = self.lock();
        kept.credentials = Some(Arc::new(credentials));
        kept.are_doubted = false;
        Ok(())
    }

    /// The request target for an upgrade at the time `at`; `host` as in the Host header.
    ///
    /// With a provider, call [`refresh`](Self::refresh) before.
    pub fn presign(
        &self,
        host: &str,
        path: &str,
        at: UnixTime,
        expires: Option<u32>,
    ) -> Result<SignedTarget, InvalidInput> {
        self.sign(|credentials, region, key| {
            let request = Request { path, ..Request::iot(credentials, region, host, at) };
            let signed = request.presign(key, expires)?;
            let mut target = Zeroizing::new(Vec::with_capacity(Count::of(&signed)));
            signed.write(&mut Collected(&mut target));
            Ok(SignedTarget(target))
        })
    }

    /// The credentials do not sign, or AWS has refused what was signed, and not for the clock: the next
    /// refresh gets others, however long these were to last.
    pub(crate) fn doubt(&self) {
        self.lock().are_doubted = true;
    }

    /// Signs with what there is and the key that is kept.
    pub(super) fn sign<T, E: From<InvalidInput>>(
        &self,
        sign: impl FnOnce(dunlin_sigv4::Credentials<'_>, &str, &mut Key) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut kept = self.lock();
        let Kept { credentials, key, .. } = &mut *kept;
        let credentials = credentials.as_ref().ok_or(InvalidInput::AccessKeyId)?;
        sign(credentials.parts(), &self.region, key)
    }

    /// Held for short calls, and never across an await.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The access key's identifier and the region alone.
impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = self.lock().credentials.clone();
        let access_key_id = credentials.as_ref().map(|credentials| credentials.access_key_id());
        f.debug_struct("Signing")
            .field("access_key_id", &access_key_id)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// A signed request target; writes itself. Whoever reads it can use it for some minutes.
pub struct SignedTarget(Zeroizing<Vec<u8>>);

impl Text for SignedTarget {
    fn write(&self, sink: &mut dyn Sink) {
        sink.put(&self.0);
    }
}

/// Shows nothing of it.
impl fmt::Debug for SignedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedTarget").finish_non_exhaustive()
    }
}

/// Puts text behind what is there; enough room, so that no copy of a secret is left behind.
pub(crate) struct Collected<'a>(pub(crate) &'a mut Vec<u8>);

impl Sink for Collected<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{CredentialsFuture, Lifetime};
    use std::sync::atomic::{AtomicU64, Ordering};

    const LIFE_S: u64 = 1_000;

    /// Gives credentials that last for [`LIFE_S`] from the time it is asked, unless that is odd.
    struct Hourly(Arc<AtomicU64>);

    impl CredentialsProvider for Hourly {
        fn credentials(&self) -> CredentialsFuture<'_> {
            let now = self.0.load(Ordering::Relaxed);
            Box::pin(async move {
                if now % 2 == 1 {
                    return Err(ServiceError::ProviderTimedOut);
                }
                let at = UnixTime::from_secs;
                let lifetime = Lifetime::new(at(now), at(now + LIFE_S));
                Ok(Credentials::new(&format!("AKID{now}"), "s", None).with_lifetime(lifetime))
            })
        }
    }

    /// Gives credentials when it has been polled a few times.
    #[derive(Default)]
    struct Slow(Arc<AtomicU64>);

    impl CredentialsProvider for Slow {
        fn credentials(&self) -> CredentialsFuture<'_> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async {
                tokio::task::yield_now().await;
                Ok(Credentials::new("AKID", "s", None))
            })
        }
    }

    #[tokio::test]
    async fn provider_is_asked_once_for_all_that_share_its_credentials() {
        let slow = Slow::default();
        let asked = Arc::clone(&slow.0);
        let signing = Signing::from_provider(slow, "us-east-1");
        let now = UnixTime::from_secs(7);
        let clones = [signing.clone(), signing.clone(), signing.clone()];
        let mut waiting = tokio::task::JoinSet::new();
        for clone in clones {
            waiting.spawn(async move { clone.refresh(now).await.is_ok() });
        }
        assert!(waiting.join_all().await.into_iter().all(|refreshed| refreshed));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    /// Never answers.
    struct Silent;

    impl CredentialsProvider for Silent {
        fn credentials(&self) -> CredentialsFuture<'_> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn provider_that_never_answers_is_given_up() {
        let begun = tokio::time::Instant::now();
        let signing = Signing::from_provider(Silent, "us-east-1");
        let refreshed = timeout(2 * REFRESH_TIMEOUT, signing.refresh(super::super::now())).await;
        let error = refreshed.expect("an end").unwrap_err();
        assert!(matches!(error, ServiceError::ProviderTimedOut), "{error:?}");
        assert!(error.is_retryable());
        assert!(begun.elapsed() >= REFRESH_TIMEOUT);
    }

    #[tokio::test]
    async fn credentials_are_got_before_they_end_and_kept_as_long_as_they_are_good() {
        let clock = Arc::new(AtomicU64::new(0));
        let signing = Signing::from_provider(Hourly(Arc::clone(&clock)), "us-east-1");
        let refresh = async |now| {
            clock.store(now, Ordering::Relaxed);
            let outcome = signing.refresh(UnixTime::from_secs(now)).await;
            let id = signing.lock().credentials.clone();
            let id = id.map(|kept| kept.access_key_id().to_owned()).unwrap_or_default();
            (outcome.map(|error| error.is_some()).map_err(drop), id)
        };
        // None yet, and the provider fails.
        assert_eq!(refresh(101).await, (Err(()), String::new()));
        assert!(signing.presign("h", "/", UnixTime::from_secs(101), None).is_err());
        assert_eq!(refresh(200).await, (Ok(false), "AKID200".into()));
        // A quarter of their life before they end.
        assert_eq!(refresh(948).await, (Ok(false), "AKID200".into()));
        assert_eq!(refresh(951).await, (Ok(true), "AKID200".into()));
        assert_eq!(refresh(950).await, (Ok(false), "AKID950".into()));
        // They have ended: nothing is signed with them any more.
        assert_eq!(refresh(1_951).await.0, Err(()));
        assert_eq!(refresh(1_952).await, (Ok(false), "AKID1952".into()));
        let target = signing.presign("h", "/", UnixTime::from_secs(1_952), None).unwrap();
        assert_eq!(format!("{target:?}"), "SignedTarget { .. }");
        // AWS has refused what was signed: they are doubted until there are others.
        signing.doubt();
        assert_eq!(refresh(1_953).await, (Ok(true), "AKID1952".into()));
        assert_eq!(refresh(1_954).await, (Ok(false), "AKID1954".into()));
        assert_eq!(refresh(1_956).await, (Ok(false), "AKID1954".into()));
    }
}
