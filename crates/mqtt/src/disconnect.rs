//! DISCONNECT (MQTT 3.1.1 §3.14, MQTT 5.0 §3.14).

use crate::{
    Malformed, PacketType, Properties, ReasonCode, Version,
    ack::{bare, check_bare, put_reason, take_reason},
    encode::text,
};
use dunlin_octet::{Reader, Sink, Text};

/// The last packet of a connection; in MQTT 5.0 the server sends it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Disconnect<'a> {
    /// Why; MQTT 3.1.1 has no place for it.
    pub reason: ReasonCode,
    /// What MQTT 5.0 adds.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// A good-bye for this reason, without properties.
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::NONE }
    }

    /// Reads the body of a DISCONNECT; in MQTT 5.0 the end of it may be left out, or all (§3.14.2).
    pub fn decode(version: Version, body: &'a [u8]) -> Result<Self, Malformed> {
        if version.in_build() == Version::V3 {
            return check_bare(body).map(|()| Self::new(ReasonCode::SUCCESS));
        }
        let (reason, properties) = take_reason(PacketType::Disconnect, &mut Reader::new(body))?;
        Ok(Self { reason, properties })
    }

    /// The whole packet, in the shortest form.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        let packet_type = PacketType::Disconnect;
        match version.in_build() {
            Version::V3 => sink.put(&bare(packet_type)),
            Version::V5 => {
                put_reason(sink, packet_type.first(), &[], self.reason, &self.properties);
            }
        }
    }
}
