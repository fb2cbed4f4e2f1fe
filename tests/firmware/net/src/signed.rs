//! A way into AWS IoT Core for a board whose clock may be wrong.

use crate::{guest::Guest, host};
use core::cell::Cell;
use dunlin_aws::{ClockOffset, Expiring, Lifetime, UnixTime, sigv4::Credentials};
use dunlin_embassy::{
    Unavailable,
    aws::{AwsIot, CredentialsProvider},
    dunlin::Connect,
};
use shared::cognito::{CREDENTIALS_MAX, Kept};

/// Who the server seems to be; the other side of the wire knows where it is.
const HOST: &str = "firmware.iot.us-east-1.amazonaws.com";
const REGION: &str = "us-east-1";

/// The key of AWS's own examples.
const CREDENTIALS: Credentials<'static> = Credentials {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    session_token: None,
};

/// Keys to sign with, and a clock that learns from refusals.
pub struct Signed {
    guest: Option<Guest>,
    kept: Option<Kept>,
    offset: Cell<ClockOffset>,
}

impl Signed {
    /// With the key of a user, which does not end.
    pub fn user() -> Self {
        let kept = Expiring::new([0; CREDENTIALS_MAX], &CREDENTIALS, Lifetime::ENDLESS);
        Self { guest: None, kept, offset: Cell::default() }
    }

    /// With the keys of a guest, each fetched when it is due.
    pub fn guest(guest: Guest) -> Self {
        Self { guest: Some(guest), kept: None, offset: Cell::default() }
    }

    /// What the runner takes; `memory` holds one target.
    pub fn provider<'a>(self, connect: Connect<'a>, memory: &'a mut [u8]) -> AwsIot<'a, Self> {
        AwsIot::new(HOST, REGION, connect, self, memory)
    }

    fn corrected(&self) -> UnixTime {
        self.offset.get().correct(clock())
    }
}

impl CredentialsProvider for Signed {
    async fn refresh(&mut self) -> Result<(), Unavailable> {
        let now = self.corrected();
        let due = |kept: &Kept| kept.lifetime().is_due(now);
        if self.kept.as_ref().is_none_or(due) {
            let guest = self.guest.as_mut().ok_or(Unavailable)?;
            self.kept = Some(guest.credentials(now).await?);
        }
        Ok(())
    }

    fn credentials(&self) -> Option<Credentials<'_>> {
        Some(self.kept.as_ref()?.credentials())
    }

    fn now(&self) -> Option<UnixTime> {
        Some(self.corrected())
    }

    fn handle_date(&self, date: Option<&str>) {
        let mut offset = self.offset.get();
        if offset.learn_from_date(clock(), date) {
            host::say(format_args!("clock corrected by {} s", offset.ahead_s()));
        }
        self.offset.set(offset);
    }
}

fn clock() -> UnixTime {
    UnixTime::from_secs(host::unix_time_s())
}
