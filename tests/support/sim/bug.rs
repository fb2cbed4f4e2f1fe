//! Faults planted to show that the checker finds them.

/// A fault of a client; where the client cannot be made to have it, the broker sees it as if.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A message is acknowledged before the program has it, and then dropped.
    AcknowledgedFirst,
    /// What was not acknowledged is not sent again.
    ResendForgotten,
    /// What is sent again has no DUP flag.
    DupForgotten,
    /// An identifier is used again while it is in flight.
    IdReusedEarly,
    /// An acknowledgement completes another message.
    WrongToken,
    /// A message is acknowledged and gets lost.
    Swallowed,
    /// Messages overtake each other.
    OrderLost,
    /// No deadline is honoured.
    ClockIgnored,
    /// A connection that goes on with a session begins without the PUBRELs that are owed.
    PubrelForgotten,
    /// PUBREL is not always answered.
    PubcompForgotten,
    /// Which messages of QoS 2 have come is forgotten with the connection.
    ArrivalsForgotten,
    /// A message of QoS 2 is taken for complete when its PUBREC comes.
    DoneAtPubrec,
    /// Packets go out before CONNACK has come.
    ConnackNotAwaited,
    /// What was subscribed to is not subscribed to again when the session is lost.
    SubscriptionsForgotten,
    /// The server's Receive Maximum is not kept.
    QuotaIgnored,
    /// Packets go out that the server has said it does not take.
    LimitsIgnored,
    /// The keep alive is not the server's.
    KeepAliveIgnored,
    /// A topic alias of the last connection is used on the next.
    AliasKept,
    /// A message that came by an alias gets the topic of another alias.
    AliasConfused,
    /// A PUBREC that says no is answered by PUBREL.
    RefusalReleased,
    /// A message is sent twice over one connection.
    ResentHere,
    /// The program is told yes whatever the server says.
    ReasonLost,
    /// SUBSCRIBE waits while messages wait for their acknowledgement.
    RequestsWait,
    /// A message is not sent because of a limit that does not concern it.
    RejectedTooMuch,
}

impl Bug {
    /// Those that either version can have.
    pub const OF_BOTH: [Self; 14] = [
        Self::AcknowledgedFirst,
        Self::ResendForgotten,
        Self::DupForgotten,
        Self::IdReusedEarly,
        Self::WrongToken,
        Self::Swallowed,
        Self::OrderLost,
        Self::ClockIgnored,
        Self::PubrelForgotten,
        Self::PubcompForgotten,
        Self::ArrivalsForgotten,
        Self::DoneAtPubrec,
        Self::ConnackNotAwaited,
        Self::SubscriptionsForgotten,
    ];

    /// Those that only MQTT 5.0 gives the chance for.
    pub const OF_V5: [Self; 10] = [
        Self::QuotaIgnored,
        Self::LimitsIgnored,
        Self::KeepAliveIgnored,
        Self::AliasKept,
        Self::AliasConfused,
        Self::RefusalReleased,
        Self::ResentHere,
        Self::ReasonLost,
        Self::RequestsWait,
        Self::RejectedTooMuch,
    ];

    /// What the rule says that finds it.
    pub const fn verdict(self) -> &'static str {
        match self {
            Self::AcknowledgedFirst => "before the program let go",
            Self::ResendForgotten => "has no end",
            Self::DupForgotten => "again without DUP",
            Self::IdReusedEarly => "is used for",
            Self::WrongToken | Self::DoneAtPubrec => "the broker never said so",
            Self::Swallowed => "is lost",
            Self::OrderLost => "came after number",
            Self::ClockIgnored | Self::KeepAliveIgnored => "no packet since",
            Self::PubrelForgotten => "not at rest",
            Self::PubcompForgotten => "is the next",
            Self::ArrivalsForgotten => "was handed over",
            Self::ConnackNotAwaited => "between CONNECT and CONNACK",
            Self::SubscriptionsForgotten => "without its subscriptions",
            Self::QuotaIgnored => "messages under way",
            Self::LimitsIgnored => "bytes, with",
            Self::AliasKept => "stands for nothing",
            Self::AliasConfused => "came as one for",
            Self::RefusalReleased => "behind a PUBREC that says no",
            Self::ResentHere => "twice over one connection",
            Self::ReasonLost => "ends with",
            Self::RequestsWait => "a SUBSCRIBE waits",
            Self::RejectedTooMuch => "is rejected for",
        }
    }
}
