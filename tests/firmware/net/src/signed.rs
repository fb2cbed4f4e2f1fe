//! A way into AWS IoT Core for a board whose clock may be wrong.

use crate::{guest::Guest, host};
use core::cell::Cell;
use dunlin_aws::{
    ClockOffset, Expiring, Lifetime, UnixTime, signed_target,
    sigv4::{Credentials, Key},
};
use dunlin_embassy::{
    Access, Unavailable,
    dunlin::{Connect, Transport, ws},
};
use shared::{
    Target,
    cognito::{CREDENTIALS_MAX, Kept},
};

/// Who the server seems to be; the other side of the wire knows where it is.
const HOST: &str = "firmware.iot.us-east-1.amazonaws.com";
const REGION: &str = "us-east-1";

/// The key of AWS's own examples.
const CREDENTIALS: Credentials<'static> = Credentials {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    session_token: None,
};

/// Signs each upgrade request, and learns the time from a refusal.
pub struct Signed {
    connect: Connect<'static>,
    guest: Option<Guest>,
    kept: Option<Kept>,
    key: Key,
    offset: Cell<ClockOffset>,
    target: Target,
}

impl Signed {
    /// With the key of a user, which does not end.
    pub fn user(connect: Connect<'static>) -> Self {
        let kept = Expiring::new([0; CREDENTIALS_MAX], &CREDENTIALS, Lifetime::ENDLESS);
        Self::new(connect, None, kept)
    }

    /// With the keys of a guest, each fetched when it is due.
    pub fn guest(connect: Connect<'static>, guest: Guest) -> Self {
        Self::new(connect, Some(guest), None)
    }

    fn new(connect: Connect<'static>, guest: Option<Guest>, kept: Option<Kept>) -> Self {
        let (offset, target) = (Cell::default(), Target::new());
        Self { connect, guest, kept, key: Key::new(), offset, target }
    }
}

impl Access for Signed {
    async fn refresh(&mut self) -> Result<(), Unavailable> {
        let now = self.offset.get().correct(clock());
        let due = |kept: &Kept| kept.lifetime().is_due(now);
        if self.kept.as_ref().is_none_or(due) {
            let guest = self.guest.as_mut().ok_or(Unavailable)?;
            self.kept = Some(guest.credentials(now).await?);
        }
        let kept = self.kept.as_ref().ok_or(Unavailable)?;
        let target = signed_target(kept.credentials(), REGION, HOST, now, &mut self.key);
        self.target.keep(&target.map_err(|_| Unavailable)?).ok_or(Unavailable)
    }

    fn transport(&self) -> Result<Transport<'_>, Unavailable> {
        let request = ws::Request::new(HOST, &self.target, &[]).map_err(|_| Unavailable)?;
        Ok(Transport::WebSocket(request))
    }

    fn connect(&self) -> Connect<'_> {
        self.connect
    }

    fn handle_refusal(&self, refusal: &ws::Refusal<'_>) {
        let mut offset = self.offset.get();
        if offset.learn_from_date(clock(), refusal.field("Date")) {
            host::say(format_args!("clock corrected by {} s", offset.ahead_s()));
        }
        self.offset.set(offset);
    }
}

fn clock() -> UnixTime {
    UnixTime::from_secs(host::unix_time_s())
}
