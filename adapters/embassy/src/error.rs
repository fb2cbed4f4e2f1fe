//! What can go wrong, as values that fit a log of a few bytes.

use core::fmt;
use dunlin_drive::dunlin::{self, Closed, OpenError, ReasonCode};
use embedded_io_async::ErrorKind;

/// Why a connection did not come about, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The transport could not be established: no address, no route, refused.
    Connect(ErrorKind),
    /// [`Runner::with_connect_timeout`](crate::Runner::with_connect_timeout) has passed before the
    /// transport stood.
    ConnectTimedOut,
    /// There was nothing to connect with: the [`Provider`](crate::Provider) said so.
    Unavailable,
    /// The core refused to open a connection: what the [`Provider`](crate::Provider) gave cannot be sent.
    Open(OpenError),
    /// The connection has ended.
    Ended {
        /// What it means.
        error: dunlin::Error,
        /// What the transport said, where it was the transport that failed.
        io: Option<ErrorKind>,
    },
    /// The program has closed the client, or dropped its runner's task.
    Closed,
}

impl Error {
    /// How a connection that came about has ended.
    pub(crate) const fn ended(self) -> Option<dunlin::Error> {
        match self {
            Self::Ended { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Whether another connection would meet the same: the server has said good-bye for a reason that
    /// does not go away by itself, such as another client with the same identifier.
    pub(crate) const fn is_final(self) -> bool {
        match self {
            Self::Ended { error: dunlin::Error::Closed(Closed::Disconnected(reason)), .. } => {
                !reason.is_retryable()
            }
            Self::Open(_) | Self::Closed => true,
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(kind) => write!(f, "the transport could not be established: {kind:?}"),
            Self::ConnectTimedOut => f.write_str("the transport could not be established in time"),
            Self::Unavailable => f.write_str("there are no credentials to connect with"),
            Self::Open(error) => write!(f, "the connection cannot be opened: {error}"),
            Self::Ended { error, io: None } => error.fmt(f),
            Self::Ended { error, io: Some(kind) } => write!(f, "{error}: {kind:?}"),
            Self::Closed => f.write_str("the client was closed"),
        }
    }
}

impl core::error::Error for Error {}

/// Why a message was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PublishError {
    /// It was not accepted; nothing has changed.
    Rejected(dunlin::PublishError),
    /// The server has refused it.
    Refused(ReasonCode),
    /// It was on its way, without an acknowledgement, on a connection that has ended.
    Lost(Error),
    /// The client has ended.
    Closed(Error),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => error.fmt(f),
            Self::Refused(reason) => write!(f, "the server refused the message: {reason}"),
            Self::Lost(error) => write!(f, "the connection ended under the message: {error}"),
            Self::Closed(error) => write!(f, "the client has ended: {error}"),
        }
    }
}

impl core::error::Error for PublishError {}

/// Why there are no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SubscribeError {
    /// The subscription was not accepted; nothing has changed.
    Rejected(dunlin::SubscribeError),
    /// There are [`SUBSCRIPTIONS_MAX`](crate::SUBSCRIPTIONS_MAX) already, or no memory for the filter.
    Full,
    /// The server has refused the subscription.
    Refused(ReasonCode),
    /// The next message needs a longer buffer; it waits.
    TooShort {
        /// How long the buffer must be, in bytes.
        needed: usize,
    },
    /// The client was a provider of a [`PubSub`](crate::PubSub), and has been removed.
    Removed,
    /// The client has ended.
    Closed(Error),
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => error.fmt(f),
            Self::Full => f.write_str("no room for another subscription"),
            Self::Refused(reason) => write!(f, "the server refused the subscription: {reason}"),
            Self::TooShort { needed } => write!(f, "the message needs {needed} bytes"),
            Self::Removed => f.write_str("the provider was removed"),
            Self::Closed(error) => write!(f, "the client has ended: {error}"),
        }
    }
}

impl core::error::Error for SubscribeError {}
