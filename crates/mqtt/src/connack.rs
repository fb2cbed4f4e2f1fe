//! CONNACK (MQTT 3.1.1 §3.2, MQTT 5.0 §3.2).

use crate::{
    Malformed, PacketType, Properties, ReasonCode, Version, encode::text, header::put_header,
    properties::Place,
};
use dunlin_octet::{Reader, Sink, Text};

/// The server's answer to CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Connack<'a> {
    /// Whether the server goes on with a session that it had kept.
    pub session_present: bool,
    /// Yes, or why not.
    pub reason: ReasonCode,
    /// What the server grants; none in MQTT 3.1.1.
    pub properties: Properties<'a>,
}

impl<'a> Connack<'a> {
    /// Reads the body of a CONNACK.
    ///
    /// A server that speaks the other version alone refuses in that one's form, which is a refusal here,
    /// too.
    pub fn decode(version: Version, body: &'a [u8]) -> Result<Self, Malformed> {
        if is_refusal_of_other(version, body) {
            let reason = ReasonCode::UNSUPPORTED_PROTOCOL_VERSION;
            return Ok(Self { session_present: false, reason, properties: Properties::NONE });
        }
        let [flags, code, rest @ ..] = body else { return Err(Malformed::Length) };
        let mut rest = Reader::new(rest);
        if version.in_build() == Version::V3 && !rest.is_empty() {
            return Err(Malformed::Length);
        }
        // [MQTT-3.2.2-1]
        if flags & !1 != 0 {
            return Err(Malformed::Flags);
        }
        let reason = match version.in_build() {
            Version::V3 => ReasonCode::from_connack(*code),
            Version::V5 => ReasonCode::new(*code).standing_in(PacketType::Connack),
        };
        let reason = reason.ok_or(Malformed::Value)?;
        let place = Place::of(PacketType::Connack);
        let properties = Properties::take_in(version, place, &mut rest)?;
        if !rest.is_empty() {
            return Err(Malformed::Length);
        }
        Ok(Self { session_present: *flags == 1, reason, properties })
    }

    /// The whole packet.
    pub fn with(&self, version: Version) -> impl Text {
        text(move |sink: &mut dyn Sink| self.put(version, sink))
    }

    pub(crate) fn put(&self, version: Version, sink: &mut dyn Sink) {
        let len = self.properties.block_len(version).saturating_add(2);
        put_header(sink, PacketType::Connack.first(), len);
        let code = match version.in_build() {
            Version::V3 => self.reason.to_connack(),
            Version::V5 => self.reason.value(),
        };
        sink.put(&[u8::from(self.session_present), code]);
        self.properties.put(version, sink);
    }
}

/// Whether a server says that it does not speak `version`, in the form of the one that it speaks.
const fn is_refusal_of_other(version: Version, body: &[u8]) -> bool {
    const OTHER: u8 = ReasonCode::UNSUPPORTED_PROTOCOL_VERSION.value();
    match version.in_build() {
        // v3.1.1: [MQTT-3.1.2-2] Two bytes: 3.1.1 has no properties.
        Version::V5 => matches!(body, [0, 1]),
        // [MQTT-3.1.2-2] With properties, of which 3.1.1 knows nothing.
        Version::V3 => matches!(body, [0, OTHER, ..]),
    }
}
