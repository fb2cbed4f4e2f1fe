//! A way into AWS IoT Core for a guest of an identity pool.

use crate::{
    cognito::{self, ANSWER_MAX, Identity, Kept},
    door::{Door, House},
    settings,
    target::Target,
};
use dunlin_aws::{Endpoint, signed_target, sigv4::Key};
use dunlin_embassy::{
    Access, Unavailable,
    dunlin::{Connect, Transport, ws},
};

/// Seconds between two signs of life: half of what makes AWS IoT Core give a client up.
const KEEP_ALIVE_S: u16 = 60;

/// Fetches credentials when they are due, and signs each upgrade request.
pub(crate) struct Guest<'h, F> {
    house: &'h House<'h, F>,
    cognito: Door<'h, F>,
    identity: Option<Identity>,
    kept: Option<Kept>,
    key: Key,
    target: Target,
    answer: &'h mut [u8; ANSWER_MAX],
}

impl<'h, F: FnMut(&mut [u8])> Guest<'h, F> {
    /// A guest whose credentials come from `cognito_host`.
    pub(crate) fn new(
        house: &'h House<'h, F>,
        cognito_host: &'h str,
        answer: &'h mut [u8; ANSWER_MAX],
    ) -> Self {
        Self {
            house,
            cognito: Door { house, host: cognito_host },
            identity: settings::IDENTITY.and_then(|name| Identity::try_from(name).ok()),
            kept: None,
            key: Key::new(),
            target: Target::new(),
            answer,
        }
    }

    /// Signs with what there is.
    fn sign(&mut self) -> Option<()> {
        let Self { kept, key, target, house, .. } = self;
        let region = Endpoint::parse(settings::ENDPOINT)?.region;
        let credentials = kept.as_ref()?.credentials();
        let now = house.clock.now()?;
        let signed = signed_target(credentials, region, settings::ENDPOINT, now, key).ok()?;
        target.keep(&signed)
    }
}

impl<F: FnMut(&mut [u8])> Access for Guest<'_, F> {
    async fn refresh(&mut self) -> Result<(), Unavailable> {
        let house = self.house;
        let now = match house.clock.now() {
            Some(now) => now,
            None => {
                let mut random = |bytes: &mut [u8]| house.fill(bytes);
                let told =
                    house.clock.set_from(settings::TIME_SERVER, house.stack, &mut random).await;
                told.ok_or(Unavailable)?
            }
        };
        if self.kept.as_ref().is_none_or(|kept| kept.lifetime().is_due(now)) {
            let Self { cognito, identity, answer, .. } = self;
            let (host, answer) = (cognito.host, answer.as_mut());
            let identity = match identity {
                Some(identity) => identity,
                none => none
                    .insert(cognito::fetch_identity(host, settings::POOL, cognito, answer).await?),
            };
            let new = cognito::fetch_credentials(host, identity, now, cognito, answer).await?;
            self.kept = Some(new);
        }
        self.sign().ok_or(Unavailable)
    }

    fn transport(&self) -> Result<Transport<'_>, Unavailable> {
        let request = ws::Request::new(settings::ENDPOINT, &self.target, &[]);
        request.map(Transport::WebSocket).map_err(|_| Unavailable)
    }

    fn connect(&self) -> Connect<'_> {
        Connect { keep_alive_s: KEEP_ALIVE_S, ..Connect::new(settings::THING) }
    }

    fn handle_refusal(&self, refusal: &ws::Refusal<'_>) {
        self.house.clock.learn_from_date(refusal.field("Date"));
    }
}
