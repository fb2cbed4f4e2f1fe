//! What a user of PubSub sees, without a runtime: providers, topic router, connection states, backoff.
#![no_std]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::disallowed_methods,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core,
        reason = "a test may panic"
    )
)]

#[cfg(test)]
extern crate std;

#[cfg(feature = "aws")]
pub mod aws;
mod backoff;
mod provider;
mod router;
mod state;
mod topic;

pub use backoff::{Backoff, DISCONNECTED_WAIT_MS};
pub use dunlin;
pub use provider::{Fixed, Provider, Unavailable};
pub use router::{Holders, LEVELS_MAX, Node, Route, Router, Subscriber, Subscribers};
pub use state::{Change, ConnectionState, Facts, Intent, Link, Reachability, StateMonitor};
pub use topic::{Matching, matches, without_share};
