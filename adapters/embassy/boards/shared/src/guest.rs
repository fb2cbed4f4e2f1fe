//! Credentials for a guest of an identity pool.

use crate::{
    cognito::{self, ANSWER_MAX, Identity, Kept},
    door::{Door, House},
    settings,
};
use dunlin_aws::{UnixTime, sigv4::Credentials};
use dunlin_embassy::{Unavailable, aws::CredentialsProvider};

/// Fetches the time and credentials when they are due.
pub(crate) struct Guest<'h, F> {
    house: &'h House<'h, F>,
    cognito: Door<'h, F>,
    identity: Option<Identity>,
    kept: Option<Kept>,
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
            answer,
        }
    }
}

impl<F: FnMut(&mut [u8])> CredentialsProvider for Guest<'_, F> {
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
        Ok(())
    }

    fn credentials(&self) -> Option<Credentials<'_>> {
        Some(self.kept.as_ref()?.credentials())
    }

    fn now(&self) -> Option<UnixTime> {
        self.house.clock.now()
    }

    fn handle_date(&self, date: Option<&str>) {
        self.house.clock.learn_from_date(date);
    }
}
