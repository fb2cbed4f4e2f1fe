//! Several brokers behind one publish and one subscribe, without a heap.
//!
//! A [`PubSub`] holds *providers*, each a [`Client`] of its own under a name of the program's choice. They
//! are added, removed and replaced while the others go on; each has a [`ConnectionState`] that can be
//! asked for and watched. The names are those of `dunlin-tokio`.
//!
//! ```
//! use dunlin_embassy::{Client, PubSub, pubsub::Error};
//! use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//!
//! type Handle = Client<'static, CriticalSectionRawMutex, 8>;
//!
//! /// Up to two providers, for all tasks.
//! static PUBSUB: PubSub<'static, CriticalSectionRawMutex, 8, 2> = PubSub::new();
//!
//! /// The runners of both clients run in tasks of their own.
//! async fn obey(site: Handle, cloud: Handle) -> Result<(), Error<'static>> {
//!     PUBSUB.add_provider("site", site)?;
//!     PUBSUB.add_provider("cloud", cloud)?;
//!     let mut doors = PUBSUB.subscribe(&["doors/+"]).await?;
//!     let mut buffer = [0; 1024];
//!     while let Some(delivery) = doors.next(&mut buffer).await {
//!         let Ok(door) = delivery else { continue }; // a provider was removed, or refuses
//!         if door.provider == "site" {
//!             let there = PUBSUB.publish_bytes([door.topic()], door.payload()).provider("cloud");
//!             let _unheard = there.await?.into_result();
//!         }
//!     }
//!     Ok(())
//! }
//! ```

mod deliveries;
mod error;
#[cfg(feature = "json")]
mod json;
mod publish;
mod removal;
mod subscribe;

pub use crate::events::{STATES_MAX, Watch};
pub use deliveries::{Deliveries, Delivery, Undelivered};
pub use dunlin_drive::pubsub::{ConnectionState, Reachability};
pub use error::Error;
#[cfg(feature = "json")]
pub use json::{InvalidJson, JSON_DEPTH_MAX, JSON_ESCAPED_MAX};
pub use publish::{Publish, Published, Report};
pub use removal::{DRAIN_TIMEOUT, Drained};
pub use subscribe::Subscribe;

use crate::Client;
use core::cell::RefCell;
use dunlin_drive::pubsub::Change;
use embassy_sync::blocking_mutex::{Mutex, raw::RawMutex};
use removal::Leaving;

/// Up to `PROVIDERS` providers by name, and what is published to and heard from all of them.
///
/// `M` and `N` are those of its clients. It lies where all tasks see it, in a `static` as a rule; what it
/// needs for a subscription lies in that, and its filters in the memory of the clients.
pub struct PubSub<'r, M: RawMutex, const N: usize, const PROVIDERS: usize> {
    board: Mutex<M, RefCell<Board<'r, M, N, PROVIDERS>>>,
}

struct Board<'r, M: RawMutex, const N: usize, const PROVIDERS: usize> {
    providers: Providers<'r, M, N, PROVIDERS>,
    network: Reachability,
}

type Providers<'r, M, const N: usize, const PROVIDERS: usize> =
    [Option<Provider<'r, M, N>>; PROVIDERS];

/// A client under its name.
struct Provider<'r, M: RawMutex, const N: usize> {
    id: &'r str,
    client: Client<'r, M, N>,
}

impl<M: RawMutex, const N: usize> Clone for Provider<'_, M, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: RawMutex, const N: usize> Copy for Provider<'_, M, N> {}

impl<'r, M: RawMutex, const N: usize, const PROVIDERS: usize> PubSub<'r, M, N, PROVIDERS> {
    /// Without any provider.
    pub const fn new() -> Self {
        let board = Board { providers: [None; PROVIDERS], network: Reachability::Online };
        Self { board: Mutex::new(RefCell::new(board)) }
    }

    /// Adds a broker under the name `id`, whose client connects as soon as its runner runs.
    ///
    /// Messages can be published, and subscriptions made, before the server has accepted. One client is
    /// one provider.
    pub fn add_provider(&self, id: &'r str, client: Client<'r, M, N>) -> Result<(), Error<'r>> {
        self.with(|board| {
            let is_taken =
                |other: &Provider<'r, M, N>| other.id == id || other.client.is_same(client);
            if board.providers.iter().flatten().any(is_taken) {
                return Err(Error::DuplicateProvider);
            }
            let place = board.providers.iter_mut().find(|place| place.is_none());
            *place.ok_or(Error::Full)? = Some(Provider { id, client });
            client.await_runner();
            if board.network == Reachability::Offline {
                client.handle_change(Change::Offline);
            }
            Ok(())
        })
    }

    /// Takes the provider away: from now on nothing is published to it; what it has accepted goes out,
    /// for [`DRAIN_TIMEOUT`] at most; then it says good-bye, and its runner ends.
    ///
    /// Its subscriptions end with [`Undelivered::Removed`] once what had come is taken; the other
    /// providers go on. The name is free at once, so that another can be added under it meanwhile.
    /// Dropping the future cuts the time short, and nothing else.
    ///
    /// The client can run again, and be a provider again, also for another broker. It keeps what
    /// [`Drained::Cut`] has left: then take another one, if that is for the first broker only.
    pub async fn remove_provider(&self, id: &str) -> Result<Drained, Error<'r>> {
        let provider = self.with(|board| {
            let is_named = |provider: &mut Provider<'_, M, N>| provider.id == id;
            board.providers.iter_mut().find_map(|place| place.take_if(is_named))
        });
        let Provider { client, .. } = provider.ok_or(Error::UnknownProvider)?;
        let leaving = Leaving::new(client);
        let drained = leaving.drained(removal::deadline()).await;
        drop(leaving);
        removal::ended(client).await;
        Ok(drained)
    }

    /// Removes all providers, each as by [`Self::remove_provider`].
    pub async fn close(&self) -> Drained {
        let providers = self.with(|board| core::mem::replace(&mut board.providers, [None; _]));
        let leaving = providers.map(|place| place.map(|provider| Leaving::new(provider.client)));
        let deadline = removal::deadline();
        let mut drained = Drained::All;
        for leaving in leaving.iter().flatten() {
            if leaving.drained(deadline).await == Drained::Cut {
                drained = Drained::Cut;
            }
        }
        drop(leaving);
        for provider in providers.into_iter().flatten() {
            removal::ended(provider.client).await;
        }
        drained
    }

    /// Publishes to all providers, or to [one](Publish::provider).
    pub fn publish_bytes<'p, const TOPICS: usize>(
        &'p self,
        topics: [&'p str; TOPICS],
        payload: &'p [u8],
    ) -> Publish<'p, 'r, M, N, PROVIDERS, TOPICS> {
        Publish::new(self, topics, Ok(payload))
    }

    /// Subscribes at all providers that are there now, or at [one](Subscribe::provider).
    pub fn subscribe<'p>(&'p self, topics: &'p [&'p str]) -> Subscribe<'p, 'r, M, N, PROVIDERS> {
        Subscribe::new(self, topics)
    }

    /// How the connection of the provider `id` is, just now.
    pub fn connection_state(&self, id: &str) -> Result<ConnectionState, Error<'r>> {
        Ok(self.client(id)?.connection_state())
    }

    /// Its states from now on, first the one that it is in.
    pub fn watch(&self, id: &str) -> Result<Watch<'r, M, N>, Error<'r>> {
        Ok(self.client(id)?.watch())
    }

    /// Says whether this device has a network, which it should: embassy-net's stack knows. Otherwise it
    /// is guessed from what connecting comes to.
    pub fn handle_network(&self, network: Reachability) {
        let change = match network {
            Reachability::Online => Change::Online,
            Reachability::Offline => Change::Offline,
        };
        self.with(|board| {
            board.network = network;
            for provider in board.providers.iter().flatten() {
                provider.client.handle_change(change);
            }
        });
    }

    /// The client behind the provider `id`, for all that a client can.
    pub fn client(&self, id: &str) -> Result<Client<'r, M, N>, Error<'r>> {
        let providers = self.with(|board| board.providers);
        let provider = providers.iter().flatten().find(|provider| provider.id == id);
        provider.map(|provider| provider.client).ok_or(Error::UnknownProvider)
    }

    /// The provider `id`, or all of them.
    fn chosen(&self, id: Option<&str>) -> Result<Providers<'r, M, N, PROVIDERS>, Error<'r>> {
        let providers = self.with(|board| board.providers);
        let is_chosen = |provider: &Provider<'r, M, N>| id.is_none_or(|id| provider.id == id);
        let chosen = providers.map(|place| place.filter(is_chosen));
        if chosen.iter().any(Option::is_some) {
            Ok(chosen)
        } else {
            Err(if id.is_some() { Error::UnknownProvider } else { Error::NoProvider })
        }
    }

    /// Runs `f` under the lock, which is taken before that of a client, never behind it.
    fn with<T>(&self, f: impl FnOnce(&mut Board<'r, M, N, PROVIDERS>) -> T) -> T {
        self.board.lock(|board| f(&mut board.borrow_mut()))
    }
}

impl<M: RawMutex, const N: usize, const PROVIDERS: usize> Default for PubSub<'_, M, N, PROVIDERS> {
    fn default() -> Self {
        Self::new()
    }
}

/// How many providers it has; takes the lock for a moment.
#[cfg(feature = "defmt")]
impl<M: RawMutex, const N: usize, const PROVIDERS: usize> defmt::Format
    for PubSub<'_, M, N, PROVIDERS>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "PubSub {{ providers: {=usize} }}",
            self.with(|board| board.providers.iter().flatten().count())
        );
    }
}
