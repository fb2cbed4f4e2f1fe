//! A way into AWS IoT Core for a board whose clock may be wrong.

use crate::host;
use core::cell::Cell;
use dunlin_aws::{
    ClockOffset, UnixTime, signed_target,
    sigv4::{Credentials, Key, Presigned},
};
use dunlin_embassy::{
    Access, Unavailable,
    dunlin::{Connect, Transport, ws},
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
    key: Key,
    offset: Cell<ClockOffset>,
    target: Option<Presigned<'static>>,
}

impl Signed {
    pub fn new(connect: Connect<'static>) -> Self {
        Self { connect, key: Key::new(), offset: Cell::default(), target: None }
    }
}

impl Access for Signed {
    async fn refresh(&mut self) -> Result<(), Unavailable> {
        let now = self.offset.get().correct(clock());
        let target = signed_target(CREDENTIALS, REGION, HOST, now, &mut self.key);
        self.target = target.ok();
        Ok(())
    }

    fn transport(&self) -> Result<Transport<'_>, Unavailable> {
        let target = self.target.as_ref().ok_or(Unavailable)?;
        let request = ws::Request::new(HOST, target, &[]).map_err(|_| Unavailable)?;
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
