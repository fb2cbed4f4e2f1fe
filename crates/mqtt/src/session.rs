//! The client's session: what outlives connections.

mod command;
#[cfg(feature = "oversize")]
mod oversize;
mod piece;
mod receive;
mod record;
mod restore;
mod send;
#[cfg_attr(not(feature = "oversize"), path = "session/stream/absent.rs")]
mod stream;

use crate::{
    AckToken, Config, FixedHeader, Limits, Oversize, PacketType, Qos, ReasonCode, Token, Version,
    ack::Answer,
    line::Line,
    outbox::Outbox,
    owed::{Debt, Owed},
    received::{Arrival, Received},
    slots::{Slot, Slots},
};
use core::num::NonZeroU16;
use dunlin_octet::Buffer;
#[cfg(feature = "oversize")]
use oversize::Begun;
pub use piece::{Piece, Wanted};
pub use receive::Delivery;
use record::Journal;

/// Most filters in one SUBSCRIBE or UNSUBSCRIBE.
const FILTERS_MAX: usize = 1_024;

/// Most messages of QoS 2 under way to a server of MQTT 3.1.1, which cannot say how many it follows:
/// mosquitto ends a connection at its 21st.
pub const EXACTLY_ONCE_MAX: usize = 16;

/// How far the current connection has come.
///
/// ```text
///   Offline ─handle_open─▶ Opening ─CONNACK─▶ Open ─DISCONNECT─▶ Offline
///      ▲                      │                 │
///      └──────────────────────┴── the next handle_open starts over
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline,
    Opening,
    Open,
}

/// What [`Session::poll_packet`] has lent out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Current {
    Nothing,
    /// A short packet, so many bytes of it.
    Short([u8; 5], u8),
    Outbox,
}

/// Who has the next word in an authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// None is under way.
    Nobody,
    Server,
    Client,
}

/// What the CONNECT of the current connection says.
#[derive(Clone, Copy, Debug)]
struct Asked {
    clean: bool,
    /// It names an authentication method.
    authenticates: bool,
    /// It wants the session to end with the connection.
    fleeting: bool,
    /// For how long the session outlives the connection, in seconds; CONNACK and DISCONNECT may change
    /// it.
    expiry_s: u32,
    /// How many messages above QoS 0 this side takes at a time.
    receive_maximum: u16,
}

/// Everything that survives a connection: messages that are not acknowledged, and the identifiers in
/// use.
///
/// `outbox` is memory for packets until they are acknowledged, with 12 bytes beside each; `INFLIGHT`
/// is how many exchanges can wait for an answer at a time, in each direction.
#[derive(Debug)]
pub struct Session<B: Buffer, const INFLIGHT: usize> {
    outbox: Outbox<B>,
    slots: Slots<INFLIGHT, B::Places<Slot, INFLIGHT>>,
    owed: Owed<INFLIGHT, B::Places<Debt, INFLIGHT>>,
    /// Messages of QoS 2 whose PUBREC has come: PUBREL is to be sent.
    released: Line<INFLIGHT, B::Places<Option<Answer>, INFLIGHT>>,
    /// Messages of QoS 2 whose PUBREL has come: PUBCOMP is to be sent.
    completed: Line<INFLIGHT, B::Places<Option<Answer>, INFLIGHT>>,
    received: Received<INFLIGHT, B::Places<Arrival, INFLIGHT>>,
    /// Messages that the server is following now: in MQTT 3.1.1 only those of QoS 2, unless there is a
    /// limit for all.
    unfinished: u16,
    /// Messages of QoS 1 that this side has not acknowledged.
    incoming: u16,
    config: Config,
    asked: Asked,
    limits: Limits,
    phase: Phase,
    current: Current,
    /// The message handed over last, to be acknowledged when the program comes back.
    held: Option<AckToken>,
    /// The message that is coming in pieces.
    #[cfg(feature = "oversize")]
    begun: Option<Begun>,
    next_token: u32,
    sent: Option<Token>,
    /// Tells how long ago packets went out.
    stamp: u16,
    /// The server has had a session of ours.
    established: bool,
    /// The CONNECT of the current connection is out.
    connect_sent: bool,
    /// A CONNECT has had no answer, and may have made a session that we do not know; or a DISCONNECT was
    /// to end one, and may not have arrived.
    unanswered: bool,
    /// Something went out again on the current connection: answers may come twice.
    resent: bool,
    /// A message has been abandoned that was half out: nothing can follow on this connection.
    #[cfg(feature = "oversize")]
    cut_off: bool,
    /// Packets may wait that the limits of the server do not allow.
    unfit: bool,
    /// Acknowledgements with properties that wait in the outbox.
    parked_acks: u16,
    /// An AUTH waits to be sent.
    authenticating: bool,
    turn: Turn,
    journal: Journal,
    /// The good-bye is to be said, for this reason.
    disconnecting: Option<ReasonCode>,
    /// It is to be said before anything else is sent.
    leaving: bool,
}

impl<B: Buffer, const INFLIGHT: usize> Session<B, INFLIGHT> {
    /// A session that has never been connected.
    pub const fn new(outbox: B, config: Config) -> Self {
        Self {
            outbox: Outbox::new(outbox),
            slots: Slots::new(),
            owed: Owed::new(),
            released: Line::new(),
            completed: Line::new(),
            received: Received::new(),
            unfinished: 0,
            incoming: 0,
            config,
            asked: Asked {
                clean: true,
                authenticates: false,
                fleeting: true,
                expiry_s: 0,
                receive_maximum: 0,
            },
            limits: Limits::NONE,
            phase: Phase::Offline,
            current: Current::Nothing,
            held: None,
            #[cfg(feature = "oversize")]
            begun: None,
            next_token: 0,
            sent: None,
            stamp: 0,
            established: false,
            connect_sent: false,
            unanswered: false,
            resent: false,
            #[cfg(feature = "oversize")]
            cut_off: false,
            unfit: false,
            parked_acks: 0,
            authenticating: false,
            turn: Turn::Nobody,
            journal: Journal::new(),
            disconnecting: None,
            leaving: false,
        }
    }

    /// The version that every connection speaks.
    pub const fn version(&self) -> Version {
        self.config.version.in_build()
    }

    /// What becomes of a message that is longer than the receive buffer.
    pub const fn oversize(&self) -> Oversize {
        self.config.oversize
    }

    /// What the server takes on the current connection, or took on the last one.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// For how long the session outlives the current connection, in seconds, [`u32::MAX`] for ever
    /// (MQTT 5.0 §3.1.2.11.2).
    pub const fn expiry_s(&self) -> u32 {
        self.asked.expiry_s
    }

    /// The newest exchange whose packet has gone out: a message of QoS 0 up to it is done.
    pub const fn sent(&self) -> Option<Token> {
        self.sent
    }

    /// How many exchanges wait for an answer.
    pub fn in_flight(&self) -> usize {
        usize::from(self.slots.in_flight())
    }

    /// Whether everything accepted has been sent and, where it must be, acknowledged.
    pub const fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Whether DISCONNECT has gone out, or no connection was opened.
    pub const fn is_offline(&self) -> bool {
        matches!(self.phase, Phase::Offline)
    }

    /// Whether the server has accepted the current connection.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether what is owed for the packet that this header announces would find a place; until it does,
    /// the packet is to be left where it is.
    pub fn has_room_for(&self, header: FixedHeader) -> bool {
        match header.packet_type {
            PacketType::Publish if header.flags & 0b0110 != 0 => {
                // One too many is not waited for, but refused.
                self.is_receive_maximum_reached()
                    || !(self.owed.is_full()
                        || header.flags & 0b0110 == 0b0100 && self.received.is_clogged())
            }
            PacketType::Pubrel => !self.completed.is_full(),
            PacketType::Pubrec => !self.released.is_full(),
            _ => true,
        }
    }

    /// How many messages above QoS 0 wait for their acknowledgement by this side.
    pub fn unacknowledged(&self) -> usize {
        self.owed.len()
    }

    /// Whether the server may send no more messages above QoS 0 for now.
    const fn is_receive_maximum_reached(&self) -> bool {
        let incoming = self.incoming.saturating_add(self.received.counted());
        matches!(self.version(), Version::V5) && incoming >= self.asked.receive_maximum
    }

    /// The lowest QoS of messages that are counted while the server follows them.
    const fn least_followed(&self) -> Qos {
        match (self.version(), self.config.in_flight_max) {
            (Version::V3, None) => Qos::ExactlyOnce,
            _ => Qos::AtLeastOnce,
        }
    }

    /// How many of them it follows at a time.
    fn followed_max(&self) -> u16 {
        let own = self.config.in_flight_max.map_or(u16::MAX, NonZeroU16::get);
        let its = match (self.version(), self.config.qos_max) {
            (Version::V3, Qos::ExactlyOnce) => u16::try_from(EXACTLY_ONCE_MAX).unwrap_or(u16::MAX),
            (Version::V3, _) => u16::MAX,
            (Version::V5, _) => self.limits.receive_maximum,
        };
        its.min(own)
    }
}

/// How far it is, without the messages that are in it.
#[cfg(feature = "defmt")]
impl<B: Buffer, const INFLIGHT: usize> defmt::Format for Session<B, INFLIGHT> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Session {{ {}, open: {=bool}, in_flight: {=usize}, unacknowledged: {=usize} }}",
            self.version(),
            self.is_open(),
            self.in_flight(),
            self.unacknowledged()
        );
    }
}

/// Whether a packet with this first byte is a message of at least this QoS, which is above 0.
const fn is_message_of(least: Qos, first: u8) -> bool {
    let publish = first >> 4 == PacketType::Publish.first() >> 4;
    publish && first & 0x06 >= least.bits() << 1
}

#[cfg(test)]
mod tests;
