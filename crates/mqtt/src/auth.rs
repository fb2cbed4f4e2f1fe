//! AUTH (MQTT 5.0 §3.15).

use crate::{
    Malformed, PacketType, Properties, ReasonCode,
    ack::{put_reason, take_reason},
};
use dunlin_octet::{Reader, Sink, Text};

/// One step of an authentication, from either side; only in MQTT 5.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Auth<'a> {
    /// Done, or what is to follow.
    pub reason: ReasonCode,
    /// The authentication method, which must be there, and its data; none at all with success.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    /// Reads the body of an AUTH: nothing at all, or a reason and properties (MQTT 5.0 §3.15.2.1).
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        // A reason alone would have no method.
        if body.len() == 1 {
            return Err(Malformed::Length);
        }
        let (reason, properties) = take_reason(PacketType::Auth, &mut Reader::new(body))?;
        Ok(Self { reason, properties })
    }

    /// Whether this can be sent: a reason that AUTH may have, and the authentication method, unless
    /// it is the short form of success.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.reason == ReasonCode::SUCCESS && self.properties.is_empty() {
            return Ok(());
        }
        self.reason.standing_in(PacketType::Auth).ok_or(Malformed::Value)?;
        self.properties.check(PacketType::Auth)
    }
}

/// In the shortest form.
impl Text for Auth<'_> {
    fn write(&self, sink: &mut dyn Sink) {
        put_reason(sink, PacketType::Auth.first(), &[], self.reason, &self.properties);
    }
}
