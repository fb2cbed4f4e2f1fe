//! What the server said when it accepted.

use crate::error::printable;
use dunlin_drive::dunlin::{Limits, Properties};

/// A client identifier that begins so is good for one connection: AWS IoT Core refuses it afterwards.
const GENERATED: &str = "$GEN/";

/// What the server said when it accepted the current connection, or the last one.
///
/// A server of MQTT 3.1.1 says nothing of all this.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Granted {
    /// The client identifier that the server has chosen, where the client had none.
    pub client_id: Option<String>,
    /// For how long the session outlives the connection, in seconds; [`u32::MAX`] is for ever.
    pub session_expiry_s: u32,
    /// The keep alive that holds in place of the client's, in seconds.
    pub keep_alive_s: Option<u16>,
    /// What the server takes.
    pub limits: Limits,
    /// What response topics can be made of, where it was asked for.
    pub response_information: Option<String>,
    /// The server's words, for people to read.
    pub said: String,
    /// Names and values that the server made up, in order.
    pub user_properties: Vec<(String, String)>,
}

impl Granted {
    pub(crate) fn new(properties: &Properties<'_>, limits: Limits, session_expiry_s: u32) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            client_id: owned(properties.assigned_client_identifier()),
            session_expiry_s,
            keep_alive_s: properties.server_keep_alive_s(),
            limits,
            response_information: owned(properties.response_information()),
            said: said(properties),
            user_properties: properties
                .user_properties()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// The client identifier to come back with, where the server has chosen one and keeps the session.
    pub(crate) fn kept_client_id(&self) -> Option<&str> {
        let client_id = self.client_id.as_deref().filter(|_| self.session_expiry_s > 0)?;
        (!client_id.starts_with(GENERATED)).then_some(client_id)
    }
}

/// The reason string of a packet, fit for a terminal; empty without one.
pub(crate) fn said(properties: &Properties<'_>) -> String {
    properties.reason_string().map_or(String::new(), |text| printable(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_drive::dunlin::Property;

    #[test]
    fn chosen_identifier_is_kept_with_its_session_and_never_a_generated_one() {
        for (client_id, expiry_s, kept) in
            [("auto-1", 60, Some("auto-1")), ("auto-1", 0, None), ("$GEN/1", 60, None)]
        {
            let list = [Property::AssignedClientIdentifier(client_id)];
            let granted = Granted::new(&Properties::new(&list), Limits::NONE, expiry_s);
            assert_eq!(granted.kept_client_id(), kept, "{client_id}, {expiry_s} s");
        }
        assert_eq!(Granted::new(&Properties::NONE, Limits::NONE, 60).kept_client_id(), None);
    }
}
