//! What makes stream bytes of raw ones.

#[cfg_attr(not(feature = "ws"), path = "wire/absent.rs")]
mod websocket;

pub(super) use websocket::WebSocket;

/// What lies between MQTT and the caller's transport, and how far it has come.
#[derive(Debug)]
pub(super) enum Wire<'o> {
    WebSocket(WebSocket<'o>),
    Stream,
}

impl Wire<'_> {
    /// Whether the answer to the upgrade is awaited; what the stream holds until then is the text of a
    /// refusal.
    pub(super) const fn is_upgrading(&self) -> bool {
        match self {
            Self::WebSocket(websocket) => websocket.is_upgrading(),
            Self::Stream => false,
        }
    }
}
