//! Paho's Python client as a peer: [`Peer`] under a name of its own.

use std::ops::{Deref, DerefMut};

use crate::peer::{Kind, Peer};

pub use crate::peer::{Connect, Event, Message, Start, Transport, WAIT_LIMIT};

/// One Paho client; it dies with this value, without a DISCONNECT.
#[derive(Debug)]
pub struct Paho(Peer);

impl Paho {
    /// Starts the process; it connects to nothing yet.
    ///
    /// Panics when the virtual environment with Paho is missing.
    pub async fn start() -> Self {
        Self(Peer::start(Kind::Paho).await)
    }
}

impl Deref for Paho {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.0
    }
}

impl DerefMut for Paho {
    fn deref_mut(&mut self) -> &mut Peer {
        &mut self.0
    }
}
