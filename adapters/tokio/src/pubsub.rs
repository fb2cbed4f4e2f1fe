//! Several brokers behind one publish and one subscribe.
//!
//! A [`PubSub`] holds *providers*, each a [`Client`] of its own under a name of the program's choice. They
//! are added, removed and replaced while the others go on; each has a [`ConnectionState`] that can be
//! asked for, watched, and followed.
//!
//! ```no_run
//! use dunlin_tokio::{Options, PubSub};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let pubsub = PubSub::new();
//! pubsub.add_provider("site", Options::parse("wss://broker.example/mqtt")?)?;
//! let mut doors = pubsub.subscribe("doors/+").await?;
//! pubsub.publish_bytes("doors/front", b"open").await?.into_result()?;
//! while let Some(delivery) = doors.next().await {
//!     let delivery = delivery?;
//!     println!("{}: {} says {:?}", delivery.provider, delivery.topic(), delivery.payload());
//! }
//! # Ok(())
//! # }
//! ```
#![cfg_attr(feature = "json", doc = "", doc = include_str!("pubsub/guide.md"))]

mod deliveries;
mod error;
mod provider;
mod publish;
mod states;
mod subscribe;
mod topics;

pub use deliveries::{Deliveries, Delivery, Ended};
pub use dunlin_drive::pubsub::{ConnectionState, Reachability};
pub use error::Error;
pub use publish::{Publish, Published, Report};
pub use states::{STATES_MAX, StateChange, States};
pub use subscribe::Subscribe;
pub use topics::Topics;

use crate::{Client, Options};
use dunlin_drive::pubsub::Change;
use provider::Provider;
use states::Listeners;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet};

/// How long a provider that is removed may take for what it has accepted.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a provider that was removed had said all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything that it had accepted was written and, above QoS 0, acknowledged.
    All,
    /// Its time was over before, or it had ended by itself; messages may be lost.
    Cut,
}

/// Providers by name, and what is published to and heard from all of them; clones are handles of the
/// same one.
///
/// The providers end with the last handle and the last of their subscriptions.
#[derive(Clone, Debug, Default)]
pub struct PubSub {
    board: Arc<Mutex<Board>>,
}

#[derive(Debug, Default)]
struct Board {
    providers: BTreeMap<Arc<str>, Arc<Provider>>,
    listeners: Listeners,
    network: Reachability,
}

impl PubSub {
    /// Without any provider.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a broker under the name `id`: connects, and again whenever the connection is lost.
    ///
    /// Must be called within a Tokio runtime. Returns at once: messages can be published, and
    /// subscriptions made, before the server has accepted. What is wrong with a broker shows in its
    /// [`client`](Self::client)'s events.
    pub fn add_provider(
        &self,
        id: impl Into<Arc<str>>,
        options: impl Into<Options>,
    ) -> Result<(), Error> {
        let id = id.into();
        let mut board = self.lock();
        if board.providers.contains_key(&id) {
            return Err(Error::DuplicateProvider(id));
        }
        let (client, events) = Client::start(options.into());
        let provider = Provider::new(Arc::clone(&id), client, board.listeners.clone());
        if board.network == Reachability::Offline {
            provider.link.handle(Change::Offline);
        }
        tokio::spawn(provider::follow(Arc::clone(&provider.link), events));
        board.providers.insert(id, Arc::new(provider));
        Ok(())
    }

    /// Takes the provider away: from now on nothing is published to it; what it has accepted goes out,
    /// for [`DRAIN_TIMEOUT`] at most; then it says good-bye.
    ///
    /// Its subscriptions end with [`Ended::Removed`] once what had come is taken; the other providers go
    /// on. The name is free at once, so that another can be added under it meanwhile. Dropping the future
    /// cuts the time short, and nothing else.
    pub async fn remove_provider(&self, id: &str) -> Result<Drained, Error> {
        let provider = self.lock().providers.remove(id);
        let provider = provider.ok_or_else(|| Error::UnknownProvider(id.to_owned()))?;
        Ok(provider.leave().finish().await)
    }

    /// Removes all providers, each as by [`Self::remove_provider`].
    pub async fn close(&self) -> Drained {
        let providers = std::mem::take(&mut self.lock().providers);
        let mut removals = JoinSet::new();
        for leaving in providers.into_values().map(Provider::leave) {
            removals.spawn(leaving.finish());
        }
        let cut = removals.join_all().await.contains(&Drained::Cut);
        if cut { Drained::Cut } else { Drained::All }
    }

    /// Publishes bytes to all providers, or to [one](Publish::provider).
    pub fn publish_bytes<'a>(&'a self, topics: impl Topics, payload: &'a [u8]) -> Publish<'a> {
        Publish::new(self, topics, Ok(payload.into()))
    }

    /// Publishes a value as JSON to all providers, or to [one](Publish::provider).
    #[cfg(feature = "json")]
    pub fn publish<'a>(
        &'a self,
        topics: impl Topics,
        value: &(impl serde::Serialize + ?Sized),
    ) -> Publish<'a> {
        let payload = serde_json::to_vec(value).map(Into::into).map_err(Error::Json);
        Publish::new(self, topics, payload)
    }

    /// Subscribes at all providers that are there now, or at [one](Subscribe::provider).
    pub fn subscribe(&self, topics: impl Topics) -> Subscribe<'_> {
        Subscribe::new(self, topics)
    }

    /// How the connection of the provider `id` is, just now.
    pub fn connection_state(&self, id: &str) -> Result<ConnectionState, Error> {
        Ok(*self.watch(id)?.borrow())
    }

    /// The same, to be waited on.
    pub fn watch(&self, id: &str) -> Result<watch::Receiver<ConnectionState>, Error> {
        Ok(self.provider(id)?.link.watch())
    }

    /// Every state of every provider from now on, first those that they are in.
    pub fn states(&self) -> States {
        let board = self.lock();
        let links = board.providers.values().map(|provider| &*provider.link);
        board.listeners.listen(links)
    }

    /// Says whether this machine has a network, for programs that know; otherwise it is guessed from
    /// what connecting comes to.
    pub fn handle_network(&self, network: Reachability) {
        let change = match network {
            Reachability::Online => Change::Online,
            Reachability::Offline => Change::Offline,
        };
        let mut board = self.lock();
        board.network = network;
        for provider in board.providers.values() {
            provider.link.handle(change);
        }
    }

    /// The names of the providers, in order.
    pub fn providers(&self) -> Vec<Arc<str>> {
        self.lock().providers.keys().cloned().collect()
    }

    /// The client behind the provider `id`, for all that a client can.
    pub fn client(&self, id: &str) -> Result<Client, Error> {
        Ok(self.provider(id)?.client.clone())
    }

    fn provider(&self, id: &str) -> Result<Arc<Provider>, Error> {
        let provider = self.lock().providers.get(id).cloned();
        provider.ok_or_else(|| Error::UnknownProvider(id.to_owned()))
    }

    /// The provider `id`, or all of them.
    fn chosen(&self, id: Option<&str>) -> Result<Vec<Arc<Provider>>, Error> {
        let Some(id) = id else {
            let all: Vec<_> = self.lock().providers.values().cloned().collect();
            return if all.is_empty() { Err(Error::NoProvider) } else { Ok(all) };
        };
        Ok(vec![self.provider(id)?])
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Each call changes all or nothing.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
