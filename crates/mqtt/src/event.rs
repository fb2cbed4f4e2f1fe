//! What a session tells the program, and what the program tells it.

use crate::{
    Head, Message, PacketId, Properties, Qos, ReasonCode, Reasons, Version, received::EXACTLY_ONCE,
};
use core::num::NonZeroU16;

/// Names a publish, subscribe or unsubscribe until its acknowledgement.
///
/// Tokens count up; after 2³² of them they come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Token(pub(crate) u32);

impl Token {
    /// Whether this exchange was begun no later than `other`, less than 2³¹ exchanges apart.
    pub const fn is_up_to(self, other: Self) -> bool {
        other.0.wrapping_sub(self.0) < 1 << 31
    }
}

/// Names a message that waits for its acknowledgement by the program; with QoS 1, void with its
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AckToken {
    pub(crate) packet_id: PacketId,
    pub(crate) place: u16,
    pub(crate) epoch: u16,
}

impl AckToken {
    /// Whether it names a message of QoS 2, which is handed over once, and can be acknowledged on a
    /// later connection of the same session.
    pub const fn is_exactly_once(&self) -> bool {
        Qos::ExactlyOnce.is_in_build() && self.place == EXACTLY_ONCE
    }
}

/// Who says that a message above QoS 0 may be acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AckMode {
    /// Handing it over is enough: it is acknowledged once the program asks for the next event.
    #[default]
    Automatic,
    /// The program says so, by [`Session::acknowledge`](crate::Session::acknowledge).
    Manual,
}

/// What becomes of a message that is longer than the receive buffer of its connection can become.
///
/// What stands in front of the payload must fit the buffer: a longer topic or longer properties end the
/// connection. With [`Oversize::Skip`] and [`Oversize::Stream`], CONNECT announces a Maximum Packet Size
/// only if its properties have one; that one counts, and may be larger than the buffer. These two need the
/// feature `oversize`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Oversize {
    /// The connection ends; MQTT 5.0 tells the server beforehand not to send it.
    #[default]
    Refuse,
    /// It is taken off the wire without being kept, and [`Event::Skipped`] says so. It is refused in
    /// MQTT 5.0 (0x97, quota exceeded) and acknowledged in MQTT 3.1.1: it does not come again.
    #[cfg(feature = "oversize")]
    Skip,
    /// It is handed over in pieces: [`Event::MessageBegin`], [`Event::MessageChunk`],
    /// [`Event::MessageEnd`].
    #[cfg(feature = "oversize")]
    Stream,
}

/// What a session does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Config {
    /// The version that every connection of the session speaks.
    pub version: Version,
    /// Who says that a message may be acknowledged.
    pub ack_mode: AckMode,
    /// The highest QoS that the server takes; a higher one is refused before a byte is sent, and so is
    /// QoS 2 in a build without it.
    pub qos_max: Qos,
    /// The most messages above QoS 0 under way to the server, where it cannot or does not say so itself
    /// as its Receive Maximum; one more waits until another is acknowledged.
    pub in_flight_max: Option<NonZeroU16>,
    /// Whether a session that the server has kept is taken up although this side knows nothing of it,
    /// as after a restart; in MQTT 5.0 it ends the connection otherwise ([MQTT-3.2.2-5]).
    pub adopts_session: bool,
    /// What becomes of a message that is longer than the receive buffer.
    pub oversize: Oversize,
    /// Whether a store follows what must survive a crash, by
    /// [`Session::poll_record`](crate::Session::poll_record): nothing goes out before it has.
    #[cfg(feature = "journal")]
    pub journaled: bool,
}

impl Config {
    /// MQTT 3.1.1, messages are acknowledged when they are handed over, and every QoS is used.
    pub const fn new() -> Self {
        Self {
            version: Version::V3,
            ack_mode: AckMode::Automatic,
            qos_max: Qos::ExactlyOnce,
            in_flight_max: None,
            adopts_session: false,
            oversize: Oversize::Refuse,
            #[cfg(feature = "journal")]
            journaled: false,
        }
    }

    /// Connections speak this version.
    #[must_use]
    pub const fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// Messages are acknowledged when the program says so.
    #[must_use]
    pub const fn manual_acks(self) -> Self {
        Self { ack_mode: AckMode::Manual, ..self }
    }

    /// The server takes no higher QoS than this: AWS IoT Core none above 1.
    #[must_use]
    pub const fn qos_max(self, qos_max: Qos) -> Self {
        Self { qos_max, ..self }
    }

    /// At most so many messages above QoS 0 are under way to the server, also where it says nothing: AWS
    /// IoT Core ends a connection at its 101st.
    ///
    /// Those of QoS 2 in MQTT 3.1.1 are no more than
    /// [`EXACTLY_ONCE_MAX`](crate::EXACTLY_ONCE_MAX) all the same, and then all together.
    #[must_use]
    pub const fn in_flight_max(self, messages: NonZeroU16) -> Self {
        Self { in_flight_max: Some(messages), ..self }
    }

    /// A session that the server has kept is taken up, though this side knows nothing of it.
    #[must_use]
    pub const fn adopting_sessions(self) -> Self {
        Self { adopts_session: true, ..self }
    }

    /// Messages that are longer than the receive buffer are skipped, or come in pieces.
    #[must_use]
    pub const fn oversize(self, oversize: Oversize) -> Self {
        Self { oversize, ..self }
    }

    /// A store follows what must survive a crash, and nothing goes out before it has.
    #[cfg(feature = "journal")]
    #[must_use]
    pub const fn journaled(self) -> Self {
        Self { journaled: true, ..self }
    }

    #[cfg(feature = "journal")]
    pub(crate) const fn is_journaled(&self) -> bool {
        self.journaled
    }

    #[cfg(not(feature = "journal"))]
    pub(crate) const fn is_journaled(&self) -> bool {
        false
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// What the server knew of this client when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Resumption {
    /// Nothing, and nothing was expected: subscriptions are to be made.
    New,
    /// All of it: subscriptions stand, and what was not acknowledged is sent again.
    Resumed,
    /// A session, but perhaps an empty one: an earlier CONNECT had no answer, and may have made it, or an
    /// earlier DISCONNECT was to end it.
    /// Subscriptions are to be made again; those that stand are not harmed by it.
    Uncertain,
    /// Nothing, although a session should have been there: subscriptions are to be made again, messages
    /// sent meanwhile are gone.
    Lost,
}

/// Something that the program should know. Strings and payloads lie in the packet that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'p> {
    /// The server has accepted the connection.
    Connected {
        /// What it knew of this client.
        resumption: Resumption,
        /// What it says of itself; [`Session::limits`](crate::Session::limits) has the limits.
        properties: Properties<'p>,
    },
    /// A message has come.
    Message {
        /// The message itself.
        message: Message<'p>,
        /// Whether it may have come before.
        duplicate: bool,
        /// Above QoS 0: what to acknowledge in [`AckMode::Manual`].
        ack: Option<AckToken>,
    },
    /// The front of a message has come that is longer than the receive buffer: its payload follows in
    /// [`Event::MessageChunk`]s, and nothing else before [`Event::MessageEnd`] ([`Oversize::Stream`]).
    ///
    /// A connection that ends in between takes the message with it: above QoS 0 the server sends it
    /// again, and it begins anew; with QoS 0 it is lost.
    MessageBegin {
        /// Everything of the message but its payload.
        head: Head<'p>,
        /// How long the payload is, in bytes.
        len: usize,
        /// Whether it may have come before.
        duplicate: bool,
        /// Above QoS 0: what to acknowledge in [`AckMode::Manual`]; void until the end has come.
        ack: Option<AckToken>,
    },
    /// The next piece of the payload of a message that has begun.
    MessageChunk {
        /// Where in the payload it stands, in bytes.
        offset: usize,
        /// The piece, never empty.
        payload: &'p [u8],
    },
    /// All of the message that had begun has been handed over.
    MessageEnd {
        /// The same as at its begin.
        ack: Option<AckToken>,
    },
    /// A message is passed over because it is longer than the receive buffer ([`Oversize::Skip`]).
    Skipped {
        /// Everything of the message but its payload.
        head: Head<'p>,
        /// How long the payload is, in bytes.
        len: usize,
    },
    /// A message above QoS 0 has arrived at the server, or was refused there.
    Acknowledged {
        /// What [`Session::publish`](crate::Session::publish) returned.
        token: Token,
        /// Yes, or why not; always yes in MQTT 3.1.1.
        reason: ReasonCode,
        /// What the server adds.
        properties: Properties<'p>,
    },
    /// A SUBSCRIBE is answered.
    Subscribed {
        /// What [`Session::subscribe`](crate::Session::subscribe) returned.
        token: Token,
        /// The granted QoS or the refusal of each filter, in their order.
        reasons: Reasons<'p>,
        /// What the server adds.
        properties: Properties<'p>,
    },
    /// An UNSUBSCRIBE is answered.
    Unsubscribed {
        /// What [`Session::unsubscribe`](crate::Session::unsubscribe) returned.
        token: Token,
        /// Yes or why not for each filter, in their order; none in MQTT 3.1.1, where it is always yes.
        reasons: Reasons<'p>,
        /// What the server adds.
        properties: Properties<'p>,
    },
    /// Something that was accepted before the limits of this server were known cannot be sent, and is
    /// dropped.
    Rejected {
        /// What [`Session::publish`](crate::Session::publish) or
        /// [`Session::subscribe`](crate::Session::subscribe) returned.
        token: Token,
        /// Which limit it is.
        reason: ReasonCode,
    },
    /// The server wants the next step of the authentication, to be answered by
    /// [`Session::authenticate`](crate::Session::authenticate), or says that it is done (success).
    Authentication {
        /// Continue, or success.
        reason: ReasonCode,
        /// The method, its data and what else the server says.
        properties: Properties<'p>,
    },
}
