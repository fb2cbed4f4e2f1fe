//! Enhanced authentication (MQTT 5.0 §4.12) on Tokio.

use crate::shared::ClientSession;
use dunlin_drive::dunlin::{
    self, AuthenticateError, Authenticator, Property, ReasonCode, authenticate, re_authenticate,
};
use std::{fmt, sync::Arc};

/// Longest step of an authentication by this side, in bytes.
pub const AUTHENTICATION_STEP_MAX: usize = 4 << 10;

/// Makes an authenticator for each connection.
#[derive(Clone)]
pub(crate) struct Make(Arc<dyn Fn() -> Box<dyn Authenticator + Send> + Send + Sync>);

impl Make {
    pub(crate) fn new(
        make: impl Fn() -> Box<dyn Authenticator + Send> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(make))
    }

    /// An authentication that has begun, and what CONNECT says of it.
    pub(crate) fn begin(&self) -> Result<(Authentication, First), AuthenticateError> {
        let mut authenticator = (self.0)();
        let mut step = vec![0; AUTHENTICATION_STEP_MAX];
        let len = authenticator.begin(&mut step)?;
        let data = len.map(|len| step.get(..len).unwrap_or_default().to_vec());
        let first = First { method: authenticator.method().to_owned(), data };
        Ok((Authentication { authenticator, step, denied: None }, first))
    }
}

impl fmt::Debug for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Make(..)")
    }
}

/// The first step, which goes with CONNECT.
pub(crate) struct First {
    method: String,
    data: Option<Vec<u8>>,
}

impl First {
    pub(crate) fn properties(&self) -> impl Iterator<Item = Property<'_>> {
        let data = self.data.as_deref().map(Property::AuthenticationData);
        [Some(Property::AuthenticationMethod(&self.method)), data].into_iter().flatten()
    }
}

/// The authentication of one connection.
pub(crate) struct Authentication {
    authenticator: Box<dyn Authenticator + Send>,
    step: Vec<u8>,
    denied: Option<AuthenticateError>,
}

impl Authentication {
    /// Does what an event asks; says whether the connection may go on.
    pub(crate) fn handle_event(
        &mut self,
        session: &mut ClientSession,
        event: &dunlin::Event<'_>,
    ) -> bool {
        if self.denied.is_none() {
            let Self { authenticator, step, .. } = self;
            self.denied = authenticate(session, &mut **authenticator, event, step).err();
        }
        self.denied.is_none()
    }

    /// Begins anew on the connection that stands.
    pub(crate) fn begin_again(
        &mut self,
        session: &mut ClientSession,
    ) -> Result<(), AuthenticateError> {
        re_authenticate(session, &mut *self.authenticator, &mut self.step)
    }

    /// Why the connection may not go on.
    pub(crate) const fn denied(&self) -> Option<AuthenticateError> {
        self.denied
    }
}

/// Whether the server says that an authentication on a standing connection is done.
pub(crate) fn is_done(event: &dunlin::Event<'_>) -> bool {
    matches!(event, dunlin::Event::Authentication { reason: ReasonCode::SUCCESS, .. })
}
