//! What PubSub cannot do for the one who asks.

use crate::SubscribeError;
use core::fmt;

/// Why PubSub has done nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<'r> {
    /// There is no provider at all.
    NoProvider,
    /// There is no provider of this name.
    UnknownProvider,
    /// There is a provider of this name, or with this client, already.
    DuplicateProvider,
    /// There are as many providers as there can be.
    Full,
    /// Not a single topic was given.
    NoTopic,
    /// The value has no form in JSON, or none that fits into the memory lent.
    #[cfg(feature = "json")]
    Json,
    /// No provider takes the subscription; this is what the first one said.
    Subscribe {
        /// The provider.
        provider: &'r str,
        /// Why it does not.
        error: SubscribeError,
    },
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProvider => f.write_str("there is no provider: add one first"),
            Self::UnknownProvider => f.write_str("there is no provider of this name"),
            Self::DuplicateProvider => f.write_str("there is such a provider already"),
            Self::Full => f.write_str("no room for another provider"),
            Self::NoTopic => f.write_str("there is no topic: give one at least"),
            #[cfg(feature = "json")]
            Self::Json => f.write_str("the value does not fit into its memory as JSON: lend more"),
            Self::Subscribe { provider, error } => write!(f, "provider {provider}: {error}"),
        }
    }
}

impl core::error::Error for Error<'_> {}
