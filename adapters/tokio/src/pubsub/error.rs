//! What PubSub cannot do for the one who asks.

use crate::SubscribeError;
use std::{fmt, sync::Arc};

/// Why PubSub has done nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no provider at all.
    NoProvider,
    /// There is no provider of this name.
    UnknownProvider(String),
    /// There is a provider of this name already.
    DuplicateProvider(Arc<str>),
    /// Not a single topic was given.
    NoTopic,
    /// The value has no form in JSON.
    #[cfg(feature = "json")]
    Json(serde_json::Error),
    /// No provider takes the subscription; this is what the first one said.
    Subscribe {
        /// The provider.
        provider: Arc<str>,
        /// Why it does not.
        error: SubscribeError,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProvider => f.write_str("there is no provider: add one first"),
            Self::UnknownProvider(id) => {
                write!(f, "there is no provider {id:?}: add it, or check its name")
            }
            Self::DuplicateProvider(id) => {
                write!(f, "there is a provider {id:?} already: remove it first")
            }
            Self::NoTopic => f.write_str("there is no topic: give one at least"),
            #[cfg(feature = "json")]
            Self::Json(error) => write!(f, "the value cannot be written as JSON: {error}"),
            Self::Subscribe { provider, error } => write!(f, "provider {provider}: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "json")]
            Self::Json(error) => Some(error),
            Self::Subscribe { error, .. } => Some(error),
            _ => None,
        }
    }
}
