//! Why a connection to AWS IoT Core failed, where AWS itself says little or nothing.

mod words;

use crate::guard::CONNECTION_MAX_MS;
use crate::{Access, CLOCK_TOLERANCE_S};
use dunlin::{Closed, Error, Misbehaved, ReasonCode, Refused, Stage, ws::UpgradeError};

/// An end that comes so soon after a command is the answer to it, in milliseconds.
pub const ANSWER_MAX_MS: u64 = 5_000;
/// A connection that ends sooner has been ended for its own sake, in milliseconds.
const SHORT_LIFE_MS: u64 = 60_000;
/// So much earlier than a day a connection may be ended for its age, in milliseconds.
const DAY_MARGIN_MS: u64 = 300_000;
/// After so many short lives in a row they are no accident.
const SHORT_LIVES_MIN: u32 = 2;

/// What was seen of a connection that ended, or did not come about.
///
/// Start from [`Seen::new`] and fill in what is known; what is not leaves the likelier cause.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Seen<'a> {
    /// The end itself.
    pub error: Error,
    /// The way in; taken for a signed one while it is not known.
    pub access: Option<Access>,
    /// How AWS named the refusal of an upgrade: its `x-amzn-ErrorType`.
    pub error_type: Option<&'a str>,
    /// How far this machine's clock is ahead of the Date of that refusal, in seconds.
    pub clock_ahead_s: Option<i64>,
    /// How long ago a SUBSCRIBE went out that was not answered, in milliseconds.
    pub subscribing_ms: Option<u64>,
    /// How long ago a PUBLISH went out that was not answered, or could not be, in milliseconds.
    pub publishing_ms: Option<u64>,
    /// How long the connection stood, in milliseconds.
    pub stood_ms: u64,
    /// How many connections before it stood for less than a minute, in a row.
    pub short_lives: u32,
}

impl Seen<'_> {
    /// The end, and nothing else is known.
    pub const fn new(error: Error) -> Self {
        Self {
            error,
            access: None,
            error_type: None,
            clock_ahead_s: None,
            subscribing_ms: None,
            publishing_ms: None,
            stood_ms: 0,
            short_lives: 0,
        }
    }

    /// Whether the connection stood for so short a time that it counts for [`Seen::short_lives`].
    pub const fn is_short_life(stood_ms: u64) -> bool {
        stood_ms < SHORT_LIFE_MS
    }
}

/// The likely cause; displayed, it says what happened and what to look at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cause {
    /// The clock is so far ahead, in seconds, or behind, that signatures are refused.
    Clock {
        /// How far it is ahead; negative while it is behind.
        ahead_s: i64,
    },
    /// The signature was refused.
    Signature,
    /// The access key is not known.
    UnknownKey,
    /// The custom authorizer did not let the client in.
    Authorizer,
    /// The credentials have expired, or a signed URL was used too late.
    Expired,
    /// AWS wants fewer requests.
    Throttled,
    /// AWS IoT Core is in trouble.
    Unavailable,
    /// The path is not that of the MQTT gateway.
    Path,
    /// The connection was closed when the client had introduced itself.
    ConnectDropped,
    /// CONNECT was not answered at all.
    ConnectUnanswered,
    /// The connection was refused, aloud.
    ConnectRefused,
    /// The connection was closed upon a subscription.
    SubscribeDropped,
    /// The connection was closed upon a message.
    PublishDropped,
    /// It was closed upon one of both.
    CommandDropped,
    /// Another client has the same client identifier.
    TakenOver,
    /// It was closed again and again, soon after it stood.
    ClosedSoon,
    /// It was a day old.
    DayOver,
    /// Nothing was heard of the client for too long.
    KeepAlive,
    /// Nothing is heard of AWS.
    Silent,
    /// The certificate of the server is not trusted.
    ServerCertificate,
    /// The handshake was refused: the certificate of the client, or the protocol that was offered.
    ClientCertificate,
    /// The host is not that of the account's endpoint.
    Host,
    /// Nothing points to a cause of AWS's own.
    Unexplained,
}

/// How a TLS handshake with AWS failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Handshake {
    /// The server's certificate is from an unknown authority.
    UnknownIssuer,
    /// It is for another name.
    WrongName,
    /// It is not valid now, by this machine's clock.
    WrongTime,
    /// The server refused, or hung up.
    Refused,
}

impl Cause {
    /// The likely cause of a failed handshake.
    pub const fn of_handshake(handshake: Handshake) -> Self {
        match handshake {
            Handshake::UnknownIssuer => Self::ServerCertificate,
            Handshake::WrongName => Self::Host,
            // Nobody knows by how much; its sign does not matter for what is to be done.
            Handshake::WrongTime => Self::Clock { ahead_s: 0 },
            Handshake::Refused => Self::ClientCertificate,
        }
    }
}

/// The likely cause of an end; `None` where this side ended the connection itself, or asked a server that
/// speaks TLS without.
pub fn diagnose(seen: &Seen<'_>) -> Option<Cause> {
    Some(match seen.error {
        Error::Refused(Refused::Upgrade(status)) => of_refusal(status.get(), seen),
        Error::Refused(Refused::Connect(reason)) => of_reason(reason, Cause::ConnectRefused),
        Error::Closed(Closed::Local | Closed::Abandoned) => return None,
        Error::Closed(Closed::Disconnected(reason)) => of_reason(reason, of_hang_up(seen)),
        Error::Closed(Closed::Eof(Stage::Connack)) => Cause::ConnectDropped,
        Error::Closed(Closed::Eof(Stage::Upgrade)) => Cause::ClientCertificate,
        Error::Closed(Closed::Eof(_) | Closed::Peer(_)) => of_hang_up(seen),
        Error::TimedOut(Stage::Connack) => Cause::ConnectUnanswered,
        Error::TimedOut(_) => Cause::Silent,
        // The scheme is wrong, whoever the server is.
        Error::Malformed(dunlin::Malformed::Upgrade(UpgradeError::Tls)) => return None,
        Error::Malformed(dunlin::Malformed::Upgrade(_)) => Cause::Path,
        Error::Misbehaved(Misbehaved::TextFrame) => Cause::Path,
        _ => Cause::Unexplained,
    })
}

/// An upgrade was refused.
fn of_refusal(status: u16, seen: &Seen<'_>) -> Cause {
    let is_named = |part: &str| seen.error_type.is_some_and(|error| error.contains(part));
    match status {
        _ if is_named("Throttl") => Cause::Throttled,
        _ if is_named("UnrecognizedClient") => Cause::UnknownKey,
        401 | 403 if seen.access == Some(Access::AuthorizerOverWebSocket) => Cause::Authorizer,
        401 | 403 | 426 => match seen.clock_ahead_s {
            Some(ahead_s) if ahead_s.unsigned_abs() > CLOCK_TOLERANCE_S => Cause::Clock { ahead_s },
            _ if status == 426 || is_named("Expired") => Cause::Expired,
            _ => Cause::Signature,
        },
        429 => Cause::Throttled,
        500..=599 => Cause::Unavailable,
        // AWS IoT Core neither redirects nor shows pages.
        _ => Cause::Path,
    }
}

/// AWS has given a reason, as it can in MQTT 5.0.
const fn of_reason(reason: ReasonCode, otherwise: Cause) -> Cause {
    match reason {
        ReasonCode::SESSION_TAKEN_OVER => Cause::TakenOver,
        ReasonCode::KEEP_ALIVE_TIMEOUT => Cause::KeepAlive,
        ReasonCode::MAXIMUM_CONNECT_TIME => Cause::DayOver,
        ReasonCode::MESSAGE_RATE_TOO_HIGH
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::CONNECTION_RATE_EXCEEDED => Cause::Throttled,
        ReasonCode::SERVER_BUSY
        | ReasonCode::SERVER_UNAVAILABLE
        | ReasonCode::SERVER_SHUTTING_DOWN => Cause::Unavailable,
        _ => otherwise,
    }
}

/// The connection stood, and AWS has hung up without a reason.
fn of_hang_up(seen: &Seen<'_>) -> Cause {
    let recent = |ago_ms: Option<u64>| ago_ms.is_some_and(|ago_ms| ago_ms <= ANSWER_MAX_MS);
    match (recent(seen.subscribing_ms), recent(seen.publishing_ms)) {
        // Many clients publish all the time.
        _ if seen.stood_ms >= CONNECTION_MAX_MS.saturating_sub(DAY_MARGIN_MS) => Cause::DayOver,
        (true, true) => Cause::CommandDropped,
        (true, false) => Cause::SubscribeDropped,
        (false, true) => Cause::PublishDropped,
        _ if seen.short_lives >= SHORT_LIVES_MIN && Seen::is_short_life(seen.stood_ms) => {
            Cause::ClosedSoon
        }
        _ => Cause::Unexplained,
    }
}

#[cfg(test)]
mod tests;
