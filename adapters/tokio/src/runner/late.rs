//! What a server says of the TLS handshake when that is over here.

use super::Attempt;
use crate::{ConnectError, Error};
use std::{io, sync::Arc};

impl Attempt<'_> {
    /// Whether the server has refused the handshake all the same; otherwise `io` again.
    pub(super) fn late_refusal(&self, io: io::Error) -> Result<Error, io::Error> {
        if self.shared.lock().desk.connected().is_some() {
            return Err(io);
        }
        let refused = ConnectError::late_refusal(self.url, &self.options.tls, io)?;
        Ok(Error::Connect(Arc::new(refused)))
    }
}
