//! Temporary credentials: kept in the caller's memory, wiped there, and renewed in time.

use crate::json::Str;
use core::fmt;
use dunlin_octet::{Buffer, Count, Text, Writer};
use dunlin_sigv4::{Credentials, UnixTime};
use zeroize::Zeroize;

/// How long before their end credentials are to be renewed, in seconds.
pub const REFRESH_MARGIN_S: u64 = 300;

/// The margin is at most this part of a life, so that short-lived credentials are of use.
const MARGIN_SHARE: u64 = 4;

/// From when to when credentials are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lifetime {
    from: UnixTime,
    until: UnixTime,
}

impl Lifetime {
    /// Of long-lived credentials, which are good until somebody takes them back.
    pub const ENDLESS: Self =
        Self { from: UnixTime::from_secs(0), until: UnixTime::from_secs(u64::MAX) };

    /// Of credentials that were got at `from`, by the same clock that will be asked later.
    pub const fn new(from: UnixTime, until: UnixTime) -> Self {
        Self { from, until }
    }

    /// When they end.
    pub const fn until(self) -> UnixTime {
        self.until
    }

    /// From when on they are to be renewed before the next connection is made.
    ///
    /// [`REFRESH_MARGIN_S`] before their end, or a quarter of their life where that is less.
    pub fn refresh_at(self) -> UnixTime {
        let (from, until) = (self.from.as_secs(), self.until.as_secs());
        // Shifted, because a division of 64 bits costs a microcontroller a kilobyte of code.
        let share = until.saturating_sub(from) >> const { MARGIN_SHARE.trailing_zeros() };
        UnixTime::from_secs(until.saturating_sub(share.min(REFRESH_MARGIN_S)))
    }

    /// Whether they are to be renewed before the next connection is made.
    pub fn is_due(self, now: UnixTime) -> bool {
        now >= self.refresh_at()
    }

    /// Whether they are of no more use. A connection that stands keeps standing.
    pub fn is_over(self, now: UnixTime) -> bool {
        now >= self.until
    }
}

/// Credentials as a service has issued them, still within its answer.
#[derive(Clone, Copy)]
pub struct Issued<'a> {
    pub(crate) access_key_id: Str<'a>,
    pub(crate) secret_access_key: Str<'a>,
    pub(crate) session_token: Str<'a>,
    pub(crate) until: UnixTime,
}

impl Issued<'_> {
    /// When they end.
    pub const fn until(&self) -> UnixTime {
        self.until
    }

    /// How many bytes of memory [`keep`](Self::keep) needs.
    pub fn len(&self) -> usize {
        self.parts().iter().fold(0, |len, part| Count::of(part).saturating_add(len))
    }

    /// Whether the service has issued nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies them into `memory`; wipe the answer then.
    ///
    /// `now` is the time of the clock that will be asked whether they are due. `None` when there are
    /// more than `memory` has bytes.
    pub fn keep<B: Buffer>(&self, memory: B, now: UnixTime) -> Option<Expiring<B>> {
        Expiring::filled(memory, self.parts(), Lifetime::new(now, self.until))
    }

    fn parts(&self) -> [&dyn Text; 3] {
        [&self.access_key_id, &self.secret_access_key, &self.session_token]
    }
}

/// Shows when they end, and nothing else.
impl fmt::Debug for Issued<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("until", &self.until).finish_non_exhaustive()
    }
}

/// Shows when they end, and nothing else.
#[cfg(feature = "defmt")]
impl defmt::Format for Issued<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Issued {{ until: {} }}", self.until);
    }
}

/// Credentials and their lifetime, in memory that is wiped when they are dropped.
pub struct Expiring<B: Buffer> {
    memory: B,
    /// Where each of the three ends.
    ends: [usize; 3],
    lifetime: Lifetime,
}

impl<B: Buffer> Expiring<B> {
    /// Copies credentials into `memory`; `None` when there are more than it has bytes.
    pub fn new(memory: B, credentials: &Credentials<'_>, lifetime: Lifetime) -> Option<Self> {
        let token = credentials.session_token.unwrap_or_default();
        let parts: [&dyn Text; 3] =
            [&credentials.access_key_id, &credentials.secret_access_key, &token];
        Self::filled(memory, parts, lifetime)
    }

    fn filled(mut memory: B, parts: [&dyn Text; 3], lifetime: Lifetime) -> Option<Self> {
        let len = parts.iter().fold(0, |len, part| Count::of(*part).saturating_add(len));
        if len > memory.bytes().len() && !memory.grow(len) {
            return None;
        }
        let mut writer = Writer::new(memory.bytes_mut());
        let ends = parts.map(|part| {
            part.write(&mut writer);
            writer.len()
        });
        Some(Self { memory, ends, lifetime })
    }

    /// What to sign with.
    pub fn credentials(&self) -> Credentials<'_> {
        let [id, secret, token] = self.ends;
        let token = self.part(secret, token);
        Credentials {
            access_key_id: self.part(0, id),
            secret_access_key: self.part(id, secret),
            session_token: (!token.is_empty()).then_some(token),
        }
    }

    /// From when to when they are good.
    pub const fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    fn part(&self, from: usize, to: usize) -> &str {
        // What was written is text: it came out of text, and is cut where its parts met.
        let part = self.memory.bytes().get(from..to).unwrap_or_default();
        core::str::from_utf8(part).unwrap_or_default()
    }
}

impl<B: Buffer> Drop for Expiring<B> {
    fn drop(&mut self) {
        self.memory.bytes_mut().zeroize();
    }
}

/// Shows the access key id and the lifetime only.
impl<B: Buffer> fmt::Debug for Expiring<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiring")
            .field("access_key_id", &self.credentials().access_key_id)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// Shows the access key id and the lifetime only.
#[cfg(feature = "defmt")]
impl<B: Buffer> defmt::Format for Expiring<B> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Expiring {{ access_key_id: {=str}, {} }}",
            self.credentials().access_key_id,
            self.lifetime
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: Credentials<'_> = Credentials {
        access_key_id: "AKID",
        secret_access_key: "the-secret",
        session_token: Some("the-token"),
    };

    fn lifetime(from: u64, until: u64) -> Lifetime {
        Lifetime::new(UnixTime::from_secs(from), UnixTime::from_secs(until))
    }

    #[test]
    fn lifetime_is_due_a_margin_or_a_quarter_before_its_end() {
        for (from, until, refresh) in [
            (1_000, 4_600, 4_300),
            (1_000, 1_090, 1_068),
            (1_000, 2_200, 1_900),
            (1_000, 1_000, 1_000),
            (1_000, 900, 900),
        ] {
            let lifetime = lifetime(from, until);
            assert_eq!(lifetime.refresh_at().as_secs(), refresh);
            let at = UnixTime::from_secs;
            assert!(lifetime.is_due(at(refresh)) && !lifetime.is_due(at(refresh - 1)));
            assert!(lifetime.is_over(at(until)) && !lifetime.is_over(at(until - 1)));
        }
        assert!(!Lifetime::ENDLESS.is_due(UnixTime::MAX));
    }

    #[test]
    fn credentials_are_kept_whole_and_wiped_when_dropped() {
        let mut memory = [7; 30];
        let kept = Expiring::new(&mut memory[..], &CREDENTIALS, lifetime(0, 9)).unwrap();
        let again = kept.credentials();
        assert_eq!(again.access_key_id, "AKID");
        assert_eq!(again.secret_access_key, "the-secret");
        assert_eq!(again.session_token, Some("the-token"));
        let shown = std::format!("{kept:?}");
        assert!(shown.contains("AKID") && !shown.contains("the-"), "{shown}");
        drop(kept);
        assert_eq!(memory, [0; 30]);
    }

    #[test]
    fn credentials_without_a_token_have_none_and_too_long_ones_are_refused() {
        let credentials = Credentials { session_token: None, ..CREDENTIALS };
        let kept = Expiring::new([0; 14], &credentials, Lifetime::ENDLESS).unwrap();
        assert_eq!(kept.credentials().session_token, None);
        assert!(Expiring::new([0; 13], &credentials, Lifetime::ENDLESS).is_none());
    }
}
